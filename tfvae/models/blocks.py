"""Training steps in blocks: many batches in one call of a program compiled by XLA."""

import itertools
import math

import tensorflow as tf

from tfvae.models.guard import all_finite

# Steps in a call: enough to spread what a call costs.
STEPS = 20
# Bytes of batches stacked at once, at most.
LIMIT = 2**26

_HOOKS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
)
# Parts of Keras that XLA does not compile, or makes slower than they are on a CPU.
_SLOW = (
    "convolutional",
    "lambda_layer",
    "pooling",
    "preprocessing",
    "regularization",  # of its random numbers
    "rnn",
)


class BlockFunction:
    """What `fit` calls for its next steps: a loop over stacked batches, under XLA.

    Steps in the loop are not guarded one by one, which would cost a fifth of the speed.
    Where a variable is not finite after a block, all are set back and its batches are
    tried one by one with the same program: the result is that of guarded steps, to the
    bit. A single batch of another shape, such as a smaller last one, is not worth the
    time to compile: it takes a guarded step outside of XLA.

    Args:
        model: A `GenerativeModel`.
        num_steps: Steps in one call.
    """

    def __init__(self, model, num_steps):
        self.model, self.num_steps = model, num_steps
        self.shapes = self._watched = None
        step = model.train_step
        self._run_alone = tf.function(step, reduce_retracing=True, autograph=False)

    def __call__(self, iterator):
        batches = list(itertools.islice(iterator, self.num_steps))
        if not batches:
            raise StopIteration
        groups = [list(group) for _, group in itertools.groupby(batches, _shapes)]
        if self.shapes is None or len(groups[0]) > 1:
            self.shapes = _shapes(batches[0])
        for group in groups:
            run = (
                self._run_blocks if _shapes(group[0]) == self.shapes else self._run_each
            )
            run(group)
        return self.model.report.result()

    def _run_each(self, batches):
        for batch in batches:
            self._run_alone(batch)

    def _run_blocks(self, batches):
        length = self._length(batches[0])
        for start in range(0, len(batches), length):
            block = batches[start : start + length]
            padding = block[-1:] * (length - len(block))  # of one compiled length
            stacked = tf.nest.map_structure(lambda *x: tf.stack(x), *block, *padding)
            if self._try(stacked, tf.constant(0), tf.constant(len(block))):
                self.model.skipped.update_state(tf.constant(True))
                continue
            for i in tf.range(len(block)):
                finite = self._try(stacked, i, i + 1)
                self.model.skipped.update_state(tf.constant(finite))
                self.model.skipped.check()

    def _length(self, batch):
        parts = tf.nest.flatten(batch)
        size = sum(x.dtype.size * math.prod(x.shape) for x in parts)
        return max(1, min(self.num_steps, LIMIT // max(1, size)))

    def _try(self, stacked, start, stop):
        """Takes the steps unless they end in a variable that is not finite."""
        state = [*self.model.state(), *self.model.report.variables]
        if self._watched is None:  # a constant of the user may hold an Inf
            floats = (v for v in state if "float" in v.dtype)
            self._watched = [v for v in floats if all_finite([v.value])]
        before = [tf.convert_to_tensor(variable) for variable in state]  # no copies
        finite = bool(self._run(stacked, start, stop))
        if not finite:
            for variable, value in zip(state, before, strict=True):
                variable.assign(value)
        return finite

    @tf.function(jit_compile=True, autograph=False)
    def _run(self, stacked, start, stop):
        def body(i):
            self.model.update(tf.nest.map_structure(lambda x: x[i], stacked))
            return (i + 1,)

        tf.while_loop(lambda i: i < stop, body, [start])
        return all_finite([variable.value for variable in self._watched])


def is_faster(model):
    """Whether XLA is known to be safe and faster for a model's layers on a CPU."""
    if tf.distribute.has_strategy() or tf.config.list_logical_devices("GPU"):
        return False
    names = [type(layer).__module__ for layer in model._flatten_layers()]
    return all(_is_ours(name) and not any(s in name for s in _SLOW) for name in names)


def choose_steps(callbacks, steps_per_epoch):
    """Steps in one call that no callback misses and that divide an epoch.

    Args:
        callbacks: List of Keras callbacks.
        steps_per_epoch: Where an epoch is cut to a number of steps, else None.
    """
    if any(map(_watches_batches, callbacks)):
        return 1
    if steps_per_epoch is None:
        return STEPS
    return max(n for n in range(1, STEPS + 1) if steps_per_epoch % n == 0)


def _watches_batches(callback):
    """Whether a class outside of Keras and this package has a hook for batches."""
    own = [vars(k) for k in type(callback).__mro__ if not _is_ours(k.__module__)]
    return any(hook in names for names in [vars(callback), *own] for hook in _HOOKS)


def _is_ours(module):
    return module.split(".")[0] in ("keras", "tfvae")


def _shapes(batch):
    return [x.shape for x in tf.nest.flatten(batch)]
