"""The networks of PixelRNN: Row LSTM and Diagonal BiLSTM."""

import abc
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.checks import ImageShape, NonNegativeInt, PositiveInt
from tfvae.config import register
from tfvae.layers.causal_conv import MaskedConv2D
from tfvae.layers.dense import Int
from tfvae.layers.line_lstm import LineLSTM
from tfvae.layers.pixel_network import KernelSize, PixelNetwork, put


class RecurrentNetwork(PixelNetwork):
    """Abstract: a `PixelNetwork` whose blocks are LSTMs with residual connections.

    There are twice as many features between the blocks as in the state of an LSTM.
    """

    fits_tflite = False  # TFLite has no operators for loops that collect their results

    @abc.abstractmethod
    def _make_block(self, degrees: list[int]) -> tuple[keras.layers.Layer, ...]:
        """The layers of a block, as `_add` takes them, for these input degrees."""

    @abc.abstractmethod
    def _add(self, x: tf.Tensor, y: tf.Tensor, shift: tf.Tensor, *block: Any) -> Any:
        """Output of a block for features y, `[rows, columns, batch, features]`."""

    def _make_layers(self) -> list[int]:
        self._stream = self._degrees(2 * self.filters)
        self.first = self._first(self._stream)
        self.blocks = [self._make_block(self._stream) for _ in range(self.num_blocks)]
        return self._stream

    def features(self, x: tf.Tensor, shifts: list) -> tf.Tensor:
        x, y = tf.transpose(x, [1, 2, 0, 3]), tf.transpose(self.first(x), [1, 2, 0, 3])
        for block, shift in zip(self.blocks, shifts, strict=True):
            y += self._add(x, y, shift[:, 0, 0], *block)
        return tf.transpose(y, [2, 0, 1, 3])

    def _to_gates(self, degrees: list[int], above: int = 0) -> MaskedConv2D:
        """A layer to the gates of an LSTM, which forgets nothing at first."""
        gates = self._degrees(*[self.filters] * 4)
        return self._conv(degrees, gates, above=above, bias_initializer=_remembering)


