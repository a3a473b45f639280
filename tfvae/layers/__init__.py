"""Layers that Keras lacks, of which networks are made.

Each also takes Keras's `name`, `dtype` and `trainable`.
"""

from tfvae.layers.autoregressive import AutoregressiveNetwork
from tfvae.layers.bottleneck import Bottleneck
from tfvae.layers.causal_conv import MaskedConv2D
from tfvae.layers.dense import ContextMLP, GatedDense
from tfvae.layers.discriminator import Discriminator
from tfvae.layers.joint_encoder import JointEncoder
from tfvae.layers.made import MaskedAutoencoder
from tfvae.layers.masked import MaskedDense, MaskedMLP
from tfvae.layers.pixel_cnn import GatedPixelNetwork, ResidualPixelNetwork
from tfvae.layers.pixel_network import PixelNetwork
from tfvae.layers.pixel_rnn import DiagonalBiLSTM, RecurrentNetwork, RowLSTM
from tfvae.layers.residual import ResidualBlock
from tfvae.layers.top_down import TopDown
from tfvae.layers.top_down_block import TopDownBlock

__all__ = [
    "AutoregressiveNetwork",
    "Bottleneck",
    "ContextMLP",
    "DiagonalBiLSTM",
    "Discriminator",
    "GatedDense",
    "GatedPixelNetwork",
    "JointEncoder",
    "MaskedAutoencoder",
    "MaskedConv2D",
    "MaskedDense",
    "MaskedMLP",
    "PixelNetwork",
    "RecurrentNetwork",
    "ResidualBlock",
    "ResidualPixelNetwork",
    "RowLSTM",
    "TopDown",
    "TopDownBlock",
]
