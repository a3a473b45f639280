"""Posteriors that a flow makes of a diagonal Gaussian."""

import abc
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import flows
from tfvae.checks import AnyWidths, PositiveInt
from tfvae.conditional import Draw, Encoder, LatentDistribution, NoiseDistribution
from tfvae.config import register
from tfvae.flows.base import AnyFlow, check_size
from tfvae.inputs import Context
from tfvae.posteriors.gaussian import gaussian_from_noise, mean_field
from tfvae.transforms import TransformName

tfd = tfp.distributions


class FlowLatent(LatentDistribution):
    """Abstract distribution of `z = f(z_0; context)`, for a Gaussian z_0 and a flow f.

    `log p(z) = log p(z_0) - log |det df / dz_0|`. A subclass has a `flow`, and gives
    `params_size` and `start`.
    """

    @abc.abstractmethod
    def start(
        self, params: tf.Tensor | None
    ) -> tuple[tfd.MultivariateNormalDiag, Context]:
        """Distribution of z_0, and the context of the flow."""

    def distribution(self, params: tf.Tensor | None = None) -> "FlowDistribution":
        """Distribution of z: drawing and `log_prob` take one pass of the flow each."""
        return FlowDistribution(self, params)

    def from_noise(self, params: tf.Tensor | None, noise: tf.Tensor) -> Draw:
        """See `LatentDistribution`; each network of the flow runs once."""
        start, context = self.start(params)
        z, log_prob = gaussian_from_noise(start, noise)
        z, log_det = self.flow.forward(z, context)
        return z, log_prob - log_det


class FlowDistribution(NoiseDistribution):
    """Distribution of the z of a `FlowLatent`."""

    def _log_prob(self, z: tf.Tensor) -> tf.Tensor:
        start, context = self._latent.start(self._params)
        z, log_det = self._latent.flow.inverse(z, context)
        return start.log_prob(z) + log_det

    def _sample_and_log_prob(self, sample_shape: Any, seed: Any) -> Draw:
        return self.draw(sample_shape, seed)


@register
class FlowPosterior(FlowLatent):
    """Gaussian mapped by a flow: `z = f(z_0; context(x))`, `z_0 ~ N(loc, scale)`.

    `log q(z | x) = log N(z_0; loc, diag(scale**2)) - log |det df / dz_0|`. The head of
    the encoder gives loc, scale and the context of the flow. The mean has no closed
    form: `encode` gives the image of loc.

    Args:
        encoder: As in `LatentDistribution`, like `latent_dim`.
        flow: A `flows.Flow` of the same size.

    Example:
        >>> flow = tfvae.flows.Coupling(4, transform="spline", context_dim=16)
        >>> posterior = tfvae.posteriors.FlowPosterior(encoder, 4, flow)
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
        return 2 * self.latent_dim + self.flow.context_dim

    def start(self, params: tf.Tensor) -> tuple[tfd.MultivariateNormalDiag, Context]:
        start, context = tf.split(params, [2 * self.latent_dim, -1], axis=-1)
        return mean_field(start), context if self.flow.context_dim else None


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
    `log q(z | x)` loses `sum(log g)`. Drawing with density is one parallel pass of each
    network. The density of a z from elsewhere takes `latent_dim` passes of each, one
    after the other, and is inexact in float32 where gates nearly shut, for it divides
    by them. A `FlowPosterior`, with the arguments of `flows.Autoregressive`.

    Example:
        >>> posterior = tfvae.posteriors.IAF(encoder, latent_dim=4, num_flows=2)
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 4])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, https://arxiv.org/abs/1606.04934
    """
    options = {"transform": transform, "context_dim": context_dim}
    flow = flows.Autoregressive(
        latent_dim, num_flows, hidden_units=hidden_units, **options
    )
    return FlowPosterior(encoder, latent_dim, flow, **kwargs)


def PlanarFlow(
    encoder: Encoder,
    latent_dim: PositiveInt,
    num_flows: PositiveInt = 10,
    **kwargs: Any,
) -> FlowPosterior:
    """Planar flow: T times `z <- z + u tanh(w . z + b)`, with u, w and b of x.

    Starts from `z ~ N(loc(x), diag(scale(x)**2))`. A `FlowPosterior`, with the
    arguments of `flows.Planar`.

    Example:
        >>> posterior = tfvae.posteriors.PlanarFlow(encoder, latent_dim=4, num_flows=10)
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 4])

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """
    flow = flows.Planar(latent_dim, num_flows)
    return FlowPosterior(encoder, latent_dim, flow, **kwargs)
