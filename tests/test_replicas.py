"""Training shared by replicas: the numbers of one process, whoever computes them."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests.checks import decoder, encoder
from tfvae import seeds
from tfvae.data.batches import batches, shared
from tfvae.data.parts import Part
from tfvae.training import workers as workers_of

ROOT = pathlib.Path(__file__).parents[1]
SGD = {"class_name": "SGD", "config": {"learning_rate": 1e-3}}
ADAM = {"class_name": "Adam", "config": {"learning_rate": 1e-3}}


def start(config=None, **options):
    """A process that trains, see `replica_program.py`."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    if config is not None:
        environment["TF_CONFIG"] = json.dumps(config)
    command = [sys.executable, "-m", "tests.replica_program", json.dumps(options)]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **pipe)


def addresses():
    """Two free addresses on this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return ["{}:{}".format(*free.getsockname()) for free in sockets]


def start_workers(tmp_path, each=({}, {}), **options):
    """Two workers of a cluster on this machine; worker i writes `worker_i.npz`."""
    workers = addresses()
    return [
        start(
            {"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}},
            out=str(tmp_path / f"worker_{i}.npz"),
            **options,
            **each[i],
        )
        for i in range(2)
    ]


def finish(*processes, code=0):
    """Outputs of processes that must end with this code."""
    outputs = [process.communicate(timeout=400)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert (process.returncode == 0) == (code == 0), output[-3000:]
    return outputs


def values(path):
    with np.load(path) as file:
        return dict(file)


def alone(tmp_path, **options):
    """What the same training gives in one process."""
    finish(start(out=str(tmp_path / "alone.npz"), **options))
    return values(tmp_path / "alone.npz")


def assert_near(found, wanted, scale=1.0):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        bounds = {"rtol": 1e-5 * scale, "atol": 1e-6 * scale}
        np.testing.assert_allclose(found[name], value, err_msg=name, **bounds)


def compare(tmp_path, replicas=2, scale=1.0, **options):
    wanted = alone(tmp_path, **options)
    out = str(tmp_path / "shared.npz")
    finish(start(out=out, replicas=replicas, **options))
    assert_near(values(out), wanted, scale)


@pytest.mark.parametrize(("first", "stop"), [(0, 4), (4, 9), (9, 13), (13, 13)])
def test_a_part_of_a_batch_has_the_noise_of_its_rows(first, stop):
    seed, num_rows = tf.constant([7, -9]), 13
    whole = seeds.normal(seed, [3, num_rows, 5])
    part = seeds.of_part(seed, tf.constant(first), tf.constant(num_rows))
    own = seeds.normal(part, [3, stop - first, 5])
    np.testing.assert_array_equal(own, whole[:, first:stop])
    other = seeds.next_to(part, 2)
    np.testing.assert_array_equal(
        seeds.uniform(other, [stop - first, 5]),
        seeds.uniform(seeds.next_to(seed, 2), [num_rows, 5])[first:stop],
    )


@pytest.mark.parametrize("num_rows", [0, 1, 5, 12, 13, 64])
@pytest.mark.parametrize(
    ("num_workers", "num_replicas"), [(1, 2), (2, 2), (3, 6), (8, 8)]
)
def test_each_row_is_in_one_part(num_rows, num_workers, num_replicas):
    parts = [Part(i, num_workers, num_replicas) for i in range(num_workers)]
    bounds = [[int(row) for row in part.of(tf.constant(num_rows))] for part in parts]
    rows = [row for first, stop in bounds for row in range(first, stop)]
    assert rows == list(range(num_rows))


def test_parts_of_arrays_and_of_streams_are_the_batches():
    x = np.arange(21.0)[:, None]
    whole = list(batches((x,), 8, 3, lambda: tf.constant(5)))
    for by_array in (True, False):
        parts = [Part(i, 2, 4) for i in range(2)]
        if by_array:
            data = [batches((x,), 8, 3, lambda: tf.constant(5), part=p) for p in parts]
        else:
            data = [
                shared(batches((x,), 8, 3, lambda: tf.constant(5)), p) for p in parts
            ]
        for batch, shares in zip(whole, zip(*data, strict=True), strict=True):
            places, rows = zip(*shares, strict=True)
            together = np.concatenate([r[0] for r in rows])
            np.testing.assert_array_equal(together, batch[0])
            assert [int(place[1]) for place in places] == [len(together)] * 2


def test_replicas_give_the_numbers_of_one_process(tmp_path):
    compare(tmp_path, model="VAE", optimizer=ADAM)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["SGD", "Adam"])
@pytest.mark.parametrize(
    "model",
    [
        "IAFVAE",
        "IWAE",
        "FullCovarianceVAE",
        "IVAE-labels",
        "GAN-labels",
        "GAN-two-steps",
        "VAEGAN",
        "MADE",
        "PixelCNN",
        "PixelRNN",
        "VAE-free-bits",
        "VAE-total-correlation",
    ],
)
def test_every_family_is_shared(model, optimizer, tmp_path):
    compare(tmp_path, model=model, optimizer=optimizer)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"replicas": 3, "compile": {"jit_compile": True, "steps_per_execution": 3}},
        {"optimizer": {"class_name": "Adam", "config": {"clipnorm": 0.1}}},
        {"optimizer": {"class_name": "SGD", "config": {"use_ema": True}}},
        {"optimizer": {"class_name": "AdamW", "config": {"global_clipnorm": 0.1}}},
        {
            "optimizer": {
                "class_name": "SGD",
                "config": {"gradient_accumulation_steps": 2},
            }
        },
        {"stream": True},
        {"rows": 33},  # a last batch of one row
        # Each replica rounds its gradients to float16.
        {"policy": "mixed_float16", "optimizer": SGD, "scale": 100.0},
    ],
    ids=[
        "xla",
        "clipnorm",
        "ema",
        "decay",
        "accumulated",
        "stream",
        "one-row",
        "float16",
    ],
)
def test_what_a_user_may_ask_for_is_shared_too(options, tmp_path):
    compare(tmp_path, model="VAE", **options)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["VAE", "GAN-two-steps"])
def test_two_processes_give_the_numbers_of_one(model, tmp_path):
    wanted = alone(tmp_path, model=model)
    finish(*start_workers(tmp_path, model=model))
    first, second = (values(tmp_path / f"worker_{i}.npz") for i in range(2))
    assert_near(first, wanted)
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_workers_end_with_one_that_is_killed_and_go_on_to_the_bit(killed, tmp_path):
    options = {"model": "VAE", "epochs": 4, "stream": True}
    finish(*start_workers(tmp_path, **options))
    wanted = values(tmp_path / "worker_0.npz")
    options |= {"backup": str(tmp_path / "backup")}
    workers = start_workers(tmp_path, pause=2, **options)
    for line in workers[killed].stdout:
        if line.startswith("epoch 2"):
            break
    time.sleep(1)
    workers[killed].send_signal(signal.SIGKILL)
    before = time.monotonic()
    (output,) = finish(workers[1 - killed], code=1)
    assert time.monotonic() - before < 60
    assert "another worker is gone" in output
    workers[killed].communicate()
    outputs = finish(*start_workers(tmp_path, **options))
    for i in range(2):
        assert "epoch 2\n" not in outputs[i]
        found = values(tmp_path / f"worker_{i}.npz")
        for name, value in wanted.items():
            if name.startswith("history"):
                value = value[2:]
            np.testing.assert_array_equal(found[name], value, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("each", "message"),
    [
        (({}, {"data_seed": 1}), "`x` must be the same on all workers"),
        (({}, {"optimizer": ADAM}), "`model` must be the same on all workers"),
        (({}, {"batch_size": 16}), "`batch_size` must be the same on all workers"),
        (({}, {"epochs": 3}), "`epochs` must be the same on all workers"),
    ],
)
def test_workers_that_differ_are_refused_on_every_worker(each, message, tmp_path):
    outputs = finish(*start_workers(tmp_path, each, model="VAE"), code=1)
    assert all(message in output for output in outputs)


@pytest.mark.slow
def test_the_command_line_trains_on_the_workers_of_tf_config(tmp_path):
    workers = addresses()

    def train(*arguments):
        processes = []
        for i in range(2):
            task = {"type": "worker", "index": i}
            config = json.dumps({"cluster": {"worker": workers}, "task": task})
            command = [sys.executable, "-m", "tfvae", "train", *arguments]
            command += ["--out", str(tmp_path / "run"), "--samples", "5"]
            pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
            environment = os.environ | {"TF_CONFIG": config}
            processes.append(
                subprocess.Popen(command, env=environment, text=True, **pipe)
            )
        first, second = finish(*processes)
        assert "Wrote:" in first
        assert "Wrote:" not in second

    train("vae_digits", "--epochs", "2")
    train("--resume", "--epochs", "3")
    assert (tmp_path / "run" / "checkpoint-000003.keras").exists()
    assert len((tmp_path / "run" / "history.csv").read_text().split()) == 4


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
    ],
)
def test_a_tf_config_that_names_no_such_worker_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=r"`TF_CONFIG` must be JSON whose task is one"):
        workers_of.cluster.__wrapped__()


def test_a_cluster_of_one_is_no_cluster(monkeypatch):
    task = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(task))
    assert workers_of.cluster.__wrapped__() is None


@pytest.fixture(scope="module")
def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0"])


def vae():
    return tfvae.VAE(encoder(), decoder(), latent_dim=3)


def test_compile_wants_the_scope_that_the_model_was_made_in(mirrored):
    with mirrored.scope():
        made_inside = vae()
    made_outside = vae()
    with pytest.raises(ValueError, match="in the scope of the strategy"):
        made_inside.compile("adam")
    with mirrored.scope(), pytest.raises(ValueError, match="in the scope of the strat"):
        made_outside.compile("adam")


def test_optimizers_of_another_scope_are_refused(mirrored):
    optimizer = keras.optimizers.Adam()
    with mirrored.scope():
        model = vae()
        with pytest.raises(ValueError, match="`optimizer` must be made in the scope"):
            model.compile(optimizer)


def test_one_mirrored_device_trains_to_the_bits_of_none(mirrored):
    results = []
    x = np.random.default_rng(0).integers(0, 2, [50, 8, 8, 1]).astype("float32")
    for scope in (contextlib.nullcontext(), mirrored.scope()):
        keras.utils.set_random_seed(0)
        with scope:
            model = vae()
            model.compile("adam", jit_compile=False)
            model.fit(x, batch_size=16, verbose=0)  # in the scope as well as outside
        model.fit(x, batch_size=16, verbose=0)
        results.append([*model.get_weights(), model.sample(3, seed=1)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


def test_generators_cannot_be_shared(mirrored):
    with mirrored.scope():
        model = vae()
        model.compile("adam", jit_compile=False)
    with pytest.raises(TypeError, match=r"a tf.data.Dataset"):
        model.fit((np.zeros([4, 8, 8, 1]),) for _ in range(3))


def test_single_steps_are_shared(mirrored):
    results = []
    x = np.random.default_rng(0).integers(0, 2, [16, 8, 8, 1]).astype("float32")
    for scope in (contextlib.nullcontext(), mirrored.scope()):
        keras.utils.set_random_seed(0)
        with scope:
            model = vae()
            model.compile("adam", jit_compile=False)
        results.append([*model.train_on_batch(x), *model.test_on_batch(x)])
        results[-1] += model.get_weights()
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
