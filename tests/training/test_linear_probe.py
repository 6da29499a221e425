from __future__ import annotations

import numpy as np
import pytest

from toolkit import training
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.training._linear_probe import interval_half_width


@pytest.fixture
def blobs(rng):
    """Three classes in 5 dimensions, 40 training and 20 test samples of each; two axes tell them apart."""
    centres = np.array([[4.0, 0.0], [-2.0, 3.0], [-2.0, -3.0]])

    def draw(n):
        y = np.repeat(np.arange(3), n)
        h = rng.standard_normal((3 * n, 5))
        h[:, :2] += centres[y]
        return h, y

    return *draw(40), *draw(20)


def test_separable_classes_are_read_out(blobs):
    result = training.linear_probe(*blobs, per_class=(2, 10, None), seeds=4)
    assert result.per_class == (2, 10, None)
    assert result.labels.tolist() == [6, 30, 120]
    assert result.accuracy.shape == (3, 4)
    assert result.mean[0] > 0.7
    assert result.mean[2] > 0.95
    assert np.isnan(result.half_width).tolist() == [False, False, True]  # all labels: a single draw
    assert np.ptp(result.accuracy[0]) > 0  # two labels a class: the draw matters


def test_features_without_information_give_chance(rng):
    y = np.tile(np.arange(3), 100)
    result = training.linear_probe(rng.standard_normal((300, 4)), y, rng.standard_normal((300, 4)), y)
    assert abs(result.mean[0] - 1 / 3) < 0.12


def test_probe_matches_scikit_learn(blobs):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    h, y, h_test, y_test = blobs
    twin = make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(h, y)
    assert training.linear_probe(*blobs, C=0.1).accuracy.item() == twin.score(h_test, y_test)


def test_same_seed_same_result_and_scale_does_not_matter(blobs):
    h, y, h_test, y_test = blobs
    first = training.linear_probe(*blobs, per_class=3, seeds=(7, 8))
    again = training.linear_probe(1000 * h + 5, y, 1000 * h_test + 5, y_test, per_class=3, seeds=(7, 8))
    np.testing.assert_array_equal(first.accuracy, again.accuracy)
    assert first.accuracy[0, 0] == training.linear_probe(*blobs, per_class=3, seeds=[7]).accuracy.item()


def test_larger_draws_contain_the_smaller():
    from toolkit.training._linear_probe import draw_labelled

    y = np.array(list("abcabcabcabc"))
    small, large = draw_labelled(y, 2, seed=5), draw_labelled(y, 3, seed=5)
    assert set(small) < set(large)
    assert sorted(y[small]) == list("aabbcc")
    assert set(draw_labelled(y, 2, seed=5)) != set(draw_labelled(y, 2, seed=6))


def test_images_are_flattened_and_labels_may_be_names(blobs):
    h, y, h_test, y_test = blobs
    names = np.array(["left", "up", "down"])
    as_images = training.linear_probe(h.reshape(-1, 5, 1), names[y], h_test.reshape(-1, 5, 1), names[y_test])
    assert as_images.mean == training.linear_probe(*blobs).mean


def test_interval_matches_hand_example():
    # 1, 2, 3: standard deviation 1, t(0.975; 2) = 4.3027, so 4.3027/√3 = 2.4841.
    np.testing.assert_allclose(interval_half_width([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]), [2.4841, 0], atol=1e-4)
    assert np.isnan(interval_half_width([0.5]))


def test_difference_matches_hand_example():
    few, many = [0.5, 0.6, 0.7], [0.9, 0.9, 0.9]
    better, baseline = (
        training.ProbeResult((1, 5), np.array([3, 15]), np.array([row, many]), (0, 1, 2))
        for row in ([0.6, 0.8, 1.0], few)
    )
    mean, half = better.difference(baseline)
    # Paired differences 0.1, 0.2, 0.3: deviation 0.1, so 4.3027·0.1/√3; far narrower than either row by itself.
    np.testing.assert_allclose(mean, [0.2, 0], atol=1e-12)
    np.testing.assert_allclose(half, [0.24841, 0], atol=1e-5)
    assert half[0] < better.half_width[0]
    np.testing.assert_array_equal(better.difference(better), np.zeros((2, 2)))


