"""Exported signatures, compared with the model before anything is published."""

import pathlib
from collections.abc import Callable, Mapping

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks
from tfvae.signatures import Signature

# Largest relative difference from the model that is published.
TOLERANCE = 1e-5

# Inputs of a signature and the outputs of the model for them, both by name.
Example = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]


def write(
    signatures: Mapping[str, Signature], path: pathlib.Path
) -> dict[str, Example]:
    """Writes a SavedModel with these signatures, and compares it with the model.

    The SavedModel holds each variable that a signature reads, once, and no others.

    Returns:
        Made-up inputs of each signature and the model's outputs for them.

    Raises:
        RuntimeError: If a signature on disk answers otherwise than the model.
    """
    functions = {name: _trace(signature) for name, signature in signatures.items()}
    holder = tf.Module()
    holder.weights = [v for function in functions.values() for v in function.variables]
    tf.saved_model.save(holder, str(path), signatures=functions)
    loaded = tf.saved_model.load(str(path)).signatures
    examples = {}
    for name, signature in signatures.items():
        inputs = signature.example()
        examples[name] = inputs, expected_outputs(signature, inputs)
        compare(loaded[name], *examples[name], f"{path}:{name}")
    return examples


def _trace(signature: Signature) -> tf.types.experimental.ConcreteFunction:
    @tf.function(autograph=False)
    def function(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        # A global seed of this process would repeat the draws wherever the file runs.
        tf.compat.v1.get_default_graph().seed = None
        return signature.function(**inputs)

    return function.get_concrete_function(**{s.name: s for s in signature.specs})


def expected_outputs(
    signature: Signature, inputs: Mapping[str, npt.ArrayLike]
) -> dict[str, tf.Tensor]:
    """Outputs of the model by name; none if the signature draws its own noise."""
    return {} if signature.random else signature.compiled()(*inputs.values())


def compare(
    exported: Callable[..., Mapping[str, npt.ArrayLike]],
    inputs: Mapping[str, npt.ArrayLike],
    wanted: Mapping[str, npt.ArrayLike],
    label: str,
) -> float | None:
    """Raises an error if an exported function answers otherwise than the model.

    Args:
        exported: Function of the inputs by name.
        inputs: Inputs by name.
        wanted: Outputs of the model by name.
        label: Name of the function in the message.

    Returns:
        The largest difference; None if `wanted` is empty.
    """
    got = exported(**inputs)
    errors = {key: difference(value, got[key]) for key, value in wanted.items()}
    for key, error in errors.items():
        if not error <= TOLERANCE:
            raise RuntimeError(
                f"Nothing was published: output {key!r} of {label} differs from the "
                f"model's by {error:.2g}, more than {TOLERANCE}."
            )
    return max(errors.values(), default=None)


def difference(wanted: npt.ArrayLike, got: npt.ArrayLike) -> float:
    """Largest difference of two tensors, relative to values above 1."""
    return float(np.max(np.abs(wanted - got) / np.maximum(1, np.abs(wanted))))


def check_model(model: keras.Model) -> dict[str, Signature]:
    """Returns the signatures of a model if it is a built one of this package."""
    if not callable(getattr(model, "signatures", None)):
        checks.fail("a tfvae model", error=TypeError, model=model)
    return model.signatures()
