"""Data sets as train, valid and test pipelines of `tf.data`, and artificial data."""

from tfvae.data.load import Splits, load
from tfvae.data.nonlinear_ica import NonlinearICA, nonlinear_ica
from tfvae.data.sprites import Sprites, render_sprites, sprites

__all__ = [
    "NonlinearICA",
    "Splits",
    "Sprites",
    "load",
    "nonlinear_ica",
    "render_sprites",
    "sprites",
]
