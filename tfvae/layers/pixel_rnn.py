"""The networks of PixelRNN: Row LSTM and Diagonal BiLSTM."""

import abc

import numpy as np
import tensorflow as tf

from tfvae.config import register
from tfvae.layers.line_lstm import LineLSTM
from tfvae.layers.pixel_network import PixelNetwork, halves, put


class RecurrentNetwork(PixelNetwork):
    """Abstract: a `PixelNetwork` whose blocks are LSTMs with residual connections."""

    @abc.abstractmethod
    def _block(self):
        """The layers of one more block, in the order in which `_states` takes them."""

    @abc.abstractmethod
    def _states(self, x, y, shift, *block):
        """What a block adds to features y, `[rows, columns, batch, features]`."""

    def _make_layers(self):
        self._stream = self._degrees(2 * self.filters)
        self.first = self._first()
        self.blocks = [self.loop_options() for _ in range(self.num_blocks)]

    def features(self, x, shifts):
        """See `PixelNetwork`; between, `[rows, columns, batch, features]`."""
        x, y = tf.transpose(x, [1, 2, 0, 3]), tf.transpose(self.first(x), [1, 2, 0, 3])
        for block, shift in zip(self.blocks, shifts, strict=True):
            shift = shift[:, 0, 0] if shift.shape.rank else shift
            y += self._states(x, y, shift, *block)
        return tf.transpose(y, [2, 0, 1, 3])

    def _to_gates(self, degrees, above=0):
        """A layer to the gates of an LSTM, which forgets nothing at first."""
        gates = self._degrees(*[self.filters] * 4)
        return self._conv(degrees, gates, above=above, bias_initializer=_remembering)


