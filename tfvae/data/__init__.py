"""Data sets as train, valid and test pipelines of `tf.data`."""

from tfvae.data.pipelines import Splits, load

__all__ = ["Splits", "load"]
