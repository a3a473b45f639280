"""Presets: each builds a model for its data; settings are changed, checked, kept."""

import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from tfvae.metrics import bits_per_dim
from tfvae.runs import builders
from tfvae.runs.config import configure, read
from tfvae.runs.presets import PRESETS

SHAPES = {  # the others are 28 x 28
    "digits": (8, 8, 1),
    "frey_face": (28, 20, 1),
    "olivetti_faces": (64, 64, 1),
    "sprites": (64, 64, 1),
    "nonlinear_ica": (5,),
    "cifar10": (32, 32, 3),
}
# Changes that make a large model a small one of the same kind.
SMALLER = {
    "resnet_vae_cifar10": [
        "levels=[[8, 2, 4], [16, 1, 4]]",
        "units=[8, 8]",
        "filters=8",
        "flow_units=8",
    ]
}


@pytest.mark.parametrize("name", PRESETS)
def test_preset_builds_a_compiled_model_of_its_data(name):
    config = configure(name, SMALLER.get(name, ()))
    shape = SHAPES.get(config["data"]["source"], (28, 28, 1))
    model = builders.build(config, shape, steps_per_epoch=10)
    assert model.event_shape == shape
    if model.monitor == "log_prob":
        assert np.isfinite(model.log_prob(np.zeros([2, *shape]))).all()
        return
    if "levels" in config["model"]:
        levels = config["model"]["levels"]
        assert len(model.levels) == sum(count for _, count, _ in levels)
    else:
        assert model.latent_dim == config["model"]["latent_dim"]
    if model.monitor is None:
        optimizers = [getattr(model, p.optimizer_name) for p in model.players]
        assert len(set(map(id, optimizers))) == len(model.players)
        assert {float(o.learning_rate) for o in optimizers} == {np.float32(5e-4)}
        assert {o.beta_1 for o in optimizers} == {0.5}
        assert model.sample(2).shape == (2, *shape)
        return
    np.testing.assert_allclose(
        model.optimizer.learning_rate, config["training"]["learning_rate"]
    )
    inputs = tf.zeros([2, *shape])
    if PRESETS[name].conditional:
        inputs = inputs, tf.constant([0, 39])
    densities = model.log_densities(inputs, tf.constant([0, 0]))
    assert np.isfinite(densities.log_weight).all()
    assert model(inputs).shape == (2, *shape)


@pytest.mark.parametrize("name", PRESETS)
def test_configuration_survives_its_file(name, tmp_path):
    config = configure(name, ["seed=3"])
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    assert read(file) == config


def test_changes_are_json_or_words_and_the_last_one_wins():
    changes = ["hidden_units=[16]", "activation=tanh", "seed=1", "seed=2"]
    config = configure("vae_digits", [*changes, "image_size=null"])
    assert config["model"]["hidden_units"] == [16]
    assert config["model"]["activation"] == "tanh"
    assert config["training"]["seed"] == 2
    assert config["data"]["image_size"] is None
    assert configure("vae_digits")["training"]["seed"] == 0


def test_learning_rate_falls_over_the_epochs():
    training = {"epochs": 5, "learning_rate": 2.0, "decay": 0.1}
    rate = builders.learning_rate(training, 10)
    np.testing.assert_allclose([rate(0), rate(25), rate(50)], [2, 1.1, 0.2], rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["vae_mnist", "full_covariance_vae_mnist", "iwae_mnist"]
)
def test_the_kl_is_warmed_up_in_a_share_of_the_epochs(name):
    changes = ["epochs=8", "hidden_units=[4]", "latent_dim=2"]
    config = configure(name, [*changes, "warm_up=0.5"])
    rising = builders.build(config, (28, 28, 1), steps_per_epoch=10).objective.beta
    np.testing.assert_allclose([rising(20), rising(40), rising(80)], [0.5, 1, 1])
    config = configure(name, [*changes, "warm_up=0"])
    assert builders.build(config, (28, 28, 1), 10).objective.beta == 1
    with pytest.raises(ValueError, match="`warm_up` must be a finite number"):
        builders.build(configure(name, ["warm_up=2"]), (28, 28, 1), 10)


def test_labels_are_contrasted_in_a_share_of_the_epochs():
    build = functools.partial(builders.build, event_shape=(5,), steps_per_epoch=10)
    config = configure("ivae_tcl", ["epochs=8", "contrast=0.5"])
    falling = build(config).objective.contrast
    np.testing.assert_allclose([falling(0), falling(20), falling(60)], [1, 0.5, 0])
    config = configure("ivae_tcl", ["contrast=0"])
    assert build(config).objective.contrast == 0


def test_paths_become_absolute_and_names_of_data_sets_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("digits", "mnist", "2024"):
        (tmp_path / name).mkdir()
    for name in ("digits", "mnist"):
        config = configure("vae_mnist", source=name)
        assert config["data"]["source"] == name
    config = configure("vae_mnist", ["data_dir=2024"], source="2024")
    assert config["data"]["source"] == config["data"]["data_dir"]
    assert config["data"]["source"] == str(tmp_path / "2024")


def test_labels_are_asked_for_only_of_the_presets_own_data():
    assert configure("vae_mnist")["labels"]
    assert configure("vae_mnist", source="mnist")["labels"]
    assert not configure("vae_mnist", source="kmnist")["labels"]
    assert not configure("vae_mnist", ["source=kmnist"])["labels"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("vae_mnst", [], "Did you mean 'vae_mnist'"),
        ("vae_digits", ["latent=3"], "Did you mean 'latent_dim'"),
        ("vae_digits", ["latent_dim"], "form key=value.*set='latent_dim'"),
        ("vae_digits", ["latent_dim="], "form key=value"),
        ("vae_digits", ["=3"], "`set` must be one of"),
    ],
)
def test_unknown_names_are_refused(name, changes, message):
    with pytest.raises(ValueError, match=message):
        configure(name, changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        '{"preset": "nope"}',
        '{"preset": []}',
        '{"preset": "vae_digits", "data": {}, "model": {}, "training": {}}',
        '{"preset": "vae_digits", "data": 1, "model": 2, "training": 3}',
    ],
)
def test_corrupt_configuration_is_refused(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="`run` must be a folder with the config.json"):
        read(tmp_path / "config.json")


def test_the_preset_for_colors_trains_on_real_images(shared_data):
    with np.load(shared_data / "cifar10_first4000" / "cifar10_first4000.npz") as file:
        x = file["images"][:64].astype("float32") / 255
    changes = [*SMALLER["resnet_vae_cifar10"], "warm_up=0"]
    config = configure("resnet_vae_cifar10", changes)
    model = builders.build(config, (32, 32, 3), steps_per_epoch=10)
    history = model.fit(x, batch_size=32, epochs=3, verbose=0).history
    assert history["elbo"][-1] > history["elbo"][0] + 100
    bits = bits_per_dim(model.log_marginal(x[:4], 5), (32, 32, 3))
    assert (bits < 9).all()  # 8 is that of bytes of equal probability
    assert model.sample(2, seed=0, temperature=0.7).shape == (2, 32, 32, 3)
