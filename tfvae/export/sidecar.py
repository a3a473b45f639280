"""The JSON sidecar of a TFLite file: meaning of inputs and outputs, and its SHA-256."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfvae import checks
from tfvae.inputs import Input
from tfvae.signatures import Signature

# Meaning of the outputs that are no inputs as well.
_MEANING = {
    "loc": "location of the prior",
    "scale": "scale of the prior",
    "log_prob": "log p(x), in nats",
    "logits": "log odds of being data",
}


def beside(path: pathlib.Path) -> pathlib.Path:
    """Path of the sidecar of a `.tflite` file."""
    return path.with_name(f"{path.name}.json")


def describe(
    model: keras.Model,
    signatures: Mapping[str, Signature],
    file: pathlib.Path,
    differences: Mapping[str, float | None],
    quantize: str | None,
) -> str:
    """Content of the sidecar of a file that holds these signatures of the model.

    `differences` are the largest ones of each signature from the model, and `quantize`
    is the type of the numbers, both as in `to_tflite`.
    """
    from ai_edge_litert.interpreter import Interpreter

    content = file.read_bytes()
    interpreter, told = Interpreter(model_content=content), {}
    for key, signature in signatures.items():
        runner = interpreter.get_signature_runner(key)
        known = model.inputs | {i.name: i for i in signature.inputs}
        told[key] = {
            "inputs": _tensors(known, runner.get_input_details()),
            "outputs": _tensors(known, runner.get_output_details()),
            "difference": differences[key],
        }
    about = {
        "model": type(model).__name__,
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "quantize": quantize or "float32",
        "signatures": told,
    }
    return json.dumps(about, indent=2) + "\n"


def verified(path: pathlib.Path) -> bytes:
    """The bytes of a `.tflite` file, which must have the SHA-256 in its sidecar."""
    for file in (path, beside(path)):
        if not file.is_file():
            checks.fail("a file", error=FileNotFoundError, path=str(file))
    content = path.read_bytes()
    try:
        wanted = json.loads(beside(path).read_text())["sha256"]
    except (ValueError, KeyError, TypeError):
        wanted = None
    if hashlib.sha256(content).hexdigest() != wanted:
        expected = f"a file with the SHA-256 in {beside(path).name}"
        checks.fail(expected, hint="Export it again.", path=str(path))
    return content


def _tensors(
    known: Mapping[str, Input], details: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Shape (-1 for any number of rows), type and meaning by name; range if any."""
    tensors = {}
    for name, detail in details.items():
        tensors[name] = {
            "shape": np.asarray(detail["shape_signature"]).tolist(),
            "dtype": np.dtype(detail["dtype"]).name,
            "meaning": known[name].meaning if name in known else _MEANING.get(name, ""),
        }
        if name in known and known[name].range:
            tensors[name]["range"] = list(known[name].range)
    return tensors
