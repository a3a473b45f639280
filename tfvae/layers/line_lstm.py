"""LSTMs whose states lie in a line: one step for a row or a diagonal of an image."""

import keras
import tensorflow as tf


class LineLSTM(keras.layers.Layer):
    """LSTM over steps, for a line of cells that see their neighbours of a step before.

    `i, f, o, g = gates_t + K * h_(t-1)`, where K is a convolution along the line,
    `c_t = sigmoid(f) c_(t-1) + sigmoid(i) tanh(g)`, `h_t = sigmoid(o) tanh(c_t)`.

    Args:
        units: Features of a cell.
        left: Cells before it, in the step before, that a cell sees beside itself.
        right: Cells after it.
        alive: Where there are cells, `[steps, cells]` of 0 and 1; elsewhere c and h
            stay 0. None for everywhere.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        gates: What the inputs give to i, f, o and g, `[steps, cells, batch, 4 units]`.

    Returns:
        The h of all steps, `[steps, cells, batch, units]`.

    References:
        van den Oord et al., Pixel Recurrent Neural Networks, 2016, section 3,
        https://arxiv.org/abs/1601.06759
    """

    def __init__(self, units, left, right, alive=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.left, self.right, self._alive = units, left, right, alive

    def build(self, gates_shape=None):
        if not self.built:
            size = self.left + 1 + self.right
            self.kernel = self.add_weight(
                name="kernel", shape=(size * self.units, 4 * self.units)
            )
            self.built = True

    def call(self, gates):
        alive = None
        if self._alive is not None:
            alive = tf.cast(self._alive[..., None, None], gates.dtype)
        scan = _scan(self.left, self.right, alive)
        return scan(gates, tf.convert_to_tensor(self.kernel))

    def cell(self, gates, window, c):
        """The h and c of single cells, from what the step before gives to them.

        Args:
            gates: What the inputs give, `[..., 4 units]`.
            window: The h of cells in the step before, `[..., (left+1+right) * units]`.
            c: The c of the cell itself in the step before, `[..., units]`.
        """
        h, c, _, _ = _cell(gates + tf.tensordot(window, self.kernel, 1), c)
        return h, c

    def line(self, gates, windows):
        """The h along a line of cells of which each is a step after the one before.

        Args:
            gates: What the inputs give, `[cells, batch, 4 units]`.
            windows: What cells see of the step before without themselves, which come
                last, `[cells, batch, left * units]`.
        """
        above, own = tf.split(self.kernel, [self.left * self.units, self.units])
        gates += tf.tensordot(windows, above, 1)
        return _scan(0, 0)(gates[:, None], own)[:, 0]


def _scan(left, right, alive=None):
    """The recurrence as a function of gates and kernel with a gradient of its own.

    As in a library's fused LSTM, the way back collects what flows into the gates step
    by step, and the kernel's gradient is one product at its end.
    """

    @tf.custom_gradient
    def scan(gates, kernel):
        states = _forward(gates, kernel, left, right, alive)

        def backward(d_hs):
            d_gates = _backward(d_hs, kernel, left, right, alive, *states)
            before = tf.zeros_like(states[0][:1])
            h_before = tf.concat([before, states[0][:-1]], axis=0)
            d_kernel = tf.matmul(
                tf.reshape(_window(h_before, left, right), [-1, kernel.shape[0]]),
                tf.reshape(d_gates, [-1, kernel.shape[1]]),
                transpose_a=True,
            )
            return d_gates, d_kernel

        return states[0], backward

    return scan


def _forward(gates, kernel, left, right, alive):
    """The h, c, (i, f, o) and g of all steps."""
    start = tf.zeros_like(gates[0, ..., : gates.shape[-1] // 4])

    def step(t, h, c, *arrays):
        total = gates[t] + _product(_window(h, left, right), kernel)
        h, c, *gated = _cell(total, c, None if alive is None else alive[t])
        new = zip(arrays, (h, c, *gated), strict=True)
        return t + 1, h, c, *(array.write(t, value) for array, value in new)

    num_steps = gates.shape[0]
    arrays = [tf.TensorArray(gates.dtype, num_steps) for _ in range(4)]
    _, _, _, *arrays = _loop(num_steps, step, start, start, *arrays)
    return [array.stack() for array in arrays]


def _backward(d_hs, kernel, left, right, alive, hs, cs, ifos, gs):
    """What flows into the gates of all steps, from what flows into the h."""
    num_steps, start = hs.shape[0], tf.zeros_like(hs[0])
    c_before = tf.concat([start[None], cs[:-1]], axis=0)

    def step(k, d_h, d_c, d_gates):
        t = num_steps - 1 - k
        i, f, o = tf.split(ifos[t], 3, axis=-1)
        g, tanh = gs[t], tf.tanh(cs[t])
        d_h += d_hs[t]
        d_c += d_h * o * (1 - tanh * tanh)
        d_c = d_c if alive is None else d_c * alive[t]
        d_ifo = tf.concat([d_c * g, d_c * c_before[t], d_h * tanh], axis=-1)
        d_ifo *= ifos[t] * (1 - ifos[t])
        d_total = tf.concat([d_ifo, d_c * i * (1 - g * g)], axis=-1)
        d_window = _product(d_total, kernel, transpose=True)
        d_h = _from_window(d_window, left, right)
        return k + 1, d_h, d_c * f, d_gates.write(t, d_total)

    d_gates = tf.TensorArray(hs.dtype, num_steps)
    *_, d_gates = _loop(num_steps, step, start, start, d_gates)
    return d_gates.stack()


def _cell(total, c, alive=None):
    """The h and c of cells from all that comes to their gates; and i, f, o; and g."""
    units = c.shape[-1]
    ifo, g = tf.sigmoid(total[..., : 3 * units]), tf.tanh(total[..., 3 * units :])
    i, f, o = tf.split(ifo, 3, axis=-1)
    c = f * c + i * g
    c = c if alive is None else c * alive
    return o * tf.tanh(c), c, ifo, g


def _loop(num_steps, step, *state):
    return tf.while_loop(
        lambda t, *_: t < num_steps,
        step,
        (tf.constant(0), *state),
        maximum_iterations=num_steps,
        parallel_iterations=1,
    )


def _product(x, kernel, transpose=False):
    """`x @ kernel` on the last axis."""
    size = kernel.shape[::-1] if transpose else kernel.shape
    y = tf.matmul(tf.reshape(x, [-1, size[0]]), kernel, transpose_b=transpose)
    return tf.reshape(y, [x.shape[0], -1, size[1]])


def _window(h, left, right):
    """Cells beside their neighbours: `[..., cells, batch, (left+1+right) * units]`."""
    cells = h.shape[-3]
    outer = [[0, 0]] * (h.shape.rank - 3)
    h = tf.pad(h, [*outer, [left, right], [0, 0], [0, 0]])
    parts = [h[..., k : k + cells, :, :] for k in range(left + 1 + right)]
    return tf.concat(parts, axis=-1)


def _from_window(d_window, left, right):
    """The transpose of `_window`, for `[cells, batch, ...]`."""
    cells, size = d_window.shape[0], left + 1 + right
    parts = tf.split(d_window, size, axis=-1)
    paddings = [[[k, size - 1 - k], [0, 0], [0, 0]] for k in range(size)]
    total = tf.add_n([tf.pad(*part) for part in zip(parts, paddings, strict=True)])
    return total[left : left + cells]
