"""TFLite files of built-in operators, for phones and browsers."""

import contextlib
import io
import os
import pathlib
import re

import tensorflow as tf

from tfvae import checks
from tfvae.export import archive


def to_tflite(model, path, signatures=None, *, batch_size=1):
    """Writes a `.tflite` file with named signatures and built-in operators only.

    The file holds one copy of the weights. `sample(noise)` takes its noise from
    outside, so that its answer can be compared: standard normal, or uniform for
    autoregressive models; `sample_random()` draws its own.

    Args:
        model: A built model of this package.
        path: File to write, ending in `.tflite`; replaced as a whole.
        signatures: Names among the model's `lite_signatures`; all when left out.
        batch_size: Images in one answer of `sample_random`.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        TypeError: Where `model` is no model of this package.
        ValueError: Where the model is not built, the path is not a `.tflite` file that
            can be written, or a signature is unknown.
        RuntimeError: Where TFLite lacks an operator, which is named.

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
    available = model.lite_signatures(checks.integer(batch_size=batch_size))
    if not available:
        raise RuntimeError(f"TFLite lacks the operators of a {type(model).__name__}.")
    names = list(available) if signatures is None else signatures
    if isinstance(names, str) or not names:
        checks.fail("a list of one or more names", signatures=signatures)
    chosen = {checks.one_of(available, signatures=n): available[n] for n in names}
    with archive.scratch(path.parent) as folder:
        archive.write(chosen, folder / "saved_model")
        file = folder / path.name
        file.write_bytes(_convert(folder / "saved_model", names))
        archive.sync(file)
        os.replace(file, path)
    return path


def _convert(folder, names):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), names)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return converter.convert()
    except Exception as error:  # the converter's own error class is private
        missing = re.search("(?:TF Select|Custom) ops: (.*)", str(error))
        reason = f"its built-in operators lack {missing[1]}." if missing else error
        raise RuntimeError(f"TFLite cannot hold {names}: {reason}") from error
