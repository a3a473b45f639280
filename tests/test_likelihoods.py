import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf
import tensorflow_probability as tfp

from tests.checks import LIKELIHOODS, decoder, gradients
from tfvae import likelihoods


@pytest.fixture(params=LIKELIHOODS)
def likelihood(request):
    return built(request.param)


def built(name):
    likelihood = LIKELIHOODS[name]()
    likelihood.build((None, 2))
    return likelihood


def test_log_prob_keeps_samples_and_batch_and_sums_the_event(likelihood):
    p_x = likelihood(tf.zeros([4, 3, 2]))
    assert p_x.event_shape == (8, 8, 1)
    assert p_x.log_prob(tf.zeros([3, 8, 8, 1])).shape == (4, 3)


def test_log_prob_of_two_pixels_by_hand():
    likelihood = likelihoods.Bernoulli(decoder((2,)))
    likelihood.build((None, 1))
    p_x = likelihood.distribution(tf.constant([[0.5, -1.0]]))
    by_hand = np.log(1 / (1 + np.exp(-0.5))) + np.log(1 - 1 / (1 + np.exp(1.0)))
    np.testing.assert_allclose(p_x.log_prob([[1.0, 0.0]]), [by_hand], rtol=1e-6)


@pytest.mark.parametrize("x", [0.0, 0.3, 1.0])
def test_bernoulli_agrees_with_tfp(x):
    logits = np.array([-1e4, -50, -20, -3, 0, 1e-3, 5, 20, 50, 1e4])
    exact = tfp.distributions.Bernoulli(logits=logits, dtype=tf.float64).log_prob(x)
    elements = built("Bernoulli").element_distribution(tf.constant(logits, tf.float32))
    # A float32 next to 50 is 4e-6 away.
    np.testing.assert_allclose(elements.log_prob(x), exact, rtol=1e-6, atol=4e-6)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float16", "float64"])
def test_bernoulli_takes_data_of_any_type(dtype):
    x = tf.cast([1, 0], dtype)
    log_p = built("Bernoulli").element_distribution(tf.zeros([2])).log_prob(x)
    np.testing.assert_allclose(log_p, [-np.log(2)] * 2, rtol=1e-6)


def test_normal_keeps_its_constants():
    likelihood = built("Normal")
    p_x = likelihood.distribution(tf.zeros([1, 8, 8, 1]))
    by_hand = scipy.stats.norm(0, 0.5).logpdf(0.25) * 64
    np.testing.assert_allclose(p_x.log_prob(tf.fill([8, 8, 1], 0.25)), [by_hand], 1e-6)


@pytest.mark.parametrize("logit", [-50.0, -1.0, 1e-4, 0.5, 20.0])
def test_continuous_bernoulli_integrates_to_one(logit):
    likelihood = built("ContinuousBernoulli")
    x = np.linspace(0, 1, 20_001, dtype="float32")
    pixel = likelihood.distribution(tf.fill([1, 1, 1], logit)).distribution
    density = np.exp(pixel.log_prob(x[:, None, None, None]))
    # The rule of Simpson on a density of slope 50 is right to about 1e-4.
    assert abs(scipy.integrate.simpson(density.ravel(), x=x) - 1) < 1e-3


@hypothesis.given(
    st.sampled_from(sorted(LIKELIHOODS)),
    st.floats(-1e4, 1e4, width=32),
    st.floats(0, 1, width=32),
)
@hypothesis.settings(max_examples=200, deadline=None)
def test_value_and_gradient_are_finite_for_extreme_parameters(name, param, x):
    likelihood = _BUILT[name]
    value, gradient = gradients(
        lambda params: likelihood.distribution(params).log_prob(tf.fill([8, 8, 1], x)),
        np.full((1, 8, 8, likelihood.params_size), param),
    )
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()


_BUILT = {name: built(name) for name in LIKELIHOODS}


