"""Likelihood of x with a few levels."""

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import register
from tfvae.likelihoods.base import Likelihood

tfd = tfp.distributions


class Leveled(Likelihood):
    """Abstract: elements of a number of levels, which lie evenly in [0, 1]."""

    support = (0, 1)

    def __init__(self, decoder, levels=256, **kwargs):
        super().__init__(decoder, **kwargs)
        self.levels = checks.integer(minimum=2, levels=levels)

    def check(self, **argument):
        """See `Likelihood`; what lies between levels is refused."""
        x = super().check(**argument)
        steps = x * (self.levels - 1)
        if (abs(steps - steps.round()) > 1e-3).any():
            expected = f"of {self.levels} levels: multiples of 1 / {self.levels - 1}"
            checks.fail(expected, **argument)
        return x


@register
class Categorical(Leveled):
    """A probability for each level: `p(x = i / (levels - 1)) = softmax(logits)_i`.

    Args:
        decoder: Network to `levels` logits for each element.
        levels: Number of levels, which lie evenly in [0, 1]; 256 for pixels of a byte.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where `levels` is no integer.
        ValueError: Where it is below 2.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64], params_size=4)
        >>> likelihood = tfvae.likelihoods.Categorical(decoder, levels=4)
        >>> likelihood.build((None, 2))
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5])
    """

    @property
    def params_size(self):
        """A logit for each level."""
        return self.levels

    def elements(self, *logits):
        """A distribution of levels, with the values of x."""
        logits = tf.stack(logits, axis=-1)
        return _Levels(logits=logits, dtype=tf.float32)

    def from_noise(self, noise, params):
        """The least level that so much probability does not exceed."""
        chosen = choose(noise[..., 0], params)
        return tf.cast(chosen, tf.float32) / (self.levels - 1)


class _Levels(tfd.Categorical):
    """TFP's, for values in [0, 1]."""

    def _log_prob(self, value):
        index = tf.cast(tf.round(value * (self.logits.shape[-1] - 1)), tf.int32)
        chosen = tf.one_hot(index, self.logits.shape[-1])
        return tf.reduce_sum(chosen * tf.nn.log_softmax(self.logits), axis=-1)

    def _sample_n(self, n, seed=None):
        return super()._sample_n(n, seed) / (self.logits.shape[-1] - 1)

    def _mean(self):
        levels = tf.linspace(0.0, 1.0, self.logits.shape[-1])
        return tf.linalg.matvec(self.probs_parameter(), levels)


def choose(noise, logits):
    """Indices with the probabilities `softmax(logits)` from noise: the quantiles.

    Args:
        noise: `[...]`, uniform between 0 and 1.
        logits: `[..., choices]`.

    Returns:
        An int32 tensor `[...]`.
    """
    below = tf.cumsum(tf.nn.softmax(logits), axis=-1)[..., :-1]
    return tf.reduce_sum(tf.cast(below < noise[..., None], tf.int32), axis=-1)
