"""Runs: resumed exactly, best model kept, files whole, nothing lost before checks."""

import csv
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfvae
from tfvae.runs import report
from tfvae.runs import training as runs
from tfvae.runs.config import configure
from tfvae.training.players import state

TINY = ["hidden_units=[16]", "latent_dim=2", "batch_size=100"]


@pytest.fixture
def noisy(tmp_path):
    """A configuration with noise in the data: grey values, binarized anew."""
    x = np.random.default_rng(0).integers(0, 256, [300, 4, 4], "uint8")
    np.savez(tmp_path / "x.npz", x)
    return configure("vae_mnist", TINY, str(tmp_path / "x.npz"))


@pytest.fixture
def digits():
    return configure("vae_digits", TINY)


def trained(path, config, epochs):
    config = config | {"training": config["training"] | {"epochs": epochs}}
    training = runs.start(path, config)
    training.fit()
    return training


def variables(training):
    model = training.model
    return [v.numpy() for v in (*model.variables, *model.optimizer.variables)]


def assert_same_weights(*files):
    one, two = (tfvae.load(file).get_weights() for file in files)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def contents(run):
    return {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file()}


class Stop(keras.callbacks.Callback):
    """Ends the process, as a signal does, after so many batches."""

    def __init__(self, batches, error):
        super().__init__()
        self.batches, self.error = batches, error

    def on_train_batch_end(self, batch, logs=None):
        self.batches -= 1
        if self.batches == 0:
            raise self.error


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run of two epochs, each with its checkpoint."""
    path = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "INTERVAL", 0)
        trained(path, configure("vae_digits", TINY), 2)
    return path


@pytest.fixture
def run(finished, tmp_path):
    return runs.Run(pathlib.Path(shutil.copytree(finished, tmp_path / "run")))


def test_a_run_interrupted_anywhere_resumes_to_the_same_bits(tmp_path, noisy):
    whole = trained(tmp_path / "whole", noisy, 4)
    noisy["training"]["epochs"] = 4
    interrupted = runs.start(tmp_path / "run", noisy)
    batches = 2 * len(interrupted.splits.train) + 1
    with pytest.raises(SystemExit):
        interrupted.fit([Stop(batches, SystemExit(143))])
    assert interrupted.history == whole.history[:2]
    resumed = runs.resume(tmp_path / "run")
    resumed.fit()
    assert resumed.history == whole.history
    for a, b in zip(variables(resumed), variables(whole), strict=True):
        np.testing.assert_array_equal(a, b)
    assert_same_weights(resumed.run.model_file, whole.run.model_file)


def test_a_run_killed_before_its_first_checkpoint_starts_anew(tmp_path, digits):
    runs.start(tmp_path / "run", digits)
    with pytest.warns(UserWarning, match="no checkpoint: starting anew"):
        training = runs.resume(tmp_path / "run")
    assert training.history == []


def test_a_resumed_run_keeps_the_best_model_of_its_first_part(run, tmp_path):
    names, first, last = run.path.joinpath("history.csv").read_text().splitlines()
    cells = dict(zip(names.split(","), last.split(","), strict=True))
    cells["val_elbo"] = "1e9"  # no later epoch will be as good
    run.write("history.csv", "\n".join([names, first, ",".join(cells.values())]))
    sums = run._sums(run.checkpoints[-1], 2, run.config)
    run.write(f"{run.checkpoints[-1].name}.json", json.dumps(sums))
    before = shutil.copy(run.model_file, tmp_path / "before.keras")
    training = runs.resume(run.path, 3)
    training.fit()
    assert (len(training.history), training.best_epoch) == (3, 2)
    assert_same_weights(run.model_file, before)


def test_resuming_a_finished_run_changes_nothing(run):
    before = contents(run)
    training = runs.resume(run.path)
    training.fit()
    assert contents(run) == before
    assert len(training.history) == 2


def test_training_stops_when_patience_is_out(run):
    training = runs.resume(run.path, 1000)
    training.patience = 3
    for epoch in range(2, 5):
        assert not training.is_done
        training.on_epoch_end(epoch, {"val_elbo": -1e9})
    assert training.is_done
    assert training.model.stop_training


def test_a_warm_up_does_not_count_for_the_best_nor_for_patience(tmp_path, noisy):
    noisy["training"] |= {"epochs": 8, "patience": 2}
    noisy["model"]["warm_up"] = 0.5
    training = runs.start(tmp_path / "run", noisy)
    bounds = [-5.0, -9.0, -20.0, np.nan, -12.0, -13.0, -14.0]
    expected = [1, 2, 3, 3, 5, 5, 5]
    for bound, best in zip(bounds, expected, strict=True):
        assert not training.is_done
        training.history.append({"val_elbo": bound})
        assert training.best_epoch == best
    assert training.is_done


def test_a_resumed_run_follows_the_schedules_of_its_new_end(tmp_path, noisy):
    noisy["training"] |= {"epochs": 2}
    noisy["model"]["warm_up"] = 0.5
    training = runs.start(tmp_path / "run", noisy)
    training.fit()
    resumed = runs.resume(tmp_path / "run", 8)
    steps = len(resumed.splits.train)
    np.testing.assert_allclose(resumed.model.objective.beta(2 * steps), 0.5)
    for a, b in zip(variables(resumed), variables(training), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_is_not_resumed_to_fewer_epochs_than_it_has(run):
    before = contents(run)
    with pytest.raises(ValueError, match="at least the 2 trained already"):
        runs.resume(run.path, 1)
    assert contents(run) == before


def test_a_corrupt_checkpoint_falls_back_to_the_one_before(run):
    older, newest = run.checkpoints
    newest.write_bytes(newest.read_bytes()[:5000])
    with pytest.warns(
        UserWarning, match=f"{newest.name}.*Going on from .*{older.name}"
    ):
        assert len(runs.resume(run.path).history) == 1
    older.write_bytes(b"")
    with pytest.warns(match="Going on"), pytest.raises(ValueError, match=older.name):
        runs.resume(run.path)


EDITS = {
    "config.json": ('"batch_size": 100', '"batch_size": 50'),
    "history.csv": (".", ".1"),
    "checkpoint-000002.keras": None,
}


@pytest.mark.parametrize("name", EDITS)
def test_a_run_whose_files_were_edited_is_refused(name, run):
    file = run.path / name
    if EDITS[name]:
        file.write_text(file.read_text().replace(*EDITS[name], 1))
    else:
        shutil.copy(run.checkpoints[0], file)
    before = contents(run)
    with pytest.raises(ValueError, match=f"{name} is as checkpoint-000002.keras.json"):
        runs.resume(run.path)
    assert contents(run) == before


def test_two_trainers_do_not_share_a_folder(tmp_path, digits):
    first = runs.start(tmp_path / "run", digits)
    before = contents(first.run)
    with first.run.locked():
        for second in (
            lambda: runs.start(tmp_path / "run", digits, force=True),
            lambda: runs.resume(tmp_path / "run"),
        ):
            with pytest.raises(ValueError, match=f"process {os.getpid()} on .* does"):
                second()
    assert contents(first.run) == before


def test_what_a_dead_process_left_is_cleared_by_the_next_writer(run):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    names = [f".tmp-{platform.node()}-{n}-x" for n in (child.pid, os.getpid())]
    names += [".tmp-elsewhere-1-x", ".tmp-1"]
    for name in names:
        (run.path / name).mkdir()
    run.write("metrics.json", "{}")
    assert {p.name for p in run.path.glob(".tmp-*")} == set(names[1:])


@pytest.mark.parametrize("text", ["", "epoch\n1\n2\n", "epoch,val_elbo\n1,x\n", "\0"])
def test_a_corrupt_history_is_refused(text, run):
    run.write("history.csv", text)
    with pytest.raises(ValueError, match="`history` must be a table of 2 epochs"):
        runs.resume(run.path)


def test_force_replaces_a_run_only_after_its_settings_were_checked(run, digits):
    run.write("metrics.json", "{}")
    run.path.joinpath("saved_model/1").mkdir(parents=True)
    before = contents(run)
    bad = configure("vae_digits", ["latent_dim=abc"])
    with pytest.raises(TypeError, match="latent_dim"):
        runs.start(run.path, bad, force=True)
    with pytest.raises(ValueError, match="--force or --resume"):
        runs.start(run.path, digits)
    assert contents(run) == before
    runs.start(run.path, digits, force=True)
    left = {p.name for p in run.path.iterdir()}
    assert left == {".lock", "config.json", "saved_model"}


def test_force_leaves_folders_alone_that_are_no_runs(tmp_path, digits):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"config\.json of a run"):
        runs.start(tmp_path, digits, force=True)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"config\.json of a run"):
        runs.start(tmp_path, digits, force=True)


def test_bad_settings_leave_no_folder_behind(tmp_path):
    config = configure("vae_digits", ["batch_size=0"])
    with pytest.raises(ValueError, match="batch_size"):
        runs.start(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()


def test_a_training_that_diverges_says_so_and_is_not_taken_for_best(tmp_path, digits):
    training = runs.start(tmp_path / "run", digits)
    logs = {"elbo": 1.0, "val_elbo": np.nan}
    for epoch in range(digits["training"]["patience"]):
        training.on_epoch_end(epoch, logs)
    assert training.is_done
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        training.fit()
    training.on_epoch_end(len(training.history), logs | {"val_elbo": -5.0})
    assert training.best_epoch == len(training.history)


def test_a_file_is_whole_or_absent(tmp_path):
    run = runs.Run(tmp_path)
    run.write("history.csv", "old")
    with pytest.raises(UnicodeEncodeError):
        run.write("history.csv", "new" * 10_000 + "\ud800")
    assert (tmp_path / "history.csv").read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["history.csv"]


def test_flat_data_with_one_latent_are_trained_and_pictured(tmp_path):
    x = np.random.default_rng(0).integers(0, 2, [40, 12], "uint8")
    np.savez(tmp_path / "x.npz", x)
    config = configure("vae_mnist", [*TINY, "latent_dim=1"], str(tmp_path / "x.npz"))
    run = trained(tmp_path / "run", config, 1).run
    assert [path.name for path in report.draw(run)] == ["kl_per_dimension.png"]
    figures = report.evaluate(run, 3)
    assert figures == json.loads((run.path / "metrics.json").read_text())
    assert 0.9 < figures["bits_per_dim"] < 1.5  # coin flips: one bit each
    with open(run.path / "history.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 1


def test_a_model_of_labels_is_trained_evaluated_and_pictured(tmp_path):
    settings = ["hidden_units=[8,8]", "batch_size=2000", "latent_dim=2"]
    run = trained(tmp_path / "run", configure("ivae_tcl", settings), 1).run
    figures = report.evaluate(run, 2)
    assert figures["test_examples"] == 57_600 // 6
    names = [path.name for path in report.draw(run)]
    assert names == ["kl_per_dimension.png", "latent.png"]
    with pytest.raises(ValueError, match="`run` must be of a model without u"):
        report.sample(run, 4, 0, tmp_path / "samples.png")
    assert not (tmp_path / "samples.png").exists()


@pytest.mark.parametrize(
    "name",
    ["gan_mnist", pytest.param("vaegan_fashion_mnist", marks=pytest.mark.slow)],
)
def test_an_adversarial_model_keeps_its_last_epoch(tmp_path, name):
    settings = ["filters=4", "latent_dim=2", "batch_size=400", "epochs=2", "decay=1"]
    config = configure(name, settings, "digits")
    one = trained(tmp_path / "one", config, 1)
    two = runs.resume(one.run.path, 2)
    two.fit()
    assert (one.best_epoch, two.best_epoch) == (1, 2)
    whole = trained(tmp_path / "whole", config, 2)
    assert_same_weights(whole.run.model_file, two.run.model_file)
    for a, b in zip(state(whole.model), state(two.model), strict=True):
        np.testing.assert_array_equal(a, b)
    figures = report.evaluate(two.run, 2)
    assert figures["sample_sharpness"] > 0
    labels = [label for label, *_ in report.rows(figures)]
    assert "loss of the discriminator, test" in labels
    names = {path.name for path in report.draw(two.run)}
    assert {"samples.png", "traversals.png"} <= names
