"""Figures of trained models, in nats unless the name says bits."""

from tfvae.metrics.annealed import ais_bounds, ais_log_marginal
from tfvae.metrics.disentanglement import DCI, dci, mig, sap
from tfvae.metrics.hmc import hmc_log_marginal
from tfvae.metrics.identifiability import align, mcc
from tfvae.metrics.interventions import beta_vae_score, factor_vae_score
from tfvae.metrics.latent import (
    active_units,
    kl_per_channel,
    kl_per_dimension,
    mutual_information,
)
from tfvae.metrics.marginal import bits_per_dim, log_marginal
from tfvae.metrics.quality import (
    PrecisionRecall,
    frechet_distance,
    inception,
    modes_covered,
    precision_recall,
    sharpness,
)

__all__ = [
    "DCI",
    "PrecisionRecall",
    "active_units",
    "ais_bounds",
    "ais_log_marginal",
    "align",
    "beta_vae_score",
    "bits_per_dim",
    "dci",
    "factor_vae_score",
    "frechet_distance",
    "hmc_log_marginal",
    "inception",
    "kl_per_channel",
    "kl_per_dimension",
    "log_marginal",
    "mcc",
    "mig",
    "modes_covered",
    "mutual_information",
    "precision_recall",
    "sap",
    "sharpness",
]
