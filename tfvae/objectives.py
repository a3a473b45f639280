"""Objectives: what is maximised, as reductions of `[samples, batch]` log-densities."""

import abc
import math
import typing

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks
from tfvae.config import Configurable, register

__all__ = [
    "ELBO",
    "IWAEBound",
    "Objective",
    "warm_up",
]

tfd = tfp.distributions


class LogDensities(typing.NamedTuple):
    """Log-densities of draws z ~ q(z | x), in nats.

    Attributes:
        log_likelihood: `log p(x | z)`, `[samples, batch]`.
        log_prior: `log p(z)`, `[samples, batch]`.
        log_posterior: `log q(z | x)`, `[samples, batch]`.
        exact_kl: `KL(q(z | x) || p(z))`, `[batch, groups]`, or None where TFP knows no
            closed form.
        latent_dim: Size of z.
    """

    log_likelihood: tf.Tensor
    log_prior: tf.Tensor
    log_posterior: tf.Tensor
    exact_kl: tf.Tensor | None
    latent_dim: int

    @property
    def log_weight(self):
        """`log p(x, z) - log q(z | x)`, `[samples, batch]`."""
        return self.log_likelihood + self.log_prior - self.log_posterior


def exact_kl(q, p):
    """The closed form of `KL(q || p)` in nats, by latent where both factorize.

    Args:
        q: Distribution with batch shape `[batch]`.
        p: Distribution with a batch shape that broadcasts to it.

    Returns:
        A tensor `[batch, latent]` for two diagonal Gaussians, `[batch, 1]` for other
        pairs that TFP knows, else None.
    """
    if all(type(d) is tfd.MultivariateNormalDiag for d in (q, p)):
        q, p = (tfd.Normal(d.mean(), d.stddev()) for d in (q, p))
        return tfd.kl_divergence(q, p)
    try:
        return tfd.kl_divergence(q, p)[:, None]
    except NotImplementedError:
        return None


class Objective(Configurable, abc.ABC):
    """Abstract: what training maximises, from the log-densities of `num_samples` draws.

    Args:
        num_samples: Draws of z for each example.
    """

    def __init__(self, num_samples=1):
        self.num_samples = checks.integer(num_samples=num_samples)

    @abc.abstractmethod
    def __call__(self, densities, step=0):
        """Reduces log-densities to what is maximised and what is reported.

        Args:
            densities: `LogDensities`.
            step: Number of optimizer steps so far, for schedules.

        Returns:
            A dict of tensors `[batch]` in nats: `"objective"`, and at beta = 1
            `"elbo"` = `"reconstruction"` - `"kl"`.
        """

    @property
    def schedules(self):
        """The arguments that are schedules, by name."""
        schedule = keras.optimizers.schedules.LearningRateSchedule
        config = {name: getattr(self, name) for name in self._arguments()}
        return {k: v for k, v in config.items() if isinstance(v, schedule)}


