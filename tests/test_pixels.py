"""Networks of images pixel by pixel: what sees what, LSTMs, samples, conditions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.checks import SHAPE, images
from tfvae.layers import (
    DiagonalBiLSTM,
    GatedPixelNetwork,
    ResidualPixelNetwork,
    RowLSTM,
)
from tfvae.layers.autoregressive import by_full_passes
from tfvae.layers.line_lstm import LineLSTM

NETWORKS = [ResidualPixelNetwork, GatedPixelNetwork, RowLSTM, DiagonalBiLSTM]
SEEING_ALL = [GatedPixelNetwork, DiagonalBiLSTM]


def randomized(network, size=0.5):
    network.build()
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(0, size, w.shape) for w in network.weights])
    return network


def seen(network):
    """Which elements the parameters of each see, `[dim, dim]`."""
    x = tf.constant(np.random.default_rng(0).normal(size=[64, *network.event_shape]))
    x = tf.cast(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        params = network(x)
    jacobian = tape.batch_jacobian(params, x).numpy()
    *outer, channels = network.event_shape
    jacobian = jacobian.reshape(64, *outer, network.params_size, channels, -1)
    return (jacobian != 0).any(axis=(0, -3)).reshape(network.dim, network.dim)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("shape", [(4, 5, 1), (5, 3, 1), (3, 3, 3), (2, 3, 2)])
def test_an_element_sees_none_but_those_before_it(make, shape):
    network = randomized(make(shape, 6, 5, params_size=2, first_kernel_size=3))
    assert not np.triu(seen(network)).any()


@pytest.mark.parametrize("make", NETWORKS)
def test_no_pixel_leaks_where_there_are_as_many_features_as_channels(make):
    network = randomized(make((3, 3, 3), 3, 2, first_kernel_size=3))
    assert not np.triu(seen(network)).any()


@pytest.mark.parametrize("make", SEEING_ALL)
@pytest.mark.parametrize("shape", [(4, 5, 1), (5, 3, 1), (3, 3, 3), (2, 3, 2)])
def test_an_element_sees_all_before_it(make, shape):
    network = randomized(make(shape, 12, 5, params_size=2, first_kernel_size=3))
    np.testing.assert_array_equal(seen(network), np.tri(network.dim, k=-1) > 0)


def test_with_rows_of_thirteen_one_bilstm_sees_the_far_corner():
    network = randomized(DiagonalBiLSTM((4, 13, 1), 6, 1, first_kernel_size=3))
    np.testing.assert_array_equal(seen(network), np.tri(52, k=-1) > 0)


@pytest.mark.parametrize("make", [ResidualPixelNetwork, RowLSTM])
def test_blind_spots_are_where_the_papers_say(make):
    rows, columns = 3, 9
    network = randomized(make((rows, columns, 1), 6, 9, first_kernel_size=3))
    i, j, k, m = np.indices([rows, columns, rows, columns])
    before = (k < i) | ((k == i) & (m < j))
    # Each row up opens the view by one column to the right.
    triangle = before & (m - j <= i - k)
    expected = triangle.reshape(rows * columns, -1)
    np.testing.assert_array_equal(seen(network), expected)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize(
    ("shape", "context_dim"),
    [((5, 4, 1), 0), ((4, 5, 3), 3), ((1, 1, 1), 0), ((1, 6, 2), 3)],
)
def test_fast_sampling_gives_what_full_passes_give(make, shape, context_dim):
    options = {"first_kernel_size": 5, "context_dim": context_dim}
    network = randomized(make(shape, 6, 3, params_size=2, **options))
    rng = np.random.default_rng(0)
    noise = tf.constant(rng.normal(size=[network.dim, 5]), tf.float32)
    context = None
    if context_dim:
        context = tf.constant(rng.normal(size=[5, context_dim]), tf.float32)

    def choose(i, params):
        return noise[i] + tf.tanh(tf.reduce_sum(params, axis=-1))

    for jit_compile in (False, True):

        @tf.function(autograph=False, jit_compile=jit_compile)
        def both():
            fast = network.generate(choose, 5, context)
            return fast, by_full_passes(network, choose, 5, context)

        np.testing.assert_allclose(*both(), rtol=1e-4, atol=1e-4)


def lstm_by_hand(gates, kernel, left, right, alive):
    """The equations cell by cell."""
    steps, cells, batch, _ = gates.shape
    units = kernel.shape[1] // 4
    h = c = [tf.zeros([batch, units], gates.dtype)] * cells
    states = []
    for t in range(steps):
        new_h, new_c = [], []
        for n in range(cells):
            beside = [
                h[m] if 0 <= m < cells else tf.zeros_like(h[0])
                for m in range(n - left, n + right + 1)
            ]
            i, f, o, g = tf.split(gates[t, n] + tf.concat(beside, -1) @ kernel, 4, -1)
            now = tf.sigmoid(f) * c[n] + tf.sigmoid(i) * tf.tanh(g)
            new_c.append(now * alive[t, n])
            new_h.append(tf.sigmoid(o) * tf.tanh(new_c[-1]))
        h, c = new_h, new_c
        states.append(tf.stack(h))
    return tf.stack(states)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (1, 0), (1, 1), (0, 2)])
@pytest.mark.parametrize("masked", [False, True])
def test_an_lstm_and_its_gradients_are_as_written_by_hand(left, right, masked):
    rng = np.random.default_rng(0)
    alive = (rng.random([5, 4]) < 0.7).astype("float64") if masked else np.ones([5, 4])
    layer = LineLSTM(3, left, right, alive if masked else None, dtype="float64")
    layer.build()
    kernel = tf.constant(rng.normal(size=layer.kernel.shape))
    layer.kernel.assign(kernel)
    gates = tf.constant(rng.normal(size=[5, 4, 2, 12]))
    weights = rng.normal(size=[5, 4, 2, 3])
    with tf.GradientTape() as tape:
        tape.watch(gates)
        total = tf.reduce_sum(weights * layer(gates))
    ours = [total, *tape.gradient(total, [gates, layer.kernel.value])]
    with tf.GradientTape() as tape:
        tape.watch([gates, kernel])
        total = tf.reduce_sum(weights * lstm_by_hand(gates, kernel, left, right, alive))
    theirs = [total, *tape.gradient(total, [gates, kernel])]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


CONDITIONAL = {
    "MADE": lambda **given: tfvae.MADE(
        tfvae.layers.MaskedAutoencoder(SHAPE, [32], direct=True, context_dim=2), **given
    ),
    "PixelCNN": lambda **given: tfvae.PixelCNN(
        GatedPixelNetwork(SHAPE, 8, 2, context_dim=2), **given
    ),
    "PixelCNN-residual": lambda **given: tfvae.PixelCNN(
        ResidualPixelNetwork(SHAPE, 8, 2, context_dim=2), **given
    ),
    "PixelRNN-row": lambda **given: tfvae.PixelRNN(
        RowLSTM(SHAPE, 4, 2, context_dim=2), **given
    ),
    "PixelRNN-diagonal": lambda **given: tfvae.PixelRNN(
        DiagonalBiLSTM(SHAPE, 4, 2, context_dim=2), **given
    ),
}


def two_classes():
    """Dark and light images, with their labels."""
    x, y = images(64), np.arange(64) % 2
    return np.where(y[:, None, None, None], np.maximum(x, images(64, seed=2)), 0), y


@pytest.mark.parametrize("name", CONDITIONAL)
@pytest.mark.parametrize("as_vectors", [False, True])
def test_conditional_models_learn_what_goes_with_y(name, as_vectors, tmp_path):
    x, y = two_classes()
    if as_vectors:
        y = np.eye(2, dtype="float32")[y]
    model = CONDITIONAL[name](num_classes=0 if as_vectors else 2)
    model.compile(keras.optimizers.Adam(0.02))
    options = {"batch_size": 16, "verbose": 0}
    model.fit(x, y, epochs=20, validation_split=0.25, **options)
    log_prob = model.log_prob(x, y).numpy()
    assert np.mean(log_prob) > np.mean(model.log_prob(x, y[::-1])) + 1
    dark, light = (model.sample(32, seed=1, y=y[i]).numpy() for i in range(2))
    assert dark.mean() < 0.1
    assert light.mean() > 0.3
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    evaluated = model.evaluate(dataset, verbose=0, return_dict=True)
    assert evaluated["log_prob"] == pytest.approx(log_prob.mean(), rel=1e-4)
    np.testing.assert_allclose(model.predict(dataset, verbose=0), log_prob, rtol=1e-4)
    model.fit(dataset, verbose=0)
    model.save(tmp_path / "model.keras")
    twin = tfvae.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(twin.log_prob(x, y), model.log_prob(x, y))


@pytest.mark.parametrize("name", CONDITIONAL)
def test_mixed_precision_trains_and_samples_under_a_context(name):
    keras.config.set_dtype_policy("mixed_float16")
    model, y = CONDITIONAL[name](), np.ones([8, 2], "float32")
    model.compile()
    model.fit(images(8), y, verbose=0)
    assert np.isfinite(model.log_prob(images(8), y=y)).all()
    assert model.sample(3, y=y[0], seed=0).dtype == tf.float32


@pytest.mark.parametrize("label", [-1, 2])
def test_where_served_an_unknown_label_is_refused_too(label):
    sample = CONDITIONAL["MADE"](num_classes=2).signatures()["sample"].function
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"not in \[0, 2\)"):
        sample(seed=tf.constant([[1, 2]]), y=tf.constant([label]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m, x: m.fit(x, np.arange(64), verbose=0), ValueError, "from 0 to 63"),
        (lambda m, x: m.fit(x, np.ones(64), verbose=0), TypeError, "float64"),
        (lambda m, x: m.fit(x, np.ones(3, int), verbose=0), ValueError, r"shape \[3\]"),
        (lambda m, x: m.fit(x, verbose=0), ValueError, "`y` must be given"),
        (lambda m, x: m.sample(3), ValueError, "`y` must be given"),
        (lambda m, x: m.log_prob(x), ValueError, "`y` must be given"),
        (lambda m, x: m.complete(x, True, y=5), ValueError, "from 5 to 5"),
    ],
)
def test_y_that_does_not_fit_is_refused(call, error, message):
    model = CONDITIONAL["PixelCNN"](num_classes=2)
    model.compile()
    with pytest.raises(error, match=message):
        call(model, images())


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: GatedPixelNetwork((8, 8)), ValueError, "`event_shape` must be"),
        (lambda: GatedPixelNetwork((8, 8, 3), 2), ValueError, "`filters` must be"),
        (lambda: RowLSTM(SHAPE, kernel_size=4), ValueError, "an odd integer"),
        (lambda: DiagonalBiLSTM(SHAPE, 2.5), TypeError, "`filters` must be"),
        (
            lambda: CONDITIONAL["MADE"](num_classes=3),
            ValueError,
            r"the network's context, \(2,\)",
        ),
        (
            lambda: tfvae.PixelCNN(RowLSTM(SHAPE, 4, 1)),
            TypeError,
            "a tfvae.layers.GatedPixelNetwork or tfvae.layers.Residual",
        ),
        (
            lambda: tfvae.MADE(tfvae.layers.MaskedAutoencoder(SHAPE)).sample(2, y=1),
            ValueError,
            "the model has no context",
        ),
    ],
)
def test_networks_that_make_no_sense_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
