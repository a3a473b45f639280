"""Variational autoencoders and their kin in Keras 3 and TensorFlow Probability."""

__version__ = "0.1.0"

import pathlib
import sys

# The program `tfvae` answers before TensorFlow is there: its commands import what they
# need. For everybody else `import tfvae` brings every part, and registers the classes.
_words = sys.orig_argv[1:3]
if _words != ["-m", "tfvae"] and pathlib.PurePath(*_words[:1]).name != "tfvae":
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
        LadderVAE,
        PixelCNN,
        PixelRNN,
        PlanarFlowVAE,
        ResNetVAE,
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
    "LadderVAE",
    "PixelCNN",
    "PixelRNN",
    "PlanarFlowVAE",
    "ResNetVAE",
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
