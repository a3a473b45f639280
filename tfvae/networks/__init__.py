"""Encoders and decoders: plain Keras models, tensor to tensor."""

from tfvae.networks.conv import conv_decoder, conv_encoder
from tfvae.networks.dcgan import dcgan_discriminator, dcgan_generator
from tfvae.networks.mlp import mlp_decoder, mlp_encoder
from tfvae.networks.residual import (
    ladder_decoder,
    ladder_encoder,
    resnet_decoder,
    resnet_encoder,
)

__all__ = [
    "conv_decoder",
    "conv_encoder",
    "dcgan_discriminator",
    "dcgan_generator",
    "ladder_decoder",
    "ladder_encoder",
    "mlp_decoder",
    "mlp_encoder",
    "resnet_decoder",
    "resnet_encoder",
]
