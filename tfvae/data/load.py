"""From any source to seeded pipelines of batches."""

import dataclasses
import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data import arrays, folders, tfds
from tfvae.data.prefetch import prefetched
from tfvae.data.splits import NAMES, check_fractions
from tfvae.data.values import Values

# Images for one draw of fixed noise: part of what a seed gives, so not to be changed.
_BLOCK = 256
# Examples held to shuffle what is not cached.
_BUFFER = 10_000


class Splits(NamedTuple):
    """Train, valid and test pipelines, each a batched `tf.data.Dataset`."""

    train: tf.data.Dataset
    valid: tf.data.Dataset
    test: tf.data.Dataset


def load(
    source,
    *,
    batch_size=128,
    binarize=None,
    dequantize=False,
    labels=False,
    validation_fraction=1 / 6,
    test_fraction=1 / 6,
    image_size=None,
    data_dir=None,
    manual_dir=None,
    shuffle=True,
    cache=True,
    seed=0,
):
    """Returns train, valid and test pipelines of a data set.

    Batches are float32 `[batch, height, width, channels]`, or `[batch, features]` for
    flat arrays; with `labels` they are pairs with int64 `[batch]`, or of several
    factors `[batch, factors]`. Integers become
    `x / 255`, unless the greatest of all splits is 1 (of a TFDS builder: of the first
    1,000 training images): then they are taken as {0, 1}. The digits become `x / 16`.
    Floats stay as they are.

    The last batch may be smaller. Train comes in a new order each epoch and, with
    `binarize="dynamic"` or `dequantize`, with new noise; valid and test are the same
    each time, their noise drawn once. The same `seed` gives the same batches to the
    bit; as everywhere in tf.data, train also depends on `tf.random.set_seed`.

    Args:
        source: Name of a TFDS builder with images ("mnist", or of this package
            "frey_face" and "olivetti_faces", ...); "digits", those of scikit-learn,
            `[8, 8, 1]`; "sprites", 60,000 of `tfvae.data.sprites`, `[64, 64, 1]`;
            "nonlinear_ica", all rows of
            `tfvae.data.nonlinear_ica(segment_length=1440)`, `[5]`, whitened by
            scikit-learn's `PCA(whiten=True)`; path of an `.npz` file, or a dict, with
            train, valid, test (or x_train, y_train, ...) or one array; path of a folder
            of image files; one array; a tuple of arrays (train, valid, test). A name
            goes before a folder so called: write "./mnist" for the folder.
        batch_size: Examples a batch.
        binarize: `None`; "threshold", `x > 0.5`; "static", one Bernoulli draw a pixel
            with probability `x`; "dynamic", in train a new draw each epoch.
        dequantize: Whether to add uniform noise `u` in [0, 1) to integers:
            `(255 x + u) / 256`, for the digits `(16 x + u) / 17`.
        labels: Whether to give labels too, or of a TFDS builder the name of one, as
            "Eyeglasses" of "celeb_a", where True gives all its attributes in the order
            of their names, and "subject" of "olivetti_faces", where True tells who
            wears glasses. Those of "frey_face" are frame numbers,
            of "sprites" and "dsprites" the indices of shape, scale, orientation,
            position x and position y, of "nonlinear_ica" the segment.
        validation_fraction: Share of the training examples that become valid where the
            source has none; the last ones, in the order of the source. The default
            leaves the usual 50,000 of MNIST.
        test_fraction: Share that becomes test, cut before valid. One array, a folder
            without splits and the named sources that are not of TFDS are cut in a
            random order that does not depend on `seed`.
        image_size: `(height, width)`, or with channels 1 or 3, to stretch images to.
            A folder needs it; without channels its images are colour. Sprites are
            drawn in it, and square.
        data_dir: Folder where TFDS keeps prepared data sets.
        manual_dir: Folder with the original files under their original names, for
            TFDS to prepare from without a network.
        shuffle: Whether to shuffle train.
        cache: Whether to hold all examples in memory, one byte a pixel.
            If not, files are read anew each epoch and shuffled 10,000 at a time.
        seed: Non-negative integer for order and noise.

    Returns:
        `Splits(train, valid, test)`.

    Raises:
        ValueError: For options that do not go together or data they do not fit.
        FileNotFoundError: Where files are missing, with what to put where.
        ConnectionError: Where a data set must be downloaded and the network is away.

    Example:
        >>> train, valid, test = load("digits", binarize="dynamic", batch_size=64)
        >>> next(iter(train)).shape
        TensorShape([64, 8, 8, 1])
        >>> len(train), len(valid), len(test)
        (20, 4, 5)
    """
    if not isinstance(labels, (bool, str)) or labels == "":
        checks.fail("True, False or a name", error=TypeError, labels=labels)
    values = Values(255, binarize, dequantize)
    pipeline = functools.partial(
        _pipeline,
        batch_size=checks.integer(batch_size=batch_size),
        shuffle=shuffle,
        cache=cache,
        seed=checks.integer(minimum=0, seed=seed),
    )
    raw = _raw(
        source,
        {"image_size": image_size, "data_dir": data_dir, "manual_dir": manual_dir},
        labels=labels,
        fractions=check_fractions(validation_fraction, test_fraction),
        binarize=binarize,
    )
    values = dataclasses.replace(values, peak=raw.peak)
    return Splits(*(pipeline(raw.splits[name], name, values) for name in NAMES))


