"""Convolutional encoders and decoders."""

import functools
import math

import keras

from tfvae import checks
from tfvae.checks import ImageShape, PositiveInt, Widths
from tfvae.networks.activations import Activation
from tfvae.networks.shapes import first_shape


@checks.checked
def conv_encoder(
    event_shape: ImageShape,
    filters: Widths = (32, 64),
    units: PositiveInt = 256,
    activation: Activation = "relu",
) -> keras.Sequential:
    """Convolutional encoder: x to features `[batch, units]`.

    Convolutions, 3 x 3 with `filters` channels, each halve height and width, which may
    be of any size. Then a dense layer follows. The activation is that of every layer.

    Example:
        >>> tfvae.networks.conv_encoder((28, 20, 1)).output_shape
        (None, 256)
    """
    layers = [keras.Input(event_shape)]
    for n in filters:
        layers.append(keras.layers.Conv2D(n, 3, 2, "same", activation=activation))
    layers += [keras.layers.Flatten(), keras.layers.Dense(units, activation)]
    return keras.Sequential(layers, name="encoder")


@checks.checked
def conv_decoder(
    event_shape: ImageShape,
    filters: Widths = (64, 32),
    units: PositiveInt = 256,
    activation: Activation = "relu",
    params_size: PositiveInt = 1,
) -> keras.Sequential:
    """Convolutional decoder: z to `[batch, height, width, params_size * channels]`.

    After a dense layer of `units` come transposed convolutions, 3 x 3 with `filters`
    channels, which each double height and width. If a size of x is no multiple of
    `2**len(filters)`, the surplus is cropped. The activation is that of every layer but
    the last. The likelihood builds the network; `params_size` is as in `mlp_decoder`.

    Example:
        >>> tfvae.networks.conv_decoder((28, 20, 1))(tf.zeros([5, 2])).shape
        TensorShape([5, 28, 20, 1])
    """
    start, crop = first_shape(event_shape, len(filters), filters[0])
    layers = [keras.layers.Dense(n, activation) for n in (units, math.prod(start))]
    layers.append(keras.layers.Reshape(start))
    up = functools.partial(keras.layers.Conv2DTranspose, padding="same")
    layers += [up(n, 3, 2, activation=activation) for n in filters]
    last = keras.layers.Conv2D(event_shape[-1] * params_size, 3, padding="same")
    return keras.Sequential([*layers, last, crop], name="decoder")
