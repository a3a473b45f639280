import gc
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.checks import (
    MODELS,
    SHAPE,
    assert_same_state,
    decoder,
    encoder,
    images,
    state,
)
from tests.exports import EXPORTED
from tfvae.signatures import Signature
from tfvae.training.feed import feed


def compiled(name="VAE", *, jit_compile=False, **options):
    """A model that trains soon: compiling for speed is what test_blocks.py is about."""
    model = MODELS[name]()
    options["jit_compile"] = jit_compile
    model.compile(keras.optimizers.Adam(1e-3), **options)
    return model


def fit(model, x=None, **options):
    x = images() if x is None else x
    return model.fit(x, **{"batch_size": 16, "verbose": 0, **options}).history


def copy_variables(ours, theirs):
    for model in (ours, theirs):
        model.build((None, *SHAPE))
    for mine, yours in zip(ours.variables, theirs.variables, strict=True):
        yours.assign(mine)


XLA = pytest.param("auto", marks=[pytest.mark.slow, pytest.mark.xla], id="xla")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("jit_compile", [False, XLA])
@pytest.mark.filterwarnings("ignore:Training ended with beta")
@pytest.mark.filterwarnings("ignore:Levels that tell nothing")
def test_every_model_trains_reports_and_reloads(name, jit_compile, tmp_path):
    model = compiled(name, jit_compile=jit_compile)
    history = fit(model, epochs=2, validation_data=images(seed=1))
    for prefix in ("", "val_"):
        terms = {key: np.array(history[prefix + key]) for key in model.report.names}
        np.testing.assert_allclose(
            terms["elbo"], terms["reconstruction"] - terms["kl"], rtol=1e-4
        )
    assert np.isfinite(list(history.values())).all()
    model.save(tmp_path / "model.keras")
    twin = tfvae.load(tmp_path / "model.keras")
    assert_same_state(model, twin)
    np.testing.assert_array_equal(model(images(3)), twin(images(3)))
    assert fit(model) == fit(twin)
    assert_same_state(model, twin)


@pytest.mark.parametrize(("jit_compile", "steps"), [(True, 3), (False, 1), (False, 3)])
def test_the_bound_rises_whatever_the_execution(jit_compile, steps):
    model = compiled(jit_compile=jit_compile, steps_per_execution=steps)
    history = fit(model, epochs=40, validation_data=images())  # 64 rows: a part batch
    assert history["elbo"][-1] > history["elbo"][0] + 1
    assert history["val_elbo"][-1] > history["val_elbo"][0] + 1


def test_training_eagerly_gives_the_same_terms():
    ours, theirs = compiled(), compiled(run_eagerly=True)
    copy_variables(ours, theirs)
    eager = fit(theirs)
    for key, value in fit(ours).items():
        np.testing.assert_allclose(eager[key], value, rtol=1e-4)


def test_training_and_test_step_give_the_same_terms_for_the_same_noise():
    model = compiled()
    x = tf.constant(images(16))
    noise = model.seed_generator.state.value + 0
    tested = model.test_step(x)
    model.reset_metrics()
    model.seed_generator.state.assign(noise)
    trained = model.train_step(x)
    for name in tested:
        np.testing.assert_allclose(tested[name], trained[name], rtol=1e-5)


def test_two_runs_with_one_seed_are_bit_identical_and_epochs_differ():
    seen = []

    def run():
        keras.utils.set_random_seed(3)
        model = compiled()
        fit(model, epochs=2)
        return model

    class Order(tfvae.VAE):
        def terms(self, inputs, seed, training=False):
            seen.append(inputs[0])
            return super().terms(inputs, seed, training)

    assert_same_state(run(), run())
    model = Order(encoder(), decoder(), latent_dim=3)
    model.compile("adam", run_eagerly=True)
    fit(model, epochs=2)
    epochs = np.concatenate(seen).reshape(2, 64, -1)
    assert (epochs[0] != epochs[1]).any()
    np.testing.assert_array_equal(np.sort(epochs[0], 0), np.sort(epochs[1], 0))


