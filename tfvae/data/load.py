"""Any source as seeded pipelines of batches."""

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt
from tfvae.data import folders, sources, tfds
from tfvae.data.prefetch import prefetched
from tfvae.data.sources import ArraySource, Examples, Location, Source

# Images that share one draw of fixed noise. A seed's noise depends on it: keep it.
_BLOCK = 256
# Shuffle buffer in examples, for data that is not cached.
_BUFFER = 10_000

_BINARIZE = (None, "threshold", "static", "dynamic")
Binarization = Annotated[str, functools.partial(checks.one_of, _BINARIZE)]
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
    cache: bool = True,
    seed: NonNegativeInt = 0,
) -> Splits:
    """Returns train, valid and test pipelines for a data set.

    A batch is float32 `[batch, height, width, channels]` or, for flat arrays, `[batch,
    features]`; with `labels` a pair with int64 `[batch]` or, for several factors,
    `[batch, factors]`. The last batch may be smaller.

    Floats stay as they are. Integers become `x / 255` (the digits `x / 16`), unless the
    greatest one is 1: then they stay 0 and 1. The greatest is that of all splits, for
    a TFDS builder that of the first 1,000 training images.

    Train has a new order in each epoch and, with `binarize="dynamic"` or `dequantize`,
    new noise. Valid and test are the same each time; their noise is drawn once. The
    same `seed` gives the same batches to the bit. Like any shuffle of tf.data, train
    also depends on `tf.random.set_seed`.

    Args:
        source: One of the following. A name goes before a folder of the same name:
            write "./mnist" for the folder.

            - A TFDS builder with images by name: "mnist", ..., or of this package
              "frey_face" and "olivetti_faces".
            - "digits" of scikit-learn, `[8, 8, 1]`; "sprites", 60,000 draws of
              `sprites`, `[64, 64, 1]`; "nonlinear_ica", the rows of
              `nonlinear_ica(segment_length=1440)`, whitened, `[5]`.
            - The path of an `.npz` file, or a dict: train, valid and test, or x_train,
              y_train and so on, or one array.
            - The path of a folder of image files.
            - An array, or a tuple of arrays (train, valid, test).
        batch_size: Examples in a batch.
        binarize: None; "threshold", `x > 0.5`; "static", one Bernoulli draw for each
            pixel with probability `x`; "dynamic", in train a new draw each epoch.
        dequantize: Whether to add uniform noise `u` in [0, 1) to integers:
            `(255 x + u) / 256`, for the digits `(16 x + u) / 17`.
        labels: Whether to add labels, or for a TFDS builder the name of a label, as
            "subject" for "olivetti_faces". The usual label is the class; for
            "frey_face" the frame, for "olivetti_faces" 1 with glasses, for "celeb_a"
            all attributes in alphabetical order, for "nonlinear_ica" the segment, for
            "sprites" and "dsprites" the factors (see `Sprites`).
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
        shuffle: Whether to shuffle train.
        cache: Whether to hold all examples in memory, one byte for a pixel. Otherwise
            files are read in each epoch and shuffled in a buffer of 10,000.
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
    values = _Values(raw.peak, binarize, dequantize)
    options = {"batch_size": batch_size, "shuffle": shuffle, "cache": cache}
    pipeline = functools.partial(_pipeline, values=values, seed=seed, **options)
    return Splits(*(pipeline(raw.splits[name], name) for name in sources.NAMES))


def _read(source: Any, places: dict[str, Any], **options: Any) -> Source:
    """Reads the source with its reader, which must have a parameter for each place."""
    reader, kind = _reader(source)
    places = {name: value for name, value in places.items() if value is not None}
    for name in places:
        if name not in inspect.signature(reader).parameters:
            checks.fail(f"None for {kind}", **{name: places[name]})
    if isinstance(options["labels"], str) and reader is not tfds.from_builder:
        checks.fail("True or False but for TFDS builders", labels=options["labels"])
    return reader(source, **places, **options)


def _reader(source: Any) -> tuple[Callable[..., Source], str]:
    """Returns the function that reads a source, and the kind of the source."""
    if not isinstance(source, (str, os.PathLike)):
        return sources.from_arrays, "arrays"
    if source in sources.EMBEDDED:
        return sources.EMBEDDED[source], source
    if isinstance(source, str) and not _is_path(source):
        return tfds.from_builder, "TFDS builders"
    path = Path(source).expanduser()
    if not path.exists():
        expected = "an .npz file or a folder that exists"
        checks.fail(expected, error=FileNotFoundError, source=str(path))
    if path.is_dir():
        return folders.from_folder, "folders"
    return sources.from_npz, ".npz files"


def _is_path(text: str) -> bool:
    looks = text.endswith(".npz") or text.startswith((".", "~", os.sep))
    return looks or (Path(text).exists() and not tfds.is_registered(text))


def _check_floats(
    splits: dict[str, tuple[np.ndarray, ...]], binarize: str | None, dequantize: bool
) -> None:
    if dequantize:
        expected = "False for floats, whose grey levels are not known"
        checks.fail(expected, dequantize=dequantize)
    unit = {"low": 0, "high": 1, "because": f"binarize={binarize!r}"}
    for x, *_ in splits.values() if binarize else ():
        checks.array(x.shape[1:], **unit, source=x)


@dataclasses.dataclass(frozen=True)
class _Values:
    """Map from raw values, integers from 0 to `peak` or floats, to float32."""

    peak: int | None
    binarize: str | None
    dequantize: bool

    def __call__(self, x: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns float32 of the shape of `x`; the noise is a function of `seed`."""
        x = tf.cast(x, tf.float32)
        if self.dequantize:
            noise = tf.random.stateless_uniform(tf.shape(x), seed)
            return (x + noise) / (self.peak + 1)
        x = x / (self.peak or 1)
        if self.binarize is None:
            return x
        fair = self.binarize == "threshold"
        u = 0.5 if fair else tf.random.stateless_uniform(tf.shape(x), seed)
        return tf.cast(x > u, tf.float32)

    @property
    def noisy(self) -> bool:
        """True if values are drawn."""
        return self.dequantize or self.binarize in ("static", "dynamic")


