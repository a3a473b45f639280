"""Named models: choices of parts over two bases."""

from tfvae.models.base import GenerativeModel
from tfvae.models.densities import MADE, PixelCNN, PixelRNN
from tfvae.models.gan import GAN
from tfvae.models.ivae import IVAE
from tfvae.models.ladder import LadderVAE
from tfvae.models.named import (
    IAFVAE,
    IWAE,
    AuxiliaryVAE,
    BetaVAE,
    FullCovarianceVAE,
    PlanarFlowVAE,
    ResNetVAE,
)
from tfvae.models.vae import VAE
from tfvae.models.vae_gan import VAEGAN
from tfvae.signatures import Signature

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
    "GenerativeModel",
    "LadderVAE",
    "PixelCNN",
    "PixelRNN",
    "PlanarFlowVAE",
    "ResNetVAE",
    "Signature",
]
