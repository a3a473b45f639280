import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from tests.checks import POSTERIORS, gradients, images
from tfvae import objectives, priors

tfd = tfp.distributions


@pytest.fixture(params=POSTERIORS)
def posterior(request):
    posterior = POSTERIORS[request.param]()
    posterior.build((None, 8, 8, 1))
    return posterior


def test_sample_and_density_agree(posterior):
    q = posterior(images(5))
    z, log_q = q.experimental_sample_and_log_prob(7, seed=[0, 1])
    assert z.shape == (7, 5, 3)
    np.testing.assert_allclose(log_q, q.log_prob(z), rtol=1e-4, atol=1e-4)


def test_exact_kl_agrees_with_sampled(posterior):
    q, p = posterior(images(2)), priors.StandardNormal(3)()
    z, log_q = q.experimental_sample_and_log_prob(20_000, seed=[0, 1])
    exact = tf.reduce_sum(objectives.exact_kl(q, p), axis=-1)
    # Five standard errors at about one nat of spread.
    sampled = tf.reduce_mean(log_q - p.log_prob(z), 0)
    np.testing.assert_allclose(exact, sampled, atol=0.04)


def test_covariance_of_samples_is_that_of_the_distribution(posterior):
    q = posterior(images(1))
    z = q.sample(100_000, seed=[0, 1])[:, 0].numpy()
    # Five standard errors of a covariance at n = 1e5 and variance about 0.5.
    np.testing.assert_allclose(np.cov(z.T), q.covariance()[0], atol=0.012)


def test_values_and_gradients_are_finite_for_extreme_parameters(posterior):
    for scale in (0.0, 1.0, 100.0, 1e4):
        signs = np.sign(
            np.random.default_rng(0).normal(size=(20, posterior.params_size))
        )
        value, gradient = gradients(
            lambda params: posterior.distribution(params).log_prob([0.0] * 3),
            scale * signs,
        )
        if scale <= 1:  # densities of points 1e8 scales away overflow a float32
            assert np.isfinite(value).all()
            assert np.isfinite(gradient).all()
        kl, gradient = gradients(
            lambda params: tf.reduce_sum(
                posterior.distribution(params).stddev(), axis=-1
            ),
            scale * signs,
        )
        assert np.isfinite(kl).all()
        assert np.isfinite(gradient).all()


def test_leading_sample_dimensions_are_folded_once(posterior):
    x = images(6).reshape(2, 3, 8, 8, 1)
    folded = posterior.params(tf.constant(x))
    assert folded.shape == (2, 3, posterior.params_size)
    np.testing.assert_allclose(
        folded[1], posterior.params(tf.constant(x[1])), atol=1e-6
    )