def test_steps_per_epoch_and_shuffle_are_obeyed():
    model = compiled()
    fit(model, steps_per_epoch=10, epochs=2)
    assert model.optimizer.iterations.numpy() == 20
    feeds = [feed(model, images(), None, 16)[0] for _ in range(2)]
    rows = [np.concatenate([x for (x,) in feed]) for feed in feeds]
    np.testing.assert_array_equal(rows[0], images())


STREAMS = {
    "x": lambda x: tf.data.Dataset.from_tensor_slices(x).batch(16),
    "(x,)": lambda x: tf.data.Dataset.from_tensor_slices((x,)).batch(16),
    "(x, x)": lambda x: tf.data.Dataset.from_tensor_slices((x, x)).batch(16),
    "uint8": lambda x: tf.data.Dataset.from_tensor_slices(x.astype("uint8")).batch(16),
    "generator": lambda x: iter(np.split(x, 4)),
}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_come_as_a_keras_user_gives_them(kind):
    model = compiled()
    fit(model, STREAMS[kind](images()), batch_size=None)
    assert model.optimizer.iterations.numpy() == 4
    terms = model.evaluate(STREAMS[kind](images()), verbose=0, return_dict=True)
    assert list(terms) == ["loss", "elbo", "reconstruction", "kl"]
    assert model.predict(STREAMS[kind](images()), verbose=0).shape == (64, *SHAPE)
    assert model.encode(STREAMS[kind](images())).shape == (64, 3)


def test_arrays_come_alone_or_with_themselves_and_may_be_split():
    x = images()
    model = compiled()
    history = model.fit(x, x, validation_split=0.25, verbose=0).history
    assert {"val_elbo", "val_kl"} < set(history)
    assert model.optimizer.iterations.numpy() == 2  # 48 rows in batches of 32
    assert len(model.evaluate(x, x, verbose=0)) == 4


def test_report_is_a_mean_over_examples_not_batches():
    model = compiled()
    whole = model.evaluate(images(20), batch_size=20, return_dict=True, verbose=0)
    parts = model.evaluate(images(20), batch_size=16, return_dict=True, verbose=0)
    np.testing.assert_allclose(whole["kl"], parts["kl"], rtol=1e-5)


@pytest.mark.parametrize(
    ("bad", "jit_compile"), [(np.nan, True), (np.nan, False), (1e30, False)]
)
def test_a_bad_batch_changes_nothing_and_is_reported(jit_compile, bad):
    good = np.split(images(48), 3)
    broken = [good[0], np.full_like(good[0], bad), good[1], good[2]]
    models = [compiled("VAE-own-networks", jit_compile=jit_compile) for _ in range(2)]
    copy_variables(*models)
    with pytest.warns(UserWarning, match="Epoch 1: skipped 1 batches"):
        history = fit(models[0], iter(broken), batch_size=None, steps_per_epoch=4)
    reference = fit(models[1], iter(good), batch_size=None, steps_per_epoch=3)
    assert_same_state(*models)
    assert history == reference
    assert int(models[0].skipped.result()) == 1


def test_too_many_bad_batches_in_a_row_stop_training():
    model = compiled(jit_compile=True)
    before = state(model)[:4]
    good, bad = images(8), np.full((8, *SHAPE), np.nan, "float32")
    batches = [good, *[bad] * 9, good, *[bad] * 10, good]
    with pytest.raises(FloatingPointError, match="10 batches in a row"):
        fit(model, iter(batches), batch_size=None)
    assert model.optimizer.iterations.numpy() == 2
    assert any((a != b).any() for a, b in zip(before, state(model)[:4], strict=True))


FLEXIBLE = ["IAFVAE", "PlanarFlowVAE", "AuxiliaryVAE", "VAE-FlowPrior"]


@pytest.mark.parametrize("name", FLEXIBLE)
@pytest.mark.parametrize("jit_compile", ["auto", False])
@pytest.mark.xla
def test_nothing_is_traced_again_after_the_first_epoch(monkeypatch, name, jit_compile):
    model = compiled(name, jit_compile=jit_compile)
    calls, terms = [], type(model).terms
    monkeypatch.setattr(
        type(model), "terms", lambda *args, **kw: calls.append(1) or terms(*args, **kw)
    )
    fit(model, validation_data=images())
    traced = len(calls)
    assert traced
    fit(model, epochs=3, validation_data=images())
    assert len(calls) == traced


