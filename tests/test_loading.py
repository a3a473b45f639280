import keras
import pytest

import tfvae
from tests.checks import MODELS


@pytest.fixture
def saved(tmp_path):
    MODELS["VAE"]().save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def truncated(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)


def unregistered(path):
    class Unknown(keras.layers.Layer):
        def call(self, x):
            return x

    keras.Sequential([keras.Input((2,)), Unknown()]).save(path)


def lambdas(path):
    keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x)]).save(path)


@pytest.mark.parametrize("damage", [truncated, empty, foreign, unregistered, lambdas])
def test_a_file_that_is_no_whole_model_is_refused(saved, damage):
    damage(saved)
    with pytest.raises(ValueError, match="`path` must be .*Received: path="):
        tfvae.load(saved)


def test_missing_file_and_wrong_ending_are_refused(saved):
    with pytest.raises(FileNotFoundError, match="`path` must be a file"):
        tfvae.load(saved.with_name("other.keras"))
    with pytest.raises(ValueError, match="`path` must be a whole `.keras` file"):
        tfvae.load(saved.rename(saved.with_suffix(".zip")))
