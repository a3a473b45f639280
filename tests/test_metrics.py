import keras
import numpy as np
import pytest
import scipy.stats
import sklearn.decomposition
import tensorflow as tf

import tfvae
from tests.checks import MODELS, decoder, encoder, images
from tfvae import metrics

NOISE = 0.5


def linear_gaussian(posterior_class, units=4, latent_dim=2, fit_encoder=True):
    """Probabilistic PCA as a VAE, and its exact log-density and posterior.

    `x = W z + b + noise`, so that `x ~ N(b, W W^T + noise^2 I)` and the posterior is
    Gaussian with the same covariance `S = (I + W^T W / noise^2)^-1` for every x.
    """
    encoder = keras.layers.Dense(latent_dim, use_bias=True)
    decoder = keras.layers.Dense(units)
    likelihood = tfvae.likelihoods.Normal(decoder, NOISE)
    model = tfvae.VAE(posterior_class(encoder, latent_dim), likelihood)
    model.build((None, units))
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(latent_dim, units)), rng.normal(size=units)
    decoder.set_weights([weights, bias])
    exact = scipy.stats.multivariate_normal(
        bias, weights.T @ weights + NOISE**2 * np.eye(units)
    )
    covariance = np.linalg.inv(np.eye(latent_dim) + weights @ weights.T / NOISE**2)
    gain = covariance @ weights / NOISE**2
    if fit_encoder:
        encoder.set_weights([gain.T, -gain @ bias])
    return model, exact, covariance


def set_head(model, raw_scale):
    """Lets the head pass the encoder's mean on, with constant scale parameters."""
    latent_dim = model.latent_dim
    kernel = np.eye(latent_dim, model.posterior.params_size)
    model.posterior.head.set_weights(
        [kernel, np.concatenate([np.zeros(latent_dim), raw_scale])]
    )


def softplus_inverse(value):
    return np.log(np.expm1(value - 1e-4))


def optimal_full_covariance():
    model, exact, covariance = linear_gaussian(tfvae.posteriors.FullCovariance)
    scale_tril = np.linalg.cholesky(covariance)
    below = 2 * scale_tril[1, 0]  # which the posterior divides by its two latents
    set_head(model, [*softplus_inverse(np.diag(scale_tril)), below])
    return model, exact


def optimal_mean_field():
    model, exact, covariance = linear_gaussian(tfvae.posteriors.MeanField)
    scale = np.diag(np.linalg.inv(covariance)) ** -0.5
    set_head(model, softplus_inverse(scale))
    return model, exact, covariance


def test_full_covariance_posterior_reaches_the_exact_log_marginal():
    model, exact = optimal_full_covariance()
    x = exact.rvs(50, random_state=1).astype("float32")
    # Every weight equals p(x): even one sample is exact, up to float32.
    np.testing.assert_allclose(model.log_marginal(x, 1), exact.logpdf(x), atol=2e-3)
    np.testing.assert_allclose(model.log_marginal(x, 100), exact.logpdf(x), atol=2e-3)


def test_mean_field_posterior_falls_short_by_the_known_amount():
    model, exact, covariance = optimal_mean_field()
    x = tf.constant(exact.rvs(50, random_state=1).astype("float32"))
    correlation = covariance[0, 1] / np.prod(np.diag(covariance)) ** 0.5
    gap = -0.5 * np.log(1 - correlation**2)
    elbo = tf.reduce_mean(
        model.log_densities(x, tf.constant([0, 1]), 20_000).log_weight, 0
    )
    assert gap > 0.1
    # Five standard errors of a mean of 20,000 log-weights that spread by about a nat.
    np.testing.assert_allclose(exact.logpdf(x) - elbo, gap, atol=0.05)


