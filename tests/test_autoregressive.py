"""Autoregressive models: sums over all x, orders, samples, completions, training."""

import functools
import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.checks import AUTOREGRESSIVE, SHAPE, assert_same_state, encoder, images
from tfvae.layers import MaskedAutoencoder
from tfvae.layers.autoregressive import by_full_passes
from tfvae.likelihoods import Bernoulli, Categorical, NormalMixture


def randomized(model, size=0.7):
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(size * rng.normal(size=weight.shape))
    return model


def every(event_shape, levels):
    """All x of so many levels, `[levels ** dim, *event_shape]`."""
    values = np.linspace(0, 1, levels)
    x = np.array(list(itertools.product(values, repeat=int(np.prod(event_shape)))))
    return x.reshape(-1, *event_shape).astype("float32")


def index_of(x, levels):
    """Where in `every` each x is."""
    steps = np.rint(np.reshape(x, [len(x), -1]) * (levels - 1)).astype(int)
    return steps @ (levels ** np.arange(steps.shape[1])[::-1])


def _levels(levels):
    return Bernoulli if levels == 2 else functools.partial(Categorical, levels=levels)


PIXEL_NETWORKS = [
    (tfvae.PixelCNN, tfvae.layers.ResidualPixelNetwork),
    (tfvae.PixelCNN, tfvae.layers.GatedPixelNetwork),
    (tfvae.PixelRNN, tfvae.layers.RowLSTM),
    (tfvae.PixelRNN, tfvae.layers.DiagonalBiLSTM),
]
# With the number of levels.
SMALL = {
    "MADE": (lambda: tfvae.MADE(MaskedAutoencoder((3, 3, 1), [16])), 2),
    "MADE-linear": (lambda: tfvae.MADE(MaskedAutoencoder((9,), [])), 2),
    "MADE-deep": (
        lambda: tfvae.MADE(
            MaskedAutoencoder((3, 3, 1), [20, 20, 20], order="random", direct=True)
        ),
        2,
    ),
    "MADE-masks": (
        lambda: tfvae.MADE(
            MaskedAutoencoder((9,), [30], order="random", sampled=True, num_masks=3)
        ),
        2,
    ),
    "MADE-levels": (
        lambda: tfvae.MADE(
            Categorical(MaskedAutoencoder((2, 2, 2), [16], params_size=3), levels=3)
        ),
        3,
    ),
    **{
        f"{network.__name__}-{'x'.join(map(str, shape))}": (
            lambda model=model, network=network, shape=shape, levels=levels: model(
                _levels(levels)(
                    network(
                        shape, 6, 3, 1 if levels == 2 else levels, first_kernel_size=3
                    )
                )
            ),
            levels,
        )
        for model, network in PIXEL_NETWORKS
        for shape, levels in (((3, 3, 1), 2), ((2, 2, 2), 3))
    },
    "MADE-one": (lambda: tfvae.MADE(MaskedAutoencoder((1,), [4])), 2),
}


@pytest.fixture(params=SMALL)
def small(request):
    """A model with random weights, all x, and the number of levels."""
    make, levels = SMALL[request.param]
    model = randomized(make())
    return model, every(model.event_shape, levels), levels


def test_probabilities_of_all_x_sum_to_one(small):
    model, x, _ = small
    assert np.exp(model.log_prob(x)).sum() == pytest.approx(1, abs=1e-5)


def test_samples_are_as_frequent_as_they_are_probable(small):
    model, x, levels = small
    p, num_samples = np.exp(np.float64(model.log_prob(x))), 10_000
    drawn = index_of(model.sample(num_samples, seed=1), levels)
    counts = np.bincount(drawn, minlength=len(x))
    # The rare ones together: a chi-squared test wants five expected in each class.
    rare = p * num_samples < 5
    observed, expected = counts[~rare], num_samples * p[~rare]
    if rare.any():
        observed = np.append(observed, counts[rare].sum())
        expected = np.append(expected, num_samples * p[rare].sum())
    expected *= num_samples / expected.sum()
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4


def test_an_average_of_logits_would_be_no_density():
    make, levels = SMALL["MADE-masks"]
    model = randomized(make(), 2.0)
    x = every(model.event_shape, levels)
    params = [model.network(x, mask_index=i) for i in range(3)]
    wrong = model.likelihood.log_density(x, sum(params) / 3)
    assert abs(tf.reduce_sum(tf.exp(wrong)) - 1) > 1e-3


