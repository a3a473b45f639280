"""Marginal likelihood by annealed importance sampling: lower and upper bounds."""

import functools
import math
from collections.abc import Callable
from typing import Annotated

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.checks import PositiveInt
from tfvae.metrics.marginal import by_batch, latent_variable_model
from tfvae.seeds import Seed

tfm, fold_in = tfp.mcmc, tf.random.experimental.stateless_fold_in

Unconditional = Annotated[
    keras.Model, functools.partial(latent_variable_model, conditional=False)
]
LogProb = Callable[[tf.Tensor], tf.Tensor]
# Seed, z, log-weights and step sizes.
State = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]

# First step size of HMC, acceptance rate to tune it to, and rate of tuning.
START, ACCEPTANCE, RATE = 0.2, 0.65, 0.1
# Examples and chains of the pilot run, which tunes.
PILOT_ROWS, PILOT_CHAINS = 20, 4


@checks.checked
def ais_log_marginal(
    model: Unconditional,
    x: npt.ArrayLike | tf.data.Dataset,
    num_steps: PositiveInt = 1000,
    *,
    num_chains: PositiveInt = 16,
    num_leapfrog_steps: PositiveInt = 10,
    batch_size: PositiveInt = 100,
    seed: Seed = 0,
) -> np.ndarray:
    """Annealed importance sampling of `log p(x)` for each example, `[batch]`, in nats.

    Chains start at the prior and go through `p(z) p(x | z)**t` for t from 0 to 1 in
    equal steps. Each step is a move of Hamiltonian Monte Carlo with the step size that
    a pilot run found for that t. The estimate needs no posterior. In expectation it is
    at most log p(x), and the gap closes with `num_steps`: `ais_bounds` measures it.

    Args:
        model: A latent-variable model without u.
        x: Data `[batch, *event_shape]`, or a data set of it.
        num_steps: Intermediate distributions.
        num_chains: Chains for each example, whose weights are averaged.
        num_leapfrog_steps: Leapfrog steps of each move.
        batch_size: Examples at once.
        seed: As in `log_marginal`.

    Example:
        >>> tfvae.metrics.ais_log_marginal(model, x, 10, num_chains=2).shape
        (32,)

    References:
        Neal, Annealed Importance Sampling, 1998, https://arxiv.org/abs/physics/9803008;
        Wu et al., On the Quantitative Analysis of Decoder-Based Generative Models,
        2016, https://arxiv.org/abs/1611.04273
    """
    x = model.check_data(x)["x"]
    run = _runner(model, x, num_steps, num_chains, num_leapfrog_steps, seed)
    return by_batch(run, batch_size, seed, x)


