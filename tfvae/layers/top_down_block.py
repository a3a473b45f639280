"""One level of a ladder: its prior, its posterior, and the way down."""

import math
from typing import Annotated, Any, NamedTuple

import keras
import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt
from tfvae.config import Activation, Configurable, register
from tfvae.layers.bottleneck import Bottleneck
from tfvae.layers.causal_conv import MaskedConv2D
from tfvae.transforms import TRANSFORMS

POSTERIORS = ("mean_field", "iaf")
MIN_SCALE = 1e-4  # as of the posteriors
ONE = math.log(math.expm1(1.0))  # softplus(ONE) = 1
Shape = tuple[int, int, int]


class LevelDraw(NamedTuple):
    """Draws of one level, with their log-density and KL by latent, in nats.

    Each is `[batch, height, width, latent_channels]`. The KL is exact for a mean-field
    posterior, else `log q - log p` of the draw.
    """

    z: tf.Tensor
    log_prob: tf.Tensor
    kl: tf.Tensor


@register
class TopDownBlock(Configurable, keras.layers.Layer):
    """One level of a ladder: `p(z_l | z_<l)`, `q(z_l | z_<l, x)`, and the way down.

    Latents are kept in units of their prior: the block's values are
    `loc(h) + scale(h) * z_l` with `z_l ~ N(0, I)` under the prior, where h is the state
    of the trunk. The posterior is `z_l = m + s * noise` with m and s of h and of the
    encoder's features; after it may come one inverse autoregressive step by masked
    convolutions, `z <- g z + (1 - g) m(z)`. At the start q equals p.

    Args:
        latent_channels: Channels of z_l.
        units: Channels in the middle of the residual branches.
        scale: Number of the encoder's output, coarse first, that the posterior sees.
        posterior: `"mean_field"` or `"iaf"`.
        kernel_size: Side of the kernels; 1 where height and width are 1.
        flow_units: Hidden channels of the autoregressive step.
        activation: Activation before each convolution.

    Example:
        >>> block = tfvae.layers.TopDownBlock(4, 16)
        >>> block.build((None, 7, 7, 32), (None, 7, 7, 32))
        >>> block.latent_shape
        (7, 7, 4)

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
        2016, https://arxiv.org/abs/1606.04934; Vahdat and Kautz, NVAE, 2020,
        https://arxiv.org/abs/2007.03898 (the posterior in units of the prior)
    """

    def __init__(
        self,
        latent_channels: PositiveInt,
        units: PositiveInt,
        *,
        scale: NonNegativeInt = 0,
        posterior: Annotated[str, lambda **a: checks.one_of(POSTERIORS, **a)] = "iaf",
        kernel_size: PositiveInt = 3,
        flow_units: PositiveInt = 32,
        activation: Activation = "silu",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.latent_shape: Shape | None = None

    def build(self, h_shape: Any, features_shape: Any) -> None:
        if self.built:
            return
        size, channels = h_shape[1:3], self.latent_channels
        self.latent_shape = (*size, channels)
        kernel = self.kernel_size if max(size) > 1 else 1
        options = {"units": self.units, "kernel_size": kernel, "zeros": True}
        options |= {"activation": self.activation, "dtype": self.dtype_policy}
        flows = self.posterior == "iaf"
        context = self.flow_units if flows else 0
        self.above = Bottleneck(2 * channels + h_shape[-1], **options)
        self.beside = Bottleneck(2 * channels + context, **options)
        self.onto = keras.layers.Conv2D(h_shape[-1], 1, dtype=self.dtype_policy)
        self.below = Bottleneck(h_shape[-1], **options)
        self.above.build(h_shape)
        self.beside.build(h_shape, features_shape)
        self.onto.build((None, *self.latent_shape))
        self.below.build(h_shape)
        self.flow = None
        if flows:
            self.flow = _MaskedNetwork(channels, self.flow_units, kernel // 2)
            self.flow.build((None, *self.latent_shape))
        self.built = True

    def prior(self, h: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Location and scale of the prior's values, and h on its way down."""
        sizes = [self.latent_channels, self.latent_channels, -1]
        loc, raw_scale, change = tf.split(self.above(h), sizes, axis=-1)
        return tf.cast(loc, tf.float32), _scale(raw_scale), h + change

    def draw(self, h: tf.Tensor, side: tf.Tensor, noise: tf.Tensor) -> LevelDraw:
        """Draws z_l of the posterior.

        Args:
            h: State of the trunk after `prior`, `[batch, height, width, units]`.
            side: `beside.project` of the encoder's features.
            noise: Standard normal noise `[batch, height, width, latent_channels]`.
        """
        sizes = [self.latent_channels, self.latent_channels, -1]
        loc, raw, context = tf.split(self.beside(h, side), sizes, axis=-1)
        loc, scale = tf.cast(loc, tf.float32), _scale(raw)
        z, log_prob = loc + scale * noise, _log_normal(noise) - tf.math.log(scale)
        if self.flow is None:
            kl = (loc**2 + scale**2 - 1) / 2 - tf.math.log(scale)
            return LevelDraw(z, log_prob, kl)
        t = TRANSFORMS["gated"].bijector(self.flow(z, context))
        log_prob -= t.forward_log_det_jacobian(z, event_ndims=0)
        z = t.forward(z)
        return LevelDraw(z, log_prob, log_prob - _log_normal(z))

    def merge(self, h: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
        """The state of the trunk below the level, given the values of its latents."""
        h += self.onto(tf.cast(values, h.dtype))
        return h + self.below(h)


class _MaskedNetwork(keras.layers.Layer):
    """Two masked convolutions: shift and gate of z_i from the latents before it.

    The order is that of rows, columns and channels.
    """

    def __init__(self, channels: int, units: int, reach: int):
        super().__init__(name="flow", dtype="float32")  # as all flows are
        degrees = list(range(channels))
        hidden = [i * channels // units for i in range(units)]
        window = {"above": reach, "left": reach, "right": reach, "dtype": "float32"}
        self.first = MaskedConv2D(degrees, hidden, strict=True, **window)
        # A start near gates of 0.88 for all.
        small = keras.initializers.VarianceScaling(0.01)
        window["kernel_initializer"] = small
        self.last = MaskedConv2D(hidden, [*degrees, *degrees], **window)
        self.activate = keras.layers.Activation("silu", dtype="float32")

    def build(self, z_shape: Any) -> None:
        self.first.build(z_shape)
        self.last.build((*z_shape[:-1], len(self.first.out_degrees)))
        self.built = True

    def call(self, z: tf.Tensor, context: tf.Tensor) -> tf.Tensor:
        hidden = self.first(z) + tf.cast(context, tf.float32)
        params = self.last(self.activate(hidden))
        return tf.stack(tf.split(params, 2, axis=-1), axis=-1)


def _scale(raw: tf.Tensor) -> tf.Tensor:
    """Positive, 1 for 0."""
    return tf.nn.softplus(tf.cast(raw, tf.float32) + ONE) + MIN_SCALE


def _log_normal(z: tf.Tensor) -> tf.Tensor:
    return -(z**2) / 2 - math.log(2 * math.pi) / 2
