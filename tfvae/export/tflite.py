"""TFLite files of built-in operators, for phones and browsers."""

import contextlib
import functools
import os
import pathlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import keras
import numpy as np
import numpy.typing as npt

from tfvae import checks, files
from tfvae.checks import PositiveInt
from tfvae.export import parity, sidecar
from tfvae.export.quantize import batch, convert, typical_inputs
from tfvae.signatures import Signature

# Differences from the model that are no surprise, relative to values above 1.
QUANTIZATIONS = {"float16": 0.01, "dynamic_range": 0.1, "int8": 0.2}
# Signatures that 8 bits spoil: sums over many elements, scales near 0.
DENSITIES = ("log_prob", "prior")
OPTIONS = ("signatures", "batch_size", "quantize", "representative_data")

Quantization = Annotated[str, functools.partial(checks.one_of, QUANTIZATIONS)]


@checks.checked
def to_tflite(
    model: keras.Model,
    path: str | os.PathLike[str],
    signatures: Sequence[str] | None = None,
    *,
    batch_size: PositiveInt | None = None,
    quantize: Quantization | None = None,
    representative_data: Any = None,
) -> pathlib.Path:
    """Writes a `.tflite` file with named signatures and built-in operators only.

    `sample(noise)` takes its noise as an input, so that its answer can be compared:
    uniform noise for autoregressive models, else standard normal. `sample_random()`
    draws its own noise. LiteRT runs every signature; its answers are compared with the
    model before the file is put in its place. In float32 they differ by at most 1e-5. A
    quantized file gives a warning if a difference is large, and an error if most of the
    elements that a signature draws one by one differ. Models under mixed precision are
    exported in float32. The sidecar `<path>.json` holds the meaning of inputs and
    outputs, the differences, and the SHA-256 that `load_tflite` checks.

    Args:
        model: A built model of this package.
        path: File to write, ending in `.tflite`; replaced as a whole.
        signatures: Names among the model's `lite_signatures`; all if None.
        batch_size: Rows of every input and output, fixed as browsers need it. If None,
            any number, and one image in an answer of `sample_random`.
        quantize: Type of the numbers; float32 if None. `"float16"` halves the size of
            the weights. `"dynamic_range"` keeps weights in 8 bits and computes products
            in integers if that is faster. `"int8"` computes everything in 8 bits
            between float inputs and outputs; the file has neither densities
            (`log_prob`, `prior`) nor `sample_random`.
        representative_data: For `"int8"`, typical x `[rows, *event_shape]`, `(x, u)`
            for a conditional model, or a data set. 100 rows show the ranges of numbers.

    Raises:
        RuntimeError: If TFLite lacks an operator, a signature answers otherwise than
            the model, or the converter crashes, as for int8 on some loops.

    Example:
        >>> path = folder + "/vae.tflite"
        >>> tfvae.export.to_tflite(model, path, ["decode", "sample"]).name
        'vae.tflite'
    """
    parity.check_model(model)
    path = pathlib.Path(path)
    if path.suffix != ".tflite" or path.is_dir():
        checks.fail("a file that ends in .tflite", path=str(path))
    chosen = _choose(model, signatures, batch_size, quantize)
    typical = None
    if quantize == "int8":
        typical = typical_inputs(model, chosen, representative_data)
    elif representative_data is not None:
        checks.fail('left out, as quantize is not "int8"', representative_data="data")
    with files.scratch(path.parent) as folder, _in_float32(model):
        examples = parity.write(chosen, folder / "saved_model")
        content = convert(folder / "saved_model", chosen, quantize, typical)
        if typical:
            asked = {k: batch(s, typical, 10) for k, s in chosen.items()}
            examples = {k: parity.example(s, asked[k]) for k, s in chosen.items()}
        differences = _compare(model, chosen, content, examples, quantize)
        file = folder / path.name
        file.write_bytes(content)
        about = sidecar.describe(model, chosen, file, differences, quantize)
        sidecar.beside(file).write_text(about)
        files.replace({file: path, sidecar.beside(file): sidecar.beside(path)})
    return path


