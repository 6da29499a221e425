"""Small data and small networks: these tests are about the interface, not about accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from toolkit.models import ImageClassifier, SequenceClassifier, TabularClassifier, TextClassifier
from toolkit.models.classifiers import NeuralClassifier

WORDS = {"good": "fine great lovely superb", "bad": "dull poor awful boring"}


def table(n=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, 3)) + 4 * y[:, None], np.array(["no", "yes"])[y]


def texts(n=40, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.array(["good", "bad"])[np.arange(n) % 2]
    return [
        f"a {rng.choice(WORDS[label].split())} film and a {rng.choice(WORDS[label].split())} cast" for label in labels
    ], labels


def images(n=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.integers(0, 60, (n, 12, 12), dtype=np.uint8)
    x[y == 1, :6] += 150
    return x, np.array(["below", "above"])[y]


def sequences(n=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, 5, 2)) + 3 * y[:, None, None], np.array([7, 3])[y]


# name: (a small classifier, its data)
KINDS = {
    "tables": (TabularClassifier((8,), epochs=15, learning_rate=0.02, verbose=False), table),
    "texts": (
        TextClassifier(embedding_dim=8, hidden=(8,), epochs=15, learning_rate=0.02, dropout=0.0, verbose=False),
        texts,
    ),
    "images": (ImageClassifier((8, 8), filters=(4,), epochs=15, learning_rate=0.02, verbose=False), images),
    "sequences": (SequenceClassifier((6,), epochs=15, learning_rate=0.02, verbose=False), sequences),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def classifier(kind):
    return clone(KINDS[kind][0])


@pytest.fixture
def samples(kind):
    return KINDS[kind][1]()


@pytest.fixture
def steps_run_by_python(monkeypatch):
    """For fits of one epoch, which take TensorFlow longer to compile than to run."""
    make_model = NeuralClassifier._make_model

    def make_uncompiled(self, sample_shape):
        make_model(self, sample_shape)
        self.model_.run_eagerly = True

    monkeypatch.setattr(NeuralClassifier, "_make_model", make_uncompiled)
