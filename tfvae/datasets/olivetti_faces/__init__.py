"""The Olivetti faces for tensorflow_datasets."""

from tfvae.datasets.olivetti_faces.olivetti_faces_dataset_builder import Builder

__all__ = ["Builder"]
