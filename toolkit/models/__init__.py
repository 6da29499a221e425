"""Builders of plain Keras models, one file a family."""

from toolkit.models.mlp import mlp

__all__ = ["mlp"]
