import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

import tfvae
from tests import session_loader
from tests.checks import AUTOREGRESSIVE, MODELS, POSTERIORS, SHAPE, decoder, encoder
from tfvae.export import archive, saved_model, to_saved_model, to_tflite
from tfvae.models.signatures import Signature

EXPORTED_AS_THEY_ARE = [
    "VAE",
    "IWAE",
    "VAE-own-networks",
    "IAFVAE",
    "PlanarFlowVAE",
    "AuxiliaryVAE",
    "VAE-FlowPrior",
]
EXPORTED = {
    **{name: MODELS[name] for name in EXPORTED_AS_THEY_ARE},
    **AUTOREGRESSIVE,
    "IVAE-labels": lambda: tfvae.IVAE(
        encoder(), decoder(), latent_dim=3, num_classes=3
    ),
    "IVAE-ConditionalLaplace": lambda: tfvae.IVAE(
        encoder(),
        decoder(),
        latent_dim=3,
        prior=tfvae.priors.ConditionalLaplace(3, context_shape=(2,)),
    ),
    "PixelCNN-labels": lambda: tfvae.PixelCNN(
        tfvae.layers.GatedPixelNetwork(SHAPE, 8, 2, first_kernel_size=3, context_dim=3),
        num_classes=3,
    ),
    "GAN": lambda: tfvae.GAN(decoder(), encoder(), latent_dim=3),
    "GAN-labels": lambda: tfvae.GAN(
        decoder(),
        tfvae.layers.Discriminator(
            encoder(), num_classes=3, spectral_normalization=True
        ),
        latent_dim=3,
        num_classes=3,
    ),
    "VAEGAN": lambda: tfvae.VAEGAN(encoder(), decoder(), encoder(), latent_dim=3),
    "BetaVAE-conv-ContinuousBernoulli": lambda: tfvae.BetaVAE(
        tfvae.networks.conv_encoder(SHAPE, [4], 16),
        tfvae.likelihoods.ContinuousBernoulli(
            tfvae.networks.conv_decoder(SHAPE, [4], 16)
        ),
        latent_dim=3,
    ),
    "VAE-spline-posterior": lambda: tfvae.VAE(
        POSTERIORS["FlowPosterior"](), decoder(), latent_dim=3
    ),
    "FullCovarianceVAE-Normal-predicted": lambda: tfvae.FullCovarianceVAE(
        encoder(),
        tfvae.likelihoods.Normal(decoder(params_size=2), "predicted"),
        latent_dim=3,
    ),
}

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

LITE_SCRIPT = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def runner(name):
    return Interpreter(sys.argv[1]).get_signature_runner(name)

requests, answers = {}, {}
for key, value in np.load(sys.argv[2]).items():
    request, _, argument = key.rpartition("/")
    requests.setdefault(request, {})[argument] = value
for request, arguments in requests.items():
    for name, answer in runner(request.split("/")[0])(**arguments).items():
        answers[f"{request}/{name}"] = answer
