"""Operations that only put numbers elsewhere: their gradients go back to where the numbers came from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from toolkit.scratch import SparseGradient
from toolkit.xray.derivations.operations._operation import Axes, Operation, unrepeat


class Same(Operation):
    """``y = x``."""

    title = "handed on"
    inputs = ("x",)
    formula = "$y = $x"
    gradients = ("$dx = $dy",)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        return (dy,)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        return tf.identity(x)


class Reshape(Operation):
    """The same numbers, in their order, in another shape ``(N, …)``; give the axes of the result where it is named."""

    title = "reshape"
    inputs = ("x",)
    formula = r"$y = \operatorname{reshape}($x)"
    gradients = (r"$dx = \operatorname{reshape}($dy)",)

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(self.shape)

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        return (dy.reshape(x.shape),)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(x, self.shape)


class Pad(Operation):
    """A margin of zeros around images ``x (N, H, W, C)``."""

    title = "margin of zeros"
    inputs = ("x",)
    formula = r"$y = \operatorname{pad}($x)"
    gradients = (r"$dx = \operatorname{crop}($dy)",)

    def __init__(self, margins: Sequence[tuple[int, int]]) -> None:
        self.margins = ((0, 0), *margins, (0, 0))

    def forward(self, x: np.ndarray) -> np.ndarray:
        return np.pad(x, self.margins)

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        return (dy[tuple(slice(before, before + n) for (before, _), n in zip(self.margins, x.shape))],)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        return tf.pad(x, self.margins)

    def axes(self, x: Axes) -> Axes:
        return (x[0], "H'", "W'", x[3])


class Transpose(Operation):
    """The same numbers with the axes in another order."""

    title = "axes in another order"
    inputs = ("x",)
    formula = r"$y = \operatorname{transpose}($x)"
    gradients = (r"$dx = \operatorname{transpose}($dy)",)

    def __init__(self, order: Sequence[int]) -> None:
        self.order = tuple(order)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return x.transpose(self.order)

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        return (dy.transpose(np.argsort(self.order)),)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        return tf.transpose(x, self.order)

    def axes(self, x: Axes) -> Axes:
        return tuple(x[axis] for axis in self.order)


def _row(names: Sequence[str]) -> str:
    r"""``(x_1, x_2, \dots, x_9)``: a long row is written by its first two and its last."""
    shown = names if len(names) <= 5 else [*names[:2], r"\dots", names[-1]]
    row = r",\, ".join(shown)
    return row if len(names) == 1 else f"({row})"


class Concatenate(Operation):
    """``y = (x₁, x₂, …)`` along an axis; the gradient is cut at the same places."""

    title = "side by side"

    def __init__(self, count: int, axis: int = -1) -> None:
        self.axis = axis
        self.inputs = [f"x{k}" for k in range(1, count + 1)]
        self.formula = f"$y = {_row([f'${x}' for x in self.inputs])}"
        self.gradients = [rf"$d{x} = \text{{part {k} of }} $dy" for k, x in enumerate(self.inputs, 1)]

    def forward(self, *x: np.ndarray) -> np.ndarray:
        return np.concatenate(x, self.axis)

    def backward(self, dy: np.ndarray, y: np.ndarray, *x: np.ndarray) -> list[np.ndarray]:
        return np.split(dy, np.cumsum([each.shape[self.axis] for each in x])[:-1], self.axis)

    def tensorflow(self, *x: tf.Tensor) -> tf.Tensor:
        return tf.concat(x, self.axis)


class Split(Operation):
    """``(y₁, y₂, …) = x``: equal parts along an axis."""

    title = "cut into parts"
    inputs = ("x",)
    is_list = True

    def __init__(self, count: int, axis: int = -1) -> None:
        self.axis = axis
        self.results = [f"y{k}" for k in range(1, count + 1)]
        self.formula = f"{_row([f'${y}' for y in self.results])} = $x"
        self.gradients = (f"$dx = {_row([f'$d{y}' for y in self.results])}",)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return np.split(x, len(self.results), self.axis)

    def backward(self, dy: list[np.ndarray], y: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray]:
        return (np.concatenate(dy, self.axis),)

    def tensorflow(self, x: tf.Tensor) -> list[tf.Tensor]:
        return tf.split(x, len(self.results), self.axis)


class Stack(Operation):
    """``y = (x₁, x₂, …)`` along a new axis 1, time."""

    title = "outputs of all steps"

    def __init__(self, count: int) -> None:
        self.inputs = [f"x{k}" for k in range(1, count + 1)]
        self.formula = f"$y = {_row([f'${x}' for x in self.inputs])}"
        self.gradients = [f"$d{x} = $dy[:, {k}]" for k, x in enumerate(self.inputs, 1)]

    def forward(self, *x: np.ndarray) -> np.ndarray:
        return np.stack(x, axis=1)

    def backward(self, dy: np.ndarray, y: np.ndarray, *x: np.ndarray) -> list[np.ndarray]:
        return list(dy.swapaxes(0, 1))

    def tensorflow(self, *x: tf.Tensor) -> tf.Tensor:
        return tf.stack(x, axis=1)

    def axes(self, *axes: Axes) -> Axes:
        N, *rest = axes[0]
        return (N, "T", *rest)


class Unstack(Operation):
    """``(x₁, x₂, …) = x``: the steps of a sequence, the last one first if ``backwards``."""

    title = "the inputs of the steps"
    inputs = ("x",)
    is_list = True

    def __init__(self, count: int, backwards: bool = False) -> None:
        self.order = slice(None, None, -1 if backwards else 1)
        self.results = [f"y{k}" for k in range(1, count + 1)]
        results, dresults = ([f"${d}{y}" for y in self.results] for d in ("", "d"))
        self.formula = f"{_row(results[self.order])} = $x"
        self.gradients = (f"$dx = {_row(dresults[self.order])}",)

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        return list(x.swapaxes(0, 1))[self.order]

    def backward(self, dy: list[np.ndarray], y: list[np.ndarray], x: np.ndarray) -> tuple[np.ndarray]:
        return (np.stack(dy[self.order], axis=1),)

    def tensorflow(self, x: tf.Tensor) -> list[tf.Tensor]:
        return tf.unstack(x, axis=1)[self.order]

    def axes(self, x: Axes) -> Axes:
        return (x[0], *x[2:])


class Rows(Operation):
    """``y = E[x]``: the rows of a table that the ids name; a row that is named several times adds up its gradients."""

    title = "rows of the table"
    inputs = ("E", "x")
    formula = "$y = $E[$x]"
    gradients = (r"$dE[v] = \sum_{$x = v} $dy", "")

    def forward(self, E: np.ndarray, x: np.ndarray) -> np.ndarray:
        return E[x]

    def backward(self, dy: np.ndarray, y: np.ndarray, E: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, None]:
        return SparseGradient(x.ravel(), dy.reshape(-1, E.shape[1]), E.shape).to_dense(), None

    def tensorflow(self, E: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return tf.gather(E, x)

    def axes(self, E: Axes, x: Axes) -> Axes:
        return (*x, E[1])


class Choose(Operation):
    """``y = m ⊙ x + (1 − m) ⊙ w``: ``x`` where the mask is true, ``w`` where it is not."""

    title = "padding changes nothing"
    inputs = ("m", "x", "w")
    formula = r"$y = $m \odot $x + (1 - $m) \odot $w"
    gradients = ("", r"$dx = $m \odot $dy", r"$dw = (1 - $m) \odot $dy")

    def forward(self, m: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return np.where(m, x, w)

    def backward(self, dy: np.ndarray, y: np.ndarray, m: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple:
        return None, unrepeat(np.where(m, dy, 0), x.shape), unrepeat(np.where(m, 0, dy), w.shape)

    def tensorflow(self, m: tf.Tensor, x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return tf.where(m, x, w)


class Keep(Operation):
    r"""``y = m ⊙ x``: ``x`` where the mask is true, elsewhere 0 or another fixed ``value``, written as ``latex``."""

    title = "mask"
    inputs = ("m", "x")
    gradients = ("", r"$dx = $m \odot $dy")

    def __init__(self, value: float = 0.0, latex: str = "") -> None:
        self.value = value
        self.formula = r"$y = $m \odot $x" + (rf" + (1 - $m)\, {latex}" if latex else "")

    def forward(self, m: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.where(m, x, np.asarray(self.value, x.dtype))

    def backward(self, dy: np.ndarray, y: np.ndarray, m: np.ndarray, x: np.ndarray) -> tuple[None, np.ndarray]:
        return None, np.where(m, dy, 0)

    def tensorflow(self, m: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        return tf.where(m, x, tf.constant(self.value, x.dtype))
