"""Flows: invertible maps of latents, Keras layers whose call gives a TFP bijector."""

from tfvae.flows.autoregressive import Autoregressive
from tfvae.flows.base import Flow, Inverse
from tfvae.flows.coupling import Coupling
from tfvae.flows.planar import Planar, Radial

__all__ = ["Autoregressive", "Coupling", "Flow", "Inverse", "Planar", "Radial"]
