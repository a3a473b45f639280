"""The trunk of a ladder, along which levels of latents go from coarse to fine."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable, register
from tfvae.layers.top_down_block import LevelDraw, Shape, TopDownBlock

# Chooses z_l by the number of the level, the level, and h after its prior.
Choose = Callable[[int, TopDownBlock, tf.Tensor], tf.Tensor]


@register
class TopDown(Configurable, keras.layers.Layer):
    """The trunk of a ladder: a learned start, then level after level of z.

    Args:
        levels: A `TopDownBlock` for each level, coarse first.

    Example:
        >>> levels = [tfvae.layers.TopDownBlock(4, 16)]
        >>> trunk = tfvae.layers.TopDown(levels)
        >>> trunk.build([(None, 7, 7, 32)])
        >>> trunk.decode(tf.zeros([5, 196])).shape
        TensorShape([5, 7, 7, 32])
    """

    def __init__(self, levels: Sequence[TopDownBlock], **kwargs: Any):
        if not isinstance(levels, (list, tuple)) or not levels:
            checks.fail("a list of `layers.TopDownBlock`", levels=levels)
        for level in levels:
            checks.instance(TopDownBlock, "a `layers.TopDownBlock`", level=level)
        kwargs.setdefault("dtype", levels[0].dtype_policy)
        super().__init__(**kwargs)
        self.levels = list(levels)

    def build(self, features_shapes: Any) -> None:
        if self.built:
            return
        shapes = self._shapes_of_levels(features_shapes)
        self._shapes = shapes
        self.start = self.add_weight(shape=shapes[0][1:], name="start")
        self.grow: list[keras.layers.Layer | None] = []
        for above, shape in zip([shapes[0], *shapes], shapes, strict=False):
            self.grow.append(
                None if above == shape else _growth(above, shape, self.dtype_policy)
            )
        for level, shape in zip(self.levels, shapes, strict=True):
            level.build(shape, shape)
        self.built = True

    def _shapes_of_levels(self, features_shapes: Any) -> list[tuple]:
        """Shape of the features that each level sees, which must grow."""
        count, scales = len(features_shapes), [level.scale for level in self.levels]
        if max(scales) >= count:
            checks.fail(
                f"below the number of the encoder's outputs, {count}", scale=max(scales)
            )
        shapes = [(None, *features_shapes[scale][1:]) for scale in scales]
        sizes = [shape[1:3] for shape in shapes]
        for above, below in zip(sizes, sizes[1:], strict=False):
            if above[0] > below[0] or above[1] > below[1]:
                expected = "levels, and outputs of the encoder, coarse first"
                checks.fail(
                    expected, levels=f"maps of {[list(size) for size in sizes]}"
                )
        return shapes

    @property
    def latent_shapes(self) -> list[Shape]:
        """Shape of the latents of each level."""
        return [level.latent_shape for level in self.levels]

    @property
    def latent_dim(self) -> int:
        """Number of latents of all levels."""
        return sum(map(math.prod, self.latent_shapes))

    def split(self, z: Any) -> list[Any]:
        """Flat latents `[..., latent]` as maps, `[..., height, width, channels]`."""
        if z.shape[-1] != self.latent_dim:
            checks.fail(f"[..., {self.latent_dim}]", **{"z.shape": list(z.shape)})
        maps, first = [], 0
        for shape in self.latent_shapes:
            part = z[..., first : first + math.prod(shape)]
            maps.append(keras.ops.reshape(part, (*keras.ops.shape(z)[:-1], *shape)))
            first += math.prod(shape)
        return maps

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Shape of the last state, `(height, width, units)`."""
        return self._shapes[-1][1:]

    def walk(self, choose: Choose, num_rows: Any) -> tf.Tensor:
        """Goes down all levels with the z that are chosen; returns the last state."""
        h = tf.cast(tf.convert_to_tensor(self.start), self.compute_dtype)
        h = tf.tile(h[None], [num_rows, 1, 1, 1])
        for i, (level, grow) in enumerate(zip(self.levels, self.grow, strict=True)):
            loc, scale, h = level.prior(h if grow is None else grow(h))
            h = level.merge(h, loc + scale * choose(i, level, h))
        return h

    def decode(self, z: tf.Tensor) -> tf.Tensor:
        """The last state `[batch, height, width, units]` for z `[batch, latent]`."""
        maps = self.split(z)
        return self.walk(lambda i, level, h: maps[i], tf.shape(z)[0])

    def draw(
        self, features: Sequence[tf.Tensor], noise: tf.Tensor
    ) -> tuple[list[LevelDraw], tf.Tensor]:
        """Draws every level from the posterior; returns draws and the last state.

        Args:
            features: Outputs of the encoder, each `[batch, height, width, units]`.
            noise: `[samples, batch, latent]`; rows of the answer are samples times
                batch, all of the first sample first.
        """
        num_samples, batch = tf.unstack(tf.shape(noise)[:2])
        maps = self.split(tf.reshape(noise, [-1, noise.shape[-1]]))
        draws = []

        def choose(i: int, level: TopDownBlock, h: tf.Tensor) -> tf.Tensor:
            side = level.beside.project(features[level.scale])
            side = tf.tile(side, [num_samples, 1, 1, 1])
            draws.append(level.draw(h, side, maps[i]))
            return draws[-1].z

        return draws, self.walk(choose, num_samples * batch)


def _growth(above: tuple, shape: tuple, dtype: Any) -> keras.layers.Layer:
    """A layer from one scale to the next finer one."""
    make, same = keras.layers, {"dtype": dtype}
    if max(above[1:3]) == 1:
        layers = [make.Flatten(**same), make.Dense(math.prod(shape[1:]), **same)]
        layers.append(make.Reshape(shape[1:], **same))
    else:
        pairs = list(zip(above[1:3], shape[1:3], strict=True))
        factors = tuple(math.ceil(fine / coarse) for coarse, fine in pairs)
        grown = zip(factors, pairs, strict=True)
        crops = [(0, factor * coarse - fine) for factor, (coarse, fine) in grown]
        layers = [make.Conv2D(shape[-1], 1, **same), make.UpSampling2D(factors, **same)]
        layers.append(make.Cropping2D(crops, **same))
    layer = keras.Sequential(layers)
    layer.build(above)
    return layer


def as_map(features: tf.Tensor) -> tf.Tensor:
    """Features `[batch, height, width, units]`; a vector is a map of one pixel."""
    if len(features.shape) == 2:
        return keras.ops.reshape(features, (-1, 1, 1, features.shape[-1]))
    return features


def flat(maps: Sequence[tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
    """Maps of all levels as z, `[samples, batch, latent]`, as the noise is."""
    rows = [tf.reshape(z, [-1, math.prod(z.shape[1:])]) for z in maps]
    return tf.reshape(tf.concat(rows, axis=-1), tf.shape(noise))


def sums(maps: Sequence[tf.Tensor], noise: tf.Tensor) -> tf.Tensor:
    """Sum over all latents, `[samples, batch]`."""
    sums = tf.add_n([tf.reduce_sum(values, [1, 2, 3]) for values in maps])
    return tf.reshape(sums, tf.shape(noise)[:2])


def by_channel(kl: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Sums over space, means over samples, `[batch, channels]`."""
    sums = tf.reduce_sum(kl, axis=[1, 2])
    by_sample = tf.reshape(sums, [*tf.unstack(tf.shape(noise)[:2]), sums.shape[-1]])
    return tf.reduce_mean(by_sample, axis=0)