twice, once = runner("sample_random"), runner("sample_random")
given = {
    name: np.zeros([2, *detail["shape"][1:]], detail["dtype"])
    for name, detail in twice.get_input_details().items()
}
draws = [draw(**given)["x"] for draw in (twice, twice, once)]
assert not [name for name in sys.modules if name.startswith(("tensorflow", "keras"))]
np.savez(sys.argv[3], draws=draws, **answers)
"""


def build(name):
    """A model with an optimizer, and weights of which none is zero."""
    model = EXPORTED[name]()
    model.build((None, *SHAPE))
    model.compile("adam")
    for weight in model.trainable_variables:
        weight.assign(keras.random.normal(weight.shape, stddev=0.3, seed=1))
    return model


def inputs_of(signature, num_rows):
    examples = {spec.name: archive.example(spec, 7) for spec in signature.inputs}
    return {name: value[:num_rows] for name, value in examples.items()}


def assert_same(answer, wanted):
    assert answer.keys() == wanted.keys()
    for name, value in wanted.items():  # 1e-5: what an exporter lets through
        np.testing.assert_allclose(answer[name], value, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return session_loader.program(tmp_path_factory.mktemp("loader"))


@pytest.fixture(scope="module", params=EXPORTED)
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
    ones = {s.name: archive.example(s, 1)[0] for s in served.model.condition.specs()}
    given = {name: np.stack([value] * 2) for name, value in ones.items()}
    answer = served.ask("sample", seed=np.array([[11, 3], [11, 0]], "int32"), **given)
    samples = served.model.sample(5, seed=11, **ones).numpy()
    assert_same(answer, {"x": samples[[3, 0]]})


def test_signatures_are_named_and_of_variable_batch(served):
    definitions = dict(served.meta_graph.signature_def)
    definitions.pop("__saved_model_init_op")
    names = {k: (sorted(d.inputs), sorted(d.outputs)) for k, d in definitions.items()}
    is_vae = isinstance(served.model, tfvae.VAE)
    wanted = VAE_SIGNATURES if is_vae else AUTOREGRESSIVE_SIGNATURES
    if hasattr(served.model, "discriminator"):
        wanted = VAE_SIGNATURES | JUDGING if is_vae else GAN_SIGNATURES
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


def test_a_saved_model_holds_each_weight_once_and_no_denied_op(served):
    assert not served.ops() & DENIED_OPS
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
    two, x = tf.Variable(2.0), tf.TensorSpec([None, 1], tf.float32, name="x")
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
    def function(x):
        return {"y": x + shift * (not tf.executing_eagerly())}

    spec = tf.TensorSpec([None, 1], tf.float32, name="x")
    signatures = {"decode": Signature(function, (spec,))}
    monkeypatch.setattr(model, "signatures", lambda: signatures)
    with outcome:
        to_saved_model(model, tmp_path)
    assert os.listdir(tmp_path) == published


@pytest.mark.parametrize("part", ["write", "compare", "sha256", "sync"])
def test_an_export_that_breaks_off_leaves_nothing(model, tmp_path, monkeypatch, part):
    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(archive, part, full)
    with pytest.raises(OSError, match="No space"):
        to_saved_model(model, tmp_path)
    assert os.listdir(tmp_path) == []


def test_exporters_that_race_get_versions_of_their_own(model, tmp_path, monkeypatch):
    barrier, next_version = threading.Barrier(3), saved_model._next_version

    def late(path):
        number = next_version(path)
        if threading.current_thread() not in seen:
            seen.add(threading.current_thread())
            barrier.wait(60)
        return number

    seen = set()
    monkeypatch.setattr(saved_model, "_next_version", late)
    with ThreadPoolExecutor(3) as pool:
        paths = list(pool.map(lambda _: to_saved_model(model, tmp_path), range(3)))
    assert sorted(path.name for path in paths) == ["1", "2", "3"]
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "3"]


def test_of_exporters_that_race_for_a_version_one_wins(model, tmp_path, monkeypatch):
    write_manifest = saved_model._write_manifest

    def overtaken(folder):
        write_manifest(folder)
        monkeypatch.undo()
        to_saved_model(model, tmp_path, version=4)

    monkeypatch.setattr(saved_model, "_write_manifest", overtaken)
    with pytest.raises(ValueError, match="Received: version=4"):
        to_saved_model(model, tmp_path, version=4)
    assert os.listdir(tmp_path) == ["4"]


@pytest.mark.parametrize("name", [n for n in EXPORTED if "PixelRNN" not in n])
def test_a_lite_file_answers_as_the_model_without_tensorflow(name, tmp_path):
    pytest.importorskip("ai_edge_litert")
    model = build(name)
    path = to_tflite(model, tmp_path / "model.tflite", batch_size=2)
    requests, wanted = {}, {}
    for key, signature in model.lite_signatures().items():
        if key == "sample_random":
            continue
        for num_rows in (1, 7):
            inputs, request = inputs_of(signature, num_rows), f"{key}/{num_rows}"
            requests |= {f"{request}/{name}": value for name, value in inputs.items()}
            for name, value in signature.function(**inputs).items():
                wanted[f"{request}/{name}"] = value
    answers = run_lite(path, requests, tmp_path)
    draws = answers.pop("draws")
    assert_same(answers, wanted)
    assert draws.shape == (3, 2, *SHAPE)
    assert np.isfinite(draws).all()
    # Also of two processes, whatever seed was set where the file was written.
    assert len(np.unique(draws, axis=0)) == 3
    assert schema.BuiltinOperator.CUSTOM not in operators(path)


def test_a_lite_file_of_recurrences_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="TFLite lacks the operators of a PixelRNN"):
        to_tflite(build("PixelRNN-row"), tmp_path / "model.tflite")


def run_lite(path, requests, folder):
    np.savez(folder / "requests.npz", **requests)
    files = [path, folder / "requests.npz", folder / "answers.npz"]
    run = [sys.executable, "-c", LITE_SCRIPT, *files]
    subprocess.run(run, check=True)
    return dict(np.load(folder / "answers.npz"))


def operators(path):
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    return {code.BuiltinCode() for code in codes}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "model.bin"}, "ends in .tflite. Received: path="),
        ({"signatures": ["decod"]}, "Received: .*'decod'. Did you mean 'decode'"),
        ({"signatures": []}, "one or more names"),
        ({"signatures": "decode"}, "one or more names"),
        ({"batch_size": 0}, "Received: batch_size=0"),
    ],
)
def test_lite_arguments_that_make_no_sense_are_refused(tmp_path, arguments, message):
    path = tmp_path / arguments.get("path", "model.tflite")
    with pytest.raises(ValueError, match=message):
        to_tflite(MODELS["VAE"](), **arguments | {"path": path})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("export", [to_saved_model, to_tflite])
def test_only_built_models_of_this_package_are_exported(export, tmp_path):
    with pytest.raises(ValueError, match="must be built first"):
        export(MODELS["VAE-own-networks"](), tmp_path / "model.tflite")
    with pytest.raises(TypeError, match="must be a tfvae model"):
        export(keras.Sequential(), tmp_path / "model.tflite")


def test_an_operator_that_lite_lacks_is_named_and_the_old_file_stays(
    model, tmp_path, monkeypatch
):
    path = tmp_path / "model.tflite"
    path.write_text("old")
    signatures = {"sample": type(model).signatures(model)["sample"]}
    monkeypatch.setattr(model, "lite_signatures", lambda batch_size: signatures)
    with pytest.raises(RuntimeError, match=r"lack .*StatelessRandomUniformFullInt"):
        to_tflite(model, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]
