"""Bad input is refused with what was expected, what came and what to do; the model stays as it was."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from toolkit import xray
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, UnsupportedError

SPARSE = "sparse_categorical_crossentropy"
X = np.random.default_rng(0).standard_normal((6, 4))
Y = np.array([0, 1, 2, 0, 1, 2])
HOLED = np.where(np.arange(24).reshape(6, 4) == 9, np.nan, X)

BAD = {
    "shape": ({"x": X[:, :3]}, ShapeError, r"x of shape \(N, 4\), received \(6, 3\)"),
    "one sample": ({"x": X[0]}, ShapeError, r"received \(4,\).*x\[:1\], not x\[0\]"),
    "no samples": ({"x": X[:0]}, ShapeError, "a batch of one sample or more"),
    "a number": ({"x": 3.0}, ShapeError, "a batch of one sample or more"),
    "ragged": ({"x": [[1, 2], [1]]}, ShapeError, "rows of one length"),
    "NaN in x": ({"x": HOLED}, InvalidValueError, r"finite numbers, received nan at index \(2, 1\) \(1 of 24"),
    "infinite x": ({"x": np.where(np.isnan(HOLED), np.inf, X)}, InvalidValueError, r"inf at index \(2, 1\)"),
    "text": ({"x": ["a"] * 6}, InvalidValueError, "x as numbers, received text"),
    "nothing": ({"x": None}, InvalidValueError, "an array of numbers"),
    "ragged tensor": (
        {"x": tf.ragged.constant([[1.0, 2.0], [1.0]])},
        InvalidValueError,
        r"RaggedTensor.*to_tensor\(\)",
    ),
    "sparse tensor": ({"x": tf.sparse.from_dense(X)}, InvalidValueError, r"SparseTensor.*tf\.sparse\.to_dense"),
    "data set": ({"x": tf.data.Dataset.from_tensors(X)}, InvalidValueError, r"one batch.*next\(iter\(dataset\)\)"),
    "objects": ({"x": np.array([{}] * 6)}, InvalidValueError, "an array of numbers"),
    "two inputs": ({"x": [X, X]}, ShapeError, r"1 input\(s\), of shape \(None, 4\), received 2"),
    "unknown input": ({"x": {"q": X}}, InvalidValueError, r"inputs named .*received \['q'\]"),
    "text labels": ({"y": list("abcabc")}, InvalidValueError, "labels as numbers, received text such as 'a'"),
    "labels too large": ({"y": Y + 1}, InvalidValueError, r"from 0 to 2, one of 3 classes, received 3 at index 2"),
    "labels below 0": ({"y": Y - 1}, InvalidValueError, "received -1 at index 0"),
    "fractions": ({"y": Y + 0.5}, InvalidValueError, "whole numbers from 0 to 2"),
    "one-hot": ({"y": np.eye(3)[Y]}, ShapeError, r"class numbers of shape \(6,\).*'categorical_crossentropy'"),
    "not one-hot": ({"loss": "categorical_crossentropy"}, ShapeError, "sparse_categorical_crossentropy"),
    "above 1": ({"loss": "binary_crossentropy", "y": 2 * np.eye(3)[Y]}, InvalidValueError, r"y in \[0, 1\]"),
    "NaN in y": ({"loss": "mse", "y": [np.nan] * 6}, InvalidValueError, r"y: expected finite numbers"),
    "targets too wide": (
        {"loss": "mse", "y": X},
        ShapeError,
        r"shape of the output, \(6, 3\), received shape \(6, 4\)",
    ),
    "targets too wide, any loss": ({"loss": "huber", "y": X}, InvalidValueError, r"Incompatible shapes"),
    "too few labels": ({"y": Y[:4]}, ShapeError, "y: expected 6 of them, one for each sample of x, received 4"),
    "two labels": ({"y": [Y, Y]}, InvalidValueError, "different structures"),
    "labels by name": ({"y": {"q": Y}}, InvalidValueError, "an array"),
    "no labels": ({"y": None}, InvalidValueError, r"labels y for the loss, received y=None.*loss=False"),
    "no loss": ({"loss": None}, InvalidValueError, "a loss for the labels y"),
    "unknown loss": ({"loss": "nope"}, InvalidValueError, "the name of a Keras loss, received 'nope'"),
    "no kind of loss": ({"loss": 3}, InvalidValueError, "Could not interpret loss identifier"),
    "unknown optimiser": ({"optimizer": "nope"}, InvalidValueError, "the name of a Keras optimiser"),
    "too few weights": ({"sample_weight": [1, 2]}, ShapeError, "sample_weight: expected 6"),
    "a layer": ({"model": layers.Dense(3)}, UnsupportedError, "a Keras model or a scratch network, received Dense"),
    "no model": ({"model": None}, UnsupportedError, "received NoneType"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("training", [False, True])
def test_bad_input_errors(classifier, name, training):
    change, kind, message = BAD[name]
    arguments = {"model": classifier, "x": X, "y": Y, "loss": SPARSE, "training": training} | change
    before = [v.numpy() for v in classifier.variables]
    with pytest.raises(kind, match=message) as caught:
        xray.trace(arguments.pop("model"), arguments.pop("x"), arguments.pop("y"), **arguments)
    assert caught.value.where.startswith("trace")
    for v, value in zip(classifier.variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), value)


def test_compiled_models_need_labels_errors(classifier):
    classifier.compile("adam", SPARSE)
    with pytest.raises(InvalidValueError, match="labels y for the loss"):
        xray.trace(classifier, X)
    assert xray.trace(classifier, X, loss=False).loss is None


@pytest.mark.parametrize("model", [keras.Sequential([layers.Dense(2)]), keras.Sequential()])
def test_unbuilt_models_errors(model):
    with pytest.raises(CallOrderError, match=r"a model that has been built.*Call it once on a batch"):
        xray.trace(model, X, Y, loss=SPARSE)


def test_token_ids_errors():
    model = keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(5, 2, name="words"), layers.Flatten()])
    with pytest.raises(ShapeError, match=r"layer 'words'.*indices\[0,2\] = 9 is not in \[0, 5\)"):
        xray.trace(model, [[1, 2, 9]])
    with pytest.raises(InvalidValueError, match="whole numbers, received fractions"):
        xray.trace(model, [[1.5, 2, 3]])


def test_update_without_an_optimiser_errors(classifier):
    with pytest.raises(CallOrderError, match="a trace with labels, a loss and an optimiser"):
        xray.trace(classifier, X, Y, loss=SPARSE).update()
    with pytest.raises(InvalidValueError, match="'out/kernel'"):
        _ = xray.trace(classifier, X, Y, loss=SPARSE, optimizer="sgd").update()["kernel"]
