"""SavedModels in numbered versions, as TF Serving reads them."""

import json
import pathlib

from tfvae import checks
from tfvae.export import archive


def to_saved_model(model, path, *, version=None):
    """Publishes a model as the next version below `path`, ready for TF Serving.

    The SavedModel is written beside its place, every signature is loaded back and
    compared with the model, a manifest of SHA-256 sums is added, and only then is the
    folder renamed to its number: a version is whole or absent, and none is overwritten.

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
    signatures = archive.check_model(model)
    if version is not None:
        checks.integer(version=version)
    path = pathlib.Path(path)
    _check_free(path, version)
    with archive.scratch(path) as folder:
        archive.write(signatures, folder)
        _write_manifest(folder)
        return _publish(folder, path, version)


def _write_manifest(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    sums = {p.relative_to(folder).as_posix(): archive.sha256(p) for p in files}
    (folder / "manifest.json").write_text(json.dumps({"sha256": sums}, indent=2) + "\n")
    for p in [folder, *folder.rglob("*")]:
        archive.sync(p)


def _publish(folder, path, version):
    """Renames to the version, or to the next that no other exporter has taken."""
    folder.chmod(0o755)
    while True:
        target = path / str(version or _next_version(path))
        try:
            folder.rename(target)
        except OSError:
            _check_free(path, version)
            if not target.exists():
                raise
            continue
        archive.sync(path)
        return target


def _check_free(path, version):
    if version is not None and (path / str(version)).exists():
        expected = f"a version that is not yet in {str(path)!r}"
        checks.fail(expected, version=version)


def _next_version(path):
    numbers = [int(p.name) for p in path.iterdir() if p.name.isdecimal()]
    return max(numbers, default=0) + 1
