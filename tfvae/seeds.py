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


def number(seed: Seed) -> int | tf.Tensor:
    """The seed as a number, for `rows` that come one after the other."""
    if seed is None:
        return keras.random.randint((), 0, 2**31 - 1, dtype="int32")
    if isinstance(seed, keras.random.SeedGenerator):
        return tf.random.stateless_uniform(
            [], from_generator(seed), None, None, tf.int32, ALGORITHM
        )
    return checks.integer(minimum=-(2**31), maximum=2**31 - 1, seed=seed)


def rows(seed: Seed | tf.Tensor, num_rows: int, first: int = 0) -> tf.Tensor:
    """Seeds for single examples, int32 `[num_rows, 2]`: row i of seed s is `[s, i]`.

    A client of a served model gets row i of `sample(n, seed=s)` by sending `[s, i]`.

    Args:
        seed: An int of 32 bits, a `keras.random.SeedGenerator`, or None to draw from
            Keras's global generator.
        num_rows: Number of rows.
        first: Number of the first row.
    """
    seed = seed if tf.is_tensor(seed) else number(seed)
    if isinstance(seed, int):  # one tensor from NumPy costs less than four operators
        numbers = np.arange(first, first + num_rows, dtype="int32")
        return tf.constant(np.stack([np.full_like(numbers, seed), numbers], axis=-1))
    numbers = tf.range(first, first + num_rows, dtype=tf.int32)
    return tf.stack([tf.fill([num_rows], seed), numbers], axis=-1)


def from_generator(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """The next seed of a Keras generator, int32 `[2]` as TFP expects seeds."""
    return tf.cast(generator.next(), tf.int32)


def of_part(seed: tf.Tensor, first_row: tf.Tensor, num_rows: tf.Tensor) -> tf.Tensor:
    """A seed for some rows of a batch, int32 `[4]`: they draw what the batch would.

    Args:
        seed: Seed of the whole batch, int32 `[2]`.
        first_row: Number of the first of the rows.
        num_rows: Rows of the whole batch.
    """
    return tf.concat([seed, [first_row, num_rows]], axis=0)


def next_to(seed: tf.Tensor, i: int) -> tf.Tensor:
    """Another seed for the same rows, `i` numbers away."""
    return seed + tf.constant([i, i, 0, 0][: seed.shape[-1]])


def normal(seed: tf.Tensor, shape: Sequence[int | tf.Tensor]) -> tf.Tensor:
    """Standard normal noise, float32 `[..., batch, dim]`.

    Args:
        seed: int32 `[2]`; `[batch, 2]` if the noise of a row is to depend on its row of
            seeds alone; or `[4]`, a seed `of_part` of a batch.
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
    if seed.shape[0] == 4:
        return _bits_of_part(shape, seed)
    return tf.random.stateless_uniform(shape, seed, None, None, tf.int64, ALGORITHM)


def _bits_of_part(shape: Sequence, seed: tf.Tensor) -> tf.Tensor:
    """The rows of a part from the bits of the whole batch, without the others."""
    *outer, rows, dim = shape
    seed, first_row, num_rows = seed[:2], seed[2], seed[3]
    key, counter = _key_and_counter(seed)

    def draw(i: int) -> tf.Tensor:
        # Philox makes two int64 at each count: the part may start in between.
        start = (i * tf.cast(num_rows, tf.int64) + tf.cast(first_row, tf.int64)) * dim
        from_here = counter + tf.cast(tf.stack([start // 2, 0]), tf.uint64)
        bits = _philox([rows * dim + 1], key, from_here, tf.int64)
        # Not a slice from a tensor, for which XLA would compile anew for each seed.
        own = tf.where(start % 2 == 1, bits[1:], bits[:-1])
        return tf.reshape(own, [rows, dim])

    drawn = [draw(i) for i in range(math.prod(outer))]
    return tf.reshape(tf.stack(drawn), shape)


def _key_and_counter(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Those that `tf.random.stateless_uniform` makes of a seed, for Philox."""
    # TensorFlow's own operator for it gives another key under XLA.
    fixed = tf.constant([0x02461E293EC8F720], tf.uint64)
    mix = tf.cast(_philox([4], fixed, tf.cast(seed, tf.uint64), tf.uint32), tf.uint64)
    shift = tf.constant(32, tf.uint64)
    key, high = tf.unstack(mix[0::2] + tf.bitwise.left_shift(mix[1::2], shift))
    return key[None], tf.stack([tf.zeros([], tf.uint64), high])


def _philox(
    shape: Sequence, key: tf.Tensor, counter: tf.Tensor, dtype: tf.DType
) -> tf.Tensor:
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, dtype=dtype, alg=1
    )


def _uniform(bits: tf.Tensor) -> tf.Tensor:
    """Maps the first 23 bits of each int64 to odd / 2**24, in (0, 1)."""
    # With 24 bits some numbers would round to 1.
    return (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**23 + 0.5


def _normal(bits: tf.Tensor) -> tf.Tensor:
    """Maps the first 23 bits of each int64 to a standard normal in [-5.3, 5.3]."""
    # erfinv of odd / 2**23, in (-1, 1).
    uniform = (tf.cast(tf.bitwise.right_shift(bits, 41), tf.float32) + 0.5) / 2**22
    return math.sqrt(2) * tf.math.erfinv(uniform)
