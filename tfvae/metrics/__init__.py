"""Figures of trained models, in nats unless the name says bits."""

from tfvae.metrics.annealed import ais_bounds, ais_log_marginal
from tfvae.metrics.hmc import hmc_log_marginal
from tfvae.metrics.latent import active_units, kl_per_dimension, mutual_information
from tfvae.metrics.marginal import bits_per_dim, log_marginal

__all__ = [
    "active_units",
    "ais_bounds",
    "ais_log_marginal",
    "bits_per_dim",
    "hmc_log_marginal",
    "kl_per_dimension",
    "log_marginal",
    "mutual_information",
]
