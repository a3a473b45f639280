"""Encoder with two inputs: the data x and the auxiliary observation u."""

from typing import Any

import keras
import tensorflow as tf

from tfvae.checks import Widths
from tfvae.config import Configurable, Network, register
from tfvae.layers.dense import Activation, ContextMLP, Pair, flat


@register
class JointEncoder(Configurable, keras.layers.Layer):
    """Features of x and u together: `h(x, u) = MLP(encoder(x), network(u))`.

    With it as its encoder, a posterior is `q(z | x, u)` instead of `q(z | x)`. It is
    called with a pair of x `[batch, *event_shape]` and u `[batch, *context_shape]`, and
    gives `[batch, hidden_units[-1]]`.

    Args:
        encoder: Network from x to features, for instance of `tfvae.networks`.
        hidden_units: Width of each dense layer; the last width is that of the features.
        network: Keras model or layer applied to u first (to labels one-hot); None for u
            itself.
        activation: Activation of every dense layer.

    Example:
        >>> joint = tfvae.layers.JointEncoder(encoder, [64, 32])
        >>> joint((x, tf.zeros([32, 3]))).shape
        TensorShape([32, 32])
    """

    takes_context = True  # a posterior over this network passes `(x, context)`

    def __init__(
        self,
        encoder: Network,
        hidden_units: Widths = (128,),
        *,
        network: Network | None = None,
        activation: Activation = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)

    def build(self, input_shape: tuple[tuple, tuple]) -> None:
        if self.built:
            return
        rows = [tf.zeros([1, *shape[1:]]) for shape in input_shape]
        features, context = self._features(rows, training=False)
        *hidden, units = self.hidden_units
        options = {"activation": self.activation, "dtype": self.dtype_policy}
        size = context.shape[-1]
        self._mlp = ContextMLP(units, hidden, context_dim=size, **options)
        self._mlp.build((None, features.shape[-1]))

    def call(self, inputs: Pair, training: bool = False) -> tf.Tensor:
        return self.activation(self._mlp(*self._features(inputs, training)))

    @property
    def input_shape(self) -> tuple | None:
        """Shape of x, batch first, if the encoder has one; otherwise None."""
        return getattr(self.encoder, "input_shape", None)

    def _features(self, inputs: Pair, training: bool) -> Pair:
        x, u = inputs
        features = self.encoder(x, training=training)
        context = u if self.network is None else self.network(u, training=training)
        return flat(features), flat(context)
