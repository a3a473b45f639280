"""The benchmark's models in tfvae, trained by `model.fit` as anyone would."""

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
        self.turns.end(logs.get("loss", logs.get("discriminator_loss")))


PIXELS = {
    "pixelcnn": (tfvae.PixelCNN, tfvae.layers.GatedPixelNetwork, {"kernel_size": 5}),
    "pixelcnn_3": (tfvae.PixelCNN, tfvae.layers.GatedPixelNetwork, {}),
    "residual_pixelcnn": (tfvae.PixelCNN, tfvae.layers.ResidualPixelNetwork, {}),
    "row_lstm": (tfvae.PixelRNN, tfvae.layers.RowLSTM, {}),
    "diagonal_bilstm": (tfvae.PixelRNN, tfvae.layers.DiagonalBiLSTM, {}),
}


def dcgan(event_shape):
    """The untrained GAN."""
    generator = tfvae.networks.dcgan_generator(event_shape)
    discriminator = tfvae.networks.dcgan_discriminator(event_shape)
    gan = tfvae.GAN(generator, discriminator, latent_dim=64)
    adam = keras.optimizers.Adam(2e-4, beta_1=0.5)
    gan.compile(adam, adam)
    return gan


def build(model, event_shape):
    """The untrained model of a name."""
    if model == "dcgan":
        return dcgan(event_shape)
    if model in PIXELS:
        make, network, options = PIXELS[model]
        pixels = make(network(event_shape, 24, 5, **options))
        pixels.compile(keras.optimizers.Adam(1e-3))
        return pixels
    if model == "ladder":
        ladder = tfvae.ResNetVAE(event_shape, [(1, 1, 16), (7, 3, 8)], units=[128, 48])
        ladder.compile(keras.optimizers.Adam(1e-3))
        return ladder
    if model == "conv":
        encoder = tfvae.networks.conv_encoder(event_shape, [32, 64], 256)
        decoder = tfvae.networks.conv_decoder(event_shape, [64, 32], 256)
    else:
        encoder = tfvae.networks.mlp_encoder(event_shape, [400, 400])
        decoder = tfvae.networks.mlp_decoder(event_shape, [400, 400])
    vae = tfvae.VAE(encoder, decoder, latent_dim=32)
    vae.compile(keras.optimizers.Adam(1e-3))
    return vae


def train(x, turns, model, batch_size):
    """Trains for as many epochs as there are turns."""
    model = build(model, x.shape[1:])
    options = {"batch_size": batch_size, "epochs": turns.count, "verbose": 0}
    model.fit(x, callbacks=[Turns(turns)], **options)
