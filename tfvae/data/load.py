"""Any source as seeded pipelines of batches."""

import functools
import inspect
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt
from tfvae.data import array_files, folders, records, sources, tfds
from tfvae.data.pipeline import Pipeline
from tfvae.data.sources import ArraySource, Examples, Location, Source, SplitArrays

_BINARIZE = (None, "threshold", "static", "dynamic")
Binarization = Annotated[str, functools.partial(checks.one_of, _BINARIZE)]
Cache = Annotated[bool | str, functools.partial(checks.one_of, (True, False, "auto"))]
Fraction = Annotated[float, functools.partial(checks.number, minimum=0, maximum=1)]


class Splits(NamedTuple):
    """Train, valid and test pipelines, each a batched `tf.data.Dataset`."""

    train: tf.data.Dataset
    valid: tf.data.Dataset
    test: tf.data.Dataset


@checks.checked
def load(
    source: Location | ArraySource,
    *,
    batch_size: PositiveInt = 128,
    binarize: Binarization | None = None,
    dequantize: bool = False,
    labels: bool | str = False,
    validation_fraction: Fraction = 1 / 6,
    test_fraction: Fraction = 1 / 6,
    image_size: Sequence[int] | None = None,
    data_dir: Location | None = None,
    manual_dir: Location | None = None,
    shuffle: bool = True,
    cache: Cache = "auto",
    seed: NonNegativeInt = 0,
) -> Splits:
    """Returns train, valid and test pipelines for a data set.

    A batch is float32 `[batch, height, width, channels]` or, for flat arrays, `[batch,
    features]`; with `labels` a pair with int64 `[batch]` or, for several factors,
    `[batch, factors]`. The last batch may be smaller.

    Floats stay as they are. Integers become `x / 255` (the digits `x / 16`), unless the
    greatest one is 1: then they stay 0 and 1. The greatest is that of all splits, for
    files that are read in each epoch that of the first 1,000 examples.

    Train has a new order in each epoch and, with `binarize="dynamic"` or `dequantize`,
    new noise: both depend on `seed` and the number of the epoch alone. `fit` sets that
    number, so that training goes on to the bit from a saved model; in a loop of your
    own it counts up. Valid and test are the same each time; their noise is drawn once.

    Args:
        source: One of the following. A name goes before a folder of the same name:
            write "./mnist" for the folder.

            - A TFDS builder with images by name: "mnist", ..., or of this package
              "frey_face" and "olivetti_faces".
            - "digits" of scikit-learn, `[8, 8, 1]`; "sprites", 60,000 draws of
              `sprites`, `[64, 64, 1]`; "nonlinear_ica", the rows of
              `nonlinear_ica(segment_length=1440)`, whitened, `[5]`.
            - The path of an `.npz` file, or a dict: train, valid and test, or x_train,
              y_train and so on, or one array. A file larger than a quarter of the free
              memory is read in each epoch, unless it is compressed.
            - The path of an `.npy` file of one array, which may be larger than memory.
            - The path of a folder of image files; of a folder of TFRecord files, or
              a pattern of such, whose names tell train, valid and test.
            - An array, or a tuple of arrays (train, valid, test).
        batch_size: Examples in a batch.
        binarize: None; "threshold", `x > 0.5`; "static", one Bernoulli draw for each
            pixel with probability `x`; "dynamic", in train a new draw each epoch.
        dequantize: If True, add uniform noise `u` in [0, 1) to integers:
            `(255 x + u) / 256`, for the digits `(16 x + u) / 17`.
        labels: If True, add the class; for "frey_face" the frame, for "olivetti_faces"
            1 with glasses, for "celeb_a" all attributes in alphabetical order, for
            "nonlinear_ica" the segment, for "sprites" and "dsprites" the factors (see
            `Sprites`). For a TFDS builder also the name of a label, as "subject".
        validation_fraction: Share of the training examples, the last ones, for a source
            without valid. The default leaves the usual 50,000 examples of MNIST.
        test_fraction: Share for a source without test, cut before valid. One array, a
            folder without splits, and "digits", "sprites" and "nonlinear_ica" are cut
            in a random order that does not depend on `seed`.
        image_size: `(height, width)`, or with 1 or 3 channels, to stretch images to. A
            folder needs it; its images are in colour unless it says 1 channel. Sprites
            are drawn at this size, which must be square.
        data_dir: Folder where TFDS keeps prepared data sets.
        manual_dir: Folder with the original files under their original names, from
            which TFDS prepares a data set without a network.
        shuffle: If True, shuffle train.
        cache: If True, hold all examples in memory, one byte for a pixel. If False,
            read files in each epoch, in the same order as from memory; only "static"
            is then shuffled in a buffer of 10,000. "auto" holds what takes less than a
            quarter of the free memory.
        seed: Seed for order and noise.

    Raises:
        FileNotFoundError: For missing files; says which files to put where.
        ConnectionError: If the data set must be downloaded and cannot be.

    Example:
        >>> train, valid, test = load("digits", binarize="dynamic", batch_size=64)
        >>> next(iter(train)).shape
        TensorShape([64, 8, 8, 1])
        >>> len(train), len(valid), len(test)
        (20, 4, 5)
    """
    if not isinstance(labels, (bool, str)) or labels == "":
        checks.fail("True, False or a name", error=TypeError, labels=labels)
    if dequantize and binarize:
        checks.fail(f"False with binarize={binarize!r}", dequantize=dequantize)
    places = {"image_size": image_size, "data_dir": data_dir, "manual_dir": manual_dir}
    fractions = sources.Fractions(validation_fraction, test_fraction)
    raw = _read(source, places, labels=labels, fractions=fractions)
    if raw.peak is None:
        _check_floats(raw.splits, binarize, dequantize)
    if cache == "auto":
        cache = _fits(raw.splits)
    if cache:
        raw = _held(raw)
    values = raw.peak, binarize, dequantize
    pipeline = Pipeline(*values, batch_size, shuffle, cache, seed)
    return Splits(*(pipeline(name, raw.splits[name]) for name in sources.NAMES))


