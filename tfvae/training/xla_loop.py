"""Training steps in a loop: many batches in one call of a program compiled by XLA."""

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.config import Configurable
from tfvae.data.batches import STEPS, InMemory, gather, steps_at_once
from tfvae.training.players import optimizers_are_finite, state
from tfvae.training.replicas import part_of
from tfvae.training.step import unguarded_step

_HOOKS = [f"on_{of}batch_{at}" for of in ("", "train_") for at in ("begin", "end")]
# Of Keras's callbacks that save or write after a number of batches.
_FREQUENCIES = ("save_freq", "update_freq")
# Parts of Keras that XLA does not compile, or makes slower than they are on a CPU.
_SLOW = (
    "causal_conv",
    "convolutional",
    "lambda_layer",
    "pooling",
    "preprocessing",
    "regularization",  # of its random numbers
    "rnn",
)


class _Block(NamedTuple):
    """Steps with batches of one shape.

    Attributes:
        batches: List of batches, or int32 `[steps, batch]` with numbers of rows.
        start: The first of them to be trained on.
        stop: The one after the last.
    """

    batches: Any
    start: int
    stop: int

    @classmethod
    def padded(cls, batches: list, length: int) -> "_Block":
        """All of some batches; of one length, so as to compile once."""
        padding = batches[-1:] * (length - len(batches))
        return cls(batches + padding, 0, len(batches))


class XLALoop:
    """Training function for `fit`: a loop over stacked batches, under XLA.

    The first call of a block of steps takes them all; the calls for the others only
    report. Within a block no step is undone, which would cost a fifth of the speed. If
    a step was not finite, the state from before the block comes back, and the same
    program tries the batches one by one.

    Batches of arrays are gathered within the program, by the numbers of their rows.

    A single batch of another shape, such as a smaller last one, is not worth the time
    to compile: it takes a guarded step outside of XLA.

    Args:
        model: A `GenerativeModel`.
        strict: Raise if XLA cannot compile the step; otherwise run it as a graph.
    """

    def __init__(self, model: keras.Model, strict: bool):
        self.model, self.strict = model, strict
        step = self._alone
        self._run_alone = tf.function(step, reduce_retracing=True, autograph=False)
        self._run = tf.function(self._steps, jit_compile=True, autograph=False)
        self._compiles = None  # not yet known

    def start(
        self,
        num_steps: int,
        steps_per_call: int,
        steps_per_epoch: int | None,
        in_memory: InMemory | None,
    ) -> None:
        """Gets ready for a `fit`.

        Args:
            num_steps: Steps in a block, at most.
            steps_per_call: Steps that a call stands for.
            steps_per_epoch: Steps of an epoch if `fit` limits them, else None.
            in_memory: What gives the rows of arrays; None if batches come as a stream.
        """
        self.in_memory = in_memory
        self.tensors = in_memory.tensors if in_memory else None
        self.num_steps, self.steps_per_call = num_steps, steps_per_call
        self.steps_per_epoch = steps_per_epoch
        self.shape, self._ahead, self._taken = None, 0, 0
        self._rows, self._next = None, 0

    def stop(self) -> None:
        """Lets go of the data."""
        self.in_memory = self.tensors = self._rows = None

    @property
    def is_ahead(self) -> bool:
        """True if the next call only reports."""
        return self._ahead > 0

    def __call__(self, iterator: Iterator) -> dict[str, float]:
        if not self._ahead:
            self._ahead = math.ceil(self._advance(iterator) / self.steps_per_call)
            logs = self.model.report.result()
            self._logs = {name: float(value) for name, value in logs.items()}
        self._ahead -= 1
        return self._logs

    def _advance(self, iterator: Iterator) -> int:
        """Trains on the batches of this call at least; returns their number."""
        take = self._take_rows if self.in_memory else self._take
        count = 0
        while count < self.steps_per_call:
            limit = self.num_steps - count
            if self.steps_per_epoch:
                limit = min(limit, self.steps_per_epoch - self._taken)
            blocks = take(iterator, limit)
            if not blocks:
                break
            for block in blocks:
                self._train(block)
            taken = sum(block.stop - block.start for block in blocks)
            self._taken = (self._taken + taken) % (self.steps_per_epoch or 1)
            count += taken
        if not count:
            raise StopIteration
        return count

    def _take(self, iterator: Iterator, limit: int) -> list[_Block]:
        """The next steps of a stream, by the shape of their batches."""
        first = next(iterator, None)
        if first is None:
            self._taken = 0
            return []
        length = steps_at_once(_prepared(first), self.num_steps)
        batches = [first, *itertools.islice(iterator, min(limit, length) - 1)]
        groups = itertools.groupby(map(_prepared, batches), _shape)
        return [_Block.padded(list(group), length) for _, group in groups]

    def _take_rows(self, _: Iterator, limit: int) -> list[_Block]:
        """The next steps with arrays, up to the end of the data."""
        if self._rows is None:
            self._rows, self._next = self.in_memory.rows(), 0
        whole, rest = self._rows
        start, num_whole = self._next, len(whole)
        self._next = min(start + limit, self.in_memory.num_steps)
        blocks = [_Block(whole, start, min(self._next, num_whole))]
        if self._next == self.in_memory.num_steps:
            self._rows = None
            if num_whole < self._next:
                blocks.append(_Block([rest], 0, 1))
        return [block for block in blocks if block.start < block.stop]

    def _train(self, block: _Block) -> None:
        batches, start, stop = block
        shape = _shape(batches[0])
        if self.shape is None or stop - start > 1:
            self.shape = shape
        if shape != self.shape or not self._try_to_compile(batches):
            for i in range(start, stop):
                self._run_alone(batches[i], self.tensors)
            return
        skipped = self.model.skipped
        if self._run_or_restore(batches, tf.constant(start), tf.constant(stop)):
            if int(skipped.in_a_row.numpy()):
                skipped.update_state(tf.constant(True))
            return
        for i in tf.range(start, stop):
            finite = self._run_or_restore(batches, i, i + 1)
            skipped.update_state(tf.constant(finite))
            skipped.check()

    def _try_to_compile(self, batches: Any) -> bool:
        """True if XLA compiles the step; raises if it does not and `strict`."""
        if self._compiles is None:
            nothing = tf.constant(0)
            try:
                self._run(batches, nothing, nothing, self.tensors)
                self._compiles = True
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
                if self.strict:
                    raise
                self._compiles = False
        return self._compiles

    def _run_or_restore(self, batches: Any, start: tf.Tensor, stop: tf.Tensor) -> bool:
        """Takes those steps; if one is not finite, undoes them and returns False."""
        changed = [*state(self.model), *self.model.report.variables]
        before = [tf.convert_to_tensor(variable) for variable in changed]  # no copies
        finite = bool(self._run(batches, start, stop, self.tensors))
        if not finite:
            for variable, value in zip(changed, before, strict=True):
                variable.assign(value)
        return finite

    def _alone(self, batch: Any, tensors: tuple | None) -> dict[str, tf.Tensor]:
        return self.model.train_step(gather(tensors, batch) if tensors else batch)

    def _steps(
        self, batches: Any, start: tf.Tensor, stop: tf.Tensor, tensors: tuple | None
    ) -> tf.Tensor:
        if isinstance(batches, list):
            batches = tf.nest.map_structure(lambda *x: tf.stack(x), *batches)

        def body(i: tf.Tensor, finite: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = tf.nest.map_structure(lambda x: x[i], batches)
            batch = gather(tensors, batch) if tensors else batch
            return i + 1, finite & unguarded_step(self.model, batch)

        finite = tf.while_loop(lambda i, _: i < stop, body, [start, True])[1]
        return finite & optimizers_are_finite(self.model)


def is_faster(model: keras.Model) -> bool:
    """True if XLA is known to be safe and faster for a model's parts on a CPU."""
    strategy = tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.OneDeviceStrategy):
        return False
    if tf.config.list_logical_devices("GPU"):
        return False
    parts = [part for part in vars(model).values() if isinstance(part, Configurable)]
    names = [type(part).__module__ for part in [*model._flatten_layers(), *parts]]
    return all(_is_ours(name) and not any(s in name for s in _SLOW) for name in names)


