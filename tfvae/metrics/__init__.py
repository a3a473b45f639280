"""Figures of trained models, in nats unless the name says bits."""

from tfvae.metrics.latent import active_units, kl_per_dimension, mutual_information
from tfvae.metrics.marginal import bits_per_dim, log_marginal

__all__ = [
    "active_units",
    "bits_per_dim",
    "kl_per_dimension",
    "log_marginal",
    "mutual_information",
]
