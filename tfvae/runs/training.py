"""A training run in a folder: started, saved however it ends, resumed."""

import contextlib
import csv
import json
import math
import os
import pathlib
import time
import warnings
from collections.abc import Iterable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, files
from tfvae.loading import load
from tfvae.runs import builders
from tfvae.runs.config import Config
from tfvae.runs.folder import Run
from tfvae.training.players import state
from tfvae.training.workers import cluster, worker_of

# Seconds between two checkpoints.
INTERVAL = 10
# Epochs of a history: numbers by name.
Rows = list[dict[str, float]]
# Files that a new run in the same folder deletes.
_OWN = ("model.keras", "checkpoint-*", "history.csv", "metrics.json", "*.png")


class Training(keras.callbacks.Callback):
    """A run ready to train: a callback that keeps the best model, saves and stops.

    Args:
        run: The run to save to.
        config: As `configure` gives it.
        model: A model to take variables and optimizer from; a new one by default.
        history: Rows of earlier epochs.
    """

    def __init__(
        self,
        run: Run,
        config: Config,
        model: keras.Model | None = None,
        history: Iterable[dict[str, float]] = (),
    ) -> None:
        super().__init__()
        settings = config["training"]
        self.run, self.config, self.history = run, config, list(history)
        self.epochs = checks.integer(epochs=settings["epochs"])
        self.patience = checks.integer(patience=settings["patience"])
        seed = checks.integer(minimum=0, maximum=2**31 - 1, seed=settings["seed"])
        keras.utils.set_random_seed(seed)
        self.splits = builders.datasets(config)
        x, *_ = tf.nest.flatten(self.splits.train.element_spec)
        shape, steps = x.shape[1:], len(self.splits.train)
        # Built again, as a new number of epochs means other schedules.
        with cluster().scope() if cluster() else contextlib.nullcontext():
            self.set_model(builders.build(config, shape, steps))
        if model is not None:
            pairs = zip(state(self.model), state(model), strict=True)
            for variable, value in pairs:
                variable.assign(value)
        self.monitor = _monitor(self.model)
        # The bound in a warm-up says little about the bound after it.
        self.warm = math.ceil(config["model"].get("warm_up", 0) * self.epochs)
        # Not yet saved: variables after the last epoch, and weights of the best one.
        self._state: list[np.ndarray] | None = None
        self._best: list[np.ndarray] | None = None
        self._saved = time.monotonic()

    @property
    def best_epoch(self) -> int:
        """Number of the epoch with the best `monitor`; 0 if none is finite.

        Only epochs after the warm-up are compared; during it, the last finite epoch is
        the best. Without a monitor it is the last epoch whose values are all finite.
        """
        bounds = np.array([-np.inf, *map(self._bound, self.history)])
        bounds[~np.isfinite(bounds)] = -np.inf
        late = bounds[self.warm + 1 :]
        if np.isfinite(late).any():
            return int(np.argmax(late)) + self.warm + 1
        return int(np.flatnonzero(np.isfinite(bounds))[-1:].sum())

    @property
    def is_done(self) -> bool:
        """True if all epochs are trained, or `patience` of them since the best."""
        count = len(self.history)
        since = count - max(self.best_epoch, self.warm)
        return count >= self.epochs or since >= self.patience

    def _bound(self, row: dict[str, float]) -> float:
        if self.monitor:
            return row[self.monitor]
        return row["epoch"] if np.isfinite(list(row.values())).all() else np.nan

    def fit(self, callbacks: Sequence[keras.callbacks.Callback] = ()) -> None:
        """Trains until done, and saves however training ends.

        Args:
            callbacks: Further Keras callbacks.

        Raises:
            FloatingPointError: No epoch had a finite `monitor`.
        """
        if not self.is_done:
            options = {"epochs": self.epochs, "initial_epoch": len(self.history)}
            options |= {"callbacks": [self, *callbacks], "verbose": 0}
            train, valid, _ = self.splits
            with _only_writer(self.run):
                try:
                    self.model.fit(train, validation_data=valid, **options)
                finally:
                    self.save()
        if not self.best_epoch:
            raise FloatingPointError(
                f"No {self.monitor or 'loss'} was finite. Start again with a lower "
                "learning_rate."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Records the epoch, keeps the best weights, and stops if training is done."""
        self.history.append({"epoch": epoch + 1, **(logs or {})})
        self._state = [variable.numpy() for variable in state(self.model)]
        if self.best_epoch == len(self.history):
            self._best = self.model.get_weights()
        self.model.stop_training = self.is_done
        if time.monotonic() - self._saved > INTERVAL:
            self.save()

    def save(self) -> None:
        """Writes best model, history and checkpoint of the last complete epoch.

        The checkpoint is written last, so the other files never lack its epochs.
        """
        if self._state is None or not writes():
            return
        if self._best is not None:
            self.model.set_weights(self._best)
            files.whole(self.run.model_file, self.model.save)
        for variable, value in zip(state(self.model), self._state, strict=True):
            variable.assign(value)
        self.run.write("history.csv", _table(self.history))
        self.run.save_checkpoint(self.model, len(self.history), self.config)
        self._state = self._best = None
        self._saved = time.monotonic()


def start(
    path: str | os.PathLike[str], config: Config, force: bool = False
) -> Training:
    """Returns a new run, ready to train; errors are found before a file is touched.

    Args:
        path: A folder that is empty or missing, or with `force` the folder of a run.
        config: As `configure` gives it.
        force: If True, replace the run in the folder.
    """
    run = Run(pathlib.Path(path))
    taken = run.path.is_file() or any(run.path.glob("[!.]*"))
    if writes() and taken and not (force and run.config):
        expected = "a new or empty folder, or a run with --force or --resume"
        checks.fail(expected, out=str(path))
    training = Training(run, config)
    if not writes():
        return training
    with run.locked():
        for file in (file for pattern in _OWN for file in run.path.glob(pattern)):
            file.unlink()
        run.write("config.json", json.dumps(config, indent=2))
    return training


def trained(path: str | os.PathLike[str]) -> Run:
    """Returns the run in a folder, which must have a trained model."""
    run = Run(pathlib.Path(path))
    if run.config and not run.model_file.exists():
        checks.fail("a run with a trained model.keras", run=str(path))
    return run


def resume(path: str | os.PathLike[str], epochs: int | None = None) -> Training:
    """Returns a run, ready to go on from its last checkpoint.

    A run without a checkpoint starts anew, with a warning.

    Args:
        path: Folder of the run.
        epochs: Number of the last epoch; as in the configuration if None.
    """
    run = Run(pathlib.Path(path))
    config = run.config
    if epochs is not None:
        config["training"]["epochs"] = epochs
    with _only_writer(run):
        if run.checkpoints:
            model, file = _last_model(run.checkpoints)
            epoch = int(file.stem.partition("-")[2])
            history = _read_history(run.history, epoch, _monitor(model))
            run.check_seal(file, epoch, config)
            if epochs is not None and epochs < epoch:
                checks.fail(f"at least the {epoch} trained already", epochs=epochs)
        else:
            warnings.warn(f"{path} has no checkpoint: starting anew.", stacklevel=2)
            model, history = None, []
        training = Training(run, config, model, history)
        if writes():
            run.write("config.json", json.dumps(config, indent=2))
    return training


def writes() -> bool:
    """True but on workers of a cluster that leave the run folder to the first."""
    return worker_of(cluster())[0] == 0


def _only_writer(run: Run) -> contextlib.AbstractContextManager:
    return run.locked() if writes() else contextlib.nullcontext()


def _monitor(model: keras.Model) -> str | None:
    return model.monitor and f"val_{model.monitor}"


def _last_model(
    checkpoints: Sequence[pathlib.Path],
) -> tuple[keras.Model, pathlib.Path]:
    """The model of the newest readable checkpoint, and its file."""
    *older, file = checkpoints
    try:
        return load(file), file
    except ValueError as error:
        if not older:
            raise
        warnings.warn(f"{error} Going on from {older[-1]}.", stacklevel=3)
        return _last_model(older)


def _table(history: Rows) -> str:
    names = list(history[0])
    rows: list[list] = [names, *([row[name] for name in names] for row in history)]
    return "\n".join(",".join(map(str, row)) for row in rows)


def _read_history(path: pathlib.Path, epochs: int, monitor: str | None) -> Rows:
    """The rows of the first epochs; the file may have more than the checkpoint."""
    try:
        with open(path, newline="") as file:
            rows = [{k: float(v) for k, v in r.items()} for r in csv.DictReader(file)]
        numbers = [row["epoch"] for row in rows if (monitor or "epoch") in row]
    except (OSError, ValueError, TypeError, KeyError, csv.Error):
        numbers = []
    if numbers[:epochs] != list(range(1, epochs + 1)):
        checks.fail(f"a table of {epochs} epochs or more", history=str(path))
    return [row | {"epoch": i + 1} for i, row in enumerate(rows[:epochs])]
