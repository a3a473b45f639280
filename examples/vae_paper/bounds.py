"""Figure 2 of the VAE paper: the bound on train and test against samples seen.

As in the paper: one hidden layer of tanh units (MNIST 500, Frey Face 200), batches of
100, Adagrad. MNIST is binarized anew each epoch; of Frey Face, a random fifth of the
frames is held out. Leaves, for each latent size, a model and its curve in --out.
"""

import argparse
import itertools
import json
import pathlib
import time

import keras
import numpy as np

import tfvae

BATCH = 100


def load(data, **places):
    """Train and test data sets of x."""
    places = {key: value for key, value in places.items() if value}
    if data != "frey_face":
        train, _, test = tfvae.data.load(
            data, binarize="dynamic", batch_size=BATCH, **places
        )
        return train, test
    video = tfvae.data.load(data, shuffle=False, **places)
    frames = np.concatenate([batch for split in video for batch in split])
    train, _, test = tfvae.data.load(  # one array is cut in a random order
        frames, batch_size=BATCH, test_fraction=0.2, validation_fraction=0.01
    )
    return train, test


def build(data, shape, latent_dim):
    """The paper's model: Bernoulli pixels for MNIST, Gaussian ones for Frey Face."""
    frey = data == "frey_face"
    units = [200 if frey else 500]
    encoder = tfvae.networks.mlp_encoder(shape, units, "tanh")
    decoder = tfvae.networks.mlp_decoder(shape, units, "tanh", 2 if frey else 1)
    if frey:
        decoder = tfvae.likelihoods.Normal(
            decoder, "predicted", loc_activation="sigmoid", min_scale=0.01
        )
    return tfvae.VAE(encoder, decoder, latent_dim=latent_dim)


def curve(model, train, test, num_samples):
    """Trains; yields the samples seen and the bounds at about eight points a decade."""
    stops = np.geomspace(20, num_samples / BATCH, int(8 * np.log10(num_samples)) - 26)
    stops = np.unique(np.ceil(stops / 20).astype(int) * 20)
    for start, stop in itertools.pairwise([0, *stops.tolist()]):
        model.fit(train.repeat(), steps_per_epoch=stop - start, verbose=0)
        logs = [model.evaluate(x, verbose=0, return_dict=True) for x in (train, test)]
        yield stop * BATCH, logs[0]["elbo"], logs[1]["elbo"]


def main():
    """Trains one model for each latent size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", help="mnist, frey_face, digits or a TFDS name")
    parser.add_argument(
        "--latents", type=int, nargs="+", default=[2, 3, 5, 10, 20, 200]
    )
    parser.add_argument("--samples", type=float, default=1e7, help="seen in training")
    parser.add_argument("--learning-rate", type=float, default=0.02)
    parser.add_argument("--manual-dir", help="folder with the original files")
    parser.add_argument("--data-dir", help="folder for what TFDS prepares of them")
    parser.add_argument("--out", type=pathlib.Path, default="vae_paper")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    train, test = load(
        options.data, data_dir=options.data_dir, manual_dir=options.manual_dir
    )
    for latent_dim in options.latents:
        keras.utils.set_random_seed(0)
        model = build(options.data, train.element_spec.shape[1:], latent_dim)
        model.compile(keras.optimizers.Adagrad(options.learning_rate))
        begin, points = time.time(), []
        for point in curve(model, train, test, options.samples):
            points.append(point)
            print(f"{options.data} {latent_dim}: {point}", flush=True)
        minutes = (time.time() - begin) / 60
        print(f"{minutes:.1f} min", flush=True)
        name = options.out / f"{options.data}-{latent_dim}"
        name.with_suffix(".json").write_text(json.dumps(points))
        model.save(name.with_suffix(".keras"))


if __name__ == "__main__":
    main()
