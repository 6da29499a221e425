from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from toolkit import plots
from toolkit.errors import InvalidValueError, ShapeError

WORDS = ["the", "cat", "sat"]
WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5], [0.0, 0.75, 0.25]])


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_attention_shows_the_weights_of_each_word():
    ax = plots.attention(WEIGHTS, WORDS)
    np.testing.assert_array_equal(ax.images[0].get_array(), WEIGHTS)
    assert texts(ax) == ["90", "10", "0", "20", "30", "50", "0", "75", "25"]
    assert [label.get_text() for label in ax.get_xticklabels()] == WORDS
    assert [label.get_text() for label in ax.get_yticklabels()] == WORDS
    assert ax.images[0].get_clim() == (0, 0.9)
    assert plots.attention(np.full((4, 4), 0.25), list("abcd")).images[0].get_clim() == (0, 0.5)


def test_cross_attention_has_other_words_for_the_keys():
    ax = plots.attention(WEIGHTS[:2], ["le", "chat"], WORDS)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["le", "chat"]
    assert [label.get_text() for label in ax.get_xticklabels()] == WORDS


def test_tokens_are_called_by_their_name():
    assert plots.attention(WEIGHTS, WORDS).get_ylabel() == "each word …"
    assert plots.attention(WEIGHTS, list("abc"), unit="character").get_ylabel() == "each character …"


def test_short_tokens_stand_upright():
    def rotation(tokens):
        (angle,) = {label.get_rotation() for label in plots.attention(np.eye(len(tokens)), tokens).get_xticklabels()}
        return angle

    assert rotation(["a", "was", "."]) == 0
    assert rotation(["a", "word", "."]) == 90
    assert rotation(list("characters as well")) == 0  # too many for numbers, and still each has its place
    assert rotation(["as"] * 13) == 90


def test_a_long_sentence_has_a_colour_bar_instead_of_numbers():
    ax = plots.attention(np.full((13, 13), 1 / 13), ["word"] * 13)
    assert texts(ax) == []
    assert len(ax.figure.axes) == 2


def test_words_are_not_read_as_formulas():
    words = ["$x^$", "costs", "$_$"]
    ax = plots.attention(WEIGHTS, words)
    ax.figure.canvas.draw()  # as a formula, $x^$ would be an error
    plots.attention_text(["$x^$", "$_$", "a"], [0, 1, 0]).figure.canvas.draw()


def test_attention_errors():
    with pytest.raises(ShapeError, match=r"received shape \(1, 2, 3, 3\).*attention_scores\[0, head\]"):
        plots.attention(np.ones((1, 2, 3, 3)), WORDS)
    with pytest.raises(ShapeError, match=r"3 query_tokens .*received 2.*padding"):
        plots.attention(WEIGHTS, WORDS[:2])
    with pytest.raises(ShapeError, match="3 key_tokens"):
        plots.attention(WEIGHTS, WORDS, WORDS[:2])
    with pytest.raises(InvalidValueError, match=r"a weight of -0\.5"):
        plots.attention([[0.2, -0.5]], ["a"], ["b", "c"])
    with pytest.raises(InvalidValueError, match="a weight of nan"):
        plots.attention([[0.2, np.nan]], ["a"], ["b", "c"])


# ---------------------------------------------------------------------- attention_text


def boxes_and_bars(ax):
    rectangles = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return rectangles[::2], rectangles[1::2]


def test_attention_text_darkens_words_and_draws_bars():
    ax = plots.attention_text(WORDS, [0.2, 0.8, 0.0])
    boxes, bars = boxes_and_bars(ax)
    assert texts(ax) == ["the", "cat", "0.80", "sat"]  # the largest weight carries its number
    heights = [abs(bar.get_height()) for bar in bars]
    np.testing.assert_allclose(heights, max(heights) * np.array([0.25, 1, 0]))
    reds = [box.get_facecolor()[0] for box in boxes]
    assert reds[1] < reds[0] < reds[2] == 1


def test_attention_text_goes_on_in_the_next_line():
    ax = plots.attention_text(["word"] * 30, np.ones(30))
    boxes, bars = boxes_and_bars(ax)
    bottoms = {box.get_y() for box in boxes}
    assert len(bottoms) > 1
    right = max(box.get_x() + box.get_width() for box in boxes)
    assert right <= ax.get_xlim()[1] <= 6.4 * 72
    order = [(-box.get_y(), box.get_x()) for box in boxes]
    assert order == sorted(order)
    for box, bar in zip(boxes, bars):
        assert bar.get_x() == box.get_x()


def test_attention_text_of_zeros_is_white():
    boxes, _ = boxes_and_bars(plots.attention_text(WORDS, [0, 0, 0]))
    assert all(box.get_facecolor()[:3] == (1, 1, 1) for box in boxes)


def test_attention_text_errors():
    with pytest.raises(ShapeError, match="3 weights, one for each token, received 2"):
        plots.attention_text(WORDS, [1, 2])
    with pytest.raises(ShapeError, match=r"\(T,\), not empty"):
        plots.attention_text(WORDS, WEIGHTS)
    with pytest.raises(InvalidValueError, match="a weight of inf"):
        plots.attention_text(["a"], [np.inf])
