"""Models outside Python: SavedModels for TF Serving, TFLite files for devices."""

from tfvae.export.lite import to_tflite
from tfvae.export.saved_model import to_saved_model

__all__ = ["to_saved_model", "to_tflite"]
