from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError


def in_words(things, z, temperature):
    """The definition, row by row."""
    unit = [row / np.linalg.norm(row) for row in z]
    losses = []
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        e = {k: np.exp(unit[i] @ unit[k] / temperature) for k in others}
        partner = next(k for k in others if things[k] == things[i])
        losses.append(-np.log(e[partner] / sum(e.values())))
    return np.mean(losses)


def test_nt_xent_matches_hand_example():
    # Partners point the same way, the others are at right angles: similarities 1, 0, 0 at τ = 1, so that
    # L = −ln(e / (e + 1 + 1)) = ln(1 + 2/e); the lengths 2 and 3 do not matter.
    z = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]])
    loss = scratch.NTXent(temperature=1.0)
    np.testing.assert_allclose(loss.forward([0, 1, 0, 1], z), np.log(1 + 2 / np.e), rtol=1e-12)
    # Turning a row towards a wrong one raises the loss; its length does nothing.
    np.testing.assert_allclose((loss.backward() * z).sum(axis=1), 0, atol=1e-15)
    assert loss.backward()[0, 1] > 0


def test_two_rows_have_nobody_to_be_mistaken_for():
    loss = scratch.NTXent()
    assert loss.forward([5, 5], [[1.0, 2.0], [-3.0, 1.0]]) == 0
    np.testing.assert_allclose(loss.backward(), 0, atol=1e-15)


@given(
    n=st.integers(1, 5), d=st.integers(1, 6), temperature=st.sampled_from([0.1, 0.5, 2.0]), seed=st.integers(0, 10**9)
)
def test_nt_xent_is_its_definition(n, d, temperature, seed):
    rng = np.random.default_rng(seed)
    things = rng.permutation(np.tile(np.arange(n), 2))
    z = rng.standard_normal((2 * n, d))
    ours = scratch.NTXent(temperature).forward(things, z)
    np.testing.assert_allclose(ours, in_words(things, z, temperature), rtol=1e-10, atol=1e-12)
    assert 0 <= ours <= np.log(2 * n - 1) + 2 / temperature + 1e-9 if n > 1 else ours == 0


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_gradient(temperature, rng):
    z, things = rng.standard_normal((8, 3)), [0, 1, 2, 3, 0, 1, 2, 3]
    loss = scratch.NTXent(temperature)
    numeric = scratch.numerical_gradient(lambda values: loss.forward(things, values), z)
    loss.forward(things, z)
    scratch.compare_gradients(loss.backward(), numeric)


def test_nt_xent_keeps_float32(rng):
    loss = scratch.NTXent(0.1)
    loss.forward([0, 1, 0, 1], rng.standard_normal((4, 3)).astype("float32"))
    assert loss.backward().dtype == np.float32


def test_nt_xent_errors():
    loss = scratch.NTXent()
    with pytest.raises(CallOrderError, match="forward"):
        loss.backward()
    with pytest.raises(ShapeError, match=r"y_true \(2N,\)"):
        loss.forward([0, 0, 1], np.ones((4, 2)))
    with pytest.raises(InvalidValueError, match="twice each"):
        loss.forward([0, 0, 0, 1], np.ones((4, 2)))
    with pytest.raises(InvalidValueError, match="temperature above 0"):
        scratch.NTXent(0)
