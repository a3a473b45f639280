import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.checks import MODELS, assert_same_state, images, state
from tfvae.data import batches
from tfvae.training import xla_loop

pytestmark = pytest.mark.xla


class Watch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        assert logs


def trained(name="VAE", *, x=None, epochs=2, callbacks=(), compiled=(), **options):
    keras.utils.set_random_seed(1)
    model = MODELS[name]()
    model.compile(keras.optimizers.Adam(1e-3), **dict(compiled))
    options = {"batch_size": 16, "verbose": 0, **options}
    x = images(72) if x is None else x  # the last batch is smaller
    model.history = model.fit(x, epochs=epochs, callbacks=list(callbacks), **options)
    return model


def assert_close(ours, theirs):
    assert ours.optimizer.iterations.numpy() == theirs.optimizer.iterations.numpy()
    for key, values in theirs.history.history.items():
        np.testing.assert_allclose(ours.history.history[key], values, rtol=1e-4)
    for a, b in zip(state(ours), state(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["VAE", "IWAE", "IAFVAE", "PlanarFlowVAE", "AuxiliaryVAE", "VAE-FlowPrior"]
)
def test_blocks_train_as_single_steps_do_outside_of_xla(name):
    options = {"validation_data": images(20, seed=1)}
    ours = trained(name, **options)
    assert isinstance(ours.train_function, xla_loop.XLALoop)
    theirs = trained(name, compiled={"jit_compile": False}, **options)
    assert not isinstance(theirs.train_function, xla_loop.XLALoop)
    assert_close(ours, theirs)


def test_own_callbacks_see_every_batch_as_it_is_trained():
    steps = []
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(
            int(watch.model.optimizer.iterations.numpy())
        )
    )
    ours = trained(callbacks=[watch])
    assert steps == [*range(1, 11)]
    assert_close(ours, trained())


def test_callbacks_with_a_frequency_meet_the_weights_of_their_batch(tmp_path):
    path = str(tmp_path / "{batch}.keras")
    trained(callbacks=[keras.callbacks.ModelCheckpoint(path, save_freq=3)], epochs=1)
    twin = tfvae.load(tmp_path / "3.keras")
    assert twin.optimizer.iterations.numpy() == 3


def test_fit_goes_on_with_another_batch_size_and_counts_to_the_end(capsys):
    model = trained(epochs=1)
    model.fit(images(64), batch_size=8, verbose=1)
    assert "8/8" in capsys.readouterr().out
    assert model.optimizer.iterations.numpy() == 5 + 8
    assert model.train_function.shape == [(8,)]  # of the numbers of rows


def test_prediction_and_evaluation_before_and_after_see_all_data():
    model, x = MODELS["VAE"](), images(50)
    model.compile()
    for _ in range(2):
        assert model.predict(x, batch_size=8, verbose=0).shape == x.shape
        model.evaluate(x, batch_size=8, verbose=0)
        assert model.report.count.numpy() == 50
        model.fit(x, batch_size=8, validation_data=x, verbose=0)


@pytest.mark.parametrize("steps_per_epoch", [3, 23, 40])
def test_epochs_of_an_endless_stream_end_where_asked(steps_per_epoch):
    def stream():
        rng = np.random.default_rng(0)
        while True:
            yield (images(8, seed=rng.integers(100)),)

    options = {"batch_size": None, "steps_per_epoch": steps_per_epoch}
    ours = trained(x=stream(), **options)
    assert ours.report.count.numpy() == 8 * steps_per_epoch
    graph = {"jit_compile": False}
    assert_close(ours, trained(x=stream(), compiled=graph, **options))


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # Keras always says so
def test_streams_of_unknown_length_cost_no_seed_at_their_end():
    spec = tf.TensorSpec([None, *images(1).shape[1:]])
    batches = np.split(images(72), 9)
    x = tf.data.Dataset.from_generator(lambda: batches, output_signature=spec)
    ours = trained(x=x, batch_size=None)
    theirs = trained(x=x, batch_size=None, compiled={"jit_compile": False})
    assert ours.seed_generator.state.numpy()[1] == 18
    assert_close(ours, theirs)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_single_batches_and_accumulated_gradients(jit_compile):
    model = MODELS["VAE"]()
    optimizer = keras.optimizers.Adam(1e-3, gradient_accumulation_steps=2)
    model.compile(optimizer, jit_compile=jit_compile)
    model.fit(images(32), batch_size=8, verbose=0)
    assert optimizer.iterations.numpy() == 2
    for _ in range(2):
        loss = model.train_on_batch(images(8))
    assert np.isfinite(loss).all()
    assert optimizer.iterations.numpy() == 3
    assert np.isfinite(model.test_on_batch(images(8))[0])


class Own(keras.optimizers.Adam):
    """Leaves no trace of what is wrong with a gradient."""

    def apply(self, grads, trainable_variables=None):
        grads = [tf.where(tf.abs(g) < 1e9, g, 0.0) for g in grads]
        return super().apply(grads, trainable_variables)


OPTIMIZERS = {
    "Own": Own,
    "Adam": keras.optimizers.Adam,
    "AdamW": keras.optimizers.AdamW,
    "Adagrad": keras.optimizers.Adagrad,
    "RMSprop": keras.optimizers.RMSprop,
    "SGD": keras.optimizers.SGD,
    "Adam-clipnorm": lambda rate: keras.optimizers.Adam(rate, clipnorm=1.0),
    "Adam-clipvalue": lambda rate: keras.optimizers.Adam(rate, clipvalue=1.0),
    "Adam-accumulated": lambda rate: keras.optimizers.Adam(
        rate, gradient_accumulation_steps=7
    ),
}


