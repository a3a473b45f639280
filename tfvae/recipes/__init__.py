"""The presets: data, model and training settings that go together."""

from tfvae.recipes import adversarial, autoregressive, latent
from tfvae.recipes.preset import Preset

PRESETS = latent.PRESETS | autoregressive.PRESETS | adversarial.PRESETS

__all__ = ["PRESETS", "Preset"]
