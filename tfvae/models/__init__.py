"""Named models: thin choices of parts over two bases."""

from tfvae.models.base import GenerativeModel
from tfvae.models.named import IWAE, BetaVAE, FullCovarianceVAE
from tfvae.models.signatures import Signature
from tfvae.models.vae import VAE

__all__ = [
    "IWAE",
    "VAE",
    "BetaVAE",
    "FullCovarianceVAE",
    "GenerativeModel",
    "Signature",
]
