"""Signatures: the entry points of a model, in Python and wherever it is exported to."""

import abc
import typing

import tensorflow as tf

# Rows that a method of a model handles at once; larger requests are split.
CHUNK = 512


class Signature(typing.NamedTuple):
    """One entry point of a model, in Python and wherever it is exported to.

    Attributes:
        function: Takes tensors by name and returns a dict of tensors by name.
        inputs: A `tf.TensorSpec` for each, with its name and a leading variable batch.
        random: Whether it draws its own random numbers.
    """

    function: typing.Callable
    inputs: tuple
    random: bool = False


class Answering(abc.ABC):
    """Abstract: what has signatures, and runs them compiled."""

    @abc.abstractmethod
    def signatures(self):
        """Dict of `Signature` by name: the methods, and what `tfvae.export` writes."""

    def run(self, name, **inputs):
        """Runs one of the `signatures`, compiled, in chunks of bounded memory.

        Args:
            name: Name of the signature.
            **inputs: Arrays or tensors `[batch, ...]`.

        Returns:
            A dict of tensors `[batch, ...]`.
        """
        signature = self.signatures()[name]
        if any(tf.is_symbolic_tensor(value) for value in inputs.values()):
            return signature.function(**inputs)
        specs = {spec.name: spec for spec in signature.inputs}
        function = self._run.get_concrete_function(name, **specs)  # traced once
        inputs = {key: tf.convert_to_tensor(value) for key, value in inputs.items()}
        num_rows = len(next(iter(inputs.values())))
        parts = [
            function(**{key: value[i : i + CHUNK] for key, value in inputs.items()})
            for i in range(0, num_rows, CHUNK)
        ]
        outputs = function.structured_outputs.items()
        empty = {key: tf.zeros([0, *spec.shape[1:]]) for key, spec in outputs}
        return {
            key: tf.concat([empty[key], *(p[key] for p in parts)], 0) for key in empty
        }

    @tf.function(autograph=False)
    def _run(self, name, **inputs):
        return self.signatures()[name].function(**inputs)
