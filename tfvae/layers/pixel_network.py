"""Base of networks that go through an image pixel by pixel."""

import abc
import functools
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.checks import ImageShape, NonNegativeInt, PositiveInt
from tfvae.layers.autoregressive import (
    AutoregressiveNetwork,
    Draw,
    by_element,
    for_each,
)
from tfvae.layers.causal_conv import MaskedConv2D
from tfvae.layers.dense import Context, Int
from tfvae.layers.line_lstm import LineLSTM


def _odd(*, minimum: int = 1, **argument: Any) -> int:
    """Returns the one named argument if it is an odd integer."""
    value = checks.integer(minimum=minimum, **argument)
    return value if value % 2 else checks.fail("an odd integer", **argument)


KernelSize = Annotated[int, _odd]


class PixelNetwork(AutoregressiveNetwork):
    """Abstract: a causal first layer, blocks of one width, and two 1 x 1 layers.

    The order is row by row, and channel by channel within a pixel: red, green, blue.
    Under a mixed policy the network computes in the dtype of its weights, like its
    sampling.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Number of features of a block, `channels` or more.
        num_blocks: Number of blocks.
        params_size: Number of parameters for each element, as the likelihood expects.
        kernel_size: Rows and columns of a block's window, an odd number.
        first_kernel_size: Rows and columns of the first layer's window, 3 or more.
        context_dim: Size of the context, an input to all pixels; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # Number of values that a context adds to in each block, in units of `filters`.
    context_width = 4

    def __init__(
        self,
        event_shape: ImageShape,
        filters: PositiveInt = 32,
        num_blocks: PositiveInt = 8,
        params_size: PositiveInt = 1,
        *,
        kernel_size: KernelSize = 3,
        first_kernel_size: Annotated[int, functools.partial(_odd, minimum=3)] = 7,
        context_dim: NonNegativeInt = 0,
        **kwargs: Any,
    ) -> None:
        dtype = keras.dtype_policies.get(kwargs.pop("dtype", None)).variable_dtype
        shared = {"context_dim": context_dim, "dtype": dtype}
        super().__init__(event_shape, params_size, **shared, **kwargs)
        channels = event_shape[-1]
        self.filters = checks.integer(minimum=channels, filters=filters)
        self.num_blocks, self.kernel_size = num_blocks, kernel_size
        self.first_kernel_size = first_kernel_size
        self._kept = {"dtype": self.dtype_policy}
        width = self.context_width * filters
        self._contexts = [
            keras.layers.Dense(width, use_bias=False, **self._kept)
            for _ in range(num_blocks if context_dim else 0)
        ]
        stream = self._make_layers()
        outputs = list(range(channels)) * params_size
        self._head = [self._conv(stream, stream), self._conv(stream, outputs)]

    def build(self, x_shape: tuple | None = None) -> None:
        for layer in self._flatten_layers(include_self=False):
            if isinstance(layer, (MaskedConv2D, LineLSTM)):
                layer.build()
        for dense in self._contexts:
            if not dense.built:
                dense.build((None, self.context_dim))
        self.built = True

    def call(
        self,
        x: tf.Tensor,
        context: Context = None,
        mask_index: Int = 0,
        training: bool = False,
    ) -> tf.Tensor:
        x = tf.cast(x, self.compute_dtype)
        return self._to_params(self.features(x, self._shifts(context)))

    @abc.abstractmethod
    def features(self, x: tf.Tensor, shifts: list) -> tf.Tensor:
        """The features of every pixel, from the pixels before it.

        Args:
            x: `[batch, *event_shape]`.
            shifts: Contribution of the context to each block, `[batch, 1, 1, units]`.
        """

    def generate(
        self, choose: Draw, num_rows: Int, context: Context = None, mask_index: Int = 0
    ) -> tf.Tensor:
        """See `AutoregressiveNetwork`; intermediate results of pixels are kept.

        The features of a pixel are computed once for each of its channels.
        """
        height, width, channels = self.event_shape
        reach = self.first_kernel_size // 2
        shifts, columns = self._shifts(context), reach + width + reach
        above = [num_rows, reach, columns, channels]
        size = [num_rows, reach + 1, reach + 1 + reach, channels]

        def step(place: tf.Tensor, x: tf.Tensor, memory: list) -> tuple:
            i, j = place // width, place % width
            memory = tf.cond(
                tf.equal(j, 0),
                lambda: self.next_row(
                    i, tf.slice(x, [0, i, 0, 0], above), memory, shifts
                ),
                lambda: memory,
            )
            here = _at(reach + i, reach + height)[:, None] & _at(reach + j, columns)
            for channel in range(channels):
                window = tf.slice(x, [0, i, j, 0], size)
                y, new_memory = self.at(j, window, memory, shifts)
                params = by_element(self, self._to_params(y), channels)
                value = choose(place * channels + channel, params[:, channel])
                now = here[..., None] & (np.arange(channels) == channel)
                x = tf.where(now, value[:, None, None, None], x)
            return place + 1, x, new_memory

        x = tf.zeros([num_rows, reach + height, columns, channels])
        x, _ = for_each(height * width, step, x, self.start(num_rows))
        return x[:, reach:, reach : reach + width]

    @abc.abstractmethod
    def start(self, num_rows: Int) -> list:
        """Memory before the first pixel, a list of tensors or of tuples of tensors."""

    @abc.abstractmethod
    def next_row(self, row: Int, above: tf.Tensor, memory: list, shifts: list) -> list:
        """Memory at the start of a row.

        Args:
            row: Number of the row.
            above: The rows of x in the first layer's window above this row, padded.
            memory: Memory at the end of the row before.
            shifts: As in `features`.
        """

    @abc.abstractmethod
    def at(self, column: Int, window: tf.Tensor, memory: list, shifts: list) -> tuple:
        """Features of a pixel `[rows, 1, 1, features]`, and the memory after it.

        Args:
            column: Column of the pixel.
            window: The first layer's window of x around the pixel.
            memory: Memory after the pixel before.
            shifts: As in `features`.
        """

    def sequence(self, mask_index: Int = 0) -> tf.Tensor:
        return tf.range(self.dim)

    @abc.abstractmethod
    def _make_layers(self) -> list[int]:
        """Makes the layers below the last two; returns the degrees of their output."""

    def _degrees(self, *sizes: int) -> list[int]:
        """Degrees of features in parts of these sizes, each with all channels."""
        channels = self.event_shape[-1]
        return [i * channels // size for size in sizes for i in range(size)]

    def _first(self, degrees: list[int]) -> MaskedConv2D:
        """The first layer, to outputs of these degrees; no channel sees itself."""
        inputs, window = range(self.event_shape[-1]), square(self.first_kernel_size)
        return self._conv(list(inputs), degrees, strict=True, **window)

    def _conv(
        self, in_degrees: list, out_degrees: list, **options: Any
    ) -> MaskedConv2D:
        return MaskedConv2D(in_degrees, out_degrees, **options, **self._kept)

    def _shifts(self, context: Context) -> list[tf.Tensor]:
        """Contribution of the context to each block, `[batch, 1, 1, units]`; or 0."""
        if not self.context_dim:
            return [tf.zeros([], self.compute_dtype)] * self.num_blocks
        context = self._context(context)
        return [dense(context)[:, None, None] for dense in self._contexts]

    def _to_params(self, y: tf.Tensor) -> tf.Tensor:
        for layer in self._head:
            y = layer(tf.nn.relu(y))
        return y


def square(kernel_size: int) -> dict[str, int]:
    """The sides of a window of rows and columns around a pixel."""
    return dict.fromkeys(["above", "left", "right"], kernel_size // 2)


def put(row: tf.Tensor, column: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """A row `[batch, 1, columns, features]` with the value of a pixel."""
    return tf.where(_at(column, row.shape[2])[:, None], value, row)


def halves(shift: tf.Tensor) -> list[tf.Tensor]:
    """Both halves of a context's contribution, or twice the 0 of no context."""
    return tf.split(shift, 2, axis=-1) if shift.shape.rank else [shift, shift]


def _at(i: tf.Tensor, size: int) -> tf.Tensor:
    return tf.equal(tf.range(size), i)
