"""Layers that networks are made of, where Keras has none."""

from tfvae.layers.autoencoder import MaskedAutoencoder
from tfvae.layers.autoregressive import AutoregressiveNetwork
from tfvae.layers.context import ContextMLP
from tfvae.layers.discriminator import Discriminator
from tfvae.layers.gated import GatedDense
from tfvae.layers.joint import JointEncoder
from tfvae.layers.masked import MaskedDense, MaskedMLP
from tfvae.layers.pixel_cnn import GatedPixelNetwork, ResidualPixelNetwork
from tfvae.layers.pixel_rnn import DiagonalBiLSTM, RecurrentNetwork, RowLSTM
from tfvae.layers.pixels import PixelNetwork

__all__ = [
    "AutoregressiveNetwork",
    "ContextMLP",
    "DiagonalBiLSTM",
    "Discriminator",
    "GatedDense",
    "GatedPixelNetwork",
    "JointEncoder",
    "MaskedAutoencoder",
    "MaskedDense",
    "MaskedMLP",
    "PixelNetwork",
    "RecurrentNetwork",
    "ResidualPixelNetwork",
    "RowLSTM",
]
