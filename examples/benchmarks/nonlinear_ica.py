"""Recovers sources from nonlinear mixtures: iVAE against VAE, beta-VAE and FastICA.

The experiment of the iVAE paper: 40 segments of 1,000 rows, five sources, three mixing
layers. Every figure is of 200 more rows of each segment, which no model has seen. x is
whitened with the training rows. VAE and beta-VAE have the networks of the iVAE, a
posterior of full covariance too, and the scale of decoder that the iVAE has learned.
The iVAE starts three times; the start with the better ELBO on the training rows counts.
"""

import argparse
import csv
import pathlib
import time
import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import FastICA

import tfvae

FIELDS = ["seed", "layers", "segments", "model", "mcc", "spearman", "weak"]
FIELDS += ["train_elbo", "elbo", "scale", "seconds"]
WIDTH, LENGTH, HELD_OUT = 64, 1000, 200


def main():
    """Writes a row for each model and seed, and each depth and number of segments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--segments", type=int, default=40)
    parser.add_argument("--steps", type=int, default=40_000)
    parser.add_argument("--starts", type=int, default=3, help="of the iVAE")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--out", type=pathlib.Path, default="runs/nonlinear_ica.csv")
    parser.add_argument("--overlay", help="a picture of the last seed's iVAE")
    args = parser.parse_args()
    for seed in args.seeds:
        data, scale = Data(seed, args.layers, args.segments, args.starts), 0.1
        for name in args.models:
            row = {"seed": seed, "layers": args.layers, "segments": args.segments}
            z, figures = MODELS[name](data, args.steps, scale)
            row |= {"model": name} | data.figures(z) | figures
            scale = row.get("scale", scale)
            write(args.out, row)
            print(row, flush=True)
            if args.overlay and name == "ivae":
                overlay(z, data, args.overlay)


class Data:
    """Whitened mixtures, split into training and held-out rows."""

    def __init__(self, seed, layers, segments, starts):
        length = LENGTH + HELD_OUT
        x, u, sources = tfvae.data.nonlinear_ica(
            segments, length, num_layers=layers, seed=seed
        )
        held = np.arange(len(x)) % length >= LENGTH
        values, vectors = np.linalg.eigh(np.cov(x[~held].T))
        x = (x - x[~held].mean(0)) @ (vectors / np.sqrt(values)).astype("float32")
        self.seed, self.segments, self.starts = seed, segments, starts
        self.train, self.held = (x[~held], u[~held]), (x[held], u[held])
        self.sources = sources[held]

    def figures(self, z):
        """Mean correlations of latents with the held-out sources."""
        metrics = tfvae.metrics
        return {
            "mcc": metrics.mcc(z, self.sources),
            "spearman": metrics.mcc(z, self.sources, method="spearman"),
            "weak": metrics.mcc(z, self.sources, linear_map=True),
        }


def ivae(data, steps, scale):
    """Of a few iVAEs the one with the best ELBO on the training rows."""
    starts = [one_ivae(data, steps, data.seed + 1000 * i) for i in range(data.starts)]
    z, best = max(starts, key=lambda start: start[1]["train_elbo"])
    return z, best | {"seconds": sum(figures["seconds"] for _, figures in starts)}


def one_ivae(data, steps, seed):
    """An iVAE; it learns the scale of its decoder."""
    keras.utils.set_random_seed(seed)
    encoder, decoder = networks(depth=2)
    likelihood = tfvae.likelihoods.Normal(decoder, "learned", initial_scale=0.1)
    joint = tfvae.layers.JointEncoder(encoder, [WIDTH], activation="leaky_relu")
    posterior = tfvae.posteriors.FullCovariance(joint, 5)
    prior = tfvae.priors.ConditionalNormal(5, num_classes=data.segments, has_loc=False)
    decay = keras.optimizers.schedules.PolynomialDecay(1.0, int(0.3 * steps), 0.0)
    objective = tfvae.objectives.ELBO(contrast=decay)
    model = tfvae.IVAE(posterior, likelihood, prior=prior, objective=objective)
    z, figures = trained(model, data.train, data.held, steps)
    return z, figures | {"scale": float(likelihood(np.zeros([1, 5])).stddev()[0, 0])}


def vae(data, steps, scale, beta=1.0):
    """The same networks without u."""
    keras.utils.set_random_seed(data.seed)
    encoder, decoder = networks(depth=3)
    likelihood = tfvae.likelihoods.Normal(decoder, scale)
    posterior = tfvae.posteriors.FullCovariance(encoder, 5)
    model = tfvae.BetaVAE(posterior, likelihood, beta=beta)
    z, figures = trained(model, data.train[0], data.held[0], steps)
    return z, figures | {"scale": scale}


def beta_vae(data, steps, scale):
    """The VAE with a heavier KL."""
    return vae(data, steps, scale, beta=4.0)


def linear_ica(data, steps, scale):
    """FastICA, which knows nothing of u and of nonlinear mixtures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not always converge
        ica = FastICA(whiten="unit-variance", random_state=data.seed, max_iter=1000)
        ica.fit(data.train[0])
    return ica.transform(data.held[0]), {}


MODELS = {"ivae": ivae, "vae": vae, "beta_vae": beta_vae, "linear_ica": linear_ica}


def networks(depth):
    """Encoder and decoder of leaky rectifiers."""
    mlp, shape = tfvae.networks, (5,)
    encoder = mlp.mlp_encoder(shape, [WIDTH] * depth, "leaky_relu")
    return encoder, mlp.mlp_decoder(shape, [WIDTH] * 3, "leaky_relu")


def trained(model, train, held, steps):
    """Trains a model; its latents of the held-out rows, and figures."""
    begin, batch_size = time.monotonic(), 256
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(5e-3, steps))
    )
    rows = len(train[0] if isinstance(train, tuple) else train)
    epochs = -(-steps * batch_size // rows)
    model.fit(train, batch_size=batch_size, epochs=epochs, verbose=0)
    seconds = time.monotonic() - begin
    train_elbo = model.evaluate(train, return_dict=True, verbose=0)["elbo"]
    elbo = model.evaluate(held, return_dict=True, verbose=0)["elbo"]
    figures = {"train_elbo": train_elbo, "elbo": elbo, "seconds": round(seconds)}
    return np.asarray(model.encode(held)), figures


def overlay(z, data, file):
    """Draws the first held-out rows of eight segments, recovered over true."""
    rows = np.arange(8 * HELD_OUT).reshape(8, HELD_OUT)[:, :40].ravel()
    recovered = tfvae.metrics.align(z, data.sources)
    figure, panels = plt.subplots(5, 1, figsize=[10, 6], sharex=True)
    for j, panel in enumerate(panels):
        panel.plot(data.sources[rows, j], color="0.6", lw=2.5, label="source")
        panel.plot(recovered[rows, j], color="C3", lw=0.9, label="recovered")
        r = np.corrcoef(data.sources[:, j], recovered[:, j])[0, 1]
        panel.set_ylabel(f"{j}: {r:.3f}")
        for start in range(40, len(rows), 40):
            panel.axvline(start, color="0.8", lw=0.5)
    panels[0].legend(loc="upper right", ncols=2)
    panels[-1].set_xlabel("held-out rows, 40 of each of eight segments")
    figure.savefig(file, dpi=80, bbox_inches="tight")


def write(path, row):
    """Appends a row, rounded, with a header where the file is new."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(
            {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        )


if __name__ == "__main__":
    main()
