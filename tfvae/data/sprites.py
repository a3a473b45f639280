"""The shapes of dSprites, drawn instead of downloaded."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import checks

# Factors and how many values each has, in the order of dSprites.
FACTORS = {
    "shape": 3,
    "scale": 6,
    "orientation": 40,
    "position_x": 32,
    "position_y": 32,
}

# Square, ellipse and heart at scale 1, in pixels of a 64 x 64 image: what their unit
# curves in (u, v) are multiplied by, and the v that is put at the position (of the
# heart its centroid). None reaches further than 14.2 pixels, the least distance of a
# position from the border is 16. Rows go down, so the heart is turned over.
_WIDTH = (10.0, 14.0, 10.4)
_HEIGHT = (10.0, 7.0, -10.4)
_CENTRE = (0.0, 0.0, 0.2935)

# Images drawn at once: a few MB of intermediate values, which stay in the cache.
_BLOCK = 128


class Sprites(NamedTuple):
    """Images and the factors they were drawn from.

    Attributes:
        x: float32 images in {0, 1}, `[examples, size, size, 1]`.
        factors: int64 indices of shape, scale, orientation, position x and position y,
            `[examples, 5]`.
    """

    x: np.ndarray
    factors: np.ndarray


def sprites(
    num_examples=None,
    *,
    shape=None,
    scale=None,
    orientation=None,
    position_x=None,
    position_y=None,
    image_size=64,
    seed=0,
):
    """Returns sprites in every combination of factors, or in drawn ones.

    The factors are those of dSprites; `render_sprites` says what their indices mean.
    All 737,280 combinations take 12 GB at 16 KB an image: keep fewer values of some
    factors, or draw.

    Args:
        num_examples: Number of combinations, drawn uniformly and with replacement;
            more of the same seed begin with the same ones. `None`: every combination
            once, the last factor fastest, as in dSprites.
        shape: Distinct indices to keep, from 0 to 2, in the order wanted; `None`: all.
        scale: The same, from 0 to 5.
        orientation: The same, from 0 to 39. The first and the last look alike.
        position_x: The same, from 0 to 31.
        position_y: The same, from 0 to 31.
        image_size: Height and width in pixels.
        seed: Non-negative integer.

    Returns:
        `Sprites(x, factors)`.

    Raises:
        TypeError: Where an argument is no integer, or list of them.
        ValueError: For indices out of range or not distinct.

    Example:
        >>> x, factors = sprites(shape=[2], scale=[0, 5], position_y=[15])
        >>> x.shape, len(factors) == 2 * 40 * 32
        ((2560, 64, 64, 1), True)
        >>> sprites(3, image_size=32).x.shape
        (3, 32, 32, 1)

    References:
        Matthey, Higgins, Hassabis, Lerchner, "dSprites: Disentanglement testing
        Sprites dataset", 2017, https://github.com/google-deepmind/dsprites-dataset.
    """
    given = (shape, scale, orientation, position_x, position_y)
    given = dict(zip(FACTORS, given, strict=True))
    kept = [_kept(name, values) for name, values in given.items()]
    factors = _combinations(num_examples, kept, checks.integer(minimum=0, seed=seed))
    return Sprites(images(factors, image_size, "float32"), factors)


def render_sprites(factors, image_size=64):
    """Returns the images of dSprites factors, also within `tf.data.Dataset.map`.

    A pixel is 1 where its centre, moved and turned into the frame of the shape, lies
    within `max(|u|, |v|) <= 1` (square), `u**2 + v**2 <= 1` (ellipse, of axes 2 : 1)
    or `(u**2 + v**2 - 1)**3 <= u**2 v**3` (heart). The pixels are not those of the
    files of dSprites, only alike: the square of scale 1 is 20 pixels wide in 64. A
    batch takes several times the memory of its images; `sprites` draws in blocks.

    Args:
        factors: Integers `[batch, 5]`: shape (square, ellipse, heart); scale, of 6
            from 0.5 to 1; orientation, of 40 from 0 to 2 pi clockwise, both ends
            included as in dSprites, so that 39 is 0 again; position x and position y,
            of 32 over the middle half of the image, to the right and down.
        image_size: Height and width in pixels, at least 16. From 22 on no sprite
            touches the border.

    Returns:
        float32 in {0, 1}, `[batch, image_size, image_size, 1]`.

    Raises:
        TypeError: Where the factors are no integers.
        ValueError: Where they are not five an image or, if their values are known
            while the graph is built, out of range.

    Example:
        >>> x = render_sprites([[0, 5, 0, 16, 16], [2, 5, 10, 16, 16]])
        >>> x.shape, int(tf.reduce_sum(x[0]))
        (TensorShape([2, 64, 64, 1]), 400)
    """
    factors = _factors(factors)
    pixels = checks.integer(minimum=16, image_size=image_size)
    shape, scale, turn, *position = tf.unstack(factors[:, None, None], axis=-1)
    x, y = (tf.gather(_linspace(16, 48, 32), p) for p in position)  # [batch, 1, 1]
    scale = tf.gather(_linspace(0.5, 1, 6), scale)
    angle = tf.gather(_linspace(0, 2 * math.pi, 40), turn % 39)
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    at = (tf.range(pixels, dtype=tf.float32) + 0.5) * (64 / pixels)
    right, down = at[None, None, :] - x, at[None, :, None] - y
    width, height, centre = (tf.gather(t, shape) for t in (_WIDTH, _HEIGHT, _CENTRE))
    u = right * (cos / width) + down * (sin / width)  # [batch, pixels, pixels]
    v = (down * (cos / height) + centre) - right * (sin / height)
    return tf.cast(_inside(shape, u, v), tf.float32)[..., None]


def _inside(shape, u, v):
    u2, v2 = u * u, v * v
    r2 = u2 + v2
    ellipse = r2 <= 1
    square = tf.maximum(u2, v2) <= 1
    beyond = r2 - 1
    heart = beyond * beyond * beyond <= u2 * v2 * v  # tf.pow takes far longer
    return tf.where(shape == 2, heart, tf.where(shape == 1, ellipse, square))


def _linspace(first, last, num):
    return tf.constant(np.linspace(first, last, num), tf.float32)


def _factors(factors):
    factors = tf.convert_to_tensor(factors)
    if not factors.dtype.is_integer:
        checks.fail("integers", error=TypeError, factors=factors.dtype.name)
    if not factors.shape.is_compatible_with([None, len(FACTORS)]):
        checks.fail("of shape [batch, 5]", factors=f"of shape {factors.shape}")
    known = tf.get_static_value(factors)
    if known is not None and ((known < 0) | (known >= [*FACTORS.values()])).any():
        worst = f"from {known.min(0).tolist()} to {known.max(0).tolist()}"
        expected = f"from 0 to less than {list(FACTORS.values())}"
        checks.fail(expected, factors=worst)
    return tf.cast(tf.ensure_shape(factors, [None, len(FACTORS)]), tf.int32)


def images(factors, image_size, dtype):
    """Returns the images of factors as an array, drawn in blocks to save memory.

    Args:
        factors: Integers `[examples, 5]`.
        image_size: Height and width in pixels.
        dtype: Kind of the values {0, 1}.
    """
    size = checks.integer(minimum=16, image_size=image_size)
    x = np.empty((len(factors), size, size, 1), dtype)
    for i in range(0, len(x), _BLOCK):
        x[i : i + _BLOCK] = render_sprites(factors[i : i + _BLOCK], size).numpy()
    return x


def sampled_factors(num_examples, seed=0):
    """Returns the factors that `sprites` draws from all, `[num_examples, 5]`."""
    return _combinations(num_examples, [_kept(name, None) for name in FACTORS], seed)


def _kept(name, values):
    """Returns the indices of a factor to keep, `[kept]`."""
    count = FACTORS[name]
    if values is None:
        return np.arange(count)
    given = list(values) if np.iterable(values) else values
    kept = checks.integers(minimum=0, **{name: given})
    if max(kept) >= count or len(set(kept)) < len(kept):
        checks.fail(f"distinct indices from 0 to {count - 1}", **{name: given})
    return np.array(kept)


def _combinations(num_examples, kept, seed):
    """Returns all combinations of indices, or drawn ones, `[examples, factors]`."""
    sizes = [len(values) for values in kept]
    rows = np.arange(math.prod(sizes))
    if num_examples is not None:
        num_examples = checks.integer(num_examples=num_examples)
        rows = np.random.default_rng(seed).integers(len(rows), size=num_examples)
    columns = zip(kept, np.unravel_index(rows, sizes), strict=True)
    return np.stack([values[i] for values, i in columns], axis=1).astype("int64")
