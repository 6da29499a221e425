from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import InvalidValueError
from toolkit.scratch._initializers import INITIALIZERS, compute_fans

SHAPE = (300, 200)

# name: (Keras class, variance of the values)
CASES = {
    "glorot_uniform": ("GlorotUniform", 2 / 500),
    "glorot_normal": ("GlorotNormal", 2 / 500),
    "he_uniform": ("HeUniform", 2 / 300),
    "he_normal": ("HeNormal", 2 / 300),
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


def test_initializer_errors():
    with pytest.raises(InvalidValueError, match="he_uniform"):
        scratch.Dense(2, kernel_initializer="normal").build((2,))
