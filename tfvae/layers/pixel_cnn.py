"""The networks of PixelCNN: plain and residual, or gated with two stacks."""

import keras
import numpy as np
import tensorflow as tf

from tfvae.config import register
from tfvae.layers.pixel_network import PixelNetwork, halves, put, square


@register
class GatedPixelNetwork(PixelNetwork):
    """Gated PixelCNN: a vertical stack of the rows above, a horizontal one of this row.

    In each block, for features v of the vertical and h of the horizontal stack,
    `v' = v + gate(V * v)` and `h' = h + W * g` with `g = gate(H * h + U * (V * v))`,
    where `gate(a, b) = tanh(a) sigmoid(b)`, and a context is added inside of the gates.
    The last layers take a sum of `S * g` over all blocks. There is no blind spot: with
    enough blocks a pixel sees all before it.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Features of each stack.
        num_blocks: Number of blocks, the first one included.
        params_size: Parameters for each element, as the likelihood wants them.
        kernel_size: Columns of a block's window, an odd number.
        first_kernel_size: The same of the first block.
        context_dim: Size of the context that all pixels see; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where one is too low or a window's size is even.

    Example:
        >>> network = tfvae.layers.GatedPixelNetwork((8, 8, 3), 12, 2, params_size=4)
        >>> network(tf.zeros([5, 8, 8, 3])).shape
        TensorShape([5, 8, 8, 12])

    References:
        van den Oord et al., Conditional Image Generation with PixelCNN Decoders, 2016,
        https://arxiv.org/abs/1606.05328
    """

    def _make_layers(self):
        double, single = self._degrees(*[self.filters] * 2), self._degrees(self.filters)
        v_degrees = h_degrees = self._degrees(self.event_shape[-1])
        self._stream = double
        self.blocks = []
        for i in range(self.num_blocks):
            reach = (self.kernel_size if i else self.first_kernel_size) // 2
            # The first block's rows are those above alone.
            rows = {"above": reach if i else reach - 1, "whole_rows": True}
            self.blocks.append(
                _Gated(
                    not i,
                    self._conv(v_degrees, double, **rows, left=reach, right=reach),
                    self._conv(double, double, whole_rows=True),
                    self._conv(h_degrees, double, left=reach, strict=not i),
                    self._conv(single, np.concatenate([single, double])),
                )
            )
            self._add_context(4 * self.filters)
            v_degrees = h_degrees = single

    def features(self, x, shifts):
        """See `PixelNetwork`."""
        v, h = tf.pad(x, [[0, 0], [1, 0], [0, 0], [0, 0]])[:, :-1], x
        total = 0
        for block, shift in zip(self.blocks, shifts, strict=True):
            v, from_above = block.down(v, block.vertical(v), shift)
            h, skip = block.across(h, block.horizontal(h), from_above)
            total += skip
        return total

    def start(self, num_rows):
        """See `PixelNetwork`: rows above, what they give, pixels before."""
        _, width, channels = self.event_shape
        memory, features = [], channels
        for block in self.blocks:
            rows = tf.zeros([num_rows, block.vertical.above, width, features])
            from_above = tf.zeros([num_rows, 1, width, 2 * self.filters])
            before = tf.zeros([num_rows, 1, block.horizontal.left, features])
            memory.append((rows, from_above, before))
            features = self.filters
        return memory

    def next_row(self, row, x_above, memory, shifts):
        """See `PixelNetwork`: the vertical stack of a row."""
        v, new = None, []
        for block, (rows, _, before), shift in zip(
            self.blocks, memory, shifts, strict=True
        ):
            window = x_above
            if not block.first:
                rows = tf.concat([rows, v], axis=1)
                window, rows = block.vertical.padded(rows), rows[:, 1:]
            v, from_above = block.down(v, block.vertical.valid(window), shift)
            new.append((rows, from_above, tf.zeros_like(before)))
        return new

    def at(self, column, window, memory, shifts):
        """See `PixelNetwork`: the horizontal stack of a pixel."""
        h, total, new = None, 0, []
        for block, (rows, all_from_above, before) in zip(
            self.blocks, memory, strict=True
        ):
            if block.first:
                reach = block.horizontal.left
                window = window[:, reach:, : reach + 1]
            else:
                window = tf.concat([before, h], axis=2)
                before = window[:, :, 1:]
            from_above = tf.gather(all_from_above, [column], axis=2)
            h, skip = block.across(h, block.horizontal.valid(window), from_above)
            total += skip
            new.append((rows, all_from_above, before))
        return total, new


