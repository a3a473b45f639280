"""Random numbers that depend on a seed alone: not on batch, order or state."""

import math

import keras
import tensorflow as tf

from tfvae import checks

# One generator for every device, so that a seed means the same numbers everywhere.
ALGORITHM = "philox"


def rows(seed, num_rows):
    """Seeds of single examples: row i of seed s is `[s, i]`.

    Whoever serves the model gets row i of `sample(n, seed=s)` by sending `[s, i]`.

    Args:
        seed: None (drawn from Keras's global generator), an int of 32 bits, or a
            `keras.random.SeedGenerator`.
        num_rows: Number of rows.

    Returns:
        An int32 tensor `[num_rows, 2]`.
    """
    if seed is None:
        seed = keras.random.randint((), 0, 2**31 - 1, dtype="int32")
    elif isinstance(seed, keras.random.SeedGenerator):
        seed = tf.random.stateless_uniform(
            [], from_generator(seed), None, None, tf.int32, ALGORITHM
        )
    else:
        seed = checks.integer(minimum=-(2**31), maximum=2**31 - 1, seed=seed)
    numbers = tf.range(num_rows, dtype=tf.int32)
    return tf.stack([tf.fill([num_rows], tf.cast(seed, tf.int32)), numbers], axis=-1)


def from_generator(generator):
    """The next seed of a Keras seed generator, int32 `[2]` as TFP wants it."""
    return tf.cast(generator.next(), tf.int32)


def normal(seed, shape):
    """Standard normal noise of a shape `[..., batch, dim]`.

    Args:
        seed: int32 `[2]`, or `[batch, 2]`: then the noise of a row comes from its row
            of seeds alone.
        shape: A list; static where its entries are.

    Returns:
        A float32 tensor.
    """
    if seed.shape.rank == 1:
        return _normal(shape, seed)
    *outer, _, dim = shape
    spec = tf.TensorSpec([*outer, dim], tf.float32)  # lets an empty batch through
    rows = tf.map_fn(
        lambda row: _normal([*outer, dim], row), seed, fn_output_signature=spec
    )
    return keras.ops.moveaxis(rows, 0, -2)


def _normal(shape, seed):
    # TensorFlow's kernels and XLA give the same bits but not the same floats, and XLA
    # makes 64 bits far faster than 32.
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int64, ALGORITHM)
    return _inverse_cdf(bits)


def _inverse_cdf(bits):
    """A standard normal number for the first 23 bits of each int64, at most 5.3."""
    # Of 24 bits some would round to 1, whose inverse is infinite.
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**22
    return math.sqrt(2) * tf.math.erfinv(uniform)  # of odd / 2**23 in (-1, 1)
