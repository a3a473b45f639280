"""An encoder of two inputs: the data, and what is observed beside them."""

import math

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.config import Configurable, register
from tfvae.layers.dense import ContextMLP


@register
class JointEncoder(Configurable, keras.layers.Layer):
    """Features of x and u together: an encoder of x, and dense layers that see u too.

    As the encoder of a posterior it makes `q(z | x, u)` of `q(z | x)`:
    `h(x, u) = MLP(encoder(x), network(u))`.

    Args:
        encoder: Network from x to features; the user's own, or of `tfvae.networks`.
        hidden_units: Width of each dense layer; the last is that of the features.
        network: Keras model or layer from u, of labels one-hot, to what the dense
            layers see of it; u itself when left out.
        activation: Of the dense layers.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: A pair of x `[batch, *event_shape]` and u `[batch, *context_shape]`.
        training: Passed on to the networks.

    Returns:
        A tensor `[batch, hidden_units[-1]]`.

    Raises:
        TypeError: Where a network is no Keras layer or a width no integer.
        ValueError: Where a width is below 1, or none is given.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((8,), [64])
        >>> joint = tfvae.layers.JointEncoder(encoder, [64, 32])
        >>> joint((tf.zeros([5, 8]), tf.zeros([5, 3]))).shape
        TensorShape([5, 32])
    """

    def __init__(
        self, encoder, hidden_units=(128,), *, network=None, activation="relu", **kwargs
    ):
        super().__init__(**kwargs)
        layer, expected = keras.layers.Layer, "a Keras model or layer"
        self.encoder = checks.instance(layer, expected, encoder=encoder)
        if network is not None:
            checks.instance(layer, expected, network=network)
        self.network = network
        self.hidden_units = checks.integers(hidden_units=hidden_units)
        self.activation = keras.activations.get(activation)
        self._mlp = None  # the size of what it sees is known in `build`

    def build(self, input_shape):
        if self._mlp is not None:
            return
        x_shape, u_shape = input_shape
        rows = tf.zeros([1, *x_shape[1:]]), tf.zeros([1, *u_shape[1:]])
        features, context = self._features(rows, training=False)
        *hidden, units = self.hidden_units
        self._mlp = ContextMLP(
            units,
            hidden,
            context_dim=context.shape[-1],
            activation=self.activation,
            dtype=self.dtype_policy,
        )
        self._mlp.build((None, features.shape[-1]))
        self.built = True

    def call(self, inputs, training=False):
        return self.activation(self._mlp(*self._features(inputs, training)))

    @property
    def input_shape(self):
        """Shape of x, batch first, where the encoder knows it, else None."""
        return getattr(self.encoder, "input_shape", None)

    def _features(self, inputs, training):
        x, u = inputs
        features = self.encoder(x, training=training)
        context = u if self.network is None else self.network(u, training=training)
        return _flat(features), _flat(context)


def _flat(x):
    return keras.ops.reshape(x, [-1, math.prod(x.shape[1:])])
