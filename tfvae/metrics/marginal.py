"""Marginal likelihood by importance sampling."""

import functools
import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.checks import EventShape, PositiveInt
from tfvae.conditional import forget_graphs
from tfvae.seeds import Seed

# Decoder rows at once: large enough for the matrix kernels, small in memory.
ROWS = 4_000


def latent_variable_model(model: Any, conditional: bool = True) -> Any:
    """Returns the model if it has latents, and no u unless `conditional`."""
    if not hasattr(model, "log_densities"):
        checks.fail("a latent-variable model of tfvae", error=TypeError, model=model)
    if model.prior.condition and not conditional:
        checks.fail("a model of x alone, without u", model=model)
    return model


Model = Annotated[keras.Model, latent_variable_model]
Data = npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike] | tf.data.Dataset


@checks.checked
def log_marginal(
    model: Model,
    x: Data,
    num_samples: PositiveInt = 1000,
    *,
    batch_size: PositiveInt = 100,
    seed: Seed = 0,
) -> np.ndarray:
    """Importance-sampled `log p(x)` for each example, `[batch]`, in nats.

    The IWAE bound `log(mean(exp(log p(x, z) - log q(z | x))))` over exactly
    `num_samples` draws from `q(z | x)`, accumulated in chunks of bounded memory. In
    expectation it is at most log p(x), and rises towards it with the number of draws.

    Args:
        model: A latent-variable model.
        x: Data `[batch, *event_shape]`, for a model with u a pair (x, u), or a data set
            of either.
        num_samples: Draws for each example; one gives the ELBO in expectation.
        batch_size: Examples at once.
        seed: The same seed gives the same draws; None draws a seed.

    Example:
        >>> tfvae.metrics.log_marginal(model, x, 10).shape
        (32,)

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """
    run = functools.partial(_log_marginal, model, num_samples)
    pieces = (tuple(piece.values()) for piece in model.pieces(x, size=batch_size))
    log_p = over(pieces, run, seed)
    forget_graphs()
    return log_p


def by_batch(
    function: Callable[..., npt.ArrayLike], batch_size: int, seed: Seed, *arrays: Any
) -> np.ndarray:
    """Joins `function(*rows, seed=...)` over batches of rows, each with its seed."""
    starts = range(0, len(arrays[0]), batch_size)
    pieces = (tuple(array[i : i + batch_size] for array in arrays) for i in starts)
    return over(pieces, function, seed)


def over(
    pieces: Iterable[tuple[np.ndarray, ...]],
    function: Callable[..., npt.ArrayLike],
    seed: Seed,
) -> np.ndarray:
    """Joins `function(*rows, seed=...)` over pieces of data, each with its seed."""
    seed = seeds.number(seed)
    parts = [
        function(*map(tf.constant, rows), seed=seeds.rows(seed, 1, i)[0])
        for i, rows in enumerate(pieces)
    ]
    return np.concatenate([np.zeros([0], "float32"), *parts])


@checks.checked
def bits_per_dim(nats: npt.ArrayLike, event_shape: EventShape) -> np.ndarray:
    """Bits for each element of x, `-nats / (log(2) * dims)`, of the shape of `nats`.

    Args:
        nats: log p(x) or a bound on it, of any shape.
        event_shape: Shape of one x.

    Example:
        >>> float(tfvae.metrics.bits_per_dim(-math.log(2) * 784, (28, 28, 1)))
        1.0
    """
    return -np.asarray(nats) / (math.log(2) * math.prod(event_shape))


def _log_marginal(
    model: keras.Model, num_samples: int, *inputs: tf.Tensor, seed: tf.Tensor
) -> np.ndarray:
    chunk = max(1, min(num_samples, ROWS // max(1, len(inputs[0]))))
    total = -np.inf
    for i, start in enumerate(range(0, num_samples, chunk)):
        size = min(chunk, num_samples - start)
        chunk_seed = tf.random.experimental.stateless_fold_in(seed, i)
        some = _log_sum_weights(model, inputs, tf.constant(size), chunk_seed)
        total = np.logaddexp(total, some)
    return total - math.log(num_samples)


@tf.function(autograph=False, reduce_retracing=True)
def _log_sum_weights(
    model: keras.Model,
    inputs: tuple[tf.Tensor, ...],
    num_samples: tf.Tensor,
    seed: tf.Tensor,
) -> tf.Tensor:
    # A tensor for the number: each Python number would leave a graph behind.
    densities = model.log_densities(inputs, seed, num_samples)
    return tf.reduce_logsumexp(densities.log_weight, axis=0)
