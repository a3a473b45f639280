import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae
from tests.checks import SHAPE, decoder, encoder, images

tfd = tfp.distributions
N = 32
LABELS = np.arange(N) % 4
VECTORS = np.random.default_rng(0).normal(size=[N, 2]).astype("float32")
FRAMES = images(N, seed=5)


def joint(**options):
    return tfvae.layers.JointEncoder(encoder(), [16], **options)


def of_frames():
    prior = tfvae.priors.ConditionalNormal(
        3, context_shape=SHAPE, network=encoder(), has_loc=False
    )
    posterior = tfvae.posteriors.IAF(joint(network=encoder()), 3, hidden_units=[8])
    return tfvae.IVAE(posterior, decoder(), prior=prior)


def of_laplace():
    prior = tfvae.priors.ConditionalLaplace(
        3, num_classes=4, network=keras.layers.Dense(2, use_bias=False)
    )
    posterior = tfvae.posteriors.MeanField(joint(), 3)
    likelihood = tfvae.likelihoods.Normal(decoder(), "learned")
    return tfvae.IVAE(posterior, likelihood, prior=prior)


def of_x_alone():
    prior = tfvae.priors.ConditionalNormal(3, context_shape=(2,))
    return tfvae.VAE(encoder(), decoder(), prior=prior, latent_dim=3)


MODELS = {
    "labels": lambda: tfvae.IVAE(encoder(), decoder(), latent_dim=3, num_classes=4),
    "vectors": lambda: tfvae.IVAE(
        encoder(), decoder(), latent_dim=3, context_shape=(2,), hidden_units=[16, 8]
    ),
    "frames": of_frames,
    "flat frames": lambda: tfvae.IVAE(
        encoder(), decoder(), latent_dim=3, context_shape=SHAPE
    ),
    "laplace": of_laplace,
    "x alone": of_x_alone,
}
U = {
    "labels": LABELS,
    "vectors": VECTORS,
    "frames": FRAMES,
    "flat frames": FRAMES,
    "laplace": LABELS,
    "x alone": VECTORS,
}


class Batches(keras.utils.PyDataset):
    """Two batches of pairs."""

    def __init__(self, x, u):
        super().__init__()
        self.pairs = [(x[:8], u[:8]), (x[8:], u[8:])]

    def __len__(self):
        return 2

    def __getitem__(self, i):
        return self.pairs[i]


@pytest.fixture(params=MODELS)
def pair(request):
    return MODELS[request.param](), U[request.param]


def test_every_condition_trains_reports_and_reloads(pair, tmp_path):
    model, u = pair
    model.compile("adam", jit_compile=False)
    data = (images(N), u)
    history = model.fit(data, validation_data=data, batch_size=16, verbose=0).history
    assert {"elbo", "kl", "reconstruction", "val_elbo"} <= set(history)
    model.save(tmp_path / "model.keras")
    loaded = tfvae.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(*data), model.encode(*data))
    np.testing.assert_array_equal(
        loaded.elbo(*data[:1], seed=1, u=u), model.elbo(data, seed=1)
    )


def test_data_come_as_a_pair_a_target_or_a_data_set(pair):
    model, u = pair
    x = images(N)
    model.compile("sgd", jit_compile=False)
    dataset = tf.data.Dataset.from_tensor_slices((x, u)).batch(16)
    results = [
        model.evaluate(*data, batch_size=16, verbose=0)[0]
        for data in ([(x, u)], [x, u], [dataset])
    ]
    assert results[0] == pytest.approx(results[1], rel=0.05)
    for data in ([(x, u)], [x, u], [dataset]):
        model.fit(*data, verbose=0)
    for data in ((x, u), dataset):
        assert model.predict(data, verbose=0).shape == x.shape
    for stream in (dataset, Batches(x, u), iter(Batches(x, u).pairs)):
        np.testing.assert_array_equal(model.encode(stream), model.encode(x, u))
    for stream in (Batches(x, u), iter(Batches(x, u).pairs)):
        model.fit(stream, steps_per_epoch=2, verbose=0)
    assert int(model.optimizer.iterations) > 5
    for batch in ([(x, u)], [x, u]):
        assert np.isfinite(model.train_on_batch(*batch)).all()
        assert np.isfinite(model.test_on_batch(*batch)).all()
    assert model.predict_on_batch((x, u)).shape == x.shape
    assert tfvae.metrics.active_units(model, (x, u)) <= 3
    assert tfvae.metrics.kl_per_dimension(model, dataset).shape == (3,)


