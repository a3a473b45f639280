"""What networks over images have in common that go pixel by pixel."""

import abc

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.layers.autoregressive import AutoregressiveNetwork, by_element
from tfvae.layers.causal_conv import CausalConv
from tfvae.layers.line_lstm import LineLSTM


class PixelNetwork(AutoregressiveNetwork):
    """Abstract: a causal first layer, blocks of one width, and two 1 x 1 layers.

    Pixels come row by row, and in a pixel its channels: red, green, blue. Under a mixed
    policy it computes in the dtype of its weights, as does its sampling.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Features of a block.
        num_blocks: Number of blocks.
        params_size: Parameters for each element, as the likelihood wants them.
        kernel_size: Rows and columns of a block's window, an odd number.
        first_kernel_size: The same of the first layer.
        context_dim: Size of the context that all pixels see; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where one is too low or a window's size is even.
    """

    def __init__(
        self,
        event_shape,
        filters=32,
        num_blocks=8,
        params_size=1,
        *,
        kernel_size=3,
        first_kernel_size=7,
        context_dim=0,
        **kwargs,
    ):
        policy = keras.dtype_policies.get(kwargs.pop("dtype", None))
        shared = {"context_dim": context_dim, "dtype": policy.variable_dtype}
        super().__init__(event_shape, params_size, **shared, **kwargs)
        if len(self.event_shape) != 3:
            checks.fail("(height, width, channels)", event_shape=event_shape)
        self.filters = checks.integer(minimum=self.event_shape[-1], filters=filters)
        self.num_blocks = checks.integer(num_blocks=num_blocks)
        self.kernel_size = _odd(minimum=1, kernel_size=kernel_size)
        self.first_kernel_size = _odd(minimum=3, first_kernel_size=first_kernel_size)
        self._kept = {"dtype": self.dtype_policy}
        self._contexts, channels = [], self.event_shape[-1]
        self._make_layers()
        outputs = np.tile(np.arange(channels), self.params_size)
        self._head = [
            self._conv(self._stream, self._stream),
            self._conv(self._stream, outputs),
        ]

    def build(self, x_shape=None, context_shape=None):
        for layer in self._flatten_layers(include_self=False):
            if isinstance(layer, (CausalConv, LineLSTM)):
                layer.build()
        for dense in self._contexts:
            if not dense.built:
                dense.build((None, self.context_dim))
        self.built = True

    def call(self, x, context=None, mask_index=0, training=False):
        x = tf.cast(x, self.compute_dtype)
        return self._to_params(self.features(x, self._shifts(context)))

    @abc.abstractmethod
    def features(self, x, shifts):
        """The features of every pixel, from what comes before it.

        Args:
            x: `[batch, *event_shape]`.
            shifts: As `_shifts` gives them.
        """

    def generate(self, choose, num_rows, context=None, mask_index=0):
        """See `AutoregressiveNetwork`; with what pixels before gave kept.

        The features of a pixel are computed once for each of its channels.
        """
        height, width, channels = self.event_shape
        reach = self.first_kernel_size // 2
        shifts = self._shifts(context)
        shape = [num_rows, reach + height, reach + width + reach, channels]

        def step(place, x, memory):
            i, j = place // width, place % width
            size = [num_rows, reach, shape[2], channels]
            memory = tf.cond(
                tf.equal(j, 0),
                lambda: self.next_row(
                    i, tf.slice(x, [0, i, 0, 0], size), memory, shifts
                ),
                lambda: memory,
            )
            size = [num_rows, reach + 1, reach + 1 + reach, channels]
            for channel in range(channels):
                window = tf.slice(x, [0, i, j, 0], size)
                params, new_memory = self.at(j, window, memory, shifts)
                params = by_element(self, self._to_params(params), channels)
                value = choose(place * channels + channel, params[:, channel])
                here = _at(reach + i, shape[1])[:, None] & _at(reach + j, shape[2])
                here = here[..., None] & (np.arange(channels) == channel)
                x = tf.where(here, value[:, None, None, None], x)
            return place + 1, x, new_memory

        loop = (tf.constant(0), tf.zeros(shape), self.start(num_rows))
        _, x, _ = tf.while_loop(
            lambda place, *_: place < height * width, step, loop, parallel_iterations=1
        )
        return x[:, reach:, reach : reach + width]

    @abc.abstractmethod
    def start(self, num_rows):
        """What is kept of images of which nothing is known, a list of tensors."""

    @abc.abstractmethod
    def next_row(self, row, x_above, memory, shifts):
        """What is kept at the start of a row.

        Args:
            row: Its number.
            x_above: The rows of x that the first layer sees above, padded.
            memory: What was kept at the end of the row before.
            shifts: As `_shifts` gives them.
        """

    @abc.abstractmethod
    def at(self, column, window, memory, shifts):
        """Features of a pixel `[rows, 1, 1, features]`, and what is kept after it.

        Args:
            column: Its column.
            window: What the first layer sees of x there.
            memory: What was kept after the pixel before.
            shifts: As `_shifts` gives them.
        """

    def sequence(self, mask_index=0):
        """See `AutoregressiveNetwork`; the natural order."""
        return tf.range(self.dim)

    @abc.abstractmethod
    def _make_layers(self):
        """Makes the layers below the last two, and `_stream`, the last degrees."""

    def _degrees(self, *sizes):
        """Degrees of features in parts of these sizes, each with all channels."""
        channels = self.event_shape[-1]
        return np.concatenate([np.arange(size) * channels // size for size in sizes])

    def _first(self):
        """The first layer, to `_stream`; no channel of a pixel sees itself."""
        inputs = self._degrees(self.event_shape[-1])
        window = square(self.first_kernel_size)
        return self._conv(inputs, self._stream, strict=True, **window)

    def _conv(self, in_degrees, out_degrees, **options):
        return CausalConv(in_degrees, out_degrees, **options, **self._kept)

    def _add_context(self, units):
        """One more layer from the context to a shift of features."""
        if self.context_dim:
            dense = keras.layers.Dense(units, use_bias=False, **self._kept)
            self._contexts.append(dense)

    def _shifts(self, context):
        """What the context adds in each block, `[batch, 1, 1, units]` each."""
        if not self.context_dim:
            return [tf.zeros([], self.compute_dtype)] * self.num_blocks
        context = self._context(context)
        return [dense(context)[:, None, None] for dense in self._contexts]

    def _to_params(self, y):
        for layer in self._head:
            y = layer(tf.nn.relu(y))
        return y


def square(kernel_size):
    """The sides of a window of rows and columns around a pixel."""
    return dict.fromkeys(["above", "left", "right"], kernel_size // 2)


def put(row, column, value):
    """A row `[batch, 1, columns, features]` with the value of a pixel."""
    return tf.where(_at(column, row.shape[2])[:, None], value, row)


def halves(shift):
    """Both halves of what a context adds, or twice the 0 of none."""
    return tf.split(shift, 2, axis=-1) if shift.shape.rank else (shift, shift)


def _odd(minimum, **argument):
    """Returns the one named argument if it is an odd integer."""
    value = checks.integer(minimum=minimum, **argument)
    return value if value % 2 else checks.fail("an odd integer", **argument)


def _at(i, size):
    return tf.equal(tf.range(size), i)
