"""What a trace refuses before it runs anything: models that are not built, inputs and labels that cannot be meant."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit import bridge, scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, UnsupportedError

_WHERE = "trace"
_OTHERS = {
    "RaggedTensor": "Fill its rows up to one length: x.to_tensor().",
    "SparseTensor": "Make it dense: tf.sparse.to_dense(x).",
}


def check_model(model: Any) -> keras.Model:
    """``model``, of a scratch network its Keras twin."""
    if isinstance(model, scratch.Network):
        model = bridge.to_keras(model)
    if not isinstance(model, keras.Model):
        raise UnsupportedError(
            _WHERE,
            "a Keras model or a scratch network",
            type(model).__name__,
            "Put a single layer into keras.Sequential([keras.Input(shape), layer]).",
        )
    if not model.built:
        raise CallOrderError(
            f"{_WHERE}, model {model.name!r}",
            "a model that has been built",
            "one without weights",
            "Call it once on a batch, model(x), or give it a keras.Input.",
        )
    return model


def as_tensors(values: Any, name: str) -> Any:
    """Arrays in lists, tuples and dicts as tensors; refuses what is empty, not finite, or no array of numbers."""
    return keras.tree.map_structure(lambda value: _as_tensor(value, name), _plain(values))


def _plain(values: Any) -> Any:
    # A list of numbers, nested or not, is data; a list of arrays is several inputs.
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    if isinstance(values, list | tuple) and all(np.ndim(leaf) == 0 for leaf in keras.tree.flatten(values)):
        try:
            return np.asarray(values)
        except ValueError as error:
            raise ShapeError(_WHERE, "rows of one length", f"a list that is no array ({error})", "Pad them.") from None
    return values


def _as_tensor(value: Any, name: str) -> tf.Tensor:
    where = f"{_WHERE}, {name}"
    if (kind := type(value).__name__) in _OTHERS or isinstance(value, tf.data.Dataset | Generator):
        received, remedy = kind, _OTHERS.get(kind, "Take one batch out of it: x, y = next(iter(dataset)).")
        raise InvalidValueError(where, "one batch as an array", received, remedy)
    if isinstance(value, tf.Tensor):
        array = value.numpy()
    else:
        array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    if array.dtype.kind not in "biufSU" and not (array.dtype.kind == "O" and all(map(_is_text, array.ravel()))):
        raise InvalidValueError(
            where, "an array of numbers", f"{array.dtype} ({type(value).__name__})", "Convert it with np.asarray."
        )
    if name == "y" and array.dtype.kind in "SUO":
        raise InvalidValueError(
            where,
            "labels as numbers",
            f"text such as {str(array.ravel()[0])!r}",
            "Number the classes from 0, for example with sklearn's LabelEncoder.",
        )
    if array.ndim == 0 or not array.shape[0]:
        raise ShapeError(where, "a batch of one sample or more, samples first", f"shape {array.shape}", "")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = ~np.isfinite(array)
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidValueError(
            where,
            "finite numbers",
            f"{array[index]} at index {index} ({int(bad.sum())} of {array.size} entries)",
            "Remove or fill in what is missing before the model sees it.",
        )
    return value if isinstance(value, tf.Tensor) else tf.convert_to_tensor(array)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)


def check_inputs(model: keras.Model, x: Any) -> None:
    """The inputs fit the model, as far as it says what it takes; all have the same number of samples."""
    where = f"{_WHERE}, model {model.name!r}"
    flat = keras.tree.flatten(x)
    counts = {tensor.shape[0] for tensor in flat}
    if len(counts) > 1:
        raise ShapeError(where, "inputs of as many samples each", f"{sorted(counts)}", "")
    expected = getattr(model, "inputs", None)
    if not expected:
        return
    if isinstance(x, dict) and (missing := {t.name for t in expected} - set(x)):
        raise InvalidValueError(
            where, f"inputs named {[t.name for t in expected]}", f"{sorted(x)}", f"Missing: {missing}."
        )
    if isinstance(x, dict):
        flat = [x[tensor.name] for tensor in expected]
    if len(flat) != len(expected):
        raise ShapeError(
            where,
            f"{len(expected)} input(s), of shape {', '.join(str(_shape(t)) for t in expected)}",
            f"{len(flat)}, of shape {', '.join(str(tuple(t.shape)) for t in flat)}",
            "Give several inputs as a list or a dict.",
        )
    for tensor, keras_input in zip(flat, expected):
        if tensor.dtype == tf.string and keras_input.dtype != "string":
            raise InvalidValueError(where, "x as numbers", "text", "Turn texts into token ids first (toolkit.text).")
        if "int" in str(keras_input.dtype) and tensor.dtype.is_floating and (tensor.numpy() % 1).any():
            remedy = "Give token ids, not features; or change the dtype of the model's Input."
            raise InvalidValueError(f"{where}, input {keras_input.name!r}", "whole numbers", "fractions", remedy)
        if not _fits(tuple(tensor.shape), _shape(keras_input)):
            wanted = str(_shape(keras_input)).replace("None", "N", 1)
            raise ShapeError(
                f"{where}, input {keras_input.name!r}",
                f"x of shape {wanted}",
                f"{tuple(tensor.shape)}",
                "Samples come first: one sample is x[:1], not x[0]."
                if len(tensor.shape) == len(keras_input.shape) - 1
                else "Reshape x, or build the model for this shape.",
            )


def check_names(model: keras.Model, y: Any) -> None:
    """Labels in a dict go by the names of the model's outputs."""
    names = getattr(model, "output_names", None)
    if isinstance(y, dict) and isinstance(model, keras.Sequential):
        raise InvalidValueError(f"{_WHERE}, y", "an array: a Sequential model has one output", f"a dict of {sorted(y)}")
    if isinstance(y, dict) and names and (unknown := set(y) - set(names)):
        raise InvalidValueError(f"{_WHERE}, y", f"labels by the names of outputs, {names}", f"{sorted(unknown)}", "")


def check_samples(samples: int, values: Any, name: str) -> None:
    """``values`` has one entry for each sample."""
    for value in keras.tree.flatten(values):
        if value.shape[0] != samples:
            raise ShapeError(
                f"{_WHERE}, {name}", f"{samples} of them, one for each sample of x", f"{value.shape[0]}", ""
            )


def _shape(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape)


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    if len(shape) == len(expected):
        return all(want is None or want == have for have, want in zip(shape, expected))
    # Keras adds or takes a last axis of length 1.
    longer, shorter = sorted((shape, expected), key=len, reverse=True)
    return len(longer) == len(shorter) + 1 and longer[-1] == 1 and _fits(shorter, longer[:-1])  # type: ignore[arg-type]
