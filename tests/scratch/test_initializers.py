from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._initializers import INITIALIZERS, compute_fans

SHAPE = (300, 200)

# name: (Keras class, variance of the values)
CASES = {
    "glorot_uniform": ("GlorotUniform", 2 / 500),
    "glorot_normal": ("GlorotNormal", 2 / 500),
    "he_uniform": ("HeUniform", 2 / 300),
    "he_normal": ("HeNormal", 2 / 300),
    "uniform": ("RandomUniform", 0.05**2 / 3),
    "orthogonal": ("Orthogonal", 1 / 300),
}


@pytest.mark.parametrize("name", CASES)
def test_distribution_matches_keras(name):
    """Other random numbers, same distribution: the quantiles of 60,000 draws agree."""
    import keras

    keras_class, variance = CASES[name]
    values = INITIALIZERS[name]()(SHAPE, np.random.default_rng(0), np.dtype("float64"))
    expected = np.array(getattr(keras.initializers, keras_class)(seed=0)(SHAPE))
    assert abs(values.var() / variance - 1) < 0.02
    assert abs(values.mean()) < 4 * np.sqrt(variance / values.size)
    spread = np.sqrt(variance)
    quantiles = np.linspace(0, 1, 21)
    inner = slice(1, -1)
    np.testing.assert_allclose(
        np.quantile(values, quantiles)[inner] / spread, np.quantile(expected, quantiles)[inner] / spread, atol=0.03
    )
    if name != "orthogonal":  # the others have a largest value that is possible
        assert abs(np.abs(values).max() / np.abs(expected).max() - 1) < 0.01


@pytest.mark.parametrize("shape", [(3, 5), (7,), (3, 3, 2, 4), ()])
def test_fans_match_keras(shape):
    from keras.src.initializers.random_initializers import compute_fans as keras_fans

    assert compute_fans(shape) == keras_fans(shape)


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(INITIALIZERS)))
def test_same_seed_same_values(seed, name):
    first, again = (INITIALIZERS[name]()((4, 3), np.random.default_rng(seed), np.dtype("float32")) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == "float32"


def test_zeros_and_aliases():
    assert not scratch.Zeros()((3, 2), np.random.default_rng(0), np.dtype("float32")).any()
    assert INITIALIZERS["xavier_uniform"] is scratch.GlorotUniform is scratch.XavierUniform
    assert INITIALIZERS["xavier_normal"] is scratch.GlorotNormal is scratch.XavierNormal


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (2, 3, 4), (2, 2, 9)])
def test_orthogonal_has_orthonormal_columns_or_rows(shape):
    W = scratch.Orthogonal(gain=2.0)(shape, np.random.default_rng(0), np.dtype("float64")).reshape(-1, shape[-1])
    product = W.T @ W if W.shape[0] >= W.shape[1] else W @ W.T
    np.testing.assert_allclose(product, 4 * np.eye(min(W.shape)), atol=1e-12)


def test_orthogonal_prefers_no_rotation():
    # A fair rotation has every sign as often as the other; QR without the correction makes W[0, 0] negative always.
    rng = np.random.default_rng(0)
    signs = [np.sign(scratch.Orthogonal()((3, 3), rng, np.dtype("float64"))[0, 0]) for _ in range(400)]
    assert abs(np.mean(signs)) < 0.2  # four standard deviations


def test_random_uniform_stays_between_its_bounds():
    values = scratch.RandomUniform(2, 3)((50, 40), np.random.default_rng(0), np.dtype("float64"))
    assert 2 <= values.min() < 2.01
    assert 2.99 < values.max() <= 3


def test_initializer_errors():
    with pytest.raises(InvalidValueError, match="minval ≤ maxval"):
        scratch.RandomUniform(1, 0)
    with pytest.raises(InvalidValueError, match="finite gain"):
        scratch.Orthogonal(float("nan"))
    with pytest.raises(ShapeError, match=r"at least two axes, received \(3,\)"):
        scratch.Orthogonal()((3,), np.random.default_rng(0), np.dtype("float32"))
    with pytest.raises(InvalidValueError, match="he_uniform"):
        scratch.Dense(2, kernel_initializer="normal").build((2,))
