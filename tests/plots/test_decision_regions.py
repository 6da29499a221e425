from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

from toolkit import plots, scratch
from toolkit.errors import InvalidValueError, ShapeError

X = np.array([[-1.0, 0.0], [1.0, 0.0], [0.5, 2.0], [-0.5, -2.0]])
Y = [0, 1, 1, 1]  # the last one lies on the wrong side


def right_half(x):
    return (x[:, 0] > 0).astype(int)


def region(ax, x, y):
    """The colour of the background at a point, as "#rrggbb"."""
    image = ax.images[0]
    left, right, low, high = image.get_extent()
    canvas = image.get_array()
    column = int((x - left) / (right - left) * canvas.shape[1])
    return to_hex(canvas[int((y - low) / (high - low) * canvas.shape[0]), column])


def test_regions_are_what_the_model_says():
    ax = plots.decision_regions(right_half, X, Y)
    assert region(ax, -0.9, 1.5) == region(ax, -0.1, -1.9)
    assert region(ax, 0.9, 1.5) == region(ax, 0.1, -1.9)
    assert region(ax, -0.9, 0) != region(ax, 0.9, 0)
    border = ax.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(border[:, 0], 0, atol=0.02)


def test_a_wrong_point_is_hollow():
    ax = plots.decision_regions(right_half, X, Y)
    clouds = [c for c in ax.collections if isinstance(c, PathCollection) and len(c.get_offsets())]
    hollow = [c.get_offsets() for c in clouds if to_hex(c.get_facecolor()[0]) == "#ffffff"]
    np.testing.assert_array_equal(np.concatenate(hollow), [[-0.5, -2.0]])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "hollow: wrong"]
    right = plots.decision_regions(right_half, X[:3], Y[:3])
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["0", "1"]


class Model:
    def predict(self, x):
        return right_half(x)


@pytest.mark.parametrize(
    "predict",
    [
        Model(),
        lambda x: x[:, 0] > 0,
        lambda x: 1 / (1 + np.exp(-x[:, 0])),
        lambda x: 1 / (1 + np.exp(-x[:, :1])),
        lambda x: np.stack([-x[:, 0], x[:, 0]], axis=1),
        scratch.Sequential([scratch.Dense(2, kernel_initializer=[[-1, 1], [0, 0]])], input_shape=2),
    ],
    ids=["model", "yes or no", "probabilities (n,)", "probabilities (n, 1)", "logits (n, 2)", "scratch network"],
)
def test_models_may_answer_in_several_forms(predict):
    expected = plots.decision_regions(right_half, X, Y).images[0].get_array()
    np.testing.assert_array_equal(plots.decision_regions(predict, X, Y).images[0].get_array(), expected)


def test_decision_regions_take_a_keras_model():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, use_bias=False)])
    model.set_weights([np.array([[-1.0, 1], [0, 0]])])
    expected = plots.decision_regions(right_half, X, Y).images[0].get_array()
    np.testing.assert_array_equal(plots.decision_regions(model, X, Y).images[0].get_array(), expected)


def test_classes_are_named_by_strings_or_by_a_list():
    ax = plots.decision_regions(lambda x: np.where(x[:, 0] > 0, "right", "left"), X[:2], ["left", "right"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["left", "right"]
    ax = plots.decision_regions(right_half, X[:2], [0, 1], classes=["no", "yes"], features=("a", "b"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["no", "yes"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")


def test_decision_regions_errors():
    with pytest.raises(ShapeError, match=r"x of shape \(N, 2\)"):
        plots.decision_regions(right_half, np.ones((4, 3)), Y)
    with pytest.raises(ShapeError, match=r"\(4, 2\) and \(3,\)"):
        plots.decision_regions(right_half, X, Y[:3])
    with pytest.raises(ShapeError, match="answers of shape"):
        plots.decision_regions(lambda x: [0], X, Y)
    with pytest.raises(InvalidValueError, match=r"probability in \[0, 1\].*sigmoid"):
        plots.decision_regions(lambda x: 3 * x[:, 0], X, Y)
    with pytest.raises(InvalidValueError, match="of one kind"):
        plots.decision_regions(right_half, X, ["no", "yes", "yes", "yes"])
    with pytest.raises(InvalidValueError, match="labels 0 to 0"):
        plots.decision_regions(right_half, X, Y, classes=["one"])
    with pytest.raises(InvalidValueError, match="y as integers"):
        plots.decision_regions(right_half, X, np.array(Y, float))
