from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

NORMALIZATIONS = ["BatchNormalization", "LayerNormalization"]
shapes = st.lists(st.integers(2, 5), min_size=2, max_size=4)
seeds = st.integers(0, 2**32 - 1)


def test_batch_normalization_matches_hand_example():
    # One feature of two samples, (1, 5): μ = 3, v = (4 + 4)/2 = 4 (not 8, which dividing by m − 1 would give).
    # ε = 0, γ = 1, β = 0: x̂ = (−1, 1) = y.
    # Backward from dy = (1, 0): dβ = 1, dγ = −1, dx = 1/2·(1 − (1 − 1·(−1))/2, 0 − (1 + 1·(−1))/2) = (0, 0): with
    # two samples, whatever x is, y = (±1, ∓1).
    layer = scratch.BatchNormalization(momentum=0.75, epsilon=0)
    np.testing.assert_array_equal(layer.forward([[1], [5]], training=True), [[-1], [1]])
    np.testing.assert_array_equal(layer.backward([[1], [0]]), [[0], [0]])
    np.testing.assert_array_equal(layer.grads["beta"], [1])
    np.testing.assert_array_equal(layer.grads["gamma"], [-1])
    # The moving averages have gone a quarter of the way from (0, 1) to (3, 4); in use they stand for μ and v.
    np.testing.assert_array_equal(layer.non_trainable["moving_mean"], [0.75])
    np.testing.assert_array_equal(layer.non_trainable["moving_variance"], [1.75])
    np.testing.assert_allclose(layer.forward([[0.75 + np.sqrt(1.75)]]), [[1]], rtol=1e-6)
    np.testing.assert_allclose(layer.backward([[1]]), [[1 / np.sqrt(1.75)]], rtol=1e-6)


def test_layer_normalization_matches_hand_example():
    # One sample with two features, (1, 5): μ = 3, v = 4, ε = 0; x̂ = (−1, 1), y = (2·(−1), 3·1 + 1).
    # Backward from dy = (1, 0): dγ = (−1, 0), dβ = (1, 0); dx̂ = (2, 0), its mean 1, that of dx̂ ⊙ x̂ is −1:
    # dx = 1/2·(2 − 1 − (−1)(−1), 0 − 1 − 1·(−1)) = (0, 0).
    layer = scratch.LayerNormalization(epsilon=0)
    layer.build((2,))
    layer.params["gamma"][...], layer.params["beta"][...] = (2, 3), (0, 1)
    np.testing.assert_array_equal(layer.forward([[1, 5]]), [[-2, 4]])
    np.testing.assert_array_equal(layer.backward([[1, 0]]), [[0, 0]])
    np.testing.assert_array_equal(layer.grads["gamma"], [-1, 0])
    np.testing.assert_array_equal(layer.grads["beta"], [1, 0])


@given(
    shape=shapes,
    training=st.booleans(),
    center=st.booleans(),
    scale=st.booleans(),
    momentum=st.sampled_from([0.0, 0.9, 0.99]),
    epsilon=st.sampled_from([1e-3, 1e-5]),
    seed=seeds,
)
def test_batch_normalization_matches_keras(assert_matches_keras, shape, training, seed, **options):
    """Outputs, gradients, and the moving averages after the step."""
    import keras

    x = np.random.default_rng(seed).normal(1, 2, shape)
    layer = scratch.BatchNormalization(**options)
    assert_matches_keras(layer, keras.layers.BatchNormalization(**options, dtype="float64"), x, training=training)


@given(n=st.integers(1, 4), t=st.integers(2, 5), d=st.integers(2, 4), training=st.booleans(), seed=seeds)
def test_batch_normalization_with_mask_matches_keras(assert_matches_keras, n, t, d, training, seed):
    import keras

    rng = np.random.default_rng(seed)
    x, mask = rng.normal(1, 2, (n, t, d)), rng.random((n, t)) < 0.6
    mask[0, :2] = True  # with fewer than two places there is no variance to speak of
    layer, twin = scratch.BatchNormalization(), keras.layers.BatchNormalization(dtype="float64")
    assert_matches_keras(layer, twin, x, training=training, mask=mask)


@given(shape=shapes, center=st.booleans(), scale=st.booleans(), epsilon=st.sampled_from([1e-3, 1e-5]), seed=seeds)
def test_layer_normalization_matches_keras(assert_matches_keras, shape, seed, **options):
    import keras

    x = np.random.default_rng(seed).normal(1, 2, shape)
    layer, twin = scratch.LayerNormalization(**options), keras.layers.LayerNormalization(**options, dtype="float64")
    assert_matches_keras(layer, twin, x)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalization_gradient(name, training, rng):
    report = scratch.gradient_check(getattr(scratch, name)(), rng.normal(1, 2, (4, 3, 3)), training=training)
    assert report.errors.keys() == {"dx", "dgamma", "dbeta"}


def test_batch_normalization_in_training_ignores_shift_and_scale_of_its_input(rng):
    x = rng.normal(size=(50, 3))
    layer = scratch.BatchNormalization(epsilon=0)
    layer.build((3,), dtype="float64")
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(layer.forward(7 * x - 3, training=True), y, rtol=1e-9)


def test_batch_normalization_changes_its_moving_averages_in_training_only(rng):
    layer, x = scratch.BatchNormalization(), rng.random((5, 3))
    layer.build((3,))
    before = {name: average.copy() for name, average in layer.non_trainable.items()}
    layer.forward(x)
    for name, average in layer.non_trainable.items():
        np.testing.assert_array_equal(average, before[name])
    layer.forward(x, training=True)
    assert all((average != before[name]).all() for name, average in layer.non_trainable.items())
    assert list(layer.weights) == ["gamma", "beta", "moving_mean", "moving_variance"]


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalization_computes_in_its_dtype(name, rng):
    for dtype in ("float32", "float64"):
        layer = getattr(scratch, name)()
        layer.build((4, 3), dtype=dtype)
        options = {"mask": np.eye(5, 4, dtype=bool)} if layer.uses_mask else {}
        for training in (True, False):
            y = layer.forward(rng.random((5, 4, 3)), training, **options)
            dx = layer.backward(np.ones_like(y))
            assert {a.dtype.name for a in (y, dx, *layer.grads.values(), *layer.non_trainable.values())} == {dtype}


@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalization_errors(name):
    layer = getattr(scratch, name)(name="norm")
    with pytest.raises(CallOrderError, match=f"{name} 'norm': expected forward before backward"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"with D known, received shape \(N, 4, None\)"):
        layer.build((4, None))
    with pytest.raises(InvalidValueError, match="epsilon ≥ 0"):
        getattr(scratch, name)(epsilon=-1e-3)


def test_batch_normalization_errors(rng):
    for momentum in (-0.1, 1.5, float("nan")):
        with pytest.raises(InvalidValueError, match=r"momentum in \[0, 1\]"):
            scratch.BatchNormalization(momentum)
    with pytest.raises(ShapeError, match=r"mask \(N, T\) of shape \(2, 4\)"):
        scratch.BatchNormalization().forward(rng.random((2, 4, 3)), training=True, mask=np.ones((2, 5), bool))
