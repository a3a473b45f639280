"""The base of every model: its inputs, its entry points, its files."""

import abc
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks, seeds
from tfvae.conditional import forget_graphs
from tfvae.config import Configurable
from tfvae.export import saved_model, tflite
from tfvae.inputs import (
    Context,
    Input,
    Inputs,
    is_stream,
    same_target,
    to_arrays,
)
from tfvae.signatures import Outputs, Signature, in_chunks
from tfvae.training.fit import Trainable


class GenerativeModel(Configurable, Trainable, abc.ABC):
    """Abstract: a Keras model that generates x, trained by the losses among its terms.

    A subclass gives `make_inputs`, `players`, `terms`, `signatures`, `lite_signatures`,
    `from_noise`, `build_parts` and `call`.

    Args:
        report_names: Names of the terms that `fit` and `evaluate` report, losses first.
        **kwargs: Keras's `name`, `dtype` and `trainable`.
    """

    # The term that says how good an epoch was, by name: more is better. None if no term
    # says so.
    monitor = None

    @abc.abstractmethod
    def make_inputs(self) -> Inputs:
        """Makes the table of `inputs`; x has no shape before the model is built."""

    @functools.cached_property
    def inputs(self) -> Inputs:
        """The table of all that the model takes."""
        return self.make_inputs()

    @property
    def condition(self) -> Input | None:
        """The u or y that the model is conditional on, or None."""
        return self.inputs.condition

    @abc.abstractmethod
    def signatures(self) -> dict[str, Signature]:
        """The entry points by name: the methods, and what `tfvae.export` writes."""

    @abc.abstractmethod
    def lite_signatures(self, batch_size: int = 1) -> dict[str, Signature]:
        """Entry points for TFLite, whose runtime has no seeded random numbers.

        `sample_random` of a model without a condition gives `batch_size` rows.
        """

    @abc.abstractmethod
    def from_noise(self, noise: tf.Tensor, context: Context) -> Outputs:
        """Draws of x as a function of noise, `{"x": [batch, *event_shape]}`.

        Args:
            noise: Rows of the input "noise": uniform if its range is [0, 1], else
                standard normal.
            context: The u or y as networks take it, or None.
        """

    @abc.abstractmethod
    def build_parts(self, event_shape: tuple[int, ...]) -> None:
        """Builds the parts for x of this shape, or raises if one does not fit."""

    def build(self, input_shape: Any) -> None:
        if self.built:
            return
        pair = isinstance(input_shape[0], (tuple, list))  # of x, and u or y
        self.build_parts(tuple(input_shape[0] if pair else input_shape)[1:])
        self.built = True
        vars(self)["inputs"] = self.make_inputs()  # now that x has a shape

    def check_data(
        self, x: Any, given: Any = None, name: str = "x"
    ) -> dict[str, np.ndarray]:
        """Validates data and returns arrays by name; builds the model on first use.

        Args:
            x: Data, a pair of x and of u or y, or a stream of either.
            given: The u or y, if it is not in x: for each row, or one for all.
            name: The input that x is.
        """
        if given is None:
            x, given = to_arrays(x)
            if self.inputs.condition is None:
                same_target(x, given)
                given = None
        if not self.built:
            x = checks.real(x=x)
            checks.array(x.shape[1:], x=x)
            self.build((None, *x.shape[1:]))
        x = self.inputs[name].check(x)
        return {name: x, **self.inputs.given(given, len(x))}

    def pieces(
        self, x: Any, given: Any = None, size: int | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Checked data by name: arrays in one piece, a stream batch by batch.

        A stream is never held in memory whole.

        Args:
            x: As in `check_data`.
            given: As in `check_data`.
            size: Rows of each piece but the last; None leaves them as they come.
        """
        parts = ((x, given),)
        if is_stream(x):
            parts = self.inputs.beside_stream(x, given)
        parts = (self.check_data(*part) for part in parts)
        if size is None:
            yield from parts
            return
        rest = {}
        for data in parts:
            if rest:
                data = {k: np.concatenate([rest[k], rows]) for k, rows in data.items()}
            cuts = range(0, len(next(iter(data.values()))), size)
            cut = [{k: rows[i : i + size] for k, rows in data.items()} for i in cuts]
            *whole, rest = cut or [{}]
            yield from whole
        if rest:
            yield rest

    def answers(self, name: str, output: str, x: Any, given: Any = None) -> tf.Tensor:
        """One output of a signature of x, for all `pieces` of the data."""
        parts = [self.call_signature(name, **p)[output] for p in self.pieces(x, given)]
        return parts[0] if len(parts) == 1 else tf.concat(parts, axis=0)

    def call_signature(self, name: str, **inputs: Any) -> Outputs:
        """Runs one of the `signatures`, compiled, in chunks of bounded memory.

        Args:
            name: Name of the signature.
            **inputs: Arrays or tensors `[batch, ...]`.
        """
        if any(tf.is_symbolic_tensor(value) for value in inputs.values()):
            return self.signatures()[name].function(**inputs)
        is_new = name not in self._compiled
        if is_new:
            signature = self.signatures()[name]
            names = [each.name for each in signature.inputs]
            self._compiled[name] = names, signature.compiled()
        names, function = self._compiled[name]
        outputs = in_chunks(function, [tf.convert_to_tensor(inputs[n]) for n in names])
        if is_new:
            forget_graphs()
        return outputs

    def export(
        self,
        filepath: str | pathlib.Path,
        format: str = "tf_saved_model",
        **kwargs: Any,
    ) -> None:
        """Writes the model for use without its code, as `keras.Model.export`.

        Args:
            filepath: The folder of the SavedModel, which must not exist yet, with the
                `signatures`; or a `.tflite` file with the `lite_signatures`.
            format: `"tf_saved_model"` or `"litert"`.
            **kwargs: For `"litert"`, as in `tfvae.export.to_tflite`.
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

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        for i, state in enumerate(self._seed_states()):
            store[f"seed_{i}"] = state.numpy()

    def load_own_variables(self, store: Any) -> None:
        values = {name: store[name] for name in store.keys()}
        for i, state in enumerate(self._seed_states()):
            state.assign(values.pop(f"seed_{i}"))
        super().load_own_variables(values)

    def _build_early(self, network: keras.layers.Layer) -> None:
        """Builds the model if a network knows the shape of x."""
        shape = getattr(network, "input_shape", None)
        if isinstance(shape, tuple) and None not in shape[1:]:
            self.build((None, *shape[1:]))

    def _check_built(self) -> None:
        if not self.built:
            raise ValueError(
                "The model must be built first. Received: a network of unknown input "
                "shape. Call the model on data, or model.build((None, *event_shape))."
            )

    def _sample(self, num_samples: int, seed: Any, given: Any) -> tf.Tensor:
        """Rows of the signature `sample`, conditional on a value or None."""
        num_samples = checks.integer(minimum=0, num_samples=num_samples)
        given = self.inputs.given(given, num_samples)
        rows = seeds.rows(seed, num_samples)
        return self.call_signature("sample", seed=rows, **given)["x"]

    def entry(
        self, function: Callable[..., Outputs], *names: str, random: bool = False
    ) -> Signature:
        """A signature of named inputs, and of the condition if the model has one.

        Args:
            function: Takes the inputs by name, and the condition as its `context`.
            *names: Names in the table of inputs.
            random: As in `Signature`.
        """
        table = tuple(self.inputs[name] for name in names)
        condition = self.inputs.condition
        if condition is None:
            function = functools.partial(function, context=None)
            return Signature(function, table, random)

        def with_context(**inputs: tf.Tensor) -> Outputs:
            context = condition.context(inputs.pop(condition.name))
            return function(**inputs, context=context)

        return Signature(with_context, (*table, condition), random)

    def _sample_signature(self) -> Signature:
        """`sample(seed)`: each row of x depends on its row of seeds alone."""
        noise = self.inputs["noise"]
        draw = seeds.uniform if noise.range else seeds.normal

        def sample(seed: tf.Tensor, context: Context) -> Outputs:
            rows = draw(seed, [tf.shape(seed)[0], *noise.shape])
            return self.from_noise(rows, context)

        return self.entry(sample, "seed")

    def _lite_sample_signatures(self, batch_size: int) -> dict[str, Signature]:
        """`sample(noise)`, and `sample_random()` by the runtime's own generator."""
        noise = self.inputs["noise"]
        draw = tf.random.uniform if noise.range else tf.random.normal

        def sample_random(context: Context) -> Outputs:
            num_rows = batch_size if context is None else tf.shape(context)[0]
            return self.from_noise(draw([num_rows, *noise.shape]), context)

        return {
            "sample": self.entry(self.from_noise, "noise"),
            "sample_random": self.entry(sample_random, random=True),
        }

    def _seed_states(self) -> list[keras.Variable]:
        return [v for v in self.variables if v.name == "seed_generator_state"]

    @functools.cached_property
    def _compiled(self) -> dict[str, tuple[list[str], Callable]]:
        return {}


def check_apart(**parts: Any) -> None:
    """Refuses a layer in two parts: read back from a file it would be two layers."""
    owner = {}
    for name, part in parts.items():
        for layer in part._flatten_layers():
            other = owner.setdefault(id(layer), name)
            if other != name:
                checks.fail(
                    f"a part that shares no layer with `{other}`", **{name: part}
                )
