"""Training and evaluation shared by the replicas of a `tf.distribute` strategy."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae import seeds
from tfvae.data.batches import gather
from tfvae.data.parts import rows_of_replica
from tfvae.training.blocks import Block, Blocks, at, prepared, stacked
from tfvae.training.players import Rows, Sums
from tfvae.training.step import evaluate_step, guarded_step
from tfvae.training.workers import clear_errors, scope_of


class Packed(NamedTuple):
    """Sums of all replicas as one vector, taken apart where they are used.

    Attributes:
        vector: All numbers.
        structure: The structure of their specs.
    """

    vector: tf.Tensor
    structure: Any


class Replicas:
    """The replicas of a strategy: each sums over its rows, and one vector adds them up.

    Each replica moves its own copies of the variables by the same sums: the copies stay
    equal to the bit.

    Args:
        model: A model made under a strategy that mirrors variables.
        compiled: Whether XLA compiles the sums and the updates.
    """

    def __init__(self, model: keras.Model, compiled: bool):
        self.model, self.compiled = model, compiled
        self.strategy = model.made_under

    def total(self, function: Callable[[Rows], Sums], data: Any) -> Packed:
        """The sums that a function gives for all `Rows` of a batch, for `update`.

        Args:
            function: Gives the sums over some rows.
            data: The place and the rows of this worker, see `data.parts.Part`; and the
                tensors from which to gather them if they are numbers, or None.
        """
        shape = {}

        def flat(
            own: Any, tensors: Any, seed: tf.Tensor, num_rows: tf.Tensor
        ) -> tf.Tensor:
            sums = function(Rows(gather(tensors, own), seed, num_rows))
            shape["of sums"] = tf.nest.map_structure(_spec, sums)
            return _flattened(sums)

        def on_replica(
            place: tf.Tensor, rows: Any, tensors: Any, seed: tf.Tensor
        ) -> tf.Tensor:
            own, first = self._own(place, rows)
            seed = seeds.of_part(seed, first, place[1])
            num_rows = tf.cast(place[1], tf.float32)
            return self._compile(flat)(own, tensors, seed, num_rows)

        seed = seeds.from_generator(self.model.seed_generator)
        vectors = self.strategy.run(on_replica, args=(*data, seed))
        vector = self.strategy.reduce(tf.distribute.ReduceOp.SUM, vectors, axis=None)
        return Packed(vector, shape["of sums"])

    def update(self, function: Callable[..., tf.Tensor], *args: Any) -> tf.Tensor:
        """Calls a function that changes variables, for the copies of each replica.

        Args:
            function: Gives a tensor, the same for each replica.
            *args: Its arguments: tensors, and sums from `total`.
        """
        structures = [a.structure if isinstance(a, Packed) else None for a in args]
        tensors = [a.vector if isinstance(a, Packed) else a for a in args]

        def run(*args: Any) -> tf.Tensor:
            pairs = zip(args, structures, strict=True)
            return function(*(a if s is None else _unflattened(a, s) for a, s in pairs))

        def on_device(_: tf.Variable, *args: Any) -> tf.Tensor:
            return self._compile(run)(*args)

        anchor = self.model.seed_generator.state.value
        update = self.strategy.extended.update
        return update(anchor, on_device, tensors, group=False)[0]

    def _compile(self, function: Callable) -> Callable:
        # Anew for each replica: a compiled function keeps the copies it was made for.
        if not self.compiled:
            return function
        return tf.function(function, jit_compile=True, autograph=False)

    def _own(self, place: tf.Tensor, rows: Any) -> tuple[Any, tf.Tensor]:
        """The rows of this replica, and the number of the first in the batch."""
        first_here, num_rows = tf.unstack(place)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        count = self.strategy.num_replicas_in_sync
        first, stop = rows_of_replica(tf.cast(replica, tf.int32), count, num_rows)
        own = slice(first - first_here, stop - first_here)
        return tf.nest.map_structure(lambda x: x[own], rows), first


class SharedLoop(Blocks):
    """Blocks of training steps that all replicas share.

    Args:
        model: A model made under a strategy that mirrors variables.
    """

    def __init__(self, model: keras.Model):
        super().__init__(model)
        # Replicas that ask each other for means in between are not compiled.
        alone = not getattr(model.objective, "needs_batch", False)
        self._replicas = Replicas(model, compiled=alone and bool(model.jit_compile))
        self._run = tf.function(self._steps, reduce_retracing=True, autograph=False)

    def train(self, block: Block) -> None:
        """See `Blocks.train`."""
        batches, start, stop = block
        with scope_of(self.model), clear_errors():
            self._run(batches, tf.constant(start), tf.constant(stop), self.tensors)

    def _steps(
        self, batches: Any, start: tf.Tensor, stop: tf.Tensor, tensors: tuple | None
    ) -> None:
        batches = stacked(batches)

        def body(i: tf.Tensor) -> tf.Tensor:
            place, rows = at(batches, i)
            guarded_step(self.model, (place, rows, tensors), self._replicas)
            return i + 1

        tf.while_loop(lambda i: i < stop, body, [start], parallel_iterations=1)


class SharedTest:
    """Function that Keras calls to evaluate some batches, which all replicas share.

    Args:
        model: A model made under a strategy that mirrors variables.
    """

    def __init__(self, model: keras.Model):
        self.model = model
        replicas = Replicas(model, compiled=False)

        def run(place: tf.Tensor, rows: Any) -> dict[str, tf.Tensor]:
            return evaluate_step(model, (place, rows, None), replicas)

        self._run = tf.function(run, reduce_retracing=True, autograph=False)

    def __call__(self, iterator: Iterator) -> dict[str, tf.Tensor]:
        logs = None
        with scope_of(self.model), clear_errors():
            for data in itertools.islice(iterator, self.model.steps_per_execution):
                logs = self._run(*prepared(data))
        if logs is None:
            raise StopIteration
        return logs


def _spec(value: tf.Tensor | None) -> tf.TensorSpec | None:
    return None if value is None else tf.TensorSpec(value.shape, value.dtype)


def _flattened(structure: Any) -> tf.Tensor:
    """All numbers of a structure in one vector; places with None are left out."""
    tensors = [t for t in tf.nest.flatten(structure) if t is not None]
    dense = [tf.cast(tf.convert_to_tensor(t), tf.float32) for t in tensors]
    return tf.concat([tf.reshape(t, [-1]) for t in dense], axis=0)


def _unflattened(vector: tf.Tensor, structure: Any) -> Any:
    """The structure of tensors that a vector was made from."""
    specs = tf.nest.flatten(structure)
    sizes = [spec.shape.num_elements() for spec in specs if spec is not None]
    parts = iter(tf.split(vector, sizes))
    values = [
        None
        if spec is None
        else tf.cast(tf.reshape(next(parts), spec.shape), spec.dtype)
        for spec in specs
    ]
    return tf.nest.pack_sequence_as(structure, values)
