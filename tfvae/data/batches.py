"""Batches whose order and noise are a function of a seed and an epoch."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.data.parts import Part

# Training steps run by one call at most: enough to spread the cost of the call.
STEPS = 50
# Bytes of batches prefetched or stacked at once, at most.
LIMIT = 2**26
# Batches read or finished side by side.
AT_A_TIME = 2
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
    finish: Callable[[tuple, tf.Tensor, tf.Tensor | None], Any] | None = None,
    part: Part | None = None,
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
        finish: Function of a batch, a tuple, of an int32 seed `[2]` of its own, and of
            the place of a share or None, to what is given; the tuple itself when left
            out.
        part: Share of each batch that is given, as a pair from `Part.take`.
    """
    if isinstance(examples, tuple):
        in_order = _in_memory(examples, batch_size, shuffle, part)
    else:
        in_order = _from_a_stream(examples, batch_size, shuffle, part)

    def one_epoch(number: tf.Tensor) -> tf.data.Dataset:
        data = in_order(_fold_in([seed, 1], number))
        if finish is None:
            return data
        noise = _fold_in([seed, 2], number)

        def finished(i: tf.Tensor, batch: tuple) -> Any:
            place, rows = batch if part else (None, batch)
            whole = finish(rows, _fold_in(noise, i), place)
            return (place, whole) if part else whole

        return data.enumerate().map(_plain(finished), num_parallel_calls=AT_A_TIME)

    def epochs(_: tf.Tensor) -> tf.data.Dataset:
        first = tf.cast(epoch(), tf.int64)
        if not repeat:
            return one_epoch(first)
        return tf.data.Dataset.range(first, first + 2**31).flat_map(_plain(one_epoch))

    dataset = tf.data.Dataset.range(1).flat_map(_plain(epochs))
    if not repeat:
        num_rows = len(examples[0] if isinstance(examples, tuple) else examples)
        count = tf.data.experimental.assert_cardinality(-(-num_rows // batch_size))
        dataset = dataset.apply(count)
    return _prefetched(dataset)


# Function of a seed to the batches of one epoch.
_InOrder = Callable[[tf.Tensor], tf.data.Dataset]


def _in_memory(
    examples: tuple[np.ndarray, ...], batch_size: int, shuffle: bool, part: Part | None
) -> _InOrder:
    with tf.device("CPU"):  # where tf.data runs
        tensors = tuple(tf.constant(part) for part in examples)
    num_rows = len(examples[0])

    def in_order(seed: tf.Tensor) -> tf.data.Dataset:
        rows = _order(num_rows, shuffle, seed)

        def gather(start: tf.Tensor) -> tuple:
            some = rows[start : start + batch_size]
            place, some = part.take(some) if part else (None, some)
            batch = tuple(tf.gather(tensor, some) for tensor in tensors)
            return (place, batch) if part else batch

        return tf.data.Dataset.range(0, num_rows, batch_size).map(_plain(gather))

    return in_order


def _compact(array: np.ndarray) -> np.ndarray:
    """Floats as uint8, a quarter of the memory, if all are whole numbers up to 255."""
    if array.dtype != np.float32:
        return array
    small = np.empty(array.shape, "uint8")
    for start in range(0, len(array), 1000):
        rows = slice(start, start + 1000)
        with np.errstate(invalid="ignore"):  # of what is not within the range
            small[rows] = array[rows]
        if not np.array_equal(small[rows], array[rows]):
            return array
    return small


def gather(tensors: tuple[tf.Tensor, ...] | None, rows: Any) -> Any:
    """Rows of the arrays that `InMemory` holds; without them, rows that are whole."""
    if tensors is None:
        return rows
    some = (tf.gather(tensor, rows) for tensor in tensors)
    return tuple(tf.cast(x, tf.float32) if x.dtype == tf.uint8 else x for x in some)


def _order(num_rows: int, shuffle: bool, seed: tf.Tensor) -> tf.Tensor:
    # Shuffling row numbers costs less time and memory than shuffling examples.
    rows = tf.range(num_rows)
    return tf.random.experimental.stateless_shuffle(rows, seed) if shuffle else rows


class InMemory:
    """Arrays whose batches a compiled program gathers, in the order of `batches`.

    Args:
        arrays: Arrays with the same number of rows.
        batch_size: Rows in a batch; the last may be smaller.
        seed: An integer.
        epoch: Function that gives the number of the epoch.
        shuffle: Whether to shuffle the rows.
        repeat: Whether an epoch starts where another ends.
        part: Share of each batch whose rows are given, as pairs from `Part.take`.
    """

    def __init__(
        self,
        arrays: tuple[np.ndarray, ...],
        batch_size: int,
        seed: int,
        epoch: Callable[[], tf.Tensor],
        *,
        shuffle: bool,
        repeat: bool,
        part: Part | None = None,
    ):
        self.tensors = tuple(tf.constant(_compact(array)) for array in arrays)
        self.num_rows = len(arrays[0])
        self.batch_size = min(batch_size, self.num_rows)
        self.num_steps = -(-self.num_rows // batch_size)
        self.seed, self.epoch = seed, epoch
        self.shuffle, self.repeat, self.part = shuffle, repeat, part
        self._number = None

    def rows(self) -> tuple[Any, Any]:
        """Numbers of rows of the next epoch: `[batches, batch]`, and of the rest."""
        again = self.repeat and self._number is not None
        self._number = self._number + 1 if again else tf.cast(self.epoch(), tf.int64)
        order = _order(
            self.num_rows, self.shuffle, _fold_in([self.seed, 1], self._number)
        )
        num_whole = self.num_rows // self.batch_size
        whole, rest = tf.split(order, [num_whole * self.batch_size, -1])
        whole = tf.reshape(whole, [num_whole, self.batch_size])
        if self.part is None:
            return whole, rest
        first, stop = self.part.of(tf.constant(self.batch_size))
        places = tf.tile([[first, self.batch_size]], [num_whole, 1])
        return (places, whole[:, first:stop]), self.part.take(rest)

    def steps(self) -> tf.data.Dataset:
        """As many elements as there are steps, for Keras to count."""
        count = tf.data.Dataset.range(self.num_steps)
        return count.repeat() if self.repeat else count


def _from_a_stream(
    examples: tf.data.Dataset, batch_size: int, shuffle: bool, part: Part | None
) -> _InOrder:
    def in_order(seed: tf.Tensor) -> tf.data.Dataset:
        data = _shuffled(examples, seed) if shuffle else examples
        data = data.batch(batch_size)
        return data.map(_plain(lambda *batch: part.take(batch))) if part else data

    return in_order


def shared(dataset: Any, part: Part) -> tf.data.Dataset:
    """A share of each batch of a data set; one of `data.load` reads no more than it."""
    if of_part := getattr(dataset, "of_part", None):
        return of_part(part)
    if not isinstance(dataset, tf.data.Dataset):
        expected = "an array or a tf.data.Dataset, which replicas can share"
        checks.fail(expected, error=TypeError, x=dataset)
    one = not isinstance(dataset.element_spec, (tuple, list, dict))
    take = (lambda x: part.take(x)) if one else (lambda *x: part.take(x))
    return _prefetched(dataset.map(_plain(take)))


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
