"""The benchmark's VAE in tfvae, trained by `model.fit` as anyone would."""

import keras

import tfvae


class Turns(keras.callbacks.Callback):
    """Waits for its turn before each epoch and tells when it is over."""

    def __init__(self, turns):
        super().__init__()
        self.turns = turns

    def on_epoch_begin(self, epoch, logs=None):
        self.turns.begin()

    def on_epoch_end(self, epoch, logs=None):
        self.turns.end(-logs["elbo"])


def train(x, turns, conv):
    """Trains for as many epochs as there are turns."""
    if conv:
        encoder = tfvae.networks.conv_encoder(x.shape[1:], [32, 64], 256)
        decoder = tfvae.networks.conv_decoder(x.shape[1:], [64, 32], 256)
    else:
        encoder = tfvae.networks.mlp_encoder(x.shape[1:], [400, 400])
        decoder = tfvae.networks.mlp_decoder(x.shape[1:], [400, 400])
    model = tfvae.VAE(encoder, decoder, latent_dim=32)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(
        x, batch_size=128, epochs=turns.count, verbose=0, callbacks=[Turns(turns)]
    )