def _pipeline(
    examples: Examples,
    name: str,
    *,
    values: _Values,
    batch_size: int,
    shuffle: bool,
    cache: bool,
    seed: int,
) -> tf.data.Dataset:
    fixed = values.noisy and (name != "train" or values.binarize == "static")
    if fixed:
        examples = _drawn_once(examples, values, (seed, sources.NAMES.index(name)))
    if cache and isinstance(examples, tf.data.Dataset):
        examples = _collected(examples)
    order = seed if shuffle and name == "train" else None
    batches = _batches(examples, batch_size, order)

    def finish(batch: tuple[tf.Tensor, ...], noise_seed: tf.Tensor) -> Any:
        x, *label = batch
        x = tf.cast(x, tf.float32) if fixed else values(x, noise_seed)
        return (x, *label) if label else x

    return prefetched(tf.data.Dataset.zip(batches, _noise_seeds(seed)).map(finish))


def _drawn_once(
    examples: Examples, values: _Values, seed: tuple[int, int]
) -> tf.data.Dataset:
    """Returns a data set of examples with noise that depends on `seed` alone."""
    if not isinstance(examples, tf.data.Dataset):
        examples = tf.data.Dataset.from_tensor_slices(examples)
    dtype = tf.uint8 if values.binarize else tf.float32

    def draw(block: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        x, *label = batch
        block_seed = tf.random.experimental.stateless_fold_in(
            tf.constant(seed, tf.int64), block
        )
        return (tf.cast(values(x, block_seed), dtype), *label)

    drawn = examples.batch(_BLOCK).enumerate().map(draw).unbatch()
    return drawn.apply(tf.data.experimental.assert_cardinality(len(examples)))


def _collected(examples: tf.data.Dataset) -> tuple[np.ndarray, ...]:
    blocks = examples.batch(1024).as_numpy_iterator()
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _batches(examples: Examples, batch_size: int, order: int | None) -> tf.data.Dataset:
    """Returns raw batches, in a new order each epoch if `order` is a seed."""
    if isinstance(examples, tf.data.Dataset):
        return _shuffled(examples, order, _BUFFER).batch(batch_size)
    with tf.device("CPU"):  # where tf.data runs
        tensors = [tf.constant(part) for part in examples]
    # Shuffling row numbers costs less time and memory than shuffling images.
    rows = _shuffled(tf.data.Dataset.range(len(examples[0])), order, len(examples[0]))
    return rows.batch(batch_size).map(lambda i: tuple(tf.gather(x, i) for x in tensors))


def _shuffled(data: tf.data.Dataset, order: int | None, buffer: int) -> tf.data.Dataset:
    return data if order is None else data.shuffle(buffer, seed=order)


def _noise_seeds(seed: int) -> tf.data.Dataset:
    """Returns endless int64 `[2]`, new ones each epoch."""
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    return seeds.batch(2, drop_remainder=True)
