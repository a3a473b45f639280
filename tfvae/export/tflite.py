"""TFLite files of built-in operators, for phones and browsers."""

import contextlib
import pathlib
import warnings

import numpy as np

from tfvae import checks, files
from tfvae.export import parity, sidecar
from tfvae.export.quantize import (
    batch,
    convert,
    convert_to_int8,
    representative_dataset,
    typical_inputs,
)

# Differences from the model that are no surprise, relative to values above 1.
QUANTIZATIONS = {"float16": 0.01, "dynamic_range": 0.1, "int8": 0.2}
# What 8 bits do not hold: sums over many elements, scales near 0.
DENSITIES = ("log_prob", "prior")
OPTIONS = ("signatures", "batch_size", "quantize", "representative_data")


def to_tflite(
    model,
    path,
    signatures=None,
    *,
    batch_size=None,
    quantize=None,
    representative_data=None,
):
    """Writes a `.tflite` file with named signatures and built-in operators only.

    `sample(noise)` takes its noise from outside, so that its answer can be compared:
    standard normal, or uniform for autoregressive models; `sample_random()` draws its
    own. Every signature is run by LiteRT and compared with the model before the file
    is put in its place: to 1e-5; where it is quantized with a warning if the difference
    is large, and an error if most of what it draws pixel by pixel is another. Beside it
    `<path>.json` says what inputs and outputs mean, how large the differences are, and
    has the SHA-256 that `load_tflite` checks. Models under mixed precision are exported
    in float32.

    Args:
        model: A built model of this package.
        path: File to write, ending in `.tflite`; replaced as a whole.
        signatures: Names among the model's `lite_signatures`; all when left out.
        batch_size: Rows of every input and output, as browsers want it; any number
            when left out, and one image in an answer of `sample_random`.
        quantize: `"float16"` halves the weights; `"dynamic_range"` has them in 8 bits
            and computes products in integers where that pays; `"int8"` computes all in
            8 bits between float inputs and outputs, but neither densities (`log_prob`,
            `prior`) nor `sample_random`. float32 when left out.
        representative_data: For `"int8"`, typical x `[rows, *event_shape]`, `(x, u)` of
            a conditional model, or a data set: a hundred rows show the ranges of all
            numbers.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        TypeError: Where `model` is no model of this package.
        ValueError: Where the model is not built, the path is not a `.tflite` file that
            can be written, a signature is unknown, or representative data are missing,
            empty or not finite.
        RuntimeError: Where TFLite lacks an operator, which is named, answers otherwise
            than the model, or its converter crashes, as for int8 on some loops.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> path = tempfile.mkdtemp() + "/vae.tflite"
        >>> tfvae.export.to_tflite(model, path, ["decode", "sample"]).name
        'vae.tflite'
    """
    parity.check_model(model)
    path = pathlib.Path(path)
    if path.suffix != ".tflite" or path.is_dir():
        checks.fail("a file that ends in .tflite", path=str(path))
    if quantize is not None:
        checks.one_of(QUANTIZATIONS, quantize=str(quantize))
    chosen = _choose(model, signatures, batch_size, quantize)
    typical = None
    if quantize == "int8":
        typical = typical_inputs(model, chosen, representative_data)
    elif representative_data is not None:
        checks.fail('left out, as quantize is not "int8"', representative_data="data")
    with files.scratch(path.parent) as folder, _in_float32(model):
        questions = parity.write(chosen, folder / "saved_model")
        content = _convert(folder / "saved_model", chosen, quantize, typical)
        if typical:
            questions = _typical_questions(chosen, typical)
        differences = _compare(model, content, questions, quantize)
        about = sidecar.describe(model, path.name, content, differences, quantize)
        files.replace(folder, {path: content, sidecar.beside(path): about})
    return path


def load_tflite(path):
    """The LiteRT interpreter over a file that is as `to_tflite` wrote it.

    LiteRT itself trusts files: of a damaged one it may answer anything, or crash.

    Args:
        path: A `.tflite` file, with its JSON file beside it.

    Returns:
        An `ai_edge_litert.interpreter.Interpreter`.

    Raises:
        FileNotFoundError: Where one of the files is missing.
        ValueError: Where the file differs from what was written.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> path = tfvae.export.to_tflite(model, tempfile.mkdtemp() + "/vae.tflite")
        >>> decode = tfvae.export.load_tflite(path).get_signature_runner("decode")
        >>> decode(z=np.zeros([1, 2], "float32"))["x"].shape
        (1, 8, 8, 1)
    """
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=sidecar.verified(pathlib.Path(path)))


def _choose(model, names, batch_size, quantize):
    """Signatures by name, of a fixed batch where there is one."""
    if batch_size is not None:
        checks.integer(batch_size=batch_size)
    available = model.lite_signatures(batch_size or 1)
    if not available:
        raise RuntimeError(f"TFLite lacks the operators of a {type(model).__name__}.")
    if quantize == "int8":  # whose ranges are found by running it on examples
        lacking = {*DENSITIES, *(k for k, s in available.items() if s.random)}
        available = {k: available[k] for k in available if k not in lacking}
    names = list(available) if names is None else names
    if isinstance(names, str) or not names:
        checks.fail("a list of one or more names", signatures=names)
    chosen = {checks.one_of(available, signatures=n): available[n] for n in names}
    if batch_size is None:
        return chosen
    return {k: s._replace(batch_size=batch_size) for k, s in chosen.items()}


@contextlib.contextmanager
def _in_float32(model):
    """Has the layers compute in float32: TFLite's operators know no float16."""
    layers = list(model._flatten_layers())
    policies = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = layer.variable_dtype
    try:
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


def _convert(folder, signatures, quantize, typical):
    if quantize != "int8":
        return convert(folder, list(signatures), quantize)
    rows = representative_dataset(signatures, typical)
    return convert_to_int8(folder, list(signatures), rows)


def _typical_questions(signatures, typical):
    inputs = {k: batch(s, typical, size=10) for k, s in signatures.items()}
    return {
        k: (inputs[k], parity.expected_outputs(s, inputs[k]))
        for k, s in signatures.items()
    }


def _compare(model, content, questions, quantize):
    """Differences of each signature from the model; None of those that draw noise."""
    from ai_edge_litert.interpreter import Interpreter

    differences = {}
    for name, (inputs, wanted) in questions.items():
        runner = Interpreter(model_content=content).get_signature_runner(name)
        if quantize and wanted:
            uniform = model.inputs["noise"].range is not None
            drawn = uniform and name in ("sample", "complete")
            change = _share if drawn else parity.difference
            answer = runner(**inputs)
            differences[name] = max(change(v, answer[k]) for k, v in wanted.items())
            _judge(name, differences[name], quantize, drawn)
        else:
            differences[name] = parity.compare(runner, inputs, wanted, name)
    return differences


def _share(wanted, got):
    """Of what is drawn one by one, where small differences grow, how many differ."""
    return float(np.mean(~(np.abs(wanted - got) < 0.01)))


def _judge(name, difference, quantize, drawn):
    """Tells of what quantization changes by much, and refuses what it spoils."""
    if not difference <= (0.5 if drawn else np.inf):
        raise RuntimeError(
            f"Nothing was published: with quantize={quantize!r} {name} does not answer "
            f"as the model (difference {difference:.2g})."
        )
    if not drawn and difference > QUANTIZATIONS[quantize]:
        warnings.warn(
            f"With quantize={quantize!r} {name} differs from the model by up to "
            f"{difference:.2g}, relative to values above 1.",
            stacklevel=4,
        )
