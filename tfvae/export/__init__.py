"""Models outside Python: SavedModels for TF Serving, TFLite files for devices."""

from tfvae.export.saved_model import load_saved_model, to_saved_model
from tfvae.export.serving import serving_config, warmup_requests
from tfvae.export.tflite import load_tflite, to_tflite

__all__ = [
    "load_saved_model",
    "load_tflite",
    "serving_config",
    "to_saved_model",
    "to_tflite",
    "warmup_requests",
]
