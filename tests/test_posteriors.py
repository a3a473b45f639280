import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.checks import (
    GAUSSIAN,
    POSTERIORS,
    decoder,
    encoder,
    gradients,
    images,
)
from tfvae import objectives, priors
from tfvae.posteriors import gaussian

tfd, tfb = tfp.distributions, tfp.bijectors

WITH_DENSITY = [name for name in POSTERIORS if name != "Auxiliary"]


def built(name):
    posterior = POSTERIORS[name]()
    posterior.build((None, 8, 8, 1))
    return posterior


def noise_for(posterior, num_samples, num_rows, seed=0):
    shape = [num_samples, num_rows, posterior.noise_dim]
    return tf.random.stateless_normal(shape, [seed, 1])


@pytest.fixture(params=POSTERIORS)
def posterior(request):
    return built(request.param)


@pytest.fixture(params=GAUSSIAN)
def gaussian_posterior(request):
    return built(request.param)


@pytest.mark.parametrize("name", WITH_DENSITY)
def test_draws_have_the_density_of_a_z_from_elsewhere(name):
    posterior = built(name)
    q, params = posterior(images(5)), posterior.params(images(5))
    z, log_q = posterior.from_noise(params, noise_for(posterior, 7, 5))
    assert z.shape == (7, 5, 3)
    # A new distribution, which has not seen how z was made.
    elsewhere = posterior(images(5)).log_prob(tf.identity(z))
    np.testing.assert_allclose(log_q, elsewhere, rtol=1e-4, atol=1e-4)
    z, log_q = q.experimental_sample_and_log_prob(7, seed=[0, 1])
    np.testing.assert_allclose(log_q, q.log_prob(tf.identity(z)), rtol=1e-4, atol=1e-4)


def test_samples_of_the_distribution_are_draws_from_noise(posterior):
    q, params = posterior(images(1)), posterior.params(images(1))
    noise = noise_for(posterior, 20_000, 1)
    ours = posterior.from_noise(params, noise)[0][:, 0].numpy()
    theirs = q.sample(20_000, seed=[0, 2])[:, 0].numpy()
    for a, b in zip(ours.T, theirs.T, strict=True):
        assert scipy.stats.ks_2samp(a, b).pvalue > 1e-6


def test_the_center_is_the_draw_without_noise(posterior):
    x = images(4)
    noise = tf.zeros([2, 4, posterior.noise_dim])
    center = posterior.center(x)
    np.testing.assert_allclose(
        posterior.from_noise(posterior.params(x), noise)[0][1], center, 1e-5, 1e-6
    )
    if type(posterior).__name__ in GAUSSIAN:
        np.testing.assert_allclose(posterior(x).mean(), center)


def test_exact_kl_agrees_with_sampled(gaussian_posterior):
    q, p = gaussian_posterior(images(2)), priors.StandardNormal(3)()
    z, log_q = q.experimental_sample_and_log_prob(20_000, seed=[0, 1])
    exact = tf.reduce_sum(objectives.exact_kl(q, p), axis=-1)
    # Five standard errors at about one nat of spread.
    sampled = tf.reduce_mean(log_q - p.log_prob(z), 0)
    np.testing.assert_allclose(exact, sampled, atol=0.04)


@pytest.mark.parametrize("name", [n for n in POSTERIORS if n not in GAUSSIAN])
def test_no_closed_form_is_taken_for_a_kl_that_has_none(name):
    assert (
        objectives.exact_kl(built(name)(images(2)), priors.StandardNormal(3)()) is None
    )


def test_covariance_of_samples_is_that_of_the_distribution(gaussian_posterior):
    q = gaussian_posterior(images(1))
    z = q.sample(100_000, seed=[0, 1])[:, 0].numpy()
    # Five standard errors of a covariance at n = 1e5 and variance about 0.5.
    np.testing.assert_allclose(np.cov(z.T), q.covariance()[0], atol=0.012)


def test_values_and_gradients_are_finite_for_extreme_parameters(posterior):
    signs = np.sign(np.random.default_rng(0).normal(size=(20, posterior.params_size)))
    noise = noise_for(posterior, 1, 20)

    def draw(params):
        z, log_q = posterior.from_noise(params, noise)
        return tf.concat([z, log_q[..., None]], axis=-1)

    for scale in (0.0, 1.0, 100.0, 1e4):
        value, gradient = gradients(draw, scale * signs)
        assert np.isfinite(value).all(), f"value for params of {scale}"
        assert np.isfinite(gradient).all(), f"gradient for params of {scale}"


def test_draws_are_traced_and_models_with_them_are_saved(posterior, tmp_path):
    model, x = tfvae.VAE(posterior, decoder()), images(4)
    params, noise = posterior.params(x), noise_for(posterior, 2, 4)
    z, log_q = tf.function(posterior.from_noise, autograph=False)(params, noise)
    assert (z.shape, log_q.shape) == ((2, 4, 3), (2, 4))
    model.save(tmp_path / "model.keras")
    loaded = tfvae.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))


def test_leading_sample_dimensions_are_folded_once(posterior):
    x = images(6).reshape(2, 3, 8, 8, 1)
    folded = posterior.params(tf.constant(x))
    assert folded.shape == (2, 3, posterior.params_size)
    np.testing.assert_allclose(
        folded[1], posterior.params(tf.constant(x[1])), atol=1e-6
    )


