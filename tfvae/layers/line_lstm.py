"""LSTM whose states form a line: one step for each row or diagonal of an image."""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae.layers.autoregressive import for_each
from tfvae.layers.dense import Pair


class LineLSTM(keras.layers.Layer):
    """LSTM for a line of cells, each of which sees its neighbours one step before.

    `i, f, o, g = gates_t + K * h_(t-1)`, where K is a convolution along the line,
    `c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)`, `h_t = sigmoid(o) tanh(c_t)`.
    A call maps the contribution of the inputs to i, f, o and g, `[steps, cells, batch,
    4 units]`, to the h of all steps, `[steps, cells, batch, units]`.

    Args:
        units: Number of features of a cell.
        left: Number of neighbours before a cell that the cell sees.
        right: Number of neighbours after a cell that the cell sees.
        alive: 1 for cells that exist, `[steps, cells]`; c and h of the others stay 0.
            None if all exist.

    References:
        As `MaskedConv2D`, section 3.
    """

    def __init__(
        self,
        units: int,
        left: int,
        right: int,
        alive: np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units, self.left, self.right, self._alive = units, left, right, alive

    def build(self, gates_shape: tuple | None = None) -> None:
        if not self.built:
            shape = (self.left + 1 + self.right) * self.units, 4 * self.units
            self.kernel = self.add_weight(name="kernel", shape=shape)

    def call(self, gates: tf.Tensor) -> tf.Tensor:
        alive = None
        if self._alive is not None:
            alive = tf.cast(self._alive[..., None, None], gates.dtype)
        line = _Line(self.left, self.right, alive)
        return line.states(gates, tf.convert_to_tensor(self.kernel))

    def cell(self, gates: tf.Tensor, window: tf.Tensor, c: tf.Tensor) -> Pair:
        """The h and c of single cells after one step, `[..., units]`.

        `gates` is the contribution of the inputs, `[..., 4 units]`; `window` holds the
        h of the neighbours one step before, `[..., (left + 1 + right) * units]`, and c
        is that of the cell itself one step before.
        """
        h, c, _, _ = _cell(gates + tf.tensordot(window, self.kernel, 1), c)
        return h, c

    def line(self, gates: tf.Tensor, windows: tf.Tensor) -> tf.Tensor:
        """The h along a line of cells, each of which is one step after the last.

        `gates` is the contribution of the inputs, `[cells, batch, 4 units]`; `windows`
        holds the h of the neighbours, `[cells, batch, left * units]`, without the cell
        itself, which comes last in the kernel.
        """
        above, own = tf.split(self.kernel, [self.left * self.units, self.units])
        gates += tf.tensordot(windows, above, 1)
        return _Line().states(gates[:, None], own)[:, 0]


class _Line(NamedTuple):
    """The recurrence along a line of cells, see `LineLSTM`."""

    left: int = 0
    right: int = 0
    alive: tf.Tensor | None = None

    def states(self, gates: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The h of all steps, with a gradient of its own.

        As in the fused LSTM of a library, the backward loop collects the gradients of
        the gates, and the gradient of the kernel is a single product after the loop.
        With TensorFlow's own gradient of the loop, which `keras.layers.RNN` has, a
        training step takes more than twice as long.
        """

        @tf.custom_gradient
        def scan(gates: tf.Tensor, kernel: tf.Tensor) -> tuple:
            hs, *others = self._forward(gates, kernel)

            def backward(d_hs: tf.Tensor) -> Pair:
                d_gates = self._backward(d_hs, kernel, hs, *others)
                window = self._window(_one_step_before(hs))
                rows = [tf.reshape(a, [-1, a.shape[-1]]) for a in (window, d_gates)]
                return d_gates, tf.matmul(*rows, transpose_a=True)

            return hs, backward

        return scan(gates, kernel)

    def _forward(self, gates: tf.Tensor, kernel: tf.Tensor) -> list[tf.Tensor]:
        """The h, c, (i, f, o) and g of all steps."""
        start = tf.zeros_like(gates[0, ..., : gates.shape[-1] // 4])

        def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *arrays: Any) -> tuple:
            total = gates[t] + _product(self._window(h), kernel)
            new = _cell(total, c, None if self.alive is None else self.alive[t])
            written = [a.write(t, value) for a, value in zip(arrays, new, strict=True)]
            return t + 1, *new[:2], *written

        steps = gates.shape[0]
        arrays = [tf.TensorArray(gates.dtype, steps) for _ in range(4)]
        _, _, *arrays = for_each(steps, step, start, start, *arrays)
        return [array.stack() for array in arrays]

    def _backward(self, d_hs: tf.Tensor, kernel: tf.Tensor, *states: Any) -> tf.Tensor:
        """The gradient of the gates of all steps, from the gradient of all h."""
        (hs, cs, ifos, gs), transposed = states, tf.transpose(kernel)
        steps, start, c_before = hs.shape[0], tf.zeros_like(hs[0]), _one_step_before(cs)

        def step(k: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor, d_gates: Any) -> tuple:
            t = steps - 1 - k
            i, f, o = tf.split(ifos[t], 3, axis=-1)
            g, tanh = gs[t], tf.tanh(cs[t])
            d_h += d_hs[t]
            d_c += d_h * o * (1 - tanh * tanh)
            d_c = d_c if self.alive is None else d_c * self.alive[t]
            d_ifo = tf.concat([d_c * g, d_c * c_before[t], d_h * tanh], axis=-1)
            d_ifo *= ifos[t] * (1 - ifos[t])
            d_total = tf.concat([d_ifo, d_c * i * (1 - g * g)], axis=-1)
            d_h = self._from_window(_product(d_total, transposed))
            return k + 1, d_h, d_c * f, d_gates.write(t, d_total)

        d_gates = tf.TensorArray(hs.dtype, steps)
        return for_each(steps, step, start, start, d_gates)[-1].stack()

    def _window(self, h: tf.Tensor) -> tf.Tensor:
        """Cells with neighbours: `[..., cells, batch, (left + 1 + right) * units]`."""
        cells, outer = h.shape[-3], [[0, 0]] * (h.shape.rank - 3)
        h = tf.pad(h, [*outer, [self.left, self.right], [0, 0], [0, 0]])
        parts = [h[..., k : k + cells, :, :] for k in range(self.left + 1 + self.right)]
        return tf.concat(parts, axis=-1)

    def _from_window(self, d_window: tf.Tensor) -> tf.Tensor:
        """The transpose of `_window`, for `[cells, batch, ...]`."""
        cells, size = d_window.shape[0], self.left + 1 + self.right
        parts = tf.split(d_window, size, axis=-1)
        paddings = [[[k, size - 1 - k], [0, 0], [0, 0]] for k in range(size)]
        total = tf.add_n([tf.pad(*part) for part in zip(parts, paddings, strict=True)])
        return total[self.left : self.left + cells]


def _one_step_before(states: tf.Tensor) -> tf.Tensor:
    return tf.concat([tf.zeros_like(states[:1]), states[:-1]], axis=0)


def _cell(total: tf.Tensor, c: tf.Tensor, alive: tf.Tensor | None = None) -> tuple:
    """The h, c, (i, f, o) and g of cells, from all contributions to their gates."""
    units = c.shape[-1]
    ifo, g = tf.sigmoid(total[..., : 3 * units]), tf.tanh(total[..., 3 * units :])
    i, f, o = tf.split(ifo, 3, axis=-1)
    c = f * c + i * g
    c = c if alive is None else c * alive
    return o * tf.tanh(c), c, ifo, g


def _product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`x @ kernel` on the last axis, as a single product of matrices."""
    y = tf.reshape(x, [-1, kernel.shape[0]]) @ kernel
    return tf.reshape(y, [x.shape[0], -1, kernel.shape[1]])