def load_tflite(path: str | os.PathLike[str]) -> Any:
    """Loads a file in an `ai_edge_litert.interpreter.Interpreter`.

    LiteRT itself does not check files: damaged ones may give any answer or a crash.
    Here a file that does not fit its sidecar is a ValueError.

    Args:
        path: A `.tflite` file, with its sidecar beside it.

    Example:
        >>> path = tfvae.export.to_tflite(model, folder + "/vae.tflite")
        >>> decode = tfvae.export.load_tflite(path).get_signature_runner("decode")
        >>> decode(z=np.zeros([1, 2], "float32"))["x"].shape
        (1, 8, 8, 1)
    """
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=sidecar.verified(pathlib.Path(path)))


def _choose(
    model: keras.Model,
    names: Sequence[str] | None,
    batch_size: int | None,
    quantize: str | None,
) -> dict[str, Signature]:
    """Signatures by name, with the batch size if there is one."""
    available = model.lite_signatures(batch_size or 1)
    if not available:
        raise RuntimeError(f"TFLite lacks the operators of a {type(model).__name__}.")
    if quantize == "int8":  # needs examples of every input to find ranges of numbers
        held = {k: s for k, s in available.items() if not s.random}
        available = {k: s for k, s in held.items() if k not in DENSITIES}
    names = list(available) if names is None else names
    if isinstance(names, str) or not names:
        checks.fail("a list of one or more names", signatures=names)
    chosen = {n: available[checks.one_of(available, signatures=n)] for n in names}
    if batch_size is None:
        return chosen
    return {k: s._replace(batch_size=batch_size) for k, s in chosen.items()}


@contextlib.contextmanager
def _in_float32(model: keras.Model) -> Iterator[None]:
    """Makes the layers compute in float32: TFLite's operators know no float16."""
    layers = list(model._flatten_layers())
    policies = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = layer.variable_dtype
    try:
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def _compare(
    model: keras.Model,
    signatures: Mapping[str, Signature],
    content: bytes,
    examples: Mapping[str, parity.Example],
    quantize: str | None,
) -> dict[str, float | None]:
    """Difference of each signature from the model; None if it draws its own noise."""
    from ai_edge_litert.interpreter import Interpreter

    noise, differences = model.inputs["noise"], {}
    for name, (inputs, wanted) in examples.items():
        runner = Interpreter(model_content=content).get_signature_runner(name)
        if not (quantize and wanted):
            differences[name] = parity.compare(runner, inputs, wanted, name)
            continue
        # Uniform noise: elements of x are drawn one by one.
        drawn = noise.range is not None and noise in signatures[name].inputs
        change, answer = _share if drawn else parity.difference, runner(**inputs)
        differences[name] = max(change(v, answer[k]) for k, v in wanted.items())
        _judge(name, differences[name], quantize, drawn)
    return differences


def _share(wanted: npt.ArrayLike, got: npt.ArrayLike) -> float:
    """Share of the elements that differ: if drawn one by one, differences grow."""
    return float(np.mean(~(np.abs(wanted - got) < 0.01)))


def _judge(name: str, difference: float, quantize: str, drawn: bool) -> None:
    """Warns of a large difference by quantization, and refuses NaN or mostly others."""
    if not difference <= (0.5 if drawn else np.inf):
        raise RuntimeError(
            f"Nothing was published: with quantize={quantize!r} {name} does not answer "
            f"as the model (difference {difference:.2g})."
        )
    if not drawn and difference > QUANTIZATIONS[quantize]:
        warnings.warn(
            f"With quantize={quantize!r} {name} differs from the model by up to "
            f"{difference:.2g}, relative to values above 1.",
            stacklevel=5,
        )
