import itertools

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

import tfvae
from tests.checks import SHAPE, assert_config_round_trip, images
from tfvae.metrics import ais_log_marginal, kl_per_channel, log_marginal

LEVELS, UNITS = [(1, 1, 3), (4, 2, 2)], [12, 8]


def ladder(posterior="iaf", **options):
    return tfvae.ResNetVAE(
        SHAPE, LEVELS, units=UNITS, posterior=posterior, filters=4, **options
    )


def stirred(model, seed=0):
    """The model with weights that are not those of its start, most of which are 0."""
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.2 * rng.standard_normal(variable.shape))
    return model


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return stirred(ladder())


class LinearGaussian:
    """A ladder of two latents, one a level, whose log p(x) has a closed form."""

    def __init__(self, posterior):
        self.model = tfvae.LadderVAE(
            keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]),
            [
                tfvae.layers.TopDownBlock(
                    1, 4, posterior=posterior, activation="linear", flow_units=4
                )
                for _ in range(2)
            ],
            tfvae.likelihoods.Normal(
                keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)]), 0.5
            ),
        )
        stirred(self.model)
        for level in self.model.levels:  # scales of the prior are constants
            kernel = level.above.last.kernel
            kernel.assign(kernel * (np.arange(kernel.shape[-1]) != 1))
            level.above.trainable = False

    def log_prob(self, x):
        """`x = A z + b + 0.5 noise` with standard normal z."""
        points = np.concatenate([np.zeros([1, 2]), np.eye(2)])
        b, *columns = self.model.decode(points).numpy()
        a = np.stack([column - b for column in columns], axis=-1)
        return scipy.stats.multivariate_normal(b, a @ a.T + 0.25 * np.eye(3)).logpdf(x)


@pytest.mark.slow
@pytest.mark.parametrize("posterior", ["mean_field", "iaf"])
def test_the_bound_of_a_linear_gaussian_ladder_reaches_its_log_marginal(posterior):
    oracle = LinearGaussian(posterior)
    model = oracle.model
    x = np.random.default_rng(0).standard_normal([64, 3]).astype("float32")
    rate = keras.optimizers.schedules.CosineDecay(0.02, 400, 0.01)
    model.compile(keras.optimizers.Adam(rate))
    model.fit(x, batch_size=64, epochs=400, verbose=0)
    exact = oracle.log_prob(x)
    elbo = np.mean([model.elbo(x, seed=i) for i in range(50)], axis=0)
    assert np.mean(exact - elbo) < 0.02
    np.testing.assert_allclose(log_marginal(model, x, 1000), exact, atol=0.02)
    some = ais_log_marginal(model, x[:8], 200, num_chains=64)
    np.testing.assert_allclose(some, exact[:8], atol=0.15)


def test_probabilities_of_all_x_sum_to_one():
    model = stirred(tfvae.ResNetVAE((2, 2, 1), [(1, 1, 1), (2, 1, 1)], units=[4, 4]))
    x = np.array(list(itertools.product([0.0, 1.0], repeat=4))).reshape(-1, 2, 2, 1)
    log_p = log_marginal(model, x, 5000)
    np.testing.assert_allclose(np.exp(log_p).sum(), 1, atol=0.02)


def test_the_masked_step_is_triangular_and_knows_its_log_determinant():
    block = tfvae.layers.TopDownBlock(2, 4, flow_units=6)
    block.build((None, 2, 2, 3), (None, 2, 2, 3))
    stirred(block)
    rng = np.random.default_rng(0)
    h, features, noise = (
        tf.constant(rng.standard_normal([1, 2, 2, n]), tf.float32) for n in (3, 3, 2)
    )
    side = block.beside.project(features)
    with tf.GradientTape() as tape:
        tape.watch(noise)
        drawn = block.draw(h, side, noise)
    jacobian = tf.reshape(tape.jacobian(drawn.z, noise), [8, 8]).numpy()
    np.testing.assert_array_equal(np.triu(jacobian, 1), 0)
    assert abs(np.tril(jacobian, -1)).max() > 0.01
    log_noise = scipy.stats.norm.logpdf(noise).sum()
    log_det = np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(
        tf.reduce_sum(drawn.log_prob), log_noise - log_det, rtol=1e-5
    )
    kl = drawn.log_prob - scipy.stats.norm.logpdf(drawn.z)
    np.testing.assert_allclose(drawn.kl, kl, rtol=1e-5, atol=1e-5)


def test_at_the_start_a_mean_field_posterior_is_the_prior():
    model = ladder("mean_field")
    kl = kl_per_channel(model, images(3))
    np.testing.assert_allclose(np.concatenate(kl), 0, atol=1e-3)


