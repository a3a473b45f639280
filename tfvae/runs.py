"""A training run in a folder: trained, resumed, evaluated, pictured, exported."""

import csv
import dataclasses
import json
import os
import pathlib
import time

import keras
import numpy as np

from tfvae import checks, data, export, likelihoods, metrics, plots, presets
from tfvae.loading import load

# Seconds between two checkpoints.
INTERVAL = 10
# Optimizer steps between two returns to Python.
STEPS = 10


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of a run, below one folder."""

    path: pathlib.Path

    @property
    def config(self):
        """What was asked for, as `presets.configure` gives it."""
        try:
            return json.loads((self.path / "config.json").read_text())
        except (OSError, json.JSONDecodeError) as error:
            expected = "the folder of a run, with its config.json"
            raise ValueError(
                f"`run` must be {expected}. Received: run={str(self.path)!r}."
            ) from error

    @property
    def model_file(self):
        """The best model so far."""
        return self.path / "model.keras"

    @property
    def checkpoint_file(self):
        """The model as training left it, to resume from."""
        return self.path / "checkpoint.keras"

    @property
    def history_file(self):
        """The terms of each epoch."""
        return self.path / "history.csv"

    def write(self, name, value):
        """Writes a value as JSON to a file of the run, whole or not at all."""
        temporary = self.path / f".tmp-{name}"
        temporary.write_text(json.dumps(value, indent=2) + "\n")
        os.replace(temporary, self.path / name)
        return self.path / name


def create(path, config, force=False):
    """Starts a run folder with its configuration.

    Raises:
        ValueError: Where the folder already holds something and `force` is not given.
    """
    run = Run(pathlib.Path(path))
    names = {p.name for p in run.path.iterdir()} if run.path.is_dir() else set()
    if run.path.is_file() or names - {"config.json"}:
        if not force or "config.json" not in names:
            expected = "a new or empty folder, or a run with --force or --resume"
            checks.fail(expected, out=str(path))
        for name in (run.model_file, run.checkpoint_file, run.history_file):
            name.unlink(missing_ok=True)
    run.path.mkdir(parents=True, exist_ok=True)
    run.write("config.json", config)
    return run


class Keeper(keras.callbacks.Callback):
    """Keeps the best weights by `val_elbo`, saves at intervals, stops early.

    Args:
        run: Where to save.
        patience: Epochs without a better `val_elbo` before training stops.
        history: Rows of earlier epochs, when a run is resumed.
        best: Weights of the best of them.
    """

    def __init__(self, run, patience, history=(), best=None):
        super().__init__()
        self.run = run
        self.patience = checks.integer(patience=patience)
        self.history = list(history)
        self.best = best
        self._saved = time.monotonic()

    @property
    def best_epoch(self):
        """Index of the epoch with the best `val_elbo`."""
        return int(np.argmax([row["val_elbo"] for row in self.history]))

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch, and decides what to keep and whether to go on."""
        self.history.append({"epoch": epoch + 1, **logs})
        if self.best_epoch == len(self.history) - 1:
            self.best = self.model.get_weights()
        if len(self.history) - self.best_epoch > self.patience:
            self.model.stop_training = True
        if time.monotonic() - self._saved > INTERVAL:
            self.save()

    def save(self):
        """Writes history, checkpoint and best model, each whole or not at all."""
        last = self.model.get_weights()
        _save(self.model, self.run.checkpoint_file)
        self.model.set_weights(self.best)
        _save(self.model, self.run.model_file)
        self.model.set_weights(last)
        _write_history(self.run.history_file, self.history)
        self._saved = time.monotonic()


def train(run, callbacks=()):
    """Trains, or goes on training, until the epochs are done or patience is out.

    Args:
        run: A `Run`; where it has a checkpoint, training goes on from there.
        callbacks: Further Keras callbacks.

    Returns:
        A list of dicts, the terms of each epoch.
    """
    config = run.config
    settings = config["training"]
    keras.utils.set_random_seed(checks.integer(minimum=0, seed=settings["seed"]))
    splits = datasets(config)
    model, keeper = _resume(run) if run.checkpoint_file.exists() else _start(run, splits)
    model.fit(
        splits.train,
        validation_data=splits.valid,
        epochs=checks.integer(epochs=settings["epochs"]),
        initial_epoch=len(keeper.history),
        callbacks=[keeper, *callbacks],
        verbose=0,
    )
    keeper.save()
    return keeper.history


