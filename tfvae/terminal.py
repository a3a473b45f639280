"""Callbacks of a training at the command line."""

import signal
import sys

import keras

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def heed(handler):
    """Has a function called on Ctrl-C and SIGTERM, unless they are ignored.

    Returns:
        The handlers before by number of the signal.
    """
    heeded = (n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN)  # nohup
    return {number: signal.signal(number, handler) for number in heeded}


def leave(number, frame=None):
    """Exits with the code of a program that a signal ended."""
    sys.exit(128 + number)


class Interrupts(keras.callbacks.Callback):
    """Leaves training on a signal, but after the batch; at once at the second signal.

    An exception that comes up in the midst of TensorFlow or of a file's writing can
    get lost there or abort the process.
    """

    def on_train_begin(self, logs=None):
        self.number = None
        self.handlers = heed(self._note)

    def _note(self, number, frame):
        if self.number:
            leave(number)
        self.number = number

    def on_train_batch_end(self, batch, logs=None):
        if self.number:
            self.on_train_end()

    def on_test_batch_end(self, batch, logs=None):
        self.on_train_batch_end(batch)

    def on_train_end(self, logs=None):
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if self.number:
            leave(self.number)


class Progress(keras.callbacks.Callback):
    """One line that tells the bound on train and validation data, epochs and time.

    Args:
        bar: A `rich.progress.Progress`.
    """

    def __init__(self, bar):
        super().__init__()
        self.bar = bar

    def on_train_begin(self, logs=None):
        self.task = self.bar.add_task("training", total=self.params["epochs"])

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        done = batch / self.params["steps"]
        self.bar.update(self.task, completed=self.epoch + done)

    def on_epoch_end(self, epoch, logs=None):
        monitor = self.model.monitor
        names = [monitor, f"val_{monitor}"] if monitor else self.model.term_names
        text = ", ".join(f"{name} {logs[name]:.2f}" for name in names) + " nats"
        self.bar.update(self.task, completed=epoch + 1, description=text)
