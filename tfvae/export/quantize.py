"""TensorFlow's converter to TFLite, and the typical inputs that quantization needs."""

import contextlib
import io
import os
import pathlib
import re
import subprocess
import sys
import warnings

import numpy as np
import tensorflow as tf

from tfvae import checks

_CODE = "import sys; from tfvae.export import quantize; quantize.main(sys.argv[1])"


def convert(folder, names, quantize=None, rows=None):
    """The bytes of a TFLite file with built-in operators only.

    Args:
        folder: `pathlib.Path` of a SavedModel.
        names: Its signatures to keep.
        quantize: How numbers are held, as in `to_tflite`.
        rows: For int8, pairs of a signature and typical inputs.

    Raises:
        RuntimeError: Where TFLite lacks an operator, which is named.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), names)
    ops = tf.lite.OpsSet
    converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS]
    # Else it loses a relu that follows a product with weights made by an operation.
    converter.unfold_batchmatmul = True
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: iter(rows)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls what it deprecates
            return converter.convert()
    except Exception as error:  # the converter's own error class is private
        missing = re.search("(?:TF Select|Custom) ops: (.*)", str(error))
        reason = f"its built-in operators lack {missing[1]}." if missing else error
        raise RuntimeError(f"TFLite cannot hold {names}: {reason}") from error


def convert_to_int8(folder, names, rows):
    """As `convert`, where the calibrator may crash, as it does on some loops.

    Args:
        folder: `pathlib.Path` of a SavedModel, in a folder for files that pass by.
        names: Its signatures to keep.
        rows: Pairs of a signature and typical inputs.

    Raises:
        RuntimeError: Where it fails or crashes.
    """
    place = folder.parent
    keys = ((f"{i}/{name}", row) for i, (name, row) in enumerate(rows))
    np.savez(
        place / "rows", **{f"{k}/{n}": v for k, row in keys for n, v in row.items()}
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _CODE, folder]
    done = subprocess.run(command, env=environment, capture_output=True)
    if (place / "error").exists():
        raise RuntimeError((place / "error").read_text())
    if done.returncode:
        raise RuntimeError(f"TFLite's converter crashed on {names} in int8.")
    return (place / "int8").read_bytes()


def main(folder):
    """What the process for int8 does, from the files to those that pass by."""
    folder = pathlib.Path(folder)
    rows = {}
    for key, value in np.load(folder.parent / "rows.npz", allow_pickle=False).items():
        row, _, argument = key.rpartition("/")
        rows.setdefault(row, {})[argument] = value
    pairs = [(row.partition("/")[2], inputs) for row, inputs in rows.items()]
    names = list(dict.fromkeys(name for name, _ in pairs))
    try:
        content = convert(folder, names, "int8", pairs)
    except RuntimeError as error:
        (folder.parent / "error").write_text(str(error))
    else:
        (folder.parent / "int8").write_bytes(content)


# More change little in what ranges are found.
NUM_ROWS = 100


def typical_inputs(model, signatures, data):
    """Typical rows of every input by name: data, their latents, noise.

    Args:
        model: A built model.
        signatures: Dict of `Signature` by name, none of them random.
        data: x `[rows, *event_shape]`, `(x, u)` of a conditional model, or a data set.

    Raises:
        ValueError: Where it is missing, empty or does not fit the model.
    """
    if data is None:
        checks.fail("given: it shows the ranges of numbers", representative_data=data)
    try:
        inputs = {k: v[:NUM_ROWS] for k, v in model.check_data(data).items()}
    except (TypeError, ValueError) as error:
        message = f"`representative_data` must fit the model. {error}"
        raise type(error)(message) from error
    num_rows = len(inputs["x"])
    if not num_rows:
        checks.fail("one row or more", representative_data="none")
    for spec in (spec for s in signatures.values() for spec in s.inputs):
        if spec.name == "z" and "encode" in model.signatures():
            inputs["z"] = model.call_signature("encode", **inputs)["z"].numpy()
        elif spec.name not in inputs:
            inputs[spec.name] = spec.example(num_rows).numpy()
    return inputs


def batch(signature, inputs, begin=0, size=1):
    """So many of the typical rows, from one on; as many as the signature wants."""
    rows = begin + np.arange(signature.batch_size or size)
    return {s.name: inputs[s.name][rows % len(inputs["x"])] for s in signature.inputs}


def representative_dataset(signatures, inputs):
    """All typical rows for every signature, as a TFLite converter asks for them."""
    for name, signature in signatures.items():
        step = signature.batch_size or 1
        for begin in range(0, len(inputs["x"]), step):
            yield name, batch(signature, inputs, begin)
