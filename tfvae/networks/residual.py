"""Residual convolutional encoders and decoders, flat and of ladders."""

import functools
import math

import keras

from tfvae import checks
from tfvae.checks import ImageShape, PositiveInt, Widths
from tfvae.layers import Bottleneck, ResidualBlock
from tfvae.networks.activations import Activation
from tfvae.networks.shapes import count_halvings, cropped, halved


@checks.checked
def resnet_encoder(
    event_shape: ImageShape,
    filters: Widths = (16, 32, 32),
    units: PositiveInt = 450,
    activation: Activation = "elu",
) -> keras.Sequential:
    """Residual convolutional encoder: x to features `[batch, units]`.

    For each number of `filters` there are two residual blocks, of which the first
    halves height and width. Then a dense layer follows. The defaults are those of the
    IAF paper for MNIST.

    Example:
        >>> tfvae.networks.resnet_encoder((28, 28, 1)).output_shape
        (None, 450)

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
        2016, https://arxiv.org/abs/1606.04934
    """
    block = functools.partial(ResidualBlock, activation=activation)
    layers = [keras.Input(event_shape)]
    for n in filters:
        layers += [block(n, resize="down"), block(n)]
    layers += [keras.layers.Activation(activation), keras.layers.Flatten()]
    dense = keras.layers.Dense(units, activation)
    return keras.Sequential([*layers, dense], name="encoder")


@checks.checked
def resnet_decoder(
    event_shape: ImageShape,
    filters: Widths = (32, 32, 16),
    units: PositiveInt = 450,
    activation: Activation = "elu",
    params_size: PositiveInt = 1,
) -> keras.Sequential:
    """Residual decoder: z to `[batch, height, width, params_size * channels]`.

    After a dense layer of `units` come two residual blocks for each number of
    `filters`, of which the second doubles height and width, less one where the encoder
    rounds up: from 4 to 7, 14 and 28. `params_size` is as in `mlp_decoder`.

    Example:
        >>> tfvae.networks.resnet_decoder((28, 20, 1))(tf.zeros([5, 2])).shape
        TensorShape([5, 28, 20, 1])

    References:
        As `resnet_encoder`.
    """
    block = functools.partial(ResidualBlock, activation=activation)
    *sizes, first = (halved(event_shape, k) for k in range(len(filters) + 1))
    layers = [keras.layers.Dense(units, activation)]
    layers.append(keras.layers.Dense(math.prod(first) * filters[0]))
    layers.append(keras.layers.Reshape((*first, filters[0])))
    for n, size in zip(filters, reversed(sizes), strict=True):
        layers += [block(n), block(n, resize="up"), *cropped(size)]
    layers.append(keras.layers.Activation(activation))
    last = keras.layers.Conv2D(event_shape[-1] * params_size, 3, padding="same")
    return keras.Sequential([*layers, last], name="decoder")


@checks.checked
def ladder_encoder(
    event_shape: ImageShape,
    sizes: Widths,
    units: Widths,
    blocks: Widths,
    activation: Activation = "silu",
) -> keras.Model:
    """Encoder of a `LadderVAE`: x to a map of features for each scale, coarse first.

    Residual blocks halve height and width down to the finest of the scales; from there
    each coarser scale is the one before it, halved or, for size 1, made one vector by a
    dense layer. At each scale come residual branches of `layers.Bottleneck`.

    Args:
        event_shape: Shape of x.
        sizes: Height of each scale, coarse first: that of x, halved some times and
            rounded up, or 1 for a vector.
        units: Channels of each scale.
        blocks: Number of branches at each scale.
        activation: Activation before each convolution.

    Example:
        >>> encoder = tfvae.networks.ladder_encoder(
        ...     (28, 28, 1), [1, 7], [32, 16], [1, 2]
        ... )
        >>> [output.shape[1:] for output in encoder.outputs]
        [(1, 1, 32), (7, 7, 16)]
    """
    x = h = keras.Input(event_shape)
    features, height = [], event_shape[0]
    for size, n, count in zip(sizes[::-1], units[::-1], blocks[::-1], strict=True):
        halvings = count_halvings(height, size)
        if size == 1 < height:
            h = keras.layers.Flatten()(keras.layers.Activation(activation)(h))
            h = keras.layers.Reshape((1, 1, n))(keras.layers.Dense(n)(h))
        elif not halvings:
            h = keras.layers.Conv2D(n, 3, padding="same")(h)
        for k in range(halvings if size > 1 else 0):
            filters = max(8, n >> (halvings - 1 - k))
            h = ResidualBlock(filters, resize="down", activation=activation)(h)
        options = {"units": max(1, n // 2), "kernel_size": 3 if size > 1 else 1}
        for _ in range(count):
            branch = Bottleneck(n, **options, activation=activation, zeros=True)
            h = keras.layers.Add()([h, branch(h)])
        features.append(h)
        height = size
    return keras.Model(x, features[::-1], name="encoder")


@checks.checked
def ladder_decoder(
    event_shape: ImageShape,
    size: PositiveInt,
    filters: PositiveInt = 16,
    activation: Activation = "silu",
    params_size: PositiveInt = 1,
) -> keras.Sequential:
    """Decoder of a `LadderVAE`: the last state of its trunk to parameters of x.

    Residual blocks double height and width, from `size` up to those of x; the last one
    has `filters` channels, the one before it twice as many. `params_size` is as in
    `mlp_decoder`.

    Example:
        >>> decoder = tfvae.networks.ladder_decoder((28, 28, 1), size=7)
        >>> decoder(tf.zeros([5, 7, 7, 48])).shape
        TensorShape([5, 28, 28, 1])
    """
    halvings, layers = count_halvings(event_shape[0], size), []
    if size == 1 < event_shape[0]:
        first = halved(event_shape, 2)
        dense = keras.layers.Dense(math.prod(first) * 4 * filters)
        layers += [keras.layers.Flatten(), dense]
        layers.append(keras.layers.Reshape((*first, 4 * filters)))
        halvings = 2
    for k in reversed(range(halvings)):
        up = ResidualBlock(filters << k, resize="up", activation=activation)
        layers += [up, *cropped(halved(event_shape, k))]
    layers.append(keras.layers.Activation(activation))
    layers.append(keras.layers.Conv2D(event_shape[-1] * params_size, 3, padding="same"))
    return keras.Sequential(layers, name="decoder")
