"""Posteriors that a flow makes of a diagonal Gaussian."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import flows
from tfvae.config import register
from tfvae.flows.base import check
from tfvae.posteriors.base import Posterior
from tfvae.posteriors.gaussian import mean_field

tfd = tfp.distributions


@register
class FlowPosterior(Posterior):
    """Gaussian mapped by a flow: `z = f(z_0; context(x))`, `z_0 ~ N(loc, scale)`.

    `log q(z | x) = log N(z_0; loc, diag(scale**2)) - log |det df / dz_0|`. The head of
    the encoder gives loc, scale and the context of the flow. It has no closed mean:
    `encode` gives the image of loc.

    Args:
        encoder: As in `Posterior`.
        latent_dim: Size of z.
        flow: A `flows.Flow` of the same size.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where `flow` is no flow.
        ValueError: Where it is of another size.

    Example:
        >>> posterior = tfvae.posteriors.FlowPosterior(
        ...     tfvae.networks.mlp_encoder((28, 28, 1), [64]),
        ...     latent_dim=4,
        ...     flow=tfvae.flows.Coupling(4, transform="spline", context_dim=16),
        ... )
        >>> posterior.build((None, 28, 28, 1))
        >>> posterior(tf.zeros([5, 28, 28, 1])).sample(3).shape
        TensorShape([3, 5, 4])

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """

    def __init__(self, encoder, latent_dim, flow, **kwargs):
        super().__init__(encoder, latent_dim, **kwargs)
        self.flow = flow
        check(flow, latent_dim, "float32")

    def build(self, input_shape):
        super().build(input_shape)
        if not self.flow.built:
            self.flow.build((None, self.flow.context_dim))

    @property
    def params_size(self):
        """A location and a scale for each latent, and the context."""
        return 2 * self.latent_dim + self.flow.context_dim

    def distribution(self, params):
        """`TransformedDistribution` of `params`, `[..., 2 * latent + context]`."""
        start, context = tf.split(params, [2 * self.latent_dim, -1], axis=-1)
        bijector = self.flow(context if self.flow.context_dim else None)
        return tfd.TransformedDistribution(mean_field(start), bijector)


@register
class IAF(FlowPosterior):
    """Inverse autoregressive flow: T times `z <- g z + (1 - g) m` by MADE networks.

    Starts from `z ~ N(loc(x), diag(scale(x)**2))`; in each step
    `[m, s] = MADE(z, context(x))` and `g = sigmoid(s + 2)`, kept above 1e-3, so that
    `log q(z | x)` loses `sum(log g)`. The order of latents is reversed between steps.
    Drawing with density is one parallel pass of each network; the density of a z from
    elsewhere takes `latent_dim` passes of each, one after the other, and is inexact in
    float32 where gates nearly shut, for it divides by them.

    Args:
        encoder: As in `Posterior`.
        latent_dim: Size of z.
        num_flows: Number of steps T.
        hidden_units: Widths of the hidden layers of each MADE; `[]` for linear ones.
        transform: `"gated"` as above, `"affine"` or `"spline"`: see
            `flows.Autoregressive`.
        context_dim: Size of the context, which every step sees.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is too low, or the transform unknown.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((28, 28, 1), [64])
        >>> posterior = tfvae.posteriors.IAF(encoder, latent_dim=4, num_flows=2)
        >>> posterior.build((None, 28, 28, 1))
        >>> posterior(tf.zeros([5, 28, 28, 1])).sample(3).shape
        TensorShape([3, 5, 4])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, https://arxiv.org/abs/1606.04934
    """

    def __init__(
        self,
        encoder,
        latent_dim,
        num_flows=2,
        *,
        hidden_units=(320, 320),
        transform="gated",
        context_dim=64,
        **kwargs,
    ):
        flow = flows.Autoregressive(
            latent_dim,
            num_flows,
            hidden_units=hidden_units,
            transform=transform,
            context_dim=context_dim,
        )
        super().__init__(encoder, latent_dim, flow, **kwargs)
        self.num_flows, self.hidden_units = num_flows, flow.hidden_units
        self.transform, self.context_dim = transform, context_dim


@register
class PlanarFlow(FlowPosterior):
    """Planar flow: T times `z <- z + u tanh(w . z + b)`, with u, w and b of x.

    Starts from `z ~ N(loc(x), diag(scale(x)**2))`; see `flows.Planar`.

    Args:
        encoder: As in `Posterior`.
        latent_dim: Size of z.
        num_flows: Number of steps T.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where a number is no integer.
        ValueError: Where a number is below 1.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((28, 28, 1), [64])
        >>> posterior = tfvae.posteriors.PlanarFlow(encoder, latent_dim=4, num_flows=10)
        >>> posterior.build((None, 28, 28, 1))
        >>> posterior(tf.zeros([5, 28, 28, 1])).sample(3).shape
        TensorShape([3, 5, 4])

    References:
        Rezende and Mohamed, Variational Inference with Normalizing Flows, 2015,
        https://arxiv.org/abs/1505.05770
    """

    def __init__(self, encoder, latent_dim, num_flows=10, **kwargs):
        flow = flows.Planar(latent_dim, num_flows)
        super().__init__(encoder, latent_dim, flow, **kwargs)
        self.num_flows = num_flows
