"""One VAE with each posterior: bound, log p(x), gap, active units, cost.

The same encoder, decoder, epochs and seeds for all: gated layers, 784-200-200-z32, KL
warm-up over a quarter of the epochs, AdamW with a cosine. The weights of the epoch
with the best `val_elbo` after the warm-up are measured on the whole test split. Appends
a row a run to --out, skips what is there; `posteriors_table.py` reads it.
"""

import argparse
import csv
import os
import pathlib
import subprocess
import sys
import time

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--data", nargs="+", default=["binarized_mnist", "mnist"])
parser.add_argument("--posteriors", nargs="+")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--draws", type=int, default=1000)
parser.add_argument("--data-dir")
parser.add_argument("--manual-dir", help="folder of each data set's original files")
parser.add_argument("--out", type=pathlib.Path, default="posteriors.csv")
parser.add_argument("--one", nargs=3, help="data, posterior and seed of a single run")
options = parser.parse_args()

# Class and arguments by name.
POSTERIORS = {
    "mean-field": ("MeanField", {}),
    "full covariance": ("FullCovariance", {}),
    "planar, 10": ("PlanarFlow", {"num_flows": 10}),
    "auxiliary": ("Auxiliary", {}),
    "IAF, 1": ("IAF", {"num_flows": 1}),
    "IAF, 2": ("IAF", {"num_flows": 2}),
    "IAF, 4": ("IAF", {"num_flows": 4}),
}
COLUMNS = "data posterior seed elbo log_p gap active parameters seconds_an_epoch"


def train(data, posterior, seed):
    """The trained model, its test images and the seconds of the fastest epoch."""
    import keras
    import numpy as np

    import tfvae

    keras.utils.set_random_seed(seed)
    train, valid, test = tfvae.data.load(
        data,
        binarize=None if data == "binarized_mnist" else "dynamic",
        batch_size=100,
        seed=seed,
        data_dir=options.data_dir,
        manual_dir=options.manual_dir,
    )
    shape, steps = train.element_spec.shape[1:], options.epochs * len(train)
    name, arguments = POSTERIORS[posterior]
    encoder = tfvae.networks.mlp_encoder(shape, [200, 200], "glu")
    model = tfvae.VAE(
        getattr(tfvae.posteriors, name)(encoder, 32, **arguments),
        tfvae.networks.mlp_decoder(shape, [200, 200], "glu"),
        objective=tfvae.objectives.ELBO(tfvae.objectives.warm_up(max(1, steps // 4))),
    )
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps, 0.01)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=0.1))
    best = keras.callbacks.EarlyStopping(
        "val_elbo",
        mode="max",
        patience=options.epochs,
        start_from_epoch=options.epochs // 4,
        restore_best_weights=True,
    )
    times = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: times.append(time.perf_counter())
    )
    model.fit(
        train,
        validation_data=valid,
        epochs=options.epochs,
        callbacks=[best, clock],
        verbose=0,
    )
    return model, np.concatenate(list(test)), np.min(np.diff(times or [0, 0]))


def measure(data, posterior, seed):
    """A row of the table."""
    import numpy as np

    import tfvae

    model, x, seconds = train(data, posterior, seed)
    elbo = np.mean([model.elbo(x, seed=i) for i in range(10)])
    log_p = model.log_marginal(x, options.draws).mean()
    active = tfvae.metrics.active_units(model, x)
    figures = [elbo, log_p, log_p - elbo, active, model.count_params(), seconds]
    with open(options.out, "a", newline="") as file:
        row = [f"{n:.4f}" if isinstance(n, float | np.floating) else n for n in figures]
        csv.writer(file).writerow([data, posterior, seed, *row])


def wanted():
    """Runs that are not yet in the table."""
    with open(options.out, newline="") as file:
        done = {(r["data"], r["posterior"], r["seed"]) for r in csv.DictReader(file)}
    for seed in range(options.seeds):
        for data in options.data:
            for posterior in options.posteriors or POSTERIORS:
                if (data, posterior, str(seed)) not in done:
                    yield data, posterior, str(seed)


def start(run, core):
    """Starts a process for a run, on a core of its own where the system can do that."""
    pin = (lambda: os.sched_setaffinity(0, [core])) if core is not None else None
    command = [sys.executable, __file__, *sys.argv[1:], "--one", *run]
    return subprocess.Popen(command, preexec_fn=pin)


if options.one:
    measure(*options.one[:2], int(options.one[2]))
    sys.exit()
if not options.out.exists():
    options.out.write_text(",".join(COLUMNS.split()) + "\n")
cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
running, codes = {}, []
for run in [*wanted(), None]:
    while running and (run is None or len(running) == len(cores)):
        time.sleep(0.5)
        done = [core for core, process in running.items() if process.poll() is not None]
        codes += [running.pop(core).returncode for core in done]
    if run:
        core = next(core for core in cores if core not in running)
        running[core] = start(run, core)
        print(*run, flush=True)
sys.exit(any(codes))
