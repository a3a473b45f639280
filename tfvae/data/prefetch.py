"""The end of every pipeline."""

import tensorflow as tf


def prefetched(dataset):
    """The data set, with two elements made ready while others are used.

    Without tf.data's tuning: in memory there is nothing to tune, and its thread holds
    up the end of many epochs by one or two seconds.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)
