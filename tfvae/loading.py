"""Models loaded from files, or from the published ones by name."""

import os
import pathlib
import zipfile

import keras

from tfvae import checks, files
from tfvae.models.base import GenerativeModel


def load(path: str | os.PathLike[str]) -> GenerativeModel:
    """Loads a model saved by `model.save("name.keras")`, or a published one by name.

    Weights, optimizer and seeds are as they were, so training goes on from there. A
    model of a named constructor, such as `IAFVAE`, is saved as its parts and loaded as
    a `VAE`. Only registered classes are read and no code in the file runs. A name is
    looked up in the folders of the environment variable `TFVAE_SAVEDMODELS`, in
    `savedmodels` of the current folder, and in `savedmodels` of this checkout; every
    file of a published model is compared with its manifest first.

    Args:
        path: A `.keras` file, or a name such as `"iaf_vae_mnist"`.

    Raises:
        FileNotFoundError: If there is no such file or name.
        ValueError: If the file is no whole `.keras` file of a model of this package, or
            a published file differs from its manifest.

    Example:
        >>> model.save(folder + "/vae.keras")
        >>> tfvae.load(folder + "/vae.keras").latent_dim
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


def _published(name: str) -> pathlib.Path:
    """The `.keras` file of a published model, if its folder fits its manifest."""
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
