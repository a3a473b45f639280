"""VAE and VAE-GAN on the Olivetti faces: glasses on and off, on people held out.

Both have DCGAN's networks, Gaussian pixels and a learning rate that falls, and learn 30
people's faces, at random mirrored, shifted by up to three pixels, brighter or darker.
From the latents of these faces comes the attribute vector of glasses; it is added to
the z of held-out people without glasses and taken from that of those who wear some. A
logistic regression on the training images and their mirror images says what it sees, as
probabilities of (without, with): the cosine and the squared distance to what was asked
for, on the average. The same of test images and of reconstructions, which ask for what
they show. Also the sharpness of reconstructions as a share of the images'. Writes
pictures and appends a row a model to --out.
"""

import argparse
import csv
import functools
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--models", nargs="+", default=["vae", "vae_gan"])
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=3400)
parser.add_argument("--filters", type=int, default=16)
parser.add_argument("--feature-scale", type=float, default=0.03)
parser.add_argument("--gamma", type=float, default=1e-4, help="of the VAE-GAN")
parser.add_argument("--gradient-penalty", type=float, default=0.0)
parser.add_argument("--data-dir")
parser.add_argument("--manual-dir", help="folder of olivettifaces.mat")
parser.add_argument("--out", type=pathlib.Path, default="faces.csv")
parser.add_argument("--pictures", type=pathlib.Path, default=".")
options = parser.parse_args()
LATENTS, BATCH = 64, 50


def faces():
    """Images and whether they show glasses, of training and of test people."""
    folders = {"data_dir": options.data_dir, "manual_dir": options.manual_dir}
    splits = tfvae.data.load("olivetti_faces", labels=True, batch_size=400, **folders)
    train, valid, test = ([np.asarray(a) for a in next(iter(s))] for s in splits)
    x, y = (np.concatenate(pair) for pair in zip(train, valid, strict=True))
    return x, y, *test


def varied(x):
    """Endless batches of faces, each time mirrored, shifted and lit anew."""

    def vary(image):
        image = tf.pad(image, [[3, 3], [3, 3], [0, 0]], "SYMMETRIC")
        image = tf.image.random_flip_left_right(
            tf.image.random_crop(image, x.shape[1:])
        )
        return tf.clip_by_value(tf.image.random_brightness(image, 0.1), 0, 1)

    images = tf.data.Dataset.from_tensor_slices(x).shuffle(len(x)).repeat()
    return images.map(vary).batch(BATCH, drop_remainder=True).prefetch(2)


def trained(name, x):
    """A trained model and the seconds that took."""
    keras.utils.set_random_seed(options.seed)
    shape, filters = x.shape[1:], options.filters
    encoder = tfvae.networks.dcgan_discriminator(shape, filters)
    decoder = tfvae.networks.dcgan_generator(shape, filters, None)
    likelihood = tfvae.likelihoods.Normal(
        decoder, "learned", initial_scale=0.1, loc_activation="sigmoid"
    )
    networks = [encoder, likelihood]
    decay = functools.partial(
        keras.optimizers.schedules.CosineDecay, decay_steps=options.steps, alpha=0.01
    )
    adam, fast = (keras.optimizers.Adam(decay(r), beta_1=0.5) for r in (5e-4, 1e-3))
    if name == "vae":
        model = tfvae.VAE(*networks, latent_dim=LATENTS)
        model.compile(adam)
    else:
        network = tfvae.networks.dcgan_discriminator(shape, filters)
        networks.append(tfvae.layers.Discriminator(network, feature_layer="conv_2"))
        weights = {"feature_scale": options.feature_scale, "gamma": options.gamma}
        weights["adversarial_loss"] = tfvae.objectives.AdversarialLoss(
            "non_saturating", gradient_penalty=options.gradient_penalty
        )
        model = tfvae.VAEGAN(*networks, latent_dim=LATENTS, **weights)
        model.compile(adam, adam, discriminator_optimizer=fast)
    begin = time.perf_counter()
    steps = min(200, options.steps)
    epochs = {"epochs": options.steps // steps, "steps_per_epoch": steps}
    model.fit(varied(x), **epochs, verbose=2)
    return model, time.perf_counter() - begin


def similarity(regression, images, asked):
    """Mean cosine and mean squared distance of what is seen to what was asked for."""
    seen = regression.predict_proba(np.asarray(images).reshape(len(images), -1))
    wanted = np.eye(2)[asked]
    cosine = (seen * wanted).sum(axis=1) / np.linalg.norm(seen, axis=1)
    return float(cosine.mean()), float(((seen - wanted) ** 2).mean())


def measured(name, model, regression, data):
    """A row of figures; the picture of held-out people is written."""
    x, y, test, test_y = data
    vector, z = model.attribute_vector(x, y), np.asarray(model.encode(test))
    changed = model.decode(z + np.where(test_y, -1, 1)[:, None] * vector)
    copies = np.asarray(model.decode(z))
    row = {"model": name, "seed": options.seed, "steps": options.steps}
    row["sharpness"] = tfvae.metrics.sharpness(copies) / tfvae.metrics.sharpness(test)
    triples = [("test", test, test_y), ("copies", copies, test_y)]
    for kind, images, asked in [*triples, ("changed", changed, 1 - test_y)]:
        row[f"{kind}_cosine"], row[f"{kind}_square"] = similarity(
            regression, images, asked
        )
    people = np.concatenate([np.flatnonzero(test_y == k)[::9][:5] for k in (0, 1)])
    pictures = {
        "attribute": tfvae.plots.attribute(model, test[people], vector),
        "samples": tfvae.plots.samples(model, 20, seed=options.seed),
    }
    for kind, figure in pictures.items():
        figure.savefig(options.pictures / f"faces_{name}_{kind}.png")
    return row


def main():
    """Trains the regression, then trains and measures each model."""
    data = x, y, test, test_y = faces()
    both, twice = np.concatenate([x, x[:, :, ::-1]]), np.concatenate([y, y])
    regression = LogisticRegression(C=0.001, max_iter=2000)
    regression = make_pipeline(StandardScaler(), regression)
    regression.fit(both.reshape(len(both), -1), twice)
    right = regression.score(test.reshape(len(test), -1), test_y)
    print(f"regression: {right:.2f} of test images right", flush=True)
    for name in options.models:
        model, seconds = trained(name, x)
        row = measured(name, model, regression, data) | {"seconds": round(seconds)}
        row = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        new = not options.out.exists()
        with options.out.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)


main()
