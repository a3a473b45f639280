"""Dense encoders and decoders."""

import math
from typing import Any

import keras

from tfvae import checks
from tfvae.checks import EventShape, PositiveInt, Widths
from tfvae.layers import GatedDense
from tfvae.networks.activations import MLPActivation


@checks.checked
def mlp_encoder(
    event_shape: EventShape, hidden_units: Widths, activation: MLPActivation = "relu"
) -> keras.Sequential:
    """Dense encoder: x `[batch, *event_shape]` to features `[batch, units]`.

    Args:
        event_shape: Shape of one example, for instance `(28, 28, 1)` or `(784,)`.
        hidden_units: Width of each layer; the last is the width of the features.
        activation: Activation of every layer; the VAE paper uses `"tanh"`. With `"glu"`
            the layers are `layers.GatedDense`.

    Example:
        >>> tfvae.networks.mlp_encoder((28, 28, 1), [500]).output_shape
        (None, 500)
    """
    layers = [keras.Input(event_shape), keras.layers.Flatten()]
    layers += [_dense(units, activation) for units in hidden_units]
    return keras.Sequential(layers, name="encoder")


@checks.checked
def mlp_decoder(
    event_shape: EventShape,
    hidden_units: Widths,
    activation: MLPActivation = "relu",
    params_size: PositiveInt = 1,
) -> keras.Sequential:
    """Dense decoder: z `[batch, latent]` to `[batch, *outer, params_size * channels]`.

    With `activation="tanh"` and one hidden layer this is the Bernoulli MLP of the VAE
    paper; with `params_size=2` as well, its Gaussian MLP. The likelihood builds the
    network, because the likelihood knows the size of z.

    Args:
        event_shape: Shape of x.
        hidden_units: Width of each hidden layer.
        activation: Activation of every hidden layer, as in `mlp_encoder`.
        params_size: Number of values for each element of x, as the likelihood expects.

    Example:
        >>> tfvae.networks.mlp_decoder((28, 28, 1), [500])(tf.zeros([5, 2])).shape
        TensorShape([5, 28, 28, 1])
    """
    output = (*event_shape[:-1], event_shape[-1] * params_size)
    layers = [_dense(units, activation) for units in hidden_units]
    layers += [keras.layers.Dense(math.prod(output)), keras.layers.Reshape(output)]
    return keras.Sequential(layers, name="decoder")


def _dense(units: int, activation: Any) -> keras.layers.Layer:
    if activation == "glu":  # in Keras's Dense it would give half the units
        return GatedDense(units)
    return keras.layers.Dense(units, activation)
