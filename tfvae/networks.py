"""Encoders and decoders: plain Keras models, tensor to tensor."""

import math

import keras

from tfvae import checks
from tfvae.layers import GatedDense

__all__ = [
    "conv_decoder",
    "conv_encoder",
    "dcgan_discriminator",
    "dcgan_generator",
    "mlp_decoder",
    "mlp_encoder",
]


def mlp_encoder(event_shape, hidden_units, activation="relu"):
    """Dense encoder: x `[batch, *event_shape]` to features `[batch, units]`.

    Args:
        event_shape: Shape of one example, for instance `(28, 28, 1)` or `(784,)`.
        hidden_units: Width of each layer; the last is the width of the features.
        activation: Of every layer; the VAE paper uses `"tanh"`. `"glu"` makes them
            `layers.GatedDense`.

    Returns:
        A built `keras.Sequential`.

    Raises:
        TypeError: Where a width or a dimension is no integer.
        ValueError: Where a width or a dimension is below 1, or none is given.

    Example:
        >>> tfvae.networks.mlp_encoder((28, 28, 1), [500]).output_shape
        (None, 500)
    """
    event_shape = checks.event_shape(event_shape=event_shape)
    widths = checks.integers(hidden_units=hidden_units)
    hidden = [_dense(units, activation) for units in widths]
    layers = [keras.Input(event_shape), keras.layers.Flatten(), *hidden]
    return keras.Sequential(layers, name="encoder")


def mlp_decoder(event_shape, hidden_units, activation="relu", params_size=1):
    """Dense decoder: z `[batch, latent]` to `params_size` values an element of x.

    With `activation="tanh"` and one hidden layer this is the Bernoulli MLP of the VAE
    paper, or with `params_size=2` its Gaussian MLP.

    Args:
        event_shape: Shape of x.
        hidden_units: Width of each hidden layer.
        activation: Of every hidden layer, as in `mlp_encoder`; the output has none.
        params_size: Values for each element of x, as the likelihood wants them.

    Returns:
        A `keras.Sequential` to `[batch, *event_shape[:-1], params_size * channels]`. It
        is built by its likelihood, which knows the size of z.

    Raises:
        TypeError: Where a width or a dimension is no integer.
        ValueError: Where a width or a dimension is below 1, or none is given.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((28, 28, 1), [500])
        >>> decoder(tf.zeros([5, 2])).shape
        TensorShape([5, 28, 28, 1])
    """
    *outer, channels = checks.event_shape(event_shape=event_shape)
    output = (*outer, channels * checks.integer(params_size=params_size))
    widths = checks.integers(hidden_units=hidden_units)
    hidden = [_dense(units, activation) for units in widths]
    last = keras.layers.Dense(math.prod(output))
    layers = [*hidden, last, keras.layers.Reshape(output)]
    return keras.Sequential(layers, name="decoder")


def conv_encoder(event_shape, filters=(32, 64), units=256, activation="relu"):
    """Convolutional encoder: each layer halves height and width, then a dense one.

    Args:
        event_shape: `(height, width, channels)`, of any size.
        filters: Channels of each 3 x 3 convolution of stride 2.
        units: Width of the features.
        activation: Of every layer.

    Returns:
        A built `keras.Sequential` to `[batch, units]`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is below 1 or the shape is no image's.

    Example:
        >>> tfvae.networks.conv_encoder((28, 20, 1)).output_shape
        (None, 256)
    """
    event_shape = checks.image_shape(event_shape=event_shape)
    activate, layers = _activation(activation), [keras.Input(event_shape)]
    for channels in checks.integers(filters=filters):
        layers.append(keras.layers.Conv2D(channels, 3, 2, "same", activation=activate))
    units = checks.integer(units=units)
    layers += [keras.layers.Flatten(), keras.layers.Dense(units, activate)]
    return keras.Sequential(layers, name="encoder")


def conv_decoder(
    event_shape, filters=(64, 32), units=256, activation="relu", params_size=1
):
    """Convolutional decoder: each layer doubles height and width up to those of x.

    Sizes that are no multiple of `2**len(filters)` are overshot and cropped.

    Args:
        event_shape: `(height, width, channels)` of x, of any size.
        filters: Channels of each 3 x 3 transposed convolution of stride 2.
        units: Width of the dense layer before the first.
        activation: Of every layer but the last.
        params_size: Values for each element of x, as the likelihood wants them.

    Returns:
        A `keras.Sequential` to `[batch, height, width, params_size * channels]`. It is
        built by its likelihood, which knows the size of z.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is below 1 or the shape is no image's.

    Example:
        >>> decoder = tfvae.networks.conv_decoder((28, 20, 1))
        >>> decoder(tf.zeros([5, 2])).shape
        TensorShape([5, 28, 20, 1])
    """
    height, width, channels = checks.image_shape(event_shape=event_shape)
    filters = checks.integers(filters=filters)
    channels *= checks.integer(params_size=params_size)
    factor = 2 ** len(filters)
    start = (math.ceil(height / factor), math.ceil(width / factor), filters[0])
    units, activate = checks.integer(units=units), _activation(activation)
    layers = [keras.layers.Dense(n, activate) for n in (units, math.prod(start))]
    layers.append(keras.layers.Reshape(start))
    for n in filters:
        layers.append(
            keras.layers.Conv2DTranspose(n, 3, 2, "same", activation=activate)
        )
    layers.append(keras.layers.Conv2D(channels, 3, padding="same"))
    layers.append(_cropped(start[0] * factor - height, start[1] * factor - width))
    return keras.Sequential(layers, name="decoder")


