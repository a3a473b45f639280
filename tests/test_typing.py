"""Types as a user's type checker sees them: right code passes, wrong calls do not."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
# These have neither types of their own nor stubs that every user installs.
UNTYPED = "keras", "sklearn", "tensorflow", "tensorflow_probability"
# Names that the README's blocks take from blocks before them.
BEFORE = """
import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tfvae

adam = keras.optimizers.Adam()
encoder = tfvae.networks.mlp_encoder((8, 8, 1), [16])
decoder = tfvae.networks.mlp_decoder((8, 8, 1), [16])
"""
TOUR = """
x = np.zeros([64, 8, 8, 1], "float32")
model = tfvae.VAE(encoder, decoder, latent_dim=2)
model.compile("adam")
history = model.fit(x, epochs=2, verbose=0).history
z = model.encode(x)
means = model.decode(z)
images = model.sample(5, seed=0)
nats = model.log_marginal(x, num_samples=10)
version = tfvae.export.to_saved_model(model, "savedmodels/vae")
file = tfvae.export.to_tflite(model, "vae.tflite", quantize="float16")
print(sorted(history), means.shape, images.shape, float(np.mean(nats)))
print(version.name, file.suffix)
"""
IMPORTS = """
import pathlib

from tfvae import browser
from tfvae.runs import presets, training
from tfvae.runs.config import configure
"""
# Lines that a type checker rejects, each with the code of its error.
WRONG = [
    ("configure('vae_digits', source=3)", "arg-type"),
    ("presets.get(7)", "arg-type"),
    ("presets.get('vae_digits').sumary", "attr-defined"),
    ("training.resume('runs/vae', epochs='ten')", "arg-type"),
    ("browser.server(pathlib.Path('page'), port='8000')", "arg-type"),
    ("tfvae.VAE(encoder, decoder, latent_dim='two')", "arg-type"),
]


def messages(folder, **scripts):
    """Lines that mypy prints in its default mode, for scripts by name."""
    libraries = ",".join(f"{name}.*" for name in UNTYPED)
    (folder / "mypy.ini").write_text(
        f"[mypy]\n[mypy-{libraries}]\nignore_missing_imports = True\n"
    )
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--no-incremental", "--no-error-summary"]
    command += [f"{name}.py" for name in scripts]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"capture_output": True, "text": True}
    run = subprocess.run(command, cwd=folder, env=environment, **pipes)
    assert run.returncode in (0, 1), run.stderr
    return run.stdout.splitlines()


def test_code_of_a_user_passes_the_type_checker(tmp_path):
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    assert len(blocks) >= 3
    # A script each, as blocks give the same name to models of different classes.
    scripts = {f"block_{i}": BEFORE + block for i, block in enumerate(blocks)}
    assert messages(tmp_path, tour=BEFORE + TOUR, **scripts) == []


def test_wrong_calls_are_reported(tmp_path):
    text = BEFORE + TOUR + IMPORTS
    first = len(text.splitlines()) + 1
    found = messages(tmp_path, script=text + "\n".join(line for line, _ in WRONG))
    found = [re.sub(r"^script.py:(\d+): error: .*\[(.*)]$", r"\1 \2", f) for f in found]
    expected = [f"{first + i} {code}" for i, (_, code) in enumerate(WRONG)]
    assert [line for line in found if ": note:" not in line] == expected
