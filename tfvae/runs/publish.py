"""Published models: every format of a run, a model card and a manifest."""

import json
import pathlib
from collections.abc import Iterable

import keras

from tfvae import checks, export, files
from tfvae.loading import load
from tfvae.runs import presets, report
from tfvae.runs.config import command
from tfvae.runs.folder import Run

# Sources of data: description and licence.
_DATA = {
    "mnist": ("MNIST, 28 x 28 digits (LeCun, Cortes, Burges)", "CC BY-SA 3.0"),
    "binarized_mnist": (
        "statically binarized MNIST (Larochelle and Murray)",
        "CC BY-SA 3.0",
    ),
    "fashion_mnist": ("Fashion-MNIST (Xiao, Rasul, Vollgraf)", "MIT"),
    "digits": ("optical digits of UCI, 8 x 8, from scikit-learn", "CC BY 4.0"),
    "nonlinear_ica": ("artificial mixtures of sources in segments", "none: artificial"),
    "sprites": ("sprites drawn by this package", "none: artificial"),
}

_CARD = """# {name}

{summary}. A `tfvae.{model}` of {weights:,} weights, {shape}.

| | |
|---|---|
| data | {data}, licence {data_licence} |
| training | `{command}`, {epochs} epochs, seed {seed} |
| licence | Apache-2.0, as the code; content of the data keeps the licence of the data |

## Figures

On {test_examples:,} test examples, by `tfvae evaluate{samples}`:

| figure | value | unit |
|---|---|---|
{figures}

## Files

- `1/`: SavedModel for TF Serving; signatures {signatures}.
- `{name}.tflite`: for LiteRT, float16, with {lite}; `{name}.tflite.json`
  describes its inputs and outputs.
- `{name}.keras`: for `tfvae.load("{name}")`, to use or train further in Python.
- `manifest.json`: the SHA-256 of every file.

## Intended use

Testing deployment, teaching, and a start for your own models. The model is small, to
fit into the repository; larger models of its kind do better. It knows only the images
of its data. Do not use it for decisions about people. SavedModel and TFLite files are
programs: run only files that you trust.
"""


def publish(run: Run, folder: pathlib.Path) -> pathlib.Path:
    """Writes the best model of a run as a published folder, whole or not at all.

    The folder holds a SavedModel version, a `.tflite` file in float16, a `.keras` file
    without the optimizer, a model card and a manifest of all files.

    Args:
        run: A trained and evaluated run.
        folder: A missing folder; its name becomes the name of the model.

    Returns:
        The folder.
    """
    if folder.exists():
        checks.fail("a folder that is not there yet", to=str(folder))
    if not (run.path / "metrics.json").exists():
        hint = "Run `tfvae evaluate` first."
        checks.fail("an evaluated run", hint=hint, run=str(run.path))
    model = load(run.model_file)
    with files.scratch(folder.parent) as scratch:
        export.to_saved_model(model, scratch)
        if model.lite_signatures():
            file = scratch / f"{folder.name}.tflite"
            export.to_tflite(model, file, quantize="float16")
        _bare(model).save(scratch / f"{folder.name}.keras")
        (scratch / "README.md").write_text(_card(run, model, folder.name))
        files.write_manifest(scratch)
        scratch.chmod(0o755)
        scratch.rename(folder)
    return folder


def _bare(model: keras.Model) -> keras.Model:
    """A copy without optimizers, which take twice the room of the weights."""
    bare = type(model).from_config(model.get_config())
    if not bare.built:
        bare.build((None, *model.event_shape))
    for source, target in zip(model.weights, bare.weights, strict=True):
        target.assign(source)
    return bare


def _card(run: Run, model: keras.Model, name: str) -> str:
    config = run.config
    preset, source = presets.get(config["preset"]), config["data"]["source"]
    data, data_licence = _DATA.get(source, (source, "as at its source"))
    figures = json.loads((run.path / "metrics.json").read_text())
    samples = figures.get("importance_samples")
    return _CARD.format(
        name=name,
        summary=preset.summary,
        model=type(model).__name__,
        weights=model.count_params(),
        shape=" x ".join(map(str, model.event_shape)),
        data=data,
        data_licence=data_licence,
        command=command(config),
        epochs=config["training"]["epochs"],
        seed=config["training"]["seed"],
        test_examples=figures["test_examples"],
        samples=f" --samples {samples}" if samples else "",
        figures="\n".join(f"| {' | '.join(row)} |" for row in report.rows(figures)),
        signatures=_names(model.signatures()),
        lite=_names(model.lite_signatures()),
    )


def _names(signatures: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in signatures)