def test_bounds_rise_with_samples_towards_the_exact_log_marginal():
    model, exact, _ = optimal_mean_field()
    x = exact.rvs(2000, random_state=1).astype("float32")
    bounds = [model.log_marginal(x, k, seed=k).mean() for k in (1, 3, 10, 100, 1000)]
    assert all(np.diff(bounds) > 0)
    assert abs(bounds[-1] - exact.logpdf(x).mean()) < 0.01
    # Two means of 2,000 bounds that spread by about a nat: five standard errors.
    assert abs(bounds[0] - np.mean(model.elbo(x, seed=0))) < 0.15


def test_log_marginal_agrees_with_probabilistic_pca_of_scikit_learn():
    model, exact = optimal_full_covariance()
    x = exact.rvs(5000, random_state=1)
    pca = sklearn.decomposition.PCA(2).fit(x)
    # The maximum of the likelihood on the data is above, by about parameters / 2 n.
    assert 0 < pca.score(x) - model.log_marginal(x, 10).mean() < 0.01


@pytest.mark.parametrize("num_samples", [1, 7, 64])
def test_log_marginal_uses_exactly_the_asked_samples(monkeypatch, num_samples):
    monkeypatch.setattr(metrics.marginal, "ROWS", 30)  # chunks of three for ten rows
    used = []
    log_densities = tfvae.VAE.log_densities

    def spy(self, x, seed, num_samples, training=False):
        used.append(num_samples)
        return log_densities(self, x, seed, num_samples, training)

    monkeypatch.setattr(tfvae.VAE, "log_densities", spy)
    monkeypatch.setattr(
        metrics.marginal,
        "_log_sum_weights",
        metrics.marginal._log_sum_weights.python_function,
    )
    model = MODELS["VAE"]()
    whole = model.log_marginal(images(10), num_samples)
    assert sum(used) == num_samples
    assert max(used) <= 3
    assert whole.shape == (10,)


def test_numbers_of_samples_leave_no_graphs_behind():
    model, count = MODELS["VAE"](), metrics.marginal._log_sum_weights
    before = count.experimental_get_tracing_count()
    for num_samples in (1, 2, 3, 5, 8):
        model.log_marginal(images(10), num_samples)
    assert count.experimental_get_tracing_count() == before + 1


def test_log_marginal_repeats_with_its_seed():
    model = MODELS["VAE"]()
    first = metrics.log_marginal(model, images(), 5, seed=1)
    np.testing.assert_array_equal(
        first, metrics.log_marginal(model, images(), 5, seed=1)
    )
    assert (first != metrics.log_marginal(model, images(), 5, seed=2)).any()


def test_kl_per_dimension_sums_to_the_kl():
    model = MODELS["VAE"]()
    model.compile("adam")
    kl = model.evaluate(images(), return_dict=True, verbose=0)["kl"]
    np.testing.assert_allclose(
        metrics.kl_per_dimension(model, images()).sum(), kl, 1e-5
    )


def test_a_latent_that_carries_nothing_is_inactive():
    model, exact, _ = optimal_mean_field()
    x = exact.rvs(500, random_state=1).astype("float32")
    assert metrics.active_units(model, x) == 2
    kernel, bias = model.posterior.head.get_weights()
    kernel[:, 1] = 0
    model.posterior.head.set_weights([kernel, bias])
    assert metrics.active_units(model, x) == 1
    assert metrics.active_units(model, x, threshold=1e6) == 0


def gap_after_training(posterior, **options):
    """Mean of log p(x) - ELBO after training the posterior alone, and of 100 draws."""

    def make(encoder, latent_dim):
        del encoder
        network = keras.layers.Dense(16, "relu")
        return getattr(tfvae.posteriors, posterior)(network, latent_dim, **options)

    model, exact, _ = linear_gaussian(make, fit_encoder=False)
    model.likelihood.trainable = False
    rate = keras.optimizers.schedules.CosineDecay(2e-2, 20 * 32)
    model.compile(keras.optimizers.Adam(rate))
    x = exact.rvs(4096, random_state=1).astype("float32")
    model.fit(x, batch_size=128, epochs=20, verbose=0)
    log_p = exact.logpdf(x).mean()
    elbo = np.mean([model.elbo(x, seed=i) for i in range(20)])
    return log_p - elbo, log_p - model.log_marginal(x, 100).mean()


