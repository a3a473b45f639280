"""Random numbers that depend on a seed alone: not on batch, order or state."""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks

Seed = int | keras.random.SeedGenerator | None

# One generator for every device, so that a seed means the same numbers everywhere.
ALGORITHM = "philox"


def rows(seed: Seed, num_rows: int) -> tf.Tensor:
    """Seeds for single examples, int32 `[num_rows, 2]`: row i of seed s is `[s, i]`.

    A client of a served model gets row i of `sample(n, seed=s)` by sending `[s, i]`.

    Args:
        seed: An int of 32 bits, a `keras.random.SeedGenerator`, or None to draw from
            Keras's global generator.
        num_rows: Number of rows.
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


def from_generator(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """The next seed of a Keras generator, int32 `[2]` as TFP expects seeds."""
    return tf.cast(generator.next(), tf.int32)


def normal(seed: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Standard normal noise, float32 `[..., batch, dim]`.

    Args:
        seed: int32 `[2]`, or `[batch, 2]`: then the noise of a row depends on its row
            of seeds alone.
        shape: Sizes, each a number or a scalar tensor; numbers stay static.
    """
    return _from_bits(_normal, seed, shape)


def uniform(seed: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Uniform noise in the open interval (0, 1); arguments are those of `normal`."""
    return _from_bits(_uniform, seed, shape)


def _from_bits(
    function: Callable[[tf.Tensor], tf.Tensor], seed: tf.Tensor, shape: Sequence
) -> tf.Tensor:
    """Applies a function to random bits, drawn from one seed or a seed for each row."""
    if seed.shape.rank == 1:
        return function(_bits(shape, seed))
    *outer, _, dim = shape
    rows = tf.map_fn(
        lambda row: function(_bits([*outer, dim], row)),
        seed,
        # With an explicit signature an empty batch works too.
        fn_output_signature=tf.TensorSpec([*outer, dim], tf.float32),
    )
    return keras.ops.moveaxis(rows, 0, -2)


def _bits(shape: Sequence, seed: tf.Tensor) -> tf.Tensor:
    # TensorFlow's kernels and XLA give the same bits but not the same floats, and XLA
    # makes 64 bits far faster than 32.
    return tf.random.stateless_uniform(shape, seed, None, None, tf.int64, ALGORITHM)


def _uniform(bits: tf.Tensor) -> tf.Tensor:
    """Maps the first 23 bits of each int64 to odd / 2**24, in (0, 1)."""
    # With 24 bits some numbers would round to 1.
    return (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**23 + 0.5


def _normal(bits: tf.Tensor) -> tf.Tensor:
    """Maps the first 23 bits of each int64 to a standard normal in [-5.3, 5.3]."""
    # erfinv of odd / 2**23, in (-1, 1).
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**22
    return math.sqrt(2) * tf.math.erfinv(uniform)
