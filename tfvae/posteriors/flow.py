"""Posteriors that a flow makes of a diagonal Gaussian."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import flows
from tfvae.checks import AnyWidths, PositiveInt
from tfvae.conditional import Draw, Encoder, LatentDistribution, NoiseDistribution
from tfvae.config import register
from tfvae.flows.base import AnyFlow, check_size
from tfvae.flows.scalar import TransformName
from tfvae.inputs import Context
from tfvae.posteriors.gaussian import gaussian_from_noise, mean_field

tfd = tfp.distributions


@register
class FlowPosterior(LatentDistribution):
    """Gaussian mapped by a flow: `z = f(z_0; context(x))`, `z_0 ~ N(loc, scale)`.

    `log q(z | x) = log N(z_0; loc, diag(scale**2)) - log |det df / dz_0|`. The head of
    the encoder gives loc, scale and the context of the flow. The mean has no closed
    form: `encode` gives the image of loc.

    Args:
        encoder: As in `LatentDistribution`.
        latent_dim: Size of z.
        flow: A `flows.Flow` of the same size.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> flow = tfvae.flows.Coupling(4, transform="spline", context_dim=16)
        >>> posterior = tfvae.posteriors.FlowPosterior(encoder, 4, flow)
        >>> posterior.build((None, 8, 8, 1))
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 4])

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """

    def __init__(
        self, encoder: Encoder, latent_dim: PositiveInt, flow: AnyFlow, **kwargs: Any
    ):
        super().__init__(encoder, latent_dim, **kwargs)
        check_size(flow, latent_dim, "float32")

    @property
    def params_size(self) -> int:
        """A location and a scale for each latent, and the context."""
        return 2 * self.latent_dim + self.flow.context_dim

    def distribution(self, params: tf.Tensor) -> "FlowDistribution":
        """`FlowDistribution` of `params`, `[..., 2 * latent + context]`."""
        start, context = self._start_and_context(params)
        return FlowDistribution(self, params, start, context)

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
        """See `LatentDistribution`; each network of the flow runs once."""
        start, context = self._start_and_context(params)
        z, log_prob = gaussian_from_noise(start, noise)
        z, log_det = self.flow.forward(z, context)
        return z, log_prob - log_det

    def _start_and_context(
        self, params: tf.Tensor
    ) -> tuple[tfd.MultivariateNormalDiag, Context]:
        start, context = tf.split(params, [2 * self.latent_dim, -1], axis=-1)
        return mean_field(start), context if self.flow.context_dim else None


class FlowDistribution(NoiseDistribution):
    """Distribution of `z = f(z_0; context)`, of a `LatentDistribution` with a flow.

    Its `log_prob` takes one pass of `flow.inverse`.

    Args:
        latent: The `FlowPosterior` or `FlowPrior`.
        params: Its parameters, or None.
        start: Distribution of z_0.
        context: Context of the flow, or None.

    Attributes:
        distribution: Distribution of z_0.
        bijector: The flow, a `tfp.bijectors.Bijector`.
    """

    def __init__(
        self,
        latent: LatentDistribution,
        params: tf.Tensor | None,
        start: tfd.Distribution,
        context: Context,
    ):
        super().__init__(latent, params)
        self.distribution, self._context = start, context
        self.bijector = latent.flow.bijector(context)

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        start, log_det = self._latent.flow.inverse(z, self._context)
        return self.distribution.log_prob(start) + log_det

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any) -> Draw:
        return self.draw(sample_shape, seed)


def IAF(
    encoder: Encoder,
    latent_dim: PositiveInt,
    num_flows: PositiveInt = 2,
    *,
    hidden_units: AnyWidths = (320, 320),
    transform: TransformName = "gated",
    context_dim: int = 64,
    **kwargs: Any,
) -> FlowPosterior:
    """Inverse autoregressive flow: T times `z <- g z + (1 - g) m` by MADE networks.

    Starts from `z ~ N(loc(x), diag(scale(x)**2))`; in each step
    `[m, s] = MADE(z, context(x))` and `g = sigmoid(s + 2)`, kept above 1e-3, so that
    `log q(z | x)` loses `sum(log g)`. The order of latents is reversed between steps.
    Drawing with density is one parallel pass of each network; the density of a z from
    elsewhere takes `latent_dim` passes of each, one after the other, and is inexact in
    float32 where gates nearly shut, for it divides by them.

    Args:
        encoder: As in `LatentDistribution`.
        latent_dim: Size of z.
        num_flows: Number of steps T.
        hidden_units: Widths of the hidden layers of each MADE; `[]` for linear ones.
        transform: `"gated"` as above, `"affine"` or `"spline"`: see
            `flows.Autoregressive`.
        context_dim: Size of the context, which every step sees.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> posterior = tfvae.posteriors.IAF(encoder, latent_dim=4, num_flows=2)
        >>> posterior.build((None, 8, 8, 1))
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 4])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, https://arxiv.org/abs/1606.04934
    """
    flow = flows.Autoregressive(
        latent_dim,
        num_flows,
        hidden_units=hidden_units,
        transform=transform,
        context_dim=context_dim,
    )
    return FlowPosterior(encoder, latent_dim, flow, **kwargs)


def PlanarFlow(
    encoder: Encoder,
    latent_dim: PositiveInt,
    num_flows: PositiveInt = 10,
    **kwargs: Any,
) -> FlowPosterior:
    """Planar flow: T times `z <- z + u tanh(w . z + b)`, with u, w and b of x.

    Starts from `z ~ N(loc(x), diag(scale(x)**2))`; see `flows.Planar`.

    Args:
        encoder: As in `LatentDistribution`.
        latent_dim: Size of z.
        num_flows: Number of steps T.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> posterior = tfvae.posteriors.PlanarFlow(encoder, latent_dim=4, num_flows=10)
        >>> posterior.build((None, 8, 8, 1))
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 4])

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """
    flow = flows.Planar(latent_dim, num_flows)
    return FlowPosterior(encoder, latent_dim, flow, **kwargs)
