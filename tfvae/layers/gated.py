"""Gated layers: a linear map, weighed unit by unit by another one."""

import keras

from tfvae import checks
from tfvae.config import Configurable, register


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
