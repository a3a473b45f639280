"""A training run in a folder: trained, saved whenever it ends, resumed."""

import csv
import dataclasses
import json
import math
import os
import pathlib
import time
import warnings

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, presets
from tfvae.loading import load

# Seconds between two checkpoints.
INTERVAL = 10
# What a new run in the same folder clears.
_OWN = ("model.keras", "checkpoint-*", "history.csv", "metrics.json", "*.png", ".tmp-*")


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of a run, below one folder."""

    path: pathlib.Path

    @property
    def config(self):
        """What was asked for, as `presets.configure` gives it."""
        return presets.read(self.path / "config.json")

    @property
    def model_file(self):
        """The best model so far."""
        return self.path / "model.keras"

    @property
    def checkpoints(self):
        """The model as training left it, to resume from; the last one is the newest."""
        return sorted(self.path.glob("checkpoint-*.keras"))

    def write(self, name, text):
        """Writes a file of the run, whole or not at all."""
        return whole(self.path / name, lambda path: path.write_text(text + "\n"))


class Training(keras.callbacks.Callback):
    """A run ready to train; as a callback it keeps the best, saves and stops early.

    Args:
        run: Where to save.
        config: As `presets.configure` gives it.
        model: The model to go on with; by default the preset's, new.
        history: Rows of earlier epochs.
    """

    def __init__(self, run, config, model=None, history=()):
        super().__init__()
        settings = config["training"]
        self.run, self.history = run, list(history)
        self.epochs = checks.integer(epochs=settings["epochs"])
        self.patience = checks.integer(patience=settings["patience"])
        seed = checks.integer(minimum=0, maximum=2**31 - 1, seed=settings["seed"])
        keras.utils.set_random_seed(seed)
        self.splits = presets.datasets(config)
        x, *_ = tf.nest.flatten(self.splits.train.element_spec)
        shape, steps = x.shape[1:], len(self.splits.train)
        # Anew, for the number of epochs and so the schedules may be others now.
        self.set_model(presets.build(config, shape, steps))
        if model is not None:
            pairs = zip(self.model.state(), model.state(), strict=True)
            for variable, value in pairs:
                variable.assign(value)
        self.monitor = _monitor(self.model)
        # In a warm-up the bound says little of what comes after it.
        self.warm = math.ceil(config["model"].get("warm_up", 0) * self.epochs)
        for _ in range(2 * len(self.history)):  # Keras starts it twice an epoch, and
            iter(self.splits.train)  # each start is another order
        self._state = self._best = None  # after the last epoch; the best, not yet saved
        self._saved = time.monotonic()

    @property
    def best_epoch(self):
        """Number of the epoch with the best `monitor`; 0 where none is finite.

        Epochs after the warm-up count, or before its end the last one. Without a
        monitor the last epoch is the best.
        """
        bounds = np.array([-np.inf, *map(self._bound, self.history)])
        bounds[~np.isfinite(bounds)] = -np.inf
        late = bounds[self.warm + 1 :]
        if np.isfinite(late).any():
            return int(np.argmax(late)) + self.warm + 1
        return int(np.flatnonzero(np.isfinite(bounds))[-1:].sum())

    @property
    def is_done(self):
        """Whether all epochs are trained, or too many since the best."""
        count = len(self.history)
        since = count - max(self.best_epoch, self.warm)
        return count >= self.epochs or since >= self.patience

    def _bound(self, row):
        if self.monitor:
            return row[self.monitor]
        return row["epoch"] if np.isfinite(list(row.values())).all() else np.nan

    def fit(self, callbacks=()):
        """Trains until done, and saves however it ends.

        Args:
            callbacks: Further Keras callbacks.

        Raises:
            FloatingPointError: Where no epoch had a finite `monitor`.
        """
        if not self.is_done:
            try:
                self.model.fit(
                    self.splits.train,
                    validation_data=self.splits.valid,
                    epochs=self.epochs,
                    initial_epoch=len(self.history),
                    callbacks=[self, *callbacks],
                    verbose=0,
                )
            finally:
                self.save()
        if not self.best_epoch:
            raise FloatingPointError(
                f"No {self.monitor or 'loss'} was finite. Start again with a lower "
                "learning_rate."
            )

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch, and decides what to keep and whether to go on."""
        self.history.append({"epoch": epoch + 1, **logs})
        self._state = [variable.numpy() for variable in self.model.state()]
        if self.best_epoch == len(self.history):
            self._best = self.model.get_weights()
        self.model.stop_training = self.is_done
        if time.monotonic() - self._saved > INTERVAL:
            self.save()

    def save(self):
        """Writes best model, history and checkpoint as the last whole epoch left them.

        The checkpoint comes last, so that the other files know all that it knows.
        """
        if self._state is None:
            return
        if self._best is not None:
            self.model.set_weights(self._best)
            whole(self.run.model_file, self.model.save)
        for variable, value in zip(self.model.state(), self._state, strict=True):
            variable.assign(value)
        self.run.write("history.csv", _table(self.history))
        name = f"checkpoint-{len(self.history):06}.keras"
        whole(self.run.path / name, self.model.save)
        for file in self.run.checkpoints[:-2]:
            file.unlink()
        self._state = self._best = None
        self._saved = time.monotonic()


