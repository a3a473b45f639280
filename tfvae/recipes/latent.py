"""Presets of models with latent variables."""

import functools
from collections.abc import Callable

import keras

from tfvae import assembly
from tfvae.models import (
    IAFVAE,
    VAE,
    AuxiliaryVAE,
    BetaVAE,
    FullCovarianceVAE,
    PlanarFlowVAE,
)
from tfvae.recipes.preset import LONG, MNIST, Preset

_DIGITS = {"source": "digits", "binarize": None}
_SMALL = {
    "latent_dim": 8,
    "hidden_units": [256, 128],
    "activation": "relu",
    "scale": "learned",
}
_LARGE = {"latent_dim": 50, "hidden_units": [300, 300], "activation": "glu"}
_WARM = {"warm_up": 0.25}
_QUICK = {
    "epochs": 150,
    "batch_size": 64,
    "learning_rate": 2e-3,
    "decay": 1.0,
    "weight_decay": 0.0,
    "patience": 30,
    "seed": 0,
}


def _warmed(model: Callable[..., keras.Model]) -> Callable[..., keras.Model]:
    """Function that builds the model from dense networks, with a KL warm-up."""
    return functools.partial(assembly.mlp, functools.partial(assembly.warmed, model))


PRESETS = {
    "vae_digits": Preset(
        "VAE on scikit-learn's 8 x 8 digits: no download, under a minute",
        data=_DIGITS,
        build=assembly.gaussian_mlp,
        model=_SMALL,
        training=_QUICK,
    ),
    "vae_2d_digits": Preset(
        "VAE with two latents on the digits, for pictures of the whole latent space",
        data=_DIGITS,
        build=assembly.gaussian_mlp,
        model=_SMALL | {"latent_dim": 2},
        training=_QUICK,
    ),
    "vae_mnist": Preset(
        "VAE with dense networks on dynamically binarized MNIST",
        data=MNIST,
        build=_warmed(VAE),
        model=_LARGE | _WARM,
        training=LONG,
    ),
    "beta_vae_mnist": Preset(
        "beta-VAE: a heavier KL, fewer and cleaner latents",
        data=MNIST,
        build=functools.partial(assembly.mlp, BetaVAE),
        model=_LARGE | {"latent_dim": 10, "beta": 4.0},
        training=LONG,
    ),
    "beta_vae_sprites": Preset(
        "beta-VAE on sprites of known position, scale and rotation: no download",
        data={"source": "sprites", "binarize": None, "image_size": [32, 32]},
        build=functools.partial(assembly.mlp, BetaVAE),
        model={
            "latent_dim": 10,
            "hidden_units": [512, 256],
            "activation": "relu",
            "beta": 4.0,
        },
        training=LONG | {"epochs": 60, "batch_size": 64, "weight_decay": 0.0},
        labels=False,  # a sprite has five
    ),
    "ivae_tcl": Preset(
        "Identifiable VAE on artificial mixtures of sources in segments: no download",
        data={"source": "nonlinear_ica", "binarize": None},
        build=assembly.ivae,
        model={
            "latent_dim": 5,
            "num_classes": 40,
            "hidden_units": [64, 64, 64],
            "activation": "leaky_relu",
            "contrast": 0.3,
        },
        training=LONG
        | {
            "epochs": 256,  # 40,000 steps
            "batch_size": 256,
            "learning_rate": 5e-3,
            "weight_decay": 0.0,
        },
        conditional=True,
    ),
    "full_covariance_vae_mnist": Preset(
        "VAE whose posterior is a Gaussian of full covariance",
        data=MNIST,
        build=_warmed(FullCovarianceVAE),
        model=_LARGE | _WARM,
        training=LONG | {"epochs": 300},  # takes as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -85.59 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "iwae_mnist": Preset(
        "Importance-weighted autoencoder with five draws",
        data=MNIST,
        build=functools.partial(assembly.mlp, assembly.warmed_iwae),
        model=_LARGE | _WARM | {"num_samples": 5},
        training=LONG | {"epochs": 200},  # takes as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -86.60 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "iaf_vae_mnist": Preset(
        "VAE whose posterior is an inverse autoregressive flow",
        data=MNIST,
        build=_warmed(IAFVAE),
        model=_LARGE
        | _WARM
        | {"num_flows": 2, "transform": "gated", "context_dim": 64},
        training=LONG | {"epochs": 300},  # takes as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -85.51 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "planar_flow_vae_mnist": Preset(
        "VAE whose posterior is a planar flow",
        data=MNIST,
        build=_warmed(PlanarFlowVAE),
        model=_LARGE | _WARM | {"num_flows": 10},
        training=LONG | {"epochs": 300},  # takes as long as the VAE's 400
    ),
    "auxiliary_vae_mnist": Preset(
        "VAE whose posterior has auxiliary latent variables",
        data=MNIST,
        build=_warmed(AuxiliaryVAE),
        model=_LARGE | _WARM | {"auxiliary_dim": 50, "context_dim": 128},
        training=LONG | {"epochs": 300},  # takes as long as the VAE's 400
    ),
    "vae_binarized_mnist": Preset(
        "VAE on MNIST as binarized once and for all by Larochelle",
        data={"source": "binarized_mnist", "binarize": None},
        build=_warmed(VAE),
        model=_LARGE | _WARM,
        training=LONG,
        labels=False,
        score="test log p(x) -86.85 nats, by `tfvae evaluate --samples 1000`",
    ),
    "conv_vae_fashion_mnist": Preset(
        "Convolutional VAE on Fashion-MNIST",
        data={"source": "fashion_mnist", "binarize": "dynamic"},
        build=functools.partial(assembly.conv, VAE),
        model={"latent_dim": 16, "filters": [32, 64], "units": 256},
        training=LONG | {"epochs": 20},
    ),
    "vae_frey_face": Preset(
        "VAE with the paper's Gaussian decoder on the Frey Face video",
        data={"source": "frey_face", "binarize": None},
        build=assembly.gaussian_mlp,
        model={
            "latent_dim": 10,
            "hidden_units": [200],
            "activation": "tanh",
            "scale": "predicted",
        },
        training=LONG | {"epochs": 1000, "weight_decay": 0.0},
        labels=False,  # its labels are frame numbers
    ),
}
