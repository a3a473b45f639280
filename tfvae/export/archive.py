"""What every exporter shares: signatures on disk, compared, then renamed whole."""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import tensorflow as tf

from tfvae import checks

# Largest relative difference from the model that is published.
TOLERANCE = 1e-5
MANIFEST = "manifest.json"


def write(signatures, path):
    """Writes a SavedModel with these signatures, and compares it with the model.

    It holds each variable that a signature reads, once, and no others.

    Args:
        signatures: Dict of `Signature` by name.
        path: Folder to write.

    Returns:
        The `question` that each signature was asked, by name.

    Raises:
        RuntimeError: Where a signature on disk answers otherwise than the model.
    """
    functions = {name: _trace(signature) for name, signature in signatures.items()}
    holder = tf.Module()
    holder.weights = [v for function in functions.values() for v in function.variables]
    tf.saved_model.save(holder, str(path), signatures=functions)
    loaded = tf.saved_model.load(str(path)).signatures
    questions = {name: question(signature) for name, signature in signatures.items()}
    for name, asked in questions.items():
        compare(lambda name=name, **x: loaded[name](**x), *asked, f"{path}:{name}")
    return questions


def _trace(signature):
    @tf.function(autograph=False)
    def function(**inputs):
        # A global seed of this process would repeat the draws wherever the file runs.
        tf.compat.v1.get_default_graph().seed = None
        return signature.function(**inputs)

    return function.get_concrete_function(**{s.name: s for s in signature.inputs})


def question(signature):
    """Made-up inputs, and what a model answers; nothing where it draws by itself."""
    inputs = {spec.name: example(spec) for spec in signature.inputs}
    return inputs, answer(signature, inputs)


def answer(signature, inputs):
    """What a model answers, by name; nothing where it draws by itself."""
    return {} if signature.random else signature.compiled()(*inputs.values())


def compare(exported, inputs, wanted, label, tolerance=TOLERANCE):
    """Raises unless an exported function answers as the model does.

    Args:
        exported: Function of the inputs by name.
        inputs: As in a `question`.
        wanted: The answers of the model by name.
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


def example(spec, batch_size=3):
    """Made-up input for a `tf.TensorSpec`: values in [0, 1), labels, rows of seeds."""
    shape = [spec.shape[0] or batch_size, *spec.shape[1:]]
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
    except tf.errors.OpError as error:  # of TensorFlow's own writers
        message = f"Nothing was published in {str(parent)!r}: {error.message}"
        raise OSError(message) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(folder, files):
    """Puts files in their places, each whole: written to a scratch folder first.

    Args:
        folder: A `scratch` folder of their parent.
        files: Dict of their bytes by path.
    """
    for path, content in files.items():
        (folder / path.name).write_bytes(content)
        sync(folder / path.name)
    for path in files:
        os.replace(folder / path.name, path)


def check_model(model):
    """Checks that a model has signatures, which takes a built model of this package."""
    if not callable(getattr(model, "signatures", None)):
        checks.fail("a tfvae model", error=TypeError, model=model)
    return model.signatures()


def write_manifest(folder):
    """Writes the SHA-256 of every file below a folder, and all of it to the disk."""
    text = json.dumps({"sha256": _sums(folder)}, indent=2) + "\n"
    (folder / MANIFEST).write_text(text)
    for path in [folder, *folder.rglob("*")]:
        sync(path)


def verify(folder):
    """Checks the files below a folder against its manifest.

    Raises:
        FileNotFoundError: Where there is no manifest.
        ValueError: Where a file in it is missing or differs.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        expected = f"a folder with a {MANIFEST}"
        checks.fail(expected, error=FileNotFoundError, path=str(folder))
    try:
        wanted = json.loads(manifest.read_text())["sha256"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        wanted = {MANIFEST: ""}.items()
    if changed := sorted(name for name, _ in wanted - _sums(folder).items()):
        expected = f"a folder whose files are as in its {MANIFEST}"
        hint = f"Missing or changed: {', '.join(changed)}."
        checks.fail(expected, hint=hint, path=str(folder))


def _sums(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    sums = {path.relative_to(folder).as_posix(): sha256(path) for path in files}
    return {name: sums[name] for name in sorted(sums) if name != MANIFEST}


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