@register
class RowLSTM(RecurrentNetwork):
    """Row LSTM: states go down row by row, each from its neighbours above.

    A pixel sees a triangle above it, and as far to its left as the windows of all
    layers reach.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Features of a state; there are twice as many between blocks.
        num_blocks: Number of LSTMs after the first layer.
        params_size: Parameters for each element, as the likelihood wants them.
        kernel_size: Columns that a state sees of the input and of the row above, an odd
            number.
        first_kernel_size: Rows and columns of the first layer's window.
        context_dim: Size of the context that all pixels see; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where one is too low or a window's size is even.

    Example:
        >>> network = tfvae.layers.RowLSTM((8, 8, 1), 12, num_blocks=2)
        >>> network(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5, 8, 8, 1])

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016, section 3.1,
        https://arxiv.org/abs/1601.06759
    """

    def _block(self):
        reach = self.kernel_size // 2
        self._add_context(4 * self.filters)
        return (
            self._to_gates(self._stream, above=reach),  # of columns, see `features`
            LineLSTM(self.filters, reach, reach, **self._kept),
            self._conv(self._degrees(self.filters), self._stream),
        )

    def _states(self, x, y, shift, to_gates, lstm, widen):
        return widen(lstm(to_gates(y) + shift))

    def start(self, num_rows):
        """See `PixelNetwork`: inputs before, h and c of the rows above and here."""
        _, columns, _ = self.event_shape
        before = tf.zeros([num_rows, self.kernel_size // 2, 1, len(self._stream)])
        row = tf.zeros([num_rows, 1, columns, self.filters])
        return [(before, row, row, row, row)] * self.num_blocks

    def next_row(self, row, x_above, memory, shifts):
        """See `PixelNetwork`."""
        return [(tf.zeros_like(before), *[h, c] * 2) for before, _, _, h, c in memory]

    def at(self, column, window, memory, shifts):
        """See `PixelNetwork`."""
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

    A state sees the ones to its left and above, or to its right and above; those from
    the right are moved down by a row, so that every pixel sees all before it and
    nothing else. For that a state from the right takes its pixel, too, which the
    paper's mask hides: the last pixel of the row above would be seen by none.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Features of a state; there are twice as many between blocks.
        num_blocks: Number of pairs of LSTMs after the first layer.
        params_size: Parameters for each element, as the likelihood wants them.
        first_kernel_size: Rows and columns of the first layer's window.
        context_dim: Size of the context that all pixels see; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where one is too low or a window's size is even.

    Example:
        >>> network = tfvae.layers.DiagonalBiLSTM((8, 8, 1), 12, num_blocks=2)
        >>> network(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5, 8, 8, 1])

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016, section 3.2,
        https://arxiv.org/abs/1601.06759
    """

    def __init__(
        self,
        event_shape,
        filters=32,
        num_blocks=8,
        params_size=1,
        *,
        first_kernel_size=7,
        context_dim=0,
        **kwargs,
    ):
        sizes = {"first_kernel_size": first_kernel_size, "context_dim": context_dim}
        super().__init__(
            event_shape, filters, num_blocks, params_size, **sizes, **kwargs
        )

    def _make_layers(self):
        rows, columns, _ = self.event_shape
        self._diagonals = _Diagonals(rows, columns)
        super()._make_layers()

    def _block(self):
        self._add_context(8 * self.filters)
        alive, channels = self._diagonals.alive, self.event_shape[-1]
        options = {"left": 1, "right": 0, "alive": alive, **self._kept}
        return (
            self._to_gates(self._stream),
            LineLSTM(self.filters, **options),
            self._to_gates(np.append(self._stream, [-1] * channels)),
            LineLSTM(self.filters, **options),
            self._conv(self._degrees(self.filters), self._stream),
        )

    def _states(self, x, y, shift, to_left, left, to_right, right, widen):
        paths, (for_left, for_right) = self._diagonals, halves(shift)
        from_left = left(to_left(paths.along(y)) + for_left)
        # A row further down the pixel itself has come before, too.
        y = paths.along(tf.concat([y, x], axis=-1), mirrored=True)
        from_right = right(to_right(y) + for_right)
        return widen(paths.back(from_left) + paths.back(from_right, mirrored=True))

    def start(self, num_rows):
        """See `PixelNetwork`.

        For a block its inputs in the row, the states from the left of the row above and
        here and of the pixel before with its c, and those from the right of the row
        above.
        """
        _, columns, _ = self.event_shape
        inputs = tf.zeros([num_rows, 1, columns, len(self._stream)])
        row = tf.zeros([num_rows, 1, columns, self.filters])
        return [(inputs, row, row, row[:, :, :1], row[:, :, :1], row)] * self.num_blocks

    def next_row(self, row, x_above, memory, shifts):
        """See `PixelNetwork`: the states from the right, of the row above."""
        reach, new = self.first_kernel_size // 2, []
        x = x_above[:, -1:, reach:-reach]
        for block, kept, shift in zip(self.blocks, memory, shifts, strict=True):
            _, _, to_right, right, _ = block
            y, _, left, _, _, above = kept
            gates = to_right.valid(tf.concat([y, x], axis=-1)) + halves(shift)[1]
            line = [
                tf.transpose(values[:, 0, ::-1], [1, 0, 2]) for values in (gates, above)
            ]
            states = tf.transpose(right.line(*line), [1, 0, 2])[:, None, ::-1]
            states = tf.where(row > 0, states, tf.zeros_like(states))
            start = tf.zeros_like(left[:, :, :1])
            new.append((y, left, left, start, start, states))
        return new

    def at(self, column, window, memory, shifts):
        """See `PixelNetwork`."""
        y, new = self.first.valid(window), []
        for block, kept, shift in zip(self.blocks, memory, shifts, strict=True):
            to_left, left, _, _, widen = block
            inputs, above, here, h, c, from_right = kept
            inputs = put(inputs, column, y)
            beside = tf.concat([tf.gather(above, [column], axis=2), h], axis=-1)
            h, c = left.cell(to_left.valid(y) + halves(shift)[0], beside, c)
            y += widen.valid(h + tf.gather(from_right, [column], axis=2))
            new.append((inputs, above, put(here, column, h), h, c, from_right))
        return y, new


class _Diagonals:
    """Where the pixels of an image are in its diagonals: row i is moved by i.

    Mirrored, the diagonals go from the upper right, and on the way back everything is
    moved down by a row.

    Args:
        rows: Rows of the image.
        columns: Its columns.
    """

    def __init__(self, rows, columns):
        step, row = np.indices([rows + columns - 1, rows])
        column = step - row
        self.alive = ((column >= 0) & (column < columns)).astype("float32")
        alive, there = self.alive > 0, np.arange(self.alive.size).reshape(step.shape)
        self._along, self._back = [], []
        for mirrored in (False, True):
            at = columns - 1 - column if mirrored else column
            self._along.append(np.where(alive, row * columns + at, -1))
            back = np.full([rows + 1, columns], -1)
            back[row[alive] + mirrored, at[alive]] = there[alive]
            self._back.append(back[:rows])

    def along(self, x, mirrored=False):
        """The diagonals `[rows + columns - 1, rows, ...]` of `[rows, columns, ...]`."""
        return _moved(x, self._along[mirrored])

    def back(self, x, mirrored=False):
        """The image of diagonals."""
        return _moved(x, self._back[mirrored])


def _moved(x, source):
    """Elements of x at other places, of its first two axes; 0 where that is -1."""
    size = x.shape[0] * x.shape[1]
    back = np.full(size + 1, -1)
    back[source] = np.arange(source.size).reshape(source.shape)
    back = back[:size].reshape(x.shape[:2])

    @tf.custom_gradient
    def move(x):
        return _gathered(x, source), lambda d_y: _gathered(d_y, back)

    return move(x)


def _gathered(x, source):
    x = tf.reshape(x, [x.shape[0] * x.shape[1], -1, x.shape[-1]])
    x = tf.pad(x, [[0, 1], [0, 0], [0, 0]])  # the last one is where -1 points
    return tf.gather(x, np.where(source < 0, x.shape[0] - 1, source))


def _remembering(shape, dtype=None):
    """Biases of the gates i, f, o, g: 1 for f."""
    return tf.repeat(tf.constant([0, 1, 0, 0], dtype), shape[0] // 4)
