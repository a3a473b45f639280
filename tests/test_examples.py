import pathlib
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def run(script, *arguments, folder):
    """Runs an example as a user does, and returns what it prints."""
    command = [sys.executable, EXAMPLES / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert not done.returncode, done.stderr[-2000:]
    return done.stdout


def test_train_deploy_and_sample_on_a_phone(tmp_path):
    out = run("train_and_deploy.py", "--epochs=2", "--out=out", folder=tmp_path)
    assert "test log p(x): -" in out
    assert (tmp_path / "out/vae/1/saved_model.pb").exists()
    picture = run("sample_tflite.py", "out/vae.tflite", folder=tmp_path)
    assert len(picture.splitlines()) == 8


def test_own_networks(tmp_path):
    out = run("own_networks.py", "--epochs=10", folder=tmp_path)
    assert "test log p(x): -" in out
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2


def test_import_time(tmp_path):
    assert "tfvae / base" in run(
        "benchmarks/import_time.py", "--runs=1", folder=tmp_path
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda p: p.stem)
def test_examples_are_short_and_say_what_they_show(path):
    text = path.read_text()
    assert text.startswith('"""')
    if path.parent == EXAMPLES:
        assert len(text.splitlines()) < 60
