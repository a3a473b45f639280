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
        # Zeros of the convolution's own make its gradient slower.
        columns = [self.left, self.right]
        return self.valid(tf.pad(x, [[0, 0], [self.above, 0], columns, [0, 0]]))

    def valid(self, x):
        """The outputs for those pixels alone whose window is inside of x."""
        if tuple(x.shape[1:3]) != self.mask.shape[:2]:
            y = tf.nn.conv2d(x, self._masked(), 1, "VALID")
            return tf.nn.bias_add(y, self.bias)  # which TensorFlow fuses
        rows, columns, inputs, outputs = self.mask.shape  # a single pixel
        size = rows * columns * inputs
        kernel = tf.reshape(self._masked(), [size, outputs])
        return (tf.reshape(x, [-1, size]) @ kernel + self.bias)[:, None, None]

    def padded(self, x):
        """With zeros beside x, for `valid`."""
        return tf.pad(x, [[0, 0], [0, 0], [self.left, self.right], [0, 0]])

    def _masked(self):
        return self.kernel if self.mask.all() else self.kernel * self.mask

    def compute_output_shape(self, x_shape):
        """The shape of the input, with one feature for each of `out_degrees`."""
        return (*x_shape[:-1], self.mask.shape[-1])
