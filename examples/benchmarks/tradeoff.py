"""beta-VAE on sprites: the bound, and what its codes tell apart, against beta.

An MLP encoder and decoder, 1024-512-256-z10, on 100,000 drawn sprites of 32 x 32; all
figures are of posterior means of 10,000 other draws, every eighth of which is among the
training images too. No score can be perfect: a square looks alike after a quarter turn
and an ellipse after half a turn, so that x does not tell the orientation. Appends a row
a run to --table, skips what is there; then prints means over seeds with the 95 %
interval of Student's t, and draws.
"""

import argparse
import csv
import pathlib
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
import scipy.stats
from sklearn.feature_selection import mutual_info_classif

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--betas", type=float, nargs="+", default=[1, 2, 4, 8, 16])
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--images", type=int, default=100_000)
parser.add_argument("--epochs", type=int, default=24)
parser.add_argument("--held-out", type=int, default=10_000)
parser.add_argument("--draws", type=int, default=10_000, help="of beta- and FactorVAE")
parser.add_argument("--trees", type=int, default=2000, help="rows DCI learns from")
parser.add_argument("--out", type=pathlib.Path, default="runs/tradeoff")
parser.add_argument("--table", type=pathlib.Path, default="tradeoff.csv")
parser.add_argument("--pictures", type=pathlib.Path, default=".")
options = parser.parse_args()

SHAPE, UNITS, LATENTS, BATCH, RATE = (32, 32, 1), [512, 256], 10, 64, 1e-3
SCORES = {
    "beta_vae": "beta-VAE",
    "factor_vae": "FactorVAE",
    "mig": "MIG",
    "sap": "SAP",
    "disentanglement": "DCI disentanglement",
    "completeness": "DCI completeness",
    "informativeness": "DCI informativeness",
}
FIGURES = {
    "elbo": "ELBO",
    "reconstruction": "log p(x \\| z)",
    "kl": "KL",
    "active": "active units",
}
FACTORS = ["shape", "scale", "orientation", "position x", "position y"]


def path(beta, seed):
    """Where a run keeps its model."""
    return options.out / f"beta_{beta:g}_seed_{seed}.keras"


