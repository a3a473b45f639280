import contextlib
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.tools import saved_model_cli

from tests import session_loader
from tests.checks import MODELS
from tests.exports import EXPORTED, assert_same, build, families, inputs_of
from tfvae import files
from tfvae.export import (
    load_saved_model,
    parity,
    saved_model,
    to_saved_model,
    to_tflite,
)
from tfvae.inputs import Input
from tfvae.models.latent import LatentVariableModel
from tfvae.signatures import Signature

# Inputs and outputs of every signature, as design.md has them.
VAE_SIGNATURES = {
    "serving_default": (["x"], ["x"]),
    "encode": (["x"], ["z"]),
    "decode": (["z"], ["x"]),
    "sample": (["seed"], ["x"]),
    "elbo": (["seed", "x"], ["elbo"]),
}
JUDGING = {"discriminate": (["x"], ["logits"])}
GAN_SIGNATURES = JUDGING | {
    "serving_default": (["z"], ["x"]),
    "sample": (["seed"], ["x"]),
}
AUTOREGRESSIVE_SIGNATURES = {
    "serving_default": (["x"], ["log_prob"]),
    "sample": (["seed"], ["x"]),
    "complete": (["observed", "seed", "x"], ["x"]),
}

# Code of this machine, files of the server, its output.
DENIED_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "NumpyFunction"}
DENIED_OPS |= {"ReadFile", "WriteFile", "MatchingFiles", "Print", "PrintV2"}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return session_loader.program(tmp_path_factory.mktemp("loader"))


@pytest.fixture(scope="module", params=families(EXPORTED))
def served(request, tmp_path_factory, program):
    """A SavedModel behind the session loader, and in `model` where it came from."""
    model = build(request.param)
    path = to_saved_model(model, tmp_path_factory.mktemp("versions"))
    with session_loader.Served(program, path) as served:
        served.model = model
        yield served


def test_the_session_loader_answers_as_the_model_for_any_batch(served):
    # A oneDNN convolution gives an empty batch the shape of its input, in Python too.
    sizes = (1, 7) if "Conv2D" in served.ops() else (0, 1, 7)
    for name, signature in served.model.signatures().items():
        for num_rows in sizes:
            inputs = inputs_of(signature, num_rows)
            assert_same(served.ask(name, **inputs), signature.function(**inputs))


@pytest.mark.parametrize("rows", [slice(4, 5), slice(None, None, -1)])
def test_a_served_row_depends_on_nothing_but_itself(served, rows):
    for name, signature in served.model.signatures().items():
        inputs = inputs_of(signature, 7)
        some = served.ask(name, **{key: value[rows] for key, value in inputs.items()})
        every = served.ask(name, **inputs)
        assert_same(some, {key: value[rows] for key, value in every.items()})


def test_served_seed_rows_give_the_samples_of_python(served):
    condition = served.model.condition
    ones = {condition.name: condition.example(1)[0]} if condition else {}
    given = {name: np.stack([value] * 2) for name, value in ones.items()}
    if hasattr(served.model, "levels"):
        given["temperature"] = np.ones([2, len(served.model.levels)], "float32")
    answer = served.ask("sample", seed=np.array([[11, 3], [11, 0]], "int32"), **given)
    samples = served.model.sample(5, seed=11, **ones).numpy()
    assert_same(answer, {"x": samples[[3, 0]]})


def test_signatures_are_named_and_of_variable_batch(served):
    definitions = dict(served.meta_graph.signature_def)
    definitions.pop("__saved_model_init_op")
    names = {k: (sorted(d.inputs), sorted(d.outputs)) for k, d in definitions.items()}
    is_vae = isinstance(served.model, LatentVariableModel)
    wanted = VAE_SIGNATURES if is_vae else AUTOREGRESSIVE_SIGNATURES
    if hasattr(served.model, "discriminator"):
        wanted = VAE_SIGNATURES | JUDGING if is_vae else GAN_SIGNATURES
    if hasattr(served.model, "levels"):
        wanted = wanted | {"sample": (["seed", "temperature"], ["x"])}
    if condition := served.model.condition:
        more = [condition.name]
        wanted = {
            k: (sorted(i + more * (k != "decode")), o) for k, (i, o) in wanted.items()
        }
        wanted |= {"prior": (["u"], ["loc", "scale"])} if is_vae else {}
    assert names == wanted
    for definition in definitions.values():
        for info in (*definition.inputs.values(), *definition.outputs.values()):
            assert info.tensor_shape.dim[0].size == -1


