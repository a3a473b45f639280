"""SavedModels in numbered versions, as TF Serving reads them."""

import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

import keras
import tensorflow as tf

from tfvae import checks, files
from tfvae.export import parity, serving
from tfvae.signatures import Signature

# A version as TF Serving counts them.
Version = Annotated[int, functools.partial(checks.integer, maximum=2**63 - 1)]


@checks.checked
def to_saved_model(
    model: keras.Model, path: str | os.PathLike[str], *, version: Version | None = None
) -> pathlib.Path:
    """Publishes a model as the next version below `path`, ready for TF Serving.

    Each signature is written, loaded back and compared with the model: another answer
    is a RuntimeError. The version also holds warm-up requests and a manifest of SHA-256
    sums. Its folder is written beside its place and renamed at the end: a version is
    whole or absent, and none is overwritten. A server with this version refuses wrong
    shapes. It answers a row with NaN or Inf with NaN, and the rows beside it as usual.

    Args:
        model: A built model of this package.
        path: Folder of the versions; made if it is missing.
        version: Number of the version; the highest in the folder plus one if None.

    Returns:
        The folder of the version, for instance `path/1`.

    Example:
        >>> tfvae.export.to_saved_model(model, folder + "/vae").name
        '1'
    """
    signatures, path = parity.check_model(model), pathlib.Path(path)
    _check_free(path, version)
    with files.scratch(path) as folder:
        _write(signatures, folder)
        return _publish(folder, path, version)


def to_folder(model: keras.Model, path: str | os.PathLike[str]) -> pathlib.Path:
    """As `to_saved_model`, but `path` itself becomes the folder of the version."""
    signatures, path = parity.check_model(model), pathlib.Path(path)
    if path.suffix == ".tflite":
        checks.fail("a folder, or format 'litert' be given", path=str(path))
    _check_absent(path)
    with files.scratch(path.parent) as folder:
        _write(signatures, folder)
        _check_absent(path)
        folder.rename(path)
    return path


def load_saved_model(path: str | os.PathLike[str]) -> Any:
    """The result of `tf.saved_model.load`, if the files are as they were written.

    TensorFlow itself does not check files: damaged ones may give any answer or a crash.
    Here a file that is missing or not as in the manifest is a ValueError.

    Args:
        path: Folder of a version, as `to_saved_model` returns it.

    Example:
        >>> version = tfvae.export.to_saved_model(model, folder)
        >>> decode = tfvae.export.load_saved_model(version).signatures["decode"]
        >>> decode(z=tf.zeros([3, 2]))["x"].shape
        TensorShape([3, 8, 8, 1])
    """
    path = pathlib.Path(path)
    files.verify(path)
    if not (path / "saved_model.pb").exists():
        checks.fail("the folder of a version, such as vae/1", path=str(path))
    return tf.saved_model.load(str(path))


def _write(signatures: Mapping[str, Signature], folder: pathlib.Path) -> None:
    examples = parity.write(signatures, folder, serving.strict)
    serving.write_warmup(examples, folder)
    files.write_manifest(folder)
    folder.chmod(0o755)


def _publish(
    folder: pathlib.Path, path: pathlib.Path, version: int | None
) -> pathlib.Path:
    """Renames to the version, or to the next that no other exporter has taken."""
    while True:
        target = path / str(version or _next_version(path))
        try:
            folder.rename(target)
        except OSError:
            _check_free(path, version)
            if not target.exists():
                raise
            continue
        files.sync(path)
        return target


def _check_free(path: pathlib.Path, version: int | None) -> None:
    if version is not None and (path / str(version)).exists():
        expected = f"a version that is not yet in {str(path)!r}"
        checks.fail(expected, version=version)


def _check_absent(path: pathlib.Path) -> None:
    if path.exists():
        checks.fail("a folder that is not there yet", path=str(path))


def _next_version(path: pathlib.Path) -> int:
    numbers = [int(p.name) for p in path.iterdir() if p.name.isdecimal()]
    return max(numbers, default=0) + 1
