"""Named models: thin choices of parts over two bases."""

from tfvae.models.base import GenerativeModel
from tfvae.models.gan import GAN
from tfvae.models.ivae import IVAE
from tfvae.models.made import MADE
from tfvae.models.named import (
    IAFVAE,
    IWAE,
    AuxiliaryVAE,
    BetaVAE,
    FullCovarianceVAE,
    PlanarFlowVAE,
)
from tfvae.models.pixel_cnn import PixelCNN
from tfvae.models.pixel_rnn import PixelRNN
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
    "PixelCNN",
    "PixelRNN",
    "PlanarFlowVAE",
    "Signature",
]