def test_a_saved_model_holds_each_weight_once_and_no_denied_op(served, capsys):
    assert not served.ops() & DENIED_OPS
    denied = saved_model_cli._OP_DENYLIST
    saved_model_cli.scan_meta_graph_def(served.meta_graph, denied)
    assert "does not contain the default denylisted ops" in capsys.readouterr().out
    variables = tf.train.list_variables(str(served.path / "variables" / "variables"))
    shapes = sorted(shape for name, shape in variables if name.startswith("weights"))
    used = [w for w in served.model.weights if w.name != "vector_u"]  # by training only
    assert shapes == sorted(list(weight.shape) for weight in used)
    assert len(variables) == len(shapes) + 1  # and the graph of objects


def test_the_manifest_holds_the_sum_of_every_file(served):
    path = served.path
    sums = json.loads((path / "manifest.json").read_text())["sha256"]
    files = [p for p in path.rglob("*") if p.is_file() and p.name != "manifest.json"]
    assert sums == {
        p.relative_to(path).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }


@pytest.fixture(scope="module")
def model():
    """A model with one signature, `y = 2 x`, which is exported fast."""
    model = build("VAE")
    two, x = tf.Variable(2.0), Input("x", (1,))
    model.signatures = lambda: {"decode": Signature(lambda x: {"y": two * x}, (x,))}
    return model


def test_versions_count_up_and_none_is_overwritten(model, tmp_path):
    paths = [
        to_saved_model(model, tmp_path / "new", version=v) for v in (None, 5, None)
    ]
    assert [path.name for path in paths] == ["1", "5", "6"]
    with pytest.raises(ValueError, match="not yet in .*Received: version=5"):
        to_saved_model(model, tmp_path / "new", version=5)
    assert sorted(os.listdir(tmp_path / "new")) == ["1", "5", "6"]


@pytest.mark.parametrize(
    ("version", "error"),
    [(0, ValueError), (-1, ValueError), ("v1", TypeError), (True, TypeError)],
)
def test_versions_that_a_server_would_not_read_are_refused(
    model, tmp_path, version, error
):
    with pytest.raises(error, match=f"Received: version={version!r}"):
        to_saved_model(model, tmp_path, version=version)


def test_folders_that_cannot_be_written_to_are_refused(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="folder that can be written to"):
        to_saved_model(model, tmp_path / "file")
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(ValueError, match="Permission denied"):
        to_saved_model(model, tmp_path)


@pytest.mark.parametrize(
    ("shift", "outcome", "published"),
    [
        (5e-6, contextlib.nullcontext(), ["1"]),
        (2e-5, pytest.raises(RuntimeError, match="output 'y' of .* differs"), []),
    ],
)
def test_nothing_is_published_that_differs_by_more_than_1e_5(
    model, tmp_path, monkeypatch, shift, outcome, published
):
    def shifted(signature):
        return trace(signature._replace(function=lambda x: {"y": 2 * x + shift}))

    trace = parity._trace
    monkeypatch.setattr(parity, "_trace", shifted)
    with outcome:
        to_saved_model(model, tmp_path)
    assert os.listdir(tmp_path) == published


@pytest.mark.parametrize("export", [to_saved_model, to_tflite])
def test_a_full_disk_leaves_what_was_there(export, tmp_path):
    """The limit is one on the size of files, which needs no rights."""
    path = tmp_path / "model.tflite"
    path.mkdir() if export is to_saved_model else path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(OSError, match="Nothing was published.*File too large"):
            export(build("VAE"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == [path.name]
    assert path.is_dir() and not list(path.iterdir()) or path.read_text() == "old"


@pytest.mark.parametrize(
    ("place", "part"),
    [(parity, "write"), (parity, "compare"), (files, "sha256"), (files, "sync")],
)
def test_an_export_that_breaks_off_leaves_nothing(
    model, tmp_path, monkeypatch, place, part
):
    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(place, part, full)
    with pytest.raises(OSError, match="No space"):
        to_saved_model(model, tmp_path)
    assert os.listdir(tmp_path) == []


def test_exporters_that_race_get_versions_of_their_own(model, tmp_path, monkeypatch):
    barrier, next_version = threading.Barrier(8), saved_model._next_version

    def late(path):
        number = next_version(path)
        if threading.current_thread() not in seen:
            seen.add(threading.current_thread())
            barrier.wait(60)
        return number

    seen = set()
    monkeypatch.setattr(saved_model, "_next_version", late)
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: to_saved_model(model, tmp_path), range(8)))
    assert sorted(path.name for path in paths) == [*"12345678"]
    assert sorted(os.listdir(tmp_path)) == [*"12345678"]


