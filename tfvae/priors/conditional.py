"""Priors given u, of independent latents: what makes the latents of an iVAE its own."""

import abc
import math

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.conditional import output_shape
from tfvae.config import register
from tfvae.priors.base import Prior

tfd = tfp.distributions

# Raw scale of which the softplus is 1.
_SOFTPLUS_OF_1 = math.log(math.e - 1)


class ConditionalPrior(Prior):
    """Abstract `p(z | u) = prod_d p(z_d; loc_d(u), scale_d(u))`: the prior of an iVAE.

    The network gives features of u, a dense layer the raw parameters, and
    `scale = softplus(raw) + min_scale`, which is near 1 at the start.

    Args:
        latent_dim: Size of z.
        num_classes: Number of classes, where u is a label from 0: a segment, or a time.
        context_shape: Shape of u, where it is an array: a vector, or an image.
        network: Keras model or layer from u, of labels one-hot
            `[batch, num_classes]`, to features `[batch, units]`: of labels
            `keras.layers.Dense(units, use_bias=False)` is an embedding. Without it the
            parameters are linear in the numbers of u: of labels, a table with one row
            for each.
        has_loc: Whether `loc` depends on u; else it is 0, and the scale alone does.
        min_scale: Least scale.
        **kwargs: Keras's `name`, `dtype` and `trainable`.

    Call arguments:
        context: u, of labels one-hot, `[batch, *context_shape]`.

    Raises:
        TypeError: Where an argument is of the wrong kind.
        ValueError: Where neither `num_classes` nor `context_shape` is given, or both,
            or one is too low.
    """

    def __init__(
        self,
        latent_dim,
        *,
        num_classes=0,
        context_shape=None,
        network=None,
        has_loc=True,
        min_scale=1e-3,
        **kwargs,
    ):
        super().__init__(latent_dim, **kwargs)
        self.num_classes = checks.integer(minimum=0, num_classes=num_classes)
        if context_shape is None and num_classes:
            context_shape = (num_classes,)
        if context_shape is None:
            expected = "given where there is no `num_classes`: the shape of u"
            checks.fail(expected, context_shape=None)
        self.context_shape = checks.event_shape(context_shape=context_shape)
        if num_classes and self.context_shape != (num_classes,):
            expected = f"left out with num_classes={num_classes}"
            checks.fail(expected, context_shape=context_shape)
        if network is not None:
            layer = keras.layers.Layer
            checks.instance(layer, "a Keras model or layer", network=network)
        self.network, self.has_loc = network, bool(has_loc)
        self.min_scale = checks.number(minimum=1e-6, min_scale=min_scale)
        size = latent_dim * (1 + self.has_loc)
        self.head = keras.layers.Dense(size, dtype="float32", name="head")

    def build(self, input_shape=None):
        if self.built:
            return
        shape = (None, math.prod(self.context_shape))
        if self.network is not None:
            shape = output_shape(self.network, (None, *self.context_shape))
        if len(shape) != 2:
            expected = "a network to features [batch, units]"
            checks.fail(expected, network=f"to {list(shape)}")
        self.head.build(shape)
        self.built = True

    @abc.abstractmethod
    def distribution(self, loc, scale):
        """The distribution of z, of independent latents."""

    def call(self, context):
        return self.distribution(*self.params(context))

    def log_label(self, z, context):
        """`log p(u | z)` of the right label, where all are as frequent, `[..., batch]`.

        Args:
            z: `[..., batch, latent]`.
            context: Labels one-hot, `[batch, num_classes]`.
        """
        each = self(tf.eye(self.num_classes)).log_prob(z[..., None, :])
        right = tf.reduce_sum(context * each, axis=-1)
        return right - tf.reduce_logsumexp(each, axis=-1)

    def params(self, context):
        """`loc` and `scale`, each `[batch, latent]`."""
        if not self.built:
            self.build()
        context = tf.cast(context, tf.float32)
        if self.network is None:
            features = tf.reshape(context, [-1, math.prod(self.context_shape)])
        else:
            features = self.network(context)
        raw = self.head(tf.cast(features, tf.float32))
        *loc, raw_scale = tf.split(raw, 1 + self.has_loc, axis=-1)
        scale = tf.nn.softplus(raw_scale + _SOFTPLUS_OF_1) + self.min_scale
        return loc[0] if loc else tf.zeros_like(scale), scale


@register
class ConditionalNormal(ConditionalPrior):
    """Gaussian given u: `p(z | u) = N(z; loc(u), diag(scale(u)**2))`.

    With it the latents of a model are identifiable up to permutation, scale and shift,
    where mean and variance vary enough with u; where the variance alone does
    (`has_loc=False`), up to permutation and scale. See `ConditionalPrior` for the
    arguments and `IVAE` for the model.

    Example:
        >>> prior = tfvae.priors.ConditionalNormal(2, num_classes=40)
        >>> prior(tf.one_hot([0, 7, 39], 40)).log_prob(tf.zeros([3, 2])).shape
        TensorShape([3])

    References:
        Khemakhem et al., Variational Autoencoders and Nonlinear ICA: A Unifying
        Framework, 2020, https://arxiv.org/abs/1907.04809
    """

    def distribution(self, loc, scale):
        """`tfd.MultivariateNormalDiag`."""
        return tfd.MultivariateNormalDiag(loc, scale)

    def from_noise(self, noise, context=None):
        """See `Prior`."""
        loc, scale = self.params(context)
        return loc + scale * noise


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

    @property
    def noise_dim(self):
        """Four for each latent."""
        return 4 * self.latent_dim

    def distribution(self, loc, scale):
        """`tfd.Independent` of `tfd.Laplace`."""
        return tfd.Independent(tfd.Laplace(loc, scale), 1)

    def from_noise(self, noise, context=None):
        """See `Prior`; of normal a, b, c, d, `a b + c d` is a Laplace variable."""
        a, b, c, d = tf.split(noise, 4, axis=-1)
        loc, scale = self.params(context)
        return loc + scale * (a * b + c * d)
