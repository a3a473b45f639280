"""Marginal likelihood by annealed importance sampling, from below and from above."""

import math
import typing

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.metrics.marginal import by_batch

tfm = tfp.mcmc

# The step size of HMC to start with, the acceptance to tune it to, and how fast.
START, ACCEPTANCE, RATE = 0.2, 0.65, 0.1
# Examples and chains of the run that tunes.
PILOT_ROWS, PILOT_CHAINS = 20, 4


def ais_log_marginal(
    model,
    x,
    num_steps=1000,
    *,
    num_chains=16,
    num_leapfrog_steps=10,
    batch_size=100,
    seed=0,
):
    """Annealed importance sampling of `log p(x)` for each example, in nats.

    Chains start at the prior and go through `p(z) p(x | z)**t` for t from 0 to 1 in
    equal steps, each a move of Hamiltonian Monte Carlo with the step size that a pilot
    run found for that t. Needs no posterior, and in expectation is at most log p(x);
    the gap closes with `num_steps`. `ais_bounds` says how far.

    Args:
        model: A latent-variable model.
        x: Data `[batch, *event_shape]`, or a data set of it.
        num_steps: Intermediate distributions.
        num_chains: Chains for each example, whose weights are averaged.
        num_leapfrog_steps: Leapfrog steps of each move.
        batch_size: Examples at once.
        seed: int, `keras.random.SeedGenerator` or None.

    Returns:
        An array `[batch]` of +log p(x).

    Raises:
        TypeError: Where an argument is of the wrong kind.
        ValueError: Where x does not fit the model, or a count is below 1.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> x = np.zeros([3, 8, 8, 1])
        >>> tfvae.metrics.ais_log_marginal(model, x, 10, num_chains=2).shape
        (3,)

    References:
        Neal, Annealed Importance Sampling, 1998, https://arxiv.org/abs/physics/9803008;
        Wu et al., On the Quantitative Analysis of Decoder-Based Generative Models,
        2016, https://arxiv.org/abs/1611.04273
    """
    x = checks.latent_variable_model(model, conditional=False).check_data(x)["x"]
    batch_size = checks.integer(batch_size=batch_size)
    run = _runner(model, x, num_steps, num_chains, num_leapfrog_steps, seed)
    return by_batch(run, batch_size, seed, x)


def ais_bounds(
    model,
    num_examples=100,
    num_steps=1000,
    *,
    num_chains=16,
    num_leapfrog_steps=10,
    batch_size=100,
    seed=0,
):
    """Bidirectional Monte Carlo: bounds from below and above on `log p(x)`, in nats.

    For x that the model itself drew, z is an exact sample of `p(z | x)`. Chains from it
    back to the prior give an upper bound in expectation, chains from the prior as in
    `ais_log_marginal` a lower one: their distance bounds the error of both.

    Args:
        model: A latent-variable model.
        num_examples: How many x to draw.
        num_steps: As in `ais_log_marginal`.
        num_chains: As in `ais_log_marginal`.
        num_leapfrog_steps: As in `ais_log_marginal`.
        batch_size: As in `ais_log_marginal`.
        seed: As in `ais_log_marginal`.

    Returns:
        Two arrays `[num_examples]`, the lower and the upper bounds.

    Raises:
        TypeError: Where an argument is of the wrong kind.
        ValueError: Where the model is not built, or a count is below 1.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> lower, upper = tfvae.metrics.ais_bounds(model, 3, 100, num_chains=2)
        >>> bool(lower.mean() < upper.mean() + 1)
        True

    References:
        Grosse et al., Sandwiching the marginal likelihood using bidirectional Monte
        Carlo, 2015, https://arxiv.org/abs/1511.02543
    """
    checks.latent_variable_model(model, conditional=False)
    num_examples = checks.integer(num_examples=num_examples)
    batch_size = checks.integer(batch_size=batch_size)
    x, z = _simulate(model, num_examples, seed)
    run = _runner(model, x, num_steps, num_chains, num_leapfrog_steps, seed)
    lower = by_batch(run, batch_size, seed, x)
    return lower, -by_batch(run, batch_size, seed, x, z)


def _simulate(model, num_examples, seed):
    """Pairs of x and the z it was drawn from."""
    noise_seed, x_seed = tf.unstack(tf.random.split(_apart(seed, 3)))
    noise = seeds.normal(noise_seed, [num_examples, model.prior.noise_dim])
    z, _ = model.prior.from_noise(None, noise)
    x = model.likelihood(z).sample(seed=x_seed)
    return model.check_data(x)["x"], z.numpy()


