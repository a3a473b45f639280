"""Information in the latents: active units, KL by dimension, mutual information."""

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds
from tfvae.checks import NonNegativeFloat
from tfvae.conditional import LatentDistribution
from tfvae.metrics.marginal import Data, Model
from tfvae.seeds import Seed

tfd = tfp.distributions

# Examples at once, and draws of z for each if moments have no closed form.
ROWS, DRAWS = 500, 200

# Mean, standard deviation and number of draws, which is infinite for a closed form.
Moments = tuple[tf.Tensor, tf.Tensor, float]


@checks.checked
def kl_per_dimension(model: Model, x: Data) -> np.ndarray:
    """Mean over x of `KL(q(z_d | x) || p(z_d))` for each latent d, `[latent]`, in nats.

    For a factorized posterior they sum to the model's KL. For another Gaussian they are
    the divergences of its marginals. For any other posterior they are the divergences
    of the Gaussians with the moments of 200 draws: with a standard normal prior at most
    those of the marginals, up to a sampling error of about 0.01 nats. For a ladder they
    are those given the levels above, at one draw of these, and sum to the model's KL;
    `model.split` gives them by level. Arguments are those of `log_marginal`.

    Example:
        >>> tfvae.metrics.kl_per_dimension(model, x).shape
        (2,)
    """
    if model.posterior is None:
        parts = [model.kl_by_latent(*drawn)[0] for drawn in _noise(model, x, 1)]
        return np.mean(tf.concat(parts, axis=0), axis=0)
    loc, scale, _ = _posterior_moments(model, x)
    if u := model.condition:
        p_z = model.prior(u.context(model.check_data(x)[u.name]))
        p = tfd.Normal(p_z.mean(), p_z.stddev())
    else:
        p = tfd.Normal(*_moments(model.prior, None, [10_000])[:2])
    return np.mean(tfd.kl_divergence(tfd.Normal(loc, scale), p), axis=0)


@checks.checked
def kl_per_channel(model: Model, x: Data) -> list[np.ndarray]:
    """Mean KL of each channel of a ladder, a list of `[channels]` by level, in nats.

    Summed over space. The sum of all is the model's KL, the sum of one array that of
    the level. Arguments are those of `log_marginal`.

    Example:
        >>> model = tfvae.ResNetVAE((8, 8, 1), [(1, 1, 4), (4, 1, 2)], units=[16, 8])
        >>> [level.shape for level in tfvae.metrics.kl_per_channel(model, x)]
        [(4,), (2,)]

    References:
        Kingma et al., Improving Variational Inference with Inverse Autoregressive Flow,
        2016, appendix C.8, https://arxiv.org/abs/1606.04934
    """
    if model.posterior is not None:
        checks.fail("a ladder", model=model)
    maps = model.split(kl_per_dimension(model, x))
    return [np.sum(level, axis=(0, 1)) for level in maps]


@checks.checked
def active_units(model: Model, x: Data, threshold: NonNegativeFloat = 0.01) -> int:
    """Number of latents d with `Var_x(E[z_d | x]) > threshold`, 0.01 in the paper.

    For a posterior that is no Gaussian, `E[z_d | x]` is the mean of 200 draws. The
    variance that this mean adds by chance is subtracted. The model and x are those of
    `log_marginal`.

    Example:
        >>> tfvae.metrics.active_units(model, np.zeros([3, 8, 8, 1]))
        0

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """
    loc, scale, draws = _posterior_moments(model, x)
    variance = np.var(loc, axis=0) - np.mean(scale**2, axis=0) / draws
    return int((variance > threshold).sum())


@checks.checked
def mutual_information(model: Model, x: Data, seed: Seed = 0) -> float:
    """Mutual information of x and z under `q(z | x)` and the data, in nats.

    `mean(log q(z | x) - log q(z))` with one draw of z for each example and the
    aggregated posterior `q(z) = mean over the data of q(z | x)`. It is at most the mean
    KL and at most the log of the number of examples. Its cost grows with the square of
    that number, as the density of each z is taken given each x. The posterior must be
    Gaussian; arguments are those of `log_marginal`.

    Example:
        >>> round(tfvae.metrics.mutual_information(model, np.zeros([3, 8, 8, 1])), 3)
        0.0

    References:
        Hoffman and Johnson, ELBO surgery, 2016,
        http://approximateinference.org/accepted/HoffmanJohnson2016.pdf
    """
    if model.posterior is None:
        checks.fail("a model with a Gaussian posterior", model=model)
    params = tf.concat(list(_params(model, x)), axis=0)
    q = model.posterior.distribution(params)
    if not is_gaussian(q):
        checks.fail("a model with a Gaussian posterior", model=model)
    z, log_q = q.experimental_sample_and_log_prob(seed=seeds.rows(seed, 1)[0])
    rows = max(1, 4_000_000 // (len(params) * model.latent_dim))
    aggregate = tfd.MixtureSameFamily(tfd.Categorical(tf.zeros([len(params)])), q)
    parts = [aggregate.log_prob(z[i : i + rows]) for i in range(0, len(z), rows)]
    return float(tf.reduce_mean(log_q - tf.concat(parts, axis=0)))


def _params(model: keras.Model, x: Data) -> Iterator[tf.Tensor]:
    """Parameters of `q(z | x)` for parts of the data."""
    for data in model.pieces(x, size=ROWS):
        part = [tf.constant(value) for value in data.values()]
        yield model.posterior_params(tuple(part))


def _noise(
    model: keras.Model, x: Data, draws: int
) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Parts of the data, with the noise of some draws for each example."""
    for part, data in enumerate(model.pieces(x, size=ROWS // draws)):
        x = tf.constant(data["x"])
        shape = [draws, len(x), model.noise_dim]
        yield x, seeds.normal(tf.constant([0, part]), shape)


def _posterior_moments(model: keras.Model, x: Data) -> Moments:
    """Moments of `q(z | x)`, `[batch, latent]`."""
    if model.posterior is None:
        z = (model.draw(x, None, noise)[0] for x, noise in _noise(model, x, 20))
        parts = [(*tf.nn.moments(draws, [0]), len(draws)) for draws in z]
        parts = [(loc, tf.sqrt(variance), draws) for loc, variance, draws in parts]
    else:
        parts = [
            _moments(model.posterior, params, [DRAWS, len(params)], part)
            for part, params in enumerate(_params(model, x))
        ]
    loc, scale, draws = zip(*parts, strict=True)
    return tf.concat(loc, axis=0), tf.concat(scale, axis=0), draws[0]


def _moments(
    layer: LatentDistribution, params: tf.Tensor | None, shape: list[int], part: int = 0
) -> Moments:
    """Moments in closed form, or of draws of a shape whose first size is their number.

    The number of the part is the seed of the draws.
    """
    distribution = layer.distribution(params)
    if is_gaussian(distribution):
        return distribution.mean(), distribution.stddev(), np.inf
    noise = seeds.normal(tf.constant([0, part]), [*shape, layer.noise_dim])
    z, _ = layer.from_noise(params, noise)
    return tf.reduce_mean(z, axis=0), tf.math.reduce_std(z, axis=0), len(z)


def is_gaussian(distribution: tfd.Distribution) -> bool:
    """Tells if moments and densities have a closed form."""
    return isinstance(distribution, tfd.MultivariateNormalLinearOperator)
