"""Gaussian posteriors: diagonal and full covariance."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.conditional import Draw, LatentDistribution
from tfvae.config import register

tfd = tfp.distributions

# Keeps densities finite where a posterior collapses onto a point.
MIN_SCALE = 1e-4


@register
class MeanField(LatentDistribution):
    """Factorized Gaussian: `q(z | x) = N(z; loc(x), diag(scale(x)**2))`.

    The raw scale passes `softplus` and is kept above 1e-4. See `LatentDistribution`
    for the arguments.

    Example:
        >>> posterior = tfvae.posteriors.MeanField(encoder, latent_dim=2)
        >>> posterior(x).sample(3).shape
        TensorShape([3, 32, 2])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013,
        https://arxiv.org/abs/1312.6114
    """

    @property
    def params_size(self) -> int:
        return 2 * self.latent_dim

    def distribution(self, params: tf.Tensor) -> tfd.MultivariateNormalDiag:
        return mean_field(params)

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
        return gaussian_from_noise(self.distribution(params), noise)


@register
class FullCovariance(LatentDistribution):
    """Gaussian with any covariance: `q(z | x) = N(z; loc(x), L(x) L(x)^T)`.

    L is lower triangular. Its diagonal passes `softplus` and is kept above 1e-4; the
    entries below are divided by the number of latents. So `z = loc + L eps` and
    `log q(z | x) = log N(eps; 0, I) - sum(log diag L)`. See `LatentDistribution` for
    the arguments.

    Example:
        >>> posterior = tfvae.posteriors.FullCovariance(encoder, latent_dim=2)
        >>> posterior(x).covariance().shape
        TensorShape([32, 2, 2])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive
        Flow, 2016, appendix A, https://arxiv.org/abs/1606.04934
    """

    @property
    def params_size(self) -> int:
        return self.latent_dim * (self.latent_dim + 3) // 2  # loc, and the triangle L

    def distribution(self, params: tf.Tensor) -> tfd.MultivariateNormalTriL:
        d = self.latent_dim
        loc, raw, below = tf.split(params, [d, d, -1], axis=-1)
        # TFLite has no operator for matrix_diag.
        scale_tril = tf.eye(d) * (tf.nn.softplus(raw) + MIN_SCALE)[..., None]
        if d > 1:
            # A latent sums up to d entries below the diagonal. Divided by d they start
            # near 0 and move slowly; otherwise training lags far behind `MeanField`.
            below = tfp.math.fill_triangular(below / d)
            outer = [[0, 0]] * (len(below.shape) - 2)
            scale_tril += tf.pad(below, [*outer, [1, 0], [0, 1]])
        return tfd.MultivariateNormalTriL(loc, scale_tril)

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
        return gaussian_from_noise(self.distribution(params), noise)


def mean_field(params: tf.Tensor) -> tfd.MultivariateNormalDiag:
    """`N(loc, diag(scale**2))` of loc and raw scale, `[..., 2 * latent]`."""
    loc, raw_scale = tf.split(params, 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc, tf.nn.softplus(raw_scale) + MIN_SCALE)


def gaussian_from_noise(
    gaussian: tfd.MultivariateNormalLinearOperator, noise: tf.Tensor
) -> Draw:
    """`z = loc + scale noise` and its log-density, for Gaussians that hold a scale."""
    log_det = gaussian.bijector.forward_log_det_jacobian(noise, event_ndims=1)
    log_prob = gaussian.distribution.log_prob(noise) - log_det
    return gaussian.bijector.forward(noise), log_prob
