"""The evidence lower bound with its KL split into three terms."""

import tensorflow as tf
import tensorflow_probability as tfp

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
    whole_batch,
)

tfd = tfp.distributions


@register
class TotalCorrelation(Objective):
    """The ELBO with its KL split and the total correlation weighted: beta-TCVAE.

    With the aggregate posterior `q(z) = mean over the data of q(z | x)`, the objective
    `log p(x | z) - alpha * MI - beta * TC - gamma * DKL` weights the terms of the KL::

        MI  = log q(z | x) - log q(z)           mutual information of x and z
        TC  = log q(z) - sum_d log q(z_d)       total correlation of the latents
        DKL = sum_d log q(z_d) - log p(z)       KL from the prior by dimension

    They add up to the sampled KL, so `alpha = beta = gamma = 1` is the ELBO. The
    objective of FactorVAE, `ELBO - gamma_F * TC`, is `beta = 1 + gamma_F` with its
    discriminator replaced by this estimator.

    `q(z)` and `q(z_d)` are estimated from the batch by stratified sampling. The
    estimates are unbiased, their logarithms are not: MI cannot exceed
    `log(dataset_size)`, and a batch of one gives MI = TC = 0.

    Args:
        dataset_size: Number of training examples, at least a batch.
        beta: Weight of the total correlation: a number, or a schedule as in `ELBO`.
        alpha: Weight of the mutual information.
        gamma: Weight of the KL by dimension.

    Call arguments:
        densities: Of one draw from the diagonal Gaussian of `posteriors.MeanField`.

    Example:
        >>> objective = tfvae.objectives.TotalCorrelation(60_000, beta=6.0)
        >>> objective.term_names[3:]
        ('mutual_information', 'total_correlation', 'dimension_wise_kl')

    References:
        Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders,
        2018, https://arxiv.org/abs/1802.04942; Kim and Mnih, Disentangling by
        Factorising, 2018, https://arxiv.org/abs/1802.05983
    """

    term_names = (
        *Objective.term_names,
        "mutual_information",
        "total_correlation",
        "dimension_wise_kl",
    )
    needs_batch = True

    def __init__(
        self,
        dataset_size: PositiveInt,
        beta: Weight = 6.0,
        *,
        alpha: NonNegativeFloat = 1.0,
        gamma: NonNegativeFloat = 1.0,
    ):
        super().__init__(num_samples=1)

    def __call__(self, densities: LogDensities, step: Step = 0) -> Terms:
        self._check(densities.posterior, densities.z)
        log_q, log_q_by_dim = _log_aggregate(
            densities.z[0], densities.posterior, self.dataset_size
        )
        mutual_information = densities.log_posterior[0] - log_q
        total_correlation = log_q - log_q_by_dim
        dimension_wise_kl = log_q_by_dim - densities.log_prior[0]
        kl = densities.log_posterior[0] - densities.log_prior[0]
        reconstruction = densities.log_likelihood[0]
        penalty = (
            self.alpha * mutual_information
            + at(self.beta, step) * total_correlation
            + self.gamma * dimension_wise_kl
        )
        return {
            "objective": reconstruction - penalty,
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "mutual_information": mutual_information,
            "total_correlation": total_correlation,
            "dimension_wise_kl": dimension_wise_kl,
        }

    def _check(self, posterior: tfd.Distribution | None, z: tf.Tensor | None) -> None:
        if not isinstance(posterior, tfd.MultivariateNormalDiag):
            expected = "mean-field, a diagonal Gaussian given x"
            hint = "Take `posteriors.MeanField`."
            checks.fail(expected, hint=hint, posterior=posterior)
        if z is None or z.shape[0] != 1:
            shape = None if z is None else list(z.shape)
            checks.fail("one draw for each example, [1, batch, latent]", z=shape)
        size = self.dataset_size
        if z.shape[1] is not None and z.shape[1] > size:
            expected = f"at least the batch of {z.shape[1]} examples"
            checks.fail(expected, dataset_size=size)
        message = f"`dataset_size` must be at least the batch. It is {size}"
        tf.debugging.assert_less_equal(tf.shape(z)[1], size, message)


def _log_aggregate(
    z: tf.Tensor, posterior: tfd.Distribution, dataset_size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Estimates `log q(z)` and `sum_d log q(z_d)`, `[batch]`, at `[batch, latent]`.

    Row i of the weights mixes the q(z | x_j) of the batch at z_i.
    """
    (loc, scale), first = whole_batch(posterior.mean(), posterior.stddev())
    given_x = tfd.Normal(loc, scale)
    log_q = given_x.log_prob(z[:, None])  # [batch of z, batch of x, latent]
    own = first + tf.range(tf.shape(z)[0])
    log_weight = _log_weights(own, tf.shape(loc)[0], dataset_size)
    joint = tf.reduce_logsumexp(log_weight + tf.reduce_sum(log_q, axis=-1), axis=1)
    by_dim = tf.reduce_logsumexp(log_weight[..., None] + log_q, axis=1)
    return joint, tf.reduce_sum(by_dim, axis=-1)


def _log_weights(
    own: tf.Tensor, batch_size: int | tf.Tensor, dataset_size: int
) -> tf.Tensor:
    """Log-weights of stratified sampling, `[rows, batch]`; rows sum to 1.

    For N examples and M others in the batch, the row's own example weighs 1/N, one
    other (N - M) / (N * M) and the rest 1/M each: appendix C.2, Chen et al. 2018. Their
    code has the first two in columns 0 and 1 in every row. Here the row's own is on the
    diagonal, and the one other is next to it.
    """
    size = tf.cast(dataset_size, tf.float32)
    others = tf.cast(tf.maximum(batch_size - 1, 1), tf.float32)
    itself = tf.where(batch_size > 1, 1 / size, 1.0)  # alone in its batch, it is q(z)
    weights = tf.stack([itself, (size - others) / (size * others), 1 / others])
    distance = (tf.range(batch_size) - own[:, None]) % batch_size
    return tf.math.log(tf.gather(weights, tf.minimum(distance, 2)))
