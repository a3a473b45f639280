"""Variational autoencoders and their kin in Keras 3 and TensorFlow Probability."""

__version__ = "0.1.0"

from tfvae import (
    callbacks,
    data,
    export,
    flows,
    layers,
    likelihoods,
    metrics,
    networks,
    objectives,
    plots,
    posteriors,
    priors,
)
from tfvae.loading import load
from tfvae.models import (
    GAN,
    IAFVAE,
    IVAE,
    IWAE,
    MADE,
    VAE,
    VAEGAN,
    AuxiliaryVAE,
    BetaVAE,
    FullCovarianceVAE,
    PixelCNN,
    PixelRNN,
    PlanarFlowVAE,
)

__all__ = [
    "GAN",
    "IAFVAE",
    "IVAE",
    "IWAE",
    "MADE",
    "VAE",
    "VAEGAN",
    "AuxiliaryVAE",
    "BetaVAE",
    "FullCovarianceVAE",
    "PixelCNN",
    "PixelRNN",
    "PlanarFlowVAE",
    "callbacks",
    "data",
    "export",
    "flows",
    "layers",
    "likelihoods",
    "load",
    "metrics",
    "networks",
    "objectives",
    "plots",
    "posteriors",
    "priors",
]
