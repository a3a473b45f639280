"""The Frey Face set for tensorflow_datasets."""

from tfvae.datasets.frey_face.frey_face_dataset_builder import Builder

__all__ = ["Builder"]