@checks.checked
def ais_bounds(
    model: Unconditional,
    num_examples: PositiveInt = 100,
    num_steps: PositiveInt = 1000,
    *,
    num_chains: PositiveInt = 16,
    num_leapfrog_steps: PositiveInt = 10,
    batch_size: PositiveInt = 100,
    seed: Seed = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Bidirectional Monte Carlo: lower and upper bounds on `log p(x)`, in nats.

    For each of `num_examples` x drawn from the model together with z, this z is an
    exact sample of `p(z | x)`. Chains from z back to the prior give an upper bound in
    expectation, chains from the prior, as in `ais_log_marginal`, a lower one: their
    distance bounds the error of both. Other arguments are those of `ais_log_marginal`.

    Example:
        >>> lower, upper = tfvae.metrics.ais_bounds(model, 3, 100, num_chains=2)
        >>> bool(lower.mean() < upper.mean() + 1)
        True

    References:
        Grosse et al., Sandwiching the marginal likelihood using bidirectional Monte
        Carlo, 2015, https://arxiv.org/abs/1511.02543
    """
    x, z = _simulate(model, num_examples, seed)
    run = _runner(model, x, num_steps, num_chains, num_leapfrog_steps, seed)
    lower = by_batch(run, batch_size, seed, x)
    return lower, -by_batch(run, batch_size, seed, x, z)


def _simulate(
    model: keras.Model, num_examples: int, seed: Seed
) -> tuple[np.ndarray, np.ndarray]:
    """Draws z from the prior and x given z; returns x and z."""
    noise_seed, x_seed = tf.unstack(tf.random.split(_apart(seed, 3)))
    z = _from_prior(model, [num_examples], noise_seed)
    x = model.p_x(z).sample(seed=x_seed)
    return model.check_data(x)["x"], z.numpy()


def _runner(
    model: keras.Model,
    x: np.ndarray,
    num_steps: int,
    num_chains: int,
    leapfrogs: int,
    seed: Seed,
) -> Callable[..., tf.Tensor]:
    """Function from a batch of x to the logs of mean weights.

    Given an exact z for each x too, the chains go from z back to the prior. Step sizes
    come from a pilot run, as chains that tune themselves while they run would not keep
    their distribution.
    """
    sizes = tf.fill([num_steps], START)
    if len(x):
        some = np.random.default_rng(0).permutation(len(x))[:PILOT_ROWS]
        pilot, pilot_seed = tf.constant(x[some]), _apart(seed, 2)
        z = _from_prior(model, [PILOT_CHAINS, len(some)], fold_in(pilot_seed, 1))
        _, sizes = _anneal(model, pilot, z, sizes, leapfrogs, pilot_seed, tune=True)

    def run(x: tf.Tensor, *exact: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if exact:
            z, order = tf.tile(exact[0][None], [num_chains, 1, 1]), sizes[::-1]
        else:
            z = _from_prior(model, [num_chains, len(x)], fold_in(seed, 1))
            order = sizes
        log_weight, _ = _anneal(model, x, z, order, leapfrogs, seed, back=bool(exact))
        return tf.reduce_logsumexp(log_weight, axis=0) - math.log(num_chains)

    return run


def _apart(seed: Seed, number: int) -> tf.Tensor:
    """Seed that no batch has, int32 `[2]`."""
    return fold_in(seeds.rows(seed, 1)[0], number)


def _from_prior(model: keras.Model, shape: list[int], seed: tf.Tensor) -> tf.Tensor:
    """Draws z, `[*shape, latent]`."""
    noise = seeds.normal(seed, [*shape, model.prior.noise_dim])
    return model.prior.from_noise(None, noise)[0]


def prior_and_joint(model: keras.Model, x: tf.Tensor) -> tuple[LogProb, LogProb]:
    """The functions `log p(z)` and `log p(x, z)` of z `[chains, batch, latent]`."""
    p_z = model.prior()
    return p_z.log_prob, lambda z: p_z.log_prob(z) + model.log_likelihood(x, z)


@tf.function(autograph=False)
def _anneal(
    model: keras.Model,
    x: tf.Tensor,
    z: tf.Tensor,
    sizes: tf.Tensor,
    num_leapfrog_steps: int,
    seed: tf.Tensor,
    back: bool = False,
    tune: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Log-weights `[chains, batch]` of a run, and the step sizes, tuned on demand."""
    first, last = prior_and_joint(model, x)
    if back:
        first, last = last, first
    num_steps = tf.constant(sizes.shape[0], tf.float32)

    def step(state: State, i: tf.Tensor) -> State:
        seed, z, log_weight, sizes = state
        t = tf.cast(i + 1, tf.float32) / num_steps
        step_seed, seed = tfp.random.split_seed(seed, salt="ais_chain.seeded_one_step")
        log_weight += (last(z) - first(z)) / num_steps
        hmc = tfm.HamiltonianMonteCarlo(
            lambda z: t * last(z) + (1 - t) * first(z), sizes[i], num_leapfrog_steps
        )
        z, results = hmc.one_step(z, hmc.bootstrap_results(z), seed=step_seed)
        if tune:
            sizes = _tuned(sizes, i, results.log_accept_ratio)
        return seed, z, log_weight, sizes

    # With these salts draws are those of TFP's `sample_annealed_importance_chain`.
    seed = tfp.random.sanitize_seed(seed, salt="mcmc.sample_ais_chain")
    state = seed, z, tf.zeros(z.shape[:-1]), sizes
    state = tf.foldl(step, tf.range(sizes.shape[0]), state, parallel_iterations=1)
    return state[2:]


def _tuned(sizes: tf.Tensor, i: tf.Tensor, log_ratio: tf.Tensor) -> tf.Tensor:
    """Step sizes, those after i set by the acceptance of move i."""
    accepted = tf.exp(tf.minimum(log_ratio, 0.0))
    accepted = tf.where(tf.math.is_nan(log_ratio), 0.0, accepted)
    size = sizes[i] * tf.exp(RATE * (tf.reduce_mean(accepted) - ACCEPTANCE))
    return tf.where(tf.range(sizes.shape[0]) > i, size, sizes)
