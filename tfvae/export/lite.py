"""TFLite files of built-in operators, for phones and browsers."""

import contextlib
import io
import os
import pathlib
import re
import warnings

import tensorflow as tf

from tfvae import checks
from tfvae.export import archive, calibration, metadata

QUANTIZATIONS = ("float16", "dynamic_range", "int8")


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
    is put in its place, and a JSON file of the same name beside it says what inputs
    and outputs mean and has the SHA-256 that `load_tflite` checks.

    Args:
        model: A built model of this package.
        path: File to write, ending in `.tflite`; replaced as a whole.
        signatures: Names among the model's `lite_signatures`; all when left out.
        batch_size: Rows of every input and output, as browsers want it; any number
            when left out, and one image in an answer of `sample_random`.
        quantize: `"float16"` halves the weights; `"dynamic_range"` has them in 8 bits
            and computes products in integers where that pays; `"int8"` computes all in
            8 bits between float inputs and outputs, and has no `sample_random`.
            float32 when left out.
        representative_data: For `"int8"`, typical x `[rows, *event_shape]`, or `(x, u)`
            of a conditional model: a hundred rows show the ranges of all numbers.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        TypeError: Where `model` is no model of this package.
        ValueError: Where the model is not built, the path is not a `.tflite` file that
            can be written, a signature is unknown, or representative data are missing,
            empty or not finite.
        RuntimeError: Where TFLite lacks an operator, which is named, or answers
            otherwise than the model.

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
    archive.check_model(model)
    path = pathlib.Path(path)
    if path.suffix != ".tflite" or path.is_dir():
        checks.fail("a file that ends in .tflite", path=str(path))
    if quantize is not None:
        checks.one_of(QUANTIZATIONS, quantize=quantize)
    chosen = _choose(model, signatures, batch_size, quantize)
    examples = None
    if quantize == "int8":
        examples = calibration.examples(model, chosen, representative_data)
    elif representative_data is not None:
        checks.fail('left out, as quantize is not "int8"', representative_data="data")
    with archive.scratch(path.parent) as folder:
        questions = archive.write(chosen, folder / "saved_model")
        content = _convert(folder / "saved_model", list(chosen), quantize, examples)
        differences = _compare(content, questions, quantize)
        about = metadata.describe(model, path.name, content, differences, quantize)
        files = {path: content, metadata.beside(path): about}
        for target, value in files.items():
            (folder / target.name).write_bytes(value)
            archive.sync(folder / target.name)
        for target in files:
            os.replace(folder / target.name, target)
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

    return Interpreter(model_content=metadata.verified(pathlib.Path(path)))


def _choose(model, names, batch_size, quantize):
    """Signatures by name, of a fixed batch where there is one."""
    if batch_size is not None:
        checks.integer(batch_size=batch_size)
    available = model.lite_signatures(batch_size or 1)
    if not available:
        raise RuntimeError(f"TFLite lacks the operators of a {type(model).__name__}.")
    if quantize == "int8":  # whose ranges are found by running it on examples
        available = {k: s for k, s in available.items() if not s.random}
    names = list(available) if names is None else names
    if isinstance(names, str) or not names:
        checks.fail("a list of one or more names", signatures=names)
    chosen = {checks.one_of(available, signatures=n): available[n] for n in names}
    if batch_size is None:
        return chosen
    return {name: s.of_batch(batch_size) for name, s in chosen.items()}


def _convert(folder, names, quantize, examples):
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
        converter.representative_dataset = examples
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it calls what it deprecates
            return converter.convert()
    except Exception as error:  # the converter's own error class is private
        missing = re.search("(?:TF Select|Custom) ops: (.*)", str(error))
        reason = f"its built-in operators lack {missing[1]}." if missing else error
        raise RuntimeError(f"TFLite cannot hold {names}: {reason}") from error


def _compare(content, questions, quantize):
    """Largest difference of each signature from the model; None of random ones."""
    from ai_edge_litert.interpreter import Interpreter

    tolerance = float("inf") if quantize else archive.TOLERANCE
    differences = {}
    for name, asked in questions.items():
        runner = Interpreter(model_content=content).get_signature_runner(name)
        differences[name] = archive.compare(runner, *asked, name, tolerance)
    return differences
