"""Keras's `compile`, `fit`, `evaluate` and `predict`, with checks and at full speed."""

import abc
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.checks import NonNegativeInt, PositiveInt
from tfvae.conditional import forget_graphs
from tfvae.inputs import split, unzip
from tfvae.objectives.base import warn_of_dead_levels
from tfvae.signatures import CHUNK
from tfvae.training import players, step
from tfvae.training.blocks import Blocks
from tfvae.training.compile import configure
from tfvae.training.feed import (
    check_no_weights,
    check_steps,
    evaluated,
    feed,
    is_plain,
    rows,
)
from tfvae.training.finite import RunningMeans, SkippedBatches, with_own
from tfvae.training.functions import StepFunctions
from tfvae.training.workers import check_workers, part_of, worker_of
from tfvae.training.xla_loop import gathers, steps_in_block


class Trainable(StepFunctions, abc.ABC):
    """Abstract: a Keras model trained by its `players`, on losses among its `terms`.

    A batch whose loss or gradient is not finite leaves weights, optimizers and seeds as
    they were.

    Args:
        report_names: Names of the terms that `fit` and `evaluate` report, losses first.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # The `Input` that a call takes first, by name.
    called_with = "x"
    # Gives the `schedules` of weights that follow the optimizer's step, or None.
    objective = None

    def __init__(self, report_names: Sequence[str], **kwargs: Any):
        super().__init__(**kwargs)
        # The strategy in whose scope the model is made, or None.
        self.made_under = self._distribute_strategy
        if part_of(self):
            self._distribute_strategy = None  # Keras need not know of replicas
        self.report_names = tuple(report_names)
        self.seed_generator = keras.random.SeedGenerator()
        self.report = RunningMeans(report_names, name="report")
        self.skipped = SkippedBatches(name="skipped")

    @property
    @abc.abstractmethod
    def players(self) -> tuple[players.Player, ...]:
        """The sides of training: one, or several that play against each other."""

    @abc.abstractmethod
    def terms(
        self, inputs: Any, seed: tf.Tensor, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Losses and all else that is reported, in nats for each example, `[batch]`.

        Args:
            inputs: An element of a data set: x, or a pair of x and u or y.
            seed: int32 `[2]`, or `[batch, 2]` with one row for each example.
            training: Passed on to the networks.
        """

    @abc.abstractmethod
    def call_signature(self, name: str, **inputs: Any) -> dict[str, tf.Tensor]:
        """Runs an entry point by name; `serving_default` gives what `call` gives."""

    def compile(
        self,
        *optimizers: Any,
        jit_compile: bool | str = "auto",
        steps_per_execution: int | str = "auto",
        **kwargs: Any,
    ) -> None:
        """Configures training as `keras.Model.compile` does, without a loss.

        Args:
            *optimizers: A Keras optimizer or its name for each of the `players`, also
                by name: `optimizer`, or `generator_optimizer` and so on. One given to
                several players is used for each with a state of its own. The first is
                `model.optimizer`, which callbacks change.
            jit_compile: Whether XLA compiles training. `"auto"` does so if that is safe
                and faster: on a CPU for layers of Keras and of this package, but not
                with convolutions, recurrent layers or dropout.
            steps_per_execution: Batches between two returns to Python. `"auto"` takes
                50 under XLA, or 1 if a callback of your own has a hook for batches.
            **kwargs: An optimizer by name; Keras's `run_eagerly`, `auto_scale_loss`.
        """
        own = {"jit_compile": jit_compile, "steps_per_execution": steps_per_execution}
        configure(self, *optimizers, **own, **kwargs)

    def get_compile_config(self) -> dict[str, Any] | None:
        """Arguments of `compile` as given: loading decides "auto" anew."""
        if not self.compiled:
            return None
        serialize = keras.saving.serialize_keras_object
        names = [player.optimizer_name for player in self.players]
        optimizers = {name: serialize(getattr(self, name)) for name in names}
        return self.compile_options | optimizers

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as before saving."""
        self.compile(**keras.saving.deserialize_keras_object(config))

    @checks.checked
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: PositiveInt | None = None,
        epochs: NonNegativeInt = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        *,
        validation_data: Any = None,
        validation_split: float = 0.0,
        shuffle: bool = True,
        validation_batch_size: PositiveInt | None = None,
        **kwargs: Any,
    ) -> keras.callbacks.History:
        """Trains as `keras.Model.fit` does, after checking the data.

        Arrays and pipelines of `data.load` have a new order in each epoch, a function
        of seed and step count: training goes on to the bit from a saved model. A
        `tf.data` shuffle of your own starts again with its first order.

        Args:
            x: Data: an array, a pair `(x, y)`, or a `tf.data.Dataset`, `PyDataset` or
                generator whose elements are `x`, `(x,)` or `(x, y)`.
            y: The u or y that the model is conditional on; else nothing, or x again.
            batch_size: Rows in a batch of an array, 32 when left out.
            epochs: As in Keras.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_data: Data of the same kinds as x.
            validation_split: Share of an array to hold out, from its end.
            shuffle: Whether to shuffle an array.
            validation_batch_size: As `batch_size`, for validation.
            **kwargs: Keras's `initial_epoch`, `steps_per_epoch`, `validation_steps` and
                `validation_freq`.

        Raises:
            FloatingPointError: After ten batches in a row with NaN or Inf.
        """
        self._assert_compile_called("fit")
        check_no_weights(kwargs)
        check_steps(kwargs)
        if validation_split and validation_data is None:
            (x, y), validation_data = split(x, y, validation_split)
        steps_per_epoch = kwargs.get("steps_per_epoch")
        batch_size, repeat = batch_size or 32, steps_per_epoch is not None
        part = part_of(self)
        same = {"epochs": epochs, "shuffle": shuffle, **kwargs}
        check_workers(self, validation_data=validation_data is not None, **same)
        options = {"shuffle": shuffle, "repeat": repeat, "part": part}
        x, in_memory = feed(self, x, y, batch_size, by_number=gathers(self), **options)
        if validation_data is not None:
            size = validation_batch_size or batch_size
            validation_data, _ = feed(self, *unzip(validation_data), size, part=part)
        callbacks = with_own(callbacks, self, x)
        kwargs |= {"validation_data": validation_data, "callbacks": callbacks}
        kwargs["shuffle"] = shuffle and isinstance(x, keras.utils.PyDataset)
        asked = self.compile_options["steps_per_execution"]
        self.loop_options = steps_in_block(asked, callbacks), steps_per_epoch, in_memory
        players.build_optimizers(self)
        try:
            with players.averages_of_players(self):
                history = super().fit(x, epochs=epochs, verbose=verbose, **kwargs)
        finally:
            self.loop_options = 1, None, None
            if isinstance(self.train_function, Blocks):
                self.train_function.stop()
            forget_graphs()
        if self.objective is not None:
            self.objective.warn_of_open_schedules(self.optimizer.iterations)
            warn_of_dead_levels(history.history)
        return history

    @checks.checked
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: PositiveInt | None = None,
        **kwargs: Any,
    ) -> list[float] | dict[str, float]:
        """Means of losses and terms: a list in the order of `report_names`, or a dict.

        Args:
            x: Data, as in `fit`.
            y: As in `fit`.
            batch_size: Rows in a batch of an array, 512 when left out.
            **kwargs: As in Keras, such as `return_dict`.
        """
        as_dict, part = kwargs.pop("return_dict", False), part_of(self)
        check_no_weights(kwargs)
        check_steps(kwargs)
        if kwargs == {"verbose": 0} and is_plain(self, x, "test_step") and not part:
            logs = evaluated(self, rows(self, x, y, "x"), batch_size or CHUNK)
        else:
            if not kwargs.get("_use_cached_eval_dataset"):  # `fit` has checked it
                (x, _), y = feed(self, x, y, batch_size or CHUNK, part=part), None
            logs = super().evaluate(x, y, return_dict=True, **kwargs)
        logs = {name: logs[name] for name in self.report_names}
        return logs if as_dict else list(logs.values())

    @checks.checked
    def predict(
        self, x: Any, batch_size: PositiveInt | None = None, **kwargs: Any
    ) -> np.ndarray:
        """The outputs of `call` as an array, `[batch, ...]`.

        Arrays are answered as by the other methods, without a progress bar, unless more
        than x is given.

        Args:
            x: Inputs of `call`: an array, a pair, or a data set of either.
            batch_size: Rows in a batch of an array, 512 when left out.
            **kwargs: Those of `keras.Model.predict`.
        """
        if batch_size is None and kwargs.keys() <= {"verbose"}:
            if is_plain(self, x, "call", "predict_step"):
                inputs = rows(self, x, None, self.called_with)
                outputs = self.call_signature("serving_default", **inputs)
                return np.asarray(next(iter(outputs.values())))
        data, _ = feed(self, x, None, batch_size or CHUNK, name=self.called_with)
        return super().predict(data, **kwargs)

    @property
    def metrics(self) -> list[keras.Metric]:
        return [self.report]

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """One step of every player; a batch that is not finite changes nothing."""
        return step.guarded_step(self, data)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """The same terms as in training, without an update."""
        return step.evaluate_step(self, data)

    def predict_step(self, data: Any) -> tf.Tensor:
        """The outputs of `call` for a batch."""
        return self(data, training=False)

    @property
    def is_chief(self) -> bool:
        """True in the one process that is to write files, the first of all workers."""
        return worker_of(self.made_under)[0] == 0
