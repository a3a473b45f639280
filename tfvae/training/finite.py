"""Means of what a model reports, and the callbacks of every `fit`."""

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfvae.data.batches import counters

# Bad batches in a row that stop training.
IN_A_ROW = 10


class RunningMeans(keras.metrics.Metric):
    """Means over examples of named terms; batches that are not finite do not count.

    Args:
        names: Names of the terms.
        **kwargs: Keras's `name` and `dtype`.
    """

    def __init__(self, names: Sequence[str], **kwargs: Any):
        super().__init__(dtype="float32", **kwargs)
        self.names = tuple(names)
        self.total = _zeros((len(names),), "float32", "total")
        self.count = _zeros((), "float32", "count")

    def update_state(
        self, sums: tf.Tensor, count: tf.Tensor, finite: tf.Tensor | bool = True
    ) -> None:
        """Adds the sums over a batch of `count` examples, `[names]`."""
        self.total.assign_add(tf.where(finite, sums, 0.0))
        self.count.assign_add(tf.where(finite, tf.cast(count, tf.float32), 0.0))

    def result(self) -> dict[str, tf.Tensor]:
        """Dict of means by name, NaN before the first example."""
        means = self.total.value / self.count.value
        return dict(zip(self.names, tf.unstack(means), strict=True))


class SkippedBatches(keras.metrics.Metric):
    """Counts of batches that were not finite: in all, now in a row, most in a row."""

    def __init__(self, **kwargs: Any):
        super().__init__(dtype="int32", **kwargs)
        self.total = _zeros((), "int32", "total")
        self.in_a_row = _zeros((), "int32", "in_a_row")
        self.longest = _zeros((), "int32", "longest")

    def update_state(self, finite: tf.Tensor) -> None:
        """Counts one batch."""
        bad = tf.cast(~finite, tf.int32)
        self.total.assign_add(bad)
        self.in_a_row.assign(bad * (self.in_a_row.value + 1))
        self.longest.assign(tf.maximum(self.longest.value, self.in_a_row.value))

    def check(self) -> None:
        """Stops training after too many bad batches in a row.

        Raises:
            FloatingPointError: With what to do about it.
        """
        if int(self.longest.numpy()) >= IN_A_ROW:
            raise FloatingPointError(
                f"Training stopped: {IN_A_ROW} batches in a row gave a loss or "
                "gradient with NaN or Inf. Weights and optimizer are as they were "
                "before them. Look for NaN in the data, or lower the learning rate."
            )

    def result(self) -> tf.Tensor:
        """Number of batches skipped since the last reset."""
        return self.total.value


def _zeros(shape: tuple[int, ...], dtype: str, name: str) -> keras.Variable:
    """A variable with a copy for each replica, as Keras's metrics have none."""
    return keras.Variable("zeros", shape, dtype, trainable=False, name=name)


class StopOnNonFinite(keras.callbacks.Callback):
    """Callback that warns of skipped batches and stops after too many in a row."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the count."""
        self.model.skipped.reset_state()
        self._before = 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stops training after too many bad batches in a row."""
        if not getattr(self.model.train_function, "is_ahead", False):
            self.model.skipped.check()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Warns of the batches that this epoch skipped."""
        total = int(self.model.skipped.total.numpy())
        if total > self._before:
            warnings.warn(
                f"Epoch {epoch + 1}: skipped {total - self._before} batches with NaN "
                "or Inf; weights and optimizer are as if they had not come.",
                stacklevel=2,
            )
        self._before = total


class FollowEpochs(keras.callbacks.Callback):
    """Callback that has the pipelines of `data.load` give the epoch that is trained.

    The step count names the epoch: it is saved with the model, and never comes twice.

    Args:
        data: What `fit` is given as x.
    """

    def __init__(self, data: Any):
        super().__init__()
        self.counters = list(counters(data))

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Sets the number of the epoch before the pipelines are started."""
        for number in self.counters:
            number.assign(self.model.optimizer.iterations)


def with_own(callbacks: Any, model: keras.Model, data: Any) -> Any:
    """The callbacks, a list or a `CallbackList`, with those of every `fit` in front.

    Of several workers, all but the first leave out Keras's callbacks that write files.
    """
    own = [StopOnNonFinite(), FollowEpochs(data)]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in own:
            callback.set_model(model)
        callbacks.callbacks[:0] = own
        return callbacks
    callbacks = keras.tree.flatten([callbacks] if callbacks else [])
    _warn_of_backups(callbacks)
    if not model.is_chief:
        callbacks = [
            _without_writing(c) for c in callbacks if not isinstance(c, _WRITE)
        ]
    return [*own, *callbacks]


_WRITE = (
    keras.callbacks.CSVLogger,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.TensorBoard,
)


def _without_writing(callback: keras.callbacks.Callback) -> keras.callbacks.Callback:
    """The callback itself, or one that reads a backup but writes none."""
    if not isinstance(callback, keras.callbacks.BackupAndRestore):
        return callback
    reader = copy.copy(callback)
    reader._save_model = reader.on_train_end = lambda *args, **kwargs: None
    return reader


def _warn_of_backups(callbacks: list[keras.callbacks.Callback]) -> None:
    """Warns of a `BackupAndRestore` that does not know where in an epoch it was."""
    for callback in callbacks:
        is_backup = isinstance(callback, keras.callbacks.BackupAndRestore)
        if is_backup and callback.save_freq != "epoch":
            warnings.warn(
                f"BackupAndRestore(save_freq={callback.save_freq}) goes on from its "
                "last batch with the first batch of the epoch: some examples come "
                'twice. Only save_freq="epoch" is exact.',
                stacklevel=5,
            )
