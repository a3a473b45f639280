"""Separates position, scale and rotation of drawn hearts by a beta-VAE whose KL grows.

    python examples/beta_vae_sprites.py

Hearts of 32 x 32 in every scale and position, turned by up to half a turn, which their
pixels tell. The capacity lets nats in one after another, so that the latents take
the factors in the order of what they are worth. Draws each active latent from one heart.
"""

import argparse

import keras
import numpy as np
from sklearn.feature_selection import mutual_info_classif

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--images", type=int, default=100_000)
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--beta", type=float, default=20.0)
parser.add_argument("--capacity", type=float, default=14.0, help="nats at the end")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

FACTORS = ["scale", "orientation", "position x", "position y"]
HEARTS = {"shape": [2], "orientation": range(20), "image_size": 32}
x = tfvae.data.sprites(options.images, seed=0, **HEARTS).x
held_out = tfvae.data.sprites(5000, seed=1, **HEARTS)

keras.utils.set_random_seed(options.seed)
steps = options.epochs * -(-len(x) // 64)
model = tfvae.BetaVAE(
    tfvae.networks.mlp_encoder((32, 32, 1), [512, 256]),
    tfvae.networks.mlp_decoder((32, 32, 1), [256, 512]),
    latent_dim=6,
    beta=options.beta,
    capacity=tfvae.objectives.warm_up(int(0.8 * steps), options.capacity),
)
rate = keras.optimizers.schedules.CosineDecay(1e-3, steps, 0.01)
model.compile(keras.optimizers.Adam(rate))
model.fit(x, batch_size=64, epochs=options.epochs, verbose=2)

z, factors = np.asarray(model.encode(held_out.x)), held_out.factors[:, 1:]
print(f"MIG: {tfvae.metrics.mig(z, factors):.3f}")
told = np.transpose([mutual_info_classif(z, f, random_state=0) for f in factors.T])
active = [d for d in np.argsort(told.argmax(1)) if z[:, d].var() > 0.01]
heart = tfvae.data.render_sprites([[2, 3, 10, 16, 16]], 32)
moved = np.tile(model.encode(heart), [len(active), 9, 1])
for row, d in zip(moved, active, strict=True):
    row[:, d] = np.linspace(-2, 2, 9)
images = np.clip(model.decode(moved.reshape(-1, 6)), 0, 1)
labels = [f"z{d}: {FACTORS[told[d].argmax()]}, {told[d].max():.1f}" for d in active]
title = "nats that a latent tells of a factor"
figure = tfvae.plots.image_grid(images, columns=9, row_labels=labels, title=title)
figure.savefig("beta_vae_sprites.png")