@register
class RowLSTM(RecurrentNetwork):
    """Row LSTM: states go down row by row, each from its neighbours above.

    A pixel depends on a triangle of pixels above it, and on pixels to its left as far
    as the windows of all layers reach.

    The arguments are those of `PixelNetwork`. `filters` counts the features of a state,
    `num_blocks` the LSTMs after the first layer, and `kernel_size` the columns of the
    input and of the row above that a state depends on.

    Example:
        >>> tfvae.layers.RowLSTM((8, 8, 1), 12, num_blocks=2)(x).shape
        TensorShape([32, 8, 8, 1])

    References:
        As `MaskedConv2D`, section 3.1.
    """

    def _make_block(self, degrees: list[int]) -> tuple[keras.layers.Layer, ...]:
        reach = self.kernel_size // 2
        return (
            self._to_gates(degrees, above=reach),  # of columns, see `features`
            LineLSTM(self.filters, reach, reach, dtype=self.dtype_policy),
            self._conv(self._degrees(self.filters), degrees),
        )

    def _add(self, x: tf.Tensor, y: tf.Tensor, shift: tf.Tensor, *block: Any) -> Any:
        to_gates, lstm, widen = block
        return widen(lstm(to_gates(y) + shift))

    def start(self, num_rows: Int) -> list:
        """Inputs before the pixel, and h and c of the row above and of this row."""
        _, columns, _ = self.event_shape
        before = tf.zeros([num_rows, self.kernel_size // 2, 1, len(self._stream)])
        row = tf.zeros([num_rows, 1, columns, self.filters])
        return [(before, row, row, row, row)] * self.num_blocks

    def next_row(self, row: Int, above: tf.Tensor, memory: list, shifts: list) -> list:
        return [(tf.zeros_like(before), *[h, c] * 2) for before, _, _, h, c in memory]

    def at(self, column: Int, window: tf.Tensor, memory: list, shifts: list) -> tuple:
        y, new, reach = self.first.valid(window), [], self.kernel_size // 2
        for block, kept, shift in zip(self.blocks, memory, shifts, strict=True):
            to_gates, lstm, widen = block
            before, h_above, c_above, h_row, c_row = kept
            seen = tf.concat([before, y], axis=1)
            padded = tf.pad(h_above, [[0, 0], [0, 0], [reach, reach], [0, 0]])
            beside = tf.gather(padded, column + tf.range(2 * reach + 1), axis=2)
            beside = tf.reshape(beside, [-1, 1, 1, lstm.kernel.shape[0]])
            c = tf.gather(c_above, [column], axis=2)
            h, c = lstm.cell(to_gates.valid(seen) + shift, beside, c)
            y += widen.valid(h)
            rows = put(h_row, column, h), put(c_row, column, c)
            new.append((seen[:, 1:], h_above, c_above, *rows))
        return y, new


@register
class DiagonalBiLSTM(RecurrentNetwork):
    """Diagonal BiLSTM: states go along the diagonals, from both upper corners.

    One LSTM's states depend on the states to the left and above, the other's on those
    to the right and above. The latter are moved down by a row, so that every pixel
    depends on all pixels before it and on nothing else. A state from the right also
    takes its own pixel as input, which the paper's mask hides: otherwise no pixel would
    depend on the last pixel of the row above.

    The arguments are those of `PixelNetwork` without `kernel_size`. `filters` counts
    the features of a state, `num_blocks` the pairs of LSTMs after the first layer.

    Example:
        >>> tfvae.layers.DiagonalBiLSTM((8, 8, 1), 12, num_blocks=2)(x).shape
        TensorShape([32, 8, 8, 1])

    References:
        As `MaskedConv2D`, section 3.2.
    """

    context_width = 8

    def __init__(
        self,
        event_shape: ImageShape,
        filters: PositiveInt = 32,
        num_blocks: PositiveInt = 8,
        params_size: PositiveInt = 1,
        *,
        first_kernel_size: KernelSize = 7,
        context_dim: NonNegativeInt = 0,
        **kwargs: Any,
    ) -> None:
        options = {"first_kernel_size": first_kernel_size, "context_dim": context_dim}
        sizes = event_shape, filters, num_blocks, params_size
        super().__init__(*sizes, **options, **kwargs)

    def _make_block(self, degrees: list[int]) -> tuple[keras.layers.Layer, ...]:
        rows, columns, channels = self.event_shape
        step, row = np.indices([rows + columns - 1, rows])
        alive = ((row <= step) & (step < row + columns)).astype("float32")
        options = {"left": 1, "right": 0, "alive": alive, "dtype": self.dtype_policy}
        return (
            self._to_gates(degrees),
            LineLSTM(self.filters, **options),
            self._to_gates([*degrees, *[-1] * channels]),
            LineLSTM(self.filters, **options),
            self._conv(self._degrees(self.filters), degrees),
        )

    def _add(self, x: tf.Tensor, y: tf.Tensor, shift: tf.Tensor, *block: Any) -> Any:
        to_left, left, to_right, right, widen = block
        for_left, for_right = tf.split(shift, 2, axis=-1)
        from_left = _to_image(left(to_left(_to_diagonals(y)) + for_left))
        mirrored = tf.reverse(tf.concat([y, x], axis=-1), [1])
        from_right = right(to_right(_to_diagonals(mirrored)) + for_right)
        from_right = tf.reverse(_to_image(from_right), [1])
        # Further down by a row, the pixel itself has come before, too.
        above, _ = tf.split(from_right, [from_right.shape[0] - 1, 1])
        return widen(from_left + tf.pad(above, [[1, 0], [0, 0], [0, 0], [0, 0]]))

    def start(self, num_rows: Int) -> list:
        """Inputs and states for each block, `(inputs, above, here, h, c, from_right)`.

        Those are the inputs in this row; the h from the left of the row above, and of
        this row; h and c of the pixel before; the h from the right of the row above.
        """
        _, columns, _ = self.event_shape
        inputs = tf.zeros([num_rows, 1, columns, len(self._stream)])
        row = tf.zeros([num_rows, 1, columns, self.filters])
        return [(inputs, row, row, row[:, :, :1], row[:, :, :1], row)] * self.num_blocks

    def next_row(self, row: Int, above: tf.Tensor, memory: list, shifts: list) -> list:
        """The states from the right, of the row above."""
        reach, new = self.first_kernel_size // 2, []
        x = above[:, -1:, reach:-reach]
        for block, kept, shift in zip(self.blocks, memory, shifts, strict=True):
            _, _, to_right, right, _ = block
            y, _, left, _, _, last = kept
            _, for_right = tf.split(shift, 2, axis=-1)
            gates = to_right.valid(tf.concat([y, x], axis=-1)) + for_right
            line = (tf.transpose(a[:, 0, ::-1], [1, 0, 2]) for a in (gates, last))
            states = tf.transpose(right.line(*line), [1, 0, 2])[:, None, ::-1]
            states = tf.where(row > 0, states, tf.zeros_like(states))
            start = tf.zeros_like(left[:, :, :1])
            new.append((y, left, left, start, start, states))
        return new

    def at(self, column: Int, window: tf.Tensor, memory: list, shifts: list) -> tuple:
        y, new = self.first.valid(window), []
        for block, kept, shift in zip(self.blocks, memory, shifts, strict=True):
            to_left, left, _, _, widen = block
            inputs, above, here, h, c, from_right = kept
            inputs = put(inputs, column, y)
            beside = tf.concat([tf.gather(above, [column], axis=2), h], axis=-1)
            for_left, _ = tf.split(shift, 2, axis=-1)
            h, c = left.cell(to_left.valid(y) + for_left, beside, c)
            y += widen.valid(h + tf.gather(from_right, [column], axis=2))
            new.append((inputs, above, put(here, column, h), h, c, from_right))
        return y, new


def _to_diagonals(x: tf.Tensor) -> tf.Tensor:
    """The diagonals `[rows + columns - 1, rows, ...]` of `[rows, columns, ...]`.

    Row i is moved to the right by i: what is padded to rows of n + 1 columns is read as
    rows of n. The cells of a diagonal that lie beside the image are 0.
    """
    rows, columns, _, features = x.shape
    steps = rows + columns - 1
    x = tf.pad(x, [[0, 0], [0, rows], [0, 0], [0, 0]])
    x = tf.reshape(x, [rows * (steps + 1), -1, features])
    # The gradient of an index would take ten times as long.
    x = tf.slice(x, [0, 0, 0], [rows * steps, -1, -1])
    return tf.transpose(tf.reshape(x, [rows, steps, -1, features]), [1, 0, 2, 3])


def _to_image(x: tf.Tensor) -> tf.Tensor:
    """The inverse of `_to_diagonals`."""
    steps, rows, _, features = x.shape
    x = tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [rows * steps, -1, features])
    x = tf.pad(x, [[0, rows], [0, 0], [0, 0]])
    x = tf.reshape(x, [rows, steps + 1, -1, features])
    return tf.slice(x, [0, 0, 0, 0], [rows, steps - rows + 1, -1, -1])


def _remembering(shape: tuple, dtype: Any = None) -> tf.Tensor:
    """Biases of the gates i, f, o, g: 1 for f."""
    return tf.repeat(tf.constant([0, 1, 0, 0], dtype), shape[0] // 4)
