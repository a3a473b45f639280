import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.checks import (
    MODELS,
    OBJECTIVES,
    decoder,
    encoder,
    gradients,
    images,
)
from tfvae import objectives
from tfvae.objectives import ELBO, IWAEBound, LogDensities

tfd = tfp.distributions


def densities(exact_kl=None, samples=4, batch=6, latent_dim=2):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, samples, batch)).astype("float32")
    return LogDensities(*map(tf.constant, values), exact_kl, latent_dim)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_reported_terms_add_up(name):
    objective = OBJECTIVES[name]()
    samples = objective.num_samples
    z = tf.random.stateless_normal([samples, 6, 2], [0, 1])
    q = tfd.MultivariateNormalDiag(z[0], tf.ones([6, 2]))
    log_label = tf.fill([samples, 6], -1.0)
    given = densities(samples=samples)
    given = given._replace(z=z, posterior=q, log_label=log_label)
    terms = objective(given, step=1)
    np.testing.assert_allclose(
        terms["elbo"], terms["reconstruction"] - terms["kl"], 1e-5
    )
    assert list(terms) == ["objective", *objective.term_names]


def test_elbo_is_reported_at_beta_one():
    kl = tf.fill([6, 2], 0.5)
    terms = ELBO(beta=4.0)(densities(kl))
    np.testing.assert_allclose(terms["objective"], terms["elbo"] - 3.0, rtol=1e-6)


def test_beta_follows_its_schedule():
    kl = tf.fill([6, 2], 0.5)
    objective = ELBO(objectives.warm_up(10))
    for step, beta in [(0, 0.0), (5, 0.5), (10, 1.0), (99, 1.0)]:
        terms = objective(densities(kl), step)
        penalty = terms["reconstruction"] - terms["objective"]
        np.testing.assert_allclose(penalty, beta * terms["kl"], atol=1e-6)


def test_capacity_is_a_distance_of_the_batch_mean():
    kl = tf.constant([[0.0, 1.0], [2.0, 3.0]])  # means of 1 and 5 by example, 3 in all
    for capacity, penalty in [(1.0, 2.0), (7.0, 4.0)]:
        terms = ELBO(2.0, capacity=capacity)(densities(kl, batch=2))
        cost = terms["reconstruction"] - terms["objective"]
        np.testing.assert_allclose(cost, 2 * penalty, rtol=1e-6)


def test_free_bits_are_taken_after_averaging_over_the_batch():
    def cost(kl):
        terms = ELBO(free_bits=0.5)(densities(kl))
        return tf.reduce_mean(terms["reconstruction"] - terms["objective"])

    # Means over the batch of 0.2 and 1.5, while single examples lie above 0.5.
    kl = np.tile([[0.0, 1.0], [0.1, 1.5], [0.5, 2.0]], (2, 1))
    value, gradient = gradients(cost, kl)
    np.testing.assert_allclose(value, 2.0, rtol=1e-6)
    np.testing.assert_array_equal(gradient[:, 0], 0)
    np.testing.assert_allclose(gradient[:, 1], 1 / 6, rtol=1e-6)


def test_free_bits_of_a_kl_that_does_not_split_form_one_group():
    terms = ELBO(free_bits=0.5)(densities(tf.fill([6, 1], 0.7), latent_dim=3))
    cost = terms["reconstruction"] - terms["objective"]
    np.testing.assert_allclose(cost, 1.5, rtol=1e-6)


def test_iwae_bound_of_one_sample_is_the_elbo():
    one = densities(samples=1)
    objective = IWAEBound(1)(one)["objective"]
    np.testing.assert_allclose(objective, ELBO()(one)["objective"], rtol=1e-5)


def test_iwae_bound_is_reached_at_the_end_of_a_warm_up():
    values, warmed = densities(), IWAEBound(4, beta=objectives.warm_up(10))
    expected = tf.reduce_logsumexp(values.log_likelihood, axis=0) - np.log(4)
    np.testing.assert_allclose(warmed(values, 0)["objective"], expected, rtol=1e-5)
    expected = IWAEBound(4)(values)["objective"]
    np.testing.assert_allclose(warmed(values, 10)["objective"], expected, rtol=1e-5)


