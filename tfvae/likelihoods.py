"""Likelihoods `p(x | z)`: layers from latents to distributions of x."""

import abc
import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.conditional import ConditionalDistribution
from tfvae.config import register

__all__ = [
    "Bernoulli",
    "ContinuousBernoulli",
    "Likelihood",
    "Normal",
]

tfd = tfp.distributions


class Likelihood(ConditionalDistribution):
    """Abstract `p(x | z)`, independent over the elements of x given z.

    A subclass gives `params_size` and `elements`. The decoder's last axis holds
    `params_size` values for each channel of x: all channels of the first parameter,
    then all of the second.

    Args:
        decoder: Network from z `[batch, latent]` to the parameters
            `[batch, *event_shape[:-1], params_size * channels]`.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # Least and greatest value an element of x may have.
    support = (float("-inf"), float("inf"))

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
    def elements(self, *params):
        """The distribution of single elements of x, given that many parameters each."""

    def distribution(self, params):
        """`Independent` over the event: params `[..., params_size * channels]`."""
        elements = self.elements(*tf.split(params, self.params_size, axis=-1))
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
        params = tf.split(self.params(z, training=training), self.params_size, axis=-1)
        elements = self.elements(*map(self._flatten, params))
        return tf.reduce_sum(elements.log_prob(self._flatten(x)), axis=-1)

    def _flatten(self, values):
        leading = keras.ops.shape(values)[: -len(self.event_shape)]
        return tf.reshape(values, [*leading, math.prod(self.event_shape)])


class _Bernoulli(tfd.Bernoulli):
    """TFP's, with one `softplus` an element: its log_prob takes two and twice as long.

    `x log p + (1 - x) log(1 - p) = x logits - softplus(logits)`.
    """

    def _log_prob(self, event):
        event = tf.cast(event, self.logits.dtype)
        return event * self.logits - tf.nn.softplus(self.logits)


class _LogitLikelihood(Likelihood):
    """Abstract: one logit for each element of x in [0, 1]."""

    support = (0, 1)

    def __init__(self, decoder, **kwargs):
        super().__init__(decoder, **kwargs)
        last = (getattr(decoder, "layers", None) or [decoder])[-1]
        if getattr(last, "activation", None) is keras.activations.sigmoid:
            raise ValueError(
                "`decoder` must give logits, not probabilities. Received: a decoder "
                "that ends in a sigmoid. Leave the last activation out."
            )

    @property
    def params_size(self):
        """One logit for each element."""
        return 1


@register
class Bernoulli(_LogitLikelihood):
    """Bernoulli pixels: `log p(x | z) = sum(x log p + (1 - x) log(1 - p))`.

    p is the sigmoid of the decoder's output, the logits. For x in {0, 1} this is a
    density; for grey values in [0, 1] it is the usual cross-entropy but no density, and
    bounds are not comparable with others: see `ContinuousBernoulli`.

    Args:
        decoder: Network from z to logits of the shape of x.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        ValueError: Where the decoder ends in a sigmoid.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((28, 28, 1), [64])
        >>> likelihood = tfvae.likelihoods.Bernoulli(decoder)
        >>> likelihood.build((None, 2))
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 28, 28, 1])).shape
        TensorShape([5])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013, appendix C.1,
        https://arxiv.org/abs/1312.6114
    """

    def elements(self, logits):
        """`tfd.Bernoulli` with these logits."""
        return _Bernoulli(logits=logits, dtype=tf.float32)


@register
class ContinuousBernoulli(_LogitLikelihood):
    """Continuous Bernoulli pixels: `p(x | z) = C(p) p**x (1 - p)**(1 - x)`.

    A density of x in [0, 1]: the normalised form of the cross-entropy that is often
    used on grey values. p is the sigmoid of the decoder's output.

    Args:
        decoder: Network from z to logits of the shape of x.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        ValueError: Where the decoder ends in a sigmoid.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((28, 28, 1), [64])
        >>> likelihood = tfvae.likelihoods.ContinuousBernoulli(decoder)
        >>> likelihood.build((None, 2))
        >>> likelihood(tf.zeros([5, 2])).mean().shape
        TensorShape([5, 28, 28, 1])

    References:
        Loaiza-Ganem and Cunningham, The Continuous Bernoulli, 2019,
        https://arxiv.org/abs/1907.06845
    """

    def elements(self, logits):
        """`tfd.ContinuousBernoulli` with these logits."""
        return tfd.ContinuousBernoulli(logits=logits)


@register
class Normal(Likelihood):
    """Gaussian elements: `p(x | z) = N(x; loc(z), scale**2)`, constants included.

    Args:
        decoder: Network from z to `loc`, or to `loc` and raw scale (twice the channels)
            where the scale is predicted.
        scale: A positive float (fixed), `"learned"` (one trained scale for all
            elements), or `"predicted"` (one for each element, by the decoder: the
            Gaussian MLP of the VAE paper). Scales that are not fixed pass `softplus`.
        min_scale: Least scale that is learned or predicted: without it the density of
            an element that never varies grows without bound.
        loc_activation: Activation of `loc`; the paper uses `"sigmoid"` for pixels.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Raises:
        TypeError: Where `scale` is neither a number nor a string.
        ValueError: Where `scale` is not positive or an unknown word.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((28, 20, 1), [64], params_size=2)
        >>> likelihood = tfvae.likelihoods.Normal(decoder, scale="predicted")
        >>> likelihood.build((None, 2))
        >>> likelihood(tf.zeros([5, 2])).stddev().shape
        TensorShape([5, 28, 20, 1])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013, appendix C.2,
        https://arxiv.org/abs/1312.6114; Rybkin et al., Simple and Effective VAE
        Training with Calibrated Decoders, 2020, https://arxiv.org/abs/2006.13202
    """

    def __init__(
        self, decoder, scale=1.0, *, min_scale=1e-3, loc_activation=None, **kwargs
    ):
        super().__init__(decoder, **kwargs)
        if isinstance(scale, str):
            self.scale = checks.one_of(["learned", "predicted"], scale=scale)
        else:
            self.scale = checks.number(minimum=1e-6, scale=scale)
        self.min_scale = checks.number(minimum=1e-6, min_scale=min_scale)
        self.loc_activation = loc_activation
        self._activate = keras.activations.get(loc_activation)

    @property
    def params_size(self):
        """A location for each element, and a scale where it is predicted."""
        return 2 if self.scale == "predicted" else 1

    def build(self, input_shape):
        if self.scale == "learned" and not self.built:
            self.raw_scale = self.add_weight((), initializer="zeros", name="raw_scale")
        super().build(input_shape)

    def elements(self, loc, raw_scale=None):
        """`tfd.Normal`; the raw scale comes from the decoder where it is predicted."""
        scale = self.scale
        if isinstance(scale, str):
            raw_scale = self.raw_scale if raw_scale is None else raw_scale
            scale = tf.nn.softplus(raw_scale) + self.min_scale
        return tfd.Normal(self._activate(loc), scale)
