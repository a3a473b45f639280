"""Approximate posteriors `q(z | x)`: layers from data to distributions of z."""

from tfvae.posteriors.base import Posterior
from tfvae.posteriors.gaussian import FullCovariance, MeanField

__all__ = ["FullCovariance", "MeanField", "Posterior"]
