"""Priors `p(z)`: layers whose call gives the distribution of z."""

import abc

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, flows
from tfvae.config import Configurable, register
from tfvae.flows.base import check

__all__ = [
    "FlowPrior",
    "Prior",
    "StandardNormal",
]

tfd = tfp.distributions


class Prior(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract `p(z)`, with a map from standard normal noise to z.

    Args:
        latent_dim: Size of z.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    def __init__(self, latent_dim, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.latent_dim = checks.integer(latent_dim=latent_dim)

    @abc.abstractmethod
    def call(self, inputs=None):
        """The `tfp.distributions.Distribution` of z."""

    @abc.abstractmethod
    def from_noise(self, noise):
        """Maps standard normal noise to z, both `[batch, latent]`.

        A plain tensor function, so that sampling can be exported with the noise as an
        input.
        """


@register
class StandardNormal(Prior):
    """Standard normal: `p(z) = N(z; 0, I)`.

    Args:
        latent_dim: Size of z.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> tfvae.priors.StandardNormal(2)().log_prob([[0.0, 0.0]]).numpy().round(3)
        array([-1.838], dtype=float32)
    """

    def call(self, inputs=None):
        zeros = tf.zeros([self.latent_dim], self.compute_dtype)
        return tfd.MultivariateNormalDiag(zeros, zeros + 1)

    def from_noise(self, noise):
        """The noise itself."""
        return noise


@register
class FlowPrior(Prior):
    """Learned prior: `z = f(noise)`, `noise ~ N(0, I)`, with a flow f.

    `log p(z) = log N(f^-1(z); 0, I) - log |det df / dnoise|`. By default f is a masked
    autoregressive flow (MAF): its density, which training asks for, is one pass, and
    sampling takes `latent_dim` passes of each network. `flows.Autoregressive`, an IAF,
    samples in one pass and is slow to train; `flows.Coupling` is fast in both.

    Args:
        latent_dim: Size of z.
        flow: A `flows.Flow` of the same size; where it wants a context, a constant one
            is learned.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where `flow` is no flow.
        ValueError: Where it is of another size.

    Example:
        >>> prior = tfvae.priors.FlowPrior(2)
        >>> prior().log_prob(tf.zeros([5, 2])).shape
        TensorShape([5])

    References:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, 2017,
        https://arxiv.org/abs/1705.07057; Chen et al., Variational Lossy Autoencoder,
        2016, https://arxiv.org/abs/1611.02731
    """

    def __init__(self, latent_dim, flow=None, **kwargs):
        super().__init__(latent_dim, **kwargs)
        if flow is None:
            kept = {"dtype": self.dtype_policy}
            steps = flows.Autoregressive(latent_dim, transform="affine", **kept)
            flow = flows.Inverse(steps, **kept)
        check(flow, latent_dim, self.compute_dtype)
        self.flow = flow

    def build(self, input_shape=None):
        if self.built:
            return
        self.context = None
        if self.flow.context_dim:
            self.context = self.add_weight(
                name="context",
                shape=[self.flow.context_dim],
                initializer="random_normal",
            )
        if not self.flow.built:
            self.flow.build((None, self.flow.context_dim))
        self.built = True

    def call(self, inputs=None):
        noise = StandardNormal.call(self)
        return tfd.TransformedDistribution(noise, self.bijector())

    def from_noise(self, noise):
        """See `Prior`."""
        return self.bijector().forward(noise)

    def bijector(self):
        """The map from noise to z, a `tfp.bijectors.Bijector`."""
        if not self.built:
            self.build()
        return self.flow(self.context)
