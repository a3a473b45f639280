"""Callbacks of a training at the command line."""

import signal
import types

import keras
import rich.progress

from tfvae.runs.terminal import heed, leave

Logs = dict[str, float] | None


class Interrupts(keras.callbacks.Callback):
    """Ends training on a signal, after the batch; on a second signal at once.

    An exception raised inside TensorFlow, or while a file is written, can get lost or
    abort the process.
    """

    def on_train_begin(self, logs: Logs = None) -> None:
        self.number: int | None = None
        self.handlers = heed(self._note)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        if self.number:
            leave(number)
        self.number = number

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.number:
            self.on_train_end()

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.on_train_batch_end(batch)

    def on_train_end(self, logs: Logs = None) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if self.number:
            leave(self.number)


class Progress(keras.callbacks.Callback):
    """One line with epochs, time, and the bound on training and validation data."""

    def __init__(self, bar: rich.progress.Progress) -> None:
        super().__init__()
        self.bar = bar

    def on_train_begin(self, logs: Logs = None) -> None:
        self.task = self.bar.add_task("training", total=self.params["epochs"])

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        done = batch / self.params["steps"]
        self.bar.update(self.task, completed=self.epoch + done)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs, monitor = logs or {}, self.model.monitor
        names = [monitor, f"val_{monitor}"] if monitor else self.model.report_names
        text = ", ".join(f"{name} {logs[name]:.2f}" for name in names) + " nats"
        self.bar.update(self.task, completed=epoch + 1, description=text)