@register
class ELBO(Objective):
    """The evidence lower bound: `log p(x | z) - beta * KL(q(z | x) || p(z))`.

    The KL is exact where TFP knows it and otherwise sampled as
    `log q(z | x) - log p(z)`; it is summed over latents, so beta = 1 is the bound.

    Args:
        beta: Weight of the KL: a number, or a Keras learning-rate schedule read at the
            optimizer's step (see `warm_up`).
        capacity: None, or nats (a number or a schedule): the penalty becomes
            `beta * |mean KL - capacity|`, the mean being taken over the batch.
        free_bits: Nats for each latent that cost nothing: the penalty becomes
            `beta * sum(max(mean KL of a latent, free_bits))`, the mean being taken over
            the batch. Where the KL does not split by latent, they form one group with
            `free_bits * latent_dim` nats.
        analytic_kl: Whether to take the exact KL where TFP knows it.
        num_samples: Draws of z for each example.

    Raises:
        TypeError: Where an argument is no number.
        ValueError: Where one is negative or not finite, or capacity and free bits are
            both asked for.

    Example:
        >>> tfvae.objectives.ELBO(beta=4.0).beta
        4.0

    References:
        Higgins et al., beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl;
        Burgess et al., Understanding disentangling in beta-VAE, 2018,
        https://arxiv.org/abs/1804.03599; Kingma et al., Improving Variational Inference
        with Inverse Autoregressive Flow, 2016, https://arxiv.org/abs/1606.04934 (free
        bits)
    """

    def __init__(
        self,
        beta=1.0,
        *,
        capacity=None,
        free_bits=0.0,
        analytic_kl=True,
        num_samples=1,
    ):
        super().__init__(num_samples)
        self.beta = _number_or_schedule(beta=beta)
        self.capacity = capacity
        if capacity is not None:
            self.capacity = _number_or_schedule(capacity=capacity)
        self.free_bits = checks.number(minimum=0, free_bits=free_bits)
        self.analytic_kl = bool(analytic_kl)
        if capacity is not None and self.free_bits:
            checks.fail("0 where `capacity` is given", free_bits=free_bits)

    def __call__(self, densities, step=0):
        """See `Objective`."""
        groups = densities.exact_kl if self.analytic_kl else None
        if groups is None:
            sampled = densities.log_posterior - densities.log_prior
            groups = tf.reduce_mean(sampled, axis=0)[:, None]
        reconstruction = tf.reduce_mean(densities.log_likelihood, axis=0)
        kl = tf.reduce_sum(groups, axis=-1)
        penalty = self._penalty(groups, kl, densities.latent_dim, step)
        return {
            "objective": reconstruction - _at(self.beta, step) * penalty,
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def _penalty(self, groups, kl, latent_dim, step):
        if self.capacity is not None:
            return tf.abs(tf.reduce_mean(kl) - _at(self.capacity, step))
        if self.free_bits:
            free = self.free_bits * latent_dim / groups.shape[-1]
            return tf.reduce_sum(tf.maximum(tf.reduce_mean(groups, axis=0), free))
        return kl


@register
class IWAEBound(Objective):
    """The importance-weighted bound: `log(mean(exp(log_weight)))` over the draws.

    `log_weight = log p(x | z) + beta * (log p(z) - log q(z | x))`. At beta = 1 it is a
    bound, the ELBO with one draw, and it tightens with their number.

    Args:
        num_samples: Draws of z for each example, k in the paper.
        beta: A number, or a schedule as in `ELBO`: a warm-up keeps more latents active.

    Raises:
        TypeError: Where `num_samples` is no integer or `beta` no number.
        ValueError: Where `num_samples` is below 1 or `beta` negative.

    Example:
        >>> tfvae.objectives.IWAEBound(num_samples=5).num_samples
        5

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """

    def __init__(self, num_samples=5, *, beta=1.0):
        super().__init__(num_samples)
        self.beta = _number_or_schedule(beta=beta)

    def __call__(self, densities, step=0):
        """See `Objective`."""
        reconstruction = tf.reduce_mean(densities.log_likelihood, axis=0)
        elbo = tf.reduce_mean(densities.log_weight, axis=0)
        kl = densities.log_posterior - densities.log_prior
        log_weight = densities.log_likelihood - _at(self.beta, step) * kl
        bound = tf.reduce_logsumexp(log_weight, axis=0) - math.log(self.num_samples)
        return {
            "objective": bound,
            "elbo": elbo,
            "reconstruction": reconstruction,
            "kl": reconstruction - elbo,
        }


def warm_up(num_steps, beta=1.0):
    """KL warm-up: a schedule for `ELBO(beta=...)` from 0 to `beta`, linear in steps.

    Args:
        num_steps: Optimizer steps until `beta` is reached.
        beta: Weight of the KL from then on.

    Returns:
        A `keras.optimizers.schedules.PolynomialDecay`.

    Raises:
        TypeError: Where an argument is no number.
        ValueError: Where `num_steps` is below 1 or `beta` negative.

    Example:
        >>> float(tfvae.objectives.warm_up(1000)(250))
        0.25

    References:
        Sonderby et al., Ladder Variational Autoencoders, 2016,
        https://arxiv.org/abs/1602.02282
    """
    num_steps = checks.integer(num_steps=num_steps)
    beta = checks.number(minimum=0, beta=beta)
    return keras.optimizers.schedules.PolynomialDecay(0.0, num_steps, beta)


def _number_or_schedule(**argument):
    ((name, value),) = argument.items()
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return value
    return checks.number(minimum=0, **argument)


def _at(value, step):
    return tf.cast(value(step), tf.float32) if callable(value) else value
