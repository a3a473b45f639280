"""Likelihoods of x with evenly spaced levels."""

import functools
from typing import Annotated, Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import PositiveInt
from tfvae.config import Network, register
from tfvae.likelihoods.base import Likelihood

tfd = tfp.distributions

Levels = Annotated[int, functools.partial(checks.integer, minimum=2)]


class Discrete(Likelihood):
    """Abstract likelihood of elements with a number of levels, evenly in [0, 1]."""

    support = (0, 1)

    def __init__(self, decoder: Network, levels: Levels = 256, **kwargs: Any):
        super().__init__(decoder, **kwargs)
        self.levels = levels


@register
class Categorical(Discrete):
    """A probability for each level: `p(x = i / (levels - 1)) = softmax(logits)_i`.

    Args:
        decoder: Network from z to `levels` logits for each element.
        levels: Number of levels, which lie evenly in [0, 1]; 256 for pixels of a byte.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64], params_size=4)
        >>> likelihood = tfvae.likelihoods.Categorical(decoder, levels=4)
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 8, 8, 1])).shape
        TensorShape([5])
    """

    @property
    def params_size(self) -> int:
        return self.levels

    def element_distribution(self, *logits: tf.Tensor) -> tfd.Distribution:
        return _Levels(logits=tf.stack(logits, axis=-1), dtype=tf.float32)

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """Inverse CDF: the smallest level whose cumulative probability is >= noise."""
        chosen = choose(noise[..., 0], params)
        return tf.cast(chosen, tf.float32) / (self.levels - 1)


class _Levels(tfd.Categorical):
    """TFP's categorical distribution, of values in [0, 1]."""

    def _log_prob(self, value: tf.Tensor) -> tf.Tensor:
        index = tf.cast(tf.round(value * (self.logits.shape[-1] - 1)), tf.int32)
        chosen = tf.one_hot(index, self.logits.shape[-1])
        return tf.reduce_sum(chosen * tf.nn.log_softmax(self.logits), axis=-1)

    def _sample_n(self, n: int, seed: Any = None) -> tf.Tensor:
        return super()._sample_n(n, seed) / (self.logits.shape[-1] - 1)

    def _mean(self) -> tf.Tensor:
        levels = tf.linspace(0.0, 1.0, self.logits.shape[-1])
        return tf.linalg.matvec(self.probs_parameter(), levels)


def choose(noise: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Indices `[...]` with probabilities `softmax(logits)`, by the inverse CDF.

    Noise is `[...]`, uniform in [0, 1], and logits are `[..., choices]`.
    """
    below = tf.cumsum(tf.nn.softmax(logits), axis=-1)[..., :-1]
    return tf.reduce_sum(tf.cast(below < noise[..., None], tf.int32), axis=-1)


def pick(noise: tf.Tensor, logits: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The value, of `[..., choices]`, that `choose` would choose: `[...]`."""
    chosen = choose(noise, logits)
    return tf.gather(values, chosen, batch_dims=chosen.shape.rank)


class LogisticMixture(Discrete):
    """Abstract mixture of logistics in bins; arguments as in `DiscretizedLogistic`."""

    noise_dim = 2  # the component, and its value

    def __init__(
        self,
        decoder: Network,
        levels: Levels = 256,
        num_components: PositiveInt = 5,
        **kwargs: Any,
    ):
        super().__init__(decoder, levels, **kwargs)


def standard_logistic(u: tf.Tensor) -> tf.Tensor:
    """A standard logistic number from a uniform one."""
    return tf.math.log(u) - tf.math.log(1 - u)


@register
class DiscretizedLogistic(LogisticMixture):
    """Mixtures of logistics in bins: `p(x) = sum_k w_k (F_k(x + h) - F_k(x - h))`.

    `F_k(x) = sigmoid((x - loc_k) / scale_k)`, and h is half of the distance between
    levels; the outer bins go on to infinity, so that probabilities sum to 1. Neighbours
    of a level share its probability, which a `Categorical` would have to learn. From
    the network's outputs come `loc = (1 + raw) / 2` and `scale = exp(raw) / 2`, with
    raw clipped to [-7, 7] for the scale.

    Args:
        decoder: Network from z to the logits of w, the locations and the scales:
            `3 * num_components` values for each element.
        levels: As in `Categorical`.
        num_components: Logistics for each element.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 3), [64], params_size=15)
        >>> likelihood = tfvae.likelihoods.DiscretizedLogistic(decoder)
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 8, 8, 3])).shape
        TensorShape([5])

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
        2016, appendix A.3, https://arxiv.org/abs/1606.04934; Salimans et al.,
        PixelCNN++, 2017, https://arxiv.org/abs/1701.05517
    """

    @property
    def params_size(self) -> int:
        return 3 * self.num_components

    def element_distribution(self, *params: tf.Tensor) -> tfd.Distribution:
        logits, loc, scale = self._split(tf.stack(params, axis=-1))
        bins = Binned(loc, scale, self.levels)
        return tfd.MixtureSameFamily(tfd.Categorical(logits), bins)

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`: the first number chooses the component."""
        logits, loc, scale = self._split(params)
        values = loc + scale * standard_logistic(noise[..., 1:])
        return nearest(pick(noise[..., 0], logits, values), self.levels)

    def _split(self, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits, loc, raw_scale = tf.split(params, 3, axis=-1)
        return logits, (1 + loc) / 2, positive_scale(raw_scale)


def positive_scale(raw: tf.Tensor) -> tf.Tensor:
    """`exp(raw) / 2` for raw clipped to [-7, 7]."""
    return tf.exp(tf.clip_by_value(raw, -7, 7)) / 2


class Binned(tfd.Logistic):
    """The level nearest to a logistic variable."""

    def __init__(
        self, loc: tf.Tensor, scale: tf.Tensor, levels: int, name: str = "Binned"
    ):
        parameters = dict(locals())
        super().__init__(loc, scale, name=name)
        self._levels, self._parameters = levels, parameters

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        properties = super()._parameter_properties(dtype, num_classes)
        levels = tfp.util.ParameterProperties(event_ndims=None, specifies_shape=False)
        return properties | {"levels": levels}

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        # sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)) for a < b
        width = 1 / (self._levels - 1)
        below = (x - width / 2 - self.loc) / self.scale
        above = (x + width / 2 - self.loc) / self.scale
        low, high = tf.math.log_sigmoid(above), tf.math.log_sigmoid(-below)
        inner = low + high + tfp.math.log1mexp(width / self.scale)
        return tf.where(x < width / 2, low, tf.where(x > 1 - width / 2, high, inner))

    def _sample_n(self, n: int, seed: Any = None) -> tf.Tensor:
        return nearest(super()._sample_n(n, seed), self._levels)

    def _mean(self) -> tf.Tensor:
        """`sum_i P(x > i) / (levels - 1)`, over the levels i but the last."""
        last = self._levels - 1
        edges = (tf.range(last, dtype=tf.float32) + 0.5) / last
        above = (self.loc[..., None] - edges) / self.scale[..., None]
        return tf.reduce_mean(tf.sigmoid(above), axis=-1)


def nearest(value: tf.Tensor, levels: int) -> tf.Tensor:
    """The level in [0, 1] nearest to a value."""
    return tf.round(tf.clip_by_value(value, 0, 1) * (levels - 1)) / (levels - 1)
