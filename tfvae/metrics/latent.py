"""Information in the latents: active units, KL by dimension, mutual information."""

from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.checks import NonNegativeFloat
from tfvae.metrics.marginal import Data, Model, Seed

tfd = tfp.distributions

# Examples at once, and draws of z for each if moments have no closed form.
ROWS, DRAWS = 500, 200

# Mean, standard deviation and number of draws, which is infinite for a closed form.
Moments = tuple[tf.Tensor, tf.Tensor, float]


@checks.checked
def kl_per_dimension(model: Model, x: Data) -> np.ndarray:
    """Mean over examples of `KL(q(z_d | x) || p(z_d))` for each latent d, in nats.

    For a factorized posterior they sum to the model's KL. For another Gaussian they are
    the divergences of its marginals. For any other posterior they are the divergences
    of the Gaussians with the moments of 200 draws: with a standard normal prior at most
    those of the marginals, up to a sampling error of about 0.01 nats.

    Args:
        model: A latent-variable model.
        x: Data, as in `log_marginal`.

    Returns:
        An array `[latent]`.

    Example:
        >>> tfvae.metrics.kl_per_dimension(model, x).shape
        (2,)
    """
    loc, scale, _ = _moments(model, x)
    q, p = tfd.Normal(loc, scale), tfd.Normal(*_prior_moments(model, x))
    return np.mean(tfd.kl_divergence(q, p), axis=0)


def _prior_moments(model: keras.Model, x: Data) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and deviation of the prior: `[latent]`, or `[batch, latent]` given u."""
    if u := model.condition:
        p_z = model.prior(u.context(model.check_data(x)[u.name]))
        return p_z.mean(), p_z.stddev()
    noise = seeds.normal(seeds.rows(0, 1)[0], [10_000, model.prior.noise_dim])

    def draw() -> tf.Tensor:
        return model.prior.from_noise(None, noise)[0]

    return _moments_of(model.prior(), draw)[:2]


@checks.checked
def active_units(model: Model, x: Data, threshold: NonNegativeFloat = 0.01) -> int:
    """Number of latents d with `Var_x(E[z_d | x]) > threshold`.

    For a posterior that is no Gaussian, `E[z_d | x]` is the mean of 200 draws. The
    variance that this mean adds by chance is subtracted.

    Args:
        model: A latent-variable model.
        x: Data, as in `log_marginal`.
        threshold: Variance above which a latent counts; 0.01 in the paper.

    Example:
        >>> tfvae.metrics.active_units(model, np.zeros([3, 8, 8, 1]))
        0

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """
    loc, scale, draws = _moments(model, x)
    variance = np.var(loc, axis=0) - np.mean(scale**2, axis=0) / draws
    return int((variance > threshold).sum())


@checks.checked
def mutual_information(model: Model, x: Data, seed: Seed = 0) -> float:
    """Mutual information of x and z under `q(z | x)` and the data, in nats.

    `mean(log q(z | x) - log q(z))` with one draw of z for each example and the
    aggregated posterior `q(z) = mean over the data of q(z | x)`. It is at most the mean
    KL and at most the log of the number of examples. Its cost grows with the square of
    that number, as the density of each z is taken given each x.

    Args:
        model: A model with a Gaussian posterior.
        x: Data, as in `log_marginal`.
        seed: As in `log_marginal`.

    Example:
        >>> round(tfvae.metrics.mutual_information(model, np.zeros([3, 8, 8, 1])), 3)
        0.0

    References:
        Hoffman and Johnson, ELBO surgery, 2016,
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """
    params = tf.concat(list(_params(model, x)), axis=0)
    q = model.posterior.distribution(params)
    if not is_gaussian(q):
        checks.fail("a model with a Gaussian posterior", model=model)
    z, log_q = q.experimental_sample_and_log_prob(seed=seeds.rows(seed, 1)[0])
    rows = max(1, 4_000_000 // (len(params) * model.latent_dim))
    pairs = [
        tf.reduce_logsumexp(q.log_prob(z[i : i + rows, None]), axis=1)
        for i in range(0, len(z), rows)
    ]
    log_aggregate = tf.concat(pairs, axis=0) - np.log(len(params))
    return float(tf.reduce_mean(log_q - log_aggregate))


def _params(model: keras.Model, x: Data) -> Iterator[tf.Tensor]:
    """Parameters of `q(z | x)` for parts of the data."""
    data = model.check_data(x)
    for i in range(0, max(len(data["x"]), 1), ROWS):
        part = {name: tf.constant(value[i : i + ROWS]) for name, value in data.items()}
        yield model.posterior_params(tuple(part.values()))


def _moments(model: keras.Model, x: Data) -> Moments:
    """Moments of `q(z | x)`, `[batch, latent]`."""
    parts = [
        _moments_of_part(model, params, i) for i, params in enumerate(_params(model, x))
    ]
    loc, scale, draws = zip(*parts, strict=True)
    return tf.concat(loc, axis=0), tf.concat(scale, axis=0), draws[0]


def _moments_of_part(model: keras.Model, params: tf.Tensor, part: int) -> Moments:
    q = model.posterior.distribution(params)

    def draw() -> tf.Tensor:
        shape = [DRAWS, len(params), model.posterior.noise_dim]
        noise = seeds.normal(tf.constant([0, part]), shape)
        return model.posterior.from_noise(params, noise)[0]

    return _moments_of(q, draw)


def _moments_of(
    distribution: tfd.Distribution, draw: Callable[[], tf.Tensor]
) -> Moments:
    """Moments in closed form, or of draws `[samples, batch, latent]`."""
    if is_gaussian(distribution):
        return distribution.mean(), distribution.stddev(), np.inf
    z = draw()
    return tf.reduce_mean(z, axis=0), tf.math.reduce_std(z, axis=0), len(z)


def is_gaussian(distribution: tfd.Distribution) -> bool:
    """Tells if moments and densities have a closed form."""
    return isinstance(distribution, tfd.MultivariateNormalLinearOperator)
