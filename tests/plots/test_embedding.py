from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from toolkit import plots
from toolkit.errors import InvalidValueError, ShapeError


def points(ax):
    return np.concatenate([collection.get_offsets() for collection in ax.collections])


def names(ax):
    return [text.get_text() for text in ax.texts]


def test_pca_keeps_what_lies_in_a_plane(rng):
    """Points of a plane, turned in five dimensions: their distances are all there, the first axis the longest."""
    plane = rng.normal(size=(20, 2)) * [3, 1]
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0][:2]
    ax = plots.embedding(plane @ turn + 7)
    np.testing.assert_allclose(pdist(points(ax)), pdist(plane))
    shares = np.var(points(ax), axis=0) / np.var(plane, axis=0).sum()
    assert ax.get_xlabel() == f"PCA 1 ({shares[0]:.0%} of the variance)"
    assert shares[0] > shares[1]


def test_tsne_keeps_groups_together(rng):
    centres = 30 * rng.normal(size=(3, 10))
    groups = np.repeat([0, 1, 2], 15)
    ax = plots.embedding(centres[groups] + rng.normal(size=(45, 10)), method="tsne")
    at = points(ax)
    nearest = np.argsort(np.linalg.norm(at[:, None] - at, axis=-1), axis=1)[:, 1]
    assert (groups[nearest] == groups).all()
    assert list(ax.get_xticks()) == []


def test_few_labels_are_all_written_of_many_only_the_highlighted(rng):
    words = [f"w{k}" for k in range(100)]
    vectors = rng.normal(size=(100, 4))
    assert sorted(names(plots.embedding(vectors[:60], words[:60]))) == sorted(words[:60])
    ax = plots.embedding(vectors, words, highlight=["w7", "w42"])
    assert sorted(names(ax)) == ["w42", "w7"]
    ring = ax.collections[-1].get_offsets()
    np.testing.assert_array_equal(ring, ax.collections[0].get_offsets()[[7, 42]])
    for text in ax.texts:
        assert tuple(text.xy) in set(map(tuple, ring))


def test_names_do_not_lie_on_each_other(rng):
    ax = plots.embedding(rng.normal(size=(25, 3)), [f"word {k}" for k in range(25)])
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent().shrunk(0.9, 0.7) for text in ax.texts]
    overlaps = sum(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    assert overlaps == 0


def test_classes_differ_by_marker_too(rng):
    ax = plots.embedding(rng.normal(size=(6, 3)), classes=["x", "y", "x", "z", "y", "x"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["x", "y", "z"]
    assert [len(collection.get_offsets()) for collection in ax.collections] == [3, 2, 1]
    assert len({collection.get_paths()[0].vertices.tobytes() for collection in ax.collections}) == 3


def test_embedding_errors(rng):
    vectors = rng.normal(size=(4, 3))
    with pytest.raises(ShapeError, match=r"N ≥ 3 and D ≥ 2, received shape \(4,\)"):
        plots.embedding(vectors[:, 0])
    with pytest.raises(ShapeError, match=r"received shape \(4, 1\)"):
        plots.embedding(vectors[:, :1])
    with pytest.raises(ShapeError, match="4 labels, one for each vector, received 1"):
        plots.embedding(vectors, ["a"])
    with pytest.raises(ShapeError, match="4 classes"):
        plots.embedding(vectors, classes=["a"])
    with pytest.raises(InvalidValueError, match="NaN"):
        plots.embedding(vectors * np.nan)
    with pytest.raises(InvalidValueError, match="among the labels, received x"):
        plots.embedding(vectors, list("abcd"), highlight=["a", "x"])
    with pytest.raises(InvalidValueError, match="'pca' or 'tsne', received 'umap'"):
        plots.embedding(vectors, method="umap")
