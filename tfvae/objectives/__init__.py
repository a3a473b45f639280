"""Objectives: what is maximised, as reductions of `[samples, batch]` log-densities."""

from tfvae.objectives.adversarial import AdversarialLoss
from tfvae.objectives.base import LogDensities, Objective, exact_kl, warm_up
from tfvae.objectives.bounds import ELBO, IWAEBound
from tfvae.objectives.total_correlation import TotalCorrelation

__all__ = [
    "AdversarialLoss",
    "ELBO",
    "IWAEBound",
    "LogDensities",
    "Objective",
    "TotalCorrelation",
    "exact_kl",
    "warm_up",
]
