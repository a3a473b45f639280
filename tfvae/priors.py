"""Priors `p(z)`: layers whose call gives the distribution of z."""

import abc

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import Configurable, register

__all__ = [
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
        return tfd.MultivariateNormalDiag(
            tf.zeros([self.latent_dim]), tf.ones([self.latent_dim])
        )

    def from_noise(self, noise):
        """The noise itself."""
        return noise