def test_of_exporters_that_race_for_a_version_one_wins(model, tmp_path, monkeypatch):
    write_manifest = files.write_manifest

    def overtaken(folder):
        write_manifest(folder)
        monkeypatch.undo()
        to_saved_model(model, tmp_path, version=4)

    monkeypatch.setattr(files, "write_manifest", overtaken)
    with pytest.raises(ValueError, match="Received: version=4"):
        to_saved_model(model, tmp_path, version=4)
    assert os.listdir(tmp_path) == ["4"]


@pytest.mark.parametrize("export", [to_saved_model, to_tflite])
def test_only_built_models_of_this_package_are_exported(export, tmp_path):
    with pytest.raises(ValueError, match="must be built first"):
        export(MODELS["VAE-own-networks"](), tmp_path / "model.tflite")
    with pytest.raises(TypeError, match="must be a tfvae model"):
        export(keras.Sequential(), tmp_path / "model.tflite")


def test_the_loader_answers_and_notices_every_damage(model, tmp_path):
    path = to_saved_model(model, tmp_path)
    decode = load_saved_model(path).signatures["decode"]
    assert decode(x=tf.ones([2, 1]))["y"].numpy().tolist() == [[2.0], [2.0]]
    files = [p for p in path.rglob("*") if p.is_file()]
    rng = np.random.default_rng(0)
    for _ in range(120):
        file = files[rng.integers(len(files))]
        content = file.read_bytes()
        if rng.random() < 1 / 6:
            file.write_bytes(content[: rng.integers(len(content))])
        else:
            flipped = bytearray(content)
            flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
            file.write_bytes(flipped)
        with pytest.raises(ValueError, match="as in its manifest.json"):
            load_saved_model(path)
        file.write_bytes(content)
    (path / "assets.extra" / "more").touch()
    assert load_saved_model(path)  # what is beside them was not read
    with pytest.raises(FileNotFoundError, match="with a manifest.json"):
        load_saved_model(tmp_path)


def test_keras_export_writes_our_signatures(model, tmp_path):
    model.export(tmp_path / "folder")
    assert list(load_saved_model(tmp_path / "folder").signatures) == ["decode"]
    with pytest.raises(ValueError, match="a folder that is not there yet"):
        model.export(tmp_path / "folder")
    with pytest.raises(ValueError, match="Received: format='onnx'"):
        model.export(tmp_path / "other", format="onnx")
    with pytest.raises(ValueError, match="`input_signature` must be left out"):
        model.export(tmp_path / "other", input_signature=[])
    with pytest.raises(ValueError, match="or format 'litert' be given"):
        model.export(tmp_path / "vae.tflite")
    with pytest.raises(ValueError, match="argument='optimizations'"):
        model.export(tmp_path / "vae.tflite", format="litert", optimizations=[])
    build("VAE").export(
        tmp_path / "vae.tflite", format="litert", signatures=["decode"], verbose=False
    )
    assert sorted(os.listdir(tmp_path)) == ["folder", "vae.tflite", "vae.tflite.json"]


EXPORTERS = """
import os, sys, tempfile
import tensorflow as tf
import tfvae
from tfvae import files
from tests.exports import build
from tfvae.inputs import Input
from tfvae.signatures import Signature

for line in sys.stdin:  # of one process for all, as importing takes longest
    if os.fork():
        continue
    two, x = tf.Variable(2.0), Input("x", (1,))
    model = tfvae.GAN.__new__(tfvae.GAN)
    object.__setattr__(model, "signatures", lambda: {
        "decode": Signature(lambda x: {"y": two * x}, (x,))
    })
    print(os.getpid(), flush=True)
    while True:
        tfvae.export.to_saved_model(model, line.strip())
"""


@pytest.mark.slow
def test_exporters_that_are_killed_leave_no_half_version(tmp_path):
    """Eight at once, a hundred times one of them killed at a random moment."""
    command = [sys.executable, "-c", EXPORTERS]
    pipe, rng = subprocess.PIPE, np.random.default_rng(0)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as exporters:
        running = []
        for _ in range(108):
            exporters.stdin.write(f"{tmp_path}\n")
            exporters.stdin.flush()
            running.append(int(exporters.stdout.readline()))
            if len(running) == 8:
                time.sleep(rng.random())
                os.kill(running.pop(rng.integers(8)), signal.SIGKILL)
        for process in running:
            os.kill(process, signal.SIGKILL)
        exporters.kill()
    versions = [path for path in tmp_path.iterdir() if path.name.isdecimal()]
    assert len(versions) > 100
    for path in versions:
        files.verify(path)
        answer = tf.saved_model.load(str(path)).signatures["decode"](x=tf.ones([1, 1]))
        assert answer["y"].numpy() == 2.0
