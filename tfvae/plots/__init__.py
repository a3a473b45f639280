"""Pictures of a model: each function returns a matplotlib `Figure`.

Save it with `figure.savefig("samples.png")`. Images are drawn pixel for pixel, so a
saved grid is as crisp as the data.

Example:
    >>> figure = tfvae.plots.manifold(model, size=10)
"""

from tfvae.plots.images import image_grid
from tfvae.plots.latents import kl_per_channel, kl_per_dimension, latent_scatter
from tfvae.plots.models import (
    attribute,
    completions,
    interpolations,
    levels,
    manifold,
    reconstructions,
    samples,
    temperatures,
    traversals,
)

__all__ = [
    "attribute",
    "completions",
    "image_grid",
    "interpolations",
    "kl_per_channel",
    "kl_per_dimension",
    "latent_scatter",
    "levels",
    "manifold",
    "reconstructions",
    "samples",
    "temperatures",
    "traversals",
]
