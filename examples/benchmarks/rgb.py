"""PixelCNN on colour photographs: test bits per dimension, and samples.

The two photographs that scikit-learn brings along, at half their size, cut into
patches: from the left for training, then for validation, at the right for the test.
Compares with what knows no neighbours: bytes of equal probability, and each channel's
histogram of the training patches. Writes samples and completions beside.
"""

import argparse
import time

import keras
import numpy as np
from sklearn.datasets import load_sample_images

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--size", type=int, default=16, help="rows and columns of a patch")
parser.add_argument("--filters", type=int, default=30)
parser.add_argument("--blocks", type=int, default=5)
parser.add_argument("--components", type=int, default=5)
parser.add_argument("--rate", type=float, default=3e-3)
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--patience", type=int, default=10)
parser.add_argument("--stride", type=int, default=4, help="between training patches")
parser.add_argument("--seed", type=int, default=0)
options = parser.parse_args()


def patches(begin, end, stride):
    """Patches of both photographs, from one share of their columns to another."""
    found, size = [], options.size
    for photo in load_sample_images().images:
        rows, columns, channels = np.array(photo.shape) // (2, 2, 1)
        photo = photo[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, channels)
        small = photo.mean(axis=(1, 3)).round() / 255
        part = small[:, round(begin * columns) : round(end * columns)]
        windows = np.lib.stride_tricks.sliding_window_view(part, (size, size), (0, 1))
        windows = np.moveaxis(windows[::stride, ::stride], 2, -1)
        found.append(windows.reshape(-1, size, size, channels))
    return np.concatenate(found).astype("float32")


keras.utils.set_random_seed(options.seed)
train, valid = patches(0, 0.7, options.stride), patches(0.7, 0.8, options.size)
test = patches(0.8, 1, options.size)
network = tfvae.layers.GatedPixelNetwork(
    train.shape[1:],
    options.filters,
    options.blocks,
    params_size=3 * options.components,
    kernel_size=5,
)
model = tfvae.PixelCNN(
    tfvae.likelihoods.DiscretizedLogistic(network, num_components=options.components)
)
steps = options.epochs * -(-len(train) // 32)
rate = keras.optimizers.schedules.CosineDecay(options.rate, steps, alpha=0.01)
model.compile(keras.optimizers.Adam(rate))
best = keras.callbacks.EarlyStopping(
    "val_log_prob", mode="max", patience=options.patience, restore_best_weights=True
)
begin = time.perf_counter()
history = model.fit(
    train,
    validation_data=valid,
    batch_size=32,
    epochs=options.epochs,
    verbose=0,
    callbacks=[best],
)
minutes = (time.perf_counter() - begin) / 60


def bits(log_prob):
    """Bits per dimension of log-densities in nats, `[batch]`."""
    return -np.mean(log_prob) / np.log(2) / model.network.dim


def levels(x, channel):
    """Bytes of a channel, in a row."""
    return (255 * x[..., channel]).round().astype(int).ravel()


codes = []  # bits for each byte of the test patches, by the histograms of training
for channel in range(3):
    counts = 1 + np.bincount(levels(train, channel), minlength=256)
    codes.append(-np.log2(counts / counts.sum())[levels(test, channel)])
print(
    f"{len(train)} patches, {len(history.epoch)} epochs, {minutes:.1f} min: bits per "
    f"dimension, validation {bits(model.log_prob(valid)):.3f}, test "
    f"{bits(model.log_prob(test)):.3f}; histograms {np.mean(codes):.3f}, uniform 8"
)
upper = np.arange(options.size)[:, None, None] < options.size // 2
tfvae.plots.samples(model, 36).savefig("rgb_samples.png")
tfvae.plots.completions(model, test[::7][:6], upper).savefig("rgb_completions.png")
