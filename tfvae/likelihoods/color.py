"""The likelihood of colours: logistics whose channels depend on each other."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import register
from tfvae.likelihoods.discrete import (
    Binned,
    LogisticMixture,
    choose,
    nearest,
    positive_scale,
    standard_logistic,
)

tfd = tfp.distributions


@register
class ColorLogistic(LogisticMixture):
    """Mixtures of logistics for red, green and blue together, as in PixelCNN++.

    `p(r, g, b) = sum_k w_k F_k(r) F_k(g | r) F_k(b | r, g)`, each F_k a logistic in
    bins as in `DiscretizedLogistic`, with the locations, for colours from -1 to 1,
    `m_r`, `m_g + a_k r` and `m_b + b_k r + c_k g`, and a, b, c in (-1, 1). One
    component is that of a whole pixel. The mean is that at the means of the channels
    before: exact where no location lies outside of the colours.

    Args:
        decoder: Network from z to the logits of w (summed over the channels), the
            locations, the raw scales, and raw a, b, c (those of red, green and blue):
            `4 * num_components` values for each channel.
        levels: As in `Categorical`.
        num_components: Logistics for each pixel.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((8, 8, 3), [64], params_size=20)
        >>> likelihood = tfvae.likelihoods.ColorLogistic(decoder)
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 8, 8, 3])).shape
        TensorShape([5])

    References:
        Salimans et al., PixelCNN++, 2017, https://arxiv.org/abs/1701.05517
    """

    element_ndims = 1

    @property
    def params_size(self) -> int:
        return 4 * self.num_components

    def element_distribution(self, *params: tf.Tensor) -> tfd.Distribution:
        return self._pixels(tf.stack(params, axis=-1))

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`: pixels `[..., 3]`, for noise and params of 3 channels."""
        return self._pixels(params).from_noise(noise)

    def _pixels(self, params: tf.Tensor) -> "ColorMixture":
        if params.shape[-2] != 3:
            checks.fail("of colours, with 3 channels", x=f"{params.shape[-2]} channels")
        logits, loc, raw_scale, raw = tf.split(params, 4, axis=-1)
        scale, coupling = positive_scale(raw_scale), tf.tanh(raw)
        logits = tf.reduce_sum(logits, axis=-2)
        return ColorMixture(logits, loc, scale, coupling, self.levels)


class ColorMixture(tfd.Distribution):
    """Distribution of pixels `[3]`.

    Args:
        logits: `[..., components]`.
        loc: `[..., 3, components]`, for colours from -1 to 1.
        scale: Likewise, for colours from 0 to 1.
        coupling: Likewise: a, b and c.
        levels: Number of levels.
    """

    def __init__(
        self,
        logits: tf.Tensor,
        loc: tf.Tensor,
        scale: tf.Tensor,
        coupling: tf.Tensor,
        levels: int,
        name: str = "ColorMixture",
    ):
        parameters = dict(locals())
        super().__init__(
            dtype=logits.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )
        self._logits, self._loc, self._scale = logits, loc, scale
        self._coupling, self._levels = coupling, levels

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: Any = None) -> dict:
        ndims = {"logits": 1, "loc": 2, "scale": 2, "coupling": 2}
        fixed = tfp.util.ParameterProperties(event_ndims=None, specifies_shape=False)
        return {
            name: tfp.util.ParameterProperties(event_ndims=n)
            for name, n in ndims.items()
        } | {"levels": fixed}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([3])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([3])

    def from_noise(self, noise: tf.Tensor) -> tf.Tensor:
        """Pixels `[..., 3]` of uniform noise `[..., 3, 2]`: component, then values."""
        chosen = tf.one_hot(
            choose(noise[..., 0, 0], self._logits), self._logits.shape[-1]
        )
        standard = standard_logistic(noise[..., 1])

        def value(channel: int, before: list[tf.Tensor]) -> tf.Tensor:
            loc = self._bins(channel, [x[..., None] for x in before]).loc
            at = loc + self._scale[..., channel, :] * standard[..., channel, None]
            return nearest(tf.reduce_sum(chosen * at, axis=-1), self._levels)

        return tf.stack(_in_turn(value), axis=-1)

    def _bins(self, channel: int, before: list[tf.Tensor]) -> Binned:
        """A channel in each component, given the channels before, in [0, 1]."""
        loc = self._loc[..., channel, :]
        first = (0, 0, 1)[channel]  # a of green; b and c of blue
        for i, x in enumerate(before):
            loc += self._coupling[..., first + i, :] * (2 * x - 1)
        return Binned((1 + loc) / 2, self._scale[..., channel, :], self._levels)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        channels = [x[..., None] for x in tf.unstack(x, axis=-1)]
        log_p = [self._bins(i, channels[:i]).log_prob(channels[i]) for i in range(3)]
        log_w = tf.nn.log_softmax(self._logits)
        return tf.reduce_logsumexp(log_w + tf.add_n(log_p), axis=-1)

    def _sample_n(self, n: int, seed: Any = None) -> tf.Tensor:
        shape = tf.concat([[n], self.batch_shape_tensor(), [3, 2]], axis=0)
        seed = tfp.random.sanitize_seed(seed)
        tiny = 1e-7  # log(0) is no value
        return self.from_noise(tf.random.stateless_uniform(shape, seed, tiny))

    def _mean(self) -> tf.Tensor:
        means = _in_turn(lambda i, before: self._bins(i, before).mean())
        weights = tf.nn.softmax(self._logits)
        return tf.stack([tf.reduce_sum(weights * m, axis=-1) for m in means], axis=-1)


def _in_turn(channel: Any) -> list[tf.Tensor]:
    """Values of red, of green given red, and of blue given both."""
    values: list[tf.Tensor] = []
    for i in range(3):
        values.append(channel(i, values))
    return values
