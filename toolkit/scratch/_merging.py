"""Layers that make one output out of several inputs: the joints of residual and branched networks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer
from toolkit.scratch._shape import Shape, are_several, batch, joint

Masks = Sequence[np.ndarray | None] | None


class Add(Layer):
    r"""Adds its inputs, ``y = x₁ + x₂ + …``; all have one shape ``(N, …)``.

    Every input gets the whole gradient, ``dx₁ = dx₂ = … = dy``: it passes by whatever lies on the other branch,
    which is what makes very deep residual networks trainable.

    Args:
        name: the layer's name.
    """

    equations = Equations(
        (r"y = \sum_k x_k",),
        (r"dx_k = dy",),
        {"x_k, y": r"\mathbb{R}^{N \times D}"},
        "He et al. (2016), arXiv:1512.03385",
    )

    def compute_output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        """The shape that all inputs have."""
        return reduce(joint, input_shape)

    def create_params(self, rng: np.random.Generator) -> None:
        """Checks that the inputs have one shape; there are no parameters."""
        _check_several(self)
        _check_alike(self.input_shape, "inputs of one shape", self.where)

    def compute_mask(self, x: Sequence[np.ndarray], mask: Masks = None) -> np.ndarray | None:
        """Where any of the masks is True, as in Keras; None if an input has no mask."""
        if mask is None or any(m is None for m in mask):
            return None
        return np.logical_or.reduce(mask)

    def forward(self, x: Sequence[np.ndarray], training: bool = False) -> np.ndarray:
        """Computes ``y (N, …)`` from the list ``[x₁, x₂, …]`` of such arrays."""
        arrays = self.check_inputs(x)
        _check_alike([array.shape[1:] for array in arrays], "inputs of one shape", self.where)
        self._cache = len(arrays), arrays[0].shape
        return sum(arrays)

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> list[np.ndarray]:
        """Returns the list ``[dx₁, dx₂, …]``, each of them ``dy``."""
        count, shape = self._cache or (0, None)
        return [self.check_upstream(dy, shape)] * count


class Concatenate(Layer):
    r"""Puts its inputs one after the other along an axis, ``y = [x₁, x₂, …]``.

    Shapes, with the last axis: ``x_k (N, …, D_k)`` and ``y (N, …, D₁ + D₂ + …)``. All other axes must agree. The
    gradient is cut at the same places.

    Args:
        axis: along which axis, counted with the batch axis, or from the end if negative; never the batch axis.
        name: the layer's name.

    Raises:
        InvalidValueError: ``axis`` is 0, the batch axis, or not an integer.
    """

    equations = Equations(
        (r"y = \begin{bmatrix} x_1 & x_2 & \cdots \end{bmatrix}",),
        (r"\begin{bmatrix} dx_1 & dx_2 & \cdots \end{bmatrix} = dy",),
        {"x_k": r"\mathbb{R}^{N \times D_k}", "y": r"\mathbb{R}^{N \times \sum_k D_k}"},
    )

    def __init__(self, axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(name=name)
        if not is_integer(axis) or axis == 0:
            raise InvalidValueError(self.where, "an axis other than the batch axis 0", repr(axis))
        self.axis = int(axis)

    def compute_output_shape(self, input_shape: tuple[Shape, ...]) -> Shape:
        """The shape of the inputs, with the sum of their lengths along the axis (None if one of them is)."""
        axis = self._sample_axis(input_shape[0])
        lengths = [shape[axis] for shape in input_shape]
        shape = list(reduce(joint, input_shape))
        shape[axis] = None if None in lengths else sum(lengths)
        return tuple(shape)

    def create_params(self, rng: np.random.Generator) -> None:
        """Checks that the inputs agree in all axes but one; there are no parameters."""
        _check_several(self)
        self._check_shapes(self.input_shape)

    def _check_shapes(self, shapes: Sequence[Shape]) -> None:
        axis = self._sample_axis(shapes[0])
        others = [(*shape[:axis], None, *shape[axis + 1 :]) for shape in shapes]
        _check_alike(others, f"inputs that agree in all axes but {self.axis}", self.where, received=shapes)

    def _sample_axis(self, shape: Shape) -> int:
        """The axis counted within a sample, from 0."""
        axis = self.axis - 1 if self.axis > 0 else self.axis + len(shape)
        if not 0 <= axis < len(shape):
            raise ShapeError(self.where, f"inputs with an axis {self.axis} beside the batch", f"shape {batch(shape)}")
        return axis

    def compute_mask(self, x: Sequence[np.ndarray], mask: Masks = None) -> np.ndarray | None:
        """The masks joined along time, if that is the axis; otherwise where any of them is True, as in Keras.

        An input without mask counts everywhere; None if no input has one.
        """
        if mask is None or all(m is None for m in mask):
            return None
        masks = [np.ones(np.shape(values)[:2], bool) if m is None else m for values, m in zip(x, mask)]
        along_time = self._sample_axis(np.shape(x[0])[1:]) == 0
        return np.concatenate(masks, axis=1) if along_time else np.logical_or.reduce(masks)

    def forward(self, x: Sequence[np.ndarray], training: bool = False) -> np.ndarray:
        """Computes ``y`` from the list ``[x₁, x₂, …]``."""
        arrays = self.check_inputs(x)
        self._check_shapes([array.shape[1:] for array in arrays])
        y = np.concatenate(arrays, axis=self.axis)
        lengths = [array.shape[self.axis] for array in arrays]
        self._cache = lengths, y.shape
        return y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> list[np.ndarray]:
        """Returns the list ``[dx₁, dx₂, …]``: ``dy`` in pieces, each of the shape of its input."""
        lengths, shape = self._cache or (None, None)
        dy = self.check_upstream(dy, shape)
        return np.split(dy, np.cumsum(lengths)[:-1], axis=self.axis)


def _check_several(layer: Layer) -> None:
    if not are_several(layer.input_shape):
        received = f"one of shape {batch(layer.input_shape)}" if layer.input_shape else "none"
        raise ShapeError(layer.where, "a list of inputs", received, "Put the inputs into a list: [x1, x2].")


def _check_alike(shapes: Sequence[Shape], expected: str, where: str, received: Sequence[Shape] = ()) -> None:
    """Raises ShapeError unless all ``shapes`` are equal, where None fits any length."""
    known = [{n for n in lengths if n is not None} for lengths in zip(*shapes)]
    if len(set(map(len, shapes))) > 1 or any(len(lengths) > 1 for lengths in known):
        raise ShapeError(where, expected, batch(tuple(received or shapes)))
