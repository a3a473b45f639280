"""TF Serving's needs: strict signatures, warm-up requests, configurations."""

import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.message import Message

from tfvae import checks, files
from tfvae.checks import NonNegativeInt, PositiveInt
from tfvae.export import parity
from tfvae.signatures import Signature

# Place of the warm-up requests in a version, by TF Serving's rules.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def strict(signature: Signature) -> Signature:
    """A signature with checks in its graph that a server does not make.

    TF Serving compares names and types, but runs a wrong shape if the operators let it
    through. The graph refuses it with an error that names the input, and also inputs
    with unequal numbers of rows. It answers a row with NaN or Inf with NaN: an error
    would refuse other requests that the server has put into the same batch.

    Answers to all other requests stay as they are.
    """

    def function(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = {s.name: tf.ensure_shape(inputs[s.name], s.shape) for s in specs}
        _check_rows(inputs)
        for mask in (i for i in signature.inputs if i.masks):
            given = inputs[mask.name], inputs[mask.masks]
            inputs[mask.masks] = tf.where(*given, 0.0)
        floats = [value for value in inputs.values() if value.dtype.is_floating]
        outputs = signature.function(**inputs)
        return {key: _where_finite(floats, value) for key, value in outputs.items()}

    specs = signature.specs
    return signature._replace(function=function)


def _check_rows(inputs: Mapping[str, tf.Tensor]) -> None:
    (name, first), *others = inputs.items()
    for other, value in others:
        message = f"`{other}` must have as many rows as `{name}`."
        sizes = tf.shape(value)[0], tf.shape(first)[0]
        tf.debugging.assert_equal(*sizes, message=message)


def _where_finite(inputs: Iterable[tf.Tensor], output: tf.Tensor) -> tf.Tensor:
    for value in inputs:
        finite = tf.reduce_all(tf.math.is_finite(value), list(range(1, value.ndim)))
        finite = tf.reshape(finite, [-1, *[1] * (output.ndim - 1)])
        output = tf.where(finite, output, np.nan)
    return output


@checks.checked
def warmup_requests(
    model: keras.Model, *, batch_size: PositiveInt = 1
) -> list[Message]:
    """Warm-up requests for a server, one for each signature.

    The first request to a signature is slow, as TensorFlow allocates memory and
    optimises the graph then. `to_saved_model` writes these requests into each version;
    TF Serving replays them when it loads the version.

    Args:
        model: A built model of this package.
        batch_size: Number of rows in a request.

    Returns:
        A `tensorflow_serving.apis.prediction_log_pb2.PredictionLog` for each signature.

    Example:
        >>> logs = tfvae.export.warmup_requests(model)
        >>> [log.predict_log.request.model_spec.signature_name for log in logs]
        ['serving_default', 'encode', 'decode', 'sample', 'elbo']
    """
    signatures = parity.check_model(model)
    return [_request(*item, batch_size) for item in signatures.items()]


def _request(name: str, signature: Signature, batch_size: int) -> Message:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = name
    for key, value in signature.example(batch_size).items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return log


def write_warmup(signatures: Mapping[str, Signature], folder: pathlib.Path) -> None:
    """Writes warm-up requests of one row into the folder of a version."""
    file = folder / WARMUP_FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for name, signature in signatures.items():
            writer.write(_request(name, signature, 1).SerializeToString())


def _server_path(*, base_path: Any) -> str:
    checks.instance(str, "the path of a folder", base_path=base_path)
    if not base_path.startswith("/") and "://" not in base_path:
        checks.fail("an absolute path, as the server sees it", base_path=base_path)
    return base_path


@checks.checked
def serving_config(
    path: str | os.PathLike[str],
    *,
    base_path: Annotated[str, _server_path] = "/models",
    max_batch_size: PositiveInt = 512,
    batch_timeout_micros: NonNegativeInt = 1000,
    max_enqueued_batches: PositiveInt = 100,
    num_batch_threads: PositiveInt | None = None,
) -> list[pathlib.Path]:
    """Writes `models.config` and `batching.config` for a folder of models.

    A model is a subfolder with a numbered version in it; the server gives it the name
    of the subfolder. The files are for `--model_config_file` and
    `--batching_parameters_file`, see `examples/serving`. They set no
    `allowed_batch_sizes`: padding batches to a size gains nothing on a CPU.

    Args:
        path: Folder whose subfolders were written by `to_saved_model`.
        base_path: Absolute path or URL of that folder for the server.
        max_batch_size: Rows that the server computes at once; it refuses larger
            requests.
        batch_timeout_micros: Microseconds that a request waits for others.
        max_enqueued_batches: Batches that may wait; the server refuses requests beyond.
        num_batch_threads: Batches computed at the same time; as many as the server has
            processors when left out.

    Returns:
        The paths of both files, in `path`.

    Example:
        >>> version = tfvae.export.to_saved_model(model, folder + "/vae")
        >>> [file.name for file in tfvae.export.serving_config(folder)]
        ['models.config', 'batching.config']
    """
    batching = {
        "max_batch_size": max_batch_size,
        "batch_timeout_micros": batch_timeout_micros,
        "max_enqueued_batches": max_enqueued_batches,
    }
    if num_batch_threads is not None:
        batching["num_batch_threads"] = num_batch_threads
    path = pathlib.Path(path)
    texts = {
        path / "models.config": _models_config(path, base_path),
        # The class of this message is in no package: see session_bundle_config.proto.
        path / "batching.config": "".join(
            f"{name} {{ value: {number} }}\n" for name, number in batching.items()
        ),
    }
    with files.scratch(path) as folder:
        files.replace(folder, {file: text.encode() for file, text in texts.items()})
    return list(texts)


def _models_config(path: pathlib.Path, base_path: str) -> str:
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = model_server_config_pb2.ModelServerConfig()
    for name in _models(path):
        config.model_config_list.config.add(
            name=name,
            base_path=f"{base_path.rstrip('/')}/{name}",
            model_platform="tensorflow",
        )
    return text_format.MessageToString(config)


def _models(path: pathlib.Path) -> list[str]:
    """Names of the subfolders that hold a numbered version."""
    graphs = path.glob("*/*/saved_model.pb")
    models = {p.parts[-3] for p in graphs if p.parts[-2].isdecimal()}
    if not models:
        hint = "`to_saved_model` writes one."
        checks.fail("a folder of exported models", hint=hint, path=str(path))
    return sorted(models)
