"""From training to a phone: SavedModel and TFLite, and their answers compared.

A trained model leaves Python in two forms: a SavedModel for servers, and a TFLite file
for phones and browsers. Both are compared with the model before they are put in place.
"""

import argparse

import keras
import numpy as np

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=20)
options = parser.parse_args()

# %% A model
# A small one, as in the first guide.
keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load("digits", binarize="dynamic")
encoder = tfvae.networks.mlp_encoder((8, 8, 1), [256])
decoder = tfvae.networks.mlp_decoder((8, 8, 1), [256])
model = tfvae.VAE(encoder, decoder, latent_dim=8)
model.compile("adam")
model.fit(train, validation_data=valid, epochs=options.epochs, verbose=2)

# %% For a server
# `tfvae.export.to_saved_model` writes the next numbered version, as TF Serving reads
# them. Its signatures are the methods of the model: `encode`, `decode`, `sample`, ...
print(tfvae.export.to_saved_model(model, "phone/vae"))

# %% For a phone
# `tfvae.export.to_tflite` writes one file with signatures of the same names, in float32
# unless it is told otherwise. Weights in float16 take half the room. With int8 the
# products are of integers too, and the converter wants typical images, from which it
# learns the ranges of all numbers.
half = tfvae.export.to_tflite(model, "phone/half.tflite", quantize="float16")
byte = tfvae.export.to_tflite(
    model, "phone/byte.tflite", quantize="int8", representative_data=valid
)

# %% Do they agree?
# `tfvae.export.load_tflite` checks a file and opens it as a phone would. The same
# latents go through the model and through each file. The largest difference in the
# probability of a pixel says what the smaller numbers cost: little, and about 0.03.
z = np.asarray(model.encode(next(iter(test))))
for path in [half, byte]:
    decode = tfvae.export.load_tflite(path).get_signature_runner("decode")
    worst = np.abs(decode(z=z)["x"] - model.decode(z)).max()
    print(f"{path}: {path.stat().st_size // 1024} kB, differs by {worst:.2g}")