def test_the_objective_is_the_exact_conditional_elbo():
    model, x = MODELS["labels"](), images(N)
    model.compile("adam")
    context = tf.one_hot(LABELS, 4)
    loc, scale = model.prior.loc_and_scale(model.prior.params(context))
    params = model.posterior.params((x, context))
    q = model.posterior.distribution(params)
    p_z = tfd.MultivariateNormalDiag(loc, scale)
    terms = model.terms((x, LABELS), tf.constant([0, 1]))
    noise = tfvae.seeds.normal(tf.constant([0, 1]), [1, N, 3])
    z, _ = model.posterior.from_noise(params, noise)
    log_p = model.likelihood(z[0]).log_prob(x)
    kl = tfd.kl_divergence(q, p_z)
    np.testing.assert_allclose(terms["elbo"], log_p - kl, rtol=1e-4)


@pytest.mark.parametrize("name", ["ConditionalNormal", "ConditionalLaplace"])
@pytest.mark.parametrize("has_loc", [True, False])
def test_a_conditional_prior_draws_what_its_density_says(name, has_loc):
    prior = getattr(tfvae.priors, name)(1, num_classes=2, has_loc=has_loc)
    prior.build((None, 2))
    prior.head.kernel.assign([[0.5, 1.5], [0.2, -1.0]] if has_loc else [[1.5], [-1]])
    context = tf.one_hot(tf.ones([100_000], tf.int32), 2)
    noise = tfvae.seeds.normal(tf.constant([0, 1]), [100_000, prior.noise_dim])
    z = np.sort(prior.from_noise(prior.params(context), noise)[0][:, 0])
    loc_and_scale = prior.loc_and_scale(prior.params(context[:1]))
    loc, scale = (float(p[0, 0]) for p in loc_and_scale)
    kind = tfd.Normal if name == "ConditionalNormal" else tfd.Laplace
    cdf = kind(loc, scale).cdf(z)
    # DKW at a false-alarm rate of 1e-6.
    assert np.abs(cdf - (np.arange(len(z)) + 0.5) / len(z)).max() < 0.0086
    density = prior(context[:1]).log_prob([[0.3]])
    np.testing.assert_allclose(density, kind(loc, scale).log_prob([0.3]), rtol=1e-5)


def test_log_marginal_is_the_closed_form_of_a_linear_model():
    decode = keras.Sequential([keras.layers.Dense(2)])
    prior = tfvae.priors.ConditionalNormal(2, num_classes=3)
    encode = tfvae.layers.JointEncoder(
        tfvae.networks.mlp_encoder((2,), [8]), [16], activation="tanh"
    )
    posterior = tfvae.posteriors.MeanField(encode, 2)
    likelihood = tfvae.likelihoods.Normal(decode, 0.7)
    model = tfvae.IVAE(posterior, likelihood, prior=prior)
    posterior.head.bias.assign([0.0, 0.0, 2.0, 2.0])  # wider than p(z | x, u)
    prior.head.kernel.assign(0.5 * np.random.default_rng(1).normal(size=[3, 4]))
    u = np.arange(60) % 3
    x = 0.5 * np.random.default_rng(2).normal(size=[60, 2]).astype("float32")
    params = prior.params(tf.one_hot(u, 3))
    loc, scale = (p.numpy() for p in prior.loc_and_scale(params))
    w, b = (v.numpy() for v in decode.weights)
    loc, scale, w = (p.astype("float64") for p in (loc, scale, w))
    covariance = np.einsum("ij,ni,ik->njk", w, scale**2, w) + 0.49 * np.eye(2)
    exact = [
        scipy.stats.multivariate_normal(*given).logpdf(row)
        for row, *given in zip(x, loc @ w + b, covariance, strict=True)
    ]
    estimate = model.log_marginal((x, u), 20_000, seed=0)
    # Weights of an untrained posterior: a standard error of some 0.02.
    np.testing.assert_allclose(estimate, exact, atol=0.1)
    assert np.mean(model.elbo(x, seed=0, u=u)) < np.mean(exact)