@pytest.mark.parametrize("name", ["VAE", *FLEXIBLE])
def test_mixed_precision_trains_with_densities_in_float32(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = compiled(name)
    history = fit(model, epochs=8)
    assert history["elbo"][-1] > history["elbo"][0]
    assert model.posterior.encoder.compute_dtype == "bfloat16"
    assert model.posterior.params(tf.constant(images(2))).dtype == tf.float32
    assert (
        model.terms(tf.constant(images(2)), tf.constant([0, 1]))["elbo"].dtype
        == tf.float32
    )


def test_float16_scales_its_loss():
    keras.config.set_dtype_policy("mixed_float16")
    model = compiled()
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert np.isfinite(fit(model, epochs=2)["elbo"]).all()


def test_standard_callbacks_work(tmp_path):
    model = compiled()
    callbacks = [
        keras.callbacks.EarlyStopping("val_elbo", mode="max", patience=1),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", "val_elbo", mode="max"
        ),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.weights.h5", save_weights_only=True
        ),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.TensorBoard(tmp_path / "board"),
    ]
    fit(model, epochs=2, validation_data=images(), callbacks=callbacks)
    assert_same_state(model, tfvae.load(tmp_path / "best.keras"))
    assert (tmp_path / "log.csv").read_text().startswith("epoch,elbo,kl,loss")
    assert list((tmp_path / "board").rglob("events*"))
    twin = compiled()
    twin.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_array_equal(twin(images(3)), model(images(3)))


def test_regularizers_of_a_users_network_count_in_the_loss():
    penalised = keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Flatten(),
            keras.layers.Dense(4, kernel_regularizer="l2"),
        ]
    )
    model = tfvae.VAE(penalised, decoder(), latent_dim=2)
    model.compile("adam")
    loss, elbo, *_ = model.evaluate(images(), verbose=0, batch_size=64)
    np.testing.assert_allclose(loss, -elbo + float(model.losses[0]), rtol=1e-5)
    assert float(model.losses[0]) > 0


@pytest.mark.parametrize("name", MODELS)
def test_methods_have_their_shapes_and_split_large_requests(name):
    model = MODELS[name]()
    model.build((None, *SHAPE))
    x, z = images(600), np.zeros((600, model.latent_dim), "float32")
    shapes = {
        "encode": (model.encode(x), (600, model.latent_dim)),
        "decode": (model.decode(z), (600, *SHAPE)),
        "reconstruct": (model.reconstruct(x), (600, *SHAPE)),
        "sample": (model.sample(600, seed=1), (600, *SHAPE)),
        "elbo": (model.elbo(x, seed=1), (600,)),
        "log_marginal": (model.log_marginal(x, 2), (600,)),
    }
    assert {k: v.shape for k, (v, _) in shapes.items()} == {
        k: shape for k, (_, shape) in shapes.items()
    }
    np.testing.assert_allclose(model.reconstruct(x), model(x), atol=1e-6)
    # Products of other numbers of rows may be rounded otherwise.
    np.testing.assert_allclose(
        model.sample(600, seed=1)[:5], model.sample(5, seed=1), atol=1e-6
    )
    np.testing.assert_allclose(
        model.elbo(x, seed=1)[:5], model.elbo(x[:5], seed=1), rtol=1e-5
    )


@pytest.mark.parametrize("name", ["VAE", "VAE-conv"])
def test_no_rows_give_no_rows(name):
    model = MODELS[name]()
    assert model.sample(0).shape == (0, *SHAPE)
    assert model.encode(images(0)).shape == (0, 3)
    assert model.elbo(images(0)).shape == (0,)
    assert model.log_marginal(images(0)).shape == (0,)


def test_elbo_is_below_the_importance_sampled_log_marginal():
    model = compiled()
    fit(model, epochs=20)
    x = images(200, seed=1)
    elbo = np.mean([model.elbo(x, seed=i) for i in range(20)])
    assert elbo < model.log_marginal(x, 10).mean() < model.log_marginal(x, 500).mean()


