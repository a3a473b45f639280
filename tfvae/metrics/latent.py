"""What the latents carry: active units, KL by dimension, mutual information."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfvae import checks, seeds

tfd = tfp.distributions

# Examples at once, and draws of z for each where moments have no closed form.
ROWS, DRAWS = 500, 200


def kl_per_dimension(model, x):
    """Mean over examples of `KL(q(z_d | x) || p(z_d))` for each latent d, in nats.

    For a factorized posterior they sum to the model's KL; for another Gaussian these
    are the divergences of its marginals. For what is no Gaussian they are those of the
    Gaussians with the moments of 200 draws: with a standard normal prior at most the
    divergences of the marginals, up to the hundredth of a nat that draws leave open.

    Args:
        model: A latent-variable model.
        x: Data, as in `log_marginal`.

    Returns:
        An array `[latent]`.

    Raises:
        TypeError: Where x holds no real numbers.
        ValueError: Where x does not fit the model.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> tfvae.metrics.kl_per_dimension(model, np.zeros([3, 8, 8, 1])).shape
        (2,)
    """
    loc, scale, _ = _moments(model, x)
    prior = _prior_moments(model, x)
    return np.mean(
        tfd.kl_divergence(tfd.Normal(loc, scale), tfd.Normal(*prior)), axis=0
    )


def _prior_moments(model, x):
    """Mean and deviation of the prior: `[latent]`, or `[batch, latent]` given u."""
    if u := model.inputs.condition:
        p_z = model.prior(u.context(model.check_data(x)[u.name]))
        return p_z.mean(), p_z.stddev()
    noise = seeds.normal(seeds.rows(0, 1)[0], [10_000, model.latent_dim])
    return _moments_of(model.prior(), lambda: model.prior.from_noise(None, noise)[0])[
        :2
    ]


def active_units(model, x, threshold=0.01):
    """Number of latents d with `Var_x(E[z_d | x]) > threshold`.

    For a posterior that is no Gaussian, `E[z_d | x]` is the mean of 200 draws, and what
    their number leaves open is taken off the variance.

    Args:
        model: A latent-variable model.
        x: Data, as in `log_marginal`.
        threshold: Variance above which a latent counts; 0.01 in the paper.

    Returns:
        An int.

    Raises:
        TypeError: Where x holds no real numbers.
        ValueError: Where x does not fit the model.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> tfvae.metrics.active_units(model, np.zeros([3, 8, 8, 1]))
        0

    References:
        Burda et al., Importance Weighted Autoencoders, 2015,
        https://arxiv.org/abs/1509.00519
    """
    threshold = checks.number(minimum=0, threshold=threshold)
    loc, scale, draws = _moments(model, x)
    variance = np.var(loc, axis=0) - np.mean(scale**2, axis=0) / draws
    return int((variance > threshold).sum())


def mutual_information(model, x, seed=0):
    """Mutual information of x and z under `q(z | x)` and the data, in nats.

    `mean(log q(z | x) - log q(z))` with one draw of z for each example and the
    aggregated posterior `q(z) = mean over the data of q(z | x)`. It is at most the mean
    KL, and at most the log of the number of examples, which are all compared with each
    other.

    Args:
        model: A model with a Gaussian posterior: the density of each z is asked for as
            many times as there are examples.
        x: Data, as in `log_marginal`.
        seed: int, `keras.random.SeedGenerator` or None.

    Returns:
        A float.

    Raises:
        TypeError: Where x holds no real numbers.
        ValueError: Where x does not fit the model, or its posterior is no Gaussian.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
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


def _params(model, x):
    """Parameters of `q(z | x)` for parts of the data."""
    data = checks.latent_variable_model(model).check_data(x)
    num_rows = len(data["x"])
    for i in range(0, max(num_rows, 1), ROWS):
        part = {name: tf.constant(value[i : i + ROWS]) for name, value in data.items()}
        yield model.posterior_params(tuple(part.values()))


def _moments(model, x):
    """Mean and deviation of `q(z | x)`, `[batch, latent]`, and of how many draws."""
    parts = []
    for i, params in enumerate(_params(model, x)):
        q = model.posterior.distribution(params)
        shape = [DRAWS, len(params), model.posterior.noise_dim]

        def draw(params=params, seed=(0, i), shape=shape):
            noise = seeds.normal(tf.constant(seed), shape)
            return model.posterior.from_noise(params, noise)[0]

        parts.append(_moments_of(q, draw))
    loc, scale, draws = zip(*parts, strict=True)
    return tf.concat(loc, axis=0), tf.concat(scale, axis=0), draws[0]


def _moments_of(distribution, draw):
    """Mean, standard deviation, and of how many draws: infinite in closed form."""
    if is_gaussian(distribution):
        return distribution.mean(), distribution.stddev(), np.inf
    z = draw()
    return tf.reduce_mean(z, axis=0), tf.math.reduce_std(z, axis=0), len(z)


def is_gaussian(distribution):
    """Whether moments and densities have a closed form."""
    return isinstance(distribution, tfd.MultivariateNormalLinearOperator)
