"""Signatures: the entry points of a model, in Python and wherever it is exported to."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from tfvae.inputs import Input

# Tensors `[batch, ...]` by name.
Outputs = dict[str, tf.Tensor]
# Rows that a method of a model handles at once; larger requests are split.
CHUNK = 512


class Signature(NamedTuple):
    """One entry point of a model, in Python and wherever it is exported to.

    Attributes:
        function: Takes tensors by name and returns a dict of tensors by name.
        inputs: The `Input` of each argument.
        random: Whether the function draws its own random numbers.
        batch_size: Number of rows of every input; None for any number.
    """

    function: Callable[..., Outputs]
    inputs: tuple[Input, ...]
    random: bool = False
    batch_size: int | None = None

    @property
    def specs(self) -> tuple[tf.TensorSpec, ...]:
        """A `tf.TensorSpec` for each input."""
        return tuple(i.spec(self.batch_size) for i in self.inputs)

    def example(self, num_rows: int = 3) -> dict[str, tf.Tensor]:
        """Made-up inputs by name, of the batch size if it is fixed."""
        num_rows = self.batch_size or num_rows
        return {i.name: i.example(num_rows, seed) for seed, i in enumerate(self.inputs)}

    def compiled(self) -> tf.types.experimental.ConcreteFunction:
        """A concrete function that takes the inputs by position, in their order."""

        @tf.function(autograph=False)
        def function(*values: tf.Tensor) -> Outputs:
            names = (i.name for i in self.inputs)
            return self.function(**dict(zip(names, values, strict=True)))

        return function.get_concrete_function(*self.specs)


def in_chunks(
    function: tf.types.experimental.ConcreteFunction, values: list[tf.Tensor]
) -> Outputs:
    """Outputs of a compiled signature, of which at most `CHUNK` rows run at once."""
    num_rows = len(values[0])
    if 0 < num_rows <= CHUNK:
        return function(*values)
    parts = [
        function(*(value[i : i + CHUNK] for value in values))
        for i in range(0, num_rows, CHUNK)
    ]
    outputs = function.structured_outputs.items()
    empty = {key: tf.zeros([0, *spec.shape[1:]]) for key, spec in outputs}
    return {key: tf.concat([empty[key], *(p[key] for p in parts)], 0) for key in empty}