def test_methods_work_inside_a_function_and_do_not_retrace(monkeypatch):
    model = MODELS["VAE"]()
    inside = tf.function(lambda z: model.call_signature("decode", z=z)["x"])
    z = tf.zeros([2, 3])
    np.testing.assert_allclose(inside(z), model.decode(z), atol=1e-6)
    monkeypatch.delattr(Signature, "compiled")
    for rows in (1, 5, 9):
        model.decode(np.zeros((rows, 3)))


def test_a_subclassed_encoder_needs_no_build_of_its_own():
    class Encoder(keras.Model):
        def __init__(self):
            super().__init__()
            self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(8)

        def call(self, x):
            return self.dense(self.flatten(x))

    model = tfvae.VAE(Encoder(), decoder(), latent_dim=2)
    model.compile("adam")
    assert np.isfinite(fit(model)["elbo"]).all()


def test_a_model_without_input_shape_is_built_by_data():
    model = MODELS["VAE-own-networks"]()
    for method in (model.sample, model.decode):
        with pytest.raises(ValueError, match="must be built first"):
            method(3)
    assert model.encode(images(3)).shape == (3, 2)
    assert model.sample(3).shape == (3, *SHAPE)


def test_a_saved_model_answers_the_same_in_a_fresh_process(tmp_path):
    model = compiled()
    fit(model)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", images())
    code = (
        "import sys, numpy as np, tfvae\n"
        "folder = sys.argv[1]\n"
        "model = tfvae.load(folder + '/model.keras')\n"
        "x = np.load(folder + '/x.npy')\n"
        "np.save(folder + '/z.npy', model.encode(x))\n"
        "model.fit(x, batch_size=16, verbose=0)\n"
        "model.save(folder + '/more.keras')\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path], check=True, capture_output=True
    )
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), model.encode(images()))
    fit(model)
    assert_same_state(model, tfvae.load(tmp_path / "more.keras"))


def test_keras_loads_it_too(tmp_path):
    model = compiled("FullCovarianceVAE")
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    assert type(twin) is tfvae.VAE
    assert type(twin.posterior) is tfvae.posteriors.FullCovariance
    assert_same_state(model, twin)


def test_a_decoder_built_for_other_latents_is_refused():
    network = decoder()
    network.build((None, 3))
    with pytest.raises(ValueError, match="`decoder` must take inputs of shape .*5"):
        tfvae.VAE(encoder(), network, latent_dim=5)


def test_parts_that_share_a_layer_are_refused():
    # Read back from a file, each would have a layer of its own.
    flow = tfvae.flows.Coupling(3)
    posterior = tfvae.posteriors.FlowPosterior(encoder(), 3, flow)
    prior = tfvae.priors.FlowPrior(3, flow)
    with pytest.raises(
        ValueError, match="`prior` must be .* no layer with `posterior`"
    ):
        tfvae.VAE(posterior, decoder(), prior=prior)


def test_a_model_that_is_gone_leaves_no_graph():
    def graphs():
        gc.collect()
        kind = type(tf.function(lambda: 0).get_concrete_function().graph)
        return sum(isinstance(x, kind) for x in gc.get_objects())

    def use():
        model = compiled("IAFVAE")
        model.fit(images(), verbose=0)
        model.sample(2)
        model.log_marginal(images(4), 5)

    use()
    before = graphs()
    for _ in range(2):
        use()
        keras.backend.clear_session()
    assert graphs() <= before + 5  # of dozens


METHODS = {
    "log_prob": {},
    "discriminate": {},
    "encode": {},
    "reconstruct": {},
    "elbo": {"seed": 3},
    "log_marginal": {"num_samples": 4, "seed": 3},
}


class Parts(keras.utils.PyDataset):
    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, i):
        return self.batches[i]


def as_dataset(batches):
    specs = tuple(tf.TensorSpec([None, *p.shape[1:]], p.dtype) for p in batches[0])
    return tf.data.Dataset.from_generator(lambda: batches, output_signature=specs)


