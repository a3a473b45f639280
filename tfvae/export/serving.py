"""What TF Serving needs: strict signatures, warm-up requests, configurations."""

import pathlib

import numpy as np
import tensorflow as tf

from tfvae import checks, files
from tfvae.export import parity

# Where TF Serving looks for them in a version.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def strict(signature):
    """A signature that checks in its graph what a server leaves unchecked.

    TF Serving compares names and types; a wrong shape it answers where the operators
    let it through. Here it is refused by an error that names the input, and so are
    inputs with unequal numbers of rows. A row with NaN or Inf is answered with NaN: an
    error would refuse whatever other requests the server has put into the batch.

    Args:
        signature: A `Signature`.

    Returns:
        A `Signature` with the same answers to all other requests.
    """

    def function(**inputs):
        inputs = {s.name: tf.ensure_shape(inputs[s.name], s.shape) for s in specs}
        _check_rows(inputs)
        if "observed" in inputs:  # x counts nowhere else
            inputs["x"] = tf.where(inputs["observed"], inputs["x"], 0.0)
        floats = [value for value in inputs.values() if value.dtype.is_floating]
        outputs = signature.function(**inputs)
        return {key: _where_finite(floats, value) for key, value in outputs.items()}

    specs = signature.specs
    return signature._replace(function=function)


def _check_rows(inputs):
    (name, first), *others = inputs.items()
    for other, value in others:
        message = f"`{other}` must have as many rows as `{name}`."
        sizes = tf.shape(value)[0], tf.shape(first)[0]
        tf.debugging.assert_equal(*sizes, message=message)


def _where_finite(inputs, output):
    for value in inputs:
        finite = tf.reduce_all(tf.math.is_finite(value), list(range(1, value.ndim)))
        finite = tf.reshape(finite, [-1, *[1] * (output.ndim - 1)])
        output = tf.where(finite, output, np.nan)
    return output


def warmup_requests(model, *, batch_size=1):
    """Requests that a server answers before it announces a model: one a signature.

    The first request to a signature is slow, as TensorFlow allocates and optimises
    only then. `to_saved_model` writes these into each version, for TF Serving to replay
    when it loads it.

    Args:
        model: A built model of this package.
        batch_size: Rows in a request.

    Returns:
        A list of `tensorflow_serving.apis.prediction_log_pb2.PredictionLog`.

    Raises:
        TypeError: Where `model` is no model of this package.
        ValueError: Where the model is not built.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> logs = tfvae.export.warmup_requests(model)
        >>> [log.predict_log.request.model_spec.signature_name for log in logs]
        ['serving_default', 'encode', 'decode', 'sample', 'elbo']
    """
    from tensorflow_serving.apis import prediction_log_pb2

    signatures = parity.check_model(model)
    checks.integer(batch_size=batch_size)
    logs = []
    for name, signature in signatures.items():
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.signature_name = name
        for key, value in signature.example(batch_size).items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        logs.append(log)
    return logs


def write_warmup(model, folder):
    """Writes the `warmup_requests` of a model into the folder of a version.

    Args:
        model: A built model of this package.
        folder: A `pathlib.Path`.
    """
    file = folder / WARMUP_FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for log in warmup_requests(model):
            writer.write(log.SerializeToString())


def serving_config(
    path,
    *,
    base_path="/models",
    max_batch_size=512,
    batch_timeout_micros=1000,
    max_enqueued_batches=100,
    num_batch_threads=None,
):
    """Writes `models.config` and `batching.config` for a folder of models.

    A model is a subfolder with a numbered version in it, and is served by its name. The
    files are for `--model_config_file` and `--batching_parameters_file`, see
    `examples/serving`. Batches may have any size: on a processor nothing is gained by
    `allowed_batch_sizes`, up to which the server would pad.

    Args:
        path: Folder whose subfolders were written by `to_saved_model`.
        base_path: Where the server sees that folder.
        max_batch_size: Rows that the server computes at once. Larger requests are
            refused.
        batch_timeout_micros: Microseconds that a request waits for others.
        max_enqueued_batches: Batches that may wait; requests beyond are refused.
        num_batch_threads: Batches computed at the same time; as many as the server has
            processors when left out.

    Returns:
        The `pathlib.Path` of both files, in `path`.

    Raises:
        TypeError: Where a number is no integer, or `base_path` no text.
        ValueError: Where there is no model, a number is too small, `base_path` is not
            absolute, or the folder cannot be written to.

    Example:
        >>> model = tfvae.VAE(
        ...     tfvae.networks.mlp_encoder((8, 8, 1), [64]),
        ...     tfvae.networks.mlp_decoder((8, 8, 1), [64]),
        ...     latent_dim=2,
        ... )
        >>> folder = tempfile.mkdtemp()
        >>> version = tfvae.export.to_saved_model(model, folder + "/vae")
        >>> [file.name for file in tfvae.export.serving_config(folder)]
        ['models.config', 'batching.config']
    """
    batching = {
        "max_batch_size": checks.integer(max_batch_size=max_batch_size),
        "batch_timeout_micros": checks.integer(
            minimum=0, batch_timeout_micros=batch_timeout_micros
        ),
        "max_enqueued_batches": checks.integer(
            max_enqueued_batches=max_enqueued_batches
        ),
    }
    if num_batch_threads is not None:
        threads = checks.integer(num_batch_threads=num_batch_threads)
        batching["num_batch_threads"] = threads
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


def _models_config(path, base_path):
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    checks.instance(str, "the path of a folder", base_path=base_path)
    if not base_path.startswith("/") and "://" not in base_path:
        checks.fail("an absolute path, as the server sees it", base_path=base_path)
    config = model_server_config_pb2.ModelServerConfig()
    for name in _models(path):
        config.model_config_list.config.add(
            name=name,
            base_path=f"{base_path.rstrip('/')}/{name}",
            model_platform="tensorflow",
        )
    return text_format.MessageToString(config)


def _models(path):
    """Names of the subfolders that hold a numbered version."""
    graphs = path.glob("*/*/saved_model.pb")
    models = {p.parts[-3] for p in graphs if p.parts[-2].isdecimal()}
    if not models:
        hint = "`to_saved_model` writes one."
        checks.fail("a folder of exported models", hint=hint, path=str(path))
    return sorted(models)
