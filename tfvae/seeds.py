"""Random numbers that depend on a seed alone: not on batch, order or state."""

import math

import keras
import numpy as np
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
        # One tensor from NumPy costs less than four operators.
        numbers = np.arange(num_rows, dtype="int32")
        return tf.constant(np.stack([np.full_like(numbers, seed), numbers], axis=-1))
    numbers = tf.range(num_rows, dtype=tf.int32)
    return tf.stack([tf.fill([num_rows], seed), numbers], axis=-1)


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
    return _of_rows(_normal, seed, shape)


def uniform(seed, shape):
    """Uniform noise above 0 and below 1, otherwise as `normal`."""
    return _of_rows(_uniform, seed, shape)


def _of_rows(function, seed, shape):
    """A function of random bits for a seed, or for a seed a row."""
    if seed.shape.rank == 1:
        return function(_bits(shape, seed))
    *outer, _, dim = shape
    rows = tf.map_fn(
        lambda row: function(_bits([*outer, dim], row)),
        seed,
        # Lets an empty batch through.
        fn_output_signature=tf.TensorSpec([*outer, dim], tf.float32),
    )
    return keras.ops.moveaxis(rows, 0, -2)


def _bits(shape, seed):
    # TensorFlow's kernels and XLA give the same bits but not the same floats, and XLA
    # makes 64 bits far faster than 32.
    return tf.random.stateless_uniform(shape, seed, None, None, tf.int64, ALGORITHM)


def _uniform(bits):
    """Odd / 2**24 in (0, 1), for the first 23 bits of each int64."""
    # Of 24 bits some would round to 1.
    return (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**23 + 0.5


def _normal(bits):
    """A standard normal number for the first 23 bits of each int64, at most 5.3."""
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**22
    return math.sqrt(2) * tf.math.erfinv(uniform)  # of odd / 2**23 in (-1, 1)
