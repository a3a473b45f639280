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
from tfvae.metrics.annealed import Unconditional
from tfvae.metrics.marginal import Seed, by_batch

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
    """Marginal likelihood by samples of `p(z | x)`, in nats: the VAE paper's estimator.

    HMC draws z from `p(z | x)`, a Gaussian g is fitted to them, HMC draws as many z
    anew, and `1 / p(x)` is the mean of `g(z) / p(x, z)` over these. Reliable for z of
    few dimensions; in expectation it is at least log p(x).

    Args:
        model: A latent-variable model without u.
        x: Data `[batch, *event_shape]`, or a data set of it.
        num_samples: Draws for each example, to fit and again to average: at least twice
            the size of z, so that there is a covariance.
        num_burnin_steps: Earlier moves of each chain, in which the step size is tuned.
        batch_size: Examples at once.
        seed: As in `log_marginal`.

    Returns:
        An array `[batch]` of +log p(x).

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
    run = functools.partial(
        _log_marginal, model, num_moves=num_moves, num_burnin=num_burnin_steps
    )
    return by_batch(run, batch_size, seed, x)


@tf.function(autograph=False)
def _log_marginal(
    model: keras.Model,
    x: tf.Tensor,
    *,
    num_moves: int,
    num_burnin: int,
    seed: tf.Tensor,
) -> tf.Tensor:
    z, log_joint = _posterior_samples(model, x, 2 * num_moves, num_burnin, seed)
    num_draws = num_moves * CHAINS
    shape = [2, num_draws, tf.shape(x)[0]]
    fitted, averaged = tf.unstack(tf.reshape(z, [*shape, model.latent_dim]))
    covariance = tfp.stats.covariance(fitted, sample_axis=0)
    jitter = 1e-6 * tf.eye(model.latent_dim)  # for latents that stand still
    g = tfd.MultivariateNormalTriL(
        tf.reduce_mean(fitted, axis=0), tf.linalg.cholesky(covariance + jitter)
    )
    log_ratio = g.log_prob(averaged) - tf.reshape(log_joint, shape)[1]
    return math.log(num_draws) - tf.reduce_logsumexp(log_ratio, axis=0)


def _posterior_samples(
    model: keras.Model, x: tf.Tensor, num_moves: int, num_burnin: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws `[moves, chains, batch, latent]` of p(z | x), and their log p(x, z)."""
    p_z = model.prior()

    def log_joint(z: tf.Tensor) -> tf.Tensor:
        return p_z.log_prob(z) + model.likelihood.log_prob(x, z)

    start_seed, seed = tf.unstack(tf.random.split(seed))
    noise_shape = [CHAINS, tf.shape(x)[0], model.posterior.noise_dim]
    z, _ = model.posterior.from_noise(
        model.posterior.params(x), seeds.normal(start_seed, noise_shape)
    )
    # One size for each example, as posteriors are not equally wide.
    size = tf.fill([tf.shape(x)[0], 1], 0.1)
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
        trace_fn=lambda _, results: (
            results.inner_results.accepted_results.target_log_prob
        ),
        parallel_iterations=1,
        seed=seed,
    )
