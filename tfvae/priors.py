"""Priors `p(z)` and `p(z | u)`: layers whose call gives the distribution of z."""

import math
from typing import Any

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, flows
from tfvae.checks import EventShape, NonNegativeInt, PositiveFloat, PositiveInt
from tfvae.conditional import Draw, LatentDistribution
from tfvae.config import Network, register
from tfvae.flows.base import AnyFlow, check_size
from tfvae.inputs import condition
from tfvae.posteriors.flow import FlowDistribution
from tfvae.posteriors.gaussian import gaussian_from_noise

tfd = tfp.distributions

__all__ = [
    "ConditionalLaplace",
    "ConditionalNormal",
    "ConditionalPrior",
    "FlowPrior",
    "StandardNormal",
]

# Raw scale of which the softplus is 1.
_SOFTPLUS_OF_1 = math.log(math.e - 1)


@register
class StandardNormal(LatentDistribution):
    """Standard normal: `p(z) = N(z; 0, I)`.

    Args:
        latent_dim: Size of z.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> tfvae.priors.StandardNormal(2)().log_prob([[0.0, 0.0]]).numpy().round(3)
        array([-1.838], dtype=float32)
    """

    def __init__(self, latent_dim: PositiveInt, **kwargs: Any):
        super().__init__(None, latent_dim, **kwargs)

    @property
    def params_size(self) -> int:
        """None at all."""
        return 0

    def distribution(self, params: None = None) -> tfd.MultivariateNormalDiag:
        """`MultivariateNormalDiag` of zeros and ones."""
        return _standard_normal(self)

    def from_noise(self, params: None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `LatentDistribution`: the noise itself."""
        return noise, _standard_normal(self).log_prob(noise)


@register
class FlowPrior(LatentDistribution):
    """Learned prior: `z = f(noise)`, `noise ~ N(0, I)`, with a flow f.

    `log p(z) = log N(f^-1(z); 0, I) - log |det df / dnoise|`. By default f is a masked
    autoregressive flow (MAF): its density, which training needs, is one pass, and
    sampling takes `latent_dim` passes of each network. `flows.Autoregressive`, an IAF,
    samples in one pass and is slow to train. `flows.Coupling` is fast in both.

    Args:
        latent_dim: Size of z.
        flow: A `flows.Flow` of the same size. If it takes a context, a constant one is
            learned.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Example:
        >>> prior = tfvae.priors.FlowPrior(2)
        >>> prior().log_prob(tf.zeros([5, 2])).shape
        TensorShape([5])

    References:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, 2017,
        https://arxiv.org/abs/1705.07057; Chen et al., Variational Lossy Autoencoder,
        2016, https://arxiv.org/abs/1611.02731
    """

    def __init__(
        self, latent_dim: PositiveInt, flow: AnyFlow | None = None, **kwargs: Any
    ):
        super().__init__(None, latent_dim, **kwargs)
        if flow is None:
            options = {"dtype": self.dtype_policy}
            steps = flows.Autoregressive(latent_dim, transform="affine", **options)
            flow = flows.Inverse(steps, **options)
        check_size(flow, latent_dim, self.compute_dtype)
        self.flow, self.context = flow, None
        if flow.context_dim:
            self.context = self.add_weight(
                name="context",
                shape=[flow.context_dim],
                initializer="random_normal",
            )

    @property
    def params_size(self) -> int:
        """None at all: the flow has weights of its own."""
        return 0

    def distribution(self, params: None = None) -> FlowDistribution:
        """`FlowDistribution` of standard normal noise."""
        return FlowDistribution(self, None, _standard_normal(self), self._context())

    def from_noise(self, params: None, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """See `LatentDistribution`; each network of the flow runs once."""
        z, log_det = self.flow.forward(noise, self._context())
        return z, _standard_normal(self).log_prob(noise) - log_det

    def _context(self) -> tf.Tensor | None:
        return None if self.context is None else tf.convert_to_tensor(self.context)


class ConditionalPrior(LatentDistribution):
    """Abstract `p(z | u) = prod_d p(z_d; loc_d(u), scale_d(u))`: the prior of an iVAE.

    The network gives features of u, a dense layer the raw parameters, and `scale =
    softplus(raw + log(e - 1)) + min_scale`, which is near 1 at the start.

    Args:
        latent_dim: Size of z.
        num_classes: Number of classes if u is a label from 0: a segment, or a time.
        context_shape: Shape of u if u is an array: a vector, or an image.
        network: Keras model or layer from u, for labels one-hot
            `[batch, num_classes]`, to features `[batch, units]`. For labels
            `keras.layers.Dense(units, use_bias=False)` is an embedding. Without a
            network the parameters are linear in u: for labels, a table with one row for
            each.
        has_loc: Whether `loc` depends on u; else it is 0, and only the scale does.
        min_scale: Least scale.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: u, labels one-hot, `[batch, *context_shape]`.
    """

    # Numbers of the noise that make one latent.
    noise_per_latent = 1

    def __init__(
        self,
        latent_dim: PositiveInt,
        *,
        num_classes: NonNegativeInt = 0,
        context_shape: EventShape | None = None,
        network: Network | None = None,
        has_loc: bool = True,
        min_scale: PositiveFloat = 1e-3,
        **kwargs: Any,
    ):
        if context_shape is None and num_classes:
            context_shape = (num_classes,)
        if context_shape is None:
            expected = "given where there is no `num_classes`: the shape of u"
            checks.fail(expected, context_shape=None)
        if num_classes and context_shape != (num_classes,):
            expected = f"left out with num_classes={num_classes}"
            checks.fail(expected, context_shape=context_shape)
        if network is None:
            network = keras.layers.Flatten()
        noise_dim = self.noise_per_latent * latent_dim
        super().__init__(network, latent_dim, noise_dim=noise_dim, **kwargs)
        self.context_shape = context_shape
        self.condition = condition("u", context_shape, num_classes)

    @property
    def params_size(self) -> int:
        """A scale for each latent, and a location if it depends on u."""
        return self.latent_dim * (1 + self.has_loc)

    def loc_and_scale(self, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`loc` and `scale`, each `[batch, latent]`."""
        *loc, raw_scale = tf.split(params, 1 + self.has_loc, axis=-1)
        scale = tf.nn.softplus(raw_scale + _SOFTPLUS_OF_1) + self.min_scale
        return loc[0] if loc else tf.zeros_like(scale), scale

    def log_label(self, z: tf.Tensor, context: tf.Tensor) -> tf.Tensor:
        """`log p(u | z)` of the right label if all are as frequent, `[..., batch]`.

        Args:
            z: `[..., batch, latent]`.
            context: Labels one-hot, `[batch, num_classes]`.
        """
        each = self(tf.eye(self.num_classes)).log_prob(z[..., None, :])
        right = tf.reduce_sum(context * each, axis=-1)
        return right - tf.reduce_logsumexp(each, axis=-1)


@register
class ConditionalNormal(ConditionalPrior):
    """Gaussian given u: `p(z | u) = N(z; loc(u), diag(scale(u)**2))`.

    With this prior the latents of a model are identifiable up to permutation, scale and
    shift if mean and variance vary enough with u. If only the variance does
    (`has_loc=False`), they are identifiable up to permutation and scale. See
    `ConditionalPrior` for the arguments and `IVAE` for the model.

    Example:
        >>> prior = tfvae.priors.ConditionalNormal(2, num_classes=40)
        >>> prior(tf.one_hot([0, 7, 39], 40)).log_prob(tf.zeros([3, 2])).shape
        TensorShape([3])

    References:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA: A Unifying
        Framework, 2020, https://arxiv.org/abs/1907.04809
    """

    def distribution(self, params: tf.Tensor) -> tfd.MultivariateNormalDiag:
        """`MultivariateNormalDiag` of `params`, `[..., params_size]`."""
        return tfd.MultivariateNormalDiag(*self.loc_and_scale(params))

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
        """See `LatentDistribution`."""
        return gaussian_from_noise(self.distribution(params), noise)


@register
class ConditionalLaplace(ConditionalPrior):
    """Laplace given u: `p(z | u) = prod_d exp(-|z_d - loc_d| / scale_d) / 2 scale_d`.

    An exponential family with heavier tails, for sources that are mostly near their
    center. See `ConditionalPrior` for the arguments.

    Example:
        >>> prior = tfvae.priors.ConditionalLaplace(2, context_shape=(3,))
        >>> prior(tf.zeros([5, 3])).log_prob(tf.zeros([5, 2])).shape
        TensorShape([5])

    References:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA: A Unifying
        Framework, 2020, https://arxiv.org/abs/1907.04809
    """

    noise_per_latent = 4

    def distribution(self, params: tf.Tensor) -> tfd.Independent:
        """`Independent` of `Laplace`, of `params`, `[..., params_size]`."""
        return tfd.Independent(tfd.Laplace(*self.loc_and_scale(params)), 1)

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
        """See `LatentDistribution`: for normal a, b, c, d, `a b + c d` is Laplace."""
        a, b, c, d = tf.split(noise, 4, axis=-1)
        loc, scale = self.loc_and_scale(params)
        z = loc + scale * (a * b + c * d)
        return z, self.distribution(params).log_prob(z)


def _standard_normal(latent: LatentDistribution) -> tfd.MultivariateNormalDiag:
    zeros = tf.zeros([latent.latent_dim], latent.compute_dtype)
    return tfd.MultivariateNormalDiag(zeros, zeros + 1)
