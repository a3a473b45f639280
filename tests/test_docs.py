import ast
import doctest
import importlib
import math
import pathlib
import pkgutil
import re
import tempfile
from inspect import isabstract

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae

MODULES = [
    info.name
    for info in pkgutil.walk_packages(tfvae.__path__, "tfvae.")
    if not info.name.endswith(("__main__", "dataset_builder"))
]


def example_names():
    """What every example in a docstring may use: one small model and its data."""
    encoder = tfvae.networks.mlp_encoder((8, 8, 1), [16])
    decoder = tfvae.networks.mlp_decoder((8, 8, 1), [16])
    x = (np.random.default_rng(0).random([32, 8, 8, 1]) < 0.5).astype("float32")
    return {
        **{"tfvae": tfvae, "keras": keras, "np": np, "tf": tf, "tfp": tfp},
        **{"math": math, "tempfile": tempfile, "folder": tempfile.mkdtemp()},
        **{"encoder": encoder, "decoder": decoder, "x": x},
        "model": tfvae.VAE(encoder, decoder, latent_dim=2),
    }


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    names = example_names()
    for test in doctest.DocTestFinder().find(module, extraglobs=names):
        result = doctest.DocTestRunner(verbose=False).run(test)
        assert not result.failed, test.name


def test_code_in_the_readme_runs():
    text = (pathlib.Path(__file__).parents[1] / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"tfvae": tfvae, "keras": keras}
    run = [b for b in blocks if "data.load" not in b]  # those train, or want files
    assert len(run) >= 3
    for block in run:
        exec(block, names)


# Keras's methods, which everybody knows and the class docstring covers.
KERAS = {"build", "call", "get_config", "from_config"}


def public_members():
    for name in MODULES:
        module = importlib.import_module(name)
        for key, value in vars(module).items():
            if getattr(value, "__module__", None) == name and not key.startswith("_"):
                yield value


def test_everything_public_has_a_docstring():
    for value in public_members():
        assert value.__doc__, value
        for key, method in vars(value).items() if isinstance(value, type) else ():
            inherited = any(hasattr(base, key) for base in value.__mro__[1:])
            if callable(method) and not key.startswith("_") and not inherited:
                assert method.__doc__ or key in KERAS, (value, key)


def test_every_exported_name_has_an_example():
    for name in tfvae.__all__:
        thing = getattr(tfvae, name)
        members = getattr(thing, "__all__", None)
        for member in [getattr(thing, m) for m in members] if members else [thing]:
            assert (
                hasattr(member, "_fields")
                or isabstract(member)
                or ("Example" in member.__doc__)
            ), member


def test_every_public_group_has_a_page_in_the_reference():
    pages = pathlib.Path(__file__).parents[1] / "examples/docs/pages"
    for name in ["models", *filter(str.islower, tfvae.__all__)]:
        assert f"\n::: tfvae.{name}\n" in (pages / f"{name}.md").read_text()


def docstrings():
    """Every docstring in the package, private ones too, with its file."""
    for path in pathlib.Path(tfvae.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                if text := ast.get_docstring(node):
                    yield path, text


def test_docstrings_begin_with_a_noun_or_a_verb():
    for path, text in docstrings():
        first = text.split()[0]
        assert first not in {"What", "Whether", "Of", "Where"}, (path, text[:60])
