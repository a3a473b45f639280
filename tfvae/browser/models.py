"""Models for a page: exported, and described in the manifest of the page."""

import base64
import dataclasses
import math
import pathlib
import urllib.parse
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, files
from tfvae.export import parity, to_tflite
from tfvae.inputs import to_arrays
from tfvae.likelihoods import Bernoulli
from tfvae.loading import load
from tfvae.models import LadderVAE
from tfvae.priors import StandardNormal
from tfvae.runs import builders
from tfvae.runs.folder import Run
from tfvae.runs.training import trained
from tfvae.signatures import Signature

EXAMPLES = 10
# Rows of data from which the page orders the latents.
ROWS = 500


class Subject(NamedTuple):
    """A model to show, with example data.

    Attributes:
        model: A built model of images, from this package.
        x: Data `[rows, *event_shape]`; samples of the model if None.
        labels: Labels `[rows]`.
    """

    model: keras.Model
    x: np.ndarray | None = None
    labels: np.ndarray | None = None


def of_run(run: Run) -> Subject:
    """Returns the best model of a run with test data, to show on a page."""
    model, config = load(run.model_file), run.config
    try:
        test = builders.datasets(config, config["labels"]).test
    except (OSError, ValueError, RuntimeError) as error:
        warnings.warn(f"Samples stand in for the test data: {error}", stacklevel=2)
        return Subject(model)
    x, labels = to_arrays(test)
    some = np.random.default_rng(0).permutation(len(x))[:ROWS]  # may be sorted
    return Subject(model, x[some], None if labels is None else labels[some])


def subjects(places: Sequence[pathlib.Path]) -> dict[str, Subject]:
    """Returns models by name, from folders of runs and names of published models."""
    names = [path.resolve().name for path in places]
    if len(set(names)) < len(names):
        checks.fail("folders of different names", run=names)
    return {
        name: of_run(trained(path)) if path.is_dir() else Subject(load(path))
        for name, path in zip(names, places, strict=True)
    }


def check(model: keras.Model) -> None:
    """Raises an error if a page cannot show the model."""
    parity.check_model(model)
    shape, condition = model.event_shape, model.condition
    if len(shape) != 3 or shape[-1] not in (1, 3):
        checks.fail("of grey or color images", model=f"of x of shape {list(shape)}")
    if condition and not condition.num_classes:
        checks.fail("of x alone, or of x given labels", model=f"of {condition.name}")
    if not model.lite_signatures():
        raise RuntimeError(f"TFLite lacks the operators of a {type(model).__name__}.")


def entry(folder: pathlib.Path, name: str, subject: Subject) -> dict[str, Any]:
    """Exports a model to the folder; returns its entry in the manifest."""
    model = subject.model
    file = pathlib.Path("models") / f"{name}.tflite"
    to_tflite(ForPage(model), folder / file, batch_size=1)
    (folder / f"{file}.json").unlink()  # the manifest holds the same
    return {
        "name": name,
        "model": type(model).__name__,
        "file": urllib.parse.quote(file.as_posix()),
        "sha256": files.sha256(folder / file),
        "shape": list(model.event_shape),
        "levels": _levels(model),
        "condition": model.condition.name if model.condition else None,
        "num_classes": _num_classes(model),
        "noise_dim": model.inputs["noise"].shape[-1],
        **_latents(model, subject),
        "examples": _examples(model, subject),
    }


class ForPage:
    """A model with only the signatures that the page uses.

    LiteRT.js reads only files with tensors of float32, int32 and uint8, so `observed`
    is 0 or 1 in float32. `prior_sample` gives z, for the sliders; the page itself draws
    z from a standard normal prior.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """Returns `complete`; or `decode`, and `encode` and `prior_sample` if any."""
        model, lite = self.model, self.model.lite_signatures()
        if "complete" in lite:
            return {"complete": _without_booleans(lite["complete"])}
        chosen = {name: lite[name] for name in ("encode", "decode") if name in lite}
        prior = getattr(model, "prior", None)
        if prior is not None and not isinstance(prior, StandardNormal):

            def prior_sample(noise: tf.Tensor, context: Any) -> dict[str, tf.Tensor]:
                return {"z": prior.from_noise(prior.params(context), noise)[0]}

            chosen["prior_sample"] = model.entry(prior_sample, "noise")
        return chosen


def _without_booleans(signature: Signature) -> Signature:
    inputs = [
        dataclasses.replace(i, dtype=tf.float32) if i.dtype.is_bool else i
        for i in signature.inputs
    ]
    return Signature(
        lambda observed, **others: signature.function(
            observed=observed > 0.5, **others
        ),
        tuple(inputs),
    )


def _num_classes(model: keras.Model) -> int:
    return model.condition.num_classes if model.condition else 0


def _levels(model: keras.Model) -> int | None:
    """Number of levels of x; None if x may have any value."""
    likelihood = getattr(model, "likelihood", None)
    if hasattr(model, "complete") and isinstance(likelihood, Bernoulli):
        return 2
    return getattr(likelihood, "levels", None)


def _latents(model: keras.Model, subject: Subject) -> dict[str, Any]:
    """The latents by decreasing spread of their means, and the range of the sliders.

    Of a ladder the sliders are those of the coarsest level; `level_sizes` are the
    numbers of latents of all levels.
    """
    if not hasattr(model, "decode"):
        return {}
    order, span, sizes = np.arange(model.latent_dim), 3.0, []
    if isinstance(model, LadderVAE):
        sizes = [math.prod(shape) for shape in model.trunk.latent_shapes]
    if hasattr(model, "encode") and subject.x is not None:
        x, labels = subject.x[:ROWS], subject.labels if model.condition else None
        z = np.asarray(model.encode(x, None if labels is None else labels[:ROWS]))
        order, span = np.argsort(-z.std(axis=0)), max(span, np.quantile(abs(z), 0.999))
    if sizes:
        order = order[order < sizes[0]]
    latent = {"latent_dim": model.latent_dim, "order": order.tolist()}
    return latent | {"span": float(np.ceil(span)), "level_sizes": sizes}


def _examples(model: keras.Model, subject: Subject) -> list[dict[str, Any]]:
    """Up to `EXAMPLES` images as bytes: one for each label, first rows, or samples."""
    x, labels = subject.x, subject.labels
    if x is None:
        labels = np.arange(EXAMPLES) % max(1, _num_classes(model))
        x = model.sample(EXAMPLES, 0, *([labels] if model.condition else []))
        labels = labels if model.condition else None
    rows = np.arange(min(EXAMPLES, len(x)))
    if labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu":
        rows = np.unique(labels, return_index=True)[1][:EXAMPLES]
    else:
        labels = None
    pixels = np.round(255 * np.clip(x, 0, 1)).astype("uint8")
    return [
        {
            "label": None if labels is None else int(labels[row]),
            "bytes": base64.b64encode(pixels[row].tobytes()).decode(),
        }
        for row in rows
    ]
