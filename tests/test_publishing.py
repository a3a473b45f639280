"""Published models: whole folders, loaded by name, equal answers in every format."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import tfvae
from tests import session_loader
from tests.exports import assert_same, inputs_of
from tfvae import files
from tfvae.runs import publish, report, training
from tfvae.runs.config import configure


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one epoch, whose command line changes two settings."""
    changes = ["epochs=1", "hidden_units=[8]", "latent_dim=2"]
    config = configure("vae_digits", changes)
    ready = training.start(tmp_path_factory.mktemp("runs") / "run", config)
    ready.fit()
    report.evaluate(ready.run, num_samples=2)
    return ready.run


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    return publish.publish(run, tmp_path_factory.mktemp("published") / "my_vae")


def test_a_published_folder_holds_every_format(run, folder):
    names = ["1", "README.md", "manifest.json"]
    names += [f"my_vae.{end}" for end in ("keras", "tflite", "tflite.json")]
    assert sorted(os.listdir(folder)) == sorted(names)
    files.verify(folder)
    files.verify(folder / "1")
    assert (
        json.loads((folder / "my_vae.tflite.json").read_text())["quantize"] == "float16"
    )
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
        "tfvae train vae_digits --set latent_dim=2 --set 'hidden_units=[8]' "
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
    with pytest.raises(FileNotFoundError, match="TFVAE_SAVEDMODELS: .*my_vae"):
        tfvae.load("your_vae")
    card = folder / "README.md"
    text = card.read_text()
    card.write_text(text + "more")
    with pytest.raises(ValueError, match="changed: README.md"):
        tfvae.load("my_vae")
    card.write_text(text)


def test_what_cannot_be_published_is_refused(run, folder, tmp_path):
    with pytest.raises(ValueError, match="`to` must be a folder that is not there"):
        publish.publish(run, folder)
    (tmp_path / "config.json").write_text(json.dumps(run.config))
    with pytest.raises(ValueError, match="an evaluated run.* Run `tfvae evaluate`"):
        publish.publish(training.Run(tmp_path), tmp_path / "model")
    assert os.listdir(tmp_path) == ["config.json"]


ROOT = pathlib.Path(__file__).parents[1]
PUBLISHED = sorted(path.parent for path in ROOT.glob("savedmodels/*/manifest.json"))


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return session_loader.program(tmp_path_factory.mktemp("loader"))


def of_all_models(*fast):
    return pytest.mark.parametrize(
        "path",
        [
            pytest.param(p, id=p.name, marks=() if p.name in fast else pytest.mark.slow)
            for p in PUBLISHED
        ],
    )


@of_all_models("vae_mnist", "ivae_tcl")
def test_published_models_answer_everywhere_as_in_keras(path, program):
    model = tfvae.load(path.name)
    lite = tfvae.export.load_tflite(path / f"{path.name}.tflite")
    with session_loader.Served(program, path / "1") as served:
        for name, signature in model.signatures().items():
            inputs = inputs_of(signature, 2)
            assert_same(
                served.ask(name, **inputs), signature.compiled()(*inputs.values())
            )
    for name, signature in model.lite_signatures().items():
        if not signature.random and name != "complete":
            inputs = inputs_of(signature, 2)
            answer = lite.get_signature_runner(name)(**inputs)
            for key, value in signature.compiled()(*inputs.values()).items():
                error = np.abs(answer[key] - value) / np.maximum(1, np.abs(value))
                # float16: among pixels drawn one by one, a few change.
                assert np.mean(error > 0.02) < 0.02, (name, key)


def test_twelve_small_models_are_published():
    if not PUBLISHED:
        pytest.skip("this copy has no published models")
    sizes = [
        sum(p.stat().st_size for p in f.rglob("*") if p.is_file()) for f in PUBLISHED
    ]
    assert len(sizes) == 12
    assert max(sizes) < 6e6
    assert sum(sizes) < 40e6
    served = (ROOT / "savedmodels" / "models.config").read_text()
    for folder in PUBLISHED:
        files.verify(folder)
        assert f'name: "{folder.name}"' in served


@pytest.mark.skipif(not PUBLISHED, reason="this copy has no published models")
@pytest.mark.parametrize("language", ["kotlin", "swift"])
def test_snippets_for_phones_name_the_tensors_of_the_file(language):
    text = (ROOT / "README.md").read_text()
    (code,) = re.findall(f"```{language}\n(.*?)```", text, re.DOTALL)
    about = json.loads(
        (ROOT / "savedmodels/vae_mnist/vae_mnist.tflite.json").read_text()
    )
    sample = about["signatures"]["sample"]
    ((noise, given),), ((x, got),) = (sample[k].items() for k in ("inputs", "outputs"))
    assert '"sample"' in code
    assert f'"{noise}"' in code
    assert f'"{x}"' in code
    width, shape = given["shape"][1], got["shape"][1:]
    if language == "kotlin":
        arrays = "".join(f"Array({n}) {{ " for n in shape[:-1])
        assert f"Array(1) {{ FloatArray({width})" in code
        assert f"Array(1) {{ {arrays}FloatArray({shape[-1]}) }}" in code
    else:
        assert f"toShape: [1, {width}]" in code
        assert f"1 x {' x '.join(map(str, shape))} of Float32" in code


@pytest.mark.skipif(not PUBLISHED, reason="this copy has no published models")
@pytest.mark.parametrize("name", ["vae_mnist", "made_mnist"])
def test_published_files_draw_digits_without_tensorflow(name):
    script = ROOT / "examples/sample_tflite.py"
    file = ROOT / f"savedmodels/{name}/{name}.tflite"
    run = [sys.executable, script, file]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert [len(line) for line in out.splitlines()] == [28] * 28
    assert 0.03 < np.mean([sign != " " for sign in out.replace("\n", "")]) < 0.5
