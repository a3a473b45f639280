"""Table and curves of what nonlinear_ica.py measured.

Every seed, and means with the 95 % interval of Student's t over seeds; then the mean
correlation against the depth of the mixing and the number of segments.
"""

import argparse
import csv
import pathlib

import matplotlib.pyplot as plt
import numpy as np
import scipy.stats

HERE = pathlib.Path(__file__).parent
parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--runs", type=pathlib.Path, default=HERE / "nonlinear_ica.csv")
parser.add_argument("--picture", type=pathlib.Path, default="nonlinear_ica.png")
options = parser.parse_args()
with open(options.runs, newline="") as file:
    rows = list(csv.DictReader(file))
TITLES = {"ivae": "iVAE", "vae": "VAE", "beta_vae": "beta-VAE", "linear_ica": "FastICA"}
DEPTH, SEGMENTS = 3, 40  # the paper's


def select(name, layers=DEPTH, segments=SEGMENTS):
    """Rows of a model and a setting, by seed."""
    wanted = {"model": name, "layers": str(layers), "segments": str(segments)}
    chosen = [row for row in rows if wanted.items() <= row.items()]
    return sorted(chosen, key=lambda row: int(row["seed"]))


def interval(values):
    """Mean of some seeds, with the 95 % interval of Student's t."""
    if len(values) < 2:
        return values[0], np.nan
    half = scipy.stats.sem(values) * scipy.stats.t.ppf(0.975, len(values) - 1)
    return np.mean(values), half


def print_table(title, *lines):
    """A markdown table, the first line its head."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    print("", title, "", *(f"| {' | '.join(line)} |" for line in lines), sep="\n")


def print_seeds(figure):
    """A figure of every seed and the mean."""
    chosen = {name: select(name) for name in TITLES}
    chosen = {name: some for name, some in chosen.items() if some}
    seeds = [row["seed"] for row in next(iter(chosen.values()))]
    lines = [["seed", *seeds, "mean"]]
    for name, some in chosen.items():
        values = [float(row[figure]) for row in some]
        mean, half = interval(values)
        cells = [f"{value:.3f}" for value in values]
        lines.append([TITLES[name], *cells, f"{mean:.3f} ± {half:.3f}"])
    print_table(figure, *lines)


def curve(panel, setting):
    """MCC against the depth of mixing or the number of segments."""
    panel.set_xlabel({"layers": "mixing layers", "segments": "segments"}[setting])
    for name, title in TITLES.items():
        at = sorted({int(row[setting]) for row in rows if row["model"] == name})
        runs = [(n, select(name, **{setting: n})) for n in at]
        mccs = [(n, [float(row["mcc"]) for row in some]) for n, some in runs if some]
        means = [(n, *interval(values)) for n, values in mccs]
        if means:
            panel.errorbar(*np.transpose(means), fmt="o-", capsize=2, label=title)


for figure in ["mcc", "spearman", "weak"]:
    print_seeds(figure)
figure, panels = plt.subplots(1, 2, figsize=[9, 3.4], sharey=True)
curve(panels[0], "layers")
curve(panels[1], "segments")
panels[0].set_ylabel("MCC, held out")
panels[0].legend()
figure.savefig(options.picture, dpi=80, bbox_inches="tight")
