"""Scaling of training over two processes of this machine, and what a ring would give.

Each process has one core and one thread. It prints the time of a training step of a VAE
(784-400-400-z32, 988,048 parameters) alone and by two workers, with as many rows each
(weak scaling) and with as many in all (strong scaling); the time that two workers take
to add up vectors; and the efficiency that this projects for more workers.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--rows", type=int, default=128, help="rows of a worker in a step")
parser.add_argument("--steps", type=int, default=60, help="steps of an epoch")
parser.add_argument("--epochs", type=int, default=4, help="epochs, the first not timed")
parser.add_argument("--accumulate", type=int, default=1, help="steps before a sum")
parser.add_argument("--child", help="for the processes that it starts")
SIZES = (1, 10_000, 100_000, 500_000, 1_000_000, 4_000_000)  # of vectors
WORKERS = (2, 8, 64, 512)


def processes(options, count, **task):
    """Runs this script in `count` processes; returns what the first prints."""
    sockets = [socket.socket() for _ in range(count)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    workers = ["{}:{}".format(*free.getsockname()) for free in sockets]
    for free in sockets:
        free.close()
    running = []
    for i in range(count):
        config = {
            "cluster": {"worker": workers},
            "task": {"type": "worker", "index": i},
        }
        given = {"core": i, "epochs": options.epochs, "steps": options.steps, **task}
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if count > 1:
            environment["TF_CONFIG"] = json.dumps(config)
        command = [sys.executable, __file__, "--child", json.dumps(given)]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, env=environment, **pipe))
    outputs = [process.communicate() for process in running]
    for process, (_, errors) in zip(running, outputs, strict=True):
        if process.returncode:
            raise SystemExit(errors)
    return json.loads(outputs[0][0].splitlines()[-1])


def child(core, task, rows=0, **options):
    """Times training steps or sums, in a process with one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    shared = "TF_CONFIG" in os.environ
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if shared else None
    result = sums(strategy) if task == "sums" else step(strategy, rows, **options)
    print(json.dumps(result))


def step(strategy, rows, steps, epochs):
    """Milliseconds of a training step: the best epoch but the first."""
    import contextlib

    import keras
    import numpy as np

    import tfvae

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            times.append((time.perf_counter() - self.start) / steps * 1e3)

    times = []
    x = np.random.default_rng(0).random([rows * steps, 28, 28, 1]).round()
    with strategy.scope() if strategy else contextlib.nullcontext():
        encoder = tfvae.networks.mlp_encoder((28, 28, 1), [400, 400])
        decoder = tfvae.networks.mlp_decoder((28, 28, 1), [400, 400])
        model = tfvae.VAE(encoder, decoder, latent_dim=32)
        model.compile("adam")
    fit = {"batch_size": rows, "epochs": epochs, "callbacks": [Clock()], "verbose": 0}
    model.fit(x.astype("float32"), **fit)
    return min(times[1:])


def sums(strategy):
    """Milliseconds to add up vectors of each of the sizes: medians of 30."""
    import tensorflow as tf

    def add(x):
        return strategy.reduce(
            tf.distribute.ReduceOp.SUM, strategy.run(lambda: x + 1), None
        )

    result = []
    for size in SIZES:
        function, x = tf.function(add, autograph=False), tf.zeros([size])
        times = []
        for _ in range(35):
            start = time.perf_counter()
            function(x).numpy()
            times.append((time.perf_counter() - start) * 1e3)
        result.append(statistics.median(times[5:]))
    return result


def main():
    """Measures and prints."""
    options = parser.parse_args()
    if options.child:
        child(**json.loads(options.child))
        return
    rows = options.rows
    one = processes(options, 1, task="step", rows=rows)
    both = processes(options, 2, task="step", rows=2 * rows)
    one_of_double = processes(options, 1, task="step", rows=2 * rows)
    print(f"one process, {rows} rows: {one:.2f} ms a step")
    print(f"two, {rows} rows each: {both:.2f} ms, weak scaling {one / both:.2f}")
    print(
        f"one process, {2 * rows} rows: {one_of_double:.2f} ms; "
        f"strong scaling {one_of_double / both / 2:.2f}"
    )
    times = processes(options, 2, task="sums")
    for size, milliseconds in zip(SIZES, times, strict=True):
        print(f"sum of {size * 4 / 1e6:6.2f} MB: {milliseconds:6.2f} ms")
    latency, per_mb = times[0], (times[-1] - times[0]) / (SIZES[-1] * 4 / 1e6)
    print(f"latency {latency:.2f} ms, {per_mb:.2f} ms a MB")
    for millions, compute in ((1, one), (40, 40 * one)):
        for count in WORKERS:
            # Each of 2 (n - 1) hops of a ring passes on an n-th of the vector.
            hops = (count - 1) * latency
            total = hops + 2 * (count - 1) / count * millions * 4 * per_mb
            share = compute / (compute + total / options.accumulate)
            print(f"{millions} M parameters, {count} workers: {share:.0%} projected")


if __name__ == "__main__":
    main()
