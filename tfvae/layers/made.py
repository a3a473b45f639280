"""The network of MADE, and how it generates without computing anything twice."""

import typing

import numpy as np
import tensorflow as tf

from tfvae.config import register
from tfvae.layers.autoregressive import AutoregressiveNetwork
from tfvae.layers.masked import MaskedMLP


@register
class MaskedAutoencoder(AutoregressiveNetwork):
    """MADE: a dense network from x to parameters of each x_i, which see those before.

    A `MaskedMLP` on the elements of x in a row. With several masks it is one network of
    shared weights for each order, or each choice of hidden degrees.

    Args:
        event_shape: Shape of one x, for instance `(28, 28, 1)` or `(784,)`.
        hidden_units: Width of each hidden layer; `[]` for a linear map.
        params_size: Parameters for each element, as the likelihood wants them.
        order: As in `MaskedMLP`.
        activation: Of the hidden layers.
        direct: As in `MaskedMLP`.
        sampled: As in `MaskedMLP`.
        num_masks: As in `MaskedMLP`.
        seed: As in `MaskedMLP`.
        context_dim: Size of the context; 0 for none.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is too low or the order is no permutation.

    Example:
        >>> network = tfvae.layers.MaskedAutoencoder((8, 8, 1), [64], params_size=2)
        >>> network(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5, 8, 8, 2])

    References:
        Germain et al., MADE: Masked Autoencoder for Distribution Estimation, 2015,
        https://arxiv.org/abs/1502.03509
    """

    def __init__(
        self,
        event_shape,
        hidden_units=(500,),
        params_size=1,
        *,
        order="natural",
        activation="relu",
        direct=False,
        sampled=False,
        num_masks=1,
        seed=0,
        context_dim=0,
        **kwargs,
    ):
        shared = {"num_masks": num_masks, "context_dim": context_dim}
        super().__init__(event_shape, params_size, **shared, **kwargs)
        self.mlp = MaskedMLP(
            self.dim,
            params_size,
            hidden_units,
            order=order,
            activation=activation,
            direct=direct,
            sampled=sampled,
            seed=seed,
            **shared,
            dtype=self.dtype_policy,
        )
        self.hidden_units, self.activation = self.mlp.hidden_units, self.mlp.activation
        self.order, self.direct, self.sampled = order, direct, sampled
        self.seed = seed

    def build(self, x_shape=None, context_shape=None):
        self.mlp.build()
        self.built = True

    def call(self, x, context=None, mask_index=0, training=False):
        *outer, channels = self.event_shape
        x, context = tf.reshape(x, [-1, self.dim]), self._context(context)
        params = self.mlp(x, context, mask_index=mask_index)
        shape = [-1, self.dim // channels, channels, self.params_size]
        params = tf.transpose(tf.reshape(params, shape), [0, 1, 3, 2])
        return tf.reshape(params, [-1, *outer, self.params_size * channels])

    def sequence(self, mask_index=0):
        """See `AutoregressiveNetwork`."""
        return tf.gather(np.argsort(self.mlp.places).astype("int32"), mask_index)

    def generate(self, choose, num_rows, context=None, mask_index=0):
        """See `AutoregressiveNetwork`; each unit is computed once.

        When the element at a place is known, so are the hidden units of that degree,
        which see nothing later. What is not known yet is 0, so that no mask is needed.
        """
        sequence, width = self.sequence(mask_index), tf.maximum(num_rows, 1)
        if context is not None:
            context = tf.pad(context, [[0, width - num_rows], [0, 0]])
        hidden, output, shortcut = self._blocks(mask_index, context)

        def step(place, x, *states):
            i = sequence[place]
            params = output.at(i, (x, *states)[-1])
            for block in shortcut:
                params += block.at(i, x)
            value = choose(i, tf.transpose(params)[:num_rows])
            value = tf.pad(value, [[0, width - num_rows]])
            x = tf.tensor_scatter_nd_update(x, [[i]], value[None])
            new, here = [x], tf.minimum(place, max(1, self.dim - 1) - 1)
            for (block, degrees), state in zip(hidden, states, strict=True):
                units = self.activation(block.at(here, new[-1]))
                new.append(degrees.put(state, here, units))
            return place + 1, *new

        start = [tf.zeros([degrees.inputs.shape[0], width]) for _, degrees in hidden]
        loop = (tf.constant(0), tf.zeros([self.dim, width]), *start)
        _, x, *_ = tf.while_loop(
            lambda place, *_: place < self.dim, step, loop, parallel_iterations=1
        )
        return tf.reshape(_transposed(x)[:num_rows], [num_rows, *self.event_shape])

    def _blocks(self, mask_index, context):
        """The weights in the order in which `generate` uses them."""
        *hidden, output = self.mlp.masked
        shifts = self.mlp.shifts(self._context(context))
        *shifts, last = (tf.cast(shift, self.variable_dtype) for shift in shifts)
        blocks, inputs = [], np.arange(self.dim)
        for layer, shift in zip(hidden, shifts, strict=True):
            degrees = _Degrees.of(layer.out_degrees, max(1, self.dim - 1), mask_index)
            block = _Block.of(layer, shift, inputs, degrees.units)
            blocks.append((block, degrees))
            inputs = degrees.inputs
        x, columns = np.arange(self.dim), np.arange(self.dim * self.params_size)
        columns = columns.reshape(self.dim, -1)
        shortcut = [_Block.of(layer, 0.0, x, columns) for layer in self.mlp.shortcut]
        return blocks, _Block.of(output, last, inputs, columns), shortcut


def _transposed(x):
    """Not as in a loop, or TFLite's converter shares with it the constant of how."""
    return tf.transpose(x[None], [0, 2, 1])[0]


class _Block(typing.NamedTuple):
    """Weights `[blocks, units, inputs]` and biases `[blocks, units, batch or 1]`."""

    kernel: tf.Tensor
    bias: tf.Tensor

    @classmethod
    def of(cls, layer, shift, inputs, units):
        """Of a layer those inputs and `[blocks, units]`; what is beyond them is 0.

        The shift `[batch or 1, outputs]` is added to the bias.
        """
        kernel = tf.gather(tf.pad(layer.kernel, [[0, 1], [0, 1]]), inputs)
        kernel = tf.transpose(tf.gather(kernel, units, axis=1), [1, 2, 0])
        bias = 0 * layer.kernel[:1] if layer.bias is None else layer.bias[None]
        bias = tf.pad(_transposed(bias + shift), [[0, 1], [0, 0]])
        return cls(kernel, tf.gather(bias, units))

    def at(self, i, x):
        """What block i gives for x `[..., batch]`: `[units, batch]`."""
        x = tf.reshape(x, [self.kernel.shape[-1], tf.shape(x)[-1]])
        return tf.matmul(self.kernel[i], x) + self.bias[i]


class _Degrees(typing.NamedTuple):
    """Where units are that stand in the order of their degrees, and room behind them.

    Attributes:
        inputs: Numbers of the units in that order, then of none.
        units: Numbers of those of each degree, `[degrees, most]`, then of none.
        starts: Place of the first of each degree, `[degrees]`.
        real: 1 for units, 0 for none, `[degrees, most, 1]`.
    """

    inputs: tf.Tensor
    units: tf.Tensor
    starts: tf.Tensor
    real: tf.Tensor

    @classmethod
    def of(cls, degrees, num_degrees, mask_index):
        """Of the degrees of a layer's units, `[masks, units]`."""
        degrees = np.asarray(degrees)
        size = num_degrees + 1
        counts = np.stack([np.bincount(d, minlength=size)[1:] for d in degrees])
        starts, most = np.cumsum(counts, axis=1) - counts, counts.max()
        none = np.full([len(degrees), most], degrees.shape[1])
        inputs = np.append(np.argsort(degrees, axis=1, kind="stable"), none, axis=1)
        real = np.arange(most) < counts[..., None]
        places = np.where(real, starts[..., None] + np.arange(most), degrees.shape[1])
        units = np.take_along_axis(inputs[:, None], places, axis=-1)
        tables = (
            inputs,
            units,
            starts.astype("int32"),
            real[..., None].astype("float32"),
        )
        return cls(*(tf.gather(table, mask_index) for table in tables))

    def put(self, state, i, values):
        """A state with the values of the units of degree i.

        Behind them come those of the next degree, which are still 0.
        """
        places = self.starts[i] + tf.range(self.real.shape[1])
        values *= self.real[i]
        return tf.tensor_scatter_nd_update(state, places[:, None], values)
