"""Batches whose order and noise are a function of a seed and an epoch."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

# Training steps run by one call at most: enough to spread the cost of the call.
STEPS = 20
# Bytes of batches prefetched or stacked at once, at most.
LIMIT = 2**26
# Shuffle buffer in examples, for data that are not in memory.
BUFFER = 10_000

Examples = tuple[np.ndarray, ...] | tf.data.Dataset
_fold_in = tf.random.experimental.stateless_fold_in
# Without AutoGraph, which takes time and has nothing to convert.
_plain = tf.autograph.experimental.do_not_convert


def batches(
    examples: Examples,
    batch_size: int,
    seed: Any,
    epoch: Callable[[], tf.Tensor],
    *,
    shuffle: bool = True,
    repeat: bool = False,
    finish: Callable[[tuple[tf.Tensor, ...], tf.Tensor], Any] | None = None,
) -> tf.data.Dataset:
    """Batches of examples in an order that depends on `(seed, epoch)` alone.

    Args:
        examples: Arrays with the same number of rows, or a data set of single examples,
            which is shuffled in a buffer.
        batch_size: Rows in a batch; the last may be smaller.
        seed: An integer.
        epoch: Function that gives the number of the epoch, called each time the data
            set is started.
        shuffle: Whether to shuffle the rows.
        repeat: Whether to start again at the end, in another order.
        finish: Function of a batch, a tuple, and of an int32 seed `[2]` of its own, to
            what is given; the tuple itself when left out.
    """
    one_order = _in_memory if isinstance(examples, tuple) else _from_a_stream
    in_order = one_order(examples, batch_size, shuffle)

    def one_epoch(number: tf.Tensor) -> tf.data.Dataset:
        data = in_order(_fold_in([seed, 1], number))
        if finish is None:
            return data
        noise = _fold_in([seed, 2], number)
        with_noise = _plain(lambda i, batch: finish(batch, _fold_in(noise, i)))
        return data.enumerate().map(with_noise)

    def epochs(_: tf.Tensor) -> tf.data.Dataset:
        first = tf.cast(epoch(), tf.int64)
        return tf.data.Dataset.range(first, first + (2**31 if repeat else 1))

    start = tf.data.Dataset.range(1)
    dataset = start.flat_map(_plain(epochs)).flat_map(_plain(one_epoch))
    if not repeat:
        num_rows = len(examples[0] if isinstance(examples, tuple) else examples)
        count = tf.data.experimental.assert_cardinality(-(-num_rows // batch_size))
        dataset = dataset.apply(count)
    return _prefetched(dataset)


# Function of a seed to the batches of one epoch.
_InOrder = Callable[[tf.Tensor], tf.data.Dataset]


def _in_memory(
    examples: tuple[np.ndarray, ...], batch_size: int, shuffle: bool
) -> _InOrder:
    with tf.device("CPU"):  # where tf.data runs
        tensors = tuple(tf.constant(part) for part in examples)
    num_rows = len(examples[0])

    def in_order(seed: tf.Tensor) -> tf.data.Dataset:
        # Shuffling row numbers costs less time and memory than shuffling examples.
        rows = tf.range(num_rows, dtype=tf.int64)
        if shuffle:
            rows = tf.random.experimental.stateless_shuffle(rows, seed)

        def gather(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
            some = rows[start : start + batch_size]
            return tuple(tf.gather(tensor, some) for tensor in tensors)

        return tf.data.Dataset.range(0, num_rows, batch_size).map(_plain(gather))

    return in_order


def _from_a_stream(
    examples: tf.data.Dataset, batch_size: int, shuffle: bool
) -> _InOrder:
    if shuffle:
        return lambda seed: _shuffled(examples, seed).batch(batch_size)
    return lambda seed: examples.batch(batch_size)


class EpochCounter:
    """Number of the next epoch of a pipeline: counts up, unless training sets it.

    Attributes:
        number: The variable that holds it.
    """

    def __init__(self) -> None:
        with tf.device("CPU"):
            self.number = tf.Variable(0, trainable=False, dtype=tf.int64)

    def __call__(self) -> tf.Tensor:
        """The number; the next call gives the one after it."""
        return self.number.assign_add(1, read_value=True) - 1


def counters(dataset: Any) -> Iterator[tf.Variable]:
    """Variables with the epochs of the pipelines that a data set is made from."""
    if isinstance(dataset, tf.data.Dataset):
        if counter := getattr(dataset, "epoch_counter", None):
            yield counter.number
        for source in dataset._inputs():
            yield from counters(source)


def _shuffled(dataset: tf.data.Dataset, seed: tf.Tensor) -> tf.data.Dataset:
    """`dataset.shuffle`, which takes no tensor for a seed."""
    specs = tf.nest.flatten(dataset.element_spec)
    variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=BUFFER,
        seed=tf.cast(seed[0], tf.int64),
        seed2=tf.cast(seed[1], tf.int64),
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(variant, dataset.element_spec)


def steps_at_once(batch: Any, limit: int = STEPS) -> int:
    """Number of batches to hold in memory at once, from 1 to `limit`.

    Args:
        batch: Nested structure of tensors or specs; unknown dimensions count as 128.
        limit: Greatest number, reached by small batches.
    """
    size = 0
    for x in tf.nest.flatten(batch):
        size += x.dtype.size * math.prod(n or 128 for n in x.shape)
    return max(1, min(limit, LIMIT // max(1, size)))


def _prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set with as many elements prefetched as training takes at once.

    tf.data's autotuning is off: in memory there is nothing to tune, and its thread
    delays the end of many epochs by one or two seconds.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    count = max(2, steps_at_once(dataset.element_spec))
    return dataset.prefetch(count).with_options(options)
