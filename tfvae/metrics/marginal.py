"""Marginal likelihood by importance sampling."""

import math

import numpy as np
import tensorflow as tf

from tfvae import checks, seeds

# Decoder rows at once: large enough for the matrix kernels, small in memory.
ROWS = 4_000


def log_marginal(model, x, num_samples=1000, *, batch_size=100, seed=0):
    """Importance-sampled `log p(x)` of each example, in nats: the IWAE bound.

    `log(mean(exp(log p(x, z) - log q(z | x))))` over exactly `num_samples` draws from
    `q(z | x)`, accumulated in chunks of bounded memory. In expectation it is at most
    log p(x), and rises towards it with the number of draws.

    Args:
        model: A latent-variable model.
        x: Data `[batch, *event_shape]`, a pair of it and u where the model takes one,
            or a data set of either.
        num_samples: Draws for each example; one gives the ELBO in expectation.
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
        >>> tfvae.metrics.log_marginal(model, np.zeros([3, 8, 8, 1]), 10).shape
        (3,)

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """
    data = checks.latent_variable_model(model).check_data(x).values()
    num_samples = checks.integer(num_samples=num_samples)

    def run(*inputs, seed):
        return _log_marginal(model, inputs, num_samples, seed)

    return by_batch(run, batch_size, seed, *data)


def by_batch(function, batch_size, seed, *arrays):
    """Calls `function(*rows, seed=...)` for batches of rows; joins what it gives.

    Args:
        function: From tensors `[rows, ...]` and an int32 `[2]` seed to `[rows]`.
        batch_size: Rows at once.
        seed: int, `keras.random.SeedGenerator` or None.
        *arrays: Arrays of the same length.

    Returns:
        A float32 array.

    Raises:
        TypeError: Where `batch_size` is no integer.
        ValueError: Where it is below 1.
    """
    batch_size = checks.integer(batch_size=batch_size)
    starts = range(0, len(arrays[0]), batch_size)
    parts = [
        function(*(tf.constant(a[i : i + batch_size]) for a in arrays), seed=batch_seed)
        for i, batch_seed in zip(starts, seeds.rows(seed, len(starts)), strict=True)
    ]
    return np.concatenate([np.zeros([0], "float32"), *parts])


def bits_per_dim(nats, event_shape):
    """Bits for each element of x: `-nats / (log(2) * dims)` of a log-density.

    Args:
        nats: log p(x) or a bound on it, of any shape.
        event_shape: Shape of one x.

    Returns:
        An array of the shape of `nats`.

    Raises:
        TypeError: Where `event_shape` holds no integers.
        ValueError: Where one is below 1.

    Example:
        >>> float(tfvae.metrics.bits_per_dim(-math.log(2) * 784, (28, 28, 1)))
        1.0
    """
    dims = math.prod(checks.event_shape(event_shape=event_shape))
    return -np.asarray(nats) / (math.log(2) * dims)


def _log_marginal(model, inputs, num_samples, seed):
    num_rows = len(inputs[0])
    chunk = max(1, min(num_samples, ROWS // max(1, num_rows)))
    sizes = [chunk] * (num_samples // chunk) + [num_samples % chunk or 0]
    total = np.full(num_rows, -np.inf, "float32")
    for i, size in enumerate(filter(None, sizes)):
        chunk_seed = tf.random.experimental.stateless_fold_in(seed, i)
        total = np.logaddexp(total, _log_sum_weights(model, inputs, size, chunk_seed))
    return total - math.log(num_samples)


@tf.function(autograph=False)
def _log_sum_weights(model, inputs, num_samples, seed):
    densities = model.log_densities(inputs, seed, num_samples)
    return tf.reduce_logsumexp(densities.log_weight, axis=0)
