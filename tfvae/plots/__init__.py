"""Pictures of a model: each function returns a matplotlib `Figure`.

Keep one with `figure.savefig("samples.png")`. Images are drawn pixel for pixel, so a
saved grid is as crisp as the data. Wrong arguments raise `TypeError` or `ValueError`.

Example:
    >>> encoder = tfvae.networks.mlp_encoder((8, 8, 1), [64])
    >>> decoder = tfvae.networks.mlp_decoder((8, 8, 1), [64])
    >>> model = tfvae.VAE(encoder, decoder, latent_dim=2)
    >>> figure = tfvae.plots.manifold(model, size=10)
"""

from tfvae.plots.images import image_grid
from tfvae.plots.latents import kl_per_dimension, latent_scatter
from tfvae.plots.models import (
    attribute,
    completions,
    interpolations,
    manifold,
    reconstructions,
    samples,
    traversals,
)

__all__ = [
    "attribute",
    "completions",
    "image_grid",
    "interpolations",
    "kl_per_dimension",
    "latent_scatter",
    "manifold",
    "reconstructions",
    "samples",
    "traversals",
]
