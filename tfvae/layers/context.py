"""A dense network of two inputs, of which one is a context."""

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
        activation: Of the hidden layers.
        kernel_initializer: Of the weights to the output.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        x: `[..., features]`.
        context: `[..., context_dim]`, which broadcasts with x; or None.

    Returns:
        A tensor `[..., units]`.

    Raises:
        TypeError: Where a width is no integer.
        ValueError: Where it is below 1.

    Example:
        >>> network = tfvae.layers.ContextMLP(2, hidden_units=[16])
        >>> network(tf.zeros([7, 5, 3]), tf.zeros([5, 8])).shape
        TensorShape([7, 5, 2])
    """

    def __init__(
        self,
        units,
        hidden_units=(128,),
        *,
        activation="relu",
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = checks.integer(units=units)
        self.hidden_units = [checks.integer(hidden_units=n) for n in hidden_units]
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
        if context_shape is not None:
            self._from_context.build((None, context_shape[-1]))
        self.built = True

    def call(self, x, context=None):
        first, *others = self._dense
        y = first(x)
        if context is not None:
            y += self._from_context(context)
        for layer in others:
            y = layer(self.activation(y))
        return y

    def compute_output_shape(self, x_shape, context_shape=None):
        """`[..., units]`."""
        return (*x_shape[:-1], self.units)
