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
