"""Samples a second: pixel by pixel, kept or by full passes, and of a ladder at once.

28 x 28 pixels in batches, both ways compiled (by XLA where it is faster for that way),
from the same noise, in turns; prints images a second, the median of the ratios and how
much of the images is equal. Then `sample(64)` of the ladder of `ladder_vae_mnist`.
"""

import argparse
import time

import numpy as np
import tensorflow as tf

import tfvae
from tfvae.layers.autoregressive import by_full_passes

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--size", type=int, default=28, help="rows and columns of an image")
options = parser.parse_args()

SHAPE = (options.size, options.size, 1)
NETWORKS = {
    "MADE, 1000-1000": lambda: tfvae.layers.MaskedAutoencoder(SHAPE, [1000, 1000]),
    "gated PixelCNN": lambda: tfvae.layers.GatedPixelNetwork(SHAPE),
    "residual PixelCNN": lambda: tfvae.layers.ResidualPixelNetwork(SHAPE),
}
noise = tf.constant(
    np.random.default_rng(0).random([options.batch_size, *SHAPE]), tf.float32
)
noise = tf.reshape(noise, [options.batch_size, -1])


def timed(sampler):
    """Seconds of a call, and what it gave."""
    begin = time.perf_counter()
    x = sampler().numpy()
    return time.perf_counter() - begin, x


def compiled(network, generate, jit_compile):
    """A sampler without arguments that draws Bernoulli pixels from the noise."""

    def choose(i, params):
        return tf.cast(noise[:, i] < tf.sigmoid(params[:, 0]), tf.float32)

    return tf.function(
        lambda: generate(network, choose, options.batch_size),
        jit_compile=jit_compile,
        autograph=False,
    )


for name, make in NETWORKS.items():
    network = make()
    network.build()
    ways = {}
    for way, generate in (("fast", type(network).generate), ("full", by_full_passes)):
        both = [compiled(network, generate, jit) for jit in (False, True)]
        both = [(timed(sampler), timed(sampler), sampler) for sampler in both]
        ways[way] = min(both, key=lambda one: one[1][0])[2]
    rounds = [{way: timed(f) for way, f in ways.items()} for _ in range(options.runs)]
    seconds = np.array([[r[way][0] for way in ways] for r in rounds])
    fast, full = options.batch_size / np.median(seconds, axis=0)
    ratio = np.median(seconds[:, 1] / seconds[:, 0])
    equal = np.mean(rounds[0]["fast"][1] == rounds[0]["full"][1])
    print(
        f"{name:18} {fast:8.1f} images/s, full passes {full:6.1f}: {ratio:5.1f} x, "
        f"{equal:.2%} of the pixels equal",
        flush=True,
    )

ladder = tfvae.ResNetVAE(SHAPE, [(1, 1, 16), (7, 3, 8)], units=[128, 48])
seconds = [timed(lambda: ladder.sample(64, seed=0))[0] for _ in range(options.runs + 1)]
print(f"ladder, 64 images  {np.median(seconds[1:]):8.3f} s")