UNDER_XLA = [
    pytest.param(name, {"jit_compile": True}, marks=() if i < 2 else pytest.mark.slow)
    for i, name in enumerate(OPTIMIZERS)
]
EAGERLY = [(name, {"run_eagerly": True}) for name in OPTIMIZERS]


@pytest.mark.parametrize(("name", "how"), [*UNDER_XLA, *EAGERLY])
def test_gradients_too_large_to_be_squared_are_skipped(name, how):
    shape = images(1).shape[1:]
    x = images(64)
    x[40:48] *= 1e11

    def fitted(x):
        keras.utils.set_random_seed(0)
        encoder = tfvae.networks.mlp_encoder(shape, [8])
        decoder = tfvae.likelihoods.Normal(tfvae.networks.mlp_decoder(shape, [8]))
        model = tfvae.VAE(encoder, decoder, latent_dim=2)
        model.compile(OPTIMIZERS[name](1e-4), **how)
        model.fit(x, batch_size=8, shuffle=False, verbose=0)
        return model

    with pytest.warns(UserWarning, match="skipped 1 batches"):
        ours = fitted(x)
    assert_same_state(ours, fitted(np.delete(x, slice(40, 48), axis=0)))


def test_an_own_train_step_is_taken():
    class Own(tfvae.VAE):
        def train_step(self, data):
            return {**super().train_step(data), "own": 1.0}

    shape = images(1).shape[1:]
    networks = tfvae.networks
    networks = [networks.mlp_encoder(shape, [8]), networks.mlp_decoder(shape, [8])]
    model = Own(*networks, latent_dim=2)
    model.compile(jit_compile=True)
    assert "own" in model.fit(images(40), batch_size=8, verbose=0).history


def test_large_batches_make_short_blocks(monkeypatch):
    whole = trained()
    monkeypatch.setattr(batches, "LIMIT", 3 * images(16).nbytes)
    assert_close(trained(), whole)


@pytest.mark.parametrize("steps_per_execution", [3, 5, 10])
def test_a_call_of_many_large_batches_takes_them_all(monkeypatch, steps_per_execution):
    options = {"jit_compile": True, "steps_per_execution": steps_per_execution}
    whole = trained(x=images(160), compiled=options)
    monkeypatch.setattr(batches, "LIMIT", 2 * images(16).nbytes)
    ours = trained(x=images(160), compiled=options)
    assert ours.optimizer.iterations.numpy() == 20
    assert ours.report.count.numpy() == 160
    assert_close(ours, whole)


def resized(**compiled):
    shape = images(1).shape[1:]
    layers = keras.layers
    decoder = [layers.Dense(16), layers.Reshape((4, 4, 1))]
    decoder.append(layers.UpSampling2D(2, interpolation="bicubic"))
    encoder = tfvae.networks.mlp_encoder(shape, [8])
    model = tfvae.VAE(encoder, keras.Sequential(decoder), latent_dim=2)
    model.compile(**compiled)
    model.fit(images(40), batch_size=8, verbose=0)
    return model


def test_what_xla_does_not_know_is_trained_outside_of_it():
    assert resized().optimizer.iterations.numpy() == 5
    with pytest.raises(tf.errors.InvalidArgumentError, match="unsupported"):
        resized(jit_compile=True)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_a_constant_may_be_infinite(jit_compile):
    class Floor(keras.layers.Layer):
        def build(self, input_shape):
            low = keras.initializers.Constant(-np.inf)
            self.low = self.add_weight((), initializer=low, trainable=False)

        def call(self, inputs):
            return keras.ops.maximum(inputs, self.low)

    shape = images(1).shape[1:]
    encoder = keras.Sequential(
        [keras.Input(shape), Floor(), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    decoder = tfvae.networks.mlp_decoder(shape, [8])
    model = tfvae.VAE(encoder, decoder, latent_dim=2)
    model.compile(jit_compile=jit_compile)
    model.fit(images(40), batch_size=8, verbose=0)
    assert model.optimizer.iterations.numpy() == 5


def test_xla_is_left_out_where_it_is_unsafe_or_slower():
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    assert xla_loop.is_faster(MODELS["VAE"]())
    assert not xla_loop.is_faster(MODELS["VAE-conv"]())
    network = keras.Sequential([Own(), keras.layers.Flatten()])
    decoder = tfvae.networks.mlp_decoder(images(1).shape[1:], [8])
    assert not xla_loop.is_faster(tfvae.VAE(network, decoder, latent_dim=2))


def test_xla_is_left_out_for_an_objective_of_ones_own():
    class Own(tfvae.objectives.ELBO):
        pass

    shape = images(1).shape[1:]
    networks = tfvae.networks
    networks = [networks.mlp_encoder(shape, [8]), networks.mlp_decoder(shape, [8])]
    assert not xla_loop.is_faster(tfvae.VAE(*networks, latent_dim=2, objective=Own()))


def test_callbacks_come_as_keras_takes_them():
    model = MODELS["VAE"]()
    model.compile(jit_compile=False)
    whole = keras.callbacks.CallbackList(add_history=True, model=model)
    for callbacks in ([[Watch()]], Watch(), whole):
        model.fit(images(8), callbacks=callbacks, verbose=0)
    batches = [images(8), *[np.nan * images(8)] * 10]
    with pytest.raises(FloatingPointError, match="10 batches in a row"):
        model.fit(iter(batches), callbacks=whole, verbose=0)


def test_auto_is_decided_anew_on_loading(tmp_path):
    model = trained(callbacks=[Watch()])
    model.save(tmp_path / "model.keras")
    twin = tfvae.load(tmp_path / "model.keras")
    config = twin.get_compile_config()
    assert config["jit_compile"] == config["steps_per_execution"] == "auto"
    assert twin.jit_compile
