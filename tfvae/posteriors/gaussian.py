"""Gaussian posteriors: diagonal and full covariance."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.config import register
from tfvae.posteriors.base import Posterior

tfd = tfp.distributions

# Keeps densities finite where a posterior collapses onto a point.
MIN_SCALE = 1e-4


def mean_field(params):
    """`N(loc, diag(scale**2))` of parameters `[..., 2 * latent]`."""
    loc, raw_scale = tf.split(params, 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale) + MIN_SCALE)


@register
class MeanField(Posterior):
    """Factorized Gaussian: `q(z | x) = N(z; loc(x), diag(scale(x)**2))`.

    The raw scale passes `softplus` and is kept above 1e-4. See `Posterior` for the
    arguments.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((28, 28, 1), [64])
        >>> posterior = tfvae.posteriors.MeanField(encoder, latent_dim=2)
        >>> posterior.build((None, 28, 28, 1))
        >>> posterior(tf.zeros([5, 28, 28, 1])).sample(3).shape
        TensorShape([3, 5, 2])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        https://arxiv.org/abs/1312.6114
    """

    @property
    def params_size(self):
        """A location and a scale for each latent."""
        return 2 * self.latent_dim

    def distribution(self, params):
        """`MultivariateNormalDiag` of `params`, `[..., 2 * latent]`."""
        return mean_field(params)


@register
class FullCovariance(Posterior):
    """Gaussian with any covariance: `q(z | x) = N(z; loc(x), L(x) L(x)^T)`.

    L is lower triangular, its diagonal passes `softplus` and is kept above 1e-4, what
    lies below is divided by the number of latents, so
    `z = loc + L eps` and `log q(z | x) = log N(eps; 0, I) - sum(log diag L)`. An
    encoder with d latents has d (d + 3) / 2 parameters. See `Posterior` for the
    arguments.

    Example:
        >>> encoder = tfvae.networks.mlp_encoder((28, 28, 1), [64])
        >>> posterior = tfvae.posteriors.FullCovariance(encoder, latent_dim=2)
        >>> posterior.build((None, 28, 28, 1))
        >>> posterior(tf.zeros([5, 28, 28, 1])).covariance().shape
        TensorShape([5, 2, 2])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, appendix A, https://arxiv.org/abs/1606.04934
    """

    @property
    def params_size(self):
        """A location for each latent and the lower triangle of L."""
        return self.latent_dim * (self.latent_dim + 3) // 2

    def distribution(self, params):
        """`MultivariateNormalTriL` of `params`, `[..., latent * (latent + 3) / 2]`."""
        latent_dim = self.latent_dim
        loc, raw, below = tf.split(params, [latent_dim, latent_dim, -1], axis=-1)
        # TFLite has no operator for matrix_diag.
        diagonal = tf.eye(latent_dim) * (tf.nn.softplus(raw) + MIN_SCALE)[..., None]
        if latent_dim == 1:
            return tfd.MultivariateNormalTriL(loc, diagonal)
        # A latent sums up to d entries below the diagonal: divided by d they start near
        # 0 and move slowly, without which training lags far behind `MeanField`.
        below = tfp.math.fill_triangular(below / latent_dim)
        outer = [[0, 0]] * (len(below.shape) - 2)
        below = tf.pad(below, [*outer, [1, 0], [0, 1]])
        return tfd.MultivariateNormalTriL(loc, diagonal + below)
