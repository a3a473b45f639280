"""Base of networks that go through an image pixel by pixel."""

import abc
import functools
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.checks import ImageShape, NonNegativeInt, PositiveInt
from tfvae.layers.autoregressive import AutoregressiveNetwork, Draw, for_each
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
    sampling. The arguments left out here are those of `AutoregressiveNetwork`.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Number of features of a block, `channels` or more.
        num_blocks: Number of blocks.
        kernel_size: Rows and columns of a block's window, an odd number.
        first_kernel_size: Rows and columns of the first layer's window, 3 or more.
    """

    context_width = 4  # values that a context adds to in a block, over `filters`

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
        kwargs["dtype"] = keras.dtype_policies.get(kwargs.get("dtype")).variable_dtype
        super().__init__(event_shape, params_size, context_dim=context_dim, **kwargs)
        channels = event_shape[-1]
        self.filters = checks.integer(minimum=channels, filters=filters)
        self.num_blocks, self.kernel_size = num_blocks, kernel_size
        self.first_kernel_size = first_kernel_size
        options = {"use_bias": False, "dtype": self.dtype_policy}
        self._contexts = [
            keras.layers.Dense(self.context_width * filters, **options)
            for _ in range(num_blocks if context_dim else 0)
        ]
        stream, outputs = self._make_layers(), list(range(channels)) * params_size
        self._head = [self._conv(stream, stream), self._conv(stream, outputs)]

    def build(self, x_shape: tuple | None = None) -> None:
        if self.built:
            return
        for layer in self._flatten_layers(include_self=False):
            if isinstance(layer, (MaskedConv2D, LineLSTM)):
                layer.build()
        for layer in self._contexts:
            layer.build((None, self.context_dim))

    def call(self, x: tf.Tensor, context: Context = None, mask_index: Int = 0) -> Any:
        x = tf.cast(x, self.compute_dtype)
        return self._to_params(self.features(x, self._shifts(context)))

    @abc.abstractmethod
    def features(self, x: tf.Tensor, shifts: list) -> tf.Tensor:
        """The features of every pixel, from the pixels before it.

        The shifts are the contribution of the context to each block, `[batch or 1, 1,
        1, context_width * filters]`.
        """

    def generate(
        self, choose: Draw, num_rows: Int, context: Context = None, mask_index: Int = 0
    ) -> tf.Tensor:
        """See `AutoregressiveNetwork`; keeps intermediate results of earlier pixels."""
        height, width, channels = self.event_shape
        reach = self.first_kernel_size // 2
        shifts, columns = self._shifts(context), reach + width + reach
        size = [num_rows, reach + 1, reach + 1 + reach, channels]
        last = np.arange(reach + 1)[:, None] == reach

        def step(
            place: tf.Tensor, image: tf.Tensor, band: tf.Tensor, old: list
        ) -> tuple:
            i, j = place // width, place % width

            def next_row() -> tuple:
                """Puts the row that is done into the image; the band goes down."""
                is_done = _at(i - 1, height)[:, None, None]
                above, empty = band[:, 1:], tf.zeros_like(band[:, :1])
                memory = self.next_row(i, above, old, shifts)
                rows = tf.concat([above, empty], axis=1)
                return tf.where(is_done, band[:, -1:], image), rows, memory

            image, band, memory = tf.cond(
                tf.equal(j, 0), next_row, lambda: (image, band, old)
            )
            here = last & _at(reach + j, columns)
            for channel in range(channels):  # the features anew for each
                window = tf.slice(band, [0, 0, j, 0], size)
                y, new = self.at(j, window, memory, shifts)
                params = self.by_element(self._to_params(y), channels)
                value = choose(place * channels + channel, params[:, channel])
                now = here[..., None] & (np.arange(channels) == channel)
                band = tf.where(now, value[:, None, None, None], band)
            return place + 1, image, band, new

        image = tf.zeros([num_rows, height, columns, channels])
        # The rows of the first layer's window: writing a pixel costs no whole image.
        band = tf.zeros([num_rows, reach + 1, columns, channels])
        state = image, band, self.start(num_rows)
        image, band, _ = for_each(height * width, step, *state)
        image = tf.concat([image[:, :-1], band[:, -1:]], axis=1)
        return image[:, :, reach : reach + width]

    @abc.abstractmethod
    def start(self, num_rows: Int) -> list:
        """Memory before the first pixel, a list of tensors or of tuples of tensors."""

    @abc.abstractmethod
    def next_row(self, row: Int, above: tf.Tensor, memory: list, shifts: list) -> list:
        """Memory at the start of a row, from the memory at the end of the row before.

        `above` holds the rows of padded x in the first layer's window above this row.
        """

    @abc.abstractmethod
    def at(self, column: Int, window: tf.Tensor, memory: list, shifts: list) -> tuple:
        """Features of a pixel `[rows, 1, 1, features]`, and the memory after it.

        `window` is the first layer's window of x around the pixel.
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

    def _conv(self, inputs: list, outputs: list, **options: Any) -> MaskedConv2D:
        """A layer between features of these degrees."""
        return MaskedConv2D(inputs, outputs, **options, dtype=self.dtype_policy)

    def _shifts(self, context: Context) -> list[tf.Tensor]:
        """Contribution of the context to each block, see `features`."""
        if not self.context_dim:
            size = [1, 1, 1, self.context_width * self.filters]
            return [tf.zeros(size, self.compute_dtype)] * self.num_blocks
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


def _at(i: tf.Tensor, size: int) -> tf.Tensor:
    return tf.equal(tf.range(size), i)
