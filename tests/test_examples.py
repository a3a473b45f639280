import contextlib
import io
import pathlib
import runpy
import subprocess
import sys
import warnings

import keras
import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Function that runs a script in `tmp_path` and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(script, *arguments):
        path = EXAMPLES / script
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        monkeypatch.syspath_prepend(path.parent)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("default")
            runpy.run_path(str(path), run_name="__main__")
        keras.backend.clear_session()
        return printed.getvalue()

    return run


def alone(script, *arguments, folder):
    """Runs an example as a user does, and returns what it prints."""
    command = [sys.executable, EXAMPLES / script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert not done.returncode, done.stderr[-2000:]
    return done.stdout


def test_train_deploy_and_sample_on_a_phone(run, tmp_path):
    out = run("train_and_deploy.py", "--epochs=2", "--out=out")
    assert "test log p(x): -" in out
    assert (tmp_path / "out/vae/1/saved_model.pb").exists()
    picture = alone("sample_tflite.py", "out/vae.tflite", folder=tmp_path)
    assert len(picture.splitlines()) == 8


@pytest.mark.slow
def test_publishing(run, tmp_path):
    changes = ["--set", "epochs=1", "hidden_units=[8]"]
    out = run("publish.py", "vae_digits", *changes)
    assert out.endswith("Published savedmodels/vae_digits\n")
    config = (tmp_path / "savedmodels/models.config").read_text()
    assert "/models/vae_digits" in config


@pytest.mark.slow
def test_lite_files_side_by_side(run, tmp_path):
    out = run("benchmarks/lite.py", "ivae_tcl", "--runs=1")
    rows = (tmp_path / "lite.csv").read_text().splitlines()
    assert len(rows) == 16
    assert out.count("ivae_tcl int8") == 3


def test_own_networks(run, tmp_path):
    out = run("own_networks.py", "--epochs=10")
    assert "test log p(x): -" in out
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 2


def test_guide_to_a_first_model(run, tmp_path):
    out = run("docs/guides/first_model.py", "--epochs=1")
    assert "test log p(x): -" in out
    assert (tmp_path / "samples.png").exists()


def test_guide_to_parts_of_your_own(run):
    out = run("docs/guides/own_parts.py", "--epochs=1")
    assert float(out.split("change: ")[1]) < 1e-5


def test_guide_from_training_to_a_phone(run, tmp_path):
    out = run("docs/guides/to_phone.py", "--epochs=1")
    assert (tmp_path / "phone/vae/1/saved_model.pb").exists()
    assert out.count(" kB, differs by ") == 2


def test_ladder_of_digits(run, tmp_path):
    out = run("ladder_of_digits.py", "--epochs=4", "--out=out")
    assert "level 2:" in out
    assert "levels: [" in out
    assert (tmp_path / "out/temperatures.png").exists()


def test_digits_by_label(run, tmp_path):
    out = run("digits_by_label.py", "--epochs=1", "--out=out")
    assert "test log p(x | y): -" in out
    assert (tmp_path / "out/pixelcnn/1/saved_model.pb").exists()


def test_identifiable_vae_beside_a_vae(run, tmp_path):
    out = run("ivae_frey_face.py", "--epochs=1", "--out=out")
    assert out.count("agreement of two runs") == 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 2


@pytest.mark.slow
def test_import_time(tmp_path):
    assert "tfvae / base" in alone(
        "benchmarks/import_time.py", "--runs=1", folder=tmp_path
    )


@pytest.mark.slow
def test_loading_and_growth(tmp_path):
    small = ["--images=300", "--size=8", "--train"]
    out = alone("benchmarks/loading.py", *small, folder=tmp_path)
    assert [line.split()[1] for line in out.splitlines()[2:]] == [
        "images",
        "records",
        "array",
        "keras",
    ]
    out = alone("benchmarks/growth.py", "--only=full", "--points=2", folder=tmp_path)
    assert len(out.splitlines()) == 4


@pytest.mark.slow
def test_distributed_training_and_its_speed(tmp_path):
    out = alone("distributed/train.py", "--epochs=1", folder=tmp_path)
    assert "log p(x), test: -" in out
    assert (tmp_path / "distributed" / "vae.keras").exists()
    small = ["--rows=16", "--steps=4", "--epochs=2"]
    out = alone("benchmarks/distributed.py", *small, folder=tmp_path)
    assert "weak scaling 0." in out or "weak scaling 1." in out
    assert "512 workers" in out


def test_figures_of_the_vae_paper(run, tmp_path):
    run("vae_paper/bounds.py", "digits", "--latents=2", "--samples=8e3")
    run("vae_paper/figures.py")
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3
    small = ["--data=digits", "--train=100", "--samples=8e3", "--draws=10"]
    run("vae_paper/marginal_likelihood.py", *small)
    assert (tmp_path / "vae_paper/vae_paper_figure_3.png").exists()


@pytest.mark.slow
def test_speed_of_training_and_evaluation(tmp_path):
    out = alone("benchmarks/throughput.py", "--rows=256", "--epochs=1", folder=tmp_path)
    assert "tfvae is 1.00 x this" in out
    small = ["--rows=50", "--epochs=1", "--model=pixelcnn"]
    out = alone("benchmarks/throughput.py", *small, folder=tmp_path)
    assert "tfvae is 1.00 x this" in out
    small = ["--rows=25", "--epochs=1", "--networks", "pixelcnn", "row_lstm"]
    assert " MB" in alone("benchmarks/pixel_cost.py", *small, folder=tmp_path)
    small = ["--batch-size=2", "--runs=1", "--size=8"]
    out = alone("benchmarks/sampling.py", *small, folder=tmp_path)
    assert out.count("of the pixels equal") == 3
    out = alone("benchmarks/evaluation.py", "--rows=200", "--runs=1", folder=tmp_path)
    assert "log_marginal" in out
    out = alone("benchmarks/first_step.py", "--runs=1", folder=tmp_path)
    assert "compile and first step" in out


@pytest.mark.slow
def test_posteriors_side_by_side(tmp_path):
    small = ["--data=digits", "--epochs=2", "--draws=10", "--seeds=1"]
    two = ["--posteriors", "mean-field", "IAF, 1"]
    alone("benchmarks/posteriors.py", *small, *two, folder=tmp_path)
    # A second run finds all rows there, and adds none.
    alone("benchmarks/posteriors.py", *small, *two, folder=tmp_path)
    assert len((tmp_path / "posteriors.csv").read_text().splitlines()) == 3
    out = alone(
        "benchmarks/posteriors_table.py", "--runs=posteriors.csv", folder=tmp_path
    )
    assert "| IAF, 1 | -" in out
    assert (tmp_path / "posteriors.png").exists()
    small = ["--rows=256", "--epochs=1", "--posteriors", "IAF, 2 steps"]
    assert "IAF, 2 steps" in alone("benchmarks/flow_cost.py", *small, folder=tmp_path)


def test_beta_vae_on_sprites(run, tmp_path):
    small = ["--images=200", "--held-out=200", "--epochs=1", "--draws=20", "--trees=8"]
    one = ["--betas=4", "--seeds=1"]
    out = run("benchmarks/tradeoff.py", *small, *one)
    assert "| 4 | -" in out
    assert len((tmp_path / "tradeoff.csv").read_text().splitlines()) == 2
    assert (tmp_path / "tradeoff.png").exists()
    assert (tmp_path / "sprites_traversals.png").exists()


def test_sources_of_nonlinear_mixtures(run, tmp_path):
    small = ["--steps=4", "--seeds=1", "--segments=8", "--starts=1"]
    file = ["--out=ica.csv", "--overlay=overlay.png"]
    run("benchmarks/nonlinear_ica.py", *small, *file)
    assert len((tmp_path / "ica.csv").read_text().splitlines()) == 1 + 4
    assert (tmp_path / "overlay.png").exists()


def test_tables_of_recovered_sources(run, tmp_path):
    out = run("benchmarks/nonlinear_ica_table.py")
    assert "| iVAE | 0." in out
    assert (tmp_path / "nonlinear_ica.png").exists()


def test_rotation_scale_and_position(run, tmp_path):
    out = run("beta_vae_sprites.py", "--images=256", "--epochs=1")
    assert "active latents; MIG: 0." in out
    assert (tmp_path / "beta_vae_sprites.png").exists()


def test_adversarial_models_side_by_side(run, tmp_path):
    small = ["--data=digits", "--epochs=1", "--filters=4", "--limit=300"]
    out = run("benchmarks/adversarial.py", *small)
    assert "of test images right" in out
    assert len((tmp_path / "adversarial.csv").read_text().splitlines()) == 1 + 4
    assert (tmp_path / "digits_vae_gan_copies.png").exists()


def test_a_gan_draws_the_digits_asked_for(run, tmp_path):
    out = run("gan_by_label.py", "--epochs=2", "--out=out")
    assert "read as asked for: " in out
    assert (tmp_path / "out/samples_0002.png").exists()
    assert (tmp_path / "out/gan.tflite").exists()


@pytest.mark.slow
def test_glasses_on_and_off(run, tmp_path, shared_data):
    small = ["--steps=5", "--filters=2", f"--data-dir={tmp_path}"]
    originals = f"--manual-dir={shared_data / 'olivetti_faces'}"
    out = run("benchmarks/faces.py", *small, originals)
    assert "regression: 0.98 of test images right" in out
    assert len((tmp_path / "faces.csv").read_text().splitlines()) == 1 + 2
    assert len(list(tmp_path.glob("faces_*_attribute.png"))) == 2


def test_made_on_binary_data(run, tmp_path):
    small = ["digits", "--epochs=2", "--hidden-units", "16", "--masks=2"]
    assert "test=-" in run("benchmarks/made.py", *small)
    assert len((tmp_path / "made.csv").read_text().splitlines()) == 2


def test_colour_photographs_by_pixelcnn(run, tmp_path):
    small = ["--size=4", "--epochs=1", "--stride=16", "--filters=6", "--blocks=2"]
    out = run("benchmarks/rgb.py", *small)
    assert "bits per dimension, validation" in out
    assert (tmp_path / "rgb_completions.png").exists()


def test_flows_fitted_to_densities(run, tmp_path):
    arguments = ["--steps=20", "--flows", "spline, 4"]
    out = run("benchmarks/energies.py", *arguments)
    assert out.count("KL") == 4
    assert (tmp_path / "energies.png").exists()


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda p: p.stem)
def test_examples_are_short_and_say_what_they_show(path):
    text = path.read_text()
    assert text.startswith('"""')
    if path.parent == EXAMPLES:
        assert len(text.splitlines()) < 60
