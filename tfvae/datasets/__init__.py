"""Builders for tensorflow_datasets; importing one registers it."""