def start(path, config, force=False):
    """The `Training` of a new run; what is wrong is found before a file is touched.

    Args:
        path: A folder that is empty or not there, or with `force` that of a run.
        config: As `presets.configure` gives it.
        force: Whether to replace the run in the folder.
    """
    run = Run(pathlib.Path(path))
    taken = run.path.is_file() or any(run.path.glob("[!.]*"))
    if taken and not (force and run.config):
        expected = "a new or empty folder, or a run with --force or --resume"
        checks.fail(expected, out=str(path))
    training = Training(run, config)
    run.path.mkdir(parents=True, exist_ok=True)
    for file in (file for pattern in _OWN for file in run.path.glob(pattern)):
        file.unlink()
    run.write("config.json", json.dumps(config, indent=2))
    return training


def trained(path):
    """The `Run` in a folder, which has a model.

    Raises:
        ValueError: Where it is no run, or one without a model.
    """
    run = Run(pathlib.Path(path))
    if run.config and not run.model_file.exists():
        checks.fail("a run with a trained model.keras", run=str(path))
    return run


def resume(path, epochs=None):
    """The `Training` of a run from its last checkpoint, or without one from its start.

    Args:
        path: Folder of the run.
        epochs: Number of the epoch to stop after; as asked before when left out.
    """
    run = Run(pathlib.Path(path))
    config, model, history = run.config, None, ()
    if epochs is not None:
        config["training"]["epochs"] = epochs
    if run.checkpoints:
        model, epoch = _last_model(run.checkpoints)
        history = _read_history(run.path / "history.csv", epoch, _monitor(model))
        if epochs is not None and epochs < epoch:
            checks.fail(f"at least the {epoch} trained already", epochs=epochs)
    else:
        warnings.warn(f"{path} has no checkpoint: starting anew.", stacklevel=2)
    training = Training(run, config, model, history)
    run.write("config.json", json.dumps(config, indent=2))
    return training


def _monitor(model):
    return model.monitor and f"val_{model.monitor}"


def _last_model(checkpoints):
    """The model of the last checkpoint that can be read, and its epoch."""
    *older, file = checkpoints
    try:
        return load(file), int(file.stem.partition("-")[2])
    except ValueError as error:
        if not older:
            raise
        warnings.warn(f"{error} Going on from {older[-1]}.", stacklevel=3)
        return _last_model(older)


def _table(history):
    names = list(history[0])
    rows = [names, *([row[name] for name in names] for row in history)]
    return "\n".join(",".join(map(str, row)) for row in rows)


def _read_history(path, epochs, monitor):
    """The rows of the first epochs; there may be more than the checkpoint knows of."""
    try:
        with open(path, newline="") as file:
            rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(file)]
        numbers = [row["epoch"] for row in rows if (monitor or "epoch") in row]
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        numbers = []
    if numbers[:epochs] != list(range(1, epochs + 1)):
        checks.fail(f"a table of {epochs} epochs or more", history=str(path))
    return [row | {"epoch": i + 1} for i, row in enumerate(rows[:epochs])]


def whole(path, write):
    """Has a file written beside its place and renamed to it; returns the path."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