def _read(source: Any, places: dict[str, Any], **options: Any) -> Source:
    """Reads the source with its reader, which must have a parameter for each place."""
    reader, kind = _reader(source)
    places = {name: value for name, value in places.items() if value is not None}
    for name in places:
        if name not in inspect.signature(reader).parameters:
            checks.fail(f"None for {kind}", **{name: places[name]})
    named = tfds.from_builder, records.from_records
    if isinstance(options["labels"], str) and reader not in named:
        expected = "True or False but for TFDS builders and TFRecord files"
        checks.fail(expected, labels=options["labels"])
    return reader(source, **places, **options)


def _reader(source: Any) -> tuple[Callable[..., Source], str]:
    """The function that reads a source, and the kind of the source."""
    if not isinstance(source, (str, os.PathLike)):
        return sources.from_arrays, "arrays"
    if source in sources.EMBEDDED:
        return sources.EMBEDDED[source], source
    if isinstance(source, str) and not tfds.is_path(source):
        return tfds.from_builder, "TFDS builders"
    path = Path(source).expanduser()
    if records.is_records(path):
        return records.from_records, "TFRecord files"
    if not path.exists():
        expected = "an .npz or .npy file or a folder that exists"
        checks.fail(expected, error=FileNotFoundError, source=str(path))
    if path.is_dir():
        return folders.from_folder, "folders"
    if path.suffix == ".npy":
        return array_files.from_npy, ".npy files"
    return array_files.from_npz, ".npz files"


def _fits(splits: dict[str, Examples]) -> bool:
    """True if examples that are not yet read fit in memory."""
    size = 0
    for examples in splits.values():
        if isinstance(examples, sources.Lazy):
            one = sum(math.prod(s.shape) * s.dtype.size for s in examples.specs)
            size += one * len(examples)
    return sources.fits(size)


def _held(raw: Source) -> Source:
    """The source in memory, with the greatest value of all."""
    splits = {
        name: part.held() if isinstance(part, sources.Lazy) else part
        for name, part in raw.splits.items()
    }
    if raw.is_guess and raw.peak is not None:
        raw = raw._replace(peak=sources.peak(x for x, *_ in splits.values()))
    return raw._replace(splits=splits)


def _check_floats(splits: SplitArrays, binarize: str | None, dequantize: bool) -> None:
    if dequantize:
        expected = "False for floats, whose grey levels are not known"
        checks.fail(expected, dequantize=dequantize)
    unit = {"low": 0, "high": 1, "because": f"binarize={binarize!r}"}
    for examples in splits.values() if binarize else ():
        is_lazy = isinstance(examples, sources.Lazy)
        x = (examples.first() if is_lazy else examples)[0]
        checks.array(x.shape[1:], **unit, source=x)
