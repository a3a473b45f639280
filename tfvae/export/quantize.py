"""TensorFlow's converter to TFLite, and the typical inputs that quantization needs."""

import contextlib
import io
import os
import pathlib
import pickle
import re
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfvae import checks
from tfvae.signatures import Signature

_CODE = "from tfvae.export import quantize; quantize.main()"
# Rows of representative data that are used: more change the ranges little.
NUM_ROWS = 100

# Inputs of a signature by name.
Arrays = dict[str, np.ndarray]
# Names of signatures, each with inputs for one call.
Rows = Sequence[tuple[str, Arrays]]


def convert(
    folder: pathlib.Path,
    signatures: Mapping[str, Signature],
    quantize: str | None,
    typical: Arrays | None,
) -> bytes:
    """Bytes of a TFLite file with built-in operators only.

    A RuntimeError names the operators that TFLite lacks. For int8 the converter gets a
    process of its own, as its calibrator crashes on some loops.

    Args:
        folder: Folder of a SavedModel; the one around it is free for temporary files.
        signatures: Signatures to keep.
        quantize: Type of the numbers, as in `to_tflite`.
        typical: For int8, the `typical_inputs`.
    """
    names = list(signatures)
    if quantize != "int8":
        return _convert(folder, names, quantize)
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        input=pickle.dumps((folder, names, _rows(signatures, typical))),
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
    )
    if (folder.parent / "error").exists():
        raise RuntimeError((folder.parent / "error").read_text())
    if done.returncode:
        raise RuntimeError(f"TFLite's converter crashed on {names} in int8.")
    return (folder.parent / "int8").read_bytes()


def main() -> None:
    """Converts to int8 in a process: arguments on stdin, result in a file."""
    folder, names, rows = pickle.load(sys.stdin.buffer)
    try:
        content = _convert(folder, names, "int8", rows)
    except RuntimeError as error:
        (folder.parent / "error").write_text(str(error))
    else:
        (folder.parent / "int8").write_bytes(content)


def _convert(
    folder: pathlib.Path, names: Sequence[str], quantize: str | None, rows: Rows = ()
) -> bytes:
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


def typical_inputs(
    model: keras.Model, signatures: Mapping[str, Signature], data: Any
) -> Arrays:
    """Typical rows of every input of the signatures, by the input's name.

    They are up to `NUM_ROWS` rows of data, their latents, and made-up noise. The data
    are the `representative_data` of `to_tflite`.
    """
    if data is None:
        checks.fail("given: it shows the ranges of numbers", representative_data=data)
    try:
        inputs = {k: v[:NUM_ROWS] for k, v in model.check_data(data).items()}
    except (TypeError, ValueError) as error:
        message = f"`representative_data` must fit the model. {error}"
        raise type(error)(message) from error
    num_rows = min(map(len, inputs.values()))
    if not num_rows:
        checks.fail("one row or more", representative_data="none")
    if "encode" in model.signatures():
        latents = model.call_signature("encode", **inputs)
        inputs |= {name: value.numpy() for name, value in latents.items()}
    needed = {i.name: i for signature in signatures.values() for i in signature.inputs}
    for seed, (name, each) in enumerate(needed.items()):
        if name not in inputs:  # else inputs of one seed would be correlated
            inputs[name] = each.example(num_rows, seed).numpy()
    return inputs


def batch(signature: Signature, inputs: Arrays, size: int, begin: int = 0) -> Arrays:
    """Rows of typical inputs for a signature, from `begin` on; too few repeat.

    There are `size` of them, or as many as the signature's batch size if that is fixed.
    """
    rows = begin + np.arange(signature.batch_size or size)
    values = {i.name: inputs[i.name] for i in signature.inputs}
    return {name: value[rows % len(value)] for name, value in values.items()}


def _rows(signatures: Mapping[str, Signature], inputs: Arrays) -> Rows:
    """All typical rows for every signature, as a TFLite converter asks for them."""
    num_rows = min(map(len, inputs.values()))
    return [
        (name, batch(signature, inputs, 1, begin))
        for name, signature in signatures.items()
        for begin in range(0, num_rows, signature.batch_size or 1)
    ]
