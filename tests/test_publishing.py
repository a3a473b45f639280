import json
import os
import pathlib

import numpy as np
import pytest

import tfvae
from tfvae import presets, publishing, reports, runs
from tfvae.export import archive


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one epoch, whose command line changes two settings."""
    changes = ["epochs=1", "hidden_units=[8]", "latent_dim=2"]
    config = presets.configure("vae_digits", changes)
    training = runs.start(tmp_path_factory.mktemp("runs") / "run", config)
    training.fit()
    reports.evaluate(training.run, num_samples=2)
    return training.run


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return publishing.publish(run, tmp_path_factory.mktemp("published") / "my_vae")


def test_a_published_folder_holds_every_format(run, folder):
    files = ["1", "README.md", "manifest.json"]
    files += [f"my_vae.{end}" for end in ("json", "keras", "tflite")]
    assert sorted(os.listdir(folder)) == sorted(files)
    archive.verify(folder)
    archive.verify(folder / "1")
    assert json.loads((folder / "my_vae.json").read_text())["quantize"] == "float16"
    model, z = tfvae.load(run.model_file), np.ones([2, 2], "float32")
    wanted = model.decode(z)
    served = tfvae.export.load_saved_model(folder / "1").signatures["decode"](z=z)
    np.testing.assert_allclose(served["x"], wanted, atol=1e-5)
    lite = tfvae.export.load_tflite(folder / "my_vae.tflite")
    answer = lite.get_signature_runner("decode")(z=z)
    np.testing.assert_allclose(answer["x"], wanted, atol=1e-2)


def test_the_card_says_how_it_came_about(folder):
    card = (folder / "README.md").read_text()
    command = (
        "tfvae train vae_digits --set latent_dim=2 --set hidden_units=[8] "
        "--set epochs=1"
    )
    for text in (command, "CC BY 4.0", "ELBO, test", "seed 0", "`sample_random`"):
        assert text in card


def test_a_published_model_is_loaded_by_name(run, folder, monkeypatch, tmp_path):
    monkeypatch.setenv("TFVAE_SAVEDMODELS", str(folder.parent))
    monkeypatch.chdir(tmp_path)
    model = tfvae.load("my_vae")
    whole = tfvae.load(run.model_file)
    np.testing.assert_array_equal(model.sample(3, seed=1), whole.sample(3, seed=1))
    assert not model.compiled
    with pytest.raises(FileNotFoundError, match="Published here: .*my_vae"):
        tfvae.load("your_vae")
    card = folder / "README.md"
    text = card.read_text()
    card.write_text(text + "more")
    with pytest.raises(ValueError, match="Changed: README.md"):
        tfvae.load("my_vae")
    card.write_text(text)


def test_what_cannot_be_published_is_refused(run, folder, tmp_path):
    with pytest.raises(ValueError, match="`to` must be a folder that is not there"):
        publishing.publish(run, folder)
    (tmp_path / "config.json").write_text(json.dumps(run.config))
    with pytest.raises(ValueError, match="an evaluated run.* Run `tfvae evaluate`"):
        publishing.publish(runs.Run(tmp_path), tmp_path / "model")
    assert os.listdir(tmp_path) == ["config.json"]


ROOT = pathlib.Path(__file__).parents[1]
PUBLISHED = sorted(path.parent for path in ROOT.glob("savedmodels/*/manifest.json"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_published_models_are_whole_small_and_answer(path):
    size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    assert size < 6e6
    model = tfvae.load(path.name)
    lite = path / f"{path.name}.tflite"
    runner = tfvae.export.load_tflite(lite).get_signature_runner("sample")
    assert set(runner.get_input_details()) - {"u"} == {"noise"}
    assert model.count_params() > 0