def test_a_mixture_density_integrates_to_one():
    network = MaskedAutoencoder((2,), [16], params_size=9)
    model = randomized(tfvae.MADE(NormalMixture(network, num_components=3)), 0.3)
    grid, step = np.linspace(-10, 10, 501, retstep=True)
    x = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    p = np.exp(model.log_prob(x)) * step**2
    assert p.sum() == pytest.approx(1, abs=1e-3)
    drawn = model.sample(20_000, seed=1).numpy()
    # Five standard errors of means of numbers that vary by one or two.
    np.testing.assert_allclose(drawn.mean(axis=0), p @ x, atol=0.06)
    np.testing.assert_allclose((drawn**2).mean(axis=0), p @ x**2, rtol=0.1)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden_units": []},
        {"hidden_units": [7], "activation": "sigmoid"},  # fewer than there are places
        {"hidden_units": [40, 30], "order": "random", "direct": True},
        {"hidden_units": [40, 30], "sampled": True, "order": "random", "num_masks": 3},
        {"hidden_units": [20], "params_size": 3, "order": "reversed"},
    ],
)
@pytest.mark.parametrize("dim", [1, 2, 12])
def test_fast_sampling_gives_what_full_passes_give(options, dim):
    network = MaskedAutoencoder((dim,), **options)
    network.build()
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(size=w.shape) for w in network.weights])
    noise = tf.constant(rng.normal(size=[dim, 5]), tf.float32)
    index = network.num_masks - 1

    def choose(i, params):
        return noise[i] + tf.tanh(tf.reduce_sum(params, axis=-1))

    for jit_compile in (False, True):

        @tf.function(autograph=False, jit_compile=jit_compile)
        def both():
            fast = network.generate(choose, 5, mask_index=index)
            return fast, by_full_passes(network, choose, 5, mask_index=index)

        np.testing.assert_allclose(*both(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", AUTOREGRESSIVE)
def test_what_is_observed_stays_and_what_comes_before_it_is_free(name):
    model, x = randomized(AUTOREGRESSIVE[name](), 0.3), images(6)
    observed = np.zeros(SHAPE, bool)
    observed[:4] = True
    done = model.complete(np.where(observed, x, np.nan), observed, seed=1).numpy()
    np.testing.assert_array_equal(done[:, :4], x[:, :4])
    assert np.isfinite(model.log_prob(done)).all()
    np.testing.assert_array_equal(model.complete(x, True), x)
    free = model.complete(x, False, seed=1)
    np.testing.assert_allclose(free, model.sample(6, seed=1), atol=1e-5)


def test_completions_have_the_conditional_distribution():
    model = randomized(SMALL["MADE"][0]())
    x = every((3, 3, 1), 2)
    p = np.exp(model.log_prob(x))
    observed = np.arange(9).reshape(3, 3, 1) < 4
    given = x[137]
    same = ((x == given) | ~observed).all(axis=(1, 2, 3))
    expected = (p[same, None, None, None] * x[same]).sum(0) / p[same].sum()
    drawn = model.complete(np.repeat(given[None], 20_000, 0), observed, seed=1)
    # Five standard errors of a frequency.
    np.testing.assert_allclose(np.mean(drawn, axis=0), expected, atol=0.018)


def test_a_sample_depends_on_its_own_seed_alone():
    model = randomized(AUTOREGRESSIVE["MADE-masks"](), 0.3)
    many = model.sample(7, seed=3)
    np.testing.assert_array_equal(model.sample(4, seed=3), many[:4])
    assert model.sample(0).shape == (0, *SHAPE)


def compiled(name):
    model = AUTOREGRESSIVE[name]()
    model.compile("adam")
    return model


@pytest.mark.parametrize("name", AUTOREGRESSIVE)
def test_every_model_trains_reports_and_reloads(name, tmp_path):
    model, x = compiled(name), images()
    options = {"batch_size": 16, "verbose": 0}
    history = model.fit(x, epochs=8, validation_data=images(seed=1), **options).history
    assert history["log_prob"][-1] > history["log_prob"][0]
    assert set(history) == {"loss", "log_prob", "val_loss", "val_log_prob"}
    evaluated = model.evaluate(x, return_dict=True, verbose=0)["log_prob"]
    assert evaluated == pytest.approx(np.mean(model.log_prob(x)), rel=1e-4)
    np.testing.assert_allclose(model.predict(x, verbose=0), model.log_prob(x), 1e-4)
    model.save(tmp_path / "model.keras")
    twin = tfvae.load(tmp_path / "model.keras")
    assert_same_state(model, twin)
    for trained in (model, twin):
        trained.fit(x, **options)
    assert_same_state(model, twin)


def test_each_batch_trains_the_next_mask():
    model = compiled("MADE-masks")
    x = tf.constant(images(8))
    seed = tf.constant([0, 0])
    for turn in (0, 1, 2, 0):
        trained = model.terms(x, seed, training=True)["log_prob"]
        np.testing.assert_allclose(
            trained, model._log_prob_by_mask(x, None, turn), rtol=1e-5
        )
        model.train_on_batch(images(8))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: tfvae.MADE(encoder()), TypeError, "MaskedAutoencoder"),
        (lambda m: m.log_prob(np.zeros([2, 8, 8])), ValueError, r"8, 8, 1\]"),
        (lambda m: m.log_prob(np.full([2, *SHAPE], np.nan)), ValueError, "finite"),
        (lambda m: m.sample(-1), ValueError, "num_samples=-1"),
        (lambda m: m.complete(images(2), images(2)), TypeError, "`observed` must be"),
        (
            lambda m: m.complete(images(2), np.ones([3, 3], bool)),
            ValueError,
            "`observed` must be of a shape that fits",
        ),
    ],
)
def test_bad_input_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(AUTOREGRESSIVE["MADE"]())


def test_values_between_levels_are_refused():
    with pytest.raises(ValueError, match="`x` must be of 4 levels: multiples of 1 / 3"):
        AUTOREGRESSIVE["MADE-Categorical"]().log_prob(images() * 0.5)


def test_a_network_with_other_parameters_is_refused():
    with pytest.raises(ValueError, match="`decoder` must give 4 values"):
        tfvae.MADE(Categorical(MaskedAutoencoder((3,), [8], params_size=3), levels=4))


def test_mixed_precision_keeps_densities_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = compiled("MADE")
    assert model.network.compute_dtype == "bfloat16"
    assert model(tf.constant(images(2))).dtype == tf.float32
    assert model.sample(2).dtype == tf.float32
