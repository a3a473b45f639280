"""What a posterior costs in training: epochs of `fit`, in turns with mean-field ones.

784-400-400-z32, batches of 128. Prints milliseconds a step, the median ratio to the
mean-field epoch before it, and the seconds by which the first
epoch, which compiles, takes longer.
"""

import argparse
import time

import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--rows", type=int, default=12_800)
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--posteriors", nargs="+", help="by default all")
options = parser.parse_args()

POSTERIORS = {
    "mean-field": tfvae.posteriors.MeanField,
    "full covariance": tfvae.posteriors.FullCovariance,
    "planar, 10 steps": tfvae.posteriors.PlanarFlow,
    "auxiliary": tfvae.posteriors.Auxiliary,
    "IAF, 1 step": lambda *args: tfvae.posteriors.IAF(*args, num_flows=1),
    "IAF, 2 steps": tfvae.posteriors.IAF,
    "IAF, 4 steps": lambda *args: tfvae.posteriors.IAF(*args, num_flows=4),
}
x = (np.random.default_rng(0).random([options.rows, 28, 28, 1]) < 0.2).astype("float32")


def build(posterior):
    """A compiled VAE with this posterior."""
    encoder = tfvae.networks.mlp_encoder(x.shape[1:], [400, 400])
    decoder = tfvae.networks.mlp_decoder(x.shape[1:], [400, 400])
    model = tfvae.VAE(posterior(encoder, 32), decoder)
    model.compile("adam")
    return model


def seconds(model):
    """Seconds of one epoch."""
    begin = time.perf_counter()
    model.fit(x, batch_size=128, verbose=0)
    return time.perf_counter() - begin


names = ["mean-field", *(options.posteriors or list(POSTERIORS)[1:])]
models = {name: build(POSTERIORS[name]) for name in names}
first = {name: seconds(model) for name, model in models.items()}
times = {name: [] for name in models}
for _ in range(options.epochs):
    for name, model in models.items():
        times[name].append(seconds(model))
for name, epochs in times.items():
    median = np.median(epochs)
    ratio = np.median(np.divide(epochs, times["mean-field"]))
    step = 1e3 * median / (options.rows / 128)
    start = first[name] - median
    print(f"{name:18} {step:6.2f} ms {ratio:6.2f} x  first epoch + {start:5.1f} s")