def test_difference_is_paired_by_draw(blobs):
    h, y, h_test, y_test = blobs
    all_axes = training.linear_probe(*blobs, per_class=(2, 5), seeds=[4, 9, 11])
    one_axis = training.linear_probe(h[:, :1], y, h_test[:, :1], y_test, per_class=(2, 5), seeds=[4, 9, 11])
    mean, half = all_axes.difference(one_axis)
    np.testing.assert_allclose(mean, all_axes.mean - one_axis.mean)
    np.testing.assert_array_equal(half, interval_half_width(all_axes.accuracy - one_axis.accuracy))
    assert all_axes.seeds == (4, 9, 11)


def test_all_labels_are_a_single_draw(blobs):
    h, y, h_test, y_test = blobs
    every, one_axis = (
        training.linear_probe(z, y, z_test, y_test, seeds=3) for z, z_test in ((h, h_test), (h[:, :1], h_test[:, :1]))
    )
    mean, half = every.difference(one_axis)
    assert mean == pytest.approx(every.mean - one_axis.mean)
    assert np.isnan([*every.half_width, *half]).all()
    # Representations that were learned anew for each seed differ, even with all labels.
    learned = training.ProbeResult((None,), np.array([120]), np.array([[0.8, 0.9, 1.0]]), (0, 1, 2))
    for values in (learned.half_width, learned.difference(every)[1]):
        np.testing.assert_allclose(values, interval_half_width([0.8, 0.9, 1.0]))


def test_difference_errors(blobs):
    h, y, h_test, y_test = blobs
    result = training.linear_probe(*blobs, per_class=2, seeds=3)
    with pytest.raises(InvalidValueError, match=r"a baseline with seeds \(0, 1, 2\).*\(0, 1\)"):
        result.difference(training.linear_probe(*blobs, per_class=2, seeds=2))
    with pytest.raises(InvalidValueError, match=r"with per_class \(2,\).*\(3,\)"):
        result.difference(training.linear_probe(*blobs, per_class=3, seeds=3))
    two = y < 2
    with pytest.raises(InvalidValueError, match=r"with labels \[6\].*\[4\]"):
        result.difference(training.linear_probe(h[two], y[two], h_test, y_test, per_class=2, seeds=3))


def test_frame_and_repr(blobs):
    result = training.linear_probe(*blobs, per_class=[1, None], seeds=3)
    frame = result.frame()
    assert frame.index.tolist() == ["1", "all"]
    assert frame["labels"].tolist() == [3, 120]
    np.testing.assert_array_equal(frame["accuracy"], result.mean)
    assert "120 labels" in repr(result)
    assert "nan" not in repr(training.linear_probe(*blobs))


def test_linear_probe_errors(blobs):
    h, y, h_test, y_test = blobs
    with pytest.raises(ShapeError, match=r"labels of shape \(120,\).*\(119,\)"):
        training.linear_probe(h, y[1:], h_test, y_test)
    with pytest.raises(ShapeError, match="argmax"):
        training.linear_probe(h, np.eye(3)[y], h_test, y_test)
    with pytest.raises(ShapeError, match=r"test_features \(M, 5\)"):
        training.linear_probe(h, y, h_test[:, :4], y_test)
    with pytest.raises(ShapeError, match=r"\(N, D\)"):
        training.linear_probe(h[:, 0], y, h_test, y_test)
    with pytest.raises(InvalidValueError, match="finite"):
        training.linear_probe(np.where(h > 2, np.nan, h), y, h_test, y_test)
    with pytest.raises(InvalidValueError, match="two classes"):
        training.linear_probe(h, 0 * y, h_test, y_test)
    with pytest.raises(InvalidValueError, match="41, and class 0 has 40"):
        training.linear_probe(*blobs, per_class=41)
    with pytest.raises(InvalidValueError, match="per_class"):
        training.linear_probe(*blobs, per_class=0)
    with pytest.raises(InvalidValueError, match="at least one number"):
        training.linear_probe(*blobs, per_class=())
    for seeds in (0, [], [0.5], [-1], ["a"], [3, 3], 1.5):
        with pytest.raises(InvalidValueError, match="seeds as a positive integer, or a list of different integers"):
            training.linear_probe(*blobs, seeds=seeds)
    for C in (0, "a", None, float("nan")):
        with pytest.raises(InvalidValueError, match="C above 0"):
            training.linear_probe(*blobs, C=C)
