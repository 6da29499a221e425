from __future__ import annotations

import numpy as np

from toolkit.models.summarizer import KnownTokens, PointerMixture


def test_mixture_matches_hand_example():
    # V = 3 known words, K = 1. Source: 2, 3 (unknown), 2; weights 0.2, 0.5, 0.3; the gate says 0.6 write.
    # P = 0.6·(0.1, 0.3, 0.6, 0) + 0.4·(0, 0, 0.2 + 0.3, 0.5) = (0.06, 0.18, 0.56, 0.20).
    p, gate = np.array([[[0.1, 0.3, 0.6]]]), np.array([[[0.6]]])
    weights, source = np.array([[[0.2, 0.5, 0.3]]]), np.array([[2, 3, 2]])
    mixed = PointerMixture(1, dtype="float64")([p, gate, weights, source])
    np.testing.assert_allclose(mixed, [[[0.06, 0.18, 0.56, 0.20]]])


def test_mixture_matches_a_loop():
    rng = np.random.default_rng(0)
    N, T, S, V, K = 3, 4, 5, 6, 2
    p, weights = (rng.dirichlet(np.ones(n), (N, T)) for n in (V, S))
    gate, source = rng.random((N, T, 1)), rng.integers(0, V + K, (N, S))
    expected = np.concatenate([gate * p, np.zeros((N, T, K))], axis=2)
    for n, t, s in np.ndindex(N, T, S):
        expected[n, t, source[n, s]] += (1 - gate[n, t, 0]) * weights[n, t, s]
    np.testing.assert_allclose(PointerMixture(K, dtype="float64")([p, gate, weights, source]), expected)


def test_known_tokens_matches_hand_example():
    ids = KnownTokens(4)(np.array([[2, 3, 4, 5, 0]]))
    np.testing.assert_array_equal(ids, [[2, 3, 1, 1, 0]])
