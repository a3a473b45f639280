"""The marginal likelihood estimator of the VAE paper, by Hamiltonian Monte Carlo."""

import functools
import math

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.checks import PositiveInt
from tfvae.metrics.annealed import Unconditional, prior_and_joint
from tfvae.metrics.marginal import by_batch
from tfvae.seeds import Seed

tfd, tfm = tfp.distributions, tfp.mcmc

# Leapfrog steps of a move, and chains side by side for each example.
LEAPFROG_STEPS, CHAINS = 10, 10


@checks.checked
def hmc_log_marginal(
    model: Unconditional,
    x: npt.ArrayLike | tf.data.Dataset,
    num_samples: int = 1000,
    *,
    num_burnin_steps: PositiveInt = 500,
    batch_size: PositiveInt = 100,
    seed: Seed = 0,
) -> np.ndarray:
    """The VAE paper's estimate of `log p(x)` for each example, `[batch]`, in nats.

    HMC draws `num_samples` z from `p(z | x)`, a Gaussian g is fitted to them, HMC draws
    as many z anew, and `1 / p(x)` is the mean of `g(z) / p(x, z)` over these. Reliable
    for z of few dimensions; in expectation it is at least log p(x).

    There must be twice as many draws as latents or more, so that there is a covariance.
    Before them each chain makes `num_burnin_steps` moves, in which the step size is
    tuned. Other arguments are those of `ais_log_marginal`.

    Example:
        >>> tfvae.metrics.hmc_log_marginal(model, x, 100, num_burnin_steps=10).shape
        (32,)

    References:
        Kingma and Welling, Auto-Encoding Variational Bayes, 2013, appendix D,
        https://arxiv.org/abs/1312.6114
    """
    x = model.check_data(x)["x"]
    num_samples = checks.integer(minimum=2 * model.latent_dim, num_samples=num_samples)
    num_moves = math.ceil(num_samples / CHAINS)
    run = functools.partial(_log_marginal, model, num_moves, num_burnin_steps)
    return by_batch(run, batch_size, seed, x)


@tf.function(autograph=False)
def _log_marginal(
    model: keras.Model, num_moves: int, num_burnin: int, x: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    z, log_p = _posterior_samples(model, x, 2 * num_moves, num_burnin, seed)
    num_draws = num_moves * CHAINS
    shape = [2, num_draws, tf.shape(x)[0]]
    fitted, averaged = tf.unstack(tf.reshape(z, [*shape, model.latent_dim]))
    covariance = tfp.stats.covariance(fitted, sample_axis=0)
    jitter = 1e-6 * tf.eye(model.latent_dim)  # for latents that stand still
    g = tfd.MultivariateNormalTriL(
        tf.reduce_mean(fitted, axis=0), tf.linalg.cholesky(covariance + jitter)
    )
    log_ratio = g.log_prob(averaged) - tf.reshape(log_p, shape)[1]
    return math.log(num_draws) - tf.reduce_logsumexp(log_ratio, axis=0)


def _posterior_samples(
    model: keras.Model, x: tf.Tensor, num_moves: int, num_burnin: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws `[moves, chains, batch, latent]` of p(z | x), and their log p(x, z)."""
    _, log_joint = prior_and_joint(model, x)
    start_seed, seed = tf.unstack(tf.random.split(seed))
    batch = tf.shape(x)[0]
    noise = seeds.normal(start_seed, [CHAINS, batch, model.noise_dim])
    z, _ = model.draw(x, None, noise)
    # One size for each example, as posteriors are not equally wide.
    size = tf.fill([batch, 1], 0.1)
    kernel = tfm.DualAveragingStepSizeAdaptation(
        tfm.HamiltonianMonteCarlo(log_joint, size, LEAPFROG_STEPS),
        num_adaptation_steps=int(0.8 * num_burnin),
        reduce_fn=tfp.math.reduce_log_harmonic_mean_exp,
    )
    return tfm.sample_chain(
        num_moves,
        current_state=z,
        kernel=kernel,
        num_burnin_steps=num_burnin,
        trace_fn=lambda _, step: step.inner_results.accepted_results.target_log_prob,
        parallel_iterations=1,
        seed=seed,
    )
