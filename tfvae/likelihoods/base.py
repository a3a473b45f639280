"""What every likelihood shares."""

import abc
import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.conditional import ConditionalDistribution

tfd = tfp.distributions


class Likelihood(ConditionalDistribution):
    """Abstract `p(x | z)`, independent over the elements of x given z.

    A subclass gives `params_size` and `element_distribution`. The decoder's last axis
    holds `params_size` values for each channel of x: all channels of the first
    parameter, then all of the second.

    Args:
        decoder: Network from z `[batch, latent]` to the parameters
            `[batch, *event_shape[:-1], params_size * channels]`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # Least and greatest value an element of x may have.
    support = (float("-inf"), float("inf"))
    # Uniform random numbers that an element takes.
    noise_dim = 1

    def __init__(self, decoder, **kwargs):
        super().__init__(decoder, **kwargs)
        self.event_shape = None

    @property
    def decoder(self):
        """The network from z to the parameters."""
        return self.network

    def build(self, input_shape):
        if self.event_shape is not None:
            return
        super().build(input_shape)
        *outer, last = self._output_shape[1:]
        if last % self.params_size:
            raise ValueError(
                f"`decoder` must give {self.params_size} values for each channel of x. "
                f"Received: a decoder whose last axis has {last}. The networks of "
                f"tfvae.networks take params_size={self.params_size}."
            )
        self.event_shape = (*outer, last // self.params_size)

    def check(self, **argument):
        """The named argument as float32 data that this likelihood is defined for.

        Args:
            **argument: One array-like `[batch, *event_shape]`, by its name.

        Returns:
            A float32 array.

        Raises:
            TypeError: Where it holds no real numbers.
            ValueError: Where its shape is wrong, a value is not finite or lies outside
                the support.
        """
        low, high = self.support
        because = f"the {type(self).__name__} likelihood"
        return checks.array(
            self.event_shape, low=low, high=high, because=because, **argument
        )

    @abc.abstractmethod
    def element_distribution(self, *params):
        """The distribution of single elements of x, given that many parameters each."""

    def distribution(self, params):
        """`Independent` over the event: params `[..., params_size * channels]`."""
        elements = self.element_distribution(
            *tf.split(params, self.params_size, axis=-1)
        )
        return tfd.Independent(elements, len(self.event_shape))

    def log_prob(self, x, z, training=False):
        """`log p(x | z)` in nats, `[samples, ..., batch]`.

        As of the distribution that a call gives, but with x as a vector, which XLA and
        the CPU's vector units sum faster than an image.

        Args:
            x: Data `[batch, *event_shape]`.
            z: Latents `[samples, ..., batch, latent]`.
            training: Passed on to the decoder.
        """
        return self.log_density(x, self.params(z, training=training))

    def log_density(self, x, params):
        """`log_prob` where the parameters are known.

        Args:
            x: Data `[batch, *event_shape]`.
            params: `[samples, ..., batch, *event_shape[:-1], params_size * channels]`.
        """
        params = tf.split(params, self.params_size, axis=-1)
        elements = self.element_distribution(*map(self._flatten, params))
        return tf.reduce_sum(elements.log_prob(self._flatten(x)), axis=-1)

    def from_noise(self, noise, params):
        """Elements of x as functions of noise; by default the quantiles.

        Args:
            noise: Uniform noise `[..., noise_dim]`, above 0 and below 1.
            params: `[..., params_size]`, for one element each.

        Returns:
            A tensor `[...]`.
        """
        elements = self.element_distribution(*tf.unstack(params, axis=-1))
        return elements.quantile(noise[..., 0])

    def _flatten(self, values):
        leading = keras.ops.shape(values)[: -len(self.event_shape)]
        return tf.reshape(values, [*leading, math.prod(self.event_shape)])
