"""Dense layers: gated units, and MLPs with a context."""

import math
from typing import Annotated, Any

import keras
import tensorflow as tf

from tfvae import checks, config
from tfvae.checks import AnyWidths, NonNegativeInt, PositiveInt
from tfvae.config import Configurable, register

Context = tf.Tensor | None
Int = int | tf.Tensor
Pair = tuple[tf.Tensor, tf.Tensor]

# Arguments that are replaced by the function or object that Keras has for them.
Activation = Annotated[
    config.Activation, lambda activation: keras.activations.get(activation)
]
Initializer = Annotated[
    keras.initializers.Initializer | str,
    lambda **argument: keras.initializers.get(*argument.values()),
]


@register
class ContextMLP(Configurable, keras.layers.Layer):
    """Dense network `f(x, context)`, whose first layer is `W x + V context + b`.

    The context enters through a sum, so one context can serve many x, for instance many
    samples of z for one example. The output is `[..., units]`.

    Args:
        units: Width of the output.
        hidden_units: Width of each hidden layer.
        context_dim: Size of the context; 0 for none.
        activation: Activation of the hidden layers.
        kernel_initializer: Initializer of the weights to the output.

    Call arguments:
        x: `[..., features]`.
        context: `[..., context_dim]`, which broadcasts with x; None if there is none.

    Example:
        >>> network = tfvae.layers.ContextMLP(2, context_dim=8)
        >>> network(tf.zeros([7, 5, 3]), tf.zeros([5, 8])).shape
        TensorShape([7, 5, 2])
    """

    def __init__(
        self,
        units: PositiveInt,
        hidden_units: AnyWidths = (128,),
        *,
        context_dim: NonNegativeInt = 0,
        activation: Activation = "relu",
        kernel_initializer: Initializer = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        kept = {"dtype": self.dtype_policy}
        self._dense = [keras.layers.Dense(n, **kept) for n in hidden_units]
        last = {"kernel_initializer": kernel_initializer, **kept}
        self._dense.append(keras.layers.Dense(units, **last))
        first = self._dense[0].units
        self._from_context = keras.layers.Dense(first, use_bias=False, **kept)

    def build(self, x_shape: tuple) -> None:
        if self.built:
            return
        widths = [x_shape[-1], *self.hidden_units]
        for layer, width in zip(self._dense, widths, strict=True):
            layer.build((None, width))
        if self.context_dim:
            self._from_context.build((None, self.context_dim))

    def call(self, x: tf.Tensor, context: Context = None) -> tf.Tensor:
        checks.width(self.context_dim, "context_dim", context=context)
        first, *others = self._dense
        y = dense(first, x)
        if self.context_dim:
            y += dense(self._from_context, context)
        for layer in others:
            y = dense(layer, self.activation(y))
        return y

    def compute_output_shape(self, x_shape: tuple) -> tuple:
        return (*x_shape[:-1], self.units)


def dense(layer: keras.layers.Dense, x: tf.Tensor) -> tf.Tensor:
    """A Keras dense layer for `[..., features]`, a single vector included."""
    return layer(x[None])[0] if x.shape.rank == 1 else layer(x)


def flat(x: tf.Tensor) -> tf.Tensor:
    """Features `[batch, ...]` as vectors, `[batch, features]`."""
    return keras.ops.reshape(x, [-1, math.prod(x.shape[1:])])


@register
class GatedDense(Configurable, keras.layers.Layer):
    """Gated linear unit: `(W x + b) * sigmoid(V x + c)`.

    It maps `[batch, ..., features]` to `[batch, ..., units]`. Unlike a rectifier it has
    no flat parts, and unlike tanh it keeps the scale of the signal. Each unit costs as
    much as two units of a dense layer.

    Args:
        units: Width of the output.

    Example:
        >>> tfvae.layers.GatedDense(300)(tf.zeros([5, 784])).shape
        TensorShape([5, 300])

    References:
        Dauphin et al., Language Modeling with Gated Convolutional Networks, 2017,
        https://arxiv.org/abs/1612.08083
    """

    def __init__(self, units: PositiveInt, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(2 * units, dtype=self.dtype_policy)

    def build(self, input_shape: tuple) -> None:
        if not self.built:
            self.dense.build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return keras.activations.glu(self.dense(x))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)
