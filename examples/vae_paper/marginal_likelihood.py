"""Figure 3 of the VAE paper: log p(x) while training on few and on many images.

As in the paper: 3 latents, 100 tanh hidden units, batches of 100, Adagrad, 1,000 or
50,000 training images. log p(x) by importance sampling, on a random thousand images.
"""

import argparse
import itertools
import json
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np

import tfvae

BATCH = 100

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--train", type=int, nargs="+", default=[1_000, 50_000])
parser.add_argument("--samples", type=float, default=1e7, help="seen in training")
parser.add_argument("--draws", type=int, default=1_000, help="importance samples")
parser.add_argument("--data", default="mnist")
parser.add_argument("--manual-dir", help="folder with the original files")
parser.add_argument("--data-dir", help="folder for what TFDS prepares of them")
parser.add_argument("--out", type=pathlib.Path, default="vae_paper")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)

places = {"data_dir": options.data_dir, "manual_dir": options.manual_dir}
places = {key: value for key, value in places.items() if value}
grey = tfvae.data.load(options.data, shuffle=False, **places)
grey = [np.concatenate(list(split)) for split in grey]
shape = grey[0].shape[1:]
steps = options.samples / BATCH
stops = np.geomspace(20, steps, int(4 * np.log10(steps / 20)) + 2)
stops = np.unique(np.ceil(stops / 20).astype(int) * 20).tolist()

figure, axes = plt.subplots(figsize=[5, 4])
for color, num_train in zip("rb", options.train, strict=False):
    keras.utils.set_random_seed(0)
    splits = tfvae.data.load(
        (grey[0][:num_train], *grey[1:]), binarize="dynamic", batch_size=BATCH
    )
    some = [np.concatenate(list(s)) for s in (splits.train, splits.test)]
    rng = np.random.default_rng(0)
    some = [rng.permutation(x)[:1_000] for x in some]
    encoder = tfvae.networks.mlp_encoder(shape, [100], "tanh")
    decoder = tfvae.networks.mlp_decoder(shape, [100], "tanh")
    model = tfvae.VAE(encoder, decoder, latent_dim=3)
    model.compile(keras.optimizers.Adagrad(0.02))
    points = []
    for start, stop in itertools.pairwise([0, *stops]):
        model.fit(splits.train.repeat(), steps_per_epoch=stop - start, verbose=0)
        log_p = [model.log_marginal(x, options.draws, seed=0).mean() for x in some]
        points.append([stop * BATCH, *map(float, log_p)])
        print(f"{num_train} images: {points[-1]}", flush=True)
    (options.out / f"marginal-{num_train}.json").write_text(json.dumps(points))
    for values, style, name in zip(
        np.array(points).T[1:], ["-", "--"], ["train", "test"], strict=True
    ):
        label = f"{num_train:,} images, {name}"
        axes.semilogx(np.array(points)[:, 0], values, color + style, label=label)
axes.set(xlabel="training samples seen", ylabel="log p(x) in nats", ylim=[-250, None])
axes.legend()
figure.savefig(options.out / "vae_paper_figure_3.png", dpi=80, bbox_inches="tight")
