"""Models as a page wants them: exported, and described in its manifest."""

import base64
import pathlib
import urllib.parse
import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfvae import checks, files, presets, runs
from tfvae.export import parity, to_tflite
from tfvae.inputs import to_arrays
from tfvae.likelihoods import Bernoulli
from tfvae.loading import load
from tfvae.priors import StandardNormal
from tfvae.signatures import Signature

EXAMPLES = 10
# Rows that tell which latents say most.
ROWS = 500


class Subject(NamedTuple):
    """A model to show, and data to begin with.

    Attributes:
        model: A built model of this package, of images.
        x: Data `[rows, *event_shape]`, or None for samples of the model.
        labels: Labels `[rows]`, or None.
    """

    model: object
    x: np.ndarray | None = None
    labels: np.ndarray | None = None


def of_run(run):
    """The `Subject` of a trained run: its best model and its test data.

    Args:
        run: A `runs.Run`.
    """
    model, config = load(run.model_file), run.config
    try:
        test = presets.datasets(config, config["labels"]).test
    except (OSError, ValueError, RuntimeError) as error:
        warnings.warn(f"Samples stand in for the test data: {error}", stacklevel=2)
        return Subject(model)
    x, labels = to_arrays(test)
    some = np.random.default_rng(0).permutation(len(x))[:ROWS]  # may be sorted by class
    return Subject(model, x[some], None if labels is None else labels[some])


def subjects(places):
    """A dict of `Subject` by name, of folders of runs and names of published models.

    Raises:
        FileNotFoundError: Where there is no such folder or name.
        ValueError: Where two have the same name, or a run has no model.
    """
    names = [path.resolve().name for path in places]
    if len(set(names)) < len(names):
        checks.fail("folders of different names", run=names)
    return {
        name: of_run(runs.trained(path)) if path.is_dir() else Subject(load(path))
        for name, path in zip(names, places, strict=True)
    }


def check(model):
    """Refuses a model that a page cannot show."""
    shape, condition = parity.check_model(model) and model.event_shape, model.condition
    if len(shape) != 3 or shape[-1] not in (1, 3):
        checks.fail("of grey or color images", model=f"of x of shape {list(shape)}")
    if condition and not condition.num_classes:
        checks.fail("of x alone, or of x given labels", model=f"of {condition.name}")
    if not model.lite_signatures():
        raise RuntimeError(f"TFLite lacks the operators of a {type(model).__name__}.")


def entry(folder, name, subject):
    """Exports a model to the folder; gives what the manifest says of it."""
    model = subject.model
    file = pathlib.Path("models") / f"{name}.tflite"
    to_tflite(ForPage(model), folder / file, batch_size=1)
    (folder / f"{file}.json").unlink()  # the manifest has all of it
    noise, *_ = model.lite_signatures()["sample"].inputs
    return {
        "name": name,
        "model": type(model).__name__,
        "file": urllib.parse.quote(file.as_posix()),
        "sha256": files.sha256(folder / file),
        "shape": list(model.event_shape),
        "levels": _levels(model),
        "condition": model.condition.name,
        "num_classes": model.condition.num_classes,
        "noise_dim": noise.shape[-1],
        **_latents(model, subject),
        "examples": _examples(model, subject),
    }


class ForPage:
    """A model with those signatures only that the page uses.

    LiteRT.js has tensors of float32, int32 and uint8, and refuses files with others, so
    `observed` is 0 or 1 in float32. The prior is asked for z, to set sliders to it.
    """

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def lite_signatures(self, batch_size=1):
        """`complete`, or `decode` and what there is of `encode` and `prior_sample`."""
        model, lite = self.model, self.model.lite_signatures()
        if "complete" in lite:
            return {"complete": _without_booleans(lite["complete"])}
        chosen = {name: lite[name] for name in ("encode", "decode") if name in lite}
        prior = getattr(model, "prior", None)
        if prior is not None and not isinstance(prior, StandardNormal):
            chosen["prior_sample"] = lite["sample"]._replace(
                function=lambda noise, u=None: {
                    "z": prior.from_noise(noise, model.condition.context(u))
                }
            )
        return chosen


def _without_booleans(signature):
    inputs = [
        tf.TensorSpec(spec.shape, tf.float32, spec.name) if spec.dtype.is_bool else spec
        for spec in signature.inputs
    ]
    return Signature(
        lambda observed, **others: signature.function(
            observed=observed > 0.5, **others
        ),
        tuple(inputs),
    )


def _levels(model):
    """Number of levels that x has to have; None where any value will do."""
    likelihood = getattr(model, "likelihood", None)
    if hasattr(model, "complete") and isinstance(likelihood, Bernoulli):
        return 2
    return getattr(likelihood, "levels", None)


def _latents(model, subject):
    """Latents in the order of what they tell of x, and how far sliders should go."""
    if not hasattr(model, "decode"):
        return {}
    order, span = np.arange(model.latent_dim), 3.0
    if hasattr(model, "encode") and subject.x is not None:
        x, labels = subject.x[:ROWS], subject.labels if model.condition else None
        z = np.asarray(model.encode(x, None if labels is None else labels[:ROWS]))
        order, span = np.argsort(-z.std(axis=0)), max(span, np.quantile(abs(z), 0.999))
    latent = {"latent_dim": model.latent_dim, "order": order.tolist()}
    return latent | {"span": float(np.ceil(span))}


def _examples(model, subject):
    """A few rows of data, of as many labels as there are, or samples; as bytes."""
    x, labels = subject.x, subject.labels
    if x is None:
        labels = np.arange(EXAMPLES) % max(1, model.condition.num_classes)
        x = model.sample(EXAMPLES, 0, *([labels] if model.condition else []))
        labels = labels if model.condition else None
    rows = range(min(EXAMPLES, len(x)))
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
