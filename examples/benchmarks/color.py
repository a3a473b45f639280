"""Natural colour images: bits per dimension of a ladder, a flat VAE and a PixelCNN.

Takes an .npz file with `train` and `test`, bytes `[rows, height, width, 3]`; the last
tenth of `train` chooses the epoch. The floor is the histogram of each channel. Each
model has so many epochs that it takes about as long as the others. Adds a row a model
to --out, skips what is there, and draws samples and reconstructions beside.
"""

import argparse
import csv
import functools
import pathlib
import time

import keras
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--models", nargs="+")
parser.add_argument("--share", type=float, default=1.0, help="of the epochs")
parser.add_argument("--components", type=int, default=5)
parser.add_argument("--draws", type=int, default=100)
parser.add_argument("--rows", type=int, help="first rows only, for a short try")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("color.csv"))
options = parser.parse_args()

with np.load(options.data) as file:
    images = {name: file[name][: options.rows] for name in ("train", "test")}
train, test = (images[name].astype("float32") / 255 for name in ("train", "test"))
cut = len(train) * 9 // 10
train, valid = train[:cut], train[cut:]
shape, components = train.shape[1:], options.components
color = functools.partial(tfvae.likelihoods.ColorLogistic, num_components=components)
networks = tfvae.networks


def flat():
    """A flat VAE of residual networks."""
    filters, size = [32, 64, 64], 4 * components
    decoder = networks.resnet_decoder(shape, filters[::-1], 256, params_size=size)
    encoder = networks.resnet_encoder(shape, filters, 256)
    return tfvae.VAE(encoder, color(decoder), latent_dim=128)


def ladder():
    """Six levels on three scales, with masked convolutions as posterior."""
    height = shape[0]
    levels = [(height // 8, 2, 16), (height // 4, 3, 8), (height // 2, 1, 4)]
    options = {"likelihood": color, "params_size": 4 * components, "filters": 32}
    return tfvae.ResNetVAE(shape, levels, units=[96, 64, 48], **options)


def pixelcnn():
    """A gated PixelCNN, which orders the channels itself."""
    size = {"params_size": 3 * components, "kernel_size": 5}
    network = tfvae.layers.GatedPixelNetwork(shape, 30, 5, **size)
    likelihood = tfvae.likelihoods.DiscretizedLogistic
    return tfvae.PixelCNN(likelihood(network, num_components=components))


# Constructor, and epochs.
MODELS = {"flat VAE": (flat, 28), "ladder": (ladder, 18), "PixelCNN": (pixelcnn, 10)}


def bits(nats):
    """Bits per dimension of the mean of log-densities."""
    return float(tfvae.metrics.bits_per_dim(np.mean(nats), shape))


def histogram():
    """Bits per byte of the test images by the channels' histograms of training."""
    codes = []
    for channel in range(3):
        levels = [
            np.round(255 * x[..., channel]).astype(int).ravel() for x in (train, test)
        ]
        counts = 1 + np.bincount(levels[0], minlength=256)
        codes.append(-np.log2(counts / counts.sum())[levels[1]])
    return float(np.mean(codes))


def trained(name):
    """A trained model at its best epoch, and the minutes that it took."""
    keras.utils.set_random_seed(options.seed)
    make, epochs = MODELS[name]
    model, epochs = make(), max(1, round(options.share * epochs))
    steps = epochs * -(-len(train) // 32)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps, 0.01)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, global_clipnorm=1000.0)
    model.compile(optimizer)
    monitor = f"val_{model.monitor}"
    best = keras.callbacks.EarlyStopping(
        monitor, mode="max", patience=epochs, restore_best_weights=True
    )
    log = keras.callbacks.CSVLogger(beside(name, "csv"))
    begin = time.perf_counter()
    given = {"validation_data": valid, "callbacks": [best, log], "verbose": 2}
    model.fit(train, batch_size=32, epochs=epochs, **given)
    return model, (time.perf_counter() - begin) / 60


def beside(name, ending):
    """Path of a file of a model, beside the table."""
    return options.out.with_name(
        f"{options.out.stem}_{name.replace(' ', '_')}.{ending}"
    )


def measure(name):
    """A row of the table: bound, bits by importance sampling, parameters, minutes."""
    if name == "histogram":
        return [name, "", histogram(), 0, 0.0]
    model, minutes = trained(name)
    model.save(beside(name, "keras"))
    tfvae.plots.samples(model, 36).savefig(beside(name, "png"))
    if hasattr(model, "encode"):
        picture = tfvae.plots.reconstructions(model, test[:8])
        picture.savefig(beside(f"{name} copies", "png"))
        bound = bits(model.elbo(test, seed=0))
        exact = bits(model.log_marginal(test, options.draws))
    else:
        bound, exact = "", bits(model.log_prob(test))
    return [name, bound, exact, model.count_params(), minutes]


columns = ["model", "bound", "bits_per_dim", "parameters", "minutes"]
if not options.out.exists():
    options.out.write_text(",".join(columns) + "\n")
with options.out.open(newline="") as file:
    done = {row["model"] for row in csv.DictReader(file)}
for name in options.models or ["histogram", *MODELS]:
    if name not in done:
        row = measure(name)
        with options.out.open("a", newline="") as file:
            csv.writer(file).writerow(
                [f"{n:.4f}" if isinstance(n, float) else n for n in row]
            )
print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
with options.out.open(newline="") as file:
    for row in csv.DictReader(file):
        print(f"| {' | '.join(row.values())} |")
