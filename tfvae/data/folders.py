"""Raw examples from a folder of image files."""

import concurrent.futures
import functools
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.sources import (
    ALIASES,
    Fractions,
    Lazy,
    Location,
    Source,
    SplitArrays,
    cut,
)

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
_MODES = {1: "L", 3: "RGB"}


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


def image_shape(image_size: Sequence[int] | None) -> tuple[int, int, int]:
    """Checked `(height, width, channels)`; channels are 3 unless given."""
    expected = "(height, width) or (height, width, channels) with 1 or 3 channels"
    if not isinstance(image_size, (tuple, list)) or len(image_size) not in (2, 3):
        checks.fail(expected, image_size=image_size)
    shape = (*checks.integers(image_size=image_size), 3)[:3]
    if shape[2] not in _MODES:
        checks.fail(expected, image_size=image_size)
    return shape


def _files(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Sorted paths and their class folders, both `[files]`."""
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise FileNotFoundError(
            "`source` must be a folder with image files. Received: "
            f"{root}, which holds none of {', '.join(sorted(_SUFFIXES))}."
        )
    parts = [path.relative_to(root).parts for path in files]
    classes = [part[0] if len(part) > 1 else "" for part in parts]
    return np.array([os.fspath(path) for path in files]), np.array(classes)


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

    def read_all(paths: np.ndarray) -> list[np.ndarray]:
        return [_read(path, shape) for path in paths]

    def read(paths: np.ndarray) -> np.ndarray:
        # A thread for each path would spend its time waiting for the others.
        parts = np.array_split(paths, os.cpu_count() or 1)
        return np.stack(list(itertools.chain(*_threads().map(read_all, parts))))

    return Lazy(paths, labels, read, tf.TensorSpec(shape, tf.uint8))


@functools.cache
def _threads() -> concurrent.futures.Executor:
    """Threads that decode images: the decoders let other threads run."""
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def _read(path: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(os.fsdecode(path)) as image:
            if image.mode != _MODES[shape[2]]:
                image = image.convert(_MODES[shape[2]])
            if image.size != shape[1::-1]:
                image = image.resize(shape[1::-1])
            pixels = np.asarray(image)
    except OSError as error:
        raise ValueError(
            f"`source` must hold image files. Received: {os.fsdecode(path)}, which "
            "cannot be read as one."
        ) from error
    return pixels.reshape(shape)
