"""What every test shares: fixed seeds, no XLA unless asked for, the real data."""

import pathlib

import keras
import pytest


@pytest.fixture(autouse=True)
def fixed_seed():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True)
def graph_instead_of_xla(request, monkeypatch):
    """Trains small models as graphs, which take a third of the time to compile."""
    if not request.node.get_closest_marker("xla"):
        monkeypatch.setattr("tfvae.training.compile.is_faster", lambda model: False)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real data sets beside the checkout; tests that need it skip without."""
    folder = pathlib.Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data sets is not there")
    return folder
