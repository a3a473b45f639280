"""A program in a terminal: what ends it, and what it says on stderr."""

import contextlib
import functools
import logging
import os
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
