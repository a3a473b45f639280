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
from tfvae.signatures import Outputs, Signature

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

    def function(**inputs: tf.Tensor) -> Outputs:
        for i in signature.inputs:
            shape = [signature.batch_size, *i.shape]
            inputs[i.name] = tf.ensure_shape(inputs[i.name], shape)
        _check_rows({i.name: inputs[i.name] for i in signature.inputs})
        for mask in (i for i in signature.inputs if i.masks):
            given = inputs[mask.name], inputs[mask.masks]
            inputs[mask.masks] = tf.where(*given, 0.0)
        floats = [value for value in inputs.values() if value.dtype.is_floating]
        outputs = signature.function(**inputs)
        return {key: _where_finite(floats, value) for key, value in outputs.items()}

    return signature._replace(function=function)


def _check_rows(inputs: Mapping[str, tf.Tensor]) -> None:
    (name, first), *others = inputs.items()
    for other, value in others:
        message = f"`{other}` must have as many rows as `{name}`."
        tf.debugging.assert_equal(tf.shape(value)[0], tf.shape(first)[0], message)


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
    """Warm-up requests for a server, one `PredictionLog` for each signature.

    The first request to a signature is slow, as TensorFlow allocates memory and
    optimises the graph then. `to_saved_model` writes these requests into each version;
    TF Serving replays them when it loads the version.

    Args:
        model: A built model of this package.
        batch_size: Number of rows in a request.

    Example:
        >>> logs = tfvae.export.warmup_requests(model)
        >>> [log.predict_log.request.model_spec.signature_name for log in logs]
        ['serving_default', 'encode', 'decode', 'sample', 'elbo']
    """
    signatures = parity.check_model(model).items()
    return [_request(name, s.example(batch_size)) for name, s in signatures]


def _request(name: str, inputs: parity.Values) -> Message:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = name
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return log


def write_warmup(examples: Mapping[str, parity.Example], folder: pathlib.Path) -> None:
    """Writes a request for the first row of each example into a version's folder."""
    file = folder / WARMUP_FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for name, (inputs, _) in examples.items():
            row = {key: value[:1] for key, value in inputs.items()}
            writer.write(_request(name, row).SerializeToString())


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
    """Writes `models.config` and `batching.config` into a folder of models.

    A model is a subfolder with a numbered version in it; the server gives it the name
    of the subfolder. The files, whose paths are returned, are for `--model_config_file`
    and `--batching_parameters_file`, see `examples/serving`. They set no
    `allowed_batch_sizes`: padding batches to a size gains nothing on a CPU.

    Args:
        path: Folder whose subfolders were written by `to_saved_model`.
        base_path: Absolute path or URL of that folder for the server.
        max_batch_size: Rows computed at once; the server refuses larger requests.
        batch_timeout_micros: Microseconds that a request waits for others.
        max_enqueued_batches: Batches that may wait; the server refuses requests beyond.
        num_batch_threads: Batches computed at the same time; by default as many as the
            server has processors.

    Example:
        >>> version = tfvae.export.to_saved_model(model, folder + "/vae")
        >>> [file.name for file in tfvae.export.serving_config(folder)]
        ['models.config', 'batching.config']
    """
    batching = {
        "max_batch_size": max_batch_size,
        "batch_timeout_micros": batch_timeout_micros,
        "max_enqueued_batches": max_enqueued_batches,
        "num_batch_threads": num_batch_threads,
    }
    # The class of this message is in no package: see session_bundle_config.proto.
    lines = [f"{k} {{ value: {v} }}\n" for k, v in batching.items() if v is not None]
    path = pathlib.Path(path)
    texts = {
        "models.config": _models_config(path, base_path.rstrip("/")),
        "batching.config": "".join(lines),
    }
    with files.scratch(path) as folder:
        for name, text in texts.items():
            (folder / name).write_text(text)
        files.replace({folder / name: path / name for name in texts})
    return [path / name for name in texts]


def _models_config(path: pathlib.Path, base_path: str) -> str:
    """Configuration of the subfolders that hold a numbered version."""
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    graphs = path.glob("*/*/saved_model.pb")
    names = sorted({p.parts[-3] for p in graphs if p.parts[-2].isdecimal()})
    if not names:
        hint = "`to_saved_model` writes one."
        checks.fail("a folder of exported models", hint=hint, path=str(path))
    config = model_server_config_pb2.ModelServerConfig()
    for name in names:
        config.model_config_list.config.add(
            name=name, base_path=f"{base_path}/{name}", model_platform="tensorflow"
        )
    return text_format.MessageToString(config)
