import ast
import importlib
import pathlib
import pkgutil
import subprocess
import sys
from inspect import isabstract

import keras
import pytest

import tfvae
from tfvae.config import Configurable

PACKAGE = pathlib.Path(__file__).parents[1] / "tfvae"

# A module imports those of rows above it, and of its own row.
RANKS = [
    {"checks"},
    {"config"},
    {"files"},
    {"seeds"},
    {"inputs"},
    {"conditional", "transforms"},
    {"networks", "layers", "datasets"},
    {"flows"},
    {"posteriors"},
    {"priors"},
    {"likelihoods"},
    {"data"},
    {"objectives"},
    {"metrics", "plots"},
    {"signatures"},
    {"export"},
    {"training"},
    {"models", "callbacks"},
    {"loading"},
    {"runs"},
    {"browser"},
    {"cli", "__main__"},
]


def rank(module):
    return next(i for i, names in enumerate(RANKS) if module in names)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfvae"):
            parts = node.module.split(".")[1:]
            yield from parts[:1] or [name.name for name in node.names]
        elif isinstance(node, ast.Import):
            names = [name.name.split(".") for name in node.names]
            yield from (n[1] for n in names if n[0] == "tfvae" and len(n) > 1)


@pytest.mark.parametrize(
    "path", [p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py"], ids=str
)
def test_imports_point_one_way(path):
    home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports_of(path):
        if (PACKAGE / module).is_dir() or (PACKAGE / f"{module}.py").exists():
            assert rank(module) <= rank(home), f"{home} imports {module}"


def test_importing_the_package_leaves_heavy_libraries_alone():
    code = (
        "import sys, keras, tensorflow, tensorflow_probability\n"
        "before = set(sys.modules)\n"
        "import tfvae\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(new & {'tensorflow_datasets', 'matplotlib', 'sklearn', 'typer', 'PIL',"
        " 'tensorflow_serving', 'grpc', 'ai_edge_litert', 'selenium'})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "set()"


def classes():
    """Every class of the package, but the builders that TFDS registers."""
    for info in pkgutil.walk_packages(tfvae.__path__, "tfvae."):
        if not info.name.endswith(("__main__", "dataset_builder")):
            for value in vars(importlib.import_module(info.name)).values():
                if isinstance(value, type) and value.__module__ == info.name:
                    yield value


def bases(kind):
    return [base for base in kind.__mro__[1:] if base.__module__.startswith("tfvae.")]


# Bases that are no model of anything: they only bring methods along.
MIXED_IN = {"Configurable"}


def test_classes_are_abstract_or_final():
    for kind in classes():
        for base in bases(kind):
            assert isabstract(base) or base.__name__ in MIXED_IN, (kind, base)


def is_method(value):
    function = getattr(value, "fget", None) or getattr(value, "__func__", value)
    return getattr(function, "__module__", "").startswith("tfvae.")


def test_concrete_methods_are_overridden_nowhere():
    for kind in classes():
        for base in bases(kind):
            for name in vars(kind).keys() & vars(base).keys() - {"__init__"}:
                inherited = vars(base)[name]
                if is_method(inherited):
                    assert getattr(inherited, "__isabstractmethod__", False), (
                        f"{kind.__name__}.{name} overrides that of {base.__name__}"
                    )


def test_what_is_described_by_its_arguments_is_registered():
    for kind in classes():
        if issubclass(kind, Configurable) and not isabstract(kind) and bases(kind):
            name = f"tfvae>{kind.__name__}"
            assert keras.saving.get_registered_object(name) is kind, kind
