"""Recovers sources from nonlinear mixtures: iVAE against VAE, beta-VAE and FastICA.

The experiment of the iVAE paper: 40 segments of 1,000 rows, five sources, three mixing
layers. Every figure is of 200 more rows of each segment, which no model has seen. x is
whitened with the training rows. VAE and beta-VAE have the networks of the iVAE, a
posterior of full covariance too, and the scale of decoder that the iVAE has learned.
"""

import argparse
import csv
import pathlib
import time
import warnings

import keras
import numpy as np
from sklearn.decomposition import FastICA

import tfvae

FIELDS = "seed,layers,segments,model,mcc,spearman,weak,elbo,scale,seconds".split(",")
WIDTH, LENGTH, HELD_OUT = 64, 1000, 200


def main():
    """Writes a row for each model and seed, and each depth and number of segments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--segments", type=int, default=40)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--out", default="runs/nonlinear_ica.csv")
    args = parser.parse_args()
    for seed in args.seeds:
        data, scale = Data(seed, args.layers, args.segments), 0.1
        for name in args.models:
            row = {"seed": seed, "layers": args.layers, "segments": args.segments}
            row |= {"model": name} | MODELS[name](data, args.steps, scale)
            scale = row.get("scale", scale)
            write(pathlib.Path(args.out), row)
            print(row, flush=True)


class Data:
    """Whitened mixtures, split into training and held-out rows."""

    def __init__(self, seed, layers, segments):
        length = LENGTH + HELD_OUT
        x, u, sources = tfvae.data.nonlinear_ica(
            segments, length, num_layers=layers, seed=seed
        )
        held = np.arange(len(x)) % length >= LENGTH
        values, vectors = np.linalg.eigh(np.cov(x[~held].T))
        x = (x - x[~held].mean(0)) @ (vectors / np.sqrt(values)).astype("float32")
        self.seed, self.segments = seed, segments
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
    """The iVAE; it learns the scale of its decoder."""
    keras.utils.set_random_seed(data.seed)
    encoder, decoder = networks(depth=2)
    likelihood = tfvae.likelihoods.Normal(decoder, "learned")
    joint = tfvae.layers.JointEncoder(encoder, [WIDTH], activation="leaky_relu")
    posterior = tfvae.posteriors.FullCovariance(joint, 5)
    prior = tfvae.priors.ConditionalNormal(5, num_classes=data.segments, has_loc=False)
    model = tfvae.IVAE(posterior, likelihood, prior=prior)
    figures = trained(model, data, data.train, data.held, steps)
    return figures | {"scale": float(likelihood(np.zeros([1, 5])).stddev()[0, 0])}


def vae(data, steps, scale, beta=1.0):
    """The same networks without u."""
    keras.utils.set_random_seed(data.seed)
    encoder, decoder = networks(depth=3)
    likelihood = tfvae.likelihoods.Normal(decoder, scale)
    posterior = tfvae.posteriors.FullCovariance(encoder, 5)
    model = tfvae.BetaVAE(posterior, likelihood, beta=beta)
    figures = trained(model, data, data.train[0], data.held[0], steps)
    return figures | {"scale": scale}


def beta_vae(data, steps, scale):
    """The VAE with a heavier KL."""
    return vae(data, steps, scale, beta=4.0)


def linear_ica(data, steps, scale):
    """FastICA, which knows nothing of u and of nonlinear mixtures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not always converge
        ica = FastICA(whiten="unit-variance", random_state=data.seed, max_iter=1000)
        ica.fit(data.train[0])
    return data.figures(ica.transform(data.held[0]))


MODELS = {"ivae": ivae, "vae": vae, "beta_vae": beta_vae, "linear_ica": linear_ica}


def networks(depth):
    """Encoder and decoder of leaky rectifiers."""
    mlp, shape = tfvae.networks, (5,)
    encoder = mlp.mlp_encoder(shape, [WIDTH] * depth, "leaky_relu")
    return encoder, mlp.mlp_decoder(shape, [WIDTH] * 3, "leaky_relu")


def trained(model, data, train, held, steps):
    """Trains a model; its figures on the held-out rows."""
    begin, batch_size = time.monotonic(), 256
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps))
    )
    epochs = -(-steps * batch_size // len(data.train[0]))
    model.fit(train, batch_size=batch_size, epochs=epochs, verbose=0)
    seconds = time.monotonic() - begin
    terms = model.evaluate(held, return_dict=True, verbose=0)
    figures = data.figures(model.encode(held))
    return figures | {"elbo": terms["elbo"], "seconds": round(seconds)}


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
