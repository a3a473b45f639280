"""MADE on the binary data sets of its paper: test log p(x) in nats.

Trains until validation data stop getting better, takes the best epoch and measures the
whole test split. Appends a row a run to --out.
"""

import argparse
import csv
import pathlib
import time

import keras
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("data", help="a .npz with train, valid and test, or a data set")
parser.add_argument("--hidden-units", type=int, nargs="*", default=[500])
parser.add_argument("--masks", type=int, default=1)
parser.add_argument("--order", default="natural", help="or random")
parser.add_argument("--optimizer", choices=("AdamW", "SGD"), default="AdamW")
parser.add_argument("--rate", type=float, default=1e-3)
parser.add_argument("--final", type=float, default=1.0, help="share of the rate left")
parser.add_argument("--decay", type=float, default=0.0, help="of the weights")
parser.add_argument("--batch-size", type=int, default=100)
parser.add_argument("--epochs", type=int, default=500)
parser.add_argument("--patience", type=int, default=30)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--manual-dir")
parser.add_argument("--data-dir")
parser.add_argument("--out", type=pathlib.Path, default="made.csv")
options = parser.parse_args()

keras.utils.set_random_seed(options.seed)
train, valid, test = (
    np.concatenate(list(split))
    for split in tfvae.data.load(
        options.data,
        manual_dir=options.manual_dir,
        data_dir=options.data_dir,
        seed=options.seed,
    )
)
network = tfvae.layers.MaskedAutoencoder(
    train.shape[1:],
    options.hidden_units,
    order=options.order,
    direct=True,
    sampled=options.masks > 1,
    num_masks=options.masks,
    seed=options.seed,
)
model = tfvae.MADE(network)
kind = getattr(keras.optimizers, options.optimizer)
steps = options.epochs * -(-len(train) // options.batch_size)
rate = keras.optimizers.schedules.CosineDecay(options.rate, steps, alpha=options.final)
optimizer = kind(rate, weight_decay=options.decay)
optimizer.exclude_from_weight_decay(var_names=["bias"])
model.compile(optimizer)
best = keras.callbacks.EarlyStopping(
    "val_log_prob", mode="max", patience=options.patience, restore_best_weights=True
)
begin = time.perf_counter()
history = model.fit(
    train,
    validation_data=valid,
    batch_size=options.batch_size,
    epochs=options.epochs,
    callbacks=[best],
    verbose=0,
).history
row = {
    "data": pathlib.Path(options.data).stem,
    "hidden_units": " ".join(map(str, options.hidden_units)),
    "masks": options.masks,
    "order": options.order,
    "optimizer": options.optimizer,
    "rate": options.rate,
    "final": options.final,
    "decay": options.decay,
    "batch_size": options.batch_size,
    "seed": options.seed,
    "epochs": len(history["loss"]),
    "seconds": round(time.perf_counter() - begin),
    "valid": round(float(np.max(history["val_log_prob"])), 3),
    "test": round(float(np.mean(model.log_prob(test))), 3),
}
print(*(f"{key}={value}" for key, value in row.items()))
new = not options.out.exists()
with open(options.out, "a", newline="") as file:
    writer = csv.DictWriter(file, row)
    if new:
        writer.writeheader()
    writer.writerow(row)
