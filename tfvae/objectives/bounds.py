"""The evidence lower bound and the importance-weighted bound."""

import math

import tensorflow as tf

from tfvae import checks
from tfvae.config import register
from tfvae.objectives.base import Objective
from tfvae.objectives.schedules import at, number_or_schedule


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
        contrast: Weight of `log p(u | z)`, which is added, of models with labels u: a
            number or a schedule. It is the objective of time-contrastive learning,
            with the prior as classifier. At the start of training it has the latents
            fall apart into the right ones; with a schedule that ends at 0 training
            ends with the bound.
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
        contrast=0.0,
        analytic_kl=True,
        num_samples=1,
    ):
        super().__init__(num_samples)
        self.beta = number_or_schedule(beta=beta)
        self.capacity = capacity
        if capacity is not None:
            self.capacity = number_or_schedule(capacity=capacity)
        self.free_bits = checks.number(minimum=0, free_bits=free_bits)
        self.contrast = number_or_schedule(contrast=contrast)
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
        bound = reconstruction - at(self.beta, step) * penalty
        return {
            "objective": bound + self._contrast(densities.log_label, step),
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
        }

    @property
    def needs_labels(self):
        """With a contrast."""
        return bool(self.contrast)

    def _contrast(self, log_label, step):
        if not self.contrast:
            return 0.0
        if log_label is None:
            checks.fail("0 of a model without labels u", contrast=self.contrast)
        return at(self.contrast, step) * tf.reduce_mean(log_label, axis=0)

    def _penalty(self, groups, kl, latent_dim, step):
        if self.capacity is not None:
            return tf.abs(tf.reduce_mean(kl) - at(self.capacity, step))
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
        self.beta = number_or_schedule(beta=beta)

    def __call__(self, densities, step=0):
        """See `Objective`."""
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
