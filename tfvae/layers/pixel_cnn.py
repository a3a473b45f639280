"""The networks of PixelCNN: residual blocks, or gated blocks with two stacks."""

import keras
import tensorflow as tf

from tfvae.config import register
from tfvae.layers.dense import Int, Pair
from tfvae.layers.pixel_network import PixelNetwork, put, square


@register
class GatedPixelNetwork(PixelNetwork):
    """Gated PixelCNN: a vertical stack of the rows above, a horizontal one of this row.

    In each block, for features v of the vertical and h of the horizontal stack,
    `v' = v + gate(V * v)` and `h' = h + W * g` with `g = gate(H * h + U * (V * v))`,
    where `gate(a, b) = tanh(a) sigmoid(b)`. A context is added inside the gates. The
    last layers take a sum of `S * g` over all blocks. There is no blind spot: with
    enough blocks a pixel depends on all pixels before it.

    The arguments are those of `PixelNetwork`. `filters` counts features of each stack,
    `num_blocks` includes the first block, and a block's window is the upper half of a
    square.

    Example:
        >>> tfvae.layers.GatedPixelNetwork((8, 8, 1), 12, 2, params_size=4)(x).shape
        TensorShape([32, 8, 8, 4])

    References:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016,
        https://arxiv.org/abs/1606.05328
    """

    def _make_layers(self) -> list[int]:
        single, double = self._degrees(self.filters), self._degrees(*[self.filters] * 2)
        inputs, self.blocks = self._degrees(self.event_shape[-1]), []
        for i in range(self.num_blocks):
            reach = (self.kernel_size if i else self.first_kernel_size) // 2
            # The rows of the first block are those above only.
            rows = {"above": reach if i else reach - 1, "whole_rows": True}
            layers = (
                self._conv(inputs, double, **rows, left=reach, right=reach),
                self._conv(double, double, whole_rows=True),
                self._conv(inputs, double, left=reach, strict=not i),
                self._conv(single, single + double),
            )
            self.blocks.append(_Gated(not i, layers))
            inputs = single
        return double

    def features(self, x: tf.Tensor, shifts: list) -> tf.Tensor:
        v, h = tf.pad(x, [[0, 0], [1, 0], [0, 0], [0, 0]])[:, :-1], x
        total = 0
        for block, shift in zip(self.blocks, shifts, strict=True):
            v, from_above = block.down(v, block.vertical(v), shift)
            h, skip = block.across(h, block.horizontal(h), from_above)
            total += skip
        return total

    def start(self, num_rows: Int) -> list:
        """Rows above, their contribution to the current row, and the pixels before."""
        _, width, features = self.event_shape
        memory = []
        for block in self.blocks:
            rows = tf.zeros([num_rows, block.vertical.above, width, features])
            from_above = tf.zeros([num_rows, 1, width, 2 * self.filters])
            before = tf.zeros([num_rows, 1, block.horizontal.left, features])
            memory.append((rows, from_above, before))
            features = self.filters
        return memory

    def next_row(self, row: Int, above: tf.Tensor, memory: list, shifts: list) -> list:
        """The vertical stack of a row."""
        v, new = None, []
        for block, kept, shift in zip(self.blocks, memory, shifts, strict=True):
            (rows, _, before), window = kept, above
            if not block.first:
                rows = tf.concat([rows, v], axis=1)
                window, rows = block.vertical.padded(rows), rows[:, 1:]
            v, from_above = block.down(v, block.vertical.valid(window), shift)
            new.append((rows, from_above, tf.zeros_like(before)))
        return new

    def at(self, column: Int, window: tf.Tensor, memory: list, shifts: list) -> tuple:
        """The horizontal stack of a pixel."""
        h, total, new = None, 0, []
        for block, kept in zip(self.blocks, memory, strict=True):
            rows, from_above, before = kept
            if block.first:
                reach = block.horizontal.left
                window = window[:, reach:, : reach + 1]
            else:
                window = tf.concat([before, h], axis=2)
                before = window[:, :, 1:]
            y = block.horizontal.valid(window)
            h, skip = block.across(h, y, tf.gather(from_above, [column], axis=2))
            total += skip
            new.append((rows, from_above, before))
        return total, new


