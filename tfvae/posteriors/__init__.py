"""Approximate posteriors `q(z | x)`: layers from data to distributions of z."""

from tfvae.conditional import LatentDistribution
from tfvae.posteriors.auxiliary import Auxiliary
from tfvae.posteriors.flow import IAF, FlowPosterior, PlanarFlow
from tfvae.posteriors.gaussian import FullCovariance, MeanField

__all__ = [
    "Auxiliary",
    "FlowPosterior",
    "FullCovariance",
    "IAF",
    "LatentDistribution",
    "MeanField",
    "PlanarFlow",
]
