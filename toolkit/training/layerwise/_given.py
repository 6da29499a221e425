"""What ``compare`` is given, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from toolkit.argument_checks import is_integer, is_number
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.training._linear_probe import different_seeds

WHERE = "layerwise.compare"
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x, y, x_test, y_test


@dataclass(frozen=True)
class Condition:
    """Under what a run takes place: everything as given, or one thing changed."""

    series: str = ""  # "", "labels", "depth" or "noise"
    value: float = 0

    @property
    def depth(self) -> int | None:
        """Asked of ``build``; None leaves it to it."""
        return int(self.value) if self.series == "depth" else None

    @property
    def build_options(self) -> dict[str, int]:
        """For ``build``."""
        return {} if self.depth is None else {"depth": self.depth}

    def __str__(self) -> str:
        told = {"labels": "{:.0f} labels a class", "depth": "depth {:.0f}", "noise": "{:.0%} wrong labels"}
        return told[self.series].format(self.value) if self.series else ""


def conditions_of(labels: Any, depths: Any, noise: Any, y: np.ndarray) -> list[Condition]:
    """The plain one first, then those of each series.

    Raises:
        InvalidValueError: a value is out of range, or stands there twice, which would make intervals from nothing.
    """
    conditions = [Condition()]
    for option, series, values in (
        ("labels", "labels", labels),
        ("depths", "depth", depths),
        ("noise", "noise", noise),
    ):
        good = is_share if series == "noise" else is_count
        several = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)
        if not several or not all(map(good, values)) or len(set(values)) < len(values):
            kind = "shares in (0, 1)" if series == "noise" else "positive integers"
            raise InvalidValueError(WHERE, f"{option} as {kind}, a list with each once", repr(values))
        number = float if series == "noise" else int
        conditions += [Condition(series, number(value)) for value in values]
    smallest = int(np.bincount(y)[np.unique(y)].min())
    most = max((condition.value for condition in conditions if condition.series == "labels"), default=0)
    if most > smallest:
        received = f"{most}, and the smallest class has {smallest} samples"
        raise InvalidValueError(WHERE, "labels up to the size of the smallest class", received)
    return conditions


def is_count(value: object) -> bool:
    """Whether it is a positive integer."""
    return is_integer(value) and value > 0


def is_share(value: object) -> bool:
    """Whether it is a number between 0 and 1."""
    return is_number(value) and 0 < value < 1


def seeds_of(seeds: int | Sequence[int]) -> list[int]:
    """0, 1, … or those given.

    Raises:
        InvalidValueError: there is none, one is no integer from 0, or one stands there twice.
    """
    numbers = different_seeds(seeds)
    if numbers is None:
        raise InvalidValueError(
            WHERE, "seeds as a positive integer, or a list of integers from 0, each once", repr(seeds)
        )
    return [int(n) for n in numbers]


def arrays_of(data: Any) -> Arrays:
    """Inputs and classes of a set.

    Raises:
        InvalidValueError: it is something else, or has less than two classes.
        ShapeError: inputs and classes differ in number.
    """
    if hasattr(data, "x_train"):
        arrays = data.x_train, data.y_train, data.x_test, data.y_test
    else:
        try:
            (x, y), (x_test, y_test) = data
        except (TypeError, ValueError) as error:
            expected = "data as a set of toolkit.data, or ((x_train, y_train), (x_test, y_test))"
            raise InvalidValueError(WHERE, expected, type(data).__name__) from error
        arrays = x, y, x_test, y_test
    x, y, x_test, y_test = (np.asarray(array) for array in arrays)
    for part, inputs, classes in (("training", x, y), ("test", x_test, y_test)):
        if classes.ndim != 1 or inputs.ndim == 0 or len(inputs) != len(classes) or not len(classes):
            received = f"{inputs.shape} and {classes.shape}"
            raise ShapeError(WHERE, f"{part} data of N samples and N classes", received)
        if classes.dtype.kind not in "iu" or classes.min() < 0:
            raise InvalidValueError(WHERE, f"{part} classes as integers from 0", f"{classes.dtype}")
        if inputs.dtype.kind not in "fiub":
            raise InvalidValueError(WHERE, f"{part} inputs as numbers", f"{inputs.dtype}")
    if y.min() == y.max():
        raise InvalidValueError(WHERE, "training samples of two classes or more", f"class {y.min()} alone")
    return x, y, x_test, y_test


def checked_network(model: Any, arrays: Arrays) -> keras.Sequential:
    """What ``build`` returned, if it is a classifier of such data.

    Raises:
        UnsupportedError: not a built Sequential model.
        CallOrderError: it is not compiled.
        ShapeError: its inputs or outputs do not fit.
    """
    if not isinstance(model, keras.Sequential) or not model.built:
        raise UnsupportedError(WHERE, "build to return a built keras.Sequential", type(model).__name__)
    if not model.compiled:
        raise CallOrderError(WHERE, "a compiled model", "one without loss and optimiser", "Call compile in build.")
    x, y, x_test, y_test = arrays
    wanted, outputs, last = model.input_shape, model.output_shape, max(y.max(), y_test.max())
    for inputs in (x, x_test):
        if len(wanted) != inputs.ndim or any(b not in (None, a) for a, b in zip(inputs.shape[1:], wanted[1:])):
            expected, remedy = f"inputs of shape {wanted}".replace("None", "N", 1), "data.load(name, flatten=True)?"
            raise ShapeError(f"{WHERE} of {model.name!r}", expected, f"{inputs.shape}", remedy)
    if len(outputs) != 2 or last >= max(2, outputs[1]):  # one output tells two classes apart
        received = f"outputs of shape {outputs}, classes up to {last}"
        raise ShapeError(f"{WHERE} of {model.name!r}", "one output for each class", received)
    return model


def as_taken_by(model: keras.Sequential, x: np.ndarray) -> np.ndarray:
    """``x`` in the dtype of the network's inputs.

    Raises:
        InvalidValueError: the network takes integers, such as tokens, and there are others.
    """
    dtype = np.dtype(model.inputs[0].dtype)
    if dtype.kind in "iu" and x.dtype.kind == "f":
        raise InvalidValueError(f"{WHERE} of {model.name!r}", "integers as inputs", f"{x.dtype}")
    return x.astype(dtype, copy=False)
