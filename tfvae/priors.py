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
from tfvae.inputs import Context, condition
from tfvae.posteriors.flow import FlowLatent
from tfvae.posteriors.gaussian import gaussian_from_noise

tfd = tfp.distributions

__all__ = [
    "ConditionalLaplace",
    "ConditionalNormal",
    "ConditionalPrior",
    "FlowPrior",
    "StandardNormal",
]


@register
class StandardNormal(LatentDistribution):
    """Standard normal: `p(z) = N(z; 0, I)`.

    Args:
        latent_dim: Size of z.

    Example:
        >>> tfvae.priors.StandardNormal(2)().log_prob([[0.0, 0.0]]).numpy().round(3)
        array([-1.838], dtype=float32)
    """

    params_size = 0

    def __init__(self, latent_dim: PositiveInt, **kwargs: Any):
        super().__init__(None, latent_dim, **kwargs)

    def distribution(self, params: None = None) -> tfd.MultivariateNormalDiag:
        return _standard_normal(self)

    def from_noise(self, params: None, noise: tf.Tensor) -> Draw:
        """See `LatentDistribution`: the noise itself."""
        return noise, self.distribution().log_prob(noise)


@register
class FlowPrior(FlowLatent):
    """Learned prior: `z = f(noise)`, `noise ~ N(0, I)`, with a flow f.

    `log p(z) = log N(f^-1(z); 0, I) - log |det df / dnoise|`. By default f is a masked
    autoregressive flow (MAF): its density, which training needs, is one pass, and
    sampling takes `latent_dim` passes of each network. `flows.Autoregressive`, an IAF,
    samples in one pass and is slow to train. `flows.Coupling` is fast in both.

    Args:
        latent_dim: Size of z.
        flow: A `flows.Flow` of the same size. If it takes a context, a constant one is
            learned.

    Example:
        >>> prior = tfvae.priors.FlowPrior(2)
        >>> prior().log_prob(tf.zeros([5, 2])).shape
        TensorShape([5])

    References:
        Papamakarios et al., Masked Autoregressive Flow for Density Estimation, 2017,
        https://arxiv.org/abs/1705.07057; Chen et al., Variational Lossy Autoencoder,
        2016, https://arxiv.org/abs/1611.02731
    """

    params_size = 0  # the flow has weights of its own

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
            options = {"shape": [flow.context_dim], "initializer": "random_normal"}
            self.context = self.add_weight(**options, name="context")

    def start(self, params: None) -> tuple[tfd.MultivariateNormalDiag, Context]:
        context = None if self.context is None else tf.convert_to_tensor(self.context)
        return _standard_normal(self), context


class ConditionalPrior(LatentDistribution):
    """Abstract `p(z | u) = prod_d p(z_d; loc_d(u), scale_d(u))`: the prior of an iVAE.

    `scale = softplus(raw + log(e - 1)) + min_scale` is near 1 at the start.

    Args:
        latent_dim: Size of z.
        num_classes: Number of classes if u is a label from 0: a segment, or a time.
        context_shape: Shape of u if u is an array: a vector, or an image.
        network: Keras model or layer from u, labels one-hot, to features
            `[batch, units]`; `keras.layers.Dense(units, use_bias=False)` embeds labels.
            Without a network the parameters are linear in u.
        has_loc: Whether `loc` depends on u; else it is 0, and only the scale does.
        min_scale: Least scale.

    Call arguments:
        inputs: u, labels one-hot, `[batch, *context_shape]`.
    """

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
        shape = (num_classes,) if num_classes else context_shape
        if shape is None:
            expected = "given where there is no `num_classes`: the shape of u"
            checks.fail(expected, context_shape=None)
        if context_shape not in (None, shape):
            expected = f"left out with num_classes={num_classes}"
            checks.fail(expected, context_shape=context_shape)
        network = keras.layers.Flatten() if network is None else network
        noise_dim = self.noise_per_latent * latent_dim
        super().__init__(network, latent_dim, noise_dim=noise_dim, **kwargs)
        self.context_shape, self.condition = shape, condition("u", shape, num_classes)

    @property
    def params_size(self) -> int:
        return self.latent_dim * (1 + self.has_loc)

    def loc_and_scale(self, params: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """`loc` and `scale`, each `[batch, latent]`."""
        *loc, raw_scale = tf.split(params, 1 + self.has_loc, axis=-1)
        scale = tf.nn.softplus(raw_scale + math.log(math.e - 1)) + self.min_scale
        return loc[0] if loc else tf.zeros_like(scale), scale

    def log_label(self, z: tf.Tensor, context: tf.Tensor) -> tf.Tensor:
        """`log p(u | z)` in nats, `[..., batch]`, if all labels are as frequent.

        Args:
            z: `[..., batch, latent]`.
            context: The right labels one-hot, `[batch, num_classes]`.
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
        return tfd.MultivariateNormalDiag(*self.loc_and_scale(params))

    def from_noise(self, params: tf.Tensor, noise: tf.Tensor) -> Draw:
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
        As for `ConditionalNormal`.
    """

    noise_per_latent = 4

    def distribution(self, params: tf.Tensor) -> tfd.Independent:
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
