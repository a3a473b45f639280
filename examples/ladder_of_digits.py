"""A ladder of latents on digits: levels, temperatures, traversals, one by one."""

import argparse
import pathlib

import keras
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("ladder"))
options = parser.parse_args()

keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load("digits", binarize="dynamic", batch_size=32)
steps = options.epochs * len(train)
model = tfvae.ResNetVAE(
    (8, 8, 1),
    levels=[(1, 1, 6), (2, 1, 4), (4, 1, 4)],  # height, levels, channels; coarse first
    units=[64, 48, 32],
    posterior="iaf",
    objective=tfvae.objectives.ELBO(tfvae.objectives.warm_up(steps // 2), balance=True),
)
rate = keras.optimizers.schedules.CosineDecay(3e-3, steps, 0.01)
model.compile(keras.optimizers.AdamW(rate))
model.fit(train, validation_data=valid, epochs=options.epochs, verbose=2)

x = np.concatenate(list(test))
terms = model.evaluate(x, return_dict=True, verbose=0)
print(
    f"test ELBO {terms['elbo']:.2f} nats, log p(x) {model.log_marginal(x).mean():.2f}"
)
by_channel = tfvae.metrics.kl_per_channel(model, x)
for level, kl in enumerate(by_channel):
    print(f"level {level}: {kl.sum():.2f} nats in {len(kl)} channels")

z = model.encode(x[:1])  # flat: model.split(z) gives a map for each level
print("levels:", [level.shape[1:] for level in model.split(z)])

options.out.mkdir(parents=True, exist_ok=True)
pictures = {
    "levels": tfvae.plots.levels(model, x[:10]),  # the first of x, the rest a prior's
    "temperatures": tfvae.plots.temperatures(model, (0.5, 0.75, 1.0)),
    "traversals": tfvae.plots.traversals(model, z, level=0),
    "kl": tfvae.plots.kl_per_channel(by_channel),
}
for name, figure in pictures.items():
    figure.savefig(options.out / f"{name}.png")
    print(options.out / f"{name}.png")
model.save(options.out / "ladder.keras")
