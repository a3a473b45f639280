"""A training run in a folder: trained, resumed, evaluated, pictured, exported."""

import contextlib
import csv
import dataclasses
import json
import os
import pathlib
import time
import warnings

import keras
import numpy as np

from tfvae import checks, data, export, likelihoods, metrics, plots, presets
from tfvae.loading import load

# Seconds between two checkpoints.
INTERVAL = 10
# Optimizer steps between two returns to Python.
STEPS = 10
PICTURES = (
    "samples",
    "reconstructions",
    "interpolations",
    "traversals",
    "manifold",
    "latent",
    "kl_per_dimension",
)


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of a run, below one folder."""

    path: pathlib.Path

    @property
    def config(self):
        """What was asked for, as `presets.configure` gives it."""
        file = self.path / "config.json"
        try:
            return presets.check(json.loads(file.read_text()))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"`run` must be a folder with the config.json of a run. "
                f"Received: run={str(self.path)!r} ({error})."
            ) from error

    @property
    def model_file(self):
        """The best model so far."""
        return self.path / "model.keras"

    @property
    def history_file(self):
        """The terms of each epoch."""
        return self.path / "history.csv"

    @property
    def checkpoints(self):
        """The model as training left it, by epoch, to resume from; oldest first."""
        files = self.path.glob("checkpoint-*.keras")
        return sorted(files, key=_epoch)

    def write(self, name, value):
        """Writes a value as JSON to a file of the run, whole or not at all."""
        with _replacing(self.path / name) as temporary:
            temporary.write_text(json.dumps(value, indent=2) + "\n")

    def clear(self):
        """Removes what training and evaluation wrote; exported models stay."""
        pictures = [self.path / f"{name}.png" for name in PICTURES]
        figures = [self.model_file, self.history_file, self.path / "metrics.json"]
        for file in (*self.checkpoints, *figures, *pictures, *self.path.glob(".tmp-*")):
            file.unlink(missing_ok=True)


@dataclasses.dataclass(frozen=True)
class Training:
    """A run with everything that training takes: all of it was checked.

    Attributes:
        run: Where the files go.
        splits: Train, valid and test data.
        model: The model, compiled, as the last epoch left it.
        keeper: The callback that saves.
        epochs: Number of the epoch to stop after.
    """

    run: Run
    splits: data.Splits
    model: keras.Model
    keeper: keras.callbacks.Callback
    epochs: int


def start(path, config, force=False):
    """Starts a run in a folder; what is wrong is found before a file is touched.

    Args:
        path: A folder that is empty or not there, or with `force` that of a run.
        config: As `presets.configure` gives it.
        force: Whether to replace the run in the folder.

    Returns:
        A `Training`.

    Raises:
        TypeError: Where a setting is of the wrong kind.
        ValueError: Where the folder is taken, or data or settings are not usable.
    """
    run = Run(pathlib.Path(path))
    _check_free(run, force)
    training = _begin(run, config)
    run.path.mkdir(parents=True, exist_ok=True)
    run.clear()
    run.write("config.json", config)
    return training


def resume(path, epochs=None):
    """Goes on with a run from its last checkpoint, or from its start without one.

    Args:
        path: Folder of the run.
        epochs: Number of the epoch to stop after; as first asked when left out.

    Returns:
        A `Training`.

    Raises:
        ValueError: Where there is no run, or its files cannot be read.
    """
    run = Run(pathlib.Path(path))
    config = run.config
    if epochs is not None:
        config["training"]["epochs"] = epochs
    if run.checkpoints:
        training = _go_on(run, config)
    else:
        warnings.warn(f"{path} has no checkpoint: starting anew.", stacklevel=2)
        training = _begin(run, config)
    run.write("config.json", config)
    return training


class Keeper(keras.callbacks.Callback):
    """Keeps the best weights by `val_elbo`, saves at intervals, stops early.

    Args:
        run: Where to save.
        patience: Epochs without a better `val_elbo` before training stops.
        history: Rows of earlier epochs, when a run is resumed.
    """

    def __init__(self, run, patience, history=()):
        super().__init__()
        self.run = run
        self.patience = checks.integer(patience=patience)
        self.history = list(history)
        self._state = self._best = None  # of the last epoch, of a best not yet saved
        self._saved = time.monotonic()

    @property
    def best_epoch(self):
        """Number of the epoch with the best `val_elbo`; 0 before the first."""
        bounds = [-np.inf, *(row["val_elbo"] for row in self.history)]
        return int(np.argmax(np.nan_to_num(bounds, nan=-np.inf)))

    @property
    def out_of_patience(self):
        """Whether too many epochs have gone by since the best."""
        return len(self.history) - self.best_epoch >= self.patience

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch, and decides what to keep and whether to go on."""
        self.history.append({"epoch": epoch + 1, **logs})
        self._state = [np.array(v) for v in self._variables()]
        if self.best_epoch == len(self.history):
            self._best = self.model.get_weights()
        if self.out_of_patience:
            self.model.stop_training = True
        if time.monotonic() - self._saved > INTERVAL:
            self.save()

    def save(self):
        """Writes best model, history and checkpoint, as the last whole epoch left them.

        The checkpoint comes last: what it says is in the other files too.
        """
        if self._state is None:
            return
        if self._best is not None:
            self.model.set_weights(self._best)
            _save(self.model, self.run.model_file)
        for variable, value in zip(self._variables(), self._state, strict=True):
            variable.assign(value)
        _write_history(self.run.history_file, self.history)
        _save(self.model, self.run.path / f"checkpoint-{len(self.history)}.keras")
        for file in self.run.checkpoints[:-2]:
            file.unlink()
        self._state = self._best = None
        self._saved = time.monotonic()

    def _variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]


