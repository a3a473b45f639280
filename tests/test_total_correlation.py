import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.checks import (
    assert_config_round_trip,
    decoder,
    encoder,
    gradients,
    images,
)
from tfvae import objectives
from tfvae.objectives import ELBO, LogDensities, TotalCorrelation
from tfvae.objectives.total_correlation import _log_weights

tfd = tfp.distributions


def gaussian_draws(loc, scale, seed=(0, 1), prior=None):
    """`LogDensities` of one draw of each `N(loc, diag(scale**2))`."""
    q = tfd.MultivariateNormalDiag(loc, tf.broadcast_to(scale, tf.shape(loc)))
    p = tfvae.priors.StandardNormal(loc.shape[-1])() if prior is None else prior
    z = q.sample(1, seed=seed)
    likelihood = tf.reduce_sum(tf.sin(z), axis=-1)
    return LogDensities(
        likelihood, p.log_prob(z), q.log_prob(z), None, loc.shape[-1], z, q
    )


def scattered(batch=6, latent_dim=3):
    loc = tf.random.stateless_normal([batch, latent_dim], [2, 3])
    return gaussian_draws(loc, [0.5, 1.0, 0.1])


@pytest.mark.parametrize("others", [0, 1, 2, 3, 7])
def test_stratified_weights_have_the_own_example_on_the_diagonal(others):
    weights = np.exp(_log_weights(tf.range(others + 1), others + 1, 20))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    own = 1 / 20 if others else 1.0
    np.testing.assert_allclose(np.diag(weights), own, rtol=1e-6)
    if others:
        rest = [(20 - others) / (20 * others), *[1 / others] * (others - 1)]
        for i, row in enumerate(weights):
            np.testing.assert_allclose(sorted(np.delete(row, i)), rest, rtol=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 6])
def test_parts_of_the_kl_add_up_to_it(batch):
    values = scattered(batch)
    objective = TotalCorrelation(50)
    terms = objective(values)
    assert set(terms) == {"objective", *objective.term_names}
    assert {tuple(value.shape) for value in terms.values()} == {(batch,)}
    parts = sum(terms[name] for name in objective.term_names[3:])
    np.testing.assert_allclose(parts, terms["kl"], rtol=1e-5, atol=1e-5)
    sampled = values.log_posterior[0] - values.log_prior[0]
    np.testing.assert_allclose(terms["kl"], sampled, rtol=1e-6)


def test_total_correlation_of_weight_one_is_the_elbo():
    ours = TotalCorrelation(50, 1.0)(scattered())
    for name, value in ELBO(analytic_kl=False)(scattered()).items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-5, atol=1e-5)


def test_each_weight_multiplies_its_own_part():
    weights = {"alpha": 0.5, "beta": objectives.warm_up(10, 4.0), "gamma": 3.0}
    terms = TotalCorrelation(50, **weights)(scattered(), step=5)
    cost = (
        0.5 * terms["mutual_information"]
        + 2.0 * terms["total_correlation"]
        + 3.0 * terms["dimension_wise_kl"]
    )
    penalty = terms["reconstruction"] - terms["objective"]
    np.testing.assert_allclose(penalty, cost, rtol=1e-5, atol=1e-5)


