"""GAN and VAE-GAN: losses, gradient routes, optimum, pauses, files."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import tfvae
from tests.checks import SHAPE, assert_config_round_trip, decoder, encoder, images
from tfvae.objectives import AdversarialLoss

KINDS = ("minimax", "non_saturating", "hinge", "wasserstein")
LOGITS = tf.constant([-3.0, -0.5, 0.2, 2.0])


def network(seed=0):
    keras.utils.set_random_seed(seed)
    return tfvae.networks.mlp_encoder(SHAPE, [16, 8], "leaky_relu")


def gan(**options):
    return tfvae.GAN(decoder(), network(), latent_dim=3, **options)


def vae_gan(**options):
    keras.utils.set_random_seed(1)
    return tfvae.VAEGAN(encoder(), decoder(), network(), latent_dim=3, **options)


def compiled(model, rate=1e-2):
    """With SGD, so that an update is the gradient."""
    sgd = keras.optimizers.SGD
    optimizers = {player.optimizer_name: sgd(rate) for player in model.players}
    model.compile(**optimizers, jit_compile=False)
    return model


def moved(model, x):
    """What one step adds to the weights of each player, flat."""
    before = {p.name: flat(p.variables) for p in model.players}
    model.train_step((tf.constant(x),))
    return {p.name: flat(p.variables) - before[p.name] for p in model.players}


def player_of(model, name):
    return next(player for player in model.players if player.name == name)


def active(model, terms):
    """Which players move, by name: True where one never pauses."""
    return {p.name: p.active is None or p.active(terms) for p in model.players}


def steps_of(model):
    optimizers = [getattr(model, p.optimizer_name) for p in model.players]
    return [int(optimizer.iterations) for optimizer in optimizers]


def flat(variables):
    return np.concatenate([np.ravel(v) for v in variables] + [[]])


@pytest.mark.parametrize("kind", KINDS)
def test_losses_are_those_of_the_table(kind):
    real, fake = LOGITS[::-1], LOGITS
    s = scipy.special.expit
    r, g = real.numpy().astype("float64"), fake.numpy().astype("float64")
    cross_entropy = -np.log(s(r)) - np.log(1 - s(g))
    want = {
        "minimax": (cross_entropy, np.log(1 - s(g))),
        "non_saturating": (cross_entropy, -np.log(s(g))),
        "hinge": (np.maximum(0, 1 - r) + np.maximum(0, 1 + g), -g),
        "wasserstein": (g - r, -g),
    }[kind]
    loss = AdversarialLoss(kind)
    np.testing.assert_allclose(loss.discriminator(real, fake), want[0], rtol=1e-5)
    np.testing.assert_allclose(loss.generator(fake), want[1], rtol=1e-5)
    assert_config_round_trip(loss)


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_sides_pull_in_opposite_directions(kind):
    loss, logits = AdversarialLoss(kind), tf.constant([-0.9, -0.5, 0.2, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        of_generator = loss.generator(logits)
        of_discriminator = loss.discriminator(tf.zeros_like(logits), logits)
    assert (tape.gradient(of_generator, logits).numpy() < 0).all()
    assert (tape.gradient(of_discriminator, logits).numpy() > 0).all()


def test_smoothed_labels_move_the_best_logit():
    loss = AdversarialLoss(label_smoothing=0.1)
    logits = tf.Variable(0.0)
    # Where densities are equal the best logit is that of (1 - e) / (1 + e).
    for _ in range(500):
        with tf.GradientTape() as tape:
            value = loss.discriminator(logits, logits)
        logits.assign_sub(tape.gradient(value, logits))
    assert float(logits) == pytest.approx(np.log(0.9 / 1.1), abs=1e-4)


def test_the_penalty_of_a_linear_function_is_known():
    weight = tf.constant([[3.0], [4.0]])
    x, y = tf.zeros([6, 2]), tf.ones([6, 2])
    penalty = AdversarialLoss("wasserstein", gradient_penalty=2.0).penalty(
        lambda x: (x @ weight)[:, 0], x, y, tf.linspace(0.0, 1.0, 6)
    )
    np.testing.assert_allclose(penalty, 2.0 * (5 - 1) ** 2, rtol=1e-5)


class Categories(keras.layers.Layer):
    """z to one of five points, with the probabilities of a density."""

    density = np.array([0.4, 0.3, 0.15, 0.1, 0.05])

    def call(self, z):
        edges = scipy.special.ndtri(np.cumsum(self.density)[:-1]).astype("float32")
        return tf.one_hot(tf.searchsorted(edges, z[:, 0]), 5)


def test_the_best_discriminator_knows_the_densities():
    p, q = np.array([0.1, 0.2, 0.2, 0.2, 0.3]), Categories.density
    x = np.eye(5)[np.repeat(np.arange(5), (2000 * p).astype(int))]
    model = tfvae.GAN(Categories(), keras.layers.Dense(8), latent_dim=1)
    keras.utils.set_random_seed(0)
    rate = keras.optimizers.schedules.CosineDecay(0.1, 120, 0.0)
    model.compile("sgd", keras.optimizers.Adam(rate))
    model.fit(x, batch_size=2000, epochs=120, verbose=0)
    # Standard errors of log ratios from 120 batches of 2,000 are below 0.02.
    logits = model.discriminate(np.eye(5))
    np.testing.assert_allclose(logits, np.log(p) - np.log(q), atol=0.05)
    losses = [model.evaluate(x, batch_size=2000, verbose=0)[1] for _ in range(20)]
    middle = (p + q) / 2
    jensen_shannon = sum(scipy.special.rel_entr(d, middle).sum() / 2 for d in (p, q))
    assert np.log(2) - np.mean(losses) / 2 == pytest.approx(jensen_shannon, abs=0.01)


def test_gamma_weighs_the_decoder_alone():
    moves = [moved(compiled(vae_gan(gamma=g)), images(8)) for g in (0.0, 50.0)]
    for player in ("encoder", "discriminator"):
        np.testing.assert_array_equal(moves[0][player], moves[1][player])
    assert np.abs(moves[0]["decoder"] - moves[1]["decoder"]).max() > 1e-4


def test_the_adversarial_loss_never_reaches_the_encoder():
    moves = [
        moved(compiled(vae_gan(adversarial_loss=kind, margin=None)), images(8))
        for kind in ("minimax", "wasserstein")
    ]
    np.testing.assert_array_equal(moves[0]["encoder"], moves[1]["encoder"])
    for player in ("decoder", "discriminator"):
        assert np.abs(moves[0][player] - moves[1][player]).max() > 1e-5


def test_the_reconstruction_never_trains_the_discriminator():
    model, x = compiled(vae_gan(margin=None), rate=1.0), images(8)
    seed = tf.cast(model.seed_generator.state.value, tf.int32)
    variables = player_of(model, "discriminator").variables
    with tf.GradientTape() as tape:
        terms = model.terms(tf.constant(x), seed, training=True)
        loss = tf.reduce_mean(terms["discriminator_loss"])
    alone = flat(tape.gradient(loss, variables))
    np.testing.assert_allclose(moved(model, x)["discriminator"], -alone, atol=1e-6)


@pytest.mark.parametrize("make", [gan, vae_gan])
def test_a_player_moves_alone_where_the_others_are_frozen(make):
    for name in [player.name for player in make().players]:
        model = compiled(make())
        for other in model.players:
            for part in other.layers if other.name != name else ():
                part.trainable = False
        weights = [w.copy() for w in model.get_weights()]
        own = [id(v) for v in player_of(model, name).variables]
        compiled(model).train_step((tf.constant(images(8)),))
        changed = {
            id(v): not np.array_equal(v, w)
            for v, w in zip(model.weights, weights, strict=True)
            if v.name != "seed_generator_state"
        }
        assert {k for k, c in changed.items() if c} <= set(own)
        assert any(changed[k] for k in own)


@given(st.lists(st.floats(-9, 9, width=32), min_size=2, max_size=2))
def test_the_pauses_never_stop_both(losses):
    model = test_the_pauses_never_stop_both.model
    terms = {
        "loss_of_real": tf.nn.softplus(losses[0]),
        "loss_of_generated": tf.nn.softplus(losses[1]),
    }
    moves = active(model, terms)
    assert bool(moves["decoder"]) or bool(moves["discriminator"])
    assert moves["encoder"] is True
    lowest = min(float(terms[name]) for name in terms)
    if not bool(moves["discriminator"]):
        assert lowest < np.log(2) - model.margin + 1e-5


test_the_pauses_never_stop_both.model = vae_gan()


@pytest.mark.parametrize("make", [gan, vae_gan])
def test_a_batch_that_is_not_finite_changes_nothing(make):
    model = compiled(make())
    before = [w.copy() for w in [*model.get_weights()]]
    x = images(8)
    x[0, 0, 0] = np.nan
    model.train_step((tf.constant(x),))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert int(model.skipped.total.value) == 1
    assert int(model.optimizer.iterations) == 0


MODELS = {
    "GAN": gan,
    "GAN-hinge": lambda: gan(adversarial_loss="hinge"),
    "GAN-wasserstein": lambda: gan(
        adversarial_loss="wasserstein", num_discriminator_steps=3
    ),
    "VAEGAN": vae_gan,
    "VAEGAN-IAF": lambda: tfvae.VAEGAN(
        tfvae.posteriors.IAF(encoder(), 3, hidden_units=[8]),
        tfvae.likelihoods.Normal(decoder(), 0.5),
        network(),
        prior=tfvae.priors.FlowPrior(3),
    ),
}


@pytest.mark.parametrize(
    ("name", "jit_compile"),
    [*((name, False) for name in MODELS), ("GAN", True), ("VAEGAN", True)],
)
def test_training_goes_on_as_before_from_a_file(name, jit_compile, tmp_path):
    model, x = MODELS[name](), images(40)
    model.compile(
        **dict.fromkeys([p.optimizer_name for p in model.players], "adam"),
        jit_compile=jit_compile,
    )
    history = model.fit(x, batch_size=8, epochs=2, verbose=0).history
    assert set(history) == set(model.report_names)
    assert np.isfinite(list(history.values())).all()
    assert steps_of(model)[0] == 10
    model.save(tmp_path / "model.keras")
    loaded = tfvae.load(tmp_path / "model.keras")
    assert steps_of(model) == steps_of(loaded)
    for one in (model, loaded):
        one.fit(x, batch_size=8, epochs=1, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("spectral_normalization", [True, False])
def test_a_discriminator_survives_its_config(spectral_normalization):
    inner = network()
    judge = tfvae.layers.Discriminator(
        inner,
        num_classes=4,
        feature_layer=inner.layers[1].name,
        spectral_normalization=spectral_normalization,
    )
    x, y = images(5), tf.one_hot([0, 1, 2, 3, 0], 4)
    logits, features = judge(x, y)
    assert logits.shape == (5,)
    assert features.shape == (5, 16)
    twin = assert_config_round_trip(judge)
    twin.build((None, *SHAPE))
    twin.set_weights(judge.get_weights())
    np.testing.assert_array_equal(twin(x, y)[0], logits)
    # One at a time: nothing of it mixes rows.
    each = tf.concat([judge(x[i : i + 1], y[i : i + 1])[0] for i in range(5)], 0)
    np.testing.assert_allclose(each, logits, atol=1e-6)


def test_spectral_norms_are_one():
    judge = tfvae.layers.Discriminator(network(), spectral_normalization=True)
    for _ in range(100):
        judge(images(2), training=True)
    kernels = [v for v in judge.trainable_variables if v.name == "kernel"]
    assert len(kernels) == 3
    for kernel in kernels:
        assert np.linalg.norm(kernel, 2) == pytest.approx(1, abs=0.02)


def test_batch_normalization_sees_data_and_generated_apart():
    inner = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(4),
        ]
    )
    model = tfvae.GAN(decoder(), inner, latent_dim=3)
    assert model.discriminator.mixes_rows
    x = tf.constant(images(8))
    generated = model.generate(tf.zeros([8, 3]))
    apart = [model.discriminator(a, training=True)[0] for a in (x, generated)]
    together = model._logits(x, generated, None, training=True)
    np.testing.assert_allclose(together, apart, rtol=1e-5)


def test_labels_steer_both_sides(tmp_path):
    judge = tfvae.layers.Discriminator(network(), num_classes=4)
    model = tfvae.GAN(decoder(), judge, latent_dim=3, num_classes=4)
    x, y = images(32), np.arange(32) % 4
    model.compile()
    picture = tfvae.callbacks.SampleGrid(4, y=[0, 1, 2, 3], folder=tmp_path)
    options = {"epochs": 2, "batch_size": 8, "verbose": 0, "callbacks": picture}
    history = model.fit((x, y), **options).history
    assert (tmp_path / "samples_0002.png").exists()
    assert np.isfinite(list(history.values())).all()
    one, other = (model.sample(4, seed=0, y=k).numpy() for k in (0, 1))
    assert np.abs(one - other).max() > 1e-4
    logits = [model.discriminate(x, np.full(32, k)) for k in (0, 1)]
    assert np.abs(logits[0] - logits[1]).max() > 1e-6
    assert model.predict((np.zeros([2, 3]), [0, 3])).shape == (2, *SHAPE)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_optimizers_that_average_give_their_averages_in_the_end(jit_compile):
    keras.utils.set_random_seed(0)
    model, x = gan(), images(8)
    adam = keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5)
    model.compile(adam, keras.optimizers.Adam(0.1), jit_compile=jit_compile)
    weights, average, step = model.generator.trainable_variables, None, 0

    class Average(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            nonlocal average, step
            now = [w.numpy() for w in weights]
            average = average or now
            m = min(0.5, (1 + step) / (10 + step))
            step += 1
            both = zip(average, now, strict=True)
            average = [m * a + (1 - m) * w for a, w in both]

    model.fit(x, batch_size=4, epochs=2, verbose=0, callbacks=[Average()])
    for w, a in zip(weights, average, strict=True):
        np.testing.assert_allclose(w.numpy(), a, atol=1e-5)


@pytest.mark.parametrize("make", [gan, vae_gan])
def test_pictures_are_drawn_while_players_train(make, tmp_path):
    model, x = make(), images(8)
    model.compile(*["adam"] * len(model.players))
    pictures = [tfvae.callbacks.SampleGrid(4, folder=tmp_path, every=2)]
    if make is vae_gan:
        pictures.append(tfvae.callbacks.Reconstructions(x[:2], folder=tmp_path))
    history = model.fit(x, epochs=2, verbose=0, callbacks=pictures).history
    assert {"generator_loss", "kl"} & set(history)
    assert (tmp_path / "samples_0002.png").exists()
    assert (tmp_path / "reconstructions_0002.png").exists() == (make is vae_gan)


def test_attributes_are_differences_of_means():
    model, x = vae_gan(), images(6)
    y = np.array([1, 0, 0, 1, 1, 0])
    z = model.encode(x).numpy()
    want = z[y == 1].mean(0) - z[y == 0].mean(0)
    np.testing.assert_allclose(model.attribute_vector(x, y), want, atol=1e-6)
    np.testing.assert_allclose(model.attribute_vector(x, y == 1), want, atol=1e-6)
    pairs = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(6).batch(4)
    np.testing.assert_allclose(model.attribute_vector(pairs), want, atol=1e-6)
    with pytest.raises(ValueError, match="`y` must be 0 for some and 1 for others"):
        model.attribute_vector(x, np.ones(6, int))
    with pytest.raises(TypeError, match="`y` must be labels from 0 to 1"):
        model.attribute_vector(x)
    with pytest.raises(TypeError, match="`x` must be a data set of pairs"):
        model.attribute_vector(pairs.map(lambda x, _: x))


class Bad(keras.layers.Layer):
    """Finite, but its gradient is not."""

    def call(self, z):
        return tf.sqrt(z - tf.stop_gradient(z)) + z


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_skipped_batch_leaves_all_players_as_they_were(steps, jit_compile):
    layers = [keras.layers.Dense(64), Bad(), keras.layers.Reshape(SHAPE)]
    generator = keras.Sequential(layers)
    model = tfvae.GAN(generator, network(), latent_dim=3, num_discriminator_steps=steps)
    model.compile("adam", "adam", jit_compile=jit_compile)
    before = model.get_weights()
    with pytest.warns(UserWarning, match="skipped 2 batches"):
        model.fit(images(8), batch_size=4, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(model.discriminator_optimizer.iterations) == 0


def test_scaled_losses_move_as_far():
    moved = []
    for scaled in (False, True):
        keras.utils.set_random_seed(0)
        model = gan()
        start = model.get_weights()
        sgd = [keras.optimizers.SGD(0.1) for _ in range(2)]
        if scaled:
            sgd = map(keras.optimizers.LossScaleOptimizer, sgd)
        model.compile(*sgd, jit_compile=False)
        model.fit(images(8), batch_size=8, verbose=0)
        pairs = zip(start, model.get_weights(), strict=True)
        moved.append([b - a for a, b in pairs if a.dtype == np.float32])
    for a, b in zip(*moved, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert max(np.abs(a).max() for a in moved[0]) > 1e-3


def test_lists_of_results_come_in_the_order_of_the_names():
    model, x = compiled(gan()), images(8)
    for call in (model.train_on_batch, model.test_on_batch):
        values = call(x)
        result = model.report.result()
        assert values == [float(result[name]) for name in model.report_names]


def test_spectral_normalization_copies_weights_and_reaches_nested_networks():
    inner = keras.Sequential([keras.Input((64,)), keras.layers.Dense(8)])
    flat = keras.layers.Flatten()
    outer = keras.Sequential([keras.Input(SHAPE), flat, inner])
    layer = tfvae.layers.Discriminator(outer, spectral_normalization=True)
    layer.build((None, *SHAPE))
    for _ in range(40):
        layer(tf.constant(images(4)), training=True)
    kernel = layer.network.layers[-1].layers[-1].layer.kernel.numpy()
    want = inner.layers[-1].kernel.numpy()
    assert np.linalg.norm(kernel, 2) == pytest.approx(1, abs=1e-3)
    ratio = kernel / want
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)
    gated = tfvae.networks.mlp_encoder(SHAPE, [8], "glu")
    with pytest.raises(ValueError, match="of dense and convolutional layers"):
        tfvae.layers.Discriminator(gated, spectral_normalization=True)


def test_a_critic_without_zero_never_pauses():
    model = vae_gan(adversarial_loss="wasserstein")
    terms = {"loss_of_real": tf.constant(9.0), "loss_of_generated": tf.constant(0.0)}
    assert active(model, terms) == dict.fromkeys((p.name for p in model.players), True)


WRONG = {
    "size": (
        lambda: tfvae.VAEGAN(
            encoder(),
            decoder(),
            tfvae.networks.mlp_encoder((9, 9, 1), [8]),
            latent_dim=3,
        ),
        r"`network` must be of inputs .* Received: network='of inputs \[9, 9, 1\]'",
    ),
    "last": (
        lambda: tfvae.networks.dcgan_generator(SHAPE, 2, "sigmoidd"),
        "`activation` must be",
    ),
    "optimizer": (
        lambda: gan().compile(optimizer="adam"),
        "`optimizer` must be left out for generator_optimizer, discriminator_opt",
    ),
    "pixels": (
        lambda: compiled(
            tfvae.GAN(tfvae.networks.dcgan_generator(SHAPE, 2), network(), latent_dim=3)
        ).fit(255 * images(4)),
        "`x` must lie in \\[0.0, 1.0\\] for the generator's last activation",
    ),
    "logit": (
        lambda: tfvae.VAEGAN(
            encoder(),
            decoder(),
            keras.Sequential(
                [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)]
            ),
            latent_dim=3,
        ),
        "`network` must be to two features or more",
    ),
    "kind": (lambda: AdversarialLoss("hings"), "Did you mean 'hinge'"),
    "smoothing": (
        lambda: AdversarialLoss("hinge", label_smoothing=0.1),
        "`label_smoothing` must be 0 with kind='hinge'",
    ),
    "other shape": (
        lambda: tfvae.GAN(decoder((4,)), network(), latent_dim=3),
        r"`generator` must be to x of shape \[8, 8, 1\]",
    ),
    "classes": (
        lambda: tfvae.GAN(
            decoder(),
            tfvae.layers.Discriminator(network()),
            latent_dim=3,
            num_classes=2,
        ),
        "`num_classes` must be 0, as in `discriminator`",
    ),
    "feature layer": (
        lambda: tfvae.layers.Discriminator(network(), feature_layer="conv"),
        "`feature_layer` must be one of",
    ),
    "margin": (lambda: vae_gan(margin=-1), "`margin` must be a finite number"),
    "steps": (
        lambda: gan(num_discriminator_steps=0),
        "`num_discriminator_steps` must be an integer",
    ),
    "loss": (lambda: gan().compile(loss="mse"), "`loss` must be left out"),
    "rate": (
        lambda: gan().compile(keras.optimizers.Adam(-1.0)),
        "`learning_rate` must be",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_an_adversarial_model_is_refused(name):
    call, message = WRONG[name]
    with pytest.raises((ValueError, TypeError), match=message):
        call()
