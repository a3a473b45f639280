import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "tfvae"

# A module imports those of rows above it, and of its own row.
RANKS = [
    {"checks"},
    {"config"},
    {"files"},
    {"seeds"},
    {"inputs"},
    {"conditional"},
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
    {"assembly", "loading", "presets", "recipes"},
    {"runs"},
    {"reports", "web"},
    {"publishing"},
    {"cli", "terminal"},
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
