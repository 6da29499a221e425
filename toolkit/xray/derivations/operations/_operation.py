"""What all elementary operations share: forward and backward, both as code and as a formula."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Axes = tuple[str, ...]


class Expression(NamedTuple):
    """An operation with what it is applied to, before its result has a name."""

    operation: Operation
    inputs: tuple[Any, ...]


class Operation(ABC):
    r"""An elementary function, ``y = f(x, …)``, beside its gradient.

    Formulas are templates: ``$x`` stands for the input of that name, ``$y`` for the result, ``$dx`` and ``$dy`` for
    their gradients, ``$sum`` for the sum over the axes along which an input is repeated, and whatever `letters` adds.

    Attributes:
        title: what it does, in a few words.
        inputs: the names of its inputs in the formulas.
        results: the names of its results; most operations have one.
        is_list: whether `forward` gives a list, however many results there are, and `backward` takes lists.
        formula: of the forward pass.
        gradients: for each input the formula of its gradient; an empty one where there is none.
    """

    title: str
    inputs: Sequence[str]
    results: Sequence[str] = ("y",)
    is_list: bool = False
    formula: str
    gradients: Sequence[str]

    def __call__(self, *inputs: Any) -> Expression:
        return Expression(self, inputs)

    @abstractmethod
    def forward(self, *x: np.ndarray) -> Any:
        """The result; a list where there are several."""

    @abstractmethod
    def backward(self, dy: Any, y: Any, *x: np.ndarray) -> Sequence[np.ndarray | None]:
        """The gradient of each input from that of the result; of several, ``dy`` and ``y`` are lists."""

    @abstractmethod
    def tensorflow(self, *x: Any) -> Any:
        """`forward` in TensorFlow, for autodiff to check `backward`."""

    def axes(self, *axes: Axes) -> Axes:
        """The letters of the result's axes; of an elementwise operation, those of the input that has the most."""
        longest = max(axes, key=len)
        return tuple(_named(letters) for letters in zip(*(_aligned(a, len(longest)) for a in axes)))

    def letters(self, *axes: Axes) -> Mapping[str, str]:
        """What else the formulas refer to, by the letters of the inputs' axes."""
        return {}


def _aligned(axes: Axes, ndim: int) -> Axes:
    return ("1",) * (ndim - len(axes)) + axes


def _named(letters: Sequence[str]) -> str:
    """The letter of an axis along which arrays meet; those of length 1 are repeated."""
    return next((letter for letter in letters if letter != "1"), "1")


def repeated(axes: Axes, whole: Axes) -> list[str]:
    """Along which axes an array with ``axes`` is repeated to have the axes ``whole``."""
    return [letter for mine, letter in zip(_aligned(axes, len(whole)), whole) if mine == "1" != letter]


def total(x: np.ndarray, axis: Any, keepdims: bool = False) -> np.ndarray:
    """``Σ x`` in the dtype of ``x``, added up in float64: in float32 a long sum loses digits."""
    return x.sum(axis=axis, keepdims=keepdims, dtype=np.float64).astype(x.dtype, copy=False)


def unrepeat(dy: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The gradient of an array of ``shape`` that was repeated to the shape of ``dy``: the sum over its copies."""
    if dy.shape == shape:
        return dy
    extra = dy.ndim - len(shape)
    axes = (*range(extra), *(extra + k for k, n in enumerate(shape) if n == 1 != dy.shape[extra + k]))
    return total(dy, axes, keepdims=True).reshape(shape)
