"""A folder of image files as a source."""

import os

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.splits import Source, cut

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
_MODES = {1: "L", 3: "RGB"}
_SPLITS = {"train": "train", "valid": "valid", "validation": "valid", "test": "test"}


def from_folder(folder, *, labels, fractions, image_size):
    """Returns the `Source` of the image files in a folder and the folders in it.

    Args:
        folder: Path; its folders train, valid (or validation) and test, where there is
            a train, are the splits.
        labels: Whether the first folder of each file's path is its class.
        fractions: `Fractions` for the splits that are not there.
        image_size: `(height, width)` of colour images, or `(height, width, channels)`.
    """
    shape = image_shape(image_size)
    roots = {"all": folder}
    if (folder / "train").is_dir():
        found = {name: folder / key for key, name in _SPLITS.items()}
        roots = {name: path for name, path in found.items() if path.is_dir()}
    parts = cut({name: _files(root) for name, root in roots.items()}, fractions)
    names = _class_names(parts) if labels else None
    splits = {k: _images(*part, names, shape) for k, part in parts.items()}
    return Source(splits, peak=255)


def image_shape(image_size):
    """Returns `(height, width, channels)`, with 3 channels where none are given."""
    expected = "(height, width) or (height, width, channels) with 1 or 3 channels"
    if not isinstance(image_size, (tuple, list)) or len(image_size) not in (2, 3):
        checks.fail(expected, image_size=image_size)
    shape = (*checks.integers(image_size=image_size), 3)[:3]
    if shape[2] not in _MODES:
        checks.fail(expected, image_size=image_size)
    return shape


def _files(root):
    """Returns sorted paths and the class folder of each, `[files]` and `[files]`."""
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise FileNotFoundError(
            "`source` must be a folder with image files. Received: "
            f"{root}, which holds none of {', '.join(sorted(_SUFFIXES))}."
        )
    parts = [path.relative_to(root).parts for path in files]
    classes = [part[0] if len(part) > 1 else "" for part in parts]
    return np.array([os.fspath(path) for path in files]), np.array(classes)


def _class_names(parts):
    names = np.unique(np.concatenate([classes for _, classes in parts.values()]))
    if "" in names:
        hint = "Put the images of each class in a folder of its own."
        checks.fail("False where images lie in no class folder", hint=hint, labels=True)
    return names


def _images(paths, classes, names, shape):
    """Returns a data set of `(image,)` or `(image, label)`, images uint8."""
    arrays = (paths,) if names is None else (paths, np.searchsorted(names, classes))
    files = tf.data.Dataset.from_tensor_slices(arrays)

    def read(path, *label):
        image = tf.numpy_function(lambda path: _read(path, shape), [path], tf.uint8)
        return (tf.ensure_shape(image, shape), *label)

    return files.map(read, num_parallel_calls=tf.data.AUTOTUNE)


def _read(path, shape):
    from PIL import Image

    try:
        with Image.open(os.fsdecode(path)) as image:
            pixels = image.convert(_MODES[shape[2]]).resize(shape[1::-1])
    except OSError as error:
        raise ValueError(
            f"`source` must hold image files. Received: {os.fsdecode(path)}, which "
            "cannot be read as one."
        ) from error
    return np.asarray(pixels).reshape(shape)
