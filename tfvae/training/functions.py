"""The functions that Keras's loops call, for any number of steps."""

import abc
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae.training.feed import check_no_weights, rows
from tfvae.training.replicas import SharedLoop, SharedTest
from tfvae.training.workers import ALONE, part_of
from tfvae.training.xla_loop import XLALoop, has_loop


class StepFunctions(keras.Model, abc.ABC):
    """Abstract: a Keras model whose steps are in blocks, or shared by replicas."""

    # During `fit`: steps in a block and in an epoch, and data as in `Blocks.start`.
    loop_options = 1, None, None

    @abc.abstractmethod
    def check_data(
        self, x: Any, given: Any = None, name: str = "x"
    ) -> dict[str, np.ndarray]:
        """Validates data and returns arrays by name; builds the model on first use."""

    def train_on_batch(
        self, x: Any, y: Any = None, **options: Any
    ) -> list[float] | dict[str, float]:
        """A training step with arrays, which are checked first; as Keras's else.

        Args:
            x: An array, or a pair `(x, y)`.
            y: As in `fit`.
            **options: Keras's `return_dict`.
        """
        check_no_weights(options)
        return super().train_on_batch(*self._whole_batch(x, y), **options)

    def test_on_batch(
        self, x: Any, y: Any = None, **options: Any
    ) -> list[float] | dict[str, float]:
        """The terms of one batch. Arguments are those of `train_on_batch`."""
        check_no_weights(options)
        return super().test_on_batch(*self._whole_batch(x, y), **options)

    def _whole_batch(self, x: Any, y: Any) -> tuple:
        """Checked arrays; with replicas the place, and the rows of this worker."""
        arrays: tuple[np.ndarray, ...] = tuple(rows(self, x, y, "x").values())
        part = part_of(self)
        return part.take(tuple(map(tf.constant, arrays))) if part else arrays

    @property
    def distribute_strategy(self) -> tf.distribute.Strategy:
        """The strategy that Keras is to use: none where replicas share the steps."""
        return ALONE if part_of(self) else super().distribute_strategy

    def make_train_function(self, force: bool = False) -> None:
        """Many steps in one call under XLA and with several replicas: see `Blocks`."""
        if not (part_of(self) or has_loop(self)):
            super().make_train_function(force)
            return
        kind = SharedLoop if part_of(self) else XLALoop
        if force or not isinstance(self.train_function, kind):
            self.train_function = kind(self)
        num_steps, *others = self.loop_options
        self.train_function.start(num_steps, self.steps_per_execution, *others)

    def make_test_function(self, force: bool = False) -> None:
        """Outside of XLA, which makes nothing faster without gradients and updates."""
        if part_of(self):
            if force or not isinstance(self.test_function, SharedTest):
                self.test_function = SharedTest(self)
            return
        with self._without_xla():
            super().make_test_function(force)

    def make_predict_function(self, force: bool = False) -> Callable:
        """Outside of XLA, as `make_test_function`."""
        with self._without_xla():
            super().make_predict_function(force)
        return self.predict_function

    @contextlib.contextmanager
    def _without_xla(self) -> Iterator[None]:
        self.jit_compile, before = False, self.jit_compile
        try:
            yield
        finally:
            self.jit_compile = before

    def _flatten_metrics_in_order(self, logs: dict[str, Any]) -> list:
        # For what Keras gives as a list: `train_on_batch`, `test_on_batch`.
        return [logs[name] for name in self.report_names if name in logs]
