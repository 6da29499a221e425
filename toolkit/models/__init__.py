"""Builders of plain Keras models, one file a family."""

from toolkit.models.attention_classifier import attention_classifier
from toolkit.models.image_classifier import image_classifier
from toolkit.models.mlp import mlp
from toolkit.models.sequence_classifier import sequence_classifier
from toolkit.models.text_classifier import text_classifier

__all__ = ["attention_classifier", "image_classifier", "mlp", "sequence_classifier", "text_classifier"]
