"""What every test shares: fixed seeds, no XLA unless asked for, the real data."""

import contextlib
import ctypes
import gc
import pathlib

import keras
import pytest

from tests.costly import is_slow
from tfvae.conditional import forget_graphs

# What is imported stays: the garbage collector need not look at it again and again.
gc.freeze()
gc.set_threshold(100_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks the cases of costly tests that only `-m slow` runs."""
    for test in items:
        if is_slow(test):
            test.add_marker(pytest.mark.slow)


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


@pytest.fixture(autouse=True, scope="module")
def memory_given_back():
    """Keeps a worker small: graphs and programs of a module go when it ends."""
    yield
    keras.backend.clear_session()
    forget_graphs()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real data sets beside the checkout; tests that need it skip without."""
    folder = pathlib.Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real data sets is not there")
    return folder