def has_own(model: keras.Model, *names: str) -> bool:
    """True if a user's class has one of these methods of its own."""
    return not all(_is_ours(getattr(type(model), n).__module__) for n in names)


def has_loop(model: keras.Model) -> bool:
    """True if a model's training steps run in an `XLALoop`."""
    alone = not model.run_eagerly and not part_of(model)
    return model.jit_compile and alone and not has_own(model, "train_step")


def steps_in_block(asked: int | str, callbacks: Any) -> int:
    """Steps of a block as asked for; "auto" takes one if a callback is to see each."""
    if asked != "auto":
        return asked
    callbacks = getattr(callbacks, "callbacks", callbacks)
    return 1 if any(map(watches_batches, callbacks)) else STEPS


def watches_batches(callback: keras.callbacks.Callback) -> bool:
    """True if a callback acts between batches."""
    if any(getattr(callback, name, "epoch") != "epoch" for name in _FREQUENCIES):
        return True
    own = [vars(k) for k in type(callback).__mro__ if not _is_ours(k.__module__)]
    return any(hook in names for names in [vars(callback), *own] for hook in _HOOKS)


def _is_ours(module: str) -> bool:
    return module.split(".")[0] in ("keras", "tfvae")


def _prepared(batch: Any) -> Any:
    """The batch as tensors, without the places that `train_on_batch` leaves empty."""
    if isinstance(batch, (tuple, list)):
        batch = tuple(part for part in batch if part is not None)
    return tf.nest.map_structure(tf.convert_to_tensor, batch)


def _shape(batch: Any) -> list[tf.TensorShape]:
    return [x.shape for x in tf.nest.flatten(batch)]
