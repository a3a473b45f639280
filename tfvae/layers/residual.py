"""Residual blocks of convolutional networks."""

from typing import Any

import keras

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.config import Activation, Configurable, register


@register
class ResidualBlock(Configurable, keras.layers.Layer):
    """Residual block: `shortcut(x) + branch(x)`, `[batch, height, width, filters]`.

    The branch has two convolutions with an activation before each; both are at the
    lower resolution if it changes. The second starts at 0, so that a deep network
    starts as a shallow one. The shortcut is x itself, or a 1 x 1 convolution of it
    where the shape changes.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernels.
        resize: "down" halves height and width, rounded up; "up" doubles them; None
            leaves them.
        activation: Activation before each convolution.

    Example:
        >>> block = tfvae.layers.ResidualBlock(16, resize="down")
        >>> block(tf.zeros([5, 7, 7, 8])).shape
        TensorShape([5, 4, 4, 16])

    References:
        He et al., Identity Mappings in Deep Residual Networks, 2016,
        https://arxiv.org/abs/1603.05027
    """

    def __init__(
        self,
        filters: PositiveInt,
        kernel_size: PositiveInt = 3,
        resize: str | None = None,
        activation: Activation = "elu",
        **kwargs: Any,
    ):
        checks.one_of([None, "down", "up"], resize=resize)
        super().__init__(**kwargs)
        same, conv = {"dtype": self.dtype_policy}, keras.layers.Conv2D
        grow, size = keras.layers.Conv2DTranspose, (filters, kernel_size)
        last, strides = (grow, 2) if resize == "up" else (conv, 1)
        zeros = same | {"kernel_initializer": "zeros"}
        self.activate = keras.layers.Activation(activation, **same)
        self.first = conv(*size, 2 if resize == "down" else 1, "same", **same)
        self.second = last(*size, strides, "same", **zeros)
        self.double = keras.layers.UpSampling2D(**same) if resize == "up" else None
        self.shortcut = None

    def build(self, input_shape: Any) -> None:
        if self.resize == "down" or input_shape[-1] != self.filters:
            strides = 2 if self.resize == "down" else 1
            self.shortcut = keras.layers.Conv2D(
                self.filters, 1, strides, dtype=self.dtype_policy
            )
            self.shortcut.build(input_shape)
        self.first.build(input_shape)
        self.second.build(self.first.compute_output_shape(input_shape))
        self.built = True

    def call(self, x: Any) -> Any:
        branch = self.second(self.activate(self.first(self.activate(x))))
        x = x if self.shortcut is None else self.shortcut(x)
        return branch + (x if self.double is None else self.double(x))

    def compute_output_shape(self, input_shape: Any) -> tuple:
        return self.second.compute_output_shape(
            self.first.compute_output_shape(input_shape)
        )
