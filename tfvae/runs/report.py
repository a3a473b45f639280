"""Figures, pictures, samples and exports of the best model of a run."""

import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, likelihoods, metrics, plots
from tfvae.export import to_saved_model, to_tflite
from tfvae.files import whole
from tfvae.inputs import to_arrays
from tfvae.loading import load
from tfvae.metrics.latent import is_gaussian
from tfvae.models import GAN, LadderVAE
from tfvae.models.latent import LatentVariableModel
from tfvae.plots.latents import ACTIVE
from tfvae.runs import builders
from tfvae.runs.folder import Run

# Numbers by name.
Figures = dict[str, float]
# Data: x, or x and what comes beside it.
Data = np.ndarray | tuple[np.ndarray, np.ndarray | None]

# Rows of a report: text, name of the figure, unit.
FIGURES = [
    ("ELBO, test", "test_elbo", "nats"),
    ("reconstruction, test", "test_reconstruction", "nats"),
    ("KL, test", "test_kl", "nats"),
    ("-log p(x) per pixel", "bits_per_dim", "bits"),
    ("information on x", "mutual_information", "nats"),
    ("loss of the generator, test", "test_generator_loss", "nats"),
    ("loss of the encoder, test", "test_encoder_loss", "nats"),
    ("loss of the decoder, test", "test_decoder_loss", "nats"),
    ("loss of the discriminator, test", "test_discriminator_loss", "nats"),
    ("sharpness of samples", "sample_sharpness", "of the data's"),
]
# Likelihoods of discrete x.
DISCRETE = (
    likelihoods.Bernoulli,
    likelihoods.Categorical,
    likelihoods.ColorLogistic,
    likelihoods.DiscretizedLogistic,
)


def evaluate(run: Run, num_samples: int = 1000) -> Figures:
    """Evaluates the best model on the whole test split; writes `metrics.json`.

    Args:
        run: A run with a trained model.
        num_samples: Importance samples for log p(x), for each example.

    Returns:
        Numbers by name, in nats per example unless the name says otherwise.
    """
    begin, model = time.monotonic(), load(run.model_file)
    x = _joined(builders.datasets(run.config).test)
    terms = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
    figures = {f"test_{name}": value for name, value in terms.items()}
    if isinstance(model, LatentVariableModel):
        figures |= _of_latents(model, x)
    if len(model.players) > 1:  # its density was not trained
        figures |= _of_samples(model, x)
    else:
        figures |= _of_density(model, x, num_samples)
    figures["test_examples"] = len(x[0] if isinstance(x, tuple) else x)
    figures["seconds"] = round(time.monotonic() - begin, 1)
    run.write("metrics.json", json.dumps(figures, indent=2))
    return figures


def _of_density(model: keras.Model, x: Data, num_samples: int) -> Figures:
    figures: Figures = {}
    if isinstance(model, LatentVariableModel):
        log_p = metrics.log_marginal(model, x, num_samples)
        figures["importance_samples"] = num_samples
    else:
        log_p = np.asarray(model.log_prob(x))
    error = log_p.std() / len(log_p) ** 0.5
    figures["test_log_marginal"] = float(log_p.mean())
    figures["test_log_marginal_standard_error"] = float(error)
    if isinstance(model.likelihood, DISCRETE):  # a density has no bits
        bits = metrics.bits_per_dim(log_p.mean(), model.event_shape)
        figures["bits_per_dim"] = float(bits)
    return figures


def _of_samples(model: keras.Model, x: Data) -> Figures:
    if len(model.event_shape) != 3 or min(model.event_shape[:2]) < 3:
        return {}
    x = _rows(x, 1000)
    samples = np.asarray(model.sample(len(x), seed=0))
    sharpness = [metrics.sharpness(images) for images in (samples, x)]
    return {"sample_sharpness": sharpness[0] / sharpness[1]}


def _of_latents(model: keras.Model, x: Data) -> Figures:
    figures = {
        "active_units": metrics.active_units(model, x),
        "latent_dim": model.latent_dim,
    }
    if isinstance(model, LadderVAE):
        return figures
    one = {name: value[:1] for name, value in model.check_data(x).items()}
    if is_gaussian(
        model.posterior.distribution(model.posterior_params(tuple(one.values())))
    ):
        some = _rows(x, 5000)
        figures["mutual_information"] = metrics.mutual_information(model, some)
    return figures


def examples(run: Run) -> Data:
    """Returns 100 random rows of the validation data; pairs if the model takes u."""
    return _rows(_joined(builders.datasets(run.config).valid), 100)


def rows(figures: Figures) -> Iterator[tuple[str, str, str]]:
    """Yields the rows of a report: name, value and unit, as strings."""
    if "test_log_marginal" in figures:
        log_p, error = figures["test_log_marginal"], "test_log_marginal_standard_error"
        yield "log p(x), test", f"{log_p:.2f} ± {figures[error]:.2f}", "nats"
    for label, key, unit in FIGURES:
        if key in figures:
            yield label, f"{figures[key]:.{4 if unit == 'bits' else 2}f}", unit
    for key in (key for key in figures if key.startswith("test_kl_")):
        yield f"KL of level {key[8:]}, test", f"{figures[key]:.2f}", "nats"
    if "active_units" in figures:
        of = f"of {figures['latent_dim']}"
        yield "active units", str(figures["active_units"]), of