def test_contrast_adds_the_log_probability_of_the_label():
    model, x = MODELS["labels"](), images(N)
    model.prior.head.kernel.assign(np.random.default_rng(0).normal(size=[4, 6]))
    seed, data = tf.constant([0, 1]), (x, LABELS.astype("int32"))
    densities = model.log_densities(data, seed, 2)
    z = densities.z
    # Bayes' rule over even labels.
    each = np.stack([model.prior(tf.one_hot([u] * N, 4)).log_prob(z) for u in range(4)])
    right = np.take_along_axis(each, data[1][None, None], 0)[0]
    wanted = right - scipy.special.logsumexp(each, axis=0)
    np.testing.assert_allclose(densities.log_label, wanted, rtol=1e-4, atol=1e-5)
    plain = tfvae.objectives.ELBO()(densities)
    terms = tfvae.objectives.ELBO(contrast=2.0)(densities)
    more = terms["objective"] - plain["objective"]
    np.testing.assert_allclose(more, 2 * wanted.mean(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(terms["elbo"], plain["elbo"])
    with pytest.raises(ValueError, match="`contrast` must be 0 of a model without"):
        tfvae.objectives.ELBO(contrast=2.0)(densities._replace(log_label=None))


def test_a_sample_follows_its_u():
    model = MODELS["vectors"]()
    one = model.sample(5, seed=3, u=VECTORS[0])
    each = model.sample(5, seed=3, u=np.repeat(VECTORS[:1], 5, axis=0))
    np.testing.assert_array_equal(one, each)
    assert np.abs(one - model.sample(5, seed=3, u=VECTORS[1] + 9)).max() > 1e-4


def test_linear_ica_with_known_variances_is_solved():
    x, u, sources = tfvae.data.nonlinear_ica(
        20, 200, num_sources=2, num_layers=1, noise_scale=0.1
    )
    encode = tfvae.layers.JointEncoder(tfvae.networks.mlp_encoder((2,), [16]), [16])
    likelihood = tfvae.likelihoods.Normal(keras.layers.Dense(2), "learned")
    posterior = tfvae.posteriors.FullCovariance(encode, 2)
    prior = tfvae.priors.ConditionalNormal(2, num_classes=20, has_loc=False)
    keras.utils.set_random_seed(0)
    model = tfvae.IVAE(posterior, likelihood, prior=prior)
    model.compile(keras.optimizers.Adam(1e-2))
    model.fit((x, u), batch_size=100, epochs=40, verbose=0)
    assert tfvae.metrics.mcc(model.encode(x, u), sources) > 0.97


BAD = {
    "missing": (lambda m: m.fit(images(N), verbose=0), "`u` must be given"),
    "another length": (
        lambda m: m.fit((images(N), LABELS[:5]), verbose=0),
        "`u` must be labels from 0 to 3, one for each of 32 rows",
    ),
    "unknown label": (lambda m: m.encode(images(N), LABELS + 1), "`u` must .* 1 to 4"),
    "floats": (lambda m: m.encode(images(N), VECTORS[:, 0]), "`u` must .*float32"),
    "three": (lambda m: m.fit((images(N), LABELS, LABELS)), "`data` must be x"),
    "twice": (lambda m: m.fit((images(N), LABELS), LABELS), "`y` must be left out"),
    "no u in a sample": (lambda m: m.sample(3), "`u` must be given"),
    "no u in a call": (lambda m: m(images(N)), "`u` must be given"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_u_is_refused(kind):
    call, message = BAD[kind]
    model = MODELS["labels"]()
    model.compile("adam")
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises((ValueError, TypeError), match=message):
        call(model)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_bad_vectors_are_refused():
    model, x = MODELS["vectors"](), images(N)
    with pytest.raises(ValueError, match="`u` must be finite"):
        model.encode(x, np.full_like(VECTORS, np.nan))
    with pytest.raises(ValueError, match=r"`u` must be of shape \[batch, 2\]"):
        model.encode(x, VECTORS[:, :1])
    with pytest.raises(ValueError, match="`u` must be left out"):
        tfvae.VAE(encoder(), decoder(), latent_dim=3).encode(x, VECTORS)


PARTS = {
    "no u": (
        lambda: tfvae.IVAE(encoder(), decoder(), latent_dim=3),
        "`context_shape` must be given where there is no `num_classes`",
    ),
    "other context": (
        lambda: tfvae.IVAE(
            encoder(),
            decoder(),
            latent_dim=3,
            prior=tfvae.priors.ConditionalNormal(3, num_classes=2),
            context_shape=(3,),
        ),
        r"`context_shape` must be \(2,\), as in `prior`",
    ),
    "units of no encoder": (
        lambda: tfvae.IVAE(
            tfvae.posteriors.MeanField(joint(), 3),
            decoder(),
            num_classes=4,
            hidden_units=[8],
        ),
        "`hidden_units` must be left out with a tfvae posterior",
    ),
    "contrast without labels": (
        lambda: tfvae.VAE(
            encoder(),
            decoder(),
            latent_dim=3,
            objective=tfvae.objectives.ELBO(contrast=1.0),
        ),
        "`objective` must be one that needs no labels",
    ),
    "both": (
        lambda: tfvae.priors.ConditionalNormal(3, num_classes=2, context_shape=(3,)),
        "`context_shape` must be left out with num_classes=2",
    ),
    "prior of x alone": (
        lambda: tfvae.IVAE(
            encoder(), decoder(), latent_dim=3, prior=tfvae.priors.StandardNormal(3)
        ),
        "`prior` must be one of z given u",
    ),
    "other classes": (
        lambda: tfvae.IVAE(
            encoder(),
            decoder(),
            latent_dim=3,
            prior=tfvae.priors.ConditionalNormal(3, num_classes=2),
            num_classes=3,
        ),
        "`num_classes` must be 2, as in `prior`",
    ),
    "u for the posterior alone": (
        lambda: tfvae.VAE(joint(), decoder(), latent_dim=3),
        "`posterior` must be of an encoder of x alone",
    ),
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_that_do_not_fit_are_refused(kind):
    make, message = PARTS[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        make()
