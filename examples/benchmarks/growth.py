"""How time and memory grow with batch, width, latents, flow steps, draws and images.

Each point is a process of its own. The slope is that of log(time) against log(size)
from one point to the next: 1 is linear, below 1 a fixed cost still counts.
"""

import argparse
import json
import math
import subprocess
import sys
import time

import numpy as np
import psutil

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--only", help="a part of the name of what to measure")
parser.add_argument("--points", type=int, help="points of each, at most")
parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)


def vae(kind=None, width=400, latent=32, shape=(28, 28, 1), **options):
    """An untrained VAE of dense networks with two layers each."""
    import tfvae

    encoder = tfvae.networks.mlp_encoder(shape, [width, width])
    decoder = tfvae.networks.mlp_decoder(shape, [width, width])
    model = (kind or tfvae.VAE)(encoder, decoder, latent_dim=latent, **options)
    model.compile("adam")
    return model


def pixels(side):
    """An untrained PixelCNN for images of this side."""
    import tfvae

    model = tfvae.PixelCNN(tfvae.layers.GatedPixelNetwork((side, side, 1), 16, 3))
    model.compile("adam")
    return model


def training(model, batch=128, shape=(28, 28, 1), steps=20):
    """A function that trains for some steps, and their number."""
    x = np.random.default_rng(0).random([batch * steps, *shape]) < 0.3
    x = x.astype("float32")
    return (lambda: model.fit(x, batch_size=batch, verbose=0)), steps


def density(draws, rows=100):
    """A function that estimates log p(x) of some rows."""
    model, x = vae(), np.zeros([rows, 28, 28, 1], "float32")
    return (lambda: model.log_marginal(x, draws, seed=0)), 1


def drawing(side):
    """A function that draws images of a PixelCNN."""
    model = pixels(side)
    return (lambda: model.sample(16, seed=0).numpy()), 1


def iaf(steps):
    """Training of a VAE with so many steps of IAF."""
    import tfvae

    return training(vae(tfvae.IAFVAE, num_flows=steps, hidden_units=[320]))


def full(latent):
    """Training of a VAE with a full covariance."""
    import tfvae

    return training(vae(tfvae.FullCovarianceVAE, latent=latent))


def large(side):
    """Training of the dense VAE on images of this side."""
    shape = side, side, 1
    return training(vae(shape=shape), shape=shape)


SWEEPS = {
    "training step, batch": ([32, 128, 512, 2048], lambda n: training(vae(), n)),
    "training step, width": ([100, 400, 1600], lambda n: training(vae(width=n))),
    "training step, latents": ([8, 32, 128, 512], lambda n: training(vae(latent=n))),
    "training step, latents, full covariance": ([8, 32, 128], full),
    "training step, IAF steps": ([1, 2, 4, 8], iaf),
    "training step, side of images": ([14, 28, 56, 112], large),
    "log_marginal, draws": ([100, 1000, 10_000], density),
    "training step, PixelCNN, side": (
        [14, 28, 56],
        lambda n: training(pixels(n), 16, (n, n, 1), 5),
    ),
    "sample, PixelCNN, side": ([14, 28, 56], drawing),
}


def measure(name, size):
    """Milliseconds of the best of some runs, and MB that the process grew by."""
    import tfvae

    tfvae.VAE  # noqa: B018  imports all of it
    before = psutil.Process().memory_info().rss
    job, count = SWEEPS[name][1](size)
    job()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        job()
        times.append((time.perf_counter() - start) / count * 1e3)
    grown = (psutil.Process().memory_info().rss - before) / 2**20
    print(json.dumps([min(times), grown]))


def main():
    """Prints a table a sweep."""
    options = parser.parse_args()
    if options.child:
        measure(options.child[0], int(options.child[1]))
        return
    print("| | size | ms | slope | MB |\n|---|---|---|---|---|")
    for name, (sizes, _) in SWEEPS.items():
        if options.only and options.only not in name:
            continue
        last = None
        for size in sizes[: options.points]:
            command = [sys.executable, __file__, "--child", name, str(size)]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            ms, grown = json.loads(run.stdout.splitlines()[-1])
            slope = ""
            if last:
                slope = f"{math.log(ms / last[1]) / math.log(size / last[0]):.2f}"
            print(f"| {name} | {size} | {ms:.1f} | {slope} | {grown:.0f} |", flush=True)
            last = size, ms


if __name__ == "__main__":
    main()