def test_a_learned_scale_finds_the_noise():
    likelihood = likelihoods.Normal(decoder((4,)), "learned", initial_scale=0.6)
    likelihood.build((None, 1))
    scale = likelihood.distribution(tf.zeros([1, 4])).stddev()
    np.testing.assert_allclose(scale, 0.6, rtol=1e-6)
    noise = np.random.default_rng(0).normal(0, 0.3, (1000, 4)).astype("float32")
    with tf.GradientTape() as tape:
        p_x = likelihood.distribution(tf.zeros([1000, 4]))
        loss = -tf.reduce_mean(p_x.log_prob(noise))
    # The derivative vanishes at the root mean square, so its sign says which way.
    assert tape.gradient(loss, likelihood.raw_scale.value) > 0
    likelihood.raw_scale.assign(np.log(np.expm1(0.3 - likelihood.min_scale)))
    scale = likelihood.distribution(tf.zeros([1, 4])).stddev()
    np.testing.assert_allclose(scale, 0.3, rtol=1e-5)


def test_check_takes_what_is_in_the_support():
    likelihood = built("Bernoulli")
    assert likelihood.input().check(np.ones((2, 8, 8, 1), "uint8")).dtype == np.float32
    assert likelihood.input().check(np.zeros((0, 8, 8, 1))).shape == (0, 8, 8, 1)
    x = np.full((2, 8, 8, 1), -300.0)
    assert built("Normal").input().check(x).min() == -300


def test_noise_gives_what_the_distribution_gives(likelihood):
    rng = np.random.default_rng(0)
    params = tf.constant(rng.normal(size=likelihood.params_size), tf.float32)
    noise = tf.constant(rng.random([20_000, likelihood.noise_dim]), tf.float32)
    drawn = likelihood.from_noise(noise, tf.broadcast_to(params, [20_000, len(params)]))
    theirs = likelihood.element_distribution(*tf.unstack(params)).sample(20_000, seed=1)
    assert scipy.stats.ks_2samp(drawn, theirs).pvalue > 1e-4


def test_levels_have_the_probabilities_of_a_softmax():
    likelihood = built("Categorical")
    logits = np.random.default_rng(0).normal(size=[8, 8, 4, 1])
    x = np.random.default_rng(1).integers(0, 4, [8, 8, 1])
    params = tf.constant(logits.reshape(1, 8, 8, 4), tf.float32)
    chosen = np.take_along_axis(scipy.special.log_softmax(logits, 2)[..., 0], x, 2)
    p_x, x = likelihood.distribution(params), tf.constant(x[None] / 3, tf.float32)
    np.testing.assert_allclose(p_x.log_prob(x), [chosen.sum()], rtol=1e-5)
    np.testing.assert_allclose(likelihood.log_density(x, params), [chosen.sum()], 1e-5)
    mean = scipy.special.softmax(logits, 2)[..., 0] @ np.linspace(0, 1, 4)
    np.testing.assert_allclose(p_x.mean()[0, ..., 0], mean, rtol=1e-5)


@hypothesis.given(
    st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32), st.integers(2, 256)
)
@hypothesis.settings(max_examples=100, deadline=None)
def test_probabilities_of_logistic_bins_sum_to_one(loc, log_scale, levels):
    likelihood = likelihoods.DiscretizedLogistic(decoder(params_size=6), levels, 2)
    x = np.linspace(0, 1, levels, dtype="float32")
    params = [0.3, -0.2, loc, -1.0, log_scale, 0.5]
    p = np.exp(likelihood.element_distribution(*np.float32(params)).log_prob(x))
    assert p.sum() == pytest.approx(1, abs=1e-4)


def test_logistic_bins_are_as_scipy_has_them():
    likelihood = likelihoods.DiscretizedLogistic(decoder(params_size=6), 5, 2)
    x, edges = np.linspace(0, 1, 5), np.array([-np.inf, 1, 3, 5, 7, np.inf]) / 8
    params = [0.3, -0.2, 0.4, -1.0, -1.5, -20.0]
    bins = [
        np.diff(scipy.stats.logistic(loc, scale).cdf(edges))
        for loc, scale in ((0.7, np.exp(-1.5) / 2), (0.0, np.exp(-7) / 2))
    ]
    expected = scipy.special.softmax(params[:2]) @ bins
    elements = likelihood.element_distribution(*np.float32(params))
    np.testing.assert_allclose(np.exp(elements.log_prob(x)), expected, 1e-4, 1e-12)
    np.testing.assert_allclose(elements.mean(), expected @ x, rtol=1e-5)