@pytest.mark.parametrize(
    ("posterior", "options"),
    [
        ("FullCovariance", {}),
        ("IAF", {"hidden_units": [], "transform": "affine", "num_flows": 1}),
        ("Auxiliary", {"hidden_units": [16]}),
        ("PlanarFlow", {"num_flows": 4}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_posteriors_that_can_reach_the_exact_log_marginal(posterior, options):
    # An IAF of one linear step is a full covariance, where that is the same for all x.
    gap, tighter = gap_after_training(posterior, **options)
    # A sampled bound may be above by five standard errors of its mean.
    assert -0.01 < tighter < 0.01
    assert -0.01 < gap < 0.03


def test_a_mean_field_posterior_comes_as_close_as_it_can():
    _, _, covariance = optimal_mean_field()
    correlation = covariance[0, 1] / np.prod(np.diag(covariance)) ** 0.5
    known = -0.5 * np.log(1 - correlation**2)
    gap, _ = gap_after_training("MeanField")
    assert known - 0.01 < gap < known + 0.01


def standard_error(differences):
    return differences.std() / len(differences) ** 0.5


def test_annealed_importance_sampling_reaches_the_exact_log_marginal():
    model, exact, _ = optimal_mean_field()
    x = exact.rvs(200, random_state=1).astype("float32")
    error = metrics.ais_log_marginal(model, x, 200) - exact.logpdf(x)
    assert abs(error.mean()) < max(5 * standard_error(error), 0.02)
    assert error.std() < 0.2
    rough = metrics.ais_log_marginal(model, x, 5, num_chains=1) - exact.logpdf(x)
    assert rough.mean() < error.mean() - 5 * standard_error(rough)


def test_bounds_of_annealed_importance_sampling_meet_around_the_truth():
    model, exact, _ = optimal_mean_field()
    gaps = []
    for num_steps in (10, 300):
        lower, upper = metrics.ais_bounds(model, 200, num_steps, num_chains=4)
        x, _ = metrics.annealed._simulate(model, 200, seed=0)
        error = 5 * standard_error(upper - lower)
        assert (lower - exact.logpdf(x)).mean() < error
        assert (upper - exact.logpdf(x)).mean() > -error
        gaps.append((upper - lower).mean())
    assert gaps[1] < 0.1 < gaps[0]


def test_what_the_bounds_are_tried_on_is_drawn_from_the_model():
    model, exact, covariance = optimal_mean_field()
    x, z = metrics.annealed._simulate(model, 20_000, seed=0)
    # Five standard errors of covariances at n = 2e4.
    np.testing.assert_allclose(np.cov(x.T), exact.cov, atol=0.35)
    # Given x, z varies around its mean with the covariance of the posterior.
    rest = z - model.encode(x).numpy()
    np.testing.assert_allclose(np.cov(rest.T), covariance, atol=0.02)


def test_hmc_gives_the_exact_log_marginal():
    model, exact, _ = optimal_mean_field()
    x = exact.rvs(50, random_state=1).astype("float32")
    # A Gaussian posterior: the fitted Gaussian differs by what 2,000 draws leave open.
    np.testing.assert_allclose(
        metrics.hmc_log_marginal(model, x, 2000), exact.logpdf(x), atol=0.05
    )


@pytest.mark.parametrize("name", ["IAFVAE", "AuxiliaryVAE", "VAE-FlowPrior"])
def test_markov_chains_agree_with_importance_sampling(name):
    model, x = MODELS[name](), images(20)
    annealed = metrics.ais_log_marginal(model, x, 100, num_chains=8).mean()
    hmc = metrics.hmc_log_marginal(model, x, 1000, num_burnin_steps=100).mean()
    assert abs(annealed - hmc) < 0.05
    # An untrained posterior is narrower than it should be, and its weights vary much.
    sampled = model.log_marginal(x, 5000).mean()
    assert annealed - 0.5 < sampled < annealed + 0.05


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: metrics.ais_log_marginal(m, images(2), 0), "num_steps=0"),
        (
            lambda m: metrics.ais_log_marginal(m, images(2), 5, num_chains=0),
            "num_chains=0",
        ),
        (lambda m: metrics.ais_bounds(m, 0), "num_examples=0"),
        (lambda m: metrics.ais_bounds(m, 1, batch_size=0), "batch_size=0"),
        (lambda m: metrics.hmc_log_marginal(m, images(2), 5), "num_samples=5"),
        (lambda m: metrics.ais_log_marginal(m, 255 * images(2)), "Scale it: x / 255."),
    ],
)
def test_chains_check_their_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(MODELS["VAE"]())


