"""The last stage of every pipeline: batches made ready ahead of training."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# Training steps run by one call at most: enough to spread the cost of the call.
STEPS = 20
# Bytes of batches prefetched or stacked at once, at most.
LIMIT = 2**26


def prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The data set with as many elements prefetched as training takes at once.

    tf.data's autotuning is off: in memory there is nothing to tune, and its thread
    delays the end of many epochs by one or two seconds.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    count = max(2, steps_at_once(dataset.element_spec))
    return dataset.prefetch(count).with_options(options)


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


def arrays_to_dataset(
    arrays: Sequence[np.ndarray],
    batch_size: int,
    shuffle: Callable[[], tf.Tensor] | None = None,
    repeat: bool = False,
) -> tf.data.Dataset:
    """Batches of arrays in memory, each a tuple; the order depends on seeds alone.

    Args:
        arrays: Arrays with the same number of rows.
        batch_size: Rows in a batch; the last may be smaller.
        shuffle: Function that returns an int32 seed `[2]` each time the data set is
            started; None keeps the order of the rows.
        repeat: Whether to start again at the end, in another order.
    """
    num_rows = len(arrays[0])
    tensors = tuple(tf.constant(array) for array in arrays)

    def epoch(epoch_seed: tf.Tensor) -> tf.data.Dataset:
        rows = tf.range(num_rows, dtype=tf.int64)
        if shuffle is not None:
            rows = tf.random.experimental.stateless_shuffle(rows, epoch_seed)

        def gather(start: tf.Tensor) -> tuple[tf.Tensor, ...]:
            some = rows[start : start + batch_size]
            return tuple(tf.gather(tensor, some) for tensor in tensors)

        return tf.data.Dataset.range(0, num_rows, batch_size).map(gather)

    def epoch_seeds(_: tf.Tensor) -> tf.data.Dataset:
        seed = shuffle() if shuffle is not None else tf.zeros([2], tf.int32)
        numbers = tf.data.Dataset.range(2**31 - 1 if repeat else 1)
        return numbers.map(lambda i: tf.random.experimental.stateless_fold_in(seed, i))

    dataset = tf.data.Dataset.range(1).flat_map(epoch_seeds).flat_map(epoch)
    if not repeat:
        num_batches = -(-num_rows // batch_size)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(num_batches))
    return prefetched(dataset)
