"""Residual VAEs and ladders on MNIST: tables of `tfvae train`, run by run.

Each run is a command that this prints, on a core of its own, in a folder that keeps its
curve (history.csv) and figures (metrics.json). Runs that are done are not run again;
the table is printed from the folders. With several seeds it has the mean and the
standard error over seeds, and the difference to the first row, paired by seed.
"""

import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

import numpy as np
import scipy.stats

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("table", choices=["flat", "ladder", "ablation"])
parser.add_argument("--rows", nargs="+", help="some rows only, by name")
parser.add_argument("--seeds", type=int, default=1)
parser.add_argument("--epochs", type=int, help="as in the preset when left out")
parser.add_argument("--samples", type=int, default=1000)
parser.add_argument("--manual-dir", help="folder of the original files of the data")
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("hierarchy"))
options = parser.parse_args()

STATIC = ["--data", "binarized_mnist", "--set", "binarize=null"]


def command(preset, *changes, static=False):
    """Words after `tfvae train`."""
    sets = (word for change in changes for word in ("--set", change))
    return [preset, *(STATIC if static else ()), *sets]


def ladder(levels, units, posterior):
    """A ladder on static MNIST."""
    changes = [f"levels={levels}", f"units={units}", f"posterior={posterior}"]
    return command("ladder_vae_mnist", *changes, static=True)


def iaf(depth, width):
    """A flat residual VAE with a flow."""
    changes = [f"num_flows={depth}", f"hidden_units=[{width},{width}]"]
    return command("resnet_iaf_vae_mnist", *changes)


FOUR, ONE = ("[[1,1,16],[7,3,8]]", "[128,48]"), ("[[7,1,24]]", "[48]")
TABLES = {
    "flat": {  # of the IAF paper, on dynamically binarized MNIST
        "diagonal": command("resnet_vae_mnist"),
        "IAF 2 x 320": iaf(2, 320),
        "IAF 8 x 320": iaf(8, 320),
        "IAF 8 x 1920": iaf(8, 1920),
    },
    "ladder": {"four levels, IAF": command("ladder_vae_mnist", static=True)},
    "ablation": {
        "one level, mean field": ladder(*ONE, "mean_field"),
        "one level, IAF": ladder(*ONE, "iaf"),
        "four levels, mean field": ladder(*FOUR, "mean_field"),
        "four levels, IAF": ladder(*FOUR, "iaf"),
    },
}


def folder(name, seed):
    """Folder of a run."""
    return options.out / f"{name.replace(' ', '_').replace(',', '')}-{seed}"


def start(name, seed, core):
    """Starts a run, or goes on with it, on one core where the system can do that."""
    out = folder(name, seed)
    words = [*TABLES[options.table][name], "--seed", str(seed)]
    if options.manual_dir:
        words += ["--manual-dir", options.manual_dir]
    if options.epochs:
        words += ["--epochs", str(options.epochs)]
    if (out / "config.json").exists():
        words = ["--resume"]
    words += ["--samples", str(options.samples), "--out", str(out)]
    print("tfvae train", shlex.join(words), flush=True)
    pin = (lambda: os.sched_setaffinity(0, [core])) if core is not None else None
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    out.parent.mkdir(parents=True, exist_ok=True)
    with open(out.with_suffix(".log"), "a") as log:
        program = [sys.executable, "-m", "tfvae", "train", *words]
        options_of = {"stdout": log, "stderr": log, "env": os.environ | one}
        return subprocess.Popen(program, preexec_fn=pin, **options_of)


def run_all():
    """Runs what is not yet done; returns True if all went well."""
    rows = options.rows or TABLES[options.table]
    wanted = [(name, seed) for seed in range(options.seeds) for name in rows]
    wanted = [run for run in wanted if not (folder(*run) / "metrics.json").exists()]
    has_cores = hasattr(os, "sched_getaffinity")
    cores = sorted(os.sched_getaffinity(0)) if has_cores else [None]
    running, codes = {}, []
    while wanted or running:
        free = [core for core in cores if core not in running]
        if wanted and free:
            running[free[0]] = start(*wanted.pop(0), free[0])
            continue
        time.sleep(0.5)
        done = [core for core, process in running.items() if process.poll() is not None]
        codes += [running.pop(core).returncode for core in done]
    return not any(codes)


def figures(name):
    """Figures of a row by name, an array over seeds each."""
    files = [folder(name, seed) / "metrics.json" for seed in range(options.seeds)]
    runs = [json.loads(file.read_text()) for file in files if file.exists()]
    return {key: np.array([run[key] for run in runs]) for key in (runs or [{}])[0]}


def cell(values):
    """Mean, with the standard error over seeds if there are several."""
    text = f"{values.mean():.2f}"
    return text if len(values) == 1 else f"{text} ± {scipy.stats.sem(values):.2f}"


def print_table():
    """The table in Markdown, and the KL of each level where there are levels."""
    head = ["", "ELBO", "log p(x)", "KL by level", "ELBO above the first"]
    print(f"\n| {' | '.join(head)} |\n{'|---' * len(head)}|")
    first = None
    for name in options.rows or TABLES[options.table]:
        row = figures(name)
        if not row:
            continue
        first = row if first is None else first
        levels = [key for key in row if key.startswith("test_kl_")]
        kls = ", ".join(f"{row[key].mean():.1f}" for key in levels)
        elbo, count = row["test_elbo"], len(first["test_elbo"])
        above = "" if row is first else cell(elbo[:count] - first["test_elbo"])
        log_p = cell(row["test_log_marginal"])
        print(f"| {name} | {cell(elbo)} | {log_p} | {kls} | {above} |")


fine = run_all()
print_table()
sys.exit(not fine)
