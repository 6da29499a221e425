from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from toolkit import plots
from toolkit.errors import InvalidValueError, ShapeError


def numbers(ax):
    """What is written in each cell, by (row, column)."""
    return {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in ax.texts}


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix_matches_scikit_learn(normalize, rng):
    y_true, y_pred = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    expected = metrics.confusion_matrix(y_true, y_pred, normalize=normalize)
    ax = plots.confusion_matrix(y_true, y_pred, normalize=normalize)
    scale = 1 if normalize is None else 100
    assert numbers(ax) == {index: f"{scale * value:.0f}" for index, value in np.ndenumerate(expected)}


def test_confusion_matrix_matches_hand_example():
    # True cats: one taken for a cat, two for dogs. True dogs: one, right.
    ax = plots.confusion_matrix(["cat", "cat", "cat", "dog"], ["cat", "dog", "dog", "dog"])
    assert numbers(ax) == {(0, 0): "1", (0, 1): "2", (1, 0): "0", (1, 1): "1"}
    assert names(ax) == [label.get_text() for label in ax.get_xticklabels()] == ["cat", "dog"]
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("true", "predicted")


def test_right_is_blue_wrong_is_orange_and_more_is_darker():
    red, _, blue = np.moveaxis(
        plots.confusion_matrix([0] * 10 + [1] * 5, [0] * 8 + [1] * 7).images[0].get_array(), -1, 0
    )
    assert (np.diag(blue) > np.diag(red)).all()
    assert red[0, 1] > blue[0, 1]
    assert red[0, 0] < red[1, 1]  # 8 right answers, then 5
    assert red[1, 0] == blue[1, 0] == 1  # never happened: white


def test_classes_name_numbers_and_order_strings():
    assert names(plots.confusion_matrix([0, 2], [2, 2], classes=["a", "b", "c"])) == ["a", "b", "c"]
    ax = plots.confusion_matrix(["x", "y"], ["y", "y"], classes=["y", "x", "z"])
    assert names(ax) == ["y", "x", "z"]
    assert numbers(ax)[(0, 0)] == numbers(ax)[(1, 0)] == "1"
    assert names(plots.confusion_matrix([3, 5], [5, 5], classes=[5, 3])) == ["5", "3"]
    assert names(plots.confusion_matrix([True, False], [True, True])) == ["False", "True"]


def test_a_class_that_does_not_occur_has_no_share():
    assert numbers(plots.confusion_matrix([0, 0], [0, 1], classes=["a", "b", "c"], normalize="true"))[(2, 2)] == "0"


def test_few_among_many_are_not_rounded_away():
    ax = plots.confusion_matrix([0] * 1000 + [1], [0] * 999 + [1, 1], normalize="true")
    assert numbers(ax)[(0, 1)] == "<1"


def test_many_classes_have_a_key_instead_of_numbers():
    ax = plots.confusion_matrix([*range(30), 0], [*range(30), 1])
    assert numbers(ax) == {}
    assert ax.get_xlabel() == "predicted; darkest: 1 right, 1 wrong"


def test_confusion_matrix_errors():
    with pytest.raises(ShapeError, match=r"argmax\(axis=1\)"):
        plots.confusion_matrix([0, 1], np.eye(2))
    with pytest.raises(ShapeError, match=r"\(2,\) and \(3,\)"):
        plots.confusion_matrix([0, 1], [0, 1, 1])
    with pytest.raises(ShapeError, match="not empty"):
        plots.confusion_matrix([], [])
    with pytest.raises(InvalidValueError, match="among the 2 classes a, b, received 2"):
        plots.confusion_matrix([0, 2], [0, 1], classes=["a", "b"])
    with pytest.raises(InvalidValueError, match="among the 1 classes x, received 'y'"):
        plots.confusion_matrix(["x"], ["y"], classes=["x"])
    with pytest.raises(InvalidValueError, match=r"y_pred as integers or strings.*astype\(int\)"):
        plots.confusion_matrix([0, 1], [0.2, 0.8])
    with pytest.raises(InvalidValueError, match="one kind"):
        plots.confusion_matrix([0, 1], ["0", "1"])
    with pytest.raises(InvalidValueError, match="normalize as None, true, pred, all"):
        plots.confusion_matrix([0], [0], normalize="rows")