def test_no_examples_have_no_log_marginals():
    model = MODELS["VAE"]()
    assert metrics.ais_log_marginal(model, images(0), 5).shape == (0,)
    assert metrics.hmc_log_marginal(model, images(0), 10).shape == (0,)


@pytest.mark.parametrize("name", ["IAFVAE", "PlanarFlowVAE", "AuxiliaryVAE"])
def test_what_is_no_gaussian_is_measured_by_its_draws(name):
    model = MODELS[name]()
    x = images(40)
    kl = metrics.kl_per_dimension(model, x)
    assert kl.shape == (3,)
    assert (kl >= 0).all()
    # At most the KL of the whole, up to what one draw and 200 draws leave open.
    densities = model.log_densities(tf.constant(x), tf.constant([0, 1]), 500)
    whole = tf.reduce_mean(densities.log_posterior - densities.log_prior)
    assert kl.sum() < whole + 0.05
    with pytest.raises(ValueError, match="a model with a Gaussian posterior"):
        metrics.mutual_information(model, x)


@pytest.mark.parametrize(
    "posterior", [tfvae.posteriors.IAF, tfvae.posteriors.MeanField]
)
def test_latents_that_do_not_depend_on_x_are_inactive(posterior):
    model = tfvae.VAE(posterior(encoder(), 3), decoder())
    kernel, bias = model.posterior.head.get_weights()
    model.posterior.head.set_weights([0 * kernel, bias])
    # Means of 200 draws vary by a variance of 1/200, and their surplus is taken off.
    assert metrics.active_units(model, images(200), threshold=1e-3) == 0
    kernel[:, 3:] = 0
    model.posterior.head.set_weights([kernel, bias])
    assert metrics.active_units(model, images(200), threshold=1e-3) == 3


@pytest.mark.parametrize(
    "metric",
    [
        metrics.log_marginal,
        metrics.ais_log_marginal,
        metrics.hmc_log_marginal,
        metrics.active_units,
        metrics.kl_per_dimension,
        metrics.mutual_information,
    ],
)
def test_metrics_want_a_latent_variable_model(metric):
    with pytest.raises(TypeError, match="`model` must be a latent-variable model"):
        metric(encoder(), images(2))


def test_mutual_information_of_a_gaussian_channel():
    model, exact = optimal_full_covariance()
    covariance = model.posterior(np.zeros((1, 4))).covariance()[0]
    x = exact.rvs(4000, random_state=1).astype("float32")
    # z is N(0, I) in all and N(., S) given x, so I(x; z) = -log(det S) / 2.
    known = -0.5 * np.linalg.slogdet(covariance)[1]
    assert known < np.log(4000) / 2  # well below what 4,000 examples can tell apart
    assert abs(metrics.mutual_information(model, x) - known) < 0.1


def test_mutual_information_is_at_most_the_kl_and_the_log_of_the_count():
    model, exact, _ = optimal_mean_field()
    x = exact.rvs(20, random_state=1).astype("float32")
    information = metrics.mutual_information(model, x)
    assert information <= metrics.kl_per_dimension(model, x).sum() + 0.3
    assert information <= np.log(20) + 1e-4


def test_bits_per_dim_of_a_fair_coin_is_one():
    assert metrics.bits_per_dim(-np.log(2) * 12, (2, 2, 3)) == pytest.approx(1)
