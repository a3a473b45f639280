"""Presets of models that are no VAE: autoregressive and adversarial ones."""

from tfvae.runs.preset import LONG, MNIST, Preset

_PIXEL_BY_PIXEL = LONG | dict(
    epochs=14, batch_size=25, learning_rate=6e-3, weight_decay=0.0
)
_TRAINING = {
    "epochs": 12,
    "batch_size": 128,
    "learning_rate": 5e-4,
    "decay": 0.01,
    "weight_decay": 0.0,
    "beta_1": 0.5,
    "patience": 10,  # ends training if no loss is finite any more
    "seed": 0,
}

_VAE_GAN = dict(
    latent_dim=64,
    filters=32,
    gradient_penalty=10.0,
    feature_scale=0.15,
    gamma=0.002,
    margin=0.35,
)

PRESETS = {
    "made_mnist": Preset(
        "Masked autoencoder: exact likelihood, pixel by pixel",
        data=MNIST,
        build=("over", "MADE", "MaskedAutoencoder"),
        model=dict(
            hidden_units=[1000, 1000],
            order="natural",
            activation="relu",
            direct=True,
            sampled=True,
            num_masks=8,
        ),
        training=LONG | dict(epochs=85),
        score="with --data binarized_mnist: test log p(x) -90.06 nats",
    ),
    "pixelcnn_mnist": Preset(
        "Gated PixelCNN: exact likelihood by convolutions, sharp samples",
        data=MNIST,
        build=("over", "PixelCNN", "GatedPixelNetwork"),
        model={
            "filters": 16,
            "num_blocks": 5,
            "kernel_size": 5,
            "first_kernel_size": 27,  # covers a whole image
        },
        training=_PIXEL_BY_PIXEL,
        score="with --data binarized_mnist: test log p(x) -83.22 nats",
    ),
    "row_lstm_mnist": Preset(
        "PixelRNN whose LSTMs go row by row",
        data=MNIST,
        build=("over", "PixelRNN", "RowLSTM"),
        model=dict(filters=16, num_blocks=5, kernel_size=3, first_kernel_size=7),
        training=_PIXEL_BY_PIXEL | dict(epochs=16),
        score="with --data binarized_mnist: test log p(x) -82.72 nats",
    ),
    "diagonal_bilstm_mnist": Preset(
        "PixelRNN whose LSTMs go along the diagonals and see all earlier pixels",
        data=MNIST,
        build=("over", "PixelRNN", "DiagonalBiLSTM"),
        model=dict(filters=16, num_blocks=4, first_kernel_size=7),
        training=_PIXEL_BY_PIXEL | dict(epochs=9),
        score="with --data binarized_mnist: test log p(x) -80.11 nats",
    ),
    "gan_mnist": Preset(
        "GAN with DCGAN's networks: sharp digits, no encoder",
        data=dict(source="mnist", binarize=None),
        build=("dcgan",),
        model=dict(
            latent_dim=64,
            filters=32,
            adversarial_loss="non_saturating",
            gradient_penalty=10.0,
            num_discriminator_steps=1,
        ),
        training=_TRAINING,
    ),
    "vaegan_fashion_mnist": Preset(
        "VAE-GAN: reconstructions compared by a discriminator's features",
        data=dict(source="fashion_mnist", binarize=None),
        build=("vae_gan",),
        model=_VAE_GAN,
        training=_TRAINING,
    ),
    "vaegan_faces": Preset(
        "VAE-GAN on the 64 x 64 faces of 30 people, tested on ten others",
        data=dict(source="olivetti_faces", binarize=None),
        build=("vae_gan",),
        model=_VAE_GAN
        | dict(filters=16, gradient_penalty=0.0, feature_scale=0.03, gamma=1e-4),
        training=_TRAINING | dict(epochs=800, batch_size=50),
    ),
}
