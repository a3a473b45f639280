"""Train a VAE, measure it, and write it for TF Serving and for a phone."""

import argparse
import pathlib

import keras

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--data", default="digits", help="digits, or a TFDS name: mnist")
parser.add_argument("--manual-dir", help="folder of original files already downloaded")
parser.add_argument("--epochs", type=int, default=50)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("deployed"))
options = parser.parse_args()

keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load(
    options.data, binarize="dynamic", manual_dir=options.manual_dir
)
shape = train.element_spec.shape[1:]
model = tfvae.VAE(
    tfvae.networks.mlp_encoder(shape, [256]),
    tfvae.networks.mlp_decoder(shape, [256]),
    latent_dim=8,
)
model.compile("adam")
model.fit(train, validation_data=valid, epochs=options.epochs, verbose=2)

log_p = tfvae.metrics.log_marginal(model, test, num_samples=100)
bits = tfvae.metrics.bits_per_dim(log_p.mean(), shape)
print(f"test log p(x): {log_p.mean():.2f} nats, {bits:.3f} bits per pixel")

options.out.mkdir(parents=True, exist_ok=True)
model.save(options.out / "vae.keras")
print(tfvae.export.to_saved_model(model, options.out / "vae"))
print(tfvae.export.to_tflite(model, options.out / "vae.tflite"))