def train(training, callbacks=()):
    """Trains until the epochs are done or patience is out; saves however it ends.

    Args:
        training: What `start` or `resume` gave.
        callbacks: Further Keras callbacks.

    Returns:
        A list of dicts, the terms of each epoch.

    Raises:
        FloatingPointError: Where no epoch had a finite `val_elbo`.
    """
    keeper, splits = training.keeper, training.splits
    if len(keeper.history) < training.epochs and not keeper.out_of_patience:
        try:
            training.model.fit(
                splits.train,
                validation_data=splits.valid,
                epochs=training.epochs,
                initial_epoch=len(keeper.history),
                callbacks=[keeper, *callbacks],
                verbose=0,
            )
        finally:
            keeper.save()
    if not keeper.best_epoch:
        raise FloatingPointError(
            "Training gave no finite val_elbo. Lower the learning rate, for instance "
            "--set learning_rate=1e-4."
        )
    return keeper.history


def datasets(config, labels=False):
    """The `data.Splits` of a configuration, as pairs with labels where asked."""
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
        "mutual_information": metrics.mutual_information(model, x[_some(x, 5000)]),
        "test_examples": len(x),
        "seconds": round(time.monotonic() - start, 1),
    }
    run.write("metrics.json", figures)
    return figures


def draw(run):
    """Pictures of the best model on test data, those that its kind of data allows.

    Returns:
        A list of the paths written.
    """
    model, (x, labels) = load(run.model_file), _test_examples(run)
    figures = _image_figures(model, x) if _is_image(model.event_shape) else {}
    if model.latent_dim > 1:
        figures["latent"] = plots.latent_scatter(model, x, labels)
    kl = metrics.kl_per_dimension(model, x)
    figures["kl_per_dimension"] = plots.kl_per_dimension(kl)
    names = [name for name in PICTURES if name in figures]
    return [_save_figure(figures[name], run.path / f"{name}.png") for name in names]


def sample(run, num_samples, seed, path):
    """Draws samples of the best model as a picture.

    Returns:
        The path written.
    """
    figure = plots.samples(load(run.model_file), num_samples, seed=seed)
    return _save_figure(figure, pathlib.Path(path))


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
    file = tflite or run.path / f"{run.config['preset']}.tflite"
    file = export.to_tflite(model, file)  # replaced as a whole, so it may come first
    return [export.to_saved_model(model, saved_model or run.path / "saved_model"), file]


