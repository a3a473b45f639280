"""Layers that networks are made of, where Keras has none."""

from tfvae.layers.gated import GatedDense

__all__ = ["GatedDense"]