def dcgan_generator(event_shape, filters=64, activation="sigmoid", params_size=1):
    """Generator of DCGAN: z to x, by transposed convolutions that double the size.

    It begins at 7 x 7 or 8 x 8 pixels for 28, 32 or 64, with twice the channels at half
    the size, and batch normalization and rectifiers in between.

    Args:
        event_shape: `(height, width, channels)` of x.
        filters: Channels before the last layer.
        activation: Of the last layer: `"sigmoid"` for x in [0, 1]; None for the decoder
            of a likelihood.
        params_size: Values for each element of x, as a likelihood wants them.

    Returns:
        A `keras.Sequential` to `[batch, height, width, params_size * channels]`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is below 1 or the shape is no image's.

    Example:
        >>> tfvae.networks.dcgan_generator((28, 28, 1))(tf.zeros([5, 64])).shape
        TensorShape([5, 28, 28, 1])

    References:
        Radford et al., Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks, 2015, https://arxiv.org/abs/1511.06434
    """
    height, width, channels = checks.image_shape(event_shape=event_shape)
    channels *= checks.integer(params_size=params_size)
    outer, *inner = _doubled(filters, event_shape)[::-1]
    factor = 2 ** (1 + len(inner))
    start = (math.ceil(height / factor), math.ceil(width / factor), outer)
    layers = [keras.layers.Dense(math.prod(start), use_bias=False)]
    layers += [keras.layers.Reshape(start), *_normalized()]
    for n in inner:
        up = keras.layers.Conv2DTranspose(n, 4, 2, "same", use_bias=False)
        layers += [up, *_normalized()]
    activation = None if activation is None else _activation(activation)
    last = keras.layers.Conv2DTranspose(channels, 4, 2, "same", activation=activation)
    crop = _cropped(start[0] * factor - height, start[1] * factor - width)
    return keras.Sequential([*layers, last, crop], name="generator")


def dcgan_discriminator(event_shape, filters=64, units=512):
    """Network of DCGAN's discriminator: 4 x 4 convolutions that halve the size.

    A dense layer comes last, as in InfoGAN's: without it the logit would be a sum over
    patches, each judged by itself.

    The layers are named `conv_0`, `conv_1`, ..., for the `feature_layer` of
    `layers.Discriminator`. Without batch normalization, so that data and what was
    generated go through it in one pass.

    Args:
        event_shape: `(height, width, channels)` of x.
        filters: Channels of the first layer; each next has twice as many.
        units: Width of the dense layer.

    Returns:
        A built `keras.Sequential` to `[batch, units]`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is below 1 or the shape is no image's.

    Example:
        >>> tfvae.networks.dcgan_discriminator((28, 28, 1)).output_shape
        (None, 512)

    References:
        As `dcgan_generator`; Chen et al., InfoGAN, 2016,
        https://arxiv.org/abs/1606.03657
    """
    event_shape = checks.image_shape(event_shape=event_shape)
    layers = [keras.Input(event_shape)]
    for i, n in enumerate(_doubled(filters, event_shape)):
        activation = keras.layers.LeakyReLU(negative_slope=0.2)
        layers.append(
            keras.layers.Conv2D(
                n, 4, 2, "same", activation=activation, name=f"conv_{i}"
            )
        )
    dense = keras.layers.Dense(checks.integer(units=units), name="dense")
    layers += [keras.layers.Flatten(), dense]
    layers.append(keras.layers.LeakyReLU(negative_slope=0.2))
    return keras.Sequential(layers, name="discriminator")


def _doubled(filters, event_shape):
    """Channels at half, a quarter, ... of the size, down to 8 pixels or fewer."""
    filters = checks.integer(filters=filters)
    halvings = max(1, math.ceil(math.log2(max(event_shape[:2]) / 8)))
    return [filters * 2**i for i in range(halvings)]


def _normalized():
    return keras.layers.BatchNormalization(), keras.layers.ReLU()


def _cropped(*surplus):
    """Takes rows and columns that are too many from both sides."""
    return keras.layers.Cropping2D([(n // 2, n - n // 2) for n in surplus])


def _dense(units, activation):
    if activation == "glu":  # in Keras's Dense it would give half the units
        return GatedDense(units)
    return keras.layers.Dense(units, _activation(activation))


def _activation(activation):
    try:
        known = activation != "glu" and keras.activations.get(activation)
    except (ValueError, TypeError, KeyError):
        known = None
    if not callable(known):
        expected = "a function, the name of one in keras.activations, or of MLPs 'glu'"
        checks.fail(expected, activation=activation)
    return known
