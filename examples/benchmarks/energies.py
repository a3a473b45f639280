"""Fits each flow to the four 2-D densities of Rezende and Mohamed 2015, table 1."""

import argparse

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=4000)
parser.add_argument("--flows", nargs="+", help="by default all")
parser.add_argument("--out", default="energies.png")
options = parser.parse_args()
FLOWS = {
    "planar, 32": lambda: tfvae.flows.Planar(2, 32),
    "radial, 32": lambda: tfvae.flows.Radial(2, 32),
    "IAF, 8": lambda: tfvae.flows.Autoregressive(
        2, 8, hidden_units=[32, 32], transform="affine"
    ),
    "real NVP, 8": lambda: tfvae.flows.Coupling(2, 8, hidden_units=[32, 32]),
    "spline, 4": lambda: tfvae.flows.Coupling(2, 4, transform="spline"),
}


def log_densities(z):
    """`-U(z)` of all four, `[4, ...]`; those without end stop beyond |z_1| = 4."""
    x, y = z[..., 0], z[..., 1]

    def normal(offset, scale):
        return -0.5 * (offset / scale) ** 2

    def either(*parts):
        return tf.reduce_logsumexp(parts, axis=0)

    wave, dip = tf.sin(np.pi * x / 2), 3 * tf.exp(normal(x - 1, 0.6))
    step = 3 * tf.sigmoid((x - 1) / 0.3)
    two_sides = either(normal(x - 2, 0.6), normal(x + 2, 0.6))
    end = -20 * tf.nn.relu(tf.abs(x) - 4)
    return tf.stack(
        [
            normal(tf.norm(z, axis=-1) - 2, 0.4) + two_sides,
            normal(y - wave, 0.4) + end,
            either(normal(y - wave, 0.35), normal(y - wave + dip, 0.35)) + end,
            either(normal(y - wave, 0.4), normal(y - wave + step, 0.35)) + end,
        ]
    )


@tf.function(jit_compile=True)
def step(prior, optimizer, weights, seed):
    """Lowers `E[log q(z) + U(z)]`, with a weight for each U, by 500 draws."""
    noise = tf.random.stateless_normal([500, 2], seed)
    with tf.GradientTape() as tape:
        z, log_q = prior.from_noise(None, noise)
        loss = tf.reduce_mean(log_q - tf.linalg.matvec(log_densities(z), weights, True))
    found = tape.gradient(loss, prior.trainable_variables)
    optimizer.apply(found, prior.trainable_variables)


def fit(prior, optimizer, i):
    """Trains from anew, with the density hot at first as in the paper."""
    for variable in optimizer.variables:
        variable.assign(tf.zeros_like(variable))
    for number in range(options.steps):
        heat = min(1.0, 0.01 + 2 * number / options.steps)
        step(prior, optimizer, heat * tf.one_hot(i, 4), tf.constant([0, number]))


keras.utils.set_random_seed(0)
grid = np.linspace(-5, 5, 201, dtype="float32")
density = np.exp(log_densities(tf.constant(np.stack(np.meshgrid(grid, grid), axis=-1))))
constants = np.log(density.sum(axis=(1, 2)) * (grid[1] - grid[0]) ** 2)
flows = options.flows or list(FLOWS)
figure, panels = plt.subplots(
    4, 1 + len(flows), figsize=[1.5 + 1.5 * len(flows), 6.2], squeeze=False
)
for panel, picture in zip(panels[:, 0], density, strict=True):
    panel.imshow(picture, origin="lower")
for name, column in zip(flows, panels.T[1:], strict=True):
    prior = tfvae.priors.FlowPrior(2, FLOWS[name]())
    prior.build()
    start = prior.get_weights()
    rate = keras.optimizers.schedules.CosineDecay(5e-3, options.steps)
    optimizer = keras.optimizers.Adam(rate, clipnorm=10.0)
    optimizer.build(prior.trainable_variables)
    for i, panel in enumerate(column):
        prior.set_weights(start)
        fit(prior, optimizer, i)
        z, log_q = prior().experimental_sample_and_log_prob(100_000, seed=[0, 0])
        kl = tf.reduce_mean(log_q - log_densities(z)[i]) + constants[i]
        print(f"density {i + 1}, {name}: KL {kl:.3f} nats", flush=True)
        panel.hist2d(*z.numpy().T, bins=grid)
        panel.set_title(f"{name if i == 0 else ''} {kl:.2f}", fontsize=8)
for panel in panels.flat:
    panel.set_axis_off()
figure.savefig(options.out, dpi=60, bbox_inches="tight")
