import keras
import numpy as np
import pytest

import tfvae
from tests.checks import MODELS, images, state
from tfvae.models import blocks


class Watch(keras.callbacks.Callback):
    """Counts the batches it sees."""

    count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


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


@pytest.mark.parametrize("name", ["VAE", "IWAE"])
def test_blocks_train_as_single_steps_do_outside_of_xla(name):
    options = {"validation_data": images(20, seed=1)}
    ours = trained(name, **options)
    assert isinstance(ours.train_function, blocks.BlockFunction)
    theirs = trained(name, compiled={"jit_compile": False}, **options)
    assert not isinstance(theirs.train_function, blocks.BlockFunction)
    assert_close(ours, theirs)


def test_callbacks_of_ones_own_see_every_batch():
    watch = Watch()
    ours, theirs = trained(callbacks=[watch]), trained()
    assert (watch.count, ours.steps_per_execution) == (10, 1)
    assert theirs.steps_per_execution == blocks.STEPS
    assert_close(ours, theirs)


def test_fit_goes_on_with_another_batch_size_and_counts_to_the_end(capsys):
    model = trained(epochs=1)
    model.fit(images(64), batch_size=8, verbose=1)
    assert "8/8" in capsys.readouterr().out
    assert model.optimizer.iterations.numpy() == 5 + 8
    assert model.train_function.shapes == [(8, *images(1).shape[1:])]


def test_large_batches_make_short_blocks(monkeypatch):
    whole = trained()
    monkeypatch.setattr(blocks, "LIMIT", 3 * images(16).nbytes)
    assert_close(trained(), whole)


@pytest.mark.parametrize(
    ("steps_per_epoch", "expected"), [(None, 20), (100, 20), (7, 7), (23, 1)]
)
def test_blocks_divide_an_epoch(steps_per_epoch, expected):
    assert blocks.choose_steps([], steps_per_epoch) == expected


def test_xla_is_left_out_where_it_is_unsafe_or_slower():
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    assert blocks.is_faster(MODELS["VAE"]())
    assert not blocks.is_faster(MODELS["VAE-conv"]())
    network = keras.Sequential([Own(), keras.layers.Flatten()])
    decoder = tfvae.networks.mlp_decoder(images(1).shape[1:], [8])
    assert not blocks.is_faster(tfvae.VAE(network, decoder, latent_dim=2))


def test_clipping_of_values_takes_guarded_steps():
    model = MODELS["VAE"]()
    model.compile(keras.optimizers.Adam(1e-3, clipvalue=1.0))
    model.make_train_function()
    assert not isinstance(model.train_function, blocks.BlockFunction)


def test_auto_is_decided_anew_on_loading(tmp_path):
    model = trained(callbacks=[Watch()])
    model.save(tmp_path / "model.keras")
    twin = tfvae.load(tmp_path / "model.keras")
    config = twin.get_compile_config()
    assert config["jit_compile"] == config["steps_per_execution"] == "auto"
    assert twin.jit_compile
