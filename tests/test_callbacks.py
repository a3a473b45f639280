import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tfvae import callbacks, plots

X = np.random.default_rng(0).integers(0, 2, [16, 4, 4, 1]).astype("float32")


def trained(*pictures, **fit):
    keras.utils.set_random_seed(0)
    encoder = tfvae.networks.mlp_encoder((4, 4, 1), [8])
    decoder = tfvae.networks.mlp_decoder((4, 4, 1), [8])
    model = tfvae.VAE(encoder, decoder, latent_dim=2)
    model.compile("adam", run_eagerly=True)
    model.fit(X, verbose=0, callbacks=list(pictures), **{"epochs": 2, **fit})
    return model


@pytest.fixture(scope="module")
def plain():
    return trained()


def figure(model):
    return plots.image_grid(np.eye(4).reshape(1, 4, 4, 1))


def files(folder):
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def test_files_are_written_every_few_epochs_counting_resumed_ones(tmp_path):
    picture = callbacks.Picture(figure, "eye", every=2, folder=tmp_path / "new")
    trained(picture, initial_epoch=3, epochs=9)
    expected = ["eye_0004.png", "eye_0006.png", "eye_0008.png"]
    assert files(tmp_path / "new") == expected


def test_tensorboard_receives_the_picture_at_the_step_of_its_file(tmp_path):
    where = {"folder": tmp_path / "files", "log_dir": tmp_path / "logs"}
    trained(callbacks.Picture(figure, "eye", every=2, **where))
    (path,) = (tmp_path / "logs" / "eye").iterdir()
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    events = [tf.compat.v1.Event.FromString(record) for record in records]
    (event,) = [event for event in events if event.summary.value]
    assert (event.summary.value[0].tag, event.step) == ("eye", 2)
    shown = tf.io.decode_png(event.summary.value[0].tensor.string_val[2])
    saved = tf.io.read_file(str(tmp_path / "files" / "eye_0002.png"))
    np.testing.assert_array_equal(shown, tf.io.decode_png(saved, channels=3))


def test_named_pictures_leave_training_as_it_was(tmp_path, plain):
    where = {"every": 2, "folder": tmp_path}
    watched = trained(
        callbacks.SampleGrid(4, **where),
        callbacks.Reconstructions(X[:3], **where),
        callbacks.Traversals(X[:1], **where),
        callbacks.Manifold(size=3, **where),
        callbacks.LatentScatter(X, **where),
        callbacks.KLPerDimension(X, **where),
    )
    names = ["kl_per_dimension", "latent_scatter", "manifold", "reconstructions"]
    names += ["samples", "traversals"]
    assert files(tmp_path) == [f"{name}_0002.png" for name in names]
    for got, expected in zip(watched.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_same_weights_give_the_same_picture(plain):
    picture = callbacks.SampleGrid(4, folder="unused")
    first, second = (callbacks._pixels(picture.draw(plain)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_what_cannot_be_drawn_fails_before_training(tmp_path):
    wrong = callbacks.Traversals(dimensions=[5], every=100, folder=tmp_path)
    with pytest.raises(ValueError, match="below latent_dim=2"):
        trained(wrong)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every": 0, "folder": "a"}, ValueError, "`every` must be an integer"),
        ({"every": 1.5, "folder": "a"}, TypeError, "`every` must be an integer"),
        ({}, ValueError, "`folder` must be given where `log_dir` is not"),
        ({"draw": None, "folder": "a"}, TypeError, "`draw` must be a function"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        callbacks.Picture(**{"draw": figure, "name": "eye", **arguments})
