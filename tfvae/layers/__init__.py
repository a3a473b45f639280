"""Layers that networks are made of, where Keras has none."""

from tfvae.layers.autoencoder import MaskedAutoencoder
from tfvae.layers.autoregressive import AutoregressiveNetwork
from tfvae.layers.context import ContextMLP
from tfvae.layers.gated import GatedDense
from tfvae.layers.masked import MaskedDense, MaskedMLP

__all__ = [
    "AutoregressiveNetwork",
    "ContextMLP",
    "GatedDense",
    "MaskedAutoencoder",
    "MaskedDense",
    "MaskedMLP",
]