def test_a_full_covariance_is_an_affine_iaf_with_one_linear_step():
    posterior = built("FullCovariance")
    params = posterior.params(images(5))
    q = posterior.distribution(params)
    loc, scale_tril = q.mean(), tf.linalg.cholesky(q.covariance())
    diagonal = tf.linalg.diag_part(scale_tril)
    # z = loc + L eps, written as a step on z_0 = loc + diag(L) eps.
    below = tf.linalg.set_diag(scale_tril, 0 * diagonal) / diagonal[:, None]

    def back(z):
        shift = tf.linalg.matvec(below, z - loc)
        return tfb.Invert(tfb.Shift(shift))

    step = tfb.Invert(tfb.MaskedAutoregressiveFlow(bijector_fn=back))
    noise = noise_for(posterior, 9, 5)
    start, log_p = gaussian.gaussian_from_noise(
        tfd.MultivariateNormalDiag(loc, diagonal), noise
    )
    ours = step.forward(start), log_p - step.forward_log_det_jacobian(start, 1)
    theirs = posterior.from_noise(params, noise)
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-4)


def two_modes(slope=20.0, scale=0.1):
    """q(a | x) = N(0, 1) and z = 2 tanh(slope a) + scale eps, for every x."""
    posterior = tfvae.posteriors.Auxiliary(
        encoder(), 1, 1, hidden_units=[1], context_dim=1
    )
    posterior.build((None, 8, 8, 1))
    kernel, _ = posterior.head.get_weights()
    unit, small = gaussian_scales(1.0), gaussian_scales(scale)
    posterior.head.set_weights([0 * kernel, np.array([0, unit, 0])])
    network = posterior.forward_network
    network.activation = tf.tanh
    # First layer, output layer, and what the context adds to the first.
    weights = [[[slope]], [0.0], [[2.0, 0.0]], [0.0, small], [[0.0]]]
    network.set_weights([np.array(w) for w in weights])
    return posterior


def gaussian_scales(scale):
    return np.log(np.expm1(scale - gaussian.MIN_SCALE))


def test_auxiliary_variables_make_a_marginal_of_two_modes():
    posterior = two_modes()
    z = posterior(images(1)).sample(20_000, seed=[0, 1])[:, 0, 0].numpy()
    # A Gaussian has kurtosis 3; two narrow modes have 1.
    assert scipy.stats.kurtosis(z, fisher=False) < 1.2
    assert 0.45 < (z > 0).mean() < 0.55
    assert (np.abs(z) < 1).mean() < 0.1


def test_the_density_of_a_draw_with_auxiliaries_is_on_average_above_the_marginal():
    posterior, num_samples = two_modes(slope=1.0, scale=1.0), 2000
    noise = noise_for(posterior, num_samples, 1)
    z, log_q = posterior.from_noise(posterior.params(images(1)), noise)
    # The marginal by quadrature over a.
    a, step = np.linspace(-6, 6, 401, retstep=True)
    joint = scipy.stats.norm.logpdf(z[:, 0].numpy(), 2 * np.tanh(a), 1.0)
    joint += scipy.stats.norm.logpdf(a) + np.log(step)
    gap = log_q[:, 0].numpy() - scipy.special.logsumexp(joint, axis=1)
    assert gap.mean() > 5 * gap.std() / num_samples**0.5
    # Of importance weights with the marginal on top the mean is 1.
    weight = np.exp(-gap)
    assert abs(weight.mean() - 1) < 5 * weight.std() / num_samples**0.5


def test_the_density_of_auxiliary_variables_is_refused():
    posterior = built("Auxiliary")
    q = posterior(images(2))
    assert (q.batch_shape, q.event_shape) == ((2,), (3,))
    with pytest.raises(NotImplementedError, match="log_prob"):
        q.log_prob(tf.zeros([2, 3]))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("IAF", {"latent_dim": 0}, "`latent_dim` must be .* Received: latent_dim=0"),
        ("IAF", {"latent_dim": 3, "num_flows": -1}, "Received: num_flows=-1"),
        ("IAF", {"latent_dim": 3, "hidden_units": [0]}, "hidden_units=0"),
        ("IAF", {"latent_dim": 3, "transform": "gate"}, "Did you mean 'gated'"),
        ("IAF", {"latent_dim": 3, "context_dim": -1}, "Received: context_dim=-1"),
        ("PlanarFlow", {"latent_dim": 3, "num_flows": 0}, "Received: num_flows=0"),
        ("Auxiliary", {"latent_dim": 3, "auxiliary_dim": 0}, "auxiliary_dim=0"),
        ("Auxiliary", {"latent_dim": 3, "context_dim": 0}, "context_dim=0"),
        (
            "FlowPosterior",
            {"latent_dim": 3, "flow": tfvae.flows.Planar(2)},
            "`flow` must be a flow of 3 latents in float32",
        ),
        (
            "FlowPosterior",
            {"latent_dim": 3, "flow": tfvae.flows.Planar(3, dtype="float64")},
            "`flow` must be a flow of 3 latents in float32",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(tfvae.posteriors, name)(encoder(), **arguments)


@pytest.mark.parametrize("other", [3, built("MeanField"), keras.layers.Dense])
def test_encoders_are_networks(other):
    with pytest.raises(TypeError, match="`encoder` must be a Keras model or layer"):
        tfvae.posteriors.MeanField(other, 3)
