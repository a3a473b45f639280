"""Gaussian likelihoods and mixtures of them."""

import math
from typing import Annotated, Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.checks import PositiveFloat, PositiveInt
from tfvae.config import Activation, Network, register
from tfvae.likelihoods.base import Likelihood
from tfvae.likelihoods.discrete import pick

tfd = tfp.distributions


def _scale(scale: float | str) -> float | str:
    if isinstance(scale, str):
        return checks.one_of(["learned", "predicted"], scale=scale)
    return checks.number(minimum=1e-6, scale=scale)


@register
class Normal(Likelihood):
    """Gaussian elements: `p(x | z) = N(x; loc(z), scale**2)`, constants included.

    Args:
        decoder: Network from z to `loc`, or to `loc` and raw scale (twice the channels)
            if the scale is predicted.
        scale: A positive float (fixed), `"learned"` (one trained scale for all
            elements), or `"predicted"` (one for each element, by the decoder: the
            Gaussian MLP of the VAE paper). Scales that are not fixed pass `softplus`.
        initial_scale: Start of the learned scale, above `min_scale`. If x has little
            noise start low: with a wide scale latents are of little use.
        min_scale: Least scale that is learned or predicted. Without it the density of
            an element that never varies grows for ever.
        loc_activation: Activation of `loc`; the paper uses `"sigmoid"` for pixels.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((28, 20, 1), [64], params_size=2)
        >>> likelihood = tfvae.likelihoods.Normal(decoder, scale="predicted")
        >>> likelihood(tf.zeros([5, 2])).stddev().shape
        TensorShape([5, 28, 20, 1])

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013, appendix C.2,
        https://arxiv.org/abs/1312.6114; Rybkin et al., Simple and Effective VAE
        Training with Calibrated Decoders, 2020, https://arxiv.org/abs/2006.13202
    """

    noise_dim = 2

    def __init__(
        self,
        decoder: Network,
        scale: Annotated[float | str, _scale] = 1.0,
        *,
        initial_scale: PositiveFloat = 0.7,
        min_scale: PositiveFloat = 1e-3,
        loc_activation: Activation = None,
        **kwargs: Any,
    ):
        super().__init__(decoder, **kwargs)
        self._activate = keras.activations.get(loc_activation)
        self.raw_scale = None
        if scale == "learned":
            if initial_scale <= min_scale:
                checks.fail(f"above min_scale={min_scale}", initial_scale=initial_scale)
            above = initial_scale - min_scale
            raw = above + math.log(-math.expm1(-above))  # the inverse of softplus
            start = keras.initializers.Constant(raw)
            self.raw_scale = self.add_weight((), initializer=start, name="raw_scale")

    @property
    def params_size(self) -> int:
        return 2 if self.scale == "predicted" else 1

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`; by the Box-Muller transform."""
        p_x = self.element_distribution(*tf.unstack(params, axis=-1))
        return p_x.loc + p_x.scale * _normal(noise)

    def element_distribution(
        self, loc: tf.Tensor, raw_scale: tf.Tensor | None = None
    ) -> tfd.Normal:
        scale = self.scale
        if isinstance(scale, str):
            raw_scale = self.raw_scale if raw_scale is None else raw_scale
            scale = tf.nn.softplus(raw_scale) + self.min_scale
        return tfd.Normal(self._activate(loc), scale)


def _normal(noise: tf.Tensor) -> tf.Tensor:
    """A standard normal number from two uniform ones, by operators of TFLite."""
    radius = tf.sqrt(-2 * tf.math.log(1 - noise[..., 0]))  # TFLite's noise has zeros
    return radius * tf.cos(2 * math.pi * noise[..., 1])


@register
class NormalMixture(Likelihood):
    """Mixtures of Gaussians: `p(x_i) = sum_k w_ik N(x_i; loc_ik, scale_ik**2)`.

    Args:
        decoder: Network to the logits of w, the locations, and the raw scales, which
            pass `softplus`: three times `num_components` values for each element.
        num_components: Gaussians for each element.
        min_scale: Least scale.

    Example:
        >>> decoder = tfvae.networks.mlp_decoder((8,), [64], params_size=15)
        >>> likelihood = tfvae.likelihoods.NormalMixture(decoder, num_components=5)
        >>> likelihood(tf.zeros([5, 2])).log_prob(tf.zeros([5, 8])).shape
        TensorShape([5])

    References:
        Bishop, Mixture Density Networks, 1994; Papamakarios et al., Masked
        Autoregressive Flow for Density Estimation, 2017, appendix E,
        https://arxiv.org/abs/1705.07057
    """

    noise_dim = 3  # one for the component, two for its value

    def __init__(
        self,
        decoder: Network,
        num_components: PositiveInt = 10,
        *,
        min_scale: PositiveFloat = 1e-3,
        **kwargs: Any,
    ):
        super().__init__(decoder, **kwargs)

    @property
    def params_size(self) -> int:
        return 3 * self.num_components

    def element_distribution(self, *params: tf.Tensor) -> tfd.MixtureSameFamily:
        return self._mixture(tf.stack(params, axis=-1))

    def from_noise(self, noise: tf.Tensor, params: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`: the first number chooses the component."""
        mixture = self._mixture(params)
        normals = mixture.components_distribution
        values = normals.loc + normals.scale * _normal(noise[..., 1:])[..., None]
        return pick(noise[..., 0], mixture.mixture_distribution.logits, values)

    def _mixture(self, params: tf.Tensor) -> tfd.MixtureSameFamily:
        logits, loc, raw_scale = tf.split(params, 3, axis=-1)
        scale = tf.nn.softplus(raw_scale) + self.min_scale
        return tfd.MixtureSameFamily(tfd.Categorical(logits), tfd.Normal(loc, scale))
