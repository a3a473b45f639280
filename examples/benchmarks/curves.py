"""Learning curves of runs side by side: log p(x) or the ELBO by epoch, and a table.

Solid on validation data, dashed on training data: where both still rise together, more
epochs or a larger network would go on; where they part, it is the data that end.

Takes folders as `tfvae train` leaves them; writes curves.csv and curves.png, and prints
each run's last epochs and its figures on the test split.
"""

import argparse
import csv
import json
import pathlib

from matplotlib.figure import Figure

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("runs", nargs="+", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("curves"))
options = parser.parse_args()

figure = Figure((6, 4), layout="constrained")
axes = figure.add_subplot(
    xlabel="epoch", ylabel="log p(x) or ELBO [nats]: validation -, training --"
)
rows, best = [], -float("inf")
for run in options.runs:
    name = json.loads((run / "config.json").read_text())["preset"]
    with (run / "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    rows += [{"preset": name} | row for row in history]
    term = "log_prob" if "log_prob" in history[0] else "elbo"
    values = [float(row[f"val_{term}"]) for row in history]
    epochs = range(1, len(values) + 1)
    (line,) = axes.plot(epochs, values, marker=".", label=name)
    training = [float(row[term]) for row in history]
    axes.plot(epochs, training, "--", color=line.get_color(), linewidth=0.8)
    best = max(best, *training)
    metrics = run / "metrics.json"
    text = f"{name}: epoch {len(values)}, validation {values[-1]:.2f}"
    if metrics.exists():
        figures = json.loads(metrics.read_text())
        error = figures["test_log_marginal_standard_error"]
        text += f", test log p(x) {figures['test_log_marginal']:.2f} +- {error:.2f}"
    slope = (values[-1] - values[-3]) / 2 if len(values) > 2 else float("nan")
    text += f" nats; {slope:+.2f} an epoch at the end"
    print(f"{text}, {training[-1] - values[-1]:+.2f} on training data")
axes.set_ylim(best - 12, best + 1)  # the first epochs would hide the others
axes.legend()
figure.savefig(options.out.with_suffix(".png"), dpi=128)
with options.out.with_suffix(".csv").open("w", newline="") as file:
    columns = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