def test_columns_of_kl_sum_to_the_kl():
    model = stirred(ladder("mean_field"))
    x = images(200)
    by_channel = kl_per_channel(model, x)
    assert [len(level) for level in by_channel] == [3, 2, 2]
    terms = model.log_densities(x, tf.constant([0, 1]))
    by_hand = np.mean(terms.log_posterior - terms.log_prior)
    total = sum(level.sum() for level in by_channel)
    np.testing.assert_allclose(total, by_hand, rtol=0.05)  # by one draw each
    sums = (tf.reduce_sum(kl, -1) for kl in (terms.kl_by_level, terms.kl_by_group))
    np.testing.assert_allclose(*sums, rtol=1e-5)


def test_one_walk_gives_what_prior_and_likelihood_give_apart(model):
    x = images(5)
    densities = model.log_densities(x, tf.constant([0, 1]), 3)
    np.testing.assert_allclose(
        densities.log_prior, model.prior().log_prob(densities.z), rtol=1e-6
    )
    apart = model.log_likelihood(tf.constant(x), densities.z)
    np.testing.assert_allclose(densities.log_likelihood, apart, rtol=1e-5)
    assert densities.log_posterior.shape == apart.shape == (3, 5)
    by_distribution = model.p_x(densities.z).log_prob(x)
    np.testing.assert_allclose(by_distribution, apart, rtol=1e-5)


def test_levels_are_parts_of_z(model):
    z = model.encode(images(5))
    assert z.shape == (5, model.latent_dim) == (5, 3 + 2 * 32)
    levels = model.split(z)
    assert [level.shape[1:] for level in levels] == [(1, 1, 3), (4, 4, 2), (4, 4, 2)]
    flat = [tf.reshape(level, [5, -1]) for level in levels]
    np.testing.assert_array_equal(tf.concat(flat, axis=-1), z)
    np.testing.assert_array_equal(model.join(levels), z)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_is_kept_in_the_file(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    model = ladder()
    model.compile("adam")
    assert np.isfinite(model.fit(images(32), verbose=0).history["loss"]).all()
    model.save(tmp_path / "ladder.keras")
    keras.config.set_dtype_policy("float32")
    twin = tfvae.load(tmp_path / "ladder.keras")
    x = images(4)
    np.testing.assert_array_equal(model.elbo(x, seed=1), twin.elbo(x, seed=1))


def test_reconstruction_by_levels(model):
    x = images(5)
    z = np.array(model.encode(x))
    np.testing.assert_array_equal(model.reconstruct(x), model.decode(z))
    z[:, 3:] = 0
    np.testing.assert_array_equal(model.reconstruct(x, levels=1), model.decode(z))
    nothing = model.reconstruct(x, levels=0)
    np.testing.assert_allclose(nothing, np.tile(nothing[:1], [5, 1, 1, 1]), rtol=1e-5)
    drawn = [model.reconstruct(x, levels=1, seed=seed) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[1] - drawn[2]).max() > 1e-3
    whole = model.reconstruct(x, levels=3, seed=1)
    np.testing.assert_array_equal(whole, model.reconstruct(x))


def test_temperature_scales_the_noise_of_each_level(model):
    np.testing.assert_array_equal(model.sample(4, 0), model.sample(4, 0, temperature=1))
    few = model.sample(2, 0)  # which convolutions sum in another order
    np.testing.assert_allclose(model.sample(4, 0)[:2], few, atol=1e-5)
    cold = model.sample(4, 0, temperature=0.0)
    center = model.decode(np.zeros([4, model.latent_dim]))
    np.testing.assert_allclose(cold, center, rtol=1e-5)
    coarse = model.sample(4, 0, temperature=[1.0, 0.0, 0.0])
    signature = model.lite_signatures()["sample"].function
    noise = np.random.default_rng(0).standard_normal([2, model.latent_dim])
    noise = noise.astype("float32")
    scaled = signature(noise=noise, temperature=tf.constant([[1.0, 0.5, 0.0]] * 2))["x"]
    parts = np.split(noise, [3, 35], axis=1)
    z = np.concatenate([parts[0], 0.5 * parts[1], 0 * parts[2]], axis=1)
    np.testing.assert_allclose(scaled, model.decode(z), rtol=1e-5)
    assert np.std(coarse, axis=0).max() > 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.sample(2, temperature=-1.0), "`temperature`"),
        (lambda m: m.sample(2, temperature=[1.0, 1.0]), "`temperature`.*3 of them"),
        (lambda m: m.sample(-1), "`num_samples`"),
        (lambda m: m.reconstruct(images(2), levels=4), "`levels`"),
        (lambda m: m.encode(images(2, (8, 7, 1))), "`x`"),
        (lambda m: m.decode(np.zeros([2, 5])), "`z`"),
        (lambda m: ladder("flow"), "`posterior` must be one of"),
        (
            lambda m: tfvae.ResNetVAE(SHAPE, [(3, 1, 2)], units=[8]),
            "`height`.*halved",
        ),
        (lambda m: tfvae.ResNetVAE(SHAPE, LEVELS, units=[8]), "`units`"),
        (lambda m: tfvae.ResNetVAE(SHAPE, [], units=[]), "`levels`"),
        (lambda m: tfvae.ResNetVAE(SHAPE, [(1, 2)], units=[8]), "`levels`"),
        (
            lambda m: tfvae.ResNetVAE(SHAPE, LEVELS[::-1], units=UNITS),
            "`levels`.*coarse first",
        ),
        (lambda m: m.split(np.zeros([2, 70])), "`z.shape`"),
        (lambda m: m.join([np.zeros([2, 1, 1, 3])]), "`levels`"),
        (
            lambda m: tfvae.LadderVAE(
                keras.Sequential([keras.layers.Dense(3)]), [], keras.layers.Dense(1)
            ),
            "`encoder`.*keras.Input",
        ),
        (
            lambda m: tfvae.objectives.ELBO(balance=True, free_bits=1.0),
            "`balance`",
        ),
        (lambda m: kl_per_channel(tfvae.VAE(*parts(), latent_dim=2), images(2)), "lad"),
    ],
)
def test_bad_input_names_the_argument(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)


