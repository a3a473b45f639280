"""Exported signatures, compared with the model before anything is published."""

import pathlib
from collections.abc import Callable, Mapping

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfvae import checks
from tfvae.signatures import Outputs, Signature

# Largest relative difference from the model that is published.
TOLERANCE = 1e-5

# Tensors or arrays by name.
Values = Mapping[str, npt.ArrayLike]
# Inputs of a signature and the outputs of the model for them.
Example = tuple[Values, Values]


def write(
    signatures: Mapping[str, Signature],
    path: pathlib.Path,
    served: Callable[[Signature], Signature] = lambda signature: signature,
) -> dict[str, Example]:
    """Writes a SavedModel with these signatures, and compares it with the model.

    The SavedModel holds each variable that a signature reads, once, and no others.

    Args:
        signatures: The model's own signatures by name.
        path: Folder of the SavedModel.
        served: Function that adds to a signature what its runtime lacks.

    Returns:
        Made-up inputs of each signature and the model's outputs for them.
    """
    functions = {name: _trace(served(s)) for name, s in signatures.items()}
    holder = tf.Module()
    holder.weights = [v for function in functions.values() for v in function.variables]
    tf.saved_model.save(holder, str(path), signatures=functions)
    loaded = tf.saved_model.load(str(path)).signatures
    examples = {}
    for name, signature in signatures.items():
        examples[name] = example(signature, signature.example())
        compare(loaded[name], *examples[name], f"{path}:{name}")
    return examples


def _trace(signature: Signature) -> tf.types.experimental.ConcreteFunction:
    @tf.function(autograph=False)
    def function(**inputs: tf.Tensor) -> Outputs:
        # A global seed of this process would repeat the draws wherever the file runs.
        tf.compat.v1.get_default_graph().seed = None
        return signature.function(**inputs)

    return function.get_concrete_function(**{s.name: s for s in signature.specs})


def example(signature: Signature, inputs: Values) -> Example:
    """Inputs and the model's outputs; none if the signature draws its own noise."""
    return inputs, {} if signature.random else signature.compiled()(*inputs.values())


def compare(
    exported: Callable[..., Values], inputs: Values, wanted: Values, label: str
) -> float | None:
    """The largest difference of an exported function from the model's outputs.

    It is None if none are wanted; a difference above `TOLERANCE` raises a RuntimeError
    that names the function by its `label`.
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
    """The signatures of a model, which must be a built one of this package."""
    if not callable(getattr(model, "signatures", None)):
        checks.fail("a tfvae model", error=TypeError, model=model)
    return model.signatures()
