import contextlib
import io
import json
import os
import pathlib
import runpy
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

import tfvae
from tests import servicer
from tests.checks import AUTOREGRESSIVE, MODELS, SHAPE, encoder, images
from tfvae import files
from tfvae.export import serving, serving_config, warmup_requests

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples" / "serving"

# float32 in another order of sums, as for every export.
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def model():
    model = MODELS["VAE"]()
    for weight in model.trainable_variables:
        weight.assign(tf.random.stateless_normal(weight.shape, [0, 1]) / 3)
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A folder of one model, `vae/1`, and the configurations."""
    folder = tmp_path_factory.mktemp("models")
    tfvae.export.to_saved_model(model, folder / "vae")
    serving_config(folder, base_path=str(folder))
    return folder


@pytest.fixture(scope="module")
def served(folder):
    return servicer.Servicer({"vae": servicer.Servable(folder / "vae" / "1")})


@pytest.fixture(scope="module")
def address(served):
    with servicer.grpc_server(served) as address:
        yield address


@pytest.fixture(scope="module")
def stub(address):
    with grpc.insecure_channel(address, servicer.UNLIMITED) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request_for(name, model="vae", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = name
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def ask(stub, name, **inputs):
    """The one output of a signature, over the socket."""
    (output,) = stub.Predict(request_for(name, **inputs), timeout=60).outputs.values()
    return tf.make_ndarray(output)


def seeds(number, rows=3):
    return np.array([[number, i] for i in range(rows)], "int32")


def test_the_methods_of_a_model_are_answered_over_grpc(model, stub):
    x, z = images(3), np.eye(3, dtype="float32")
    pairs = [
        (ask(stub, "", x=x), model.reconstruct(x)),
        (ask(stub, "encode", x=x), model.encode(x)),
        (ask(stub, "decode", z=z), model.decode(z)),
        (ask(stub, "sample", seed=seeds(7)), model.sample(3, seed=7)),
        (ask(stub, "elbo", x=x, seed=seeds(7)), model.elbo(x, seed=7)),
    ]
    for received, wanted in pairs:
        np.testing.assert_allclose(received, wanted, **CLOSE)


X, SEED = images(3), seeds(0)
TORN = tf.make_tensor_proto(X)
TORN.tensor_shape.dim[0].size = 4
BAD = {
    "missing": ("elbo", {"x": X}, "seed"),
    "extra": ("encode", {"x": X, "seed": SEED}, "seed"),
    "misnamed": ("encode", {"image": X}, "image"),
    "torn": ("encode", {"x": TORN}, "parsing error: x"),
    "double": ("encode", {"x": X.astype("float64")}, "encode_x"),
    "integers": ("encode", {"x": X.astype("int32")}, "encode_x"),
    "text": ("encode", {"x": [["a"]]}, "encode_x"),
    "long seed": ("sample", {"seed": SEED.astype("int64")}, "sample_seed"),
    "no batch": ("encode", {"x": X[0]}, r"encode_x.* \[8,8,1\]"),
    "no channel": ("encode", {"x": X[..., 0]}, r"encode_x.* \[3,8,8\]"),
    "flat": ("encode", {"x": X.reshape(3, 64)}, r"encode_x.* \[3,64\]"),
    "channels first": ("encode", {"x": X.reshape(3, 1, 8, 8)}, "encode_x"),
    "wide": ("encode", {"x": np.zeros((3, 9, 8, 1), "float32")}, "encode_x"),
    "scalar": ("decode", {"z": np.float32(0)}, "decode_z"),
    "narrow": ("decode", {"z": np.zeros((3, 2), "float32")}, "decode_z"),
    "one seed for all": ("elbo", {"x": X, "seed": SEED[:1]}, "`seed` must have as"),
    "no rows of seeds": ("elbo", {"x": X, "seed": SEED[:0]}, "`seed` must have as"),
    "wrong signature": ("log_prob", {"x": X}, '"log_prob" not found'),
    "wrong model": ("encode", {"model": "gan", "x": X}, r"Latest\(gan\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_requests_are_refused_by_name_and_the_next_is_answered(stub, name):
    signature, inputs, message = BAD[name]
    before = ask(stub, "elbo", x=X, seed=SEED)
    with pytest.raises(grpc.RpcError) as caught:
        ask(stub, signature, **inputs)
    assert caught.match(message)
    if not name.startswith("wrong"):
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    np.testing.assert_array_equal(ask(stub, "elbo", x=X, seed=SEED), before)


def test_no_rows_and_many_rows_are_answered(model, stub):
    many = np.tile(X, [3334, 1, 1, 1])[:10_000]
    before = ask(stub, "encode", x=X)
    assert ask(stub, "encode", x=X[:0]).shape == (0, 3)
    assert ask(stub, "sample", seed=SEED[:0]).shape == (0, *SHAPE)
    np.testing.assert_allclose(ask(stub, "encode", x=many), model.encode(many), **CLOSE)
    assert ask(stub, "sample", seed=seeds(1, 10_000)).shape == (10_000, *SHAPE)
    np.testing.assert_array_equal(ask(stub, "encode", x=X), before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_that_is_not_finite_is_answered_by_nan_alone(stub, value):
    x, z = X.copy(), np.zeros([3, 3], "float32")
    x[1, 2, 3], z[1, 0] = value, value
    requests = {
        "serving_default": {"x": x},
        "encode": {"x": x},
        "decode": {"z": z},
        "elbo": {"x": x, "seed": SEED},
    }
    for name, inputs in requests.items():
        whole = ask(stub, name, **inputs)
        rest = ask(stub, name, **{k: v[[0, 2]] for k, v in inputs.items()})
        assert np.isnan(whole[1]).all()
        np.testing.assert_allclose(whole[[0, 2]], rest, **CLOSE)


def test_what_is_not_observed_need_not_be_finite():
    made = AUTOREGRESSIVE["MADE"]()
    complete = serving.strict(made.signatures()["complete"]).function
    observed = (
        np.arange(64).reshape(1, *SHAPE) < np.array([32, 0, 32])[:, None, None, None]
    )
    x = np.where(observed, X, np.nan).astype("float32")
    x[2, 0, 0] = np.nan  # which is observed
    given = {"observed": tf.constant(observed), "seed": tf.constant(SEED)}
    answer = complete(x=tf.constant(x), **given)["x"].numpy()
    assert np.isnan(answer).all(axis=(1, 2, 3)).tolist() == [False, False, True]
    wanted = made.complete(X, observed, seed=0)
    np.testing.assert_array_equal(answer[:2], wanted[:2])


def test_interleaved_requests_are_each_answered_as_alone(model, stub):
    z = model.encode(images(1000)).numpy()

    def answer(i):
        rows = 1 + i % 3
        if i % 4 == 0:
            return ask(stub, "decode", z=z[i : i + rows])
        if i % 4 == 1:
            return ask(stub, "elbo", x=X[:rows], seed=seeds(i, rows))
        return ask(stub, "sample", seed=seeds(i, rows))

    alone = [answer(i) for i in range(1000)]
    order = np.random.default_rng(0).permutation(1000)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(answer, order))
    for i, received in zip(order, together, strict=True):
        np.testing.assert_array_equal(received, alone[i])


def test_the_warm_up_requests_of_a_version_can_be_replayed(model, folder, stub):
    file = folder / "vae" / "1" / serving.WARMUP_FILE
    records = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    logs = [prediction_log_pb2.PredictionLog.FromString(r) for r in records]
    assert logs == warmup_requests(model)
    names = [log.predict_log.request.model_spec.signature_name for log in logs]
    assert names == list(model.signatures())
    for log in logs:
        request = log.predict_log.request
        request.model_spec.name = "vae"
        (output,) = stub.Predict(request, timeout=60).outputs.values()
        assert np.isfinite(tf.make_ndarray(output)).all()
    manifest = json.loads((file.parents[1] / "manifest.json").read_text())["sha256"]
    assert manifest[serving.WARMUP_FILE] == files.sha256(file)


def test_warm_up_requests_have_the_rows_asked_for():
    model = tfvae.IVAE(
        encoder(), MODELS["VAE"]().likelihood, latent_dim=3, num_classes=3
    )
    for log in warmup_requests(model, batch_size=5):
        for tensor in log.predict_log.request.inputs.values():
            assert tensor.tensor_shape.dim[0].size == 5
    with pytest.raises(ValueError, match="Received: batch_size=0"):
        warmup_requests(model, batch_size=0)
    with pytest.raises(TypeError, match="must be a tfvae model"):
        warmup_requests("vae")


def models_in(file):
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(file.read_text(), config)
    return {c.name: c.base_path for c in config.model_config_list.config}


def test_configurations_list_the_models_of_a_folder(tmp_path):
    whole = ["vae/1", "vae/2", "gan/10"]
    for name in [*whole, "none/.tmp-1", "none/v1"]:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "torn" / "1").mkdir(parents=True)
    models, batching = serving_config(tmp_path)
    assert models_in(models) == {"gan": "/models/gan", "vae": "/models/vae"}
    assert batching.read_text() == (
        "max_batch_size { value: 512 }\n"
        "batch_timeout_micros { value: 1000 }\n"
        "max_enqueued_batches { value: 100 }\n"
    )
    own = {"base_path": "gs://bucket/", "batch_timeout_micros": 0}
    models, batching = serving_config(tmp_path, **own, num_batch_threads=4)
    assert models_in(models)["vae"] == "gs://bucket/vae"
    assert "num_batch_threads { value: 4 }" in batching.read_text()
    files = {"models.config", "batching.config"}
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == files
    assert not list(tmp_path.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"base_path": "models"}, ValueError),
        ({"base_path": 1}, TypeError),
        ({"max_batch_size": 0}, ValueError),
        ({"batch_timeout_micros": -1}, ValueError),
        ({"max_enqueued_batches": 2.5}, TypeError),
        ({"num_batch_threads": 0}, ValueError),
    ],
)
def test_configurations_that_a_server_would_not_read_are_refused(
    folder, arguments, error
):
    before = (folder / "models.config").read_text()
    ((name, value),) = arguments.items()
    with pytest.raises(error, match=f"`{name}` must be .*Received: {name}={value!r}"):
        serving_config(folder, **arguments)
    assert (folder / "models.config").read_text() == before


def test_a_folder_without_models_is_refused(tmp_path, folder):
    for path in (tmp_path, tmp_path / "missing", folder / "vae"):
        with pytest.raises(ValueError, match="`path` must be a folder of exported mod"):
            serving_config(path)


def run(script, *arguments):
    """What an example prints, run in this process to import TensorFlow once."""
    out = io.StringIO()
    with mock.patch("sys.argv", [script, *arguments]), contextlib.redirect_stdout(out):
        runpy.run_path(str(EXAMPLES / script))
    return out.getvalue()


@pytest.mark.slow
def test_cost_of_a_request():
    out = run("../benchmarks/serving.py", "--runs=2")
    assert out.count("rows/s") == 6


def test_the_grpc_client_of_the_examples(address):
    out = run("grpc_client.py", f"--host={address}")
    assert out.startswith("3 images of 8 rows, 3 latents each\nelbo: -")
    with pytest.raises(SystemExit, match=r"sample: Servable not found .*Latest\(gan\)"):
        run("grpc_client.py", f"--host={address}", "--model=gan")


def check_rest(url, name="vae"):
    """A server's REST interface: the client of the examples, and wrong requests."""
    out = run("rest_client.py", f"--url={url}", f"--model={name}")
    assert out.startswith("3 images of")
    with pytest.raises(SystemExit, match="sample: "):
        run("rest_client.py", f"--url={url}", f"--model={name}", "--seed=9999999999")

    def post(signature, **inputs):
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        request = urllib.request.Request(f"{url}/v1/models/{name}:predict", body)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["outputs"]

    pair, alone = (post("sample", seed=seed) for seed in ([[7, 0], [7, 1]], [[7, 1]]))
    np.testing.assert_allclose(pair[1], alone[0], **CLOSE)
    for inputs in ({"seed": [[7]]}, {"seed": [7, 0]}, {"seeds": [[7, 0]]}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            post("sample", **inputs)
        assert "error" in json.load(caught.value)
    assert post("sample", seed=[[7, 1]]) == alone


def test_the_rest_client_of_the_examples(served):
    with servicer.rest_server(served) as url:
        check_rest(url)


@contextlib.contextmanager
def real_server(program, folder):
    """URL of a `tensorflow_model_server` over a folder with configurations."""
    ports = []
    for _ in range(2):
        with socket.create_server(("localhost", 0)) as free:
            ports.append(free.getsockname()[1])
    flags = [f"--port={ports[0]}", f"--rest_api_port={ports[1]}", "--enable_batching"]
    flags += [f"--model_config_file={folder / 'models.config'}"]
    flags += [f"--batching_parameters_file={folder / 'batching.config'}"]
    url = f"http://localhost:{ports[1]}"
    with subprocess.Popen([program, *flags]) as process:
        try:
            wait_for(f"{url}/v1/models/vae")
            yield url
        finally:
            process.terminate()


def wait_for(url):
    for _ in range(120):
        with contextlib.suppress(OSError):
            if b"AVAILABLE" in urllib.request.urlopen(url, timeout=5).read():
                return
        time.sleep(0.5)
    raise TimeoutError(url)


def test_a_real_server_answers_as_the_small_one(request):
    """`TFVAE_SERVING_URL`: the REST address of a server that has a VAE named `vae`."""
    if url := os.environ.get("TFVAE_SERVING_URL"):
        check_rest(url)
    elif program := shutil.which("tensorflow_model_server"):
        with real_server(program, request.getfixturevalue("folder")) as url:
            check_rest(url)
    else:
        pytest.skip("neither tensorflow_model_server nor TFVAE_SERVING_URL is there")
