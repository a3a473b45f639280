"""The one way a file gets into its place: written beside it, synced, renamed."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping

import tensorflow as tf

from tfvae import checks

MANIFEST = "manifest.json"


@contextlib.contextmanager
def scratch(parent: pathlib.Path) -> Iterator[pathlib.Path]:
    """A temporary folder `.tmp-*` in `parent`, removed at the end unless renamed.

    Raises:
        ValueError: If `parent` is a file or cannot be written to.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix=".tmp-", dir=parent))
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


def replace(folder: pathlib.Path, files: Mapping[pathlib.Path, bytes]) -> None:
    """Writes files to a scratch folder first, then moves each whole to its place.

    Args:
        folder: A `scratch` folder of their parent.
        files: Content of each file by path.
    """
    for path, content in files.items():
        (folder / path.name).write_bytes(content)
        sync(folder / path.name)
    for path in files:
        os.replace(folder / path.name, path)


def write_manifest(folder: pathlib.Path) -> None:
    """Writes the SHA-256 of every file below a folder, and syncs all to the disk."""
    text = json.dumps({"sha256": _sums(folder)}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text)
    for path in [folder, *folder.rglob("*")]:
        sync(path)


def verify(folder: pathlib.Path) -> None:
    """Checks the files below a folder against its manifest.

    Raises:
        FileNotFoundError: If there is no manifest.
        ValueError: If a file in the manifest is missing or differs.
    """
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
    files = (path for path in folder.rglob("*") if path.is_file())
    sums = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
    return {name: sums[name] for name in sorted(sums) if name != MANIFEST}


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
