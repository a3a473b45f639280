"""The end of every pipeline."""

import math

import tensorflow as tf

# Training steps that may be taken at once: enough to spread what a call costs.
STEPS = 20
# Bytes of batches made ready or stacked at once, at most.
LIMIT = 2**26


def prefetched(dataset):
    """The data set, with as many elements made ready as training takes at once.

    Without tf.data's tuning: in memory there is nothing to tune, and its thread holds
    up the end of many epochs by one or two seconds.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    count = max(2, steps_at_once(dataset.element_spec))
    return dataset.prefetch(count).with_options(options)


def steps_at_once(batch, limit=STEPS):
    """How many batches of a shape to hold at once: 1 to `limit`, few of large ones.

    Args:
        batch: A structure of tensors, or of their specs; open dimensions count as 128.
        limit: The most.
    """
    size = 0
    for x in tf.nest.flatten(batch):
        size += x.dtype.size * math.prod(n or 128 for n in x.shape)
    return max(1, min(limit, LIMIT // max(1, size)))


def arrays_to_dataset(arrays, batch_size, shuffle=None, repeat=False):
    """A data set of batches of in-memory arrays, in an order of our own.

    Args:
        arrays: Arrays with the same number of rows; an element is a tuple of them.
        batch_size: Rows in a batch; the last may be smaller.
        shuffle: None, or a function without arguments that gives an int32 seed `[2]`
            each time the data set is started; the order is a function of it alone.
        repeat: Whether to start again at the end, in another order.

    Returns:
        A `tf.data.Dataset`.
    """
    num_rows = len(arrays[0])
    tensors = tuple(tf.constant(array) for array in arrays)

    def batches(turn_seed):
        rows = tf.range(num_rows, dtype=tf.int64)
        if shuffle is not None:
            rows = tf.random.experimental.stateless_shuffle(rows, turn_seed)

        def gather(start):
            some = rows[start : start + batch_size]
            return tuple(tf.gather(tensor, some) for tensor in tensors)

        return tf.data.Dataset.range(0, num_rows, batch_size).map(gather)

    def turns(_):
        seed = shuffle() if shuffle is not None else tf.zeros([2], tf.int32)
        turn = tf.data.Dataset.range(2**31 - 1 if repeat else 1)
        return turn.map(lambda i: tf.random.experimental.stateless_fold_in(seed, i))

    dataset = tf.data.Dataset.range(1).flat_map(turns).flat_map(batches)
    if not repeat:
        num_batches = -(-num_rows // batch_size)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(num_batches))
    return prefetched(dataset)
