"""Likelihoods of x in [0, 1] with a logit for each element."""

from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae.config import Network, register
from tfvae.likelihoods.base import Likelihood

tfd = tfp.distributions


class _Bernoulli(tfd.Bernoulli):
    """TFP's Bernoulli with one `softplus` for each element: TFP takes two."""

    def _log_prob(self, event: tf.Tensor) -> tf.Tensor:
        event = tf.cast(event, self.logits.dtype)
        # x log p + (1 - x) log(1 - p)
        return event * self.logits - tf.nn.softplus(self.logits)


class _LogitLikelihood(Likelihood):
    """Abstract likelihood with one logit for each element of x in [0, 1]."""

    support = (0, 1)
    params_size = 1

    def __init__(self, decoder: Network, **kwargs: Any):
        super().__init__(decoder, **kwargs)
        last = (getattr(decoder, "layers", None) or [decoder])[-1]
        if getattr(last, "activation", None) is keras.activations.sigmoid:
            raise ValueError(
                "`decoder` must give logits, not probabilities. Received: a decoder "
                "that ends in a sigmoid. Leave the last activation out."
            )


@register
class Bernoulli(_LogitLikelihood):
    """Bernoulli pixels: `log p(x | z) = sum(x log p + (1 - x) log(1 - p))`.

    p is the sigmoid of the decoder's output, the logits. For x in {0, 1} this is a
    density; for grey values in [0, 1] it is the usual cross-entropy but no density, and
    bounds are not comparable with others: see `ContinuousBernoulli`.

    Args:
        decoder: Network from z to logits of the shape of x.

    Example:
        >>> likelihood = tfvae.likelihoods.Bernoulli(decoder)
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013, appendix C.1,
        https://arxiv.org/abs/1312.6114
    """

    def element_distribution(self, logits: tf.Tensor) -> tfd.Bernoulli:
        return _Bernoulli(logits=logits, dtype=tf.float32)

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`: 1 where the noise is below p."""
        return tf.cast(noise[..., 0] < tf.sigmoid(params[..., 0]), tf.float32)


@register
class ContinuousBernoulli(_LogitLikelihood):
    """Continuous Bernoulli pixels: `p(x | z) = C(p) p**x (1 - p)**(1 - x)`.

    A density of x in [0, 1]: the normalised form of the cross-entropy that is often
    used on grey values. p is the sigmoid of the decoder's output, as in `Bernoulli`.

    Example:
        >>> likelihood = tfvae.likelihoods.ContinuousBernoulli(decoder)
        >>> likelihood(tf.zeros([5, 2])).mean().shape
        TensorShape([5, 8, 8, 1])

    References:
        Loaiza-Ganem and Cunningham, The Continuous Bernoulli, 2019,
        https://arxiv.org/abs/1907.06845
    """

    def element_distribution(self, logits: tf.Tensor) -> tfd.ContinuousBernoulli:
        return tfd.ContinuousBernoulli(logits=logits)

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`: the inverse CDF at the noise."""
        return self.element_distribution(params[..., 0]).quantile(noise[..., 0])
