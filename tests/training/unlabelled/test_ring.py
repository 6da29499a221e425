from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training.unlabelled import GaussianRing


def test_centres_match_hand_example():
    centres = GaussianRing(modes=4, radius=3).centres
    np.testing.assert_allclose(centres, [[3, 0], [0, 3], [-3, 0], [0, -3]], atol=1e-12)


def test_true_samples_hit_every_mode():
    ring = GaussianRing()
    x = ring.draw(4000)
    hits = ring.hits(x)
    # 1 − exp(−3²/2) of a Gaussian in the plane lies within three standard deviations.
    assert hits.sum() / 4000 == pytest.approx(1 - np.exp(-4.5), abs=0.006)
    assert hits.min() > 400
    assert ring.modes_hit(x) == 8
    np.testing.assert_array_equal(x, ring.draw(4000))
    assert not np.array_equal(x, ring.draw(4000, seed=1))


def test_collapse_is_counted_exactly():
    ring = GaussianRing(modes=8)
    one = np.repeat(ring.centres[:1], 90, axis=0)
    elsewhere = np.zeros((10, 2))
    assert ring.hits(np.concatenate([one, elsewhere])).tolist() == [90, 0, 0, 0, 0, 0, 0, 0]
    assert ring.modes_hit(one) == 1
    assert ring.modes_hit(elsewhere) == 0
    # 2 of 100 samples are less than a fifth of what a mode should get, 12.5; 3 are more.
    for few, modes in ((2, 1), (3, 2)):
        samples = np.concatenate([np.repeat(ring.centres[:1], 100 - few, axis=0), np.repeat(ring.centres[1:2], few, 0)])
        assert ring.modes_hit(samples) == modes


def test_density_integrates_to_one():
    ring = GaussianRing(modes=5, radius=1, deviation=0.2)
    grid = np.linspace(-2.5, 2.5, 201)
    x = np.stack(np.meshgrid(grid, grid), axis=-1)
    assert ring.density(x).sum() * (grid[1] - grid[0]) ** 2 == pytest.approx(1, abs=1e-6)


def test_ring_errors():
    with pytest.raises(InvalidValueError, match="positive"):
        GaussianRing(deviation=0)
    with pytest.raises(ShapeError, match=r"samples \(N, 2\)"):
        GaussianRing().hits(np.zeros((3, 3)))
    with pytest.raises(InvalidValueError, match=r"modes as a positive integer, received 2\.5"):
        GaussianRing(modes=2.5)
    with pytest.raises(InvalidValueError, match="n as an integer from 0, received -1"):
        GaussianRing().draw(-1)
    with pytest.raises(ShapeError, match=r"points \(…, 2\)"):
        GaussianRing().density([1, 2, 3])


def test_no_samples_hit_nothing():
    assert GaussianRing().modes_hit(np.zeros((0, 2))) == 0
