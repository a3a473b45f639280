"""The network of MADE, and sampling from it that computes each hidden unit once."""

from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf

from tfvae.checks import AnyWidths, EventShape, NonNegativeInt, PositiveInt
from tfvae.config import register
from tfvae.layers.autoregressive import AutoregressiveNetwork, Draw, for_each
from tfvae.layers.dense import Activation, Context, Int
from tfvae.layers.masked import MaskedDense, MaskedMLP, Order


@register
class MaskedAutoencoder(AutoregressiveNetwork):
    """MADE: a dense network to the parameters of each x_i, from the x_j before it.

    It is a `MaskedMLP` on the elements of flat x, whose shape `event_shape` is for
    instance `(28, 28, 1)` or `(784,)`. With several masks, the network shares its
    weights among several orders or choices of hidden degrees. The other arguments are
    those of `MaskedMLP` and `AutoregressiveNetwork`.

    Example:
        >>> tfvae.layers.MaskedAutoencoder((8, 8, 1), [64], params_size=2)(x).shape
        TensorShape([32, 8, 8, 2])

    References:
        As `MaskedDense`.
    """

    def __init__(
        self,
        event_shape: EventShape,
        hidden_units: AnyWidths = (500,),
        params_size: PositiveInt = 1,
        *,
        order: Order = "natural",
        activation: Activation = "relu",
        direct: bool = False,
        sampled: bool = False,
        num_masks: PositiveInt = 1,
        seed: NonNegativeInt = 0,
        context_dim: NonNegativeInt = 0,
        **kwargs: Any,
    ) -> None:
        shared = {"num_masks": num_masks, "context_dim": context_dim}
        super().__init__(event_shape, params_size, **shared, **kwargs)
        shared |= {"order": order, "sampled": sampled, "seed": seed, "direct": direct}
        shared |= {"activation": activation, "dtype": self.dtype_policy}
        self.mlp = MaskedMLP(self.dim, params_size, hidden_units, **shared)

    def build(self, x_shape: tuple | None = None) -> None:
        self.mlp.build()

    def call(self, x: tf.Tensor, context: Context = None, mask_index: Int = 0) -> Any:
        *outer, channels = self.event_shape
        x, context = tf.reshape(x, [-1, self.dim]), self._context(context)
        params = self.mlp(x, context, mask_index=mask_index)
        shape = [-1, self.dim // channels, channels, self.params_size]
        params = tf.transpose(tf.reshape(params, shape), [0, 1, 3, 2])
        return tf.reshape(params, [-1, *outer, self.params_size * channels])

    def sequence(self, mask_index: Int = 0) -> tf.Tensor:
        return tf.gather(np.argsort(self.mlp.places).astype("int32"), mask_index)

    def generate(
        self, choose: Draw, num_rows: Int, context: Context = None, mask_index: Int = 0
    ) -> tf.Tensor:
        """See `AutoregressiveNetwork`; each hidden unit is computed once.

        As soon as the element at a place is known, so are the hidden units of that
        degree, which depend on nothing later. Unknown elements and units are 0, so no
        mask is needed.
        """
        sequence, width = self.sequence(mask_index), tf.maximum(num_rows, 1)
        if context is not None:
            context = tf.pad(context, [[0, width - num_rows], [0, 0]])
        hidden, output, shortcut = self._blocks(mask_index, context)

        def step(place: tf.Tensor, x: tf.Tensor, *states: tf.Tensor) -> tuple:
            i = sequence[place]
            params = output.at(i, (x, *states)[-1])
            for block in shortcut:
                params += block.at(i, x)
            value = choose(i, tf.transpose(params)[:num_rows])
            value = tf.pad(value, [[0, width - num_rows]])
            new = [tf.tensor_scatter_nd_update(x, [[i]], value[None])]
            here = tf.minimum(place, max(1, self.dim - 1) - 1)
            for (block, groups), state in zip(hidden, states, strict=True):
                units = self.activation(block.at(here, new[-1]))
                new.append(groups.put(state, here, units))
            return place + 1, *new

        sizes = [self.dim, *(groups.inputs.shape[0] for _, groups in hidden)]
        x, *_ = for_each(self.dim, step, *(tf.zeros([size, width]) for size in sizes))
        return tf.reshape(_transposed(x)[:num_rows], [num_rows, *self.event_shape])

    def _blocks(self, mask_index: Int, context: Context) -> tuple:
        """The weights in the order in which `generate` uses them."""
        *hidden, output = self.mlp.masked
        shifts = self.mlp.shifts(self._context(context))
        *shifts, last = (tf.cast(shift, self.variable_dtype) for shift in shifts)
        x, blocks = np.arange(self.dim), []
        inputs = x
        for layer, shift in zip(hidden, shifts, strict=True):
            groups = _Groups.of(layer.out_degrees, max(1, self.dim - 1), mask_index)
            blocks.append((_Block.of(layer, shift, inputs, groups.units), groups))
            inputs = groups.inputs
        columns = np.arange(self.dim * self.params_size).reshape(self.dim, -1)
        shortcut = [_Block.of(layer, 0.0, x, columns) for layer in self.mlp.shortcut]
        return blocks, _Block.of(output, last, inputs, columns), shortcut


def _transposed(x: tf.Tensor) -> tf.Tensor:
    """The transpose, made apart from the loop's: TFLite would merge their constants."""
    return tf.transpose(x[None], [0, 2, 1])[0]


class _Block(NamedTuple):
    """Weights `[groups, units, inputs]` and biases `[groups, units, batch or 1]`."""

    kernel: tf.Tensor
    bias: tf.Tensor

    @classmethod
    def of(
        cls, layer: MaskedDense, shift: Any, inputs: np.ndarray, units: np.ndarray
    ) -> Self:
        """Weights of a layer from `inputs` to `units` `[groups, units]`.

        Numbers beyond the layer's own have weights 0. The shift `[batch or 1, outputs]`
        is added to the bias.
        """
        kernel = tf.gather(tf.pad(layer.kernel, [[0, 1], [0, 1]]), inputs)
        kernel = tf.transpose(tf.gather(kernel, units, axis=1), [1, 2, 0])
        bias = 0 * layer.kernel[:1] if layer.bias is None else layer.bias[None]
        bias = tf.pad(_transposed(bias + shift), [[0, 1], [0, 0]])
        return cls(kernel, tf.gather(bias, units))

    def at(self, i: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Outputs of group i for x `[..., batch]`: `[units, batch]`."""
        x = tf.reshape(x, [self.kernel.shape[-1], tf.shape(x)[-1]])
        return tf.matmul(self.kernel[i], x) + self.bias[i]


class _Groups(NamedTuple):
    """Hidden units sorted by degree, padded to equal groups.

    Attributes:
        inputs: Numbers of the units in that order, then padding.
        units: Numbers of the units of each degree, then padding, `[degrees, most]`.
        starts: Place of the first unit of each degree, `[degrees]`.
        real: 1 for units, 0 for padding, `[degrees, most, 1]`.
    """

    inputs: tf.Tensor
    units: tf.Tensor
    starts: tf.Tensor
    real: tf.Tensor

    @classmethod
    def of(cls, degrees: np.ndarray, num_degrees: int, mask_index: Int) -> Self:
        """Groups for the degrees `[masks, units]` of a layer, for one of the masks."""
        (num_masks, num_units), size = degrees.shape, num_degrees + 1
        counts = np.stack([np.bincount(d, minlength=size)[1:] for d in degrees])
        starts, most = np.cumsum(counts, axis=1) - counts, counts.max()
        padding = np.full([num_masks, most], num_units)
        inputs = np.append(np.argsort(degrees, axis=1, kind="stable"), padding, axis=1)
        real = np.arange(most) < counts[..., None]
        places = np.where(real, starts[..., None] + np.arange(most), num_units)
        units = np.take_along_axis(inputs[:, None], places, axis=-1)
        starts, real = starts.astype("int32"), real[..., None].astype("float32")
        tables = inputs, units, starts, real
        return cls(*(tf.gather(table, mask_index) for table in tables))

    def put(self, state: tf.Tensor, i: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """Writes the values of the units of degree i into a state.

        The padding falls on units of the next degree, which are still 0.
        """
        places = self.starts[i] + tf.range(self.real.shape[1])
        values *= self.real[i]
        return tf.tensor_scatter_nd_update(state, places[:, None], values)
