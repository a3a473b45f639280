"""The presets: data, model and training settings that go together."""

import dataclasses
import functools
import typing

from tfvae import assembly, layers
from tfvae.models import (
    IAFVAE,
    MADE,
    VAE,
    AuxiliaryVAE,
    BetaVAE,
    FullCovarianceVAE,
    PixelCNN,
    PixelRNN,
    PlanarFlowVAE,
)


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named choice of everything that a training run needs.

    Attributes:
        summary: What it is, in a line.
        data: Arguments of `tfvae.data.load`.
        build: Function from the shape of x and the model's settings to a model.
        model: Settings of the model; of them `warm_up` is the share of the epochs in
            which the weight of the KL rises from 0.
        training: `epochs`, `batch_size`, `learning_rate`, `decay` (the share of it that
            is left at the end), `weight_decay` (of AdamW), `patience` (epochs without a
            better bound on validation data before training stops) and `seed`.
        labels: Whether the data set has labels, for the picture of the latent space.
        conditional: Whether the model takes them as u, beside x.
        score: The test figures it reached, with the command that gave them.
    """

    summary: str
    data: dict
    build: typing.Callable
    model: dict
    training: dict
    labels: bool = True
    conditional: bool = False
    score: str = ""


_DIGITS = {"source": "digits", "binarize": None}
_MNIST = {"source": "mnist", "binarize": "dynamic"}
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
_LONG = {
    "epochs": 400,
    "batch_size": 100,
    "learning_rate": 1e-3,
    "decay": 0.01,
    "weight_decay": 0.1,
    "patience": 100,
    "seed": 0,
}
_PIXEL_BY_PIXEL = _LONG | {
    "epochs": 14,
    "batch_size": 25,
    "learning_rate": 6e-3,
    "weight_decay": 0.0,
}

PRESETS = {
    "vae_digits": Preset(
        "VAE on scikit-learn's 8 x 8 digits, embedded: under a minute",
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
        "VAE of the VAE paper's kind on dynamically binarized MNIST",
        data=_MNIST,
        build=functools.partial(assembly.mlp, functools.partial(assembly.warmed, VAE)),
        model=_LARGE | _WARM,
        training=_LONG,
    ),
    "beta_vae_mnist": Preset(
        "beta-VAE: a heavier KL, fewer and cleaner latents",
        data=_MNIST,
        build=functools.partial(assembly.mlp, BetaVAE),
        model=_LARGE | {"latent_dim": 10, "beta": 4.0},
        training=_LONG,
    ),
    "beta_vae_sprites": Preset(
        "beta-VAE on sprites whose position, scale and turn are known, embedded",
        data={"source": "sprites", "binarize": None, "image_size": [32, 32]},
        build=functools.partial(assembly.mlp, BetaVAE),
        model={
            "latent_dim": 10,
            "hidden_units": [512, 256],
            "activation": "relu",
            "beta": 4.0,
        },
        training=_LONG | {"epochs": 60, "batch_size": 64, "weight_decay": 0.0},
        labels=False,  # they are five a sprite
    ),
    "ivae_tcl": Preset(
        "Identifiable VAE on artificial mixtures of sources in segments, embedded",
        data={"source": "nonlinear_ica", "binarize": None},
        build=assembly.ivae,
        model={
            "latent_dim": 5,
            "num_classes": 40,
            "hidden_units": [64, 64, 64],
            "activation": "leaky_relu",
            "contrast": 0.3,
        },
        training=_LONG
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
        data=_MNIST,
        build=functools.partial(
            assembly.mlp, functools.partial(assembly.warmed, FullCovarianceVAE)
        ),
        model=_LARGE | _WARM,
        training=_LONG | {"epochs": 300},  # as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -85.59 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "iwae_mnist": Preset(
        "Importance-weighted autoencoder with five draws",
        data=_MNIST,
        build=functools.partial(assembly.mlp, assembly.warmed_iwae),
        model=_LARGE | _WARM | {"num_samples": 5},
        training=_LONG | {"epochs": 200},  # as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -86.60 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "iaf_vae_mnist": Preset(
        "VAE whose posterior is an inverse autoregressive flow of two steps",
        data=_MNIST,
        build=functools.partial(
            assembly.mlp, functools.partial(assembly.warmed, IAFVAE)
        ),
        model=_LARGE
        | _WARM
        | {"num_flows": 2, "transform": "gated", "context_dim": 64},
        training=_LONG | {"epochs": 300},  # as long as the VAE's 400
        score="with --data binarized_mnist: test log p(x) -85.51 nats, by `tfvae "
        "evaluate --samples 1000`",
    ),
    "planar_flow_vae_mnist": Preset(
        "VAE whose posterior is a planar flow of ten steps",
        data=_MNIST,
        build=functools.partial(
            assembly.mlp, functools.partial(assembly.warmed, PlanarFlowVAE)
        ),
        model=_LARGE | _WARM | {"num_flows": 10},
        training=_LONG | {"epochs": 300},  # as long as the VAE's 400
    ),
    "auxiliary_vae_mnist": Preset(
        "VAE whose posterior has auxiliary latent variables",
        data=_MNIST,
        build=functools.partial(
            assembly.mlp, functools.partial(assembly.warmed, AuxiliaryVAE)
        ),
        model=_LARGE | _WARM | {"auxiliary_dim": 50, "context_dim": 128},
        training=_LONG | {"epochs": 300},  # as long as the VAE's 400
    ),
    "vae_binarized_mnist": Preset(
        "VAE on MNIST as binarized once and for all by Larochelle",
        data={"source": "binarized_mnist", "binarize": None},
        build=functools.partial(assembly.mlp, functools.partial(assembly.warmed, VAE)),
        model=_LARGE | _WARM,
        training=_LONG,
        labels=False,
        score="test log p(x) -86.85 nats, by `tfvae evaluate --samples 1000`",
    ),
    "made_mnist": Preset(
        "Masked autoencoder: exact likelihood, pixel by pixel",
        data=_MNIST,
        build=functools.partial(assembly.over, MADE, layers.MaskedAutoencoder),
        model={
            "hidden_units": [1000, 1000],
            "order": "natural",
            "activation": "relu",
            "direct": True,
            "sampled": True,
            "num_masks": 8,
        },
        training=_LONG | {"epochs": 85},
        score="with --data binarized_mnist: test log p(x) -90.06 nats",
    ),
    "pixelcnn_mnist": Preset(
        "Gated PixelCNN: exact likelihood by convolutions, sharp samples",
        data=_MNIST,
        build=functools.partial(assembly.over, PixelCNN, layers.GatedPixelNetwork),
        model={
            "filters": 16,
            "num_blocks": 5,
            "kernel_size": 5,
            "first_kernel_size": 27,  # as far as an image reaches
        },
        training=_PIXEL_BY_PIXEL,
        score="with --data binarized_mnist: test log p(x) -83.22 nats",
    ),
    "row_lstm_mnist": Preset(
        "PixelRNN whose LSTMs go row by row",
        data=_MNIST,
        build=functools.partial(assembly.over, PixelRNN, layers.RowLSTM),
        model={
            "filters": 16,
            "num_blocks": 5,
            "kernel_size": 3,
            "first_kernel_size": 7,
        },
        training=_PIXEL_BY_PIXEL | {"epochs": 16},
        score="with --data binarized_mnist: test log p(x) -82.72 nats",
    ),
    "diagonal_bilstm_mnist": Preset(
        "PixelRNN whose LSTMs go along the diagonals, and see all pixels before",
        data=_MNIST,
        build=functools.partial(assembly.over, PixelRNN, layers.DiagonalBiLSTM),
        model={"filters": 16, "num_blocks": 4, "first_kernel_size": 7},
        training=_PIXEL_BY_PIXEL | {"epochs": 9},
        score="with --data binarized_mnist: test log p(x) -80.11 nats",
    ),
    "conv_vae_fashion_mnist": Preset(
        "Convolutional VAE on Fashion-MNIST",
        data={"source": "fashion_mnist", "binarize": "dynamic"},
        build=functools.partial(assembly.conv, VAE),
        model={"latent_dim": 16, "filters": [32, 64], "units": 256},
        training=_LONG | {"epochs": 20},
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
        training=_LONG | {"epochs": 1000, "weight_decay": 0.0},
        labels=False,  # they are frame numbers
    ),
}
