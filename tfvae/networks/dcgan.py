"""Networks of DCGAN."""

import functools
import math

import keras

from tfvae import checks
from tfvae.checks import ImageShape, PositiveInt
from tfvae.networks.activations import Activation
from tfvae.networks.shapes import first_shape


@checks.checked
def dcgan_generator(
    event_shape: ImageShape,
    filters: PositiveInt = 64,
    activation: Activation = "sigmoid",
    params_size: PositiveInt = 1,
) -> keras.Sequential:
    """Generator of DCGAN: z to `[batch, height, width, params_size * channels]`.

    Transposed convolutions double the size, from 7 or 8 pixels for 28, 32 or 64. Each
    layer has twice the channels of the next. Batch normalization and rectifiers come
    between the layers.

    Args:
        event_shape: `(height, width, channels)` of x.
        filters: Channels before the last layer.
        activation: Activation of the last layer: `"sigmoid"` for x in [0, 1]; None for
            the decoder of a likelihood.
        params_size: As in `mlp_decoder`.

    Example:
        >>> tfvae.networks.dcgan_generator((28, 28, 1))(tf.zeros([5, 64])).shape
        TensorShape([5, 28, 28, 1])

    References:
        Radford et al., Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks, 2015, https://arxiv.org/abs/1511.06434
    """
    outer, *inner = _doubled(filters, event_shape)[::-1]
    start, crop = first_shape(event_shape, 1 + len(inner), outer)
    dense = keras.layers.Dense(math.prod(start), use_bias=False)
    layers = [dense, keras.layers.Reshape(start)]
    up = functools.partial(keras.layers.Conv2DTranspose, padding="same")
    for n in inner:
        layers += [keras.layers.BatchNormalization(), keras.layers.ReLU()]
        layers.append(up(n, 4, 2, use_bias=False))
    layers += [keras.layers.BatchNormalization(), keras.layers.ReLU()]
    last = up(event_shape[-1] * params_size, 4, 2, activation=activation)
    return keras.Sequential([*layers, last, crop], name="generator")


@checks.checked
def dcgan_discriminator(
    event_shape: ImageShape, filters: PositiveInt = 64, units: PositiveInt = 512
) -> keras.Sequential:
    """Network of DCGAN's discriminator: x to features `[batch, units]`.

    Convolutions `conv_0`, `conv_1`, ... halve the size; their names are for the
    `feature_layer` of `layers.Discriminator`. A dense layer comes last, as in InfoGAN:
    without it the logit would be a sum over patches, each judged by itself. There is no
    batch normalization, so data and generated x go through the network in one pass.

    Args:
        event_shape: `(height, width, channels)` of x.
        filters: Channels of the first 4 x 4 convolution; the next have twice as many.
        units: Width of the dense layer.

    Example:
        >>> tfvae.networks.dcgan_discriminator((28, 28, 1)).output_shape
        (None, 512)

    References:
        As `dcgan_generator`; Chen et al., InfoGAN, 2016,
        https://arxiv.org/abs/1606.03657
    """
    layers, leaky = [keras.Input(event_shape)], keras.layers.LeakyReLU
    for i, n in enumerate(_doubled(filters, event_shape)):
        options = {"activation": leaky(negative_slope=0.2), "name": f"conv_{i}"}
        layers.append(keras.layers.Conv2D(n, 4, 2, "same", **options))
    dense = keras.layers.Dense(units, name="dense")
    layers += [keras.layers.Flatten(), dense, leaky(negative_slope=0.2)]
    return keras.Sequential(layers, name="discriminator")


def _doubled(filters: int, event_shape: tuple) -> list[int]:
    """Channels at half, a quarter, ... of the size, down to 8 pixels or fewer."""
    halvings = max(1, math.ceil(math.log2(max(event_shape[:2]) / 8)))
    return [filters * 2**i for i in range(halvings)]
