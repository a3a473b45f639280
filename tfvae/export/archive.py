"""What every exporter shares: signatures on disk, compared, then renamed whole."""

import contextlib
import hashlib
import os
import pathlib
import shutil
import tempfile

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

    Raises:
        RuntimeError: Where a signature on disk answers otherwise than the model.
    """
    functions = {name: _trace(signature) for name, signature in signatures.items()}
    holder = tf.Module()
    holder.weights = [v for function in functions.values() for v in function.variables]
    tf.saved_model.save(holder, str(path), signatures=functions)
    loaded = tf.saved_model.load(str(path)).signatures
    for name, signature in signatures.items():
        compare(signature, lambda name=name, **x: loaded[name](**x), f"{path}:{name}")


def _trace(signature):
    @tf.function(autograph=False)
    def function(**inputs):
        # A global seed of this process would repeat the draws wherever the file runs.
        tf.compat.v1.get_default_graph().seed = None
        return signature.function(**inputs)

    return function.get_concrete_function(**{s.name: s for s in signature.inputs})


def compare(signature, exported, label):
    """Raises unless an exported function answers as the model does on made-up inputs.

    Functions that draw their own random numbers are only run.
    """
    inputs = {spec.name: example(spec) for spec in signature.inputs}
    wanted, got = signature.function(**inputs), exported(**inputs)
    for key in () if signature.random else wanted:
        scale = np.maximum(1, np.abs(wanted[key]))
        error = np.max(np.abs(wanted[key] - got[key]) / scale)
        if not error <= TOLERANCE:
            raise RuntimeError(
                f"Nothing was published: output {key!r} of {label} differs from the "
                f"model's by {error:.2g}, more than {TOLERANCE}."
            )


def example(spec, batch_size=3):
    """Made-up input for a `tf.TensorSpec`: values in [0, 1), labels, rows of seeds."""
    shape = [batch_size, *spec.shape[1:]]
    rng = np.random.default_rng(0)
    if spec.dtype.is_bool:
        return tf.constant(rng.random(shape) < 0.5)
    if spec.dtype.is_integer:
        high = 2**31 if len(shape) > 1 else 2
        return tf.constant(rng.integers(0, high, shape), spec.dtype)
    return tf.constant(rng.random(shape), spec.dtype)


@contextlib.contextmanager
def scratch(parent):
    """A temporary folder `.tmp-*` in `parent`, gone at the end unless renamed.

    Raises:
        ValueError: Where `parent` is a file or cannot be written to.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = pathlib.Path(tempfile.mkdtemp(prefix=".tmp-", dir=parent))
    except OSError as error:
        raise ValueError(
            f"`path` must be in a folder that can be written to. "
            f"Received: path={str(parent)!r} ({error.strerror})."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_model(model):
    """Checks that a model has signatures, which takes a built model of this package."""
    if not callable(getattr(model, "signatures", None)):
        checks.fail("a tfvae model", error=TypeError, model=model)
    return model.signatures()


def sha256(path):
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path):
    """Has the operating system write a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
