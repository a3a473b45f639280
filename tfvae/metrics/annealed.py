"""Marginal likelihood by annealed importance sampling: lower and upper bounds."""

import functools
import math
import typing
from collections.abc import Callable
from typing import Annotated

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.checks import PositiveInt
from tfvae.metrics.marginal import Seed, by_batch, latent_variable_model

tfm = tfp.mcmc

Unconditional = Annotated[
    keras.Model, functools.partial(latent_variable_model, conditional=False)
]
LogProb = Callable[[tf.Tensor], tf.Tensor]

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
    """Annealed importance sampling of `log p(x)` for each example, in nats.

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

    Returns:
        An array `[batch]` of +log p(x).

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
    """Bidirectional Monte Carlo: bounds from below and above on `log p(x)`, in nats.

    For x drawn from the model together with z, this z is an exact sample of `p(z | x)`.
    Chains from z back to the prior give an upper bound in expectation, chains from the
    prior as in `ais_log_marginal` a lower one: their distance bounds the error of both.

    Args:
        model: A latent-variable model without u, built.
        num_examples: Number of x to draw.
        num_steps: As in `ais_log_marginal`.
        num_chains: As in `ais_log_marginal`.
        num_leapfrog_steps: As in `ais_log_marginal`.
        batch_size: As in `ais_log_marginal`.
        seed: As in `ais_log_marginal`.

    Returns:
        Two arrays `[num_examples]`, the lower and the upper bounds.

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
    noise = seeds.normal(noise_seed, [num_examples, model.prior.noise_dim])
    z, _ = model.prior.from_noise(None, noise)
    x = model.likelihood(z).sample(seed=x_seed)
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
    some = np.random.default_rng(0).permutation(len(x))[:PILOT_ROWS]
    if len(x):
        pilot, pilot_seed = tf.constant(x[some]), _apart(seed, 2)
        z = _start(model, PILOT_CHAINS, len(some), pilot_seed)
        _, sizes = _anneal(model, pilot, z, sizes, leapfrogs, pilot_seed, tune=True)

    def run(x: tf.Tensor, *exact: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        if exact:
            z, order = tf.tile(exact[0][None], [num_chains, 1, 1]), sizes[::-1]
        else:
            z, order = _start(model, num_chains, len(x), seed), sizes
        log_weight, _ = _anneal(model, x, z, order, leapfrogs, seed, back=bool(exact))
        return tf.reduce_logsumexp(log_weight, axis=0) - math.log(num_chains)

    return run


def _apart(seed: Seed, number: int) -> tf.Tensor:
    """Seed that no batch has, int32 `[2]`."""
    return tf.random.experimental.stateless_fold_in(seeds.rows(seed, 1)[0], number)


def _start(
    model: keras.Model, num_chains: int, num_rows: int, seed: tf.Tensor
) -> tf.Tensor:
    """Draws `[chains, batch, latent]` from the prior."""
    noise_seed = tf.random.experimental.stateless_fold_in(seed, 1)
    noise_shape = [num_chains * num_rows, model.prior.noise_dim]
    noise = seeds.normal(noise_seed, noise_shape)
    shape = [num_chains, num_rows, model.latent_dim]
    return tf.reshape(model.prior.from_noise(None, noise)[0], shape)


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
    """Log-weights `[chains, batch]` of a run, and the tuned step sizes."""
    p_z = model.prior()

    def log_joint(z: tf.Tensor) -> tf.Tensor:
        return p_z.log_prob(z) + model.likelihood.log_prob(x, z)

    first, last = (log_joint, p_z.log_prob) if back else (p_z.log_prob, log_joint)
    _, log_weight, results = tfm.sample_annealed_importance_chain(
        sizes.shape[0],
        proposal_log_prob_fn=first,
        target_log_prob_fn=last,
        current_state=z,
        make_kernel_fn=functools.partial(_Move, sizes, num_leapfrog_steps, tune),
        parallel_iterations=1,
        seed=seed,
    )
    return log_weight, results.inner_results.sizes


class _Results(typing.NamedTuple):
    inner_results: typing.Any
    step: tf.Tensor
    sizes: tf.Tensor


class _Move(tfm.TransitionKernel):
    """HMC move whose step size is that of its place in the chain."""

    def __init__(
        self, sizes: tf.Tensor, num_leapfrog_steps: int, tune: bool, log_prob: LogProb
    ):
        self._sizes, self._num_leapfrog_steps = sizes, num_leapfrog_steps
        self._tune, self._log_prob = tune, log_prob

    @property
    def is_calibrated(self) -> bool:
        return True

    def bootstrap_results(self, z: tf.Tensor) -> _Results:
        inner = self._hmc(self._sizes[0]).bootstrap_results(z)
        return _Results(inner, tf.constant(0), self._sizes)

    def one_step(
        self, z: tf.Tensor, results: _Results, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, _Results]:
        hmc = self._hmc(results.sizes[results.step])
        # The results that TFP keeps hold the density under the previous distribution.
        z, inner = hmc.one_step(z, hmc.bootstrap_results(z), seed=seed)
        sizes = self._tuned(results, inner) if self._tune else results.sizes
        return z, _Results(inner, results.step + 1, sizes)

    def _hmc(self, size: tf.Tensor) -> tfm.HamiltonianMonteCarlo:
        return tfm.HamiltonianMonteCarlo(self._log_prob, size, self._num_leapfrog_steps)

    def _tuned(self, results: _Results, inner: typing.Any) -> tf.Tensor:
        """Step sizes, the later ones set by the acceptance of this move."""
        ratio = inner.log_accept_ratio
        accepted = tf.where(tf.math.is_nan(ratio), 0.0, tf.exp(tf.minimum(ratio, 0.0)))
        surplus = tf.reduce_mean(accepted) - ACCEPTANCE
        size = results.sizes[results.step] * tf.exp(RATE * surplus)
        later = tf.range(self._sizes.shape[0]) > results.step
        return tf.where(later, size, results.sizes)
