"""A VAE of digits, trained by one process, by the GPUs of a host, or by many hosts.

The script is the same each time: TF_CONFIG says which worker of which cluster it is.
"""

import argparse
import os
import pathlib

import keras
import tensorflow as tf

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("distributed"))
options = parser.parse_args()

if "TF_CONFIG" in os.environ:  # first of all that TensorFlow does
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
else:
    strategy = tf.distribute.MirroredStrategy()  # all GPUs, or the CPU

keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load("digits", binarize="dynamic", batch_size=128)
with strategy.scope():
    encoder = tfvae.networks.mlp_encoder((8, 8, 1), [256])
    decoder = tfvae.networks.mlp_decoder((8, 8, 1), [256])
    model = tfvae.VAE(encoder, decoder, latent_dim=8)
    model.compile("adam")

# The first worker writes the backup, all read it: a run that was cut off goes on.
backup = keras.callbacks.BackupAndRestore(options.out / "backup")
model.fit(
    train,
    validation_data=valid,
    epochs=options.epochs,
    callbacks=[backup],
    verbose=2 if model.is_chief else 0,
)
if model.is_chief:
    log_p = model.log_marginal(test, num_samples=100, seed=0)
    print(f"log p(x), test: {log_p.mean():.2f} nats")
    options.out.mkdir(parents=True, exist_ok=True)
    model.save(options.out / "vae.keras")
