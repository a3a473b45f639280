"""Named models: thin choices of parts over two bases."""

from tfvae.models.base import GenerativeModel, Signature
from tfvae.models.vae import IWAE, VAE, BetaVAE, FullCovarianceVAE

__all__ = [
    "IWAE",
    "VAE",
    "BetaVAE",
    "FullCovarianceVAE",
    "GenerativeModel",
    "Signature",
]