def test_a_mixture_of_one_is_a_normal():
    mixture = likelihoods.NormalMixture(decoder(params_size=3), 1)
    p_x = mixture.element_distribution(
        tf.constant([0.3]), tf.constant([1.0]), tf.constant([0.5])
    )
    scale = np.log1p(np.exp(0.5)) + 1e-3
    np.testing.assert_allclose(
        p_x.log_prob([2.0]), scipy.stats.norm(1, scale).logpdf([2.0]), rtol=1e-5
    )


def colors(levels, num_components=2):
    """A likelihood of colours, parameters of a pixel, and all colours."""
    size = 4 * num_components
    network = decoder((8, 8, 3), params_size=size)
    likelihood = likelihoods.ColorLogistic(network, levels, num_components)
    likelihood.build((None, 2))
    params = np.random.default_rng(0).normal(size=[3, size]).astype("float32")
    grid = np.meshgrid(*[np.linspace(0, 1, levels)] * 3, indexing="ij")
    return likelihood, params, np.stack(grid, axis=-1).reshape(-1, 3).astype("float32")


def test_probabilities_of_all_colors_sum_to_one_and_are_those_of_the_paper():
    likelihood, params, x = colors(5)
    pixel = likelihood.element_distribution(*tf.unstack(params, axis=-1))
    p = np.exp(pixel.log_prob(x))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    logits, loc, raw, coupling = np.split(params, 4, axis=-1)
    scale, (a, b, c) = np.exp(raw), np.tanh(coupling)
    edges = np.array([-np.inf, -3, -1, 1, 3, np.inf]) / 4  # of colours from -1 to 1
    level, (r, g, _) = np.round(4 * x).astype(int), (2 * x - 1).T[..., None]
    locs = loc[0] + 0 * r, loc[1] + a * r, loc[2] + b * r + c * g
    expected = scipy.special.softmax(logits.sum(axis=0))
    for channel, at in enumerate(locs):
        cdf = scipy.stats.logistic(at, scale[channel]).cdf
        low, high = (edges[level[:, channel] + i][:, None] for i in (0, 1))
        expected = expected * (cdf(high) - cdf(low))
    np.testing.assert_allclose(p, expected.sum(axis=-1), rtol=1e-3, atol=1e-7)


def test_colors_of_noise_are_as_frequent_as_they_are_probable():
    likelihood, params, x = colors(4)
    pixel = likelihood.element_distribution(*tf.unstack(params, axis=-1))
    noise = tf.constant(np.random.default_rng(0).random([50_000, 3, 2]), tf.float32)
    many = tf.broadcast_to(params, [50_000, *params.shape])
    for drawn in (likelihood.from_noise(noise, many), pixel.sample(50_000, seed=1)):
        index = np.round(3 * drawn.numpy()).astype(int) @ [16, 4, 1]
        counts = np.bincount(index, minlength=64)
        expected = 50_000 * np.exp(pixel.log_prob(x))
        chi_squared = ((counts - expected) ** 2 / expected).sum()
        assert scipy.stats.chi2(63).sf(chi_squared) > 1e-4


def test_the_mean_color_is_exact_inside_of_the_range():
    likelihood, params, x = colors(33, 1)
    params = 0.2 * params - [0, 0, 2.5, 0]  # narrow, and away from the ends
    pixel = likelihood.element_distribution(*tf.unstack(np.float32(params), axis=-1))
    exact = np.exp(pixel.log_prob(x)) @ x
    np.testing.assert_allclose(pixel.mean(), exact, atol=1e-3)


def test_images_of_colors_have_one_density_and_no_nan():
    likelihood, _, _ = colors(256)
    x = np.random.default_rng(1).integers(0, 256, [2, 8, 8, 3]) / 255
    x = tf.constant(x, tf.float32)
    z = tf.random.normal([3, 2, 2])
    theirs = likelihood(z).log_prob(x)
    np.testing.assert_allclose(likelihood.log_prob(x, z), theirs, rtol=1e-5)
    for extreme in (-1e4, -50.0, 50.0, 1e4):
        value, gradient = gradients(
            lambda params: likelihood.log_density(x, params),
            np.full((2, 8, 8, 3 * 8), extreme),
        )
        assert np.isfinite(value).all()
        assert np.isfinite(gradient).all()


def test_three_channels_are_needed():
    likelihood = likelihoods.ColorLogistic(decoder((8, 8, 1), params_size=20))
    likelihood.build((None, 2))
    with pytest.raises(ValueError, match="3 channels"):
        likelihood(tf.zeros([1, 2]))