def train(beta, seed, x):
    """A trained model."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = tfvae.BetaVAE(
        tfvae.networks.mlp_encoder(SHAPE, UNITS),
        tfvae.networks.mlp_decoder(SHAPE, UNITS[::-1]),
        latent_dim=LATENTS,
        beta=beta,
    )
    steps = options.epochs * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(RATE, steps, 0.01)
    model.compile(keras.optimizers.Adam(rate))
    model.fit(x, batch_size=BATCH, epochs=options.epochs, verbose=0)
    return model


def measure(model, x, factors):
    """Figures of a row of the table."""
    z, draws = np.asarray(model.encode(x)), {"num_train": options.draws}
    terms = model.evaluate(x, batch_size=500, return_dict=True, verbose=0)
    trees = {"num_train": options.trees, "num_test": options.trees // 2}
    return {name: terms[name] for name in ("elbo", "reconstruction", "kl")} | {
        "active": tfvae.metrics.active_units(model, x),
        "beta_vae": tfvae.metrics.beta_vae_score(z, factors, **draws),
        "factor_vae": tfvae.metrics.factor_vae_score(z, factors, **draws),
        "mig": tfvae.metrics.mig(z, factors),
        "sap": tfvae.metrics.sap(z, factors),
        **tfvae.metrics.dci(z, factors, **trees)._asdict(),
    }


def rows():
    """What the table holds, as numbers."""
    if not options.table.exists():
        return []
    with open(options.table, newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def append(row):
    """Writes a row right away, below a head where it is the first."""
    new = not options.table.exists()
    with open(options.table, "a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        short = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(short)


def run_missing(test):
    """Trains and measures each beta and seed that the table lacks."""
    done = {(row["beta"], row["seed"]) for row in rows()}
    x = tfvae.data.sprites(options.images, image_size=SHAPE[0], seed=0).x
    options.out.mkdir(parents=True, exist_ok=True)
    for seed in range(options.seeds):
        for beta in options.betas:
            if (beta, seed) not in done:
                begin = time.perf_counter()
                model = train(beta, seed, x)
                seconds = round(time.perf_counter() - begin)
                model.save(path(beta, seed))
                run = {"beta": f"{beta:g}", "seed": seed}
                append(run | measure(model, *test) | {"seconds": seconds})
                print(run, flush=True)


def mean(name, beta):
    """Mean and half interval over seeds."""
    values = [row[name] for row in table if row["beta"] == beta]
    if len(values) < 2:
        return values[0], np.nan
    error = scipy.stats.sem(values) * scipy.stats.t.ppf(0.975, len(values) - 1)
    return np.mean(values), error


def print_table(*lines):
    """A markdown table, the first line its head."""
    lines = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    print("", *(f"| {' | '.join(cells)} |" for cells in lines), sep="\n")


def line_of(beta):
    """Means over seeds of figures and scores."""
    digits = dict.fromkeys(FIGURES, 1) | dict.fromkeys(SCORES, 3)
    cells = ((*mean(name, beta), d) for name, d in digits.items())
    return [f"{beta:g}", *(f"{m:.{d}f} ± {e:.{d}f}" for m, e, d in cells)]


def print_tables():
    """Means, then how far two scores put all runs into the same order."""
    head = ["beta", *(FIGURES | SCORES).values()]
    print_table(head, *(line_of(beta) for beta in betas))
    ranks = scipy.stats.spearmanr([[row[name] for name in SCORES] for row in table])[0]
    ranks = np.broadcast_to(ranks, [len(SCORES)] * 2)  # NaN of a single run
    lines = zip(SCORES.values(), np.char.mod("%.2f", ranks), strict=True)
    print_table(["Spearman", *SCORES.values()], *([one, *r] for one, r in lines))


def draw_tradeoff():
    """The bound and the scores against beta."""
    figure, panels = plt.subplots(1, 2, figsize=[10, 3.6])
    for panel, names in zip(panels, ({"elbo": "ELBO"}, SCORES), strict=True):
        for i, (name, title) in enumerate(names.items()):
            points, errors = np.transpose([mean(name, beta) for beta in betas])
            # Side by side, so that no interval hides another.
            at = np.multiply(betas, 2 ** (0.05 * (i - len(names) // 2)))
            panel.errorbar(at, points, errors, fmt="o-", capsize=2, ms=4, label=title)
        panel.set_xscale("log", base=2)
        panel.set_xticks(betas, [f"{beta:g}" for beta in betas])
        panel.set_xlabel("beta")
    panels[0].set_ylabel("ELBO at beta = 1, held out, nats")
    panels[1].set_ylabel("score")
    panels[1].set_ylim(0, 1)
    panels[1].legend(bbox_to_anchor=(1.02, 1), loc="upper left", fontsize=8)
    figure.savefig(options.pictures / "tradeoff.png", dpi=80, bbox_inches="tight")


def draw_traversals(x, factors):
    """Every active latent of the model of best MIG, from a heart, by what it tells."""
    best = max(table, key=lambda row: row["mig"])
    model = tfvae.load(path(best["beta"], int(best["seed"])))
    z = np.asarray(model.encode(x))
    told = np.transpose([mutual_info_classif(z, f, random_state=0) for f in factors.T])
    active = [d for d in np.argsort(told.argmax(1)) if z[:, d].var() > 0.01]
    heart = tfvae.data.render_sprites([[2, 4, 0, 16, 16]], SHAPE[0])
    moved = np.repeat(model.encode(heart), 9 * len(active), axis=0)
    moved = moved.reshape(len(active), 9, -1)
    for row, d in zip(moved, active, strict=True):
        row[:, d] = np.linspace(-2.5, 2.5, 9)
    labels = [
        f"z{d}: " + ", ".join(f"{FACTORS[k]} {told[d, k]:.1f}" for k in order)
        for d, order in zip(active, np.argsort(-told[active], 1)[:, :2], strict=True)
    ]
    images = np.clip(model.decode(moved.reshape(-1, LATENTS)), 0, 1)
    title = f"beta = {best['beta']:g}; nats that a latent tells of the factors"
    figure = tfvae.plots.image_grid(images, columns=9, row_labels=labels, title=title)
    figure.savefig(options.pictures / "sprites_traversals.png")


test = tfvae.data.sprites(options.held_out, image_size=SHAPE[0], seed=1)
run_missing(test)
table = rows()
betas = sorted({row["beta"] for row in table})
print_tables()
draw_tradeoff()
draw_traversals(*test)
