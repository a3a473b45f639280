"""Branches of residual blocks that go through a narrow middle."""

import functools
from typing import Any

import keras
import tensorflow as tf

from tfvae.checks import PositiveInt
from tfvae.config import Activation, Configurable, register


@register
class Bottleneck(Configurable, keras.layers.Layer):
    """Branch of a residual block: 1 x 1, k x k and 1 x 1 convolutions.

    An activation comes before each. The output is `[batch, height, width, filters]`. A
    second input, the side, may join the narrow middle by a convolution of its own: so
    the features of one example serve many draws of z.

    Args:
        filters: Channels of the output.
        units: Channels in the middle.
        kernel_size: Side of the middle kernel.
        activation: Activation before each convolution.
        zeros: If True, the output starts at 0.

    Call arguments:
        x: `[batch, height, width, channels]`.
        side: `project` of other features of the same height and width, or None.

    Example:
        >>> tfvae.layers.Bottleneck(16, units=8)(tf.zeros([5, 7, 7, 16])).shape
        TensorShape([5, 7, 7, 16])

    References:
        Child, Very Deep VAEs Generalize Autoregressive Models, 2021,
        https://arxiv.org/abs/2011.10650
    """

    def __init__(
        self,
        filters: PositiveInt,
        *,
        units: PositiveInt,
        kernel_size: PositiveInt = 3,
        activation: Activation = "silu",
        zeros: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        same = {"dtype": self.dtype_policy}
        conv = functools.partial(keras.layers.Conv2D, **same)
        start = "zeros" if zeros else "glorot_uniform"
        self.activate = keras.layers.Activation(activation, **same)
        self.first, self.side = conv(units, 1), conv(units, 1, use_bias=False)
        self.middle = conv(units, kernel_size, padding="same")
        self.last = conv(filters, 1, kernel_initializer=start)

    def build(self, x_shape: Any, side_shape: Any = None) -> None:
        if self.built:
            return
        self.first.build(x_shape)
        if side_shape is not None:
            self.side.build(side_shape)
        inner = (*x_shape[:-1], self.units)
        self.middle.build(inner)
        self.last.build(inner)
        self.built = True

    def call(self, x: tf.Tensor, side: tf.Tensor | None = None) -> tf.Tensor:
        x = self.first(self.activate(x))
        x = self.middle(self.activate(x if side is None else x + side))
        return self.last(self.activate(x))

    def project(self, features: tf.Tensor) -> tf.Tensor:
        """The `side` of a call for other features, `[batch, height, width, units]`."""
        return self.side(self.activate(features))

    def compute_output_shape(self, x_shape: tuple, side_shape: Any = None) -> tuple:
        return (*x_shape[:-1], self.filters)
