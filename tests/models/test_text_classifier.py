from __future__ import annotations

import numpy as np
import pytest

from toolkit import models
from toolkit.errors import InvalidValueError


def test_masked_average_matches_hand_example():
    # E of token 2 is (1, 0), of token 3 (0, 1). The text "2 3 3" and two places of padding: the average is (1/3, 2/3).
    model = models.text_classifier(4, 2, embedding_dim=2, hidden=(), dtype="float64")
    table = np.array([[9.0, 9.0], [9.0, 9.0], [1.0, 0.0], [0.0, 1.0]])
    model.set_weights([table, np.eye(2), np.zeros(2)])
    e = np.exp([1 / 3, 2 / 3])
    np.testing.assert_allclose(model(np.array([[2, 3, 3, 0, 0]])).numpy(), [e / e.sum()], rtol=1e-7)


def test_the_default_network_has_256_hidden_units():
    model = models.text_classifier(100, 4)
    assert [layer.name for layer in model.layers] == ["embedding", "average", "hidden_1", "probabilities"]
    assert model.count_params() == 100 * 64 + (64 * 256 + 256) + (256 * 4 + 4)


@pytest.mark.parametrize("build", [models.text_classifier, models.attention_classifier])
def test_padding_changes_nothing(build):
    model = build(50, 3, seed=1, dropout=0.3)
    ids = np.random.default_rng(0).integers(1, 50, (4, 9))
    padded = np.pad(ids, ((0, 0), (0, 6)))
    np.testing.assert_allclose(model(ids).numpy(), model(padded).numpy(), rtol=1e-5)


@pytest.mark.parametrize("build", [models.text_classifier, models.attention_classifier])
def test_words_are_dropped_whole(build):
    """In training each word's vector is 0 as a whole or scaled by 1 / (1 − rate); otherwise nothing happens."""
    model = build(50, 3, embedding_dim=8, word_dropout=0.5, seed=1)
    ids = np.random.default_rng(0).integers(1, 50, (40, 9))
    vectors = model.get_layer("embedding")(ids)
    dropped = model.get_layer("word_dropout")(vectors, training=True).numpy()
    kept = (dropped != 0).any(axis=-1)
    np.testing.assert_allclose(dropped, 2 * vectors.numpy() * kept[..., None], rtol=1e-6)
    assert 0.4 < kept.mean() < 0.6
    np.testing.assert_array_equal(model(ids), build(50, 3, embedding_dim=8, seed=1)(ids))


@pytest.mark.parametrize("build", [models.text_classifier, models.attention_classifier])
def test_it_learns_which_word_occurs(build):
    rng = np.random.default_rng(0)
    ids = rng.integers(2, 20, (300, 6))
    y = (ids == 5).any(axis=1).astype(int)
    model = build(20, 2, embedding_dim=8, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    model.optimizer.learning_rate = 0.01
    assert model.fit(ids, y, epochs=12, verbose=0).history["accuracy"][-1] > 0.95


@pytest.mark.parametrize("build", [models.text_classifier, models.attention_classifier])
def test_same_seed_same_weights(build):
    first, again, other = (build(30, 3, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("build", [models.text_classifier, models.attention_classifier])
def test_text_models_errors(build):
    for vocabulary_size, classes in ((0, 2), (10, 0), (10.0, 2)):
        with pytest.raises(InvalidValueError, match="positive integers"):
            build(vocabulary_size, classes)


def test_queries_keys_and_values_start_apart():
    weights = models.attention_classifier(30, 3, seed=1).get_layer("attention").get_weights()
    kernels = [w for w in weights if w.ndim == 3]
    assert len(kernels) == 4
    assert len({float(kernel.flat[0]) for kernel in kernels}) == 4


def test_attention_is_the_scaled_dot_product():
    """One head, written out in NumPy from the layer's own weights."""
    layer = models.attention_classifier(30, 3, units=4, dtype="float64", seed=1).get_layer("attention")
    h = np.random.default_rng(0).standard_normal((2, 5, 4))
    Wq, bq, Wk, bk, Wv, bv, Wo, bo = layer.get_weights()
    Q, K, V = (h @ W[:, 0] + b[0] for W, b in ((Wq, bq), (Wk, bk), (Wv, bv)))
    S = Q @ K.transpose(0, 2, 1) / np.sqrt(4)
    A = np.exp(S) / np.exp(S).sum(axis=-1, keepdims=True)
    y, weights = layer(h, h, return_attention_scores=True)
    np.testing.assert_allclose(weights.numpy()[:, 0], A, rtol=1e-6)
    np.testing.assert_allclose(y.numpy(), A @ V @ Wo[0] + bo, rtol=1e-6)


def test_heads_errors():
    with pytest.raises(InvalidValueError, match="multiple of heads=3"):
        models.attention_classifier(30, 3, heads=3)
