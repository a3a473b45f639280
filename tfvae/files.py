"""The one way a file gets into its place: written beside it, synced, renamed."""

import contextlib
import hashlib
import json
import os
import pathlib
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psutil
import tensorflow as tf

from tfvae import checks

MANIFEST = "manifest.json"


@contextlib.contextmanager
def scratch(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary folder `.tmp-*` in `parent`, removed at the end unless renamed."""
    prefix = f".tmp-{platform.node()}-{os.getpid()}-"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        clear_scratch(parent)
        folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise ValueError(
            f"`path` must be in a folder that can be written to. "
            f"Received: path={str(parent)!r} ({error.strerror})."
        ) from error
    try:
        yield folder
    except tf.errors.OpError as error:  # of TensorFlow's own writers
        message = f"Nothing was published in {str(parent)!r}: {error.message}"
        raise OSError(message) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_scratch(parent: pathlib.Path) -> None:
    """Removes what processes of this machine left in `parent` when they were killed."""
    for path in parent.glob(f".tmp-{platform.node()}-*-*"):
        process = path.name.split("-")[-2]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(path, ignore_errors=True)


def replace(moves: Mapping[pathlib.Path, pathlib.Path]) -> None:
    """Moves each path to its place, over what is there; syncs all before."""
    for source in moves:
        sync(source)
    for source, place in moves.items():
        if place.is_dir():
            shutil.rmtree(place)
        os.replace(source, place)


def whole(path: pathlib.Path, write: Callable[[pathlib.Path], Any]) -> pathlib.Path:
    """Writes a file, whole or not at all; returns its path.

    Args:
        path: The file, replaced if it is there.
        write: Function that writes to the path that it gets, one beside the file.
    """
    if not path.parent.is_dir():
        expected = "in a folder that exists"
        checks.fail(expected, error=FileNotFoundError, path=str(path))
    with scratch(path.parent) as folder:
        write(folder / path.name)
        replace({folder / path.name: path})
    return path


def write_manifest(folder: pathlib.Path) -> None:
    """Writes the SHA-256 of every file below a folder, and syncs all to the disk."""
    text = json.dumps({"sha256": _sums(folder)}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text)
    for path in [folder, *folder.rglob("*")]:
        sync(path)


def verify(folder: pathlib.Path) -> None:
    """Raises a ValueError if a file in a folder's manifest is missing or differs."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        expected = f"a folder with a {MANIFEST}"
        checks.fail(expected, error=FileNotFoundError, path=str(folder))
    try:
        wanted = json.loads(manifest.read_text())["sha256"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        wanted = {MANIFEST: ""}.items()
    if changed := sorted(name for name, _ in wanted - _sums(folder).items()):
        expected = f"a folder whose files are as in its {MANIFEST}"
        hint = f"Missing or changed: {', '.join(changed)}."
        checks.fail(expected, hint=hint, path=str(folder))


def _sums(folder: pathlib.Path) -> dict[str, str]:
    paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*")}
    names = sorted(name for name, path in paths.items() if path.is_file())
    return {name: sha256(paths[name]) for name in names if name != MANIFEST}


def sha256(path: pathlib.Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: pathlib.Path) -> None:
    """Makes the operating system write a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
