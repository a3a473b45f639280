"""Trains a GAN that draws the digit it is asked for, with pictures as it learns.

    python examples/gan_by_label.py --data mnist --epochs 10

Pictures have a digit in every row. Then a classifier of real digits reads samples, and
the model is exported for TensorFlow Serving and TFLite.
"""

import argparse
import pathlib

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

import tfvae

parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--data", default="digits", help="or mnist, fashion_mnist")
parser.add_argument("--epochs", type=int, default=100)
parser.add_argument("--out", type=pathlib.Path, default="out")
options = parser.parse_args()
keras.utils.set_random_seed(0)
train, _, test = tfvae.data.load(options.data, labels=True, batch_size=64)
shape = train.element_spec[0].shape[1:]
model = tfvae.GAN(
    tfvae.networks.dcgan_generator(shape, filters=32),
    tfvae.layers.Discriminator(
        tfvae.networks.dcgan_discriminator(shape, filters=32),
        num_classes=10,
        spectral_normalization=True,
    ),
    latent_dim=32,
    num_classes=10,
    adversarial_loss="hinge",
)
model.compile(
    generator_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5),
    discriminator_optimizer=keras.optimizers.Adam(4e-4, beta_1=0.5),
)
asked = np.arange(10).repeat(10)
every = max(1, options.epochs // 5)
picture = tfvae.callbacks.SampleGrid(100, y=asked, every=every, folder=options.out)
model.fit(train, epochs=options.epochs, callbacks=picture, verbose=2)

x, y = (np.concatenate(part) for part in zip(*test, strict=True))
reader = LogisticRegression(max_iter=300).fit(x.reshape(len(x), -1), y)
drawn = np.asarray(model.sample(100, seed=1, y=asked)).reshape(100, -1)
print(f"read as asked for: {np.mean(reader.predict(drawn) == asked):.0%}")
tfvae.export.to_saved_model(model, options.out / "gan")
tfvae.export.to_tflite(model, options.out / "gan.tflite")
