"""Classifiers with scikit-learn's interface: raw input in, labels and probabilities out."""

from toolkit.models.classifiers._base import NeuralClassifier
from toolkit.models.classifiers.images import ImageClassifier
from toolkit.models.classifiers.sequences import SequenceClassifier
from toolkit.models.classifiers.tables import TabularClassifier
from toolkit.models.classifiers.texts import TextClassifier

__all__ = ["ImageClassifier", "NeuralClassifier", "SequenceClassifier", "TabularClassifier", "TextClassifier"]