def parts():
    return (
        tfvae.networks.mlp_encoder(SHAPE, [8]),
        tfvae.networks.mlp_decoder(SHAPE, [8]),
    )


def test_free_bits_count_by_group_or_by_latent(model):
    densities = model.log_densities(images(6), tf.constant([0, 1]))
    groups = np.mean(densities.kl_by_group, axis=0)
    penalties = {
        "group": np.maximum(groups, 0.5).sum(),
        "latent": np.maximum(groups, 0.5 * np.array([1, 1, 1, 16, 16, 16, 16])).sum(),
    }
    for per, penalty in penalties.items():
        objective = tfvae.objectives.ELBO(free_bits=0.5, free_bits_per=per)
        terms = objective(densities)
        expected = terms["reconstruction"] - penalty
        np.testing.assert_allclose(terms["objective"], expected, rtol=1e-5)


def test_levels_are_balanced_until_the_end_of_the_warm_up(model):
    densities = model.log_densities(images(6), tf.constant([0, 1]))
    objective = tfvae.objectives.ELBO(
        tfvae.objectives.warm_up(10), balance=True, analytic_kl=True
    )
    terms = objective(densities, step=5)
    means = np.mean(densities.kl_by_level, axis=0)
    weights = np.array([3, 32, 32]) * means
    weights *= 3 / weights.sum()
    penalty = np.asarray(densities.kl_by_level) @ weights
    expected = terms["reconstruction"] - 0.5 * penalty
    np.testing.assert_allclose(terms["objective"], expected, rtol=1e-4)
    terms = objective(densities, step=10)
    np.testing.assert_allclose(terms["objective"], terms["elbo"], rtol=1e-5)


@pytest.mark.parametrize("cls", ["TopDownBlock", "Bottleneck"])
def test_layers_have_configs(cls):
    assert_config_round_trip(getattr(tfvae.layers, cls)(4, units=8))


def test_dead_levels_are_named_when_training_ends():
    model = ladder("mean_field")
    model.compile("adam")
    with pytest.warns(UserWarning, match="Levels that tell nothing .* 0 .*, 1 "):
        model.fit(images(32), verbose=0)


def test_traversals_move_a_channel_and_center_the_levels_below(model):
    z = np.array(model.encode(images(1)))
    figure = tfvae.plots.traversals(model, z, level=1, steps=3, span=2.0)
    assert len(figure.axes[0].get_yticks()) == 2  # channels
    z[:, 3 + 32 :] = 0
    z[:, 3 : 3 + 32 : 2] = 2.0
    by_hand = model.decode(z)
    rows = tfvae.plots.models._channels(model, model.encode(images(1)), 1)
    moved = np.where(rows[1][0], 2.0, rows[0])
    np.testing.assert_allclose(model.decode(moved), by_hand, rtol=1e-5)
    some = tfvae.plots.traversals(model, level=0, dimensions=[2], steps=3)
    assert len(some.axes[0].get_yticks()) == 1
    with pytest.raises(ValueError, match="`dimensions`.*channels=3"):
        tfvae.plots.traversals(model, level=0, dimensions=[3])
    with pytest.raises(ValueError, match="`level`.*3"):
        tfvae.plots.traversals(model, level=3)
    with pytest.raises(ValueError, match="`level`.*no ladder"):
        tfvae.plots.traversals(tfvae.VAE(*parts(), latent_dim=2), level=1)


def test_pictures_of_levels_and_temperatures_have_their_rows(model):
    ticks = [
        len(figure.axes[0].get_yticks())
        for figure in (
            tfvae.plots.levels(model, images(2)),
            tfvae.plots.temperatures(model, (0.5, 1.0), num_samples=3),
        )
    ]
    assert ticks == [4, 2]
    bars = tfvae.plots.kl_per_channel(kl_per_channel(model, images(2)))
    assert len(bars.axes[0].patches) == 7
