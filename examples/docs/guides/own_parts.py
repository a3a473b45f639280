"""Your own parts: an encoder, and a likelihood that the package lacks.

A model is a choice of parts, and each may be a class of your own. Here pixels are grey
and follow a Laplace distribution, whose tails forgive single pixels that are far off.
"""

import argparse

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfvae

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=20)
options = parser.parse_args()

# %% An encoder
# Any Keras model or layer from images to one vector for each will do.
x = keras.Input((8, 8, 1))
h = keras.layers.Conv2D(32, 3, padding="same", activation="gelu")(x)
h += keras.layers.Conv2D(32, 3, padding="same", activation="gelu")(h)
encoder = keras.Model(x, keras.layers.Flatten()(h))


# %% A likelihood
# A `tfvae.likelihoods.Likelihood` needs three things: a number of parameters for each
# element of x, the distribution of an element, and a function from uniform noise to
# elements. The base does all else. Keras saves and loads what is registered with it.
@keras.saving.register_keras_serializable("guide")
class Laplace(tfvae.likelihoods.Likelihood):
    """`p(x | z) = prod_i exp(-|x_i - loc_i| / scale_i) / (2 scale_i)`."""

    params_size = 2

    def element_distribution(self, loc, raw_scale):
        return tfp.distributions.Laplace(loc, tf.nn.softplus(raw_scale) + 1e-3)

    def from_noise(self, noise, params):
        element = self.element_distribution(*tf.unstack(params, axis=-1))
        return element.quantile(tf.maximum(noise[..., 0], 1e-6))  # finite at 0


# %% A model of them
# The decoder gives two values for each pixel, as the likelihood expects.
keras.utils.set_random_seed(0)
train, valid, test = tfvae.data.load("digits", dequantize=True)
decoder = tfvae.networks.mlp_decoder((8, 8, 1), [256], params_size=2)
model = tfvae.VAE(encoder, Laplace(decoder), latent_dim=8)
model.compile("adam")
model.fit(train, validation_data=valid, epochs=options.epochs, verbose=2)

# %% Saved and loaded
# A program that loads the file must define the class first, or import it.
model.save("own_parts.keras")
loaded, batch = tfvae.load("own_parts.keras"), next(iter(test))
print("change:", np.abs(loaded.encode(batch) - model.encode(batch)).max())