def _runner(model, x, num_steps, num_chains, num_leapfrog_steps, seed):
    """A function of batches of x, and of exact z to go back from: log of mean weight.

    Step sizes come from a run of its own, for chains that tune themselves while they
    run do not keep the distribution they should.
    """
    num_chains = checks.integer(num_chains=num_chains)
    sizes = tf.fill([checks.integer(num_steps=num_steps)], START)
    moves = checks.integer(num_leapfrog_steps=num_leapfrog_steps)
    some = np.random.default_rng(0).permutation(len(x))[:PILOT_ROWS]
    if len(x):
        pilot, pilot_seed = tf.constant(x[some]), _apart(seed, 2)
        z = _start(model, PILOT_CHAINS, len(some), pilot_seed)
        _, sizes = _anneal(model, pilot, z, sizes, moves, pilot_seed, tune=True)

    def run(x, *exact, seed):
        if exact:
            z = tf.tile(exact[0][None], [num_chains, 1, 1])
            log_weight, _ = _anneal(model, x, z, sizes[::-1], moves, seed, back=True)
        else:
            z = _start(model, num_chains, len(x), seed)
            log_weight, _ = _anneal(model, x, z, sizes, moves, seed)
        return tf.reduce_logsumexp(log_weight, axis=0) - math.log(num_chains)

    return run


def _apart(seed, number):
    """A seed that no batch has."""
    return tf.random.experimental.stateless_fold_in(seeds.rows(seed, 1)[0], number)


def _start(model, num_chains, num_rows, seed):
    noise_seed = tf.random.experimental.stateless_fold_in(seed, 1)
    noise = seeds.normal(noise_seed, [num_chains * num_rows, model.prior.noise_dim])
    shape = [num_chains, num_rows, model.latent_dim]
    return tf.reshape(model.prior.from_noise(None, noise)[0], shape)


@tf.function(autograph=False)
def _anneal(model, x, z, sizes, num_leapfrog_steps, seed, back=False, tune=False):
    """Log-weights `[chains, batch]` of a run, and the step sizes as tuned."""
    p_z = model.prior()

    def log_joint(z):
        return p_z.log_prob(z) + model.likelihood.log_prob(x, z)

    first, last = (log_joint, p_z.log_prob) if back else (p_z.log_prob, log_joint)
    _, log_weight, results = tfm.sample_annealed_importance_chain(
        sizes.shape[0],
        proposal_log_prob_fn=first,
        target_log_prob_fn=last,
        current_state=z,
        make_kernel_fn=lambda log_prob: _Move(
            log_prob, sizes, num_leapfrog_steps, tune
        ),
        parallel_iterations=1,
        seed=seed,
    )
    return log_weight, results.inner_results.sizes


class _Results(typing.NamedTuple):
    inner_results: typing.Any
    step: tf.Tensor
    sizes: tf.Tensor


class _Move(tfm.TransitionKernel):
    """A move of HMC with the step size of its place in the chain."""

    def __init__(self, log_prob, sizes, num_leapfrog_steps, tune):
        self._log_prob, self._sizes = log_prob, sizes
        self._num_leapfrog_steps, self._tune = num_leapfrog_steps, tune

    @property
    def is_calibrated(self):
        return True

    def bootstrap_results(self, z):
        inner = self._hmc(self._sizes[0]).bootstrap_results(z)
        return _Results(inner, tf.constant(0), self._sizes)

    def one_step(self, z, results, seed=None):
        hmc = self._hmc(results.sizes[results.step])
        # What TFP remembers is the density of z under the distribution before.
        z, inner = hmc.one_step(z, hmc.bootstrap_results(z), seed=seed)
        sizes = self._tuned(results, inner) if self._tune else results.sizes
        return z, _Results(inner, results.step + 1, sizes)

    def _hmc(self, size):
        return tfm.HamiltonianMonteCarlo(self._log_prob, size, self._num_leapfrog_steps)

    def _tuned(self, results, inner):
        """Sizes of which the later ones make up for how many were accepted now."""
        ratio = inner.log_accept_ratio
        accepted = tf.where(tf.math.is_nan(ratio), 0.0, tf.exp(tf.minimum(ratio, 0.0)))
        surplus = tf.reduce_mean(accepted) - ACCEPTANCE
        size = results.sizes[results.step] * tf.exp(RATE * surplus)
        later = tf.range(self._sizes.shape[0]) > results.step
        return tf.where(later, size, results.sizes)
