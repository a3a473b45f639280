"""Dense layers: gated units, and MLPs that see a context."""

import keras

from tfvae import checks
from tfvae.config import Configurable, register


@register
class ContextMLP(Configurable, keras.layers.Layer):
    """Dense network `f(x, context)`, whose first layer is `W x + V context + b`.

    As the context comes in by a sum, a single one serves any number of x, as where many
    samples of z go with one example.

    Args:
        units: Width of the output.
        hidden_units: Width of each hidden layer.
        context_dim: Size of the context; 0 for none.
        activation: Of the hidden layers.
        kernel_initializer: Of the weights to the output.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[..., features]`.
        context: `[..., context_dim]`, which broadcasts with x; None where there
            is none.

    Returns:
        A tensor `[..., units]`.

    Raises:
        TypeError: Where a width is no integer.
        ValueError: Where it is below 1.

    Example:
        >>> network = tfvae.layers.ContextMLP(2, hidden_units=[16], context_dim=8)
        >>> network(tf.zeros([7, 5, 3]), tf.zeros([5, 8])).shape
        TensorShape([7, 5, 2])
    """

    def __init__(
        self,
        units,
        hidden_units=(128,),
        *,
        context_dim=0,
        activation="relu",
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(units=units)
        self.hidden_units = checks.integers(empty=True, hidden_units=hidden_units)
        self.context_dim = checks.integer(minimum=0, context_dim=context_dim)
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        kept, initializer = {"dtype": self.dtype_policy}, self.kernel_initializer
        self._dense = [
            *(keras.layers.Dense(n, **kept) for n in self.hidden_units),
            keras.layers.Dense(units, kernel_initializer=initializer, **kept),
        ]
        first = self._dense[0].units
        self._from_context = keras.layers.Dense(first, use_bias=False, **kept)

    def build(self, x_shape, context_shape=None):
        if self.built:
            return
        width = x_shape[-1]
        for layer in self._dense:
            layer.build((None, width))
            width = layer.units
        if self.context_dim:
            self._from_context.build((None, self.context_dim))
        self.built = True

    def call(self, x, context=None):
        checks.width(self.context_dim, "context_dim", context=context)
        first, *others = self._dense
        y = dense(first, x)
        if self.context_dim:
            y += dense(self._from_context, context)
        for layer in others:
            y = dense(layer, self.activation(y))
        return y

    def compute_output_shape(self, x_shape, context_shape=None):
        """`[..., units]`."""
        return (*x_shape[:-1], self.units)


def dense(layer, x):
    """A Keras dense layer for any `[..., features]`, of which it takes no vector."""
    return layer(x[None])[0] if x.shape.rank == 1 else layer(x)


@register
class GatedDense(Configurable, keras.layers.Layer):
    """A gated linear unit: `(W x + b) * sigmoid(V x + c)`.

    It has no flat parts as rectifiers have, and more of the signal's scale than tanh
    lets through; each unit costs two dense ones.

    Args:
        units: Width of the output.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[batch, ..., features]`.

    Returns:
        A tensor `[batch, ..., units]`.

    Raises:
        TypeError: Where `units` is no integer.
        ValueError: Where it is below 1.

    Example:
        >>> tfvae.layers.GatedDense(300)(tf.zeros([5, 784])).shape
        TensorShape([5, 300])

    References:
        Dauphin et al., Language Modeling with Gated Convolutional Networks, 2017,
        https://arxiv.org/abs/1612.08083
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = checks.integer(units=units)
        self.dense = keras.layers.Dense(2 * units, dtype=self.dtype_policy)

    def build(self, input_shape):
        if not self.dense.built:
            self.dense.build(input_shape)

    def call(self, x):
        return keras.activations.glu(self.dense(x))

    def compute_output_shape(self, input_shape):
        """The shape of the input, with `units` features."""
        return (*input_shape[:-1], self.units)
