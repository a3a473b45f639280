"""Encoders and decoders: plain Keras models, tensor to tensor."""

import functools
import math
from typing import Annotated, Any

import keras

from tfvae import checks, config
from tfvae.checks import EventShape, ImageShape, PositiveInt, Widths
from tfvae.layers import Bottleneck, GatedDense, ResidualBlock

__all__ = [
    "conv_decoder",
    "conv_encoder",
    "dcgan_discriminator",
    "dcgan_generator",
    "ladder_decoder",
    "ladder_encoder",
    "mlp_decoder",
    "mlp_encoder",
    "resnet_decoder",
    "resnet_encoder",
]


def _activation(*, gated: bool = False, **argument: Any) -> Any:
    """Returns the one named argument if Keras has it, or if it is the "glu" of MLPs."""
    ((_, activation),) = argument.items()
    glu = isinstance(activation, str) and activation == "glu"
    try:
        known = gated if glu else callable(keras.activations.get(activation))
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        expected = "a function, the name of one in keras.activations, or of MLPs 'glu'"
        checks.fail(expected, **argument)
    return activation


_gated_too = functools.partial(_activation, gated=True)
_Activation = Annotated[config.Activation, _activation]
_MLPActivation = Annotated[config.Activation, _gated_too]


@checks.checked
def mlp_encoder(
    event_shape: EventShape, hidden_units: Widths, activation: _MLPActivation = "relu"
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
    activation: _MLPActivation = "relu",
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


@checks.checked
def conv_encoder(
    event_shape: ImageShape,
    filters: Widths = (32, 64),
    units: PositiveInt = 256,
    activation: _Activation = "relu",
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
    activation: _Activation = "relu",
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
    start, crop = _start(event_shape, len(filters), filters[0])
    layers = [keras.layers.Dense(n, activation) for n in (units, math.prod(start))]
    layers.append(keras.layers.Reshape(start))
    up = functools.partial(keras.layers.Conv2DTranspose, padding="same")
    layers += [up(n, 3, 2, activation=activation) for n in filters]
    last = keras.layers.Conv2D(event_shape[-1] * params_size, 3, padding="same")
    return keras.Sequential([*layers, last, crop], name="decoder")


@checks.checked
def resnet_encoder(
    event_shape: ImageShape,
    filters: Widths = (16, 32, 32),
    units: PositiveInt = 450,
    activation: _Activation = "elu",
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
    activation: _Activation = "elu",
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
    *sizes, first = (_halved(event_shape, k) for k in range(len(filters) + 1))
    layers = [keras.layers.Dense(units, activation)]
    layers.append(keras.layers.Dense(math.prod(first) * filters[0]))
    layers.append(keras.layers.Reshape((*first, filters[0])))
    for n, size in zip(filters, reversed(sizes), strict=True):
        layers += [block(n), block(n, resize="up"), *_cropped(size)]
    layers.append(keras.layers.Activation(activation))
    last = keras.layers.Conv2D(event_shape[-1] * params_size, 3, padding="same")
    return keras.Sequential([*layers, last], name="decoder")


@checks.checked
def ladder_encoder(
    event_shape: ImageShape,
    sizes: Widths,
    units: Widths,
    blocks: Widths,
    activation: _Activation = "silu",
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
        halvings = _halvings(height, size)
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
    activation: _Activation = "silu",
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
    halvings, layers = _halvings(event_shape[0], size), []
    if size == 1 < event_shape[0]:
        first = _halved(event_shape, 2)
        dense = keras.layers.Dense(math.prod(first) * 4 * filters)
        layers += [keras.layers.Flatten(), dense]
        layers.append(keras.layers.Reshape((*first, 4 * filters)))
        halvings = 2
    for k in reversed(range(halvings)):
        up = ResidualBlock(filters << k, resize="up", activation=activation)
        layers += [up, *_cropped(_halved(event_shape, k))]
    layers.append(keras.layers.Activation(activation))
    layers.append(keras.layers.Conv2D(event_shape[-1] * params_size, 3, padding="same"))
    return keras.Sequential(layers, name="decoder")


@checks.checked
def dcgan_generator(
    event_shape: ImageShape,
    filters: PositiveInt = 64,
    activation: _Activation = "sigmoid",
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
    start, crop = _start(event_shape, 1 + len(inner), outer)
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


def _halved(event_shape: tuple, times: int) -> tuple[int, int]:
    """Height and width of x, halved so often and rounded up."""
    height, width = (math.ceil(size / 2**times) for size in event_shape[:2])
    return height, width


def _halvings(height: int, size: int) -> int:
    """How often a height is halved, rounded up, until it is the size."""
    halvings = 0
    while height > size:
        height, halvings = math.ceil(height / 2), halvings + 1
    if height != size:
        expected = "1, or the height of x halved some times and rounded up"
        checks.fail(expected, height=size)
    return halvings


def _cropped(size: tuple[int, int]) -> list[keras.layers.Layer]:
    """The layer that crops what doubling gave beyond an odd size, if it did."""
    odd = [(0, length % 2) for length in size]
    return [keras.layers.Cropping2D(odd)] if any(n for _, n in odd) else []


def _start(event_shape: tuple, halvings: int, channels: int) -> tuple:
    """First shape of a decoder, and the layer that crops what it grows beyond x."""
    factor = 2**halvings
    height, width = _halved(event_shape, halvings)
    surplus = height * factor - event_shape[0], width * factor - event_shape[1]
    crop = keras.layers.Cropping2D([(n // 2, n - n // 2) for n in surplus])
    return (height, width, channels), crop


def _doubled(filters: int, event_shape: tuple) -> list[int]:
    """Channels at half, a quarter, ... of the size, down to 8 pixels or fewer."""
    halvings = max(1, math.ceil(math.log2(max(event_shape[:2]) / 8)))
    return [filters * 2**i for i in range(halvings)]


def _dense(units: int, activation: Any) -> keras.layers.Layer:
    if activation == "glu":  # in Keras's Dense it would give half the units
        return GatedDense(units)
    return keras.layers.Dense(units, activation)
