"""Callbacks of every `fit`: data in the order of the epoch, and the guard."""

import warnings
from typing import Any

import keras

from tfvae.data.batches import counters
from tfvae.training.finite import StopOnNonFinite


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
    """The callbacks, a list or a `CallbackList`, with those of every `fit` in front."""
    own = [StopOnNonFinite(), FollowEpochs(data)]
    if isinstance(callbacks, keras.callbacks.CallbackList):
        for callback in own:
            callback.set_model(model)
        callbacks.callbacks[:0] = own
        return callbacks
    callbacks = keras.tree.flatten([callbacks] if callbacks else [])
    _warn_of_backups(callbacks)
    return [*own, *callbacks]


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
