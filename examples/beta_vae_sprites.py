"""Separates position, scale and rotation of drawn ellipses by a beta that falls.

    python examples/beta_vae_sprites.py

Ellipses of 32 x 32 in every scale, position and rotation. While beta is high the
latents hold what is worth most nats, positions and scale, one each; as it falls,
rotation is let in beside them. Draws each active latent from one ellipse.
"""

import argparse

import keras
import numpy as np
from sklearn.feature_selection import mutual_info_classif

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--images", type=int, default=80_000)
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--betas", type=float, nargs=2, default=[8.0, 3.0])
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()

FACTORS = ["scale", "orientation", "position x", "position y"]
ELLIPSES = {"shape": [1], "orientation": range(39), "image_size": 32}
x = tfvae.data.sprites(options.images, seed=0, **ELLIPSES).x
held_out = tfvae.data.sprites(5000, seed=1, **ELLIPSES)

keras.utils.set_random_seed(options.seed)
steps = options.epochs * -(-len(x) // 64)
schedules, (first, last) = keras.optimizers.schedules, options.betas
model = tfvae.BetaVAE(
    tfvae.networks.conv_encoder((32, 32, 1), [16, 32, 32], 128),
    tfvae.networks.conv_decoder((32, 32, 1), [32, 32, 16], 128),
    latent_dim=6,
    beta=schedules.PolynomialDecay(first, int(0.7 * steps), last),
)
model.compile(keras.optimizers.Adam(schedules.CosineDecay(1e-3, steps, 0.1)))
model.fit(x, batch_size=64, epochs=options.epochs, verbose=2)

z, factors = np.asarray(model.encode(held_out.x)), held_out.factors[:, 1:]
told = np.transpose([mutual_info_classif(z, f, random_state=0) for f in factors.T])
active = [d for d in np.argsort(told.argmax(1)) if z[:, d].var() > 0.01]
print(f"{len(active)} active latents; MIG: {tfvae.metrics.mig(z, factors):.3f}")
ellipse = tfvae.data.render_sprites([[1, 3, 7, 16, 16]], 32)
moved = np.tile(model.encode(ellipse), [len(active), 9, 1])
for row, d in zip(moved, active, strict=True):
    row[:, d] = np.linspace(-1.7, 1.7, 9)
images = np.clip(model.decode(moved.reshape(-1, 6)), 0, 1)
labels = [f"z{d}: {FACTORS[told[d].argmax()]}, {told[d].max():.1f}" for d in active]
title = "What each latent moves, and the nats it tells of a factor"
figure = tfvae.plots.image_grid(images, columns=9, row_labels=labels, title=title)
figure.savefig("beta_vae_sprites.png")
