"""A PixelCNN of digits by their label: grey levels, samples, completions, serving."""

import argparse
import pathlib

import keras
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("by_label"))
options = parser.parse_args()

keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load("digits", batch_size=32, labels=True)
network = tfvae.layers.GatedPixelNetwork(
    (8, 8, 1), filters=24, num_blocks=4, params_size=17, context_dim=10
)
likelihood = tfvae.likelihoods.Categorical(network, levels=17)
model = tfvae.PixelCNN(likelihood, num_classes=10)
model.compile(keras.optimizers.Adam(3e-3))
best = keras.callbacks.EarlyStopping(
    "val_log_prob", mode="max", patience=5, restore_best_weights=True
)
model.fit(
    train, validation_data=valid, epochs=options.epochs, callbacks=[best], verbose=2
)

x, y = (np.concatenate(column) for column in zip(*test, strict=True))
log_prob = np.stack([model.log_prob(x, y=label) for label in range(10)])
print(f"test log p(x | y): {np.mean(log_prob[y, np.arange(len(y))]):.2f} nats")
right = np.mean(np.argmax(log_prob, axis=0) == y)  # by Bayes' rule, labels even
print(f"labels that are most probable given x: {right:.1%} right")

options.out.mkdir(parents=True, exist_ok=True)
samples = model.sample(100, seed=0, y=np.repeat(np.arange(10), 10))
grid = tfvae.plots.image_grid(samples, row_labels=list("0123456789"))
grid.savefig(options.out / "samples.png")
print(tfvae.export.to_saved_model(model, options.out / "pixelcnn"))