def _raw(source, places, *, binarize, **options):
    """Returns the `Source` of whatever `source` names or holds."""
    named = isinstance(source, str) and not _is_path(source)
    if named and source not in arrays.EMBEDDED:
        return tfds.from_builder(source, **places, **options)
    if isinstance(options["labels"], str):
        checks.fail("True or False but for TFDS builders", labels=options["labels"])
    if named:
        return _embedded(source, places, binarize, options)
    if isinstance(source, (str, os.PathLike)):
        return _from_path(Path(source).expanduser(), places, binarize, options)
    _refuse(places, "arrays")
    return arrays.from_arrays(source, binarize=binarize, **options)


def _is_path(source):
    looks = source.endswith(".npz") or source.startswith((".", "~", os.sep))
    if looks or source in arrays.EMBEDDED or not Path(source).exists():
        return looks
    return not tfds.is_registered(source)


def _embedded(name, places, binarize, options):
    if name == "sprites":
        options = {**options, "image_size": places.pop("image_size")}
    _refuse(places, name)
    if name == "nonlinear_ica":
        return arrays.mixed_sources(binarize=binarize, **options)
    return (arrays.digits if name == "digits" else arrays.drawn_sprites)(**options)


def _from_path(path, places, binarize, options):
    image_size = places.pop("image_size")
    _refuse(places, "files")
    if path.is_dir():
        return folders.from_folder(path, image_size=image_size, **options)
    if not path.is_file():
        expected = "an .npz file or a folder that exists"
        checks.fail(expected, error=FileNotFoundError, source=str(path))
    _refuse({"image_size": image_size}, ".npz files")
    return arrays.from_npz(path, binarize=binarize, **options)


def _refuse(options, kind):
    for name, value in options.items():
        if value is not None:
            checks.fail(f"None for {kind}", **{name: value})


def _pipeline(examples, name, values, *, batch_size, shuffle, cache, seed):
    fixed = values.noisy and (name != "train" or values.binarize == "static")
    if fixed:
        examples = _drawn_once(examples, values, (seed, NAMES.index(name)))
    if cache and isinstance(examples, tf.data.Dataset):
        examples = _collected(examples)
    order = seed if shuffle and name == "train" else None
    batches = _batches(examples, batch_size, order)

    def finish(batch, noise_seed):
        x, *label = batch
        x = tf.cast(x, tf.float32) if fixed else values(x, noise_seed)
        return (x, *label) if label else x

    return prefetched(tf.data.Dataset.zip(batches, _noise_seeds(seed)).map(finish))


def _drawn_once(examples, values, seed):
    """Returns a data set of examples after a draw that `seed` alone decides."""
    elements = _elements(examples)
    dtype = tf.uint8 if values.binarize else tf.float32

    def draw(block, batch):
        x, *label = batch
        block_seed = tf.random.experimental.stateless_fold_in(
            tf.constant(seed, tf.int64), block
        )
        return (tf.cast(values(x, block_seed), dtype), *label)

    drawn = elements.batch(_BLOCK).enumerate().map(draw).unbatch()
    return drawn.apply(tf.data.experimental.assert_cardinality(len(elements)))


def _elements(examples):
    if isinstance(examples, tf.data.Dataset):
        return examples
    return tf.data.Dataset.from_tensor_slices(examples)


def _collected(elements):
    blocks = elements.batch(1024).as_numpy_iterator()
    return tuple(np.concatenate(parts) for parts in zip(*blocks, strict=True))


def _batches(examples, batch_size, order):
    """Returns raw batches, in a new order each epoch where `order` is a seed."""
    if isinstance(examples, tf.data.Dataset):
        return _shuffled(examples, order, _BUFFER).batch(batch_size)
    with tf.device("CPU"):  # where tf.data runs
        tensors = [tf.constant(part) for part in examples]
    # Shuffling numbers costs less time and memory than shuffling images.
    rows = _shuffled(tf.data.Dataset.range(len(examples[0])), order, len(examples[0]))
    return rows.batch(batch_size).map(lambda i: tuple(tf.gather(x, i) for x in tensors))


def _shuffled(data, order, buffer):
    return data if order is None else data.shuffle(buffer, seed=order)


def _noise_seeds(seed):
    """Returns endless int64 `[2]`, other ones each epoch."""
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True)
    return seeds.batch(2, drop_remainder=True)