@pytest.mark.parametrize("stream", [as_dataset, iter, Parts])
@pytest.mark.parametrize("name", ["VAE", "IVAE-labels", "MADE-labels", "VAEGAN"])
def test_streams_are_answered_as_arrays_are_batch_by_batch(monkeypatch, name, stream):
    model, x = EXPORTED[name](), images(30)
    data = x if model.condition is None else (x, np.arange(30) % 3)
    parts = data if isinstance(data, tuple) else (data,)
    cuts = slice(0, 7), slice(7, 16), slice(16, 30)
    batches = [tuple(part[cut] for part in parts) for cut in cuts]
    sizes, check = [], model.check_data

    def spy(data, *args, **kwargs):
        sizes.append(len(data[0]))
        return check(data, *args, **kwargs)

    methods = {k: v for k, v in METHODS.items() if hasattr(model, k)}
    assert methods
    for method, options in methods.items():
        whole = getattr(model, method)(data, **options)
        with monkeypatch.context() as patch:
            patch.setattr(model, "check_data", spy)
            ours = getattr(model, method)(stream(batches), **options)
        np.testing.assert_allclose(ours, whole, rtol=1e-5, atol=1e-5)
    assert sizes == [7, 9, 14] * len(methods)


@pytest.mark.parametrize("u", [1, np.arange(30) % 3])
def test_a_stream_takes_its_condition_beside_it(u):
    model, x = EXPORTED["IVAE-labels"](), images(30)
    batches = np.split(x, [7, 16])
    np.testing.assert_array_equal(model.encode(iter(batches), u), model.encode(x, u))
    pairs = zip(batches, np.split(np.arange(30) % 3, [7, 16]), strict=True)
    with pytest.raises(ValueError, match="left out where x is a pair"):
        model.encode(iter([*pairs]), u)
    with pytest.raises(ValueError, match="left out: the model has no context"):
        EXPORTED["VAE"]().encode(iter(batches), u)


def test_a_stream_without_an_end_is_refused():
    model = MODELS["VAE"]()
    endless = tf.data.Dataset.from_tensors(images(8)).repeat()
    with pytest.raises(ValueError, match="`x` must be a data set that ends"):
        model.encode(endless)
    with pytest.raises(ValueError, match="at least one batch"):
        model.encode(iter([]))


@pytest.mark.parametrize("jit_compile", [True, False])
def test_averages_of_a_short_run_are_no_worse_than_its_weights(jit_compile):
    keras.utils.set_random_seed(0)
    x = images(320)
    model = MODELS["VAE"]()
    adam = keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.999)
    model.compile(adam, jit_compile=jit_compile)
    history = model.fit(x, validation_data=x, epochs=3, verbose=0).history
    assert model.evaluate(x, verbose=0)[0] < history["val_loss"][-1] + 0.3
    # Averages with Keras's momentum would stay near the first weights.
    assert history["val_loss"][-1] < history["val_loss"][0] - 0.3


def test_single_steps_check_their_data():
    model, x = MODELS["VAE"](), images(16)
    model.compile()
    before = state(model)
    for bad in (x * 255, x * np.nan, x[:0]):
        for step in (model.train_on_batch, model.test_on_batch):
            with pytest.raises(ValueError, match="`x` must"):
                step(bad)
    for a, b in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(a, b)
    assert set(model.train_on_batch(x, return_dict=True)) == set(model.report_names)


def test_numbers_of_steps_are_checked():
    model, x = MODELS["VAE"](), images(16)
    model.compile()
    for number in (0, -1):
        with pytest.raises(ValueError, match="`steps_per_epoch` must be"):
            model.fit(x, steps_per_epoch=number, verbose=0)
        with pytest.raises(ValueError, match="`steps` must be"):
            model.evaluate(x, steps=number, verbose=0)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_empty_batch_counts_no_rows():
    model, x = MODELS["VAE"](), images(16)
    model.compile()
    whole = model.evaluate(iter([x[:9], x[9:]]), verbose=0)
    parts = model.evaluate(iter([x[:9], x[:0], x[9:]]), verbose=0)
    assert np.isfinite(parts).all()
    assert abs(whole[0] - parts[0]) < 1  # other noise
