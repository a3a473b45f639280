"""A program in a terminal: what ends it, and what it says on stderr."""

import contextlib
import functools
import importlib.metadata
import logging
import os
import pathlib
import platform
import signal
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

# As `signal.getsignal` gives it: a function, or a constant such as `signal.SIG_DFL`.
Handler = Callable[[int, types.FrameType | None], Any] | int | None

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def heed(handler: Handler) -> dict[int, Handler]:
    """Installs `handler` for SIGINT and SIGTERM; leaves ignored signals alone.

    Returns:
        The handlers before by number of the signal.
    """
    heeded = (n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN)  # nohup
    return {number: signal.signal(number, handler) for number in heeded}


def leave(number: int, frame: types.FrameType | None = None) -> NoReturn:
    """Exits with the code of a program that a signal ended."""
    sys.exit(128 + number)


def keep_compiled() -> None:
    """Has XLA keep what it compiles in the user's cache, for TensorFlow not yet loaded.

    A program fits one version of TensorFlow and one machine.
    """
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    kind = f"xla-{importlib.metadata.version('tensorflow')}-{platform.node()}"
    flag = f"--tf_xla_persistent_cache_directory={cache / 'tfvae' / kind}"
    os.environ["TF_XLA_FLAGS"] = f"{os.environ.get('TF_XLA_FLAGS', '')} {flag}".strip()


def explain(error: Any) -> tuple[str, int]:
    """Message and exit code for an error: 2 for wrong use, else 1."""
    if hasattr(error, "format_message"):  # typer's own
        command = error.ctx.command_path if getattr(error, "ctx", None) else "tfvae"
        return f"{error.format_message()} See `{command} --help`.", error.exit_code
    usage = isinstance(error, (ValueError, TypeError, FileNotFoundError))
    return str(error) or type(error).__name__, 2 if usage else 1


def say(kind: str, message: object, *_: Any) -> None:
    """Prints one line to stderr."""
    print(f"{kind}:", " ".join(str(message).split()), file=sys.stderr)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps TensorFlow's C++ code from writing to stderr, but not Python."""
    sys.stderr.flush()
    with (
        os.fdopen(os.dup(2), "w", buffering=1) as stderr,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(stderr),
        warnings.catch_warnings(),
    ):
        warnings.showwarning = functools.partial(say, "Warning")
        logging.getLogger("absl").setLevel(logging.ERROR)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr.fileno(), 2)
