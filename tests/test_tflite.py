import contextlib
import json
import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

import tfvae
from tests.checks import MODELS, SHAPE
from tests.exports import EXPORTED, assert_same, build, inputs_of
from tfvae.export import load_tflite, tflite, to_tflite
from tfvae.inputs import Input
from tfvae.signatures import Signature

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
    name: np.ones([1, *detail["shape"][1:]], detail["dtype"])
    for name, detail in twice.get_input_details().items()
}
draws = [draw(**given)["x"] for draw in (twice, twice, once)]
assert not [name for name in sys.modules if name.startswith(("tensorflow", "keras"))]
np.savez(sys.argv[3], draws=draws, **answers)
"""


SLOW = ["PixelCNN-labels", "PixelCNN-residual-DiscretizedLogistic", "MADE-Categorical"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in SLOW else ())
        for n in EXPORTED
        if "PixelRNN" not in n
    ],
)
def test_a_lite_file_answers_as_the_model_without_tensorflow(name, tmp_path):
    model = build(name)
    path = to_tflite(model, tmp_path / "model.tflite")
    requests, wanted = {}, {}
    for key, signature in model.lite_signatures().items():
        if key == "sample_random":
            continue
        inputs = inputs_of(signature, 7)
        answer = signature.function(**inputs)
        for rows in (1, 7):  # each row of which is answered as alone
            request = f"{key}/{rows}"
            requests |= {f"{request}/{k}": v[:rows] for k, v in inputs.items()}
            wanted |= {f"{request}/{k}": v[:rows] for k, v in answer.items()}
    answers = run_lite(path, requests, tmp_path)
    draws = answers.pop("draws")
    assert_same(answers, wanted)
    assert draws.shape == (3, 1, *SHAPE)
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


def num_floats(path):
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    tensors = [g.Tensors(i) for g in graphs for i in range(g.TensorsLength())]
    return sum(tensor.Type() == schema.TensorType.FLOAT32 for tensor in tensors)


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


def test_an_operator_that_lite_lacks_is_named_and_the_old_file_stays(
    tmp_path, monkeypatch
):
    model, path = build("VAE"), tmp_path / "model.tflite"
    path.write_text("old")
    signatures = {"sample": type(model).signatures(model)["sample"]}
    monkeypatch.setattr(model, "lite_signatures", lambda batch_size: signatures)
    with pytest.raises(RuntimeError, match=r"lack .*StatelessRandomUniformFullInt"):
        to_tflite(model, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return to_tflite(build("VAE"), tmp_path_factory.mktemp("lite") / "vae.tflite")


def test_a_file_that_answers_otherwise_is_not_put_in_place(file, monkeypatch):
    before = file.read_bytes()
    other = build("VAE")
    other.weights[0].assign(2 * other.weights[0])
    monkeypatch.setattr(tflite, "convert", lambda *_: before)
    with pytest.raises(RuntimeError, match="output 'z' of encode differs"):
        to_tflite(other, file)
    assert sorted(os.listdir(file.parent)) == ["vae.tflite", "vae.tflite.json"]
    assert file.read_bytes() == before


def test_a_relu_after_masked_weights_without_bias_is_kept(tmp_path):
    network = tfvae.layers.MaskedAutoencoder(SHAPE, [32], num_masks=2)
    file = to_tflite(tfvae.MADE(network), tmp_path / "made.tflite", ["log_prob"])
    difference = about(file)["signatures"]["log_prob"]["difference"]
    assert difference < 1e-5


def test_a_file_of_a_fixed_batch_has_fixed_shapes(tmp_path):
    file = to_tflite(build("IVAE-labels"), tmp_path / "ivae.tflite", batch_size=2)
    for signature in about(file)["signatures"].values():
        for tensor in (*signature["inputs"].values(), *signature["outputs"].values()):
            assert tensor["shape"][0] == 2
            assert -1 not in tensor["shape"]


def about(file):
    return json.loads(file.with_name(f"{file.name}.json").read_text())


def test_inputs_and_outputs_are_explained(file):
    sample = about(file)["signatures"]["sample"]
    assert sample["inputs"] == {
        "noise": {
            "shape": [-1, 3],
            "dtype": "float32",
            "meaning": "standard normal noise",
        }
    }
    shape, meaning = [-1, *SHAPE], "data"
    assert sample["outputs"] == {
        "x": {"shape": shape, "dtype": "float32", "meaning": meaning, "range": [0, 1]}
    }


def test_signatures_of_your_own_are_exported_and_explained(tmp_path):
    model, scale = build("VAE"), Input("scale", (), low=0.0, high=2.0, meaning="factor")

    def scaled(z, scale):
        return {"z": z, "scaled": z * scale[:, None]}

    own = {"scaled": Signature(scaled, (model.inputs["z"], scale))}
    model.lite_signatures = lambda batch_size: own
    told = about(to_tflite(model, tmp_path / "own.tflite"))["signatures"]["scaled"]
    meanings = {name: tensor["meaning"] for name, tensor in told["inputs"].items()}
    assert meanings == {"scale": "factor", "z": "latents"}
    assert told["inputs"]["scale"]["range"] == [0, 2]
    meanings = {name: tensor["meaning"] for name, tensor in told["outputs"].items()}
    assert meanings == {"scaled": "", "z": "latents"}


# What 8 bits change by much, with the weights of the test, and what they spoil.
COARSE = ("PlanarFlowVAE", "VAE-spline-posterior")
# Models near the bound, of which some machines tell.
NEAR = ("BetaVAE-conv-ContinuousBernoulli", "LadderVAE")
SPOILED = ("VAE-FlowPrior",)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=() if n == "IVAE-labels" else pytest.mark.slow)
        for n in EXPORTED
        if "PixelRNN" not in n
    ],
)
@pytest.mark.parametrize("quantize", tflite.QUANTIZATIONS)
def test_quantized_files_answer_nearly_as_the_model(name, quantize, tmp_path):
    model = build(name)
    x = (np.random.default_rng(0).random((20, *SHAPE)) < 0.3).astype("float32")
    data = (x, model.condition.example(20).numpy()) if model.condition else x
    whole = to_tflite(model, tmp_path / "float32.tflite")
    kept = {"representative_data": data} if quantize == "int8" else {}
    path = tmp_path / "model.tflite"
    if kept and (name.startswith("MADE") or name in SPOILED):
        with pytest.raises(RuntimeError, match="does not answer as the model|crashed"):
            to_tflite(model, path, quantize=quantize, **kept)
        return
    is_told = pytest.warns(UserWarning, match="differs from the model")
    if name in NEAR:
        is_told = warnings.catch_warnings(action="ignore")
    with is_told if kept and name in (*COARSE, *NEAR) else contextlib.nullcontext():
        file = to_tflite(model, path, quantize=quantize, **kept)
    signatures = about(file)["signatures"]
    lacking = {"sample_random", "log_prob", "prior"} if kept else set()
    assert set(signatures) == set(about(whole)["signatures"]) - lacking
    # Other differences are small: of large ones a warning would fail the test.
    assert schema.BuiltinOperator.CUSTOM not in operators(file)
    if kept:  # floats are little more than inputs and outputs
        assert num_floats(file) < num_floats(whole) / 2


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (None, ValueError, "Received: representative_data=None"),
        (np.zeros([0, *SHAPE]), ValueError, "`representative_data` must be one row"),
        (np.full([2, *SHAPE], np.nan), ValueError, "`representative_data` .* finite"),
        (np.zeros([2, 9, 9, 1]), ValueError, "`representative_data` must fit"),
        (["cat"], TypeError, "`representative_data` must fit"),
    ],
)
def test_representative_data_that_show_no_ranges_are_refused(
    file, data, error, message
):
    model = MODELS["VAE"]()
    target = file.with_name("int8.tflite")
    with pytest.raises(error, match=message):
        to_tflite(model, target, quantize="int8", representative_data=data)
    with pytest.raises(ValueError, match="Received: quantize='int4'"):
        to_tflite(model, target, quantize="int4")
    with pytest.raises(ValueError, match="`representative_data` must be left out"):
        to_tflite(model, target, representative_data=np.zeros([2, *SHAPE]))
    assert not target.exists()


def test_a_file_that_draws_mostly_other_elements_is_refused(tmp_path, monkeypatch):
    model, path = build("MADE"), tmp_path / "made.tflite"
    monkeypatch.setattr(tflite, "_share", lambda *_: 0.51)
    with pytest.raises(RuntimeError, match=r"sample does not answer .*difference 0.51"):
        to_tflite(model, path, ["sample"], quantize="float16")
    assert os.listdir(tmp_path) == []
    monkeypatch.setattr(tflite, "_share", lambda *_: 0.49)
    to_tflite(model, path, ["sample"], quantize="float16")
    assert about(path)["signatures"]["sample"]["difference"] == 0.49


def test_large_differences_are_told(tmp_path, monkeypatch):
    monkeypatch.setitem(tflite.QUANTIZATIONS, "float16", 1e-9)
    with pytest.warns(UserWarning, match="float16' encode differs from the model by"):
        to_tflite(build("VAE"), tmp_path / "vae.tflite", ["encode"], quantize="float16")


@pytest.mark.parametrize("name", ["VAE", "MADE"])
def test_models_of_mixed_precision_are_exported_in_float32(name, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    model = build(name)
    file = to_tflite(model, tmp_path / "model.tflite", ["sample"])
    assert about(file)["signatures"]["sample"]["difference"] < 1e-5
    policies = {layer.dtype_policy.name for layer in model._flatten_layers()}
    assert "mixed_float16" in policies


def test_the_loader_answers_and_notices_every_damage(file, tmp_path):
    decode = load_tflite(file).get_signature_runner("decode")
    assert decode(z=np.zeros([2, 3], "float32"))["x"].shape == (2, *SHAPE)
    copy = tmp_path / "copy.tflite"
    copy.with_name("copy.tflite.json").write_text(
        file.with_name(f"{file.name}.json").read_text()
    )
    content, rng = file.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(8 * len(content), size=100):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        copy.write_bytes(flipped)
        with pytest.raises(ValueError, match="SHA-256 in copy.tflite.json"):
            load_tflite(copy)
    for size in rng.integers(len(content), size=20):
        copy.write_bytes(content[:size])
        with pytest.raises(ValueError, match="SHA-256 in copy.tflite.json"):
            load_tflite(copy)
    copy.with_name("copy.tflite.json").write_text("[]")
    with pytest.raises(ValueError, match="SHA-256 in copy.tflite.json"):
        load_tflite(copy)
    copy.with_name("copy.tflite.json").unlink()
    with pytest.raises(FileNotFoundError, match="copy.tflite.json"):
        load_tflite(copy)