def test_iwae_gradient_weighs_draws_by_their_softmax():
    log_weight = densities().log_weight

    def bound(values):
        zeros = tf.zeros_like(values)
        return IWAEBound(4)(LogDensities(values, zeros, zeros, None, 2))["objective"]

    _, gradient = gradients(bound, log_weight)
    np.testing.assert_allclose(gradient, tf.nn.softmax(log_weight, axis=0), rtol=1e-5)


@pytest.mark.parametrize(("objective", "draws"), [(ELBO(), 1), (IWAEBound(8), 8)])
def test_bounds_agree_with_those_of_tfp(objective, draws):
    q = tfd.MultivariateNormalDiag([0.3, -0.2], [0.7, 1.1])
    prior = tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0])

    def likelihood(z):
        return tfd.Normal(z[..., 0], 0.5).log_prob(0.4)

    theirs = -tfp.vi.monte_carlo_variational_loss(
        lambda z: prior.log_prob(z) + likelihood(z),
        q,
        sample_size=40_000,
        importance_sample_size=draws,
        seed=[0, 1],
    )
    z = q.sample([draws, 40_000], seed=[2, 3])
    terms = objective(
        LogDensities(likelihood(z), prior.log_prob(z), q.log_prob(z), None, 2)
    )
    # Both are means of 40,000 bounds that spread by about 1.5 nats: five errors.
    assert abs(theirs - tf.reduce_mean(terms["objective"])) < 0.05


def test_kl_of_diagonal_gaussians_splits_by_latent():
    q = tfd.MultivariateNormalDiag([[0.5, -1.0]], [[0.5, 2.0]])
    p = tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0])
    by_hand = [
        0.5 * (s**2 + m**2 - 1) - np.log(s) for m, s in [(0.5, 0.5), (-1.0, 2.0)]
    ]
    np.testing.assert_allclose(objectives.exact_kl(q, p), [by_hand], rtol=1e-6)


def test_kl_unknown_to_tfp_is_sampled():
    q = tfd.MultivariateNormalDiag([[0.0]], [[1.0]])
    assert objectives.exact_kl(q, tfd.Sample(tfd.Laplace(0.0, 1.0), 1)) is None


def test_a_capacity_of_beta_vae_follows_its_schedule():
    capacity = objectives.warm_up(10, 5.0)
    model = tfvae.BetaVAE(
        encoder(), decoder(), beta=2.0, capacity=capacity, latent_dim=3
    )
    twin = tfvae.VAE.from_config(model.get_config())
    for step, nats in [(0, 0.0), (10, 5.0)]:
        terms = twin.objective(densities(tf.fill([6, 2], 4.0)), step)
        cost = terms["reconstruction"] - terms["objective"]
        np.testing.assert_allclose(cost, 2 * abs(8.0 - nats), rtol=1e-5)


def test_a_warm_up_that_does_not_end_is_reported():
    model = MODELS["VAE-conv"]()  # warm-up of two steps
    model.compile("adam")
    history = model.fit(images(), batch_size=32, epochs=2, verbose=0).history
    np.testing.assert_allclose(history["beta"], [0.25, 1.0])
    model.objective.beta = objectives.warm_up(10)
    with pytest.warns(UserWarning, match=r"ended with beta=0\.6"):
        model.fit(images(), batch_size=32, epochs=1, verbose=0)


def test_repeating_the_batch_leaves_the_gradient_unchanged():
    model = MODELS["BetaVAE"]()
    model.compile(keras.optimizers.SGD(1.0))
    x = tf.constant(images(8))
    twice = tf.concat([x, x], axis=0)
    rows = tf.random.stateless_uniform([8, 2], [0, 1], None, None, tf.int32)

    def gradient(x, seed):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(model.terms(x, seed)["objective"])
        return tape.gradient(loss, model.trainable_variables)

    ours = gradient(x, rows), gradient(twice, tf.concat([rows, rows], axis=0))
    for once, doubled in zip(*ours, strict=True):
        np.testing.assert_allclose(once, doubled, rtol=1e-4, atol=1e-5)
