"""Raw examples from a folder of image files."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.images import decode, image_shape
from tfvae.data.sources import (
    ALIASES,
    Fractions,
    Lazy,
    Location,
    Source,
    SplitArrays,
    cut,
    specs_of,
)

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}


def from_folder(
    path: Location,
    *,
    labels: bool,
    fractions: Fractions,
    image_size: Sequence[int] | None = None,
) -> Source:
    """Reads the image files in a folder and in all folders below it.

    If it has a folder `train`, its folders `train`, `valid` (or `validation`, `val`)
    and `test` are the splits. Labels are the classes, each named by the first folder
    of a path.
    """
    shape = image_shape(image_size)
    roots = {"all": Path(path).expanduser()}
    if (roots["all"] / "train").is_dir():
        folders = filter(Path.is_dir, sorted(roots["all"].iterdir()))
        roots = {ALIASES[f.name]: f for f in folders if f.name in ALIASES}
    parts = cut({name: _files(root) for name, root in roots.items()}, fractions)
    names = _class_names(parts) if labels else None
    splits = {k: _images(*part, names, shape) for k, part in parts.items()}
    return Source(splits, peak=255)


def _files(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sorted paths and their class folders, both `[files]`."""
    files = [
        # Paths from pathlib would take seconds for 100,000 files.
        os.path.join(folder, name).split(os.sep)
        for folder, _, names in os.walk(root)
        for name in names
        if os.path.splitext(name)[1].lower() in _SUFFIXES
    ]
    if not files:
        raise FileNotFoundError(
            "`source` must be a folder with image files. Received: "
            f"{root}, which holds none of {', '.join(sorted(_SUFFIXES))}."
        )
    depth = len(os.fspath(root).split(os.sep))
    files.sort()
    classes = [f[depth] if len(f) > depth + 1 else "" for f in files]
    return np.array([os.sep.join(file) for file in files]), np.array(classes)


def _class_names(parts: SplitArrays) -> np.ndarray:
    names = np.unique(np.concatenate([classes for _, classes in parts.values()]))
    if "" in names:
        hint = "Put the images of each class in a folder of its own."
        checks.fail("False where images lie in no class folder", hint=hint, labels=True)
    return names


def _images(
    paths: np.ndarray, classes: np.ndarray, names: np.ndarray | None, shape: tuple
) -> Lazy:
    """Examples `(image,)` or `(image, label)`, images uint8."""
    labels = () if names is None else (np.searchsorted(names, classes),)
    specs = specs_of(tf.TensorSpec(shape, tf.uint8), *[()] * len(labels))

    def read(paths: np.ndarray, *labels: np.ndarray) -> tuple[np.ndarray, ...]:
        files = [os.fsdecode(path) for path in paths]
        return decode(files, shape, files.__getitem__), *labels

    return Lazy((paths, *labels), read, specs)
