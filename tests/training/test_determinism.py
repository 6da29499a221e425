"""A run twice with one seed gives equal weights, bit for bit; another seed gives others."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import models, training


def convolutions(rng):
    return models.image_classifier((12, 12, 1), 3, filters=(8, 8), dropout=0.3, seed=0), rng.random((50, 12, 12, 1))


def words(rng):
    return models.text_classifier(20, 3, embedding_dim=8, dropout=0.3, seed=0), rng.integers(1, 20, (50, 9))


def recurrence(rng):
    return models.sequence_classifier((6, 3), 3, units=(8, 4), dropout=0.3, seed=0), rng.random((50, 6, 3))


@pytest.mark.parametrize("kind", [convolutions, words, recurrence])
def test_same_seed_same_weights(kind, y, assert_same_weights):
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model, x = kind(np.random.default_rng(0))
        model.compile("adam", "sparse_categorical_crossentropy")
        training.fit(model, x, y, epochs=3, batch_size=16, seed=5)
        runs.append(model)
    assert_same_weights(*runs)


def test_another_seed_is_another_order(build, x, y):
    first, other = build(), build()
    training.fit(first, x, y, epochs=1, batch_size=16, seed=0)
    training.fit(other, x, y, epochs=1, batch_size=16, seed=1)
    assert (first.get_weights()[0] != other.get_weights()[0]).any()


def test_progress_and_validation_change_nothing(build, x, y, assert_same_weights, capsys):
    def body():
        return [keras.layers.Dropout(0.5)]

    quiet, loud = build(body), build(body)
    training.fit(quiet, x, y, epochs=3, verbose=False)
    training.fit(loud, x, y, epochs=3, verbose=True, validation_data=(x, y), patience=50, restore_best=False)
    assert_same_weights(quiet, loud)
    assert "epoch 3/3" in capsys.readouterr().out


def test_an_epochs_order_is_a_permutation_of_its_own():
    orders = [training.epoch_order(20, epoch=epoch, seed=3) for epoch in range(4)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(20))
    assert len({tuple(order) for order in orders}) == 4
    np.testing.assert_array_equal(training.epoch_order(20, epoch=2, seed=3), orders[2])
    np.testing.assert_array_equal(training.epoch_order(20, epoch=2, seed=3, shuffle=False), np.arange(20))
