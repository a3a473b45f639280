"""Presets of models that train against a discriminator."""

from tfvae import assembly
from tfvae.recipes.preset import Preset

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

_VAE_GAN = {
    "latent_dim": 64,
    "filters": 32,
    "gradient_penalty": 10.0,
    "feature_scale": 0.15,
    "gamma": 0.002,
    "margin": 0.35,
}

PRESETS = {
    "gan_mnist": Preset(
        "GAN with DCGAN's networks: sharp digits, no encoder",
        data={"source": "mnist", "binarize": None},
        build=assembly.dcgan,
        model={
            "latent_dim": 64,
            "filters": 32,
            "adversarial_loss": "non_saturating",
            "gradient_penalty": 10.0,
            "num_discriminator_steps": 1,
        },
        training=_TRAINING,
    ),
    "vaegan_fashion_mnist": Preset(
        "VAE-GAN: reconstructions compared by a discriminator's features",
        data={"source": "fashion_mnist", "binarize": None},
        build=assembly.vae_gan,
        model=_VAE_GAN,
        training=_TRAINING,
    ),
    "vaegan_faces": Preset(
        "VAE-GAN on the 64 x 64 faces of 30 people, tested on ten others",
        data={"source": "olivetti_faces", "binarize": None},
        build=assembly.vae_gan,
        model=_VAE_GAN
        | {
            "filters": 16,
            "gradient_penalty": 0.0,
            "feature_scale": 0.03,
            "gamma": 1e-4,
        },
        training=_TRAINING | {"epochs": 800, "batch_size": 50},
    ),
}