def draw(run: Run) -> list[pathlib.Path]:
    """Writes the pictures that suit the best model and its data; returns paths."""
    model, config = load(run.model_file), run.config
    data = _joined(builders.datasets(config, config["labels"]).test)
    x, labels = data = _rows(data if config["labels"] else (data, None), 2000)
    are_images = len(model.event_shape) == 3 and model.event_shape[-1] in (1, 3)
    drawable = are_images and not model.condition
    figures = {"samples": plots.samples(model, 64)} if drawable else {}
    if isinstance(model, LatentVariableModel):
        figures |= _latent_figures(model, data if model.condition else x, labels)
        figures |= _image_figures(model, x) if drawable else {}
        if isinstance(model, LadderVAE):
            figures |= _ladder_figures(model, x, drawable)
    elif isinstance(model, GAN):
        figures |= {"traversals": plots.traversals(model)} if drawable else {}
    elif drawable:
        upper = np.arange(model.event_shape[0])[:, None, None] < len(x[0]) // 2
        figures["completions"] = plots.completions(model, x[:10], upper)
    return [whole(run.path / f"{k}.png", v.savefig) for k, v in figures.items()]


def sample(run: Run, num_samples: int, seed: int, path: pathlib.Path) -> pathlib.Path:
    """Writes a picture of samples of the best model; returns its path."""
    if not path.suffix:
        checks.fail("a file with an ending, such as samples.png", out=str(path))
    model = load(run.model_file)
    if model.condition:
        hint = "In Python: tfvae.load(file).sample(num_samples, u=...)."
        checks.fail("of a model without u", hint=hint, run=str(run.path))
    figure = plots.samples(model, num_samples, seed=seed)
    return whole(path, figure.savefig)


def export(
    run: Run,
    saved_model: pathlib.Path | None = None,
    tflite: pathlib.Path | None = None,
    quantize: str | None = None,
) -> list[pathlib.Path]:
    """Exports the best model of a run; returns paths.

    Args:
        run: A run with a trained model.
        saved_model: Folder of SavedModel versions.
        tflite: File for TFLite. Without either, both are written into the run.
        quantize: As in `tfvae.export.to_tflite`.
    """
    model, paths = load(run.model_file), []
    lite, both = tflite or quantize, not (saved_model or tflite or quantize)
    # The TFLite file first: it is replaced as a whole, but a version is added.
    if lite or (both and model.lite_signatures()):
        file = tflite or run.path / f"{run.config['preset']}.tflite"
        data = examples(run) if quantize == "int8" else None
        options = {"quantize": quantize, "representative_data": data}
        paths = [to_tflite(model, file, **options)]
    if saved_model or both:
        folder = saved_model or run.path / "saved_model"
        paths = [to_saved_model(model, folder), *paths]
    return paths


def _latent_figures(
    model: keras.Model, x: Data, labels: np.ndarray | None
) -> dict[str, Any]:
    figures = {}
    if not isinstance(model, LadderVAE):
        kl = metrics.kl_per_dimension(model, x)
        figures["kl_per_dimension"] = plots.kl_per_dimension(kl)
    if model.latent_dim > 1:
        figures["latent"] = plots.latent_scatter(model, x, labels)
    return figures


def _image_figures(model: keras.Model, x: np.ndarray) -> dict[str, Any]:
    figures = {
        "reconstructions": plots.reconstructions(model, x[:10]),
        "interpolations": plots.interpolations(model, x[:5], x[-5:]),
    }
    if model.latent_dim == 2:
        figures["manifold"] = plots.manifold(model)
    if not isinstance(model, LadderVAE):
        figures["traversals"] = plots.traversals(model)
    return figures


def _ladder_figures(model: LadderVAE, x: Data, drawable: bool) -> dict[str, Any]:
    kl = metrics.kl_per_channel(model, x)
    figures = {"kl_per_channel": plots.kl_per_channel(kl)}
    if not drawable:
        return figures
    active = np.argsort(-kl[0])[: max(1, (kl[0] > ACTIVE).sum())]
    z, channels = model.encode(x[:1]), active.tolist()
    return figures | {
        "levels": plots.levels(model, x[:10]),
        "temperatures": plots.temperatures(model),
        "traversals": plots.traversals(model, z, dimensions=channels),
    }


def _joined(dataset: tf.data.Dataset) -> Data:
    """All examples of a data set: an array, or a pair of x and labels."""
    x, y = to_arrays(dataset)
    return x if y is None else (x, y)


def _rows(data: Any, limit: int) -> Any:
    """Random rows, at most `limit`: the first rows may all have one label."""
    first = data[0] if isinstance(data, tuple) else data
    some = np.random.default_rng(0).permutation(len(first))[:limit]
    if not isinstance(data, tuple):
        return data[some]
    return tuple(None if part is None else part[some] for part in data)
