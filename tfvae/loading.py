"""Models back from disk."""

import os
import pathlib
import zipfile

import keras

from tfvae import checks, files
from tfvae.models.base import GenerativeModel


def load(path):
    """Loads a model saved by `model.save("name.keras")`, or a published one by name.

    Weights, optimizer and seeds are as they were, so training goes on from there. Only
    registered classes are read and no code in the file runs. Published models are
    looked for in the folders that the environment variable `TFVAE_SAVEDMODELS` names,
    in `savedmodels` of the current folder, and in that of this checkout; every file is
    compared with the manifest first.

    Args:
        path: A `.keras` file, or a name such as `"iaf_vae_mnist"`.

    Returns:
        The model, compiled as it was.

    Raises:
        FileNotFoundError: Where there is no such file or name.
        ValueError: Where it is no whole `.keras` file of a model of this package, or a
            published file is not as its manifest says.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> path = tempfile.mkdtemp() + "/vae.keras"
        >>> model.save(path)
        >>> tfvae.load(path).latent_dim
        2
    """
    if os.sep not in str(path) and not pathlib.Path(path).suffix:
        path = _published(str(path))
    path = pathlib.Path(path)
    if not path.exists():
        checks.fail("a file", error=FileNotFoundError, path=str(path))
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        checks.fail("a whole `.keras` file", path=str(path))
    try:
        model = keras.saving.load_model(path, safe_mode=True)
    except (TypeError, ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"`path` must be a whole `.keras` file of registered classes. "
            f"Received: path={str(path)!r}. {error}"
        ) from error
    if not isinstance(model, GenerativeModel):
        checks.fail(f"a tfvae model, not a {type(model).__name__}", path=str(path))
    return model


def _published(name):
    """The `.keras` file of a published model, whose folder is as it was published."""
    places = os.environ.get("TFVAE_SAVEDMODELS", "").split(os.pathsep)
    checkout = pathlib.Path(__file__).parents[1]
    places = [*filter(None, places), "savedmodels", checkout / "savedmodels"]
    folders = [f.parent for p in places for f in pathlib.Path(p).glob("*/*.keras")]
    for folder in folders:
        if folder.name == name:
            files.verify(folder)
            return folder / f"{name}.keras"
    known = ", ".join(sorted({folder.name for folder in folders})) or "none"
    hint = f"Published in savedmodels or TFVAE_SAVEDMODELS: {known}."
    return checks.fail("a file or name", error=FileNotFoundError, hint=hint, path=name)
