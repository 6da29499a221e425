"""Builders of plain Keras models, one file a family, and estimators with scikit-learn's interface.

The estimators are loaded when they are first used (PEP 562): a builder alone needs no preprocessing. What belongs to
the summariser (decoding, ROUGE, baselines) is in ``toolkit.models.summarizer``, what belongs to transfer learning
(stages, freezing, fine-tuning) in ``toolkit.models.transfer``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.lazy_exports import lazy_exports
from toolkit.models.attention_classifier import attention_classifier
from toolkit.models.image_classifier import image_classifier
from toolkit.models.mlp import mlp
from toolkit.models.sequence_classifier import sequence_classifier
from toolkit.models.text_classifier import text_classifier

if TYPE_CHECKING:
    from toolkit.models.classifiers import ImageClassifier, SequenceClassifier, TabularClassifier, TextClassifier
    from toolkit.models.summarizer import Summarizer, encoder_decoder
    from toolkit.models.transfer import resnet18, transfer_model

__all__ = [
    "ImageClassifier",
    "SequenceClassifier",
    "Summarizer",
    "TabularClassifier",
    "TextClassifier",
    "attention_classifier",
    "encoder_decoder",
    "image_classifier",
    "mlp",
    "resnet18",
    "sequence_classifier",
    "text_classifier",
    "transfer_model",
]


_HOMES = {
    **dict.fromkeys(("ImageClassifier", "SequenceClassifier", "TabularClassifier", "TextClassifier"), "classifiers"),
    "Summarizer": "summarizer",
    "encoder_decoder": "summarizer",
    "resnet18": "transfer",
    "transfer_model": "transfer",
}

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, __all__)
