"""What priors have in common, and the standard normal."""

import abc

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import Configurable, register

tfd = tfp.distributions


class Prior(Configurable, keras.layers.Layer, abc.ABC):
    """Abstract `p(z)`, with a map from standard normal noise to z.

    Args:
        latent_dim: Size of z.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # Shape of what z depends on, and number of classes where that is a label.
    context_shape, num_classes = None, 0

    def __init__(self, latent_dim, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.latent_dim = checks.integer(latent_dim=latent_dim)

    @property
    def noise_dim(self):
        """Numbers that `from_noise` takes for one z."""
        return self.latent_dim

    @abc.abstractmethod
    def call(self, context=None):
        """The `tfp.distributions.Distribution` of z."""

    @abc.abstractmethod
    def from_noise(self, noise, context=None):
        """Maps standard normal noise `[batch, noise_dim]` to z `[batch, latent]`.

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

    def call(self, context=None):
        zeros = tf.zeros([self.latent_dim], self.compute_dtype)
        return tfd.MultivariateNormalDiag(zeros, zeros + 1)

    def from_noise(self, noise, context=None):
        """The noise itself."""
        return noise
