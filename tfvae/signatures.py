"""Signatures: the entry points of a model, in Python and wherever it is exported to."""

import abc
import functools
import typing

import tensorflow as tf

from tfvae import checks
from tfvae.export import saved_model, tflite

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

    def of_batch(self, num_rows):
        """The same for so many rows, no more and no fewer."""
        shapes = [(num_rows, *spec.shape[1:]) for spec in self.inputs]
        specs = zip(shapes, self.inputs, strict=True)
        inputs = tuple(tf.TensorSpec(shape, s.dtype, s.name) for shape, s in specs)
        return self._replace(inputs=inputs)

    def compiled(self):
        """A concrete function that takes the inputs by position, in their order."""

        @tf.function(autograph=False)
        def function(*values):
            names = (spec.name for spec in self.inputs)
            return self.function(**dict(zip(names, values, strict=True)))

        return function.get_concrete_function(*self.inputs)


class Answering(abc.ABC):
    """Abstract: what has signatures, and runs them compiled."""

    @abc.abstractmethod
    def signatures(self):
        """Dict of `Signature` by name: the methods, and what `tfvae.export` writes."""

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Writes the model for use without its code, as `keras.Model.export`.

        Args:
            filepath: The folder of the SavedModel, not there yet, with the
                `signatures`; or a `.tflite` file with the `lite_signatures`.
            format: `"tf_saved_model"` or `"litert"`.
            **kwargs: Of `"litert"`, as in `tfvae.export.to_tflite`.

        Raises:
            ValueError: Where the format is another, the model is not built, or the
                folder is there.
        """
        checks.one_of(["tf_saved_model", "litert"], format=format)
        kwargs.pop("verbose", None)
        if format == "litert":
            for name in kwargs:
                checks.one_of(tflite.OPTIONS, argument=name)
            tflite.to_tflite(self, filepath, **kwargs)
        elif kwargs:
            expected = "left out: the signatures are the model's own"
            checks.fail(expected, **dict([next(iter(kwargs.items()))]))
        else:
            saved_model.to_folder(self, filepath)

    def run(self, name, **inputs):
        """Runs one of the `signatures`, compiled, in chunks of bounded memory.

        Args:
            name: Name of the signature.
            **inputs: Arrays or tensors `[batch, ...]`.

        Returns:
            A dict of tensors `[batch, ...]`.
        """
        if any(tf.is_symbolic_tensor(value) for value in inputs.values()):
            return self.signatures()[name].function(**inputs)
        if name not in self._compiled:
            signature = self.signatures()[name]
            names = [spec.name for spec in signature.inputs]
            self._compiled[name] = names, signature.compiled()
        names, function = self._compiled[name]
        return _in_chunks(function, [tf.convert_to_tensor(inputs[n]) for n in names])

    @functools.cached_property
    def _compiled(self):
        return {}


def _in_chunks(function, values):
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
