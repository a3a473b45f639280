"""Exported signatures, compared with the model before anything is published."""

import numpy as np
import tensorflow as tf

from tfvae import checks

# Largest relative difference from the model that is published.
TOLERANCE = 1e-5


def write(signatures, path):
    """Writes a SavedModel with these signatures, and compares it with the model.

    It holds each variable that a signature reads, once, and no others.

    Args:
        signatures: Dict of `Signature` by name.
        path: Folder to write.

    Returns:
        The example inputs of each signature and its expected outputs, by name.

    Raises:
        RuntimeError: Where a signature on disk answers otherwise than the model.
    """
    functions = {name: _trace(signature) for name, signature in signatures.items()}
    holder = tf.Module()
    holder.weights = [v for function in functions.values() for v in function.variables]
    tf.saved_model.save(holder, str(path), signatures=functions)
    loaded = tf.saved_model.load(str(path)).signatures
    examples = {
        name: example_inputs(signature) for name, signature in signatures.items()
    }
    for name, asked in examples.items():
        compare(lambda name=name, **x: loaded[name](**x), *asked, f"{path}:{name}")
    return examples


def _trace(signature):
    @tf.function(autograph=False)
    def function(**inputs):
        # A global seed of this process would repeat the draws wherever the file runs.
        tf.compat.v1.get_default_graph().seed = None
        return signature.function(**inputs)

    return function.get_concrete_function(**{s.name: s for s in signature.specs})


def example_inputs(signature):
    """Made-up inputs and the model's outputs for them, by name."""
    inputs = signature.example()
    return inputs, expected_outputs(signature, inputs)


def expected_outputs(signature, inputs):
    """Outputs of the model by name; none if the signature draws its own noise."""
    return {} if signature.random else signature.compiled()(*inputs.values())


def compare(exported, inputs, wanted, label, tolerance=TOLERANCE):
    """Raises unless an exported function answers as the model does.

    Args:
        exported: Function of the inputs by name.
        inputs: As in `example_inputs`.
        wanted: The outputs of the model by name.
        label: What to call the function in the message.
        tolerance: Largest difference allowed, relative to values above 1.

    Returns:
        The largest difference; None where nothing is wanted.
    """
    got = exported(**inputs)
    errors = {key: difference(value, got[key]) for key, value in wanted.items()}
    for key, error in errors.items():
        if not error <= tolerance:
            raise RuntimeError(
                f"Nothing was published: output {key!r} of {label} differs from the "
                f"model's by {error:.2g}, more than {tolerance}."
            )
    return max(errors.values(), default=None)


def difference(wanted, got):
    """Largest difference of two tensors, relative to values above 1."""
    return float(np.max(np.abs(wanted - got) / np.maximum(1, np.abs(wanted))))


def check_model(model):
    """Checks that a model has signatures, which takes a built model of this package."""
    if not callable(getattr(model, "signatures", None)):
        checks.fail("a tfvae model", error=TypeError, model=model)
    return model.signatures()