class _Gated(keras.layers.Layer):
    """One block of the two stacks."""

    def __init__(self, first: bool, layers: tuple[keras.layers.Layer, ...]) -> None:
        super().__init__()
        self.first = first
        self.vertical, self.to_horizontal, self.horizontal, self.out = layers

    def down(self, v: tf.Tensor | None, y: tf.Tensor, shift: tf.Tensor) -> Pair:
        """The vertical stack's features, and their contribution to the horizontal one.

        `y` is the output of `vertical` for the features v of the block before.
        """
        for_rows, for_pixels = tf.split(shift, 2, axis=-1)
        new = _gate(y + for_rows)
        from_above = self.to_horizontal(y) + for_pixels
        return new if self.first else v + new, from_above

    def across(self, h: tf.Tensor | None, y: tf.Tensor, from_above: tf.Tensor) -> Pair:
        """The horizontal stack's features, and their contribution to the last layers.

        `y` is the output of `horizontal` for the features h of the block before.
        """
        y = self.out(_gate(y + from_above))
        # With slices the gradient would take ten times as long.
        new, for_last = tf.split(y, [y.shape[-1] // 3, -1], axis=-1)
        return new if self.first else h + new, for_last


@register
class ResidualPixelNetwork(PixelNetwork):
    """PixelCNN as first published: residual blocks of masked convolutions.

    Each block is `y' = y + W2 * relu(M * relu(W1 * relu(y)))`, with 1 x 1 convolutions
    W and a masked convolution M between half as many features. It has a blind spot: a
    pixel does not depend on the pixels to its upper right beyond a diagonal, see
    `GatedPixelNetwork`.

    The arguments are those of `PixelNetwork`. `filters` counts the features in the
    middle of a block; there are twice as many between blocks. `num_blocks` counts the
    blocks after the first layer.

    Example:
        >>> tfvae.layers.ResidualPixelNetwork((8, 8, 1), 12, num_blocks=2)(x).shape
        TensorShape([32, 8, 8, 1])

    References:
        As `MaskedConv2D`.
    """

    context_width = 1

    def _make_layers(self) -> list[int]:
        middle, stream = map(self._degrees, [self.filters, 2 * self.filters])
        self.first, self.blocks = self._first(stream), []
        for _ in range(self.num_blocks):
            narrow = self._conv(stream, middle)
            masked = self._conv(middle, middle, **square(self.kernel_size))
            self.blocks.append((narrow, masked, self._conv(middle, stream)))
        return stream

    def features(self, x: tf.Tensor, shifts: list) -> tf.Tensor:
        y = self.first(x)
        for (narrow, masked, widen), shift in zip(self.blocks, shifts, strict=True):
            z = masked(tf.nn.relu(narrow(tf.nn.relu(y)))) + shift
            y += widen(tf.nn.relu(z))
        return y

    def start(self, num_rows: Int) -> list:
        """The features in the middle of each block, for the rows in a window."""
        reach = self.kernel_size // 2
        shape = [reach + 1, reach + self.event_shape[1] + reach, self.filters]
        return [tf.zeros([num_rows, *shape])] * self.num_blocks

    def next_row(self, row: Int, above: tf.Tensor, memory: list, shifts: list) -> list:
        below = [[0, 0], [0, 1], [0, 0], [0, 0]]
        return [tf.pad(rows[:, 1:], below) for rows in memory]

    def at(self, column: Int, window: tf.Tensor, memory: list, shifts: list) -> tuple:
        y, new, size = self.first.valid(window), [], self.kernel_size
        for block, rows, shift in zip(self.blocks, memory, shifts, strict=True):
            narrow, masked, widen = block
            z = tf.nn.relu(narrow.valid(tf.nn.relu(y)))
            last = put(rows[:, -1:], size // 2 + column, z)
            rows = tf.concat([rows[:, :-1], last], axis=1)
            window = tf.gather(rows, column + tf.range(size), axis=2)
            y += widen.valid(tf.nn.relu(masked.valid(window) + shift))
            new.append(rows)
        return y, new


def _gate(y: tf.Tensor) -> tf.Tensor:
    """`tanh(a) sigmoid(b)` for the halves a and b of features."""
    a, b = tf.split(y, 2, axis=-1)
    return tf.tanh(a) * tf.sigmoid(b)
