"""SavedModels in numbered versions, as TF Serving reads them."""

import pathlib

import tensorflow as tf

from tfvae import checks, files
from tfvae.export import parity, serving


def to_saved_model(model, path, *, version=None):
    """Publishes a model as the next version below `path`, ready for TF Serving.

    The SavedModel is written beside its place, every signature is loaded back and
    compared with the model, requests to warm up with and a manifest of SHA-256 sums are
    added, and only then is the folder renamed to its number: a version is whole or
    absent, and none is overwritten. What is served refuses wrong shapes by itself, and
    answers a row with NaN or Inf with NaN, apart from the rows beside it.

    Args:
        model: A built model of this package.
        path: Folder of the versions, made where it is missing.
        version: A positive integer; the highest there plus one when left out.

    Returns:
        The `pathlib.Path` of the version, for instance `path/1`.

    Raises:
        TypeError: Where `model` is no model of this package or `version` no integer.
        ValueError: Where the model is not built, the version exists or is below 1, or
            the folder cannot be written to.
        RuntimeError: Where a signature on disk answers otherwise than the model.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> tfvae.export.to_saved_model(model, tempfile.mkdtemp()).name
        '1'
    """
    signatures = parity.check_model(model)
    if version is not None:
        checks.integer(maximum=2**63 - 1, version=version)  # as the server counts
    path = pathlib.Path(path)
    _check_free(path, version)
    with files.scratch(path) as folder:
        _write(model, signatures, folder)
        return _publish(folder, path, version)


def to_folder(model, path):
    """Writes a SavedModel as `to_saved_model` does, but as the folder itself.

    Args:
        model: A built model of this package.
        path: A folder that is not there yet.

    Returns:
        The `pathlib.Path` of the folder.

    Raises:
        TypeError: Where `model` is no model of this package.
        ValueError: Where the model is not built, or the folder is there.
        RuntimeError: Where a signature on disk answers otherwise than the model.
    """
    signatures, path = parity.check_model(model), pathlib.Path(path)
    if path.suffix == ".tflite":
        checks.fail("a folder, or format 'litert' be given", path=str(path))
    _check_absent(path)
    with files.scratch(path.parent) as folder:
        _write(model, signatures, folder)
        _check_absent(path)
        folder.rename(path)
    return path


def load_saved_model(path):
    """A SavedModel with its signatures, if its files are those that were written.

    TensorFlow itself trusts files: of damaged ones it may answer anything, or crash.

    Args:
        path: Folder of a version, as `to_saved_model` returns it.

    Returns:
        What `tf.saved_model.load` gives.

    Raises:
        FileNotFoundError: Where there is no manifest.
        ValueError: Where a file in it is missing or differs, or it is no version.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> version = tfvae.export.to_saved_model(model, tempfile.mkdtemp())
        >>> decode = tfvae.export.load_saved_model(version).signatures["decode"]
        >>> decode(z=tf.zeros([3, 2]))["x"].shape
        TensorShape([3, 8, 8, 1])
    """
    path = pathlib.Path(path)
    files.verify(path)
    if not (path / "saved_model.pb").exists():
        checks.fail("the folder of a version, such as vae/1", path=str(path))
    return tf.saved_model.load(str(path))


def _write(model, signatures, folder):
    strict = {name: serving.strict(s) for name, s in signatures.items()}
    parity.write(strict, folder)
    serving.write_warmup(model, folder)
    files.write_manifest(folder)
    folder.chmod(0o755)


def _publish(folder, path, version):
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


def _check_free(path, version):
    if version is not None and (path / str(version)).exists():
        expected = f"a version that is not yet in {str(path)!r}"
        checks.fail(expected, version=version)


def _check_absent(path):
    if path.exists():
        checks.fail("a folder that is not there yet", path=str(path))


def _next_version(path):
    numbers = [int(p.name) for p in path.iterdir() if p.name.isdecimal()]
    return max(numbers, default=0) + 1