def _check_free(run, force):
    """Takes a folder that holds no more than what a killed run left half-written."""
    entries = run.path.iterdir() if run.path.is_dir() else ()
    taken = [entry for entry in entries if not entry.name.startswith(".tmp-")]
    if (taken or run.path.is_file()) and not (force and run.config):
        expected = "a new or empty folder, or a run with --force or --resume"
        checks.fail(expected, out=str(run.path))


def _begin(run, config):
    def make(event_shape):
        model = presets.get(config["preset"]).build(event_shape, **config["model"])
        optimizer = keras.optimizers.Adam(config["training"]["learning_rate"])
        model.compile(optimizer, steps_per_execution=STEPS)
        return model

    return _prepared(run, config, make)


def _go_on(run, config):
    model, epoch = _last_model(run)
    history = _read_history(run.history_file, epoch)
    training = _prepared(run, config, lambda _: model, history)
    for _ in history:  # each start of the train data is another order
        next(iter(training.splits.train))
    return training


def _prepared(run, config, make, history=()):
    settings = config["training"]
    keeper = Keeper(run, settings["patience"], history)
    epochs = checks.integer(epochs=settings["epochs"])
    checks.number(minimum=0, learning_rate=settings["learning_rate"])
    seed = checks.integer(minimum=0, maximum=2**31 - 1, seed=settings["seed"])
    keras.utils.set_random_seed(seed)
    splits = datasets(config)
    model = make(tuple(splits.train.element_spec.shape[1:]))
    return Training(run, splits, model, keeper, epochs)


def _last_model(run):
    """The model of the last checkpoint that can be read, and its epoch."""
    *older, file = run.checkpoints
    try:
        model = load(file)
    except ValueError as error:
        if not older:
            raise
        file = older[-1]
        warnings.warn(f"{error} Going on from {file}.", stacklevel=4)
        model = load(file)
    return model, _epoch(file)


def _epoch(checkpoint):
    return int(checkpoint.stem.partition("-")[2])


def _bits(model, log_p):
    """Bits for each pixel, of a likelihood of discrete x: a density has none."""
    if not isinstance(model.likelihood, likelihoods.Bernoulli):
        return {}
    bits = metrics.bits_per_dim(log_p.mean(), model.event_shape)
    return {"bits_per_dim": float(bits)}


def _is_image(shape):
    return len(shape) == 3 and shape[-1] in (1, 3)


def _image_figures(model, x):
    figures = {
        "samples": plots.samples(model, 64),
        "reconstructions": plots.reconstructions(model, x[:10]),
        "interpolations": plots.interpolations(model, x[:5], x[-5:]),
        "traversals": plots.traversals(model),
    }
    return figures | (
        {"manifold": plots.manifold(model)} if model.latent_dim == 2 else {}
    )


def _test_examples(run):
    """Examples of the test split in random order, with labels or None."""
    batches = datasets(run.config, labels=run.config["labels"]).test
    batches = [batch if isinstance(batch, tuple) else (batch,) for batch in batches]
    x, *labels = (np.concatenate(column) for column in zip(*batches, strict=True))
    some = _some(x, 2000)
    return x[some], labels[0][some] if labels else None


def _some(x, limit):
    """Indices of at most so many rows, at random: data may be sorted by class."""
    return np.random.default_rng(0).permutation(len(x))[:limit]


@contextlib.contextmanager
def _replacing(path):
    """A path to write to, which becomes `path` when all went well."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _save(model, path):
    with _replacing(path) as temporary:
        model.save(temporary)


def _save_figure(figure, path):
    with _replacing(path) as temporary:
        figure.savefig(temporary)
    return path


def _write_history(path, history):
    with _replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def _read_history(path, epochs):
    """The rows of the first epochs; there may be more than a checkpoint knows of."""
    try:
        with open(path, newline="") as file:
            rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(file)]
        numbers = [row["epoch"] for row in rows if "val_elbo" in row]
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        numbers = []
    if numbers[:epochs] != list(range(1, epochs + 1)):
        checks.fail(f"a table of {epochs} epochs or more", history=str(path))
    return rows[:epochs]
