"""VAE, VAE-GAN and GAN of the same decoder: how near are their samples to data?

DCGAN's networks, 64 latents, a learning rate that falls to nothing. A small classifier,
trained on the same training images, gives the classes and the features (its last hidden
layer, or with --inception those of Keras's InceptionV3). 10,000 samples against the
10,000 test images: Frechet distance, precision and recall, classes covered; and the
sharpness of reconstructions, as a share of that of the data; and how many batches were
skipped as they gave no finite gradients. The floor is 10,000 training images in place
of samples. Appends a row a run to --out.
"""

import argparse
import csv
import pathlib
import time

import keras
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--data", default="mnist")
parser.add_argument("--models", nargs="+", default=["real", "vae", "vae_gan", "gan"])
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--limit", type=int, default=60_000, help="training images")
parser.add_argument("--loss", default="non_saturating", help="of the discriminator")
parser.add_argument("--gradient-penalty", type=float, help="its weight, of the loss")
parser.add_argument("--feature-scale", type=float, default=0.15)
parser.add_argument("--gamma", type=float, default=0.002, help="of the VAE-GAN")
parser.add_argument("--learning-rate", type=float, default=5e-4)
parser.add_argument("--filters", type=int, default=32)
parser.add_argument(
    "--inception", action="store_true", help="its features, which are downloaded"
)
parser.add_argument("--data-dir")
parser.add_argument("--manual-dir", help="folder of the data set's original files")
parser.add_argument("--out", type=pathlib.Path, default="adversarial.csv")
parser.add_argument("--pictures", type=pathlib.Path, default=".")
options = parser.parse_args()
LATENTS, BATCH = 64, 128
LOSS = tfvae.objectives.AdversarialLoss(
    options.loss, gradient_penalty=options.gradient_penalty
)


def arrays(split):
    """Images in [0, 1] and labels of a split."""
    parts = zip(*split, strict=True)
    return [np.concatenate(list(part))[: options.limit] for part in parts]


def classifier(x, y):
    """Features and class probabilities, of networks trained here."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input(x.shape[1:])]
    for n in (32, 64):
        layers.append(keras.layers.Conv2D(n, 3, 2, "same", activation="relu"))
    layers += [keras.layers.Flatten(), keras.layers.Dense(64, "relu")]
    features = keras.Sequential(layers)
    logits = keras.layers.Dense(int(y.max()) + 1)(features.outputs[0])
    whole = keras.Model(features.inputs, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    whole.compile("adam", loss, metrics=["accuracy"])
    whole.fit(x, y, batch_size=BATCH, epochs=4, verbose=0)
    return features, whole


def vae(shape):
    """The plain one, of Bernoulli pixels."""
    decoder = tfvae.networks.dcgan_generator(shape, options.filters, None)
    return tfvae.VAE(encoder(shape), decoder, latent_dim=LATENTS), ["optimizer"]


def vae_gan(shape):
    """The same encoder and decoder with a discriminator."""
    decoder = tfvae.networks.dcgan_generator(shape, options.filters, None)
    model = tfvae.VAEGAN(
        encoder(shape),
        decoder,
        discriminator(shape),
        latent_dim=LATENTS,
        feature_scale=options.feature_scale,
        gamma=options.gamma,
        adversarial_loss=LOSS,
    )
    return model, [player.optimizer_name for player in model.players]


def gan(shape):
    """The decoder as generator."""
    generator = tfvae.networks.dcgan_generator(shape, options.filters)
    model = tfvae.GAN(
        generator,
        discriminator(shape),
        latent_dim=LATENTS,
        adversarial_loss=LOSS,
    )
    return model, [player.optimizer_name for player in model.players]


def encoder(shape):
    """The discriminator's network without a head."""
    return tfvae.networks.dcgan_discriminator(shape, options.filters)


def discriminator(shape):
    """With features of the last convolution."""
    network = encoder(shape)
    *_, last = (layer.name for layer in network.layers if layer.name[:5] == "conv_")
    return tfvae.layers.Discriminator(network, feature_layer=last)


MODELS = {"vae": vae, "vae_gan": vae_gan, "gan": gan}


def trained(name, x):
    """A trained model and the seconds that took."""
    keras.utils.set_random_seed(options.seed)
    model, optimizers = MODELS[name](x.shape[1:])
    steps = options.epochs * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps, 0.01)
    adam = keras.optimizers.Adam(rate, beta_1=0.5)
    model.compile(**dict.fromkeys(optimizers, adam))
    begin = time.perf_counter()
    model.fit(x, batch_size=BATCH, epochs=options.epochs, verbose=2)
    return model, time.perf_counter() - begin


def figures(samples, test, features, whole):
    """How near samples are to test images."""
    labels = whole.predict(samples, verbose=0).argmax(axis=1)
    near = tfvae.metrics.precision_recall(test, samples, features)
    return {
        "frechet": tfvae.metrics.frechet_distance(test, samples, features),
        "precision": near.precision,
        "recall": near.recall,
        "modes": tfvae.metrics.modes_covered(labels, whole.output_shape[-1]),
    }


def pictured(name, model, test):
    """Draws samples and, where there are some, reconstructions, and how sharp."""
    figure = tfvae.plots.samples(model, 64, seed=options.seed)
    figure.savefig(options.pictures / f"{name}.png")
    if isinstance(model, tfvae.GAN):
        return {}
    figure = tfvae.plots.reconstructions(model, test[:16])
    figure.savefig(options.pictures / f"{name}_copies.png")
    copies = np.asarray(model.reconstruct(test))
    sharpness = [tfvae.metrics.sharpness(images) for images in (copies, test)]
    return {"sharpness": sharpness[0] / sharpness[1]}


def main():
    """Trains the classifier, then trains and measures each model."""
    folders = {"data_dir": options.data_dir, "manual_dir": options.manual_dir}
    splits = tfvae.data.load(options.data, labels=True, batch_size=1000, **folders)
    (x, y), (test, test_y) = arrays(splits.train), arrays(splits.test)
    features, whole = classifier(x, y)
    if options.inception:
        features = tfvae.metrics.inception(x.shape[1:])
    accuracy = np.mean(whole.predict(test, verbose=0).argmax(1) == test_y)
    print(f"classifier: {accuracy:.4f} of test images right", flush=True)
    for name in options.models:
        row = {"data": options.data, "model": name, "seed": options.seed}
        if name == "real":
            row |= figures(x[: len(test)], test, features, whole)
        else:
            if name != "vae":
                penalty = LOSS.gradient_penalty
                row |= {"loss": LOSS.kind, "gradient_penalty": penalty}
            row |= {"filters": options.filters, "epochs": options.epochs}
            row["learning_rate"] = options.learning_rate
            model, seconds = trained(name, x)
            row |= {"skipped": int(model.skipped.result()), "seconds": round(seconds)}
            samples = np.asarray(model.sample(len(test), seed=options.seed))
            row |= figures(samples, test, features, whole)
            row |= pictured(f"{options.data}_{name}", model, test)
        write(row)
        print(row, flush=True)


def write(row):
    """Appends a row, rounded, with a header where the file is new."""
    names = "data model loss gradient_penalty filters learning_rate seed epochs"
    names += " frechet precision recall modes sharpness skipped seconds"
    new = not options.out.exists()
    with options.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, names.split())
        if new:
            writer.writeheader()
        short = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(short)


main()
