"""The command line: a run from end to end, and the answer to every bad input."""

import csv
import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import tfvae
from tfvae import cli
from tfvae.runs import progress, training
from tfvae.runs.presets import PRESETS

TINY = ["--set", "hidden_units=[16]", "--set", "latent_dim=2"]
ROOT = pathlib.Path(__file__).parents[1]
# Checkpoints every second, to make waiting for one short.
PROGRAM = "from tfvae import cli; from tfvae.runs import training"
PROGRAM += "; training.INTERVAL = 1; cli.main()"
PICTURES = (
    "samples reconstructions interpolations traversals latent kl_per_dimension manifold"
)


@pytest.fixture
def tfvae_cli(monkeypatch, capfd):
    """Runs the command line; gives exit code, stdout and stderr."""
    handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments):
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["tfvae", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, *capfd.readouterr()

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a trained run."""
    path = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["train", "vae_digits", "--epochs", "2", "--seed", "5"]
    arguments += ["--samples", "20", "--out", str(path), *TINY]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tfvae", *arguments])
        patch.setattr(signal, "signal", lambda *_: None)
        patch.setattr(training, "INTERVAL", 1e9)  # on a slow machine too
        with pytest.raises(SystemExit) as stop:
            cli.main()
    assert stop.value.code == 0
    return path


@pytest.fixture
def run(finished, tmp_path):
    return pathlib.Path(shutil.copytree(finished, tmp_path / "run"))


def rows(run):
    with open(run / "history.csv", newline="") as file:
        return [{k: float(v) for k, v in r.items()} for r in csv.DictReader(file)]


def test_a_model_without_latents_is_trained_reported_and_exported(tfvae_cli, tmp_path):
    out = tmp_path / "run"
    small = ["hidden_units=[16]", "num_masks=1", "binarize=dynamic", "epochs=2"]
    small = [word for setting in small for word in ("--set", setting)]
    train = ["train", "made_mnist", "--data", "digits", "--out", out]
    code, shown, _ = tfvae_cli(*train, *small)
    assert code == 0
    assert "best val_log_prob" in shown
    assert "exact for each" in shown
    assert {"samples.png", "saved_model", "made_mnist.tflite"} < set(os.listdir(out))
    assert "test_log_prob" in json.loads((out / "metrics.json").read_text())
    code, shown, _ = tfvae_cli("train", "--resume", "--out", out, "--epochs", 3)
    assert (code, len(rows(out))) == (0, 3)
    assert tfvae_cli("sample", out, "--num", 4)[0] == 0
    assert tfvae_cli("evaluate", out)[0] == 0


def test_a_gan_is_trained_reported_and_exported(tfvae_cli, tmp_path):
    out = tmp_path / "run"
    small = ["--set", "filters=4", "--set", "batch_size=400", "--epochs", 1]
    train = ["train", "gan_mnist", "--data", "digits", "--out", out]
    code, shown, _ = tfvae_cli(*train, *small)
    assert code == 0
    assert "kept epoch 1." in shown
    assert "log p(x)" not in shown
    assert {"samples.png", "saved_model", "gan_mnist.tflite"} < set(os.listdir(out))


def test_a_ladder_is_trained_pictured_and_exported(tfvae_cli, tmp_path):
    small = ["levels=[[1,1,4],[4,2,2]]", "units=[16,8]", "filters=4", "warm_up=0"]
    settings = [part for change in small for part in ("--set", change)]
    out = tmp_path / "run"
    train = ["train", "ladder_vae_mnist", "--data", "digits", "--out", out]
    code, shown, _ = tfvae_cli(*train, *settings, "--epochs", 2, "--samples", 2)
    assert code == 0
    assert "KL of level 2, test" in shown
    pictures = {"levels.png", "temperatures.png", "traversals.png"}
    pictures |= {"kl_per_channel.png", "saved_model", "ladder_vae_mnist.tflite"}
    assert pictures < set(os.listdir(out))
    assert tfvae_cli("train", "--resume", "--epochs", 3, "--out", out)[0] == 0


@pytest.mark.parametrize("preset", ["pixelcnn_mnist", "row_lstm_mnist"])
def test_pixels_are_trained_pictured_and_exported(tfvae_cli, tmp_path, preset):
    small = ["filters=4", "num_blocks=1", "first_kernel_size=3", "binarize=dynamic"]
    settings = [part for change in small for part in ("--set", change)]
    out = tmp_path / "run"
    train = ["train", preset, "--data", "digits", "--out", out, "--epochs", 1]
    assert tfvae_cli(*train, *settings)[0] == 0
    files = {"samples.png", "completions.png", "saved_model"}
    assert files < set(os.listdir(out))
    assert (out / f"{preset}.tflite").exists() == (preset == "pixelcnn_mnist")
    curves = pathlib.Path(__file__).parents[1] / "examples/benchmarks/curves.py"
    command = [sys.executable, curves, out, f"--out={tmp_path / 'curves'}"]
    assert preset in subprocess.run(command, capture_output=True, text=True).stdout


def test_train_writes_every_file_of_a_run(finished):
    names = {path.name for path in finished.iterdir()}
    pictures = {f"{name}.png" for name in PICTURES.split()}
    texts = {"config.json", "history.csv", "metrics.json"}
    models = {"model.keras", "checkpoint-000002.keras", "checkpoint-000002.keras.json"}
    exports = {"saved_model", "vae_digits.tflite", "vae_digits.tflite.json"}
    assert names == pictures | texts | models | exports | {".lock"}
    assert (finished / "saved_model/1/saved_model.pb").exists()
    assert tfvae.load(finished / "model.keras").latent_dim == 2
    assert json.loads((finished / "config.json").read_text())["training"]["seed"] == 5


def test_history_adds_up(finished):
    assert [row["epoch"] for row in rows(finished)] == [1, 2]
    for row in rows(finished):
        for part in ("", "val_"):
            total = row[f"{part}reconstruction"] - row[f"{part}kl"]
            # Three sums in float32 over a thousand examples.
            assert row[f"{part}elbo"] == pytest.approx(total, rel=1e-5)


def test_evaluate_agrees_with_the_metrics_of_training(run, tfvae_cli):
    before = json.loads((run / "metrics.json").read_text())
    code, out, err = tfvae_cli("evaluate", run, "--samples", 20)
    after = json.loads((run / "metrics.json").read_text())
    assert (code, err) == (0, "")
    assert after | {"seconds": 0} == before | {"seconds": 0}
    error = before["test_log_marginal_standard_error"]
    assert f"{before['test_log_marginal']:.2f} ± {error:.2f}" in out
    assert before["test_log_marginal"] >= before["test_elbo"]


def test_resume_goes_on_to_the_asked_epochs_with_the_settings_of_the_run(
    run, tfvae_cli, monkeypatch
):
    monkeypatch.setattr(
        "tfvae.runs.report.export", lambda run: []
    )  # slow, and tested above
    first, config = rows(run), json.loads((run / "config.json").read_text())
    code, out, err = tfvae_cli(
        "train", "--resume", "--out", run, "--epochs", 3, "--samples", 5
    )
    assert (code, err) == (0, "")
    assert "Trained 3 of 3 epochs" in out
    assert rows(run)[:2] == first
    assert len(rows(run)) == 3
    config["training"]["epochs"] = 3
    assert json.loads((run / "config.json").read_text()) == config


def test_sample_and_export_write_where_they_are_told(run, tfvae_cli, tmp_path):
    code, out, _ = tfvae_cli("sample", run, "--num", 3, "--out", tmp_path / "x.png")
    assert (code, out) == (0, f"Wrote:\n  {tmp_path}/x.png\n")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    code, out, err = tfvae_cli(
        "export", run, "--tflite", tmp_path / "b.tflite", "--quantize", "int8"
    )
    assert (code, out) == (0, f"Wrote:\n  {tmp_path}/b.tflite\n")
    assert err == ""


@pytest.mark.parametrize("columns", [40, 100])
def test_list_shows_every_preset_whole(columns, tfvae_cli, monkeypatch):
    monkeypatch.setattr(cli.console, "_width", columns)
    code, out, _ = tfvae_cli("list")
    assert code == 0
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    assert {line.split()[0] for line in lines if line[0] != " "} == set(PRESETS)


def test_no_arguments_give_the_usage(tfvae_cli):
    code, out, err = tfvae_cli()
    assert code == 2
    assert "Usage: tfvae" in out
    assert err == ""


def test_version_is_the_packages(tfvae_cli):
    assert tfvae_cli("--version") == (0, f"{tfvae.__version__}\n", "")


BAD = {  # arguments: exit code, part of the message
    "trian": (2, "Did you mean 'train'"),
    "train vae_mnst": (2, "Did you mean 'vae_mnist'"),
    "train --epochs abc": (2, "'--epochs'"),
    "train --epochs -5": (2, "'--epochs'"),
    "train --epochs 0": (2, "'--epochs'"),
    "train --seed 1.5": (2, "'--seed'"),
    "train --seed 99999999999": (2, "`seed` must be an integer"),
    "train --samples 0": (2, "'--samples'"),
    "train --nope": (2, "No such option: --nope"),
    "train --debug": (2, "See `tfvae train --help`"),
    "train a b": (2, "unexpected extra argument"),
    "train --data nope.npz": (2, "source='"),
    "train --data torn.npz": (2, "must be an .npz file"),
    "train --data images": (2, "image_size"),
    "train --data mnisst": (2, "Nearest: "),
    "train --manual-dir .": (2, "`manual_dir` must be None for digits"),
    "train vae_mnist --manual-dir nope --set data_dir=x": (2, "must be a folder"),
    "train --set nonsense": (2, "`set` must be of the form key=value"),
    "train --set laten_dim=3": (2, "Did you mean 'latent_dim'"),
    "train --set hidden_units=3": (2, "`hidden_units` must be a list"),
    "train --set hidden_units=[]": (2, "`hidden_units` must be a list"),
    "train --set latent_dim=abc": (2, "`latent_dim` must be an integer"),
    "train --set latent_dim=0": (2, "`latent_dim` must be an integer"),
    "train --set activation=nope": (2, "nope"),
    "train --set scale=nope": (2, "`scale` must be one of"),
    "train --set binarize=nope": (2, "`binarize` must be one of"),
    "train --set learning_rate=-1": (2, "`learning_rate` must be a finite number"),
    "train --set learning_rate=NaN": (2, "`learning_rate` must be a finite number"),
    "train --set learning_rate=fast": (2, "`learning_rate` must be a finite number"),
    "train --set decay=2": (2, "`decay` must be a finite number"),
    "train --set weight_decay=-1": (2, "`weight_decay` must be a finite number"),
    "train --set patience=0": (2, "`patience` must be an integer"),
    "train --set epochs=0": (2, "`epochs` must be an integer"),
    "train --set batch_size=0": (2, "`batch_size` must be an integer"),
    "train --set seed=1.5": (2, "`seed` must be an integer"),
    "train --out torn.npz": (2, "`out` must be a new or empty folder"),
    "train --out torn.npz/run": (1, "Not a directory"),
    "train --out images": (2, "`out` must be a new or empty folder"),
    "train --out images --force": (2, "config.json of a run"),
    "train --out run": (2, "--force or --resume"),
    "train --resume --out nope": (2, "config.json of a run"),
    "train vae_mnist --resume --out run": (2, "`preset` must be 'vae_digits'"),
    "train --resume --out run --set seed=1": (2, "`set` must be left out"),
    "train --resume --out run --seed 0": (2, "`seed` must be left out"),
    "train --resume --out run --data x.npz": (2, "`data` must be left out"),
    "train --resume --out run --manual-dir .": (2, "`manual_dir` must be left out"),
    "train --resume --out run --force": (2, "`force` must be left out"),
    "train --resume --out torn": (2, "checkpoint-000002.keras"),
    "evaluate": (2, "Missing argument"),
    "evaluate nope": (2, "config.json of a run"),
    "evaluate torn": (2, "model.keras"),
    "evaluate untrained": (2, "`run` must be a run with a trained model.keras"),
    "sample run --num 0": (2, "'--num'"),
    "sample run --seed 99999999999": (2, "`seed` must be an integer"),
    "sample run --out x.nope": (2, "nope"),
    "sample run --out nope/x.png": (2, "nope"),
    "export run --tflite x.txt": (2, "ends in .tflite"),
    "export run --quantize int4": (2, "one of ['dynamic_range', 'float16', 'int8']"),
    "export run --savedmodel torn.npz": (2, "can be written"),
}


@pytest.fixture(scope="module")
def playground(finished, tmp_path_factory):
    """A folder with runs and files, whole and torn."""
    path = tmp_path_factory.mktemp("playground")
    for name in ("run", "torn", "untrained"):
        shutil.copytree(finished, path / name)
    for file in (path / "torn").glob("*.keras"):
        file.write_bytes(file.read_bytes()[:3000])
    (path / "untrained/model.keras").unlink()
    (path / "torn.npz").write_bytes(b"")
    (path / "images").mkdir()
    (path / "images/x.png").write_bytes(b"")
    return path


def files(path):
    return {p: p.stat().st_mtime_ns for p in path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_gives_one_line_and_a_code_and_leaves_files_alone(
    line, tfvae_cli, playground, monkeypatch
):
    monkeypatch.chdir(playground)
    before = files(playground)
    code, out, err = tfvae_cli(*line.split())
    expected, message = BAD[line]
    assert message in err
    assert code == expected
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert out == ""
    if "--savedmodel" not in line:  # the .tflite file comes first
        assert files(playground) == before


def test_a_traceback_comes_only_with_debug(tfvae_cli, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tfvae", "--debug", "evaluate", "nope"])
    with pytest.raises(ValueError, match="config.json of a run"):
        cli.main()
    assert "Traceback" not in tfvae_cli("evaluate", "nope")[2]


def start(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "0"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    # A process started by tests in the background would ignore Ctrl-C as they do.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    options = pipes | options
    return subprocess.Popen(command, env=environment, preexec_fn=heed, **options)


def test_interrupted_trainings_answer_130_and_143_and_can_be_resumed(tmp_path):
    numbers = {"int": signal.SIGINT, "term": signal.SIGTERM}
    endless = ["--epochs", 10**6, "--set", "patience=1000000", *TINY]
    processes = {n: start("train", "--out", tmp_path / n, *endless) for n in numbers}
    for name, process in processes.items():
        while process.poll() is None and not any((tmp_path / name).glob("ch*.keras")):
            time.sleep(0.1)
        process.send_signal(numbers[name])
    for name, process in processes.items():
        out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + numbers[name]
        assert err.splitlines()[-1] == "Error: interrupted."
        assert "Traceback" not in err
        assert f"Go on with: tfvae train --resume --out {tmp_path / name}" in out
        last = max(row["epoch"] for row in rows(tmp_path / name))
        assert (tmp_path / name / f"checkpoint-{last:06.0f}.keras").exists()


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_waits_for_the_batch_and_a_second_one_does_not(times):
    seen = []
    send = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda *_, **__: [
            signal.raise_signal(2) for _ in range(times)
        ],
        on_train_batch_end=lambda *_, **__: seen.append("end"),
    )
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    # As in the foreground: an ignored signal would stay ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(SystemExit) as stop:
        model.fit(
            np.ones((4, 1)),
            np.ones((4, 1)),
            batch_size=1,
            callbacks=[send, progress.Interrupts()],
            verbose=0,
        )
    signal.signal(signal.SIGINT, before)
    assert stop.value.code == 130
    assert seen == ["end"] * (2 - times)


def test_a_closed_stdout_gives_no_traceback_and_no_log_lines_reach_it():
    read, write = os.pipe()
    os.close(read)
    closed, whole = start("list", stdout=write), start("list")
    os.close(write)
    out, err = whole.communicate(timeout=60)
    assert out.startswith("vae_digits (default)")
    assert "tensorflow" not in out.lower()
    assert "Traceback" not in err
    assert "Traceback" not in closed.communicate(timeout=60)[1]
    assert closed.returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "folder"),
    [
        ("vae_mnist", "mnist"),
        ("vae_frey_face", "frey_faces"),
        ("conv_vae_fashion_mnist", "fashion_mnist"),
        ("vaegan_faces", "olivetti_faces"),
    ],
)
def test_presets_train_on_real_data(preset, folder, shared_data, tmp_path, tfvae_cli):
    arguments = ["--out", tmp_path / "run", "--epochs", 1, "--samples", 2]
    source = ["--manual-dir", shared_data / folder]
    places = ["--set", f"data_dir={tmp_path / 'prepared'}"]
    code, out, _ = tfvae_cli("train", preset, *arguments, *source, *places)
    assert code == 0
    assert f"{preset}.tflite" in out
    assert (tmp_path / "run/samples.png").exists()
