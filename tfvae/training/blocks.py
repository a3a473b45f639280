"""Training in blocks: many batches in one call, of which Keras hears one by one."""

import abc
import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfvae.data.batches import InMemory, steps_at_once


class Block(NamedTuple):
    """Steps with batches of one shape.

    Attributes:
        batches: List of batches; or, of arrays in memory, tensors `[steps, ...]`.
        start: The first of them to be trained on.
        stop: The one after the last.
    """

    batches: Any
    start: int
    stop: int

    @classmethod
    def padded(cls, batches: list, length: int) -> "Block":
        """All of some batches; of one length, so as to compile once."""
        padding = batches[-1:] * (length - len(batches))
        return cls(batches + padding, 0, len(batches))

    def batch(self, i: int) -> Any:
        """One of the batches."""
        is_list = isinstance(self.batches, list)
        return self.batches[i] if is_list else at(self.batches, i)


class Blocks(abc.ABC):
    """Abstract training function for `fit`, which trains on a block of batches.

    The first call of a block of steps takes them all; the calls for the others only
    report.

    Args:
        model: A `GenerativeModel`.

    Attributes:
        shape: The shape of batches that a subclass compiles for, None at the start.
    """

    def __init__(self, model: keras.Model):
        self.model = model

    @abc.abstractmethod
    def train(self, block: Block) -> None:
        """Trains on a block."""

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
                self.train(block)
            taken = sum(block.stop - block.start for block in blocks)
            self._taken = (self._taken + taken) % (self.steps_per_epoch or 1)
            count += taken
        if not count:
            raise StopIteration
        return count

    def _take(self, iterator: Iterator, limit: int) -> list[Block]:
        """The next steps of a stream, by the shape of their batches."""
        first = next(iterator, None)
        if first is None:
            self._taken = 0
            return []
        length = steps_at_once(prepared(first), self.num_steps)
        batches = [first, *itertools.islice(iterator, min(limit, length) - 1)]
        groups = itertools.groupby(map(prepared, batches), shape_of)
        return [Block.padded(list(group), length) for _, group in groups]

    def _take_rows(self, _: Iterator, limit: int) -> list[Block]:
        """The next steps with arrays, up to the end of the data."""
        if self._rows is None:
            self._rows, self._next = self.in_memory.rows(), 0
        whole, rest = self._rows
        start, num_whole = self._next, len(tf.nest.flatten(whole)[0])
        self._next = min(start + limit, self.in_memory.num_steps)
        blocks = [Block(whole, start, min(self._next, num_whole))]
        if self._next == self.in_memory.num_steps:
            self._rows = None
            if num_whole < self._next:
                blocks.append(Block([rest], 0, 1))
        return [block for block in blocks if block.start < block.stop]


def stacked(batches: Any) -> Any:
    """A list of batches as tensors `[steps, ...]`."""
    if not isinstance(batches, list):
        return batches
    return tf.nest.map_structure(lambda *x: tf.stack(x), *batches)


def at(batches: Any, i: int | tf.Tensor) -> Any:
    """One batch of tensors `[steps, ...]`."""
    return tf.nest.map_structure(lambda x: x[i], batches)


def shape_of(batch: Any) -> list[tf.TensorShape]:
    """Shapes of the tensors in a batch."""
    return [x.shape for x in tf.nest.flatten(batch)]


def prepared(batch: Any) -> Any:
    """The batch as tensors, without the places that `train_on_batch` leaves empty."""
    if isinstance(batch, (tuple, list)):
        batch = tuple(part for part in batch if part is not None)
    return tf.nest.map_structure(tf.convert_to_tensor, batch)
