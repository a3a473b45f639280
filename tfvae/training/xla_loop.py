"""Blocks of training steps as one program, compiled by XLA."""

from typing import Any

import keras
import tensorflow as tf

from tfvae.config import Configurable
from tfvae.data.batches import STEPS, gather
from tfvae.training.blocks import Block, Blocks, at, shape_of, stacked
from tfvae.training.players import optimizers_are_finite, state
from tfvae.training.step import unguarded_step
from tfvae.training.workers import part_of

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


class XLALoop(Blocks):
    """Blocks of steps in one program, compiled by XLA.

    Within a block no step is undone, which would cost a fifth of the speed. If a step
    was not finite, the state from before the block comes back, and the same program
    tries the batches one by one.

    Batches of arrays are gathered within the program, by the numbers of their rows.

    A single batch of another shape, such as a smaller last one, is not worth the time
    to compile: it takes a guarded step outside of XLA.

    Args:
        model: A `GenerativeModel`.
    """

    def __init__(self, model: keras.Model):
        super().__init__(model)
        # Whether to raise if XLA cannot compile the step, or to run it as a graph.
        self.strict = model.compile_options["jit_compile"] is True
        step = self._alone
        self._run_alone = tf.function(step, reduce_retracing=True, autograph=False)
        self._run = tf.function(self._steps, jit_compile=True, autograph=False)
        self._compiles = None  # not yet known

    def train(self, block: Block) -> None:
        """See `Blocks.train`."""
        batches, start, stop = block
        shape = shape_of(block.batch(start))
        if self.shape is None or stop - start > 1:
            self.shape = shape
        if shape != self.shape or not self._try_to_compile(batches):
            for i in range(start, stop):
                self._run_alone(block.batch(i), self.tensors)
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
        return self.model.train_step(gather(tensors, batch))

    def _steps(
        self, batches: Any, start: tf.Tensor, stop: tf.Tensor, tensors: tuple | None
    ) -> tf.Tensor:
        batches = stacked(batches)

        def body(i: tf.Tensor, finite: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = gather(tensors, at(batches, i))
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


def gathers(model: keras.Model) -> bool:
    """True if programs gather the batches of arrays, which lie in main memory."""
    if part_of(model):
        return model.jit_compile and not tf.config.list_logical_devices("GPU")
    return has_loop(model)


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
