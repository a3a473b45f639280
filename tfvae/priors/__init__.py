"""Priors `p(z)` and `p(z | u)`: layers whose call gives the distribution of z."""

from tfvae.priors.base import Prior, StandardNormal
from tfvae.priors.conditional import (
    ConditionalLaplace,
    ConditionalNormal,
    ConditionalPrior,
)
from tfvae.priors.flow import FlowPrior

__all__ = [
    "ConditionalLaplace",
    "ConditionalNormal",
    "ConditionalPrior",
    "FlowPrior",
    "Prior",
    "StandardNormal",
]
