"""Table and curves of what nonlinear_ica.py measured.

Every seed, and means with the 95 % interval of Student's t over seeds; then all seeds
and means against the depth of the mixing and the number of segments.
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
    """MCC of every seed, and its mean, against the depth or the number of segments."""
    panel.set_xlabel({"layers": "mixing layers", "segments": "segments"}[setting])
    for color, (name, title) in enumerate(TITLES.items()):
        values = sorted({int(row[setting]) for row in rows})
        panel.set_xticks(values)
        runs = [(n, select(name, **{setting: n})) for n in values]
        points = [(n, float(row["mcc"])) for n, some in runs for row in some]
        means = [(n, np.mean([m for k, m in points if k == n])) for n, r in runs if r]
        if len(means) > 1:
            panel.plot(*np.transpose(points), ".", color=f"C{color}", alpha=0.6)
            panel.plot(*np.transpose(means), color=f"C{color}", label=title)


for figure in ["mcc", "spearman", "weak"]:
    print_seeds(figure)
figure, panels = plt.subplots(1, 2, figsize=[9, 3.4], sharey=True)
curve(panels[0], "layers")
curve(panels[1], "segments")
panels[0].set_ylabel("MCC, held out")
panels[0].legend()
figure.savefig(options.picture, dpi=80, bbox_inches="tight")
