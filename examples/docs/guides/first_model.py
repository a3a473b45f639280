"""A first model: trained, measured and drawn from.

A variational autoencoder explains each image x by a few numbers z, its latents. They
come from a standard normal distribution, and a decoder turns them into the probability
of every pixel. An encoder goes the other way, from an image to the latents that may
have made it. Both are trained together.
"""

import argparse

import keras

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=50)
options = parser.parse_args()

# %% Data
# `tfvae.data.load` gives pipelines for training, validation and test. The digits are
# 1,797 images of 8 x 8 pixels, and nothing is downloaded for them. A pixel is
# taken as white if its grey value is above one half, else as black.
keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load("digits", binarize="threshold")
shape = train.element_spec.shape[1:]

# %% Model
# Any Keras models will do as encoder and decoder; `tfvae.networks.mlp_encoder` and
# `tfvae.networks.mlp_decoder` are dense ones. The decoder ends in logits, without a
# sigmoid. All else has a default: a Gaussian posterior, Bernoulli pixels, a standard
# normal prior and the ELBO as the objective. `tfvae.VAE` takes others in their places.
encoder = tfvae.networks.mlp_encoder(shape, [256])
decoder = tfvae.networks.mlp_decoder(shape, [256])
model = tfvae.VAE(encoder, decoder, latent_dim=8)

# %% Training
# As in Keras, but without a loss: it is the negative ELBO, a bound on log p(x), in nats
# for each image. `kl` is what the latents cost, `reconstruction` what they explain.
model.compile("adam")
model.fit(train, validation_data=valid, epochs=options.epochs, verbose=2)

# %% How good is it?
# The ELBO is below log p(x). With many samples of z for each image log p(x) itself is
# estimated closely, by which models of any kind can be compared: about -19 nats here.
log_p = model.log_marginal(test, num_samples=100)
print(f"test log p(x): {log_p.mean():.2f} nats")

# %% New digits
# Draws of z from the prior, decoded: the brighter a pixel, the likelier it is white.
# `tfvae.plots.reconstructions`, `tfvae.plots.traversals` and others show more.
#
# ![36 digits that nobody wrote](first_model.png)
tfvae.plots.samples(model, 36).savefig("samples.png")

# %% To keep it
# The file holds weights, optimizer and seeds; `tfvae.load` goes on from there.
model.save("first_model.keras")
print(tfvae.load("first_model.keras").encode(next(iter(test))).shape)
