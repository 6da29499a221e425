"""What the summariser's tests share: small models, and batches with padding."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit.models import encoder_decoder

V, K, N, S, T = 9, 2, 3, 6, 5
VARIANTS = {
    "no attention": {"attention": None},
    "luong": {"attention": "luong"},
    "bahdanau": {"attention": "bahdanau"},
    "both ways, no attention": {"attention": None, "bidirectional": True},
    "pointer, both ways, bahdanau": {"attention": "bahdanau", "bidirectional": True, "copied_words": K},
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def variant(request):
    """The options of each kind of network in turn."""
    return request.param


@pytest.fixture
def make():
    return _make


@pytest.fixture
def batch():
    return _batch


@pytest.fixture
def steps_run_by_python(monkeypatch):
    """For fits of few steps, which take TensorFlow longer to compile than to run."""
    compiled = keras.Model.compile

    def compile(self, *args, **options):
        compiled(self, *args, **options | {"run_eagerly": True})

    monkeypatch.setattr(keras.Model, "compile", compile)


def _make(options, **more):
    """A model of a few units, its biases drawn too, so that no gradient is right by chance."""
    model = encoder_decoder(V, **({"embedding_dim": 3, "units": 4, "seed": 1} | options | more))
    random = np.random.default_rng(0)
    for w in model.trainable_weights:
        w.assign_add(0.3 * random.standard_normal(w.shape))
    return model


def _batch(options, seed=0):
    """Source ``(N, S)``, shifted target and target ``(N, T)``, padded at the end; with a pointer some unknown words."""
    random = np.random.default_rng(seed)
    high = V + options.get("copied_words", 0)
    source, target = (random.integers(1, high, shape).astype("int32") for shape in ((N, S), (N, T)))
    source[1, 4:], source[2, 1:], target[0, 3:], target[2, 1:] = 0, 0, 0, 0
    shifted = np.concatenate([np.full((N, 1), 2, "int32"), target[:, :-1]], axis=1) * (target > 0)
    return source, shifted, target
