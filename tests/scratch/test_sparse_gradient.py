from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import ShapeError
from toolkit.scratch import SparseGradient

OPTIMIZERS = {
    "sgd": (lambda: scratch.SGD(0.1), "SGD", {"learning_rate": 0.1}),
    "momentum": (lambda: scratch.Momentum(0.05, 0.9), "SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": (
        lambda: scratch.Nesterov(0.05, 0.9),
        "SGD",
        {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    ),
    "rmsprop": (lambda: scratch.RMSprop(0.01, rho=0.8), "RMSprop", {"learning_rate": 0.01, "rho": 0.8}),
    "adam": (lambda: scratch.Adam(0.01), "Adam", {"learning_rate": 0.01}),
    "adamw": (
        lambda: scratch.AdamW(0.01, weight_decay=0.1),
        "AdamW",
        {"learning_rate": 0.01, "weight_decay": 0.1},
    ),
}


def test_sparse_gradient_matches_hand_example():
    # Row 2 was used twice: 1 + 4 = 5. Row 0 once, rows 1 and 3 never.
    gradient = SparseGradient(np.array([2, 0, 2]), np.array([[1.0], [2.0], [4.0]]), (4, 1))
    np.testing.assert_array_equal(gradient.to_dense(), [[2], [0], [5], [0]])
    summed = gradient.summed()
    np.testing.assert_array_equal(summed.rows, [0, 2])
    np.testing.assert_array_equal(summed.values, [[2], [5]])
    np.testing.assert_array_equal(np.asarray(gradient * 3), [[6], [0], [15], [0]])
    np.testing.assert_array_equal(np.asarray(gradient + gradient), [[4], [0], [10], [0]])
    np.testing.assert_array_equal(gradient + np.ones((4, 1)), [[3], [1], [6], [1]])
    assert repr(gradient) == "<SparseGradient (4, 1): 2 rows used, float64>"


@given(
    k=st.integers(0, 30),
    v=st.integers(1, 9),
    d=st.integers(1, 5),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_dense_matrix_adds_up_each_entry(k, v, d, dtype, seed):
    rng = np.random.default_rng(seed)
    rows, values = rng.integers(0, v, k), rng.standard_normal((k, d)).astype(dtype)
    expected = np.zeros((v, d))
    for row, value in zip(rows, values):
        expected[row] += value
    gradient = SparseGradient(rows, values, (v, d))
    assert gradient.shape == np.shape(gradient) == (v, d)
    assert np.asarray(gradient).dtype == dtype
    np.testing.assert_allclose(np.asarray(gradient, dtype="float64"), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(gradient.summed().rows, np.unique(rows))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_with_repeated_rows_match_keras(name):
    """Keras gets the very IndexedSlices that a gather has as its gradient; some rows are never used."""
    import keras
    import tensorflow as tf

    make, keras_class, options = OPTIMIZERS[name]
    optimizer, twin = make(), getattr(keras.optimizers, keras_class)(**options)
    rng = np.random.default_rng(3)
    v, d, k = 9, 3, 12
    w = rng.standard_normal((v, d))
    variable = keras.Variable(w, dtype="float64")
    for _ in range(50):
        rows, values = rng.integers(1, v, k), rng.standard_normal((k, d))
        optimizer.step({"E": w}, {"E": SparseGradient(rows, values, (v, d))})
        twin.apply_gradients([(tf.IndexedSlices(values, rows, (v, d)), variable)])
    np.testing.assert_allclose(w, variable.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_with_rows_used_once_equal_dense_steps(name, rng):
    sparse, dense = OPTIMIZERS[name][0](), OPTIMIZERS[name][0]()
    w = rng.standard_normal((8, 3))
    twin = w.copy()
    for _ in range(20):
        gradient = SparseGradient(rng.permutation(8)[:4], rng.standard_normal((4, 3)), w.shape)
        sparse.step({"E": w}, {"E": gradient})
        dense.step({"E": twin}, {"E": gradient.to_dense()})
    np.testing.assert_allclose(w, twin, rtol=1e-12)


def test_gradient_descent_touches_only_the_rows_used():
    w = np.ones((5, 2), "float32")
    scratch.SGD(0.5).step({"E": w}, {"E": SparseGradient(np.array([1, 1]), np.ones((2, 2), "float32"), (5, 2))})
    np.testing.assert_array_equal(w, [[1, 1], [0, 0], [1, 1], [1, 1], [1, 1]])
    assert w.dtype == "float32"


def test_sparse_gradient_errors():
    with pytest.raises(ShapeError, match=r"rows \(K,\) and values \(K, D\) of a matrix \(4, 2\)"):
        SparseGradient(np.arange(3), np.ones((2, 2)), (4, 2))
    with pytest.raises(ShapeError, match=r"values \(3, 1\)"):
        SparseGradient(np.arange(3), np.ones((3, 1)), (4, 2))
    with pytest.raises(ShapeError, match=r"gradient of shape \(5, 2\) for 'E'"):
        scratch.Adam().step({"E": np.ones((5, 2))}, {"E": SparseGradient(np.arange(2), np.ones((2, 2)), (4, 2))})