def test_a_posterior_that_is_the_prior_has_no_part_of_the_kl():
    terms = TotalCorrelation(1000)(gaussian_draws(tf.zeros([64, 4]), 1.0))
    for name in ("mutual_information", "total_correlation", "dimension_wise_kl"):
        np.testing.assert_allclose(terms[name], 0.0, atol=1e-5)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_parts_of_a_gaussian_aggregate_agree_with_the_closed_form(correlation):
    # Locations of covariance C - scale**2 and a Gaussian around each: q(z) = N(0, C).
    rows, scale = 2000, 0.4
    cov = np.array([[1.0, correlation], [correlation, 1.0]])
    root = np.linalg.cholesky(cov - scale**2 * np.eye(2)).astype("float32")
    loc = tf.random.stateless_normal([rows, 2], [4, 5]) @ root.T
    prior = tfd.MultivariateNormalDiag([0.0, 0.0], [2.0, 2.0])
    terms = TotalCorrelation(rows)(gaussian_draws(loc, scale, prior=prior))
    total_correlation = -0.5 * np.log(1 - correlation**2)
    expected = {
        "mutual_information": -2 * np.log(scale) - total_correlation,
        "total_correlation": total_correlation,
        "dimension_wise_kl": 2 * (np.log(2) + (1 / 4 - 1) / 2),
    }
    # A mean over 2,000 rows that spread by about a nat (error 0.02), and as much again
    # for q(z) being a mixture of 2,000: three errors of both.
    for name, value in expected.items():
        assert abs(tf.reduce_mean(terms[name]) - value) < 0.08, name


def test_small_batches_estimate_the_aggregate_without_bias():
    # The weights of one row, over all batches around the same example: 1/N each.
    rows, batch = 5, 3
    mixture, batches = np.zeros(rows), list(itertools.permutations(range(1, rows), 2))
    for others in batches:
        np.add.at(
            mixture, [0, *others], np.exp(_log_weights(tf.range(batch), batch, rows))[0]
        )
    np.testing.assert_allclose(mixture / len(batches), 1 / rows, rtol=1e-6)


def test_total_correlation_has_a_finite_gradient_under_xla():
    def objective(loc):
        return TotalCorrelation(50)(gaussian_draws(loc, 1e-4))["objective"]

    # Far apart and narrow: the densities of the others underflow.
    loc = tf.constant([[1e2, 0.0], [0.0, -1e2], [3.0, 3.0]])
    compiled = tf.function(objective, jit_compile=True)
    alone = gradients(objective, [[0.0, 0.0]])
    for result in (*gradients(compiled, loc), *alone):
        assert np.isfinite(result).all()


@pytest.mark.parametrize("beta", [6.0, objectives.warm_up(10, 4.0)])
def test_total_correlation_is_described_by_its_config(beta):
    objective = TotalCorrelation(50, beta, alpha=0.5)
    twin = assert_config_round_trip(objective)
    assert objective.schedules.keys() == twin.schedules.keys()
    np.testing.assert_array_equal(
        twin(scattered(), 3)["objective"], objective(scattered(), 3)["objective"]
    )


WRONG = {
    "size": (lambda: TotalCorrelation(0), "`dataset_size` must be an integer"),
    "alpha": (lambda: TotalCorrelation(9, alpha=-1.0), "`alpha` must be a finite"),
    "beta": (lambda: TotalCorrelation(9, -1.0), "`beta` must be a finite"),
    "gamma": (lambda: TotalCorrelation(9, gamma=-1.0), "`gamma` must be a finite"),
    "batch": (
        lambda: TotalCorrelation(5)(scattered()),
        "`dataset_size` must be at least the batch of 6 examples",
    ),
    "posterior": (
        lambda: TotalCorrelation(9)(
            scattered()._replace(posterior=tfd.Normal(0.0, 1.0))
        ),
        "`posterior` must be mean-field.*Take `posteriors.MeanField`",
    ),
    "draws": (
        lambda: TotalCorrelation(9)(scattered()._replace(z=tf.zeros([2, 6, 3]))),
        r"`z` must be one draw.*z=\[2, 6, 3\]",
    ),
    "no draws": (
        lambda: TotalCorrelation(9)(scattered()._replace(z=None)),
        "`z` must be one draw.*z=None",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_a_total_correlation_is_refused(name):
    wrong, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        wrong()


def test_a_batch_of_unknown_size_is_no_larger_than_the_data():
    objective = TotalCorrelation(5)
    model = tfvae.VAE(encoder(), decoder(), latent_dim=3, objective=objective)
    model.compile("adam", jit_compile=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`dataset_size` must be"):
        model.fit(images(20), batch_size=6, verbose=0)
