"""Variational autoencoders and their kin in Keras 3 and TensorFlow Probability."""

__version__ = "0.1.0"

from tfvae import (
    callbacks,
    data,
    export,
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
from tfvae.models import IWAE, VAE, BetaVAE, FullCovarianceVAE

__all__ = [
    "IWAE",
    "VAE",
    "BetaVAE",
    "FullCovarianceVAE",
    "callbacks",
    "data",
    "export",
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
