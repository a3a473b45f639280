"""Table and picture of what posteriors.py measured.

Means over seeds, of the seconds the least; differences to the mean-field run of the
same seed, with the 95 % interval of Student's t over seeds.
"""

import argparse
import csv
import itertools
import pathlib

import matplotlib.pyplot as plt
import numpy as np
import scipy.stats

HERE = pathlib.Path(__file__).parent
parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--runs", type=pathlib.Path, default=HERE / "posteriors.csv")
parser.add_argument("--picture", type=pathlib.Path, default="posteriors.png")
options = parser.parse_args()

with open(options.runs, newline="") as file:
    rows = list(csv.DictReader(file))
data_sets = list(dict.fromkeys(row["data"] for row in rows))
posteriors = list(dict.fromkeys(row["posterior"] for row in rows))


def column(data, posterior, name):
    """A figure by seed."""
    chosen = (r for r in rows if (r["data"], r["posterior"]) == (data, posterior))
    return {row["seed"]: float(row[name]) for row in chosen}


def difference(data, posterior, name):
    """Mean and half interval of the difference to mean-field, over common seeds."""
    ours, theirs = (column(data, p, name) for p in (posterior, "mean-field"))
    paired = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    if len(paired) < 2:
        return np.mean(paired or np.nan), np.nan
    error = scipy.stats.sem(paired) * scipy.stats.t.ppf(0.975, len(paired) - 1)
    return np.mean(paired), error


names = "elbo log_p gap active parameters seconds_an_epoch".split()
head = (
    "| posterior | ELBO | log p(x) | gap | active | parameters | s an epoch | {} | {} |"
)
for data in data_sets:
    print(f"\n{data}\n\n{head.format('ELBO above mean-field', 'log p(x) above')}")
    print("|---" * 9 + "|")
    for posterior in posteriors:
        means = [np.mean(list(column(data, posterior, n).values())) for n in names]
        means[-1] = min(column(data, posterior, "seconds_an_epoch").values())
        cells = [f"{m:.{d}f}" for m, d in zip(means, (2, 2, 2, 1, 0, 1), strict=True)]
        for name in ("elbo", "log_p"):
            mean, error = difference(data, posterior, name)
            apart = posterior != "mean-field"
            cells.append(f"{mean:+.2f} ± {error:.2f}" if apart else "")
        print(f"| {posterior} | {' | '.join(cells)} |")

figure, panels = plt.subplots(1, 2, figsize=[9, 3], sharey=True)
titles = {"elbo": "ELBO", "log_p": "log p(x)"}
for panel, (name, title) in zip(panels, titles.items(), strict=True):
    for i, (data, posterior) in enumerate(itertools.product(data_sets, posteriors[1:])):
        mean, error = difference(data, posterior, name)
        at = posteriors.index(posterior) + 0.2 * data_sets.index(data)
        label = data if i % len(posteriors[1:]) == 0 else None
        color = f"C{data_sets.index(data)}"
        panel.errorbar(mean, at, xerr=error, fmt="o", color=color, label=label)
    panel.axvline(0, color="gray", linewidth=1)
    panel.set_xlabel(f"{title} above mean-field, nats")
    panel.set_yticks(range(1, len(posteriors)), posteriors[1:])
panels[0].legend()
figure.savefig(options.picture, dpi=80, bbox_inches="tight")
print(f"\n{options.picture}")
