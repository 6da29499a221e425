"""The losses in TensorFlow and their twins in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training import unlabelled


def value_and_gradient(function, x):
    x = tf.Variable(x)
    with tf.GradientTape() as tape:
        loss = function(x)
    return float(loss), tape.gradient(loss, x).numpy()


@given(
    n=st.integers(1, 6), d=st.integers(1, 5), temperature=st.sampled_from([0.05, 0.5, 3.0]), seed=st.integers(0, 10**9)
)
def test_nt_xent_matches_keras(n, d, temperature, seed):
    z = np.random.default_rng(seed).standard_normal((2 * n, d))
    ours = scratch.NTXent(temperature)
    loss, gradient = value_and_gradient(lambda z: unlabelled.nt_xent(z, temperature), z)
    np.testing.assert_allclose(ours.forward(np.tile(np.arange(n), 2), z), loss, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.backward(), gradient, rtol=1e-8, atol=1e-9 * np.abs(gradient).max() + 1e-13)


def test_nt_xent_of_a_row_of_zeros_matches_keras(rng):
    z = rng.standard_normal((4, 3))
    z[1] = 0
    ours = scratch.NTXent()
    loss, gradient = value_and_gradient(unlabelled.nt_xent, z)
    np.testing.assert_allclose(ours.forward([0, 1, 0, 1], z), loss, rtol=1e-12)
    np.testing.assert_allclose(ours.backward(), gradient, rtol=1e-8)


def test_nt_xent_of_unrelated_views_is_that_of_guessing(rng):
    z = rng.standard_normal((200, 400)).astype("float32")
    assert float(unlabelled.nt_xent(z)) == pytest.approx(np.log(199), abs=0.02)


@given(n=st.integers(1, 6), m=st.integers(1, 6), scale=st.sampled_from([1, 10, 100]), seed=st.integers(0, 10**9))
def test_adversarial_losses_match_keras(n, m, scale, seed):
    s = scale * np.random.default_rng(seed).standard_normal((n + m, 1))
    y = np.repeat([1, 0], [n, m])[:, None]
    pairs = [
        (scratch.DiscriminatorLoss(), lambda s: unlabelled.discriminator_loss(s[:n], s[n:])),
        (scratch.GeneratorLoss(), lambda s: unlabelled.generator_loss(s[n:])),
        (scratch.GeneratorLoss(saturating=True), lambda s: unlabelled.generator_loss(s[n:], saturating=True)),
    ]
    for ours, theirs in pairs:
        loss, gradient = value_and_gradient(theirs, s)
        np.testing.assert_allclose(ours.forward(y, s), loss, rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(ours.backward(), gradient, rtol=1e-8, atol=1e-14)


def test_the_best_discriminator_gives_the_jensen_shannon_divergence():
    """At D* = p/(p + q) the value of the game is 2·JSD(p, q) − ln 4; every other discriminator gives less."""
    p, q = np.array([0.5, 0.3, 0.2, 0.0]), np.array([0.1, 0.3, 0.2, 0.4])
    middle = (p + q) / 2
    divergence = sum(0.5 * sum(a * np.log(a / b) for a, b in zip(each, middle, strict=True) if a) for each in (p, q))

    def value(D):
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nansum(p * np.log(D)) + np.nansum(np.where(q > 0, q * np.log(1 - D), 0))

    best = p / (p + q)
    assert value(best) == pytest.approx(2 * divergence - np.log(4))
    for other in (best * 0.9 + 0.05, np.full(4, 0.5)):
        assert value(other) < value(best)


@pytest.mark.parametrize("z", [np.ones((3, 2)), np.ones(4), np.ones((0, 2))])
def test_nt_xent_of_what_are_no_pairs_errors(z):
    with pytest.raises(ShapeError, match=r"z \(2N, D\), received shape"):
        unlabelled.nt_xent(z)


def test_nt_xent_errors():
    with pytest.raises(InvalidValueError, match="floats, received int64"):
        unlabelled.nt_xent(np.ones((4, 2), "int64"))
    with pytest.raises(InvalidValueError, match="a temperature above 0, received 0"):
        unlabelled.nt_xent(np.ones((4, 2)), 0)
