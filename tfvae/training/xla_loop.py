"""Training steps in blocks: many batches in one call of a program compiled by XLA."""

import itertools
import math

import tensorflow as tf

from tfvae.config import Configurable
from tfvae.data.prefetch import steps_at_once
from tfvae.training.finite import all_finite, keeps_nan

_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)
# Of Keras's callbacks that save or write after a number of batches.
_FREQUENCIES = ("save_freq", "update_freq")
# Parts of Keras that XLA does not compile, or makes slower than they are on a CPU.
_SLOW = (
    "convolutional",
    "lambda_layer",
    "pooling",
    "preprocessing",
    "regularization",  # of its random numbers
    "rnn",
)


class XLALoop:
    """What `fit` calls for its next steps: a loop over stacked batches, under XLA.

    The steps of a block are taken at the first call that needs one of them; the calls
    for the others only report. Within a block no step is undone, which would cost a
    fifth of the speed: if one was not finite, the state from before the block comes
    back and its batches are tried one by one with the same program.

    A single batch of another shape, such as a smaller last one, is not worth the time
    to compile: it takes a guarded step outside of XLA.

    Args:
        model: A `GenerativeModel`.
        strict: Whether what XLA cannot compile is an error, or trained outside of it.
    """

    def __init__(self, model, strict):
        self.model, self.strict = model, strict
        step = model.train_step
        self._run_alone = tf.function(step, reduce_retracing=True, autograph=False)
        self._run = tf.function(self._steps, jit_compile=True, autograph=False)
        self._compiles = None  # not yet known

    def start(self, num_steps, steps_per_call, steps_per_epoch):
        """Gets ready for a `fit`.

        Args:
            num_steps: Steps in a block, at most.
            steps_per_call: Steps that a call stands for.
            steps_per_epoch: Where an epoch is cut to a number of steps, else None.
        """
        self.num_steps, self.steps_per_call = num_steps, steps_per_call
        self.steps_per_epoch = steps_per_epoch
        self.shape, self._ahead, self._taken = None, 0, 0

    def __call__(self, iterator):
        if not self._ahead:
            self._ahead = math.ceil(self._advance(iterator) / self.steps_per_call)
            logs = self.model.report.result()
            self._logs = {name: float(value) for name, value in logs.items()}
        self._ahead -= 1
        return self._logs

    def _advance(self, iterator):
        """Trains on the batches of this call at least; says on how many."""
        count = 0
        while count < self.steps_per_call:
            batches = self._take(iterator, self.num_steps - count)
            if not batches:
                break
            for shape, group in itertools.groupby(batches, _shape):
                self._train(shape, list(group))
            count += len(batches)
        if not count:
            raise StopIteration
        return count

    def _take(self, iterator, limit):
        """The batches of the next block, which ends with the epoch."""
        first = next(iterator, None)
        if first is None:
            self._taken = 0
            return []
        count = min(limit, steps_at_once(_prepared(first), self.num_steps))
        if self.steps_per_epoch:
            count = min(count, self.steps_per_epoch - self._taken)
            self._taken = (self._taken + count) % self.steps_per_epoch
        rest = itertools.islice(iterator, count - 1)
        return [_prepared(batch) for batch in [first, *rest]]

    def _train(self, shape, batches):
        if self.shape is None or len(batches) > 1:
            self.shape = shape
        if shape != self.shape or not self._try_to_compile(batches):
            for batch in batches:
                self._run_alone(batch)
            return
        padded = self._padded(batches)
        if self._run_or_restore(padded, tf.constant(0), tf.constant(len(batches))):
            self.model.skipped.update_state(tf.constant(True))
            return
        for i in tf.range(len(batches)):
            finite = self._run_or_restore(padded, i, i + 1)
            self.model.skipped.update_state(tf.constant(finite))
            self.model.skipped.check()

    def _try_to_compile(self, batches):
        """Whether XLA knows all operations of a step, where it was not insisted on."""
        if self._compiles is None:
            nothing = tf.constant(0)
            try:
                self._run(self._padded(batches), nothing, nothing)
                self._compiles = True
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
                if self.strict:
                    raise
                self._compiles = False
        return self._compiles

    def _padded(self, batches):
        length = steps_at_once(batches[0], self.num_steps)  # one, so as to compile once
        return batches + batches[-1:] * (length - len(batches))

    def _run_or_restore(self, batches, start, stop):
        """Takes those steps unless one is not finite; says whether."""
        state = [*self.model.state(), *self.model.report.variables]
        before = [tf.convert_to_tensor(variable) for variable in state]  # no copies
        finite = bool(self._run(batches, start, stop))
        if not finite:
            for variable, value in zip(state, before, strict=True):
                variable.assign(value)
        return finite

    def _steps(self, batches, start, stop):
        stacked = tf.nest.map_structure(lambda *x: tf.stack(x), *batches)

        def body(i, finite):
            batch = tf.nest.map_structure(lambda x: x[i], stacked)
            return i + 1, finite & self.model.update(batch)

        finite = tf.while_loop(lambda i, _: i < stop, body, [start, True])[1]
        if keeps_nan(self.model.optimizer):
            finite &= all_finite(self.model.optimizer.variables)
        return finite


def is_faster(model):
    """Whether XLA is known to be safe and faster for a model's parts on a CPU."""
    if tf.distribute.has_strategy() or tf.config.list_logical_devices("GPU"):
        return False
    parts = [part for part in vars(model).values() if isinstance(part, Configurable)]
    names = [type(part).__module__ for part in [*model._flatten_layers(), *parts]]
    return all(_is_ours(name) and not any(s in name for s in _SLOW) for name in names)


def watches_batches(callback):
    """Whether a callback does something of its own, or its user's, between batches."""
    if any(getattr(callback, name, "epoch") != "epoch" for name in _FREQUENCIES):
        return True
    own = [vars(k) for k in type(callback).__mro__ if not _is_ours(k.__module__)]
    return any(hook in names for names in [vars(callback), *own] for hook in _HOOKS)


def _is_ours(module):
    return module.split(".")[0] in ("keras", "tfvae")


def _prepared(batch):
    """Tensors, without what `train_on_batch` leaves empty."""
    if isinstance(batch, (tuple, list)):
        batch = tuple(part for part in batch if part is not None)
    return tf.nest.map_structure(tf.convert_to_tensor, batch)


def _shape(batch):
    return [x.shape for x in tf.nest.flatten(batch)]
