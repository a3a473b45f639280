"""Convolution in which a pixel depends only on the pixels before it."""

import functools
from collections.abc import Sequence
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt
from tfvae.config import Configurable, register
from tfvae.layers.dense import Initializer

_Degrees = Annotated[Sequence[int], functools.partial(checks.integers, minimum=-1)]


@register
class MaskedConv2D(Configurable, keras.layers.Layer):
    """Causal convolution `y = conv(x, kernel * mask) + b` of images.

    It maps `[batch, rows, columns, inputs]` to `[batch, rows, columns, outputs]`.

    Features have degrees, like the units of `MaskedDense`: 0 for the red channel, 1 for
    green, 2 for blue. The window of a pixel holds rows above the pixel and the start of
    the pixel's own row. At the pixel itself, an output depends on the inputs of its own
    and of lower degrees; elsewhere in the window, on all inputs.

    Args:
        in_degrees: Degree of each input; -1 for an input that every output may see.
        out_degrees: Degree of each output.
        above: Number of rows above the pixel in the window.
        left: Number of columns before the pixel.
        right: Number of columns after the pixel, in the rows above.
        strict: If True, outputs depend on lower degrees only at the pixel itself: mask
            A of the paper. Otherwise mask B.
        whole_rows: If True, the pixel's own row is not masked.
        kernel_initializer: Initializer of the kernel, before the mask.
        bias_initializer: Initializer of b.

    Example:
        >>> layer = tfvae.layers.MaskedConv2D([0], [0] * 16, above=1, left=1, right=1)
        >>> layer(x).shape
        TensorShape([32, 8, 8, 16])

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016, section 3.4,
        https://arxiv.org/abs/1601.06759
    """

    def __init__(
        self,
        in_degrees: _Degrees,
        out_degrees: _Degrees,
        *,
        above: NonNegativeInt = 0,
        left: NonNegativeInt = 0,
        right: NonNegativeInt = 0,
        strict: bool = False,
        whole_rows: bool = False,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        size = above + 1, left + 1 + right, len(in_degrees), len(out_degrees)
        self.mask = np.ones(size, "float32")
        if not whole_rows:
            compare = np.less if strict else np.less_equal
            self.mask[above, left + 1 :] = 0
            self.mask[above, left] = compare.outer(in_degrees, out_degrees)

    def build(self, x_shape: tuple | None = None) -> None:
        if self.built:
            return
        for name, shape in {
            "kernel": self.mask.shape,
            "bias": self.mask.shape[-1:],
        }.items():
            initializer = getattr(self, f"{name}_initializer")
            options = {"shape": shape, "initializer": initializer, "name": name}
            setattr(self, name, self.add_weight(**options))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        # Zeros of the convolution's own make its gradient slower.
        columns = [self.left, self.right]
        return self.valid(tf.pad(x, [[0, 0], [self.above, 0], columns, [0, 0]]))

    def valid(self, x: tf.Tensor) -> tf.Tensor:
        """Outputs for those pixels only whose window lies inside x."""
        kernel = self.kernel if self.mask.all() else self.kernel * self.mask
        if tuple(x.shape[1:3]) != self.mask.shape[:2]:
            y = tf.nn.conv2d(x, kernel, 1, "VALID")
            return tf.nn.bias_add(y, self.bias)  # which TensorFlow fuses
        size, outputs = self.mask[..., 0].size, self.mask.shape[-1]  # a single pixel
        y = tf.reshape(x, [-1, size]) @ tf.reshape(kernel, [size, outputs]) + self.bias
        return y[:, None, None]

    def padded(self, x: tf.Tensor) -> tf.Tensor:
        """Adds columns of zeros on both sides of x, for `valid`."""
        return tf.pad(x, [[0, 0], [0, 0], [self.left, self.right], [0, 0]])

    def compute_output_shape(self, x_shape: tuple) -> tuple:
        return (*x_shape[:-1], self.mask.shape[-1])
