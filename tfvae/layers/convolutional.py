"""Convolutions that see of an image only what comes before a pixel."""

import keras
import numpy as np
import tensorflow as tf


class CausalConv(keras.layers.Layer):
    """Convolution with a window of rows above a pixel, and of its own row.

    Features have degrees, as units of `MaskedDense`: those of the red channel 0, of
    green 1, of blue 2. At the pixel itself an output sees inputs of its degree and
    lower ones; elsewhere all.

    Args:
        in_degrees: Degrees of the inputs.
        out_degrees: Degrees of the outputs.
        above: Rows above the pixel in the window.
        left: Columns before it.
        right: Columns after it.
        strict: Whether an output sees only lower degrees at the pixel: mask A of the
            paper; else mask B.
        whole_rows: Whether the pixel's own row may be seen as the others are, to its
            end and with every feature.
        bias_initializer: Of the biases.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[batch, rows, columns, inputs]`.

    Returns:
        A tensor `[batch, rows, columns, outputs]`.

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016, section 3.4,
        https://arxiv.org/abs/1601.06759
    """

    def __init__(
        self,
        in_degrees,
        out_degrees,
        *,
        above=0,
        left=0,
        right=0,
        strict=False,
        whole_rows=False,
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.above, self.left, self.right = above, left, right
        self.bias_initializer = keras.initializers.get(bias_initializer)
        compare = np.less if strict else np.less_equal
        size = above + 1, left + 1 + right, len(in_degrees), len(out_degrees)
        self.mask = np.ones(size, "float32")
        if not whole_rows:
            self.mask[above, left + 1 :] = 0
            self.mask[above, left] = compare.outer(in_degrees, out_degrees)

    def build(self, x_shape=None):
        if self.built:
            return
        self.kernel = self.add_weight(name="kernel", shape=self.mask.shape)
        shape, initializer = self.mask.shape[-1:], self.bias_initializer
        self.bias = self.add_weight(name="bias", shape=shape, initializer=initializer)
        self.built = True

    def call(self, x):
        return self.valid(self.padded(x))

    def padded(self, x, rows=True):
        """With zeros around x, above only where asked."""
        rows, columns = [self.above if rows else 0, 0], [self.left, self.right]
        return tf.pad(x, [[0, 0], rows, columns, [0, 0]])

    def valid(self, x):
        """The outputs for those pixels alone whose window is inside of x."""
        kernel = self.kernel
        if not self.mask.all():
            kernel *= self.mask
        if tuple(x.shape[1:3]) == self.mask.shape[:2]:  # a single pixel
            rows, columns, inputs, outputs = self.mask.shape
            size = rows * columns * inputs
            y = tf.reshape(x, [-1, size]) @ tf.reshape(kernel, [size, outputs])
            y = y[:, None, None]
        else:
            y = tf.nn.conv2d(x, kernel, 1, "VALID")
        return y + self.bias

    def compute_output_shape(self, x_shape):
        """The shape of the input, with one feature for each of `out_degrees`."""
        return (*x_shape[:-1], self.mask.shape[-1])