class _Gated(keras.layers.Layer):
    """One block of the two stacks, once its windows are summed up."""

    def __init__(self, first, vertical, to_horizontal, horizontal, out, **kwargs):
        super().__init__(**kwargs)
        self.first = first
        self.vertical, self.to_horizontal = vertical, to_horizontal
        self.horizontal, self.out = horizontal, out

    def down(self, v, y, shift):
        """The vertical stack's features, and what the horizontal one takes of them.

        Args:
            v: Those of the block before.
            y: What `vertical` gives for them.
            shift: What the context adds.
        """
        for_rows, for_pixels = halves(shift)
        new = gate(y + for_rows)
        from_above = self.to_horizontal(y) + for_pixels
        return new if self.first else v + new, from_above

    def across(self, h, y, from_above):
        """The horizontal stack's features, and what the last layers take of them.

        Args:
            h: Those of the block before.
            y: What `horizontal` gives for them.
            from_above: What the vertical stack gives.
        """
        y = self.out(gate(y + from_above))
        # Of slices the gradient would take ten times as long.
        new, for_last = tf.split(y, [y.shape[-1] // 3, -1], axis=-1)
        return new if self.first else h + new, for_last


@register
class ResidualPixelNetwork(PixelNetwork):
    """PixelCNN as first published: residual blocks of masked convolutions.

    Each block is `y' = y + W2 * relu(M * relu(W1 * relu(y)))`, of 1 x 1 convolutions W
    and a masked one M, which halves the features and doubles them again. It has a blind
    spot: a pixel sees nothing of what lies to its upper right beyond a diagonal, see
    `GatedPixelNetwork`.

    Args:
        event_shape: Shape of one image, `(height, width, channels)`.
        filters: Features in the middle of a block; there are twice as many between.
        num_blocks: Number of blocks after the first layer.
        params_size: Parameters for each element, as the likelihood wants them.
        kernel_size: Rows and columns of a block's window, an odd number.
        first_kernel_size: The same of the first layer.
        context_dim: Size of the context that all pixels see; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where one is too low or a window's size is even.

    Example:
        >>> network = tfvae.layers.ResidualPixelNetwork((8, 8, 1), 12, num_blocks=2)
        >>> network(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5, 8, 8, 1])

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016,
        https://arxiv.org/abs/1601.06759
    """

    def _make_layers(self):
        middle, self._stream = map(self._degrees, [self.filters, 2 * self.filters])
        self.first, self.blocks = self._first(), []
        for _ in range(self.num_blocks):
            block = (
                self._conv(self._stream, middle),
                self._conv(middle, middle, **square(self.kernel_size)),
                self._conv(middle, self._stream),
            )
            self.blocks.append(block)
            self._add_context(self.filters)

    def features(self, x, shifts):
        """See `PixelNetwork`."""
        y = self.first(x)
        for (narrow, masked, widen), shift in zip(self.blocks, shifts, strict=True):
            z = masked(tf.nn.relu(narrow(tf.nn.relu(y)))) + shift
            y += widen(tf.nn.relu(z))
        return y

    def start(self, num_rows):
        """See `PixelNetwork`: the narrow features of the rows in a window."""
        reach = self.kernel_size // 2
        shape = [reach + 1, reach + self.event_shape[1] + reach, self.filters]
        return [tf.zeros([num_rows, *shape])] * self.num_blocks

    def next_row(self, row, x_above, memory, shifts):
        """See `PixelNetwork`."""
        return [
            tf.concat([rows[:, 1:], tf.zeros_like(rows[:, :1])], axis=1)
            for rows in memory
        ]

    def at(self, column, window, memory, shifts):
        """See `PixelNetwork`."""
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


def gate(y):
    """`tanh(a) sigmoid(b)` for the halves a and b of features."""
    a, b = tf.split(y, 2, axis=-1)
    return tf.tanh(a) * tf.sigmoid(b)
