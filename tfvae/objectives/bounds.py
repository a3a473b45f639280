"""The evidence lower bound and the importance-weighted bound."""

import functools
import math
from typing import Annotated

import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeFloat, PositiveInt
from tfvae.config import register
from tfvae.objectives.base import (
    LogDensities,
    Objective,
    Step,
    Terms,
    Weight,
    at,
    batch_mean,
)

_per = functools.partial(checks.one_of, ["latent", "group"])


@register
class ELBO(Objective):
    """The evidence lower bound: `log p(x | z) - beta * KL(q(z | x) || p(z))`.

    The KL is exact if TFP knows it and otherwise sampled as
    `log q(z | x) - log p(z)`. It is summed over latents, so beta = 1 is the bound.

    Args:
        beta: Weight of the KL: a number, or a Keras learning-rate schedule read at the
            optimizer's step (see `warm_up`).
        capacity: None, or nats (a number or a schedule): the penalty becomes
            `beta * |mean KL - capacity|`, with the mean over the batch.
        free_bits: Nats for each latent that cost nothing: the penalty becomes
            `beta * sum(max(mean KL of a group, free_bits * latents in it))`, likewise.
            The groups are latents, for a ladder the channels of its levels, and all
            latents together if the KL does not split. Excludes `capacity`.
        free_bits_per: `"latent"`, or `"group"` for so many nats for each group: lambda
            in the IAF paper, of a channel summed over space.
        balance: If True, levels of a ladder are balanced while beta is below 1: the KL
            of level l counts `levels * w_l / sum(w)` times, with
            `w_l = latents of the level * its mean KL`, so that none is left behind.
            Excludes `capacity` and `free_bits`.
        contrast: Weight (a number or a schedule) of an added `log p(u | z)`, for models
            with labels u: the objective of time-contrastive learning with the prior as
            classifier. It separates the latents early in training; a schedule that ends
            at 0 makes training end with the bound.
        analytic_kl: Take the exact KL if TFP knows it.
        num_samples: Draws of z for each example.

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
        beta: Weight = 1.0,
        *,
        capacity: Weight | None = None,
        free_bits: NonNegativeFloat = 0.0,
        free_bits_per: Annotated[str, _per] = "latent",
        balance: bool = False,
        contrast: Weight = 0.0,
        analytic_kl: bool = True,
        num_samples: PositiveInt = 1,
    ):
        if not isinstance(balance, bool):
            checks.fail("True or False", error=TypeError, balance=balance)
        super().__init__(num_samples)
        self.needs_labels = bool(contrast)
        self.needs_batch = capacity is not None or free_bits > 0 or balance
        if capacity is not None and free_bits:
            checks.fail("0 where `capacity` is given", free_bits=free_bits)
        if balance and (capacity is not None or free_bits):
            checks.fail("False where `capacity` or `free_bits` is given", balance=True)

    def __call__(self, densities: LogDensities, step: Step = 0) -> Terms:
        if densities.kl_by_group is None or not self.analytic_kl:
            sampled = densities.log_posterior - densities.log_prior
            one = tf.reduce_mean(sampled, axis=0)[:, None]
            densities = densities._replace(kl_by_group=one, levels=())
        reconstruction = tf.reduce_mean(densities.log_likelihood, axis=0)
        kl = tf.reduce_sum(densities.kl_by_group, axis=-1)
        bound = reconstruction - at(self.beta, step) * self._penalty(densities, step)
        return {
            "objective": bound + self._contrast(densities.log_label, step),
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
        }

    def _penalty(self, densities: LogDensities, step: Step) -> tf.Tensor:
        groups = densities.kl_by_group
        kl = tf.reduce_sum(groups, axis=-1)
        if self.capacity is not None:
            return tf.abs(batch_mean(kl) - at(self.capacity, step))
        if self.free_bits:
            sizes = densities.group_sizes if self.free_bits_per == "latent" else [1.0]
            free = self.free_bits * tf.constant(sizes, tf.float32)
            return tf.reduce_sum(tf.maximum(batch_mean(groups), free))
        if self.balance:
            return self._balanced(densities, step)
        return kl

    def _balanced(self, densities: LogDensities, step: Step) -> tf.Tensor:
        if not densities.levels:
            checks.fail("False of a model with one level of latents", balance=True)
        by_level = densities.kl_by_level
        sizes = [float(math.prod(shape)) for shape in densities.levels]
        shares = tf.constant(sizes) * tf.stop_gradient(batch_mean(by_level))
        weights = len(sizes) * shares / tf.maximum(tf.reduce_sum(shares), 1e-6)
        weights = tf.where(at(self.beta, step) < 1.0, weights, 1.0)
        return tf.reduce_sum(weights * by_level, axis=-1)

    def _contrast(self, log_label: tf.Tensor | None, step: Step) -> float | tf.Tensor:
        if not self.contrast:
            return 0.0
        if log_label is None:
            checks.fail("0 of a model without labels u", contrast=self.contrast)
        return at(self.contrast, step) * tf.reduce_mean(log_label, axis=0)


@register
class IWAEBound(Objective):
    """The importance-weighted bound: `log(mean(exp(log_weight)))` over the draws.

    `log_weight = log p(x | z) + beta * (log p(z) - log q(z | x))`. At beta = 1 it is a
    lower bound on log p(x): the ELBO for one draw, tighter with more draws.

    Args:
        num_samples: Draws of z for each example, k in the paper.
        beta: A number, or a schedule as in `ELBO`. A warm-up keeps more latents active.

    Example:
        >>> tfvae.objectives.IWAEBound(num_samples=5).num_samples
        5

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """

    def __init__(self, num_samples: PositiveInt = 5, *, beta: Weight = 1.0):
        super().__init__(num_samples)

    def __call__(self, densities: LogDensities, step: Step = 0) -> Terms:
        reconstruction = tf.reduce_mean(densities.log_likelihood, axis=0)
        elbo = tf.reduce_mean(densities.log_weight, axis=0)
        kl = densities.log_posterior - densities.log_prior
        log_weight = densities.log_likelihood - at(self.beta, step) * kl
        bound = tf.reduce_logsumexp(log_weight, axis=0) - math.log(self.num_samples)
        return {
            "objective": bound,
            "elbo": elbo,
            "reconstruction": reconstruction,
            "kl": reconstruction - elbo,
        }