def datasets(config, labels=False):
    """The `data.Splits` of a configuration; with labels as pairs where there are any."""
    return data.load(
        **config["data"],
        batch_size=config["training"]["batch_size"],
        seed=config["training"]["seed"],
        labels=labels,
    )


def evaluate(run, num_samples=1000):
    """Figures of the best model on the whole test split, written to `metrics.json`.

    Args:
        run: A `Run` with a trained model.
        num_samples: Draws for the marginal likelihood.

    Returns:
        A dict of numbers in nats per example, unless the name says otherwise.
    """
    model = load(run.model_file)
    x = np.concatenate(list(datasets(run.config).test))
    start = time.monotonic()
    terms = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
    log_p = metrics.log_marginal(model, x, num_samples)
    figures = {
        **{f"test_{name}": value for name, value in terms.items()},
        "test_log_marginal": float(log_p.mean()),
        "test_log_marginal_standard_error": float(log_p.std() / len(x) ** 0.5),
        "importance_samples": num_samples,
        **_bits(model, log_p),
        "active_units": metrics.active_units(model, x),
        "latent_dim": model.latent_dim,
        "mutual_information": metrics.mutual_information(model, x[:5000]),
        "test_examples": len(x),
        "seconds": round(time.monotonic() - start, 1),
    }
    run.write("metrics.json", figures)
    return figures


def draw(run):
    """Pictures of the best model on test data.

    Returns:
        A list of the paths written.
    """
    model, (x, labels) = load(run.model_file), _test_examples(run)
    figures = {
        "samples": plots.samples(model, 64),
        "reconstructions": plots.reconstructions(model, x[:10]),
        "interpolations": plots.interpolations(model, x[:5], x[5:10]),
        "traversals": plots.traversals(model),
        "latent": plots.latent_scatter(model, x, labels),
        "kl_per_dimension": plots.kl_per_dimension(metrics.kl_per_dimension(model, x)),
    }
    if model.latent_dim == 2:
        figures["manifold"] = plots.manifold(model)
    for name, figure in figures.items():
        figure.savefig(run.path / f"{name}.png")
    return [run.path / f"{name}.png" for name in figures]


def sample(run, num_samples, seed, path):
    """Draws samples of the best model as a picture.

    Returns:
        The path written.
    """
    figure = plots.samples(load(run.model_file), num_samples, seed=seed)
    figure.savefig(path)
    return path


def export_models(run, saved_model=None, tflite=None):
    """Exports the best model as a SavedModel version and a `.tflite` file.

    Args:
        run: A `Run` with a trained model.
        saved_model: Folder of the versions; `saved_model` in the run when left out.
        tflite: File; named after the preset in the run when left out.

    Returns:
        A list of the paths written.
    """
    model = load(run.model_file)
    folder = saved_model or run.path / "saved_model"
    file = tflite or run.path / f"{run.config['preset']}.tflite"
    return [export.to_saved_model(model, folder), export.to_tflite(model, file)]


def _bits(model, log_p):
    """Bits for each pixel, of a likelihood of discrete x: a density has none."""
    if not isinstance(model.likelihood, likelihoods.Bernoulli):
        return {}
    bits = metrics.bits_per_dim(log_p.mean(), model.event_shape)
    return {"bits_per_dim": float(bits)}


def _start(run, splits):
    config = run.config
    shape = splits.train.element_spec.shape[1:]
    model = presets.get(config["preset"]).build(tuple(shape), **config["model"])
    settings = config["training"]
    rate = checks.number(minimum=0, learning_rate=settings["learning_rate"])
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=STEPS)
    return model, Keeper(run, settings["patience"])


def _resume(run):
    model, best = load(run.checkpoint_file), load(run.model_file)
    history = _read_history(run.history_file)
    patience = run.config["training"]["patience"]
    return model, Keeper(run, patience, history, best.get_weights())


def _test_examples(run, limit=2000):
    """Examples of the test split in random order, with labels or None."""
    has_labels = run.config["labels"]
    batches = list(datasets(run.config, labels=has_labels).test)
    if not has_labels:
        batches = [(x,) for x in batches]
    columns = [np.concatenate(column) for column in zip(*batches, strict=True)]
    order = np.random.default_rng(0).permutation(len(columns[0]))[:limit]
    x, *labels = (column[order] for column in columns)
    return x, labels[0] if labels else None


def _save(model, path):
    temporary = path.with_name(f".tmp-{path.name}")
    model.save(temporary)
    os.replace(temporary, path)


def _write_history(path, history):
    temporary = path.with_name(f".tmp-{path.name}")
    with open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    os.replace(temporary, path)


def _read_history(path):
    with open(path, newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
