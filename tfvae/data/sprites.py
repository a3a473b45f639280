"""The shapes of dSprites, drawn instead of downloaded."""

import functools
import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt

# Number of values of each factor, in the order of dSprites.
FACTORS = dict(shape=3, scale=6, orientation=40, position_x=32, position_y=32)

# Geometry of square, ellipse and heart at scale 1 in an image of 64 x 64. Their curves
# in (u, v), of size 1, are multiplied by width and height in pixels; the point (0,
# centre), for the heart its centroid, lies at the position. No shape extends further
# than 14.2 pixels, and positions are at least 16 from the border. Rows go down, so the
# height of the heart is negative.
_WIDTH = (10.0, 14.0, 10.4)
_HEIGHT = (10.0, 7.0, -10.4)
_CENTRE = (0.0, 0.0, 0.2935)

# Images drawn at once: their intermediate values, a few MB, stay in the cache.
_BLOCK = 128

# Height and width of an image in pixels.
Pixels = Annotated[int, functools.partial(checks.integer, minimum=16)]


class Sprites(NamedTuple):
    """Images and their factors.

    Attributes:
        x: Images, float32 in {0, 1}, `[examples, size, size, 1]`.
        factors: Indices of shape, scale, orientation, position x and position y, int64
            `[examples, 5]`.
    """

    x: np.ndarray
    factors: np.ndarray


@checks.checked
def sprites(
    num_examples: PositiveInt | None = None,
    *,
    shape: Sequence[int] | None = None,
    scale: Sequence[int] | None = None,
    orientation: Sequence[int] | None = None,
    position_x: Sequence[int] | None = None,
    position_y: Sequence[int] | None = None,
    image_size: Pixels = 64,
    seed: NonNegativeInt = 0,
) -> Sprites:
    """Returns sprites for every combination of factors, or for random combinations.

    The factors are those of dSprites; for what their indices mean see `render_sprites`.
    All 737,280 images take 12 GB, 16 KB each: keep fewer values of some factors, or
    draw combinations.

    Args:
        num_examples: Number of combinations drawn uniformly with replacement; a longer
            draw with the same seed begins with the shorter one. By default every
            combination once, the last factor fastest, as in dSprites.
        shape: Distinct indices to keep, from 0 to 2, in this order; by default all.
        scale: Likewise, from 0 to 5.
        orientation: Likewise, from 0 to 39; the first and the last look alike.
        position_x: Likewise, from 0 to 31.
        position_y: Likewise, from 0 to 31.
        image_size: Height and width in pixels, at least 16.
        seed: Seed for the draws.

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
    positions = {"position_x": position_x, "position_y": position_y}
    kept = {"shape": shape, "scale": scale, "orientation": orientation, **positions}
    factors = draw_factors(num_examples, seed, **kept)
    return Sprites(draw_images(factors, image_size, "float32"), factors)


@checks.checked
def render_sprites(
    factors: npt.ArrayLike | tf.Tensor, image_size: Pixels = 64
) -> tf.Tensor:
    """Images for factors, float32 in {0, 1}, `[batch, image_size, image_size, 1]`.

    A pixel is 1 if its centre `(u, v)`, in the frame of the shape, lies within
    `max(|u|, |v|) <= 1` (square), `u**2 + v**2 <= 1` (ellipse, axes 2 : 1) or
    `(u**2 + v**2 - 1)**3 <= u**2 v**3` (heart). The pixels resemble those in the files
    of dSprites, and differ from them; the square of scale 1 is 20 pixels wide in 64. A
    batch takes several times the memory of its images; `sprites` draws in blocks. The
    function also works within `tf.data.Dataset.map`.

    Args:
        factors: Integers `[batch, 5]`. Shape: square, ellipse, heart. Scale: 6 values
            from 0.5 to 1. Orientation: 40 values from 0 to 2 pi clockwise, both
            included as in dSprites, so that 39 equals 0. Position x and position y: 32
            values over the middle half of the image, to the right and down. Values out
            of range raise an error if they are known while a graph is built.
        image_size: Height and width in pixels, at least 16. From 22 on no sprite
            touches the border.

    Example:
        >>> x = render_sprites([[0, 5, 0, 16, 16], [2, 5, 10, 16, 16]])
        >>> x.shape, int(tf.reduce_sum(x[0]))
        (TensorShape([2, 64, 64, 1]), 400)
    """
    factors = _factors(factors)
    shape, scale, turn, *position = tf.unstack(factors[:, None, None], axis=-1)
    linspace = functools.partial(np.linspace, dtype="float32")
    x, y = (tf.gather(linspace(16, 48, 32), p) for p in position)  # [batch, 1, 1]
    scale = tf.gather(linspace(0.5, 1, 6), scale)
    angle = tf.gather(linspace(0, 2 * math.pi, 40), turn % 39)
    cos, sin = tf.cos(angle) / scale, tf.sin(angle) / scale
    at = (tf.range(image_size, dtype=tf.float32) + 0.5) * (64 / image_size)
    right, down = at[None, None, :] - x, at[None, :, None] - y
    width, height, centre = (tf.gather(t, shape) for t in (_WIDTH, _HEIGHT, _CENTRE))
    u = right * (cos / width) + down * (sin / width)  # [batch, pixels, pixels]
    v = (down * (cos / height) + centre) - right * (sin / height)
    return tf.cast(_inside(shape, u, v), tf.float32)[..., None]


def _inside(shape: tf.Tensor, u: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    u2, v2 = u * u, v * v
    r2 = u2 + v2
    ellipse = r2 <= 1
    square = tf.maximum(u2, v2) <= 1
    beyond = r2 - 1
    heart = beyond * beyond * beyond <= u2 * v2 * v  # tf.pow takes far longer
    return tf.where(shape == 2, heart, tf.where(shape == 1, ellipse, square))


def _factors(factors: npt.ArrayLike | tf.Tensor) -> tf.Tensor:
    """Checked factors, int32 `[batch, 5]`."""
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


@checks.checked
def draw_images(factors: np.ndarray, image_size: Pixels, dtype: str) -> np.ndarray:
    """Images of this type for factors `[examples, 5]`, in blocks to save memory."""
    x = np.empty((len(factors), image_size, image_size, 1), dtype)
    for i in range(0, len(x), _BLOCK):
        x[i : i + _BLOCK] = render_sprites(factors[i : i + _BLOCK], image_size).numpy()
    return x


def draw_factors(
    num_examples: int | None, seed: int = 0, **values: Sequence[int] | None
) -> np.ndarray:
    """All combinations of the given values of factors, or drawn ones, `[examples, 5]`.

    Arguments are as in `sprites`.
    """
    kept = [_kept(name, values.get(name)) for name in FACTORS]
    sizes = [len(indices) for indices in kept]
    rows = np.arange(math.prod(sizes))
    if num_examples is not None:
        rows = np.random.default_rng(seed).integers(len(rows), size=num_examples)
    columns = zip(kept, np.unravel_index(rows, sizes), strict=True)
    return np.stack([indices[i] for indices, i in columns], axis=1).astype("int64")


def _kept(name: str, values: Sequence[int] | None) -> np.ndarray:
    """The indices to keep for a factor, `[kept]`."""
    count = FACTORS[name]
    if values is None:
        return np.arange(count)
    given = list(values) if np.iterable(values) else values
    kept = checks.integers(minimum=0, **{name: given})
    if max(kept) >= count or len(set(kept)) < len(kept):
        checks.fail(f"distinct indices from 0 to {count - 1}", **{name: given})
    return np.array(kept)
