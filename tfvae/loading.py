"""Models back from disk."""

import pathlib
import zipfile

import keras

from tfvae import checks
from tfvae.models.base import GenerativeModel


def load(path):
    """Loads a model saved by `model.save("name.keras")`.

    Weights, optimizer and seeds are as they were, so training goes on from there. Only
    registered classes are read and no code in the file runs.

    Args:
        path: A `.keras` file.

    Returns:
        The model, compiled as it was.

    Raises:
        FileNotFoundError: Where there is no such file.
        ValueError: Where it is no whole `.keras` file of a model of this package.

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
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"`path` must be a file. Received: path={str(path)!r}.")
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
