"""Trains a small model in a process of its own, alone or shared by replicas.

The argument is JSON: `model`, `out`, and optionally `replicas` (virtual CPUs; with
TF_CONFIG it is a worker), `optimizer`, `compile`, `epochs`, `backup`, `pause`, `rows`,
`stream`, `policy`. It writes variables, history and evaluation to a `.npz` file.
"""

import contextlib
import json
import os
import sys
import time

import keras
import numpy as np
import tensorflow as tf

import tfvae
from tests.checks import MODELS, SHAPE, decoder, encoder
from tests.exports import EXPORTED

OPTIONS = json.loads(sys.argv[1])
REPLICAS = OPTIONS.get("replicas", 0)


def strategy():
    """The strategy asked for, made before TensorFlow does anything else."""
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if not REPLICAS:
        return None
    devices = [tf.config.LogicalDeviceConfiguration()] * REPLICAS
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, devices)
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(REPLICAS)])


STRATEGY = strategy()

FAMILIES = {
    **{name: EXPORTED[name] for name in ("IVAE-labels", "GAN-labels", "VAEGAN")},
    **{name: MODELS[name] for name in ("VAE", "IAFVAE", "IWAE", "FullCovarianceVAE")},
    "GAN-two-steps": lambda: tfvae.GAN(
        decoder(), encoder(), latent_dim=3, num_discriminator_steps=2
    ),
    "MADE": lambda: tfvae.MADE(tfvae.layers.MaskedAutoencoder(SHAPE, [32])),
    "PixelCNN": lambda: tfvae.PixelCNN(
        tfvae.layers.GatedPixelNetwork(SHAPE, 8, 2, first_kernel_size=3)
    ),
    "PixelRNN": lambda: tfvae.PixelRNN(tfvae.layers.RowLSTM(SHAPE, 8, 1)),
    "VAE-free-bits": lambda: tfvae.VAE(
        encoder(),
        decoder(),
        latent_dim=3,
        objective=tfvae.objectives.ELBO(free_bits=0.01),
    ),
    "VAE-total-correlation": lambda: tfvae.VAE(
        encoder(),
        decoder(),
        latent_dim=3,
        objective=tfvae.objectives.TotalCorrelation(500),
    ),
}


class Say(keras.callbacks.Callback):
    """Prints the end of each epoch, and waits so that a test can act."""

    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch + 1}", flush=True)
        time.sleep(OPTIONS.get("pause", 0))


def main():
    keras.config.set_dtype_policy(OPTIONS.get("policy", "float32"))
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(OPTIONS.get("data_seed", 0))
    rows = OPTIONS.get("rows", 200)
    x = rng.integers(0, 2, [rows, *SHAPE]).astype("float32")
    data = (
        (x, np.arange(rows, dtype="int32") % 3) if "labels" in OPTIONS["model"] else x
    )
    options = OPTIONS.get("optimizer", {"class_name": "SGD", "config": {}})
    with STRATEGY.scope() if STRATEGY else contextlib.nullcontext():
        model = FAMILIES[OPTIONS["model"]]()
        optimizers = [keras.optimizers.get(options) for _ in model.players]
        model.compile(*optimizers, **OPTIONS.get("compile", {"jit_compile": False}))
    callbacks = [Say()]
    if "backup" in OPTIONS:
        callbacks.insert(0, keras.callbacks.BackupAndRestore(OPTIONS["backup"]))
    if OPTIONS.get("stream"):
        data = tfvae.data.load(x, binarize="dynamic", batch_size=32, seed=1).train
    fit = {
        "batch_size": OPTIONS.get("batch_size", 32),
        "epochs": OPTIONS.get("epochs", 2),
        "verbose": 0,
    }
    history = model.fit(data, validation_data=data, callbacks=callbacks, **fit).history
    values = {v.path + str(i): v.numpy() for i, v in enumerate(model.variables)}
    values |= {f"history {name}": np.array(value) for name, value in history.items()}
    values["evaluate"] = np.array(model.evaluate(data, batch_size=50, verbose=0))
    if not hasattr(model, "generator"):
        values["predict"] = model.predict(data, verbose=0)
    for v in model.variables if REPLICAS else ():
        copies = [copy.numpy() for copy in STRATEGY.experimental_local_results(v.value)]
        assert all(np.array_equal(copies[0], copy) for copy in copies), v.path
    np.savez(OPTIONS["out"], **values)


if __name__ == "__main__":
    main()
