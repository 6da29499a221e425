"""Products and sums: what a layer does with its parameters."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from toolkit.xray.derivations.operations._operation import Axes, Operation, repeated, unrepeat


def transpose(x: np.ndarray) -> np.ndarray:
    """``xᵀ``: swaps the last two axes; a view."""
    return x.swapaxes(-1, -2)


class Product(Operation):
    r"""``y = xW``: sums over the last ``axes`` axes of ``x``, which are the first of ``W``.

    With more axes than two, ``x`` is so many rows, and ``W`` a matrix with a column for each result.
    """

    title = "product"
    inputs = ("x", "W")
    formula = r"$y = $x\, $W"
    gradients = (r"$dx = $dy\, $W^\top", r"$dW = $x^\top\, $dy")

    def __init__(self, axes: int = 1) -> None:
        self.count = axes

    def _matrices(self, x: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        K = math.prod(W.shape[: self.count])
        return x.reshape(-1, K), W.reshape(K, -1)

    def forward(self, x: np.ndarray, W: np.ndarray) -> np.ndarray:
        rows, matrix = self._matrices(x, W)
        return (rows @ matrix).reshape(x.shape[: -self.count] + W.shape[self.count :])

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, matrix = self._matrices(x, W)
        drows = dy.reshape(len(rows), -1)
        return (drows @ matrix.T).reshape(x.shape), (rows.T @ drows).reshape(W.shape)

    def tensorflow(self, x: tf.Tensor, W: tf.Tensor) -> tf.Tensor:
        return tf.tensordot(x, W, self.count)

    def axes(self, x: Axes, W: Axes) -> Axes:
        return x[: -self.count] + W[self.count :]


class Affine(Operation):
    r"""``y = x₁W₁ + x₂W₂ + … + b₁ + …``: what a gate adds up; the inputs are in this order."""

    title = "weighted sum"

    def __init__(self, products: int, biases: int) -> None:
        pairs = [(f"x{k}", f"W{k}") for k in range(1, products + 1)]
        names = [f"b{k}" for k in range(1, biases + 1)]
        self.products = products
        self.inputs = (*(name for pair in pairs for name in pair), *names)
        self.formula = "$y = " + " + ".join([rf"${x}\, ${W}" for x, W in pairs] + [f"${b}" for b in names])
        self.gradients = (
            *(line for x, W in pairs for line in (rf"$d{x} = $dy\, ${W}^\top", rf"$d{W} = ${x}^\top\, $dy")),
            *(f"$d{b} = $sum $dy" for b in names),
        )

    def _split(self, inputs: tuple) -> tuple[list[tuple], tuple]:
        factors, biases = inputs[: 2 * self.products], inputs[2 * self.products :]
        return list(zip(factors[::2], factors[1::2])), biases

    def forward(self, *inputs: np.ndarray) -> np.ndarray:
        pairs, biases = self._split(inputs)
        return sum([x @ W for x, W in pairs] + list(biases))

    def backward(self, dy: np.ndarray, y: np.ndarray, *inputs: np.ndarray) -> list[np.ndarray]:
        pairs, biases = self._split(inputs)
        return [d for x, W in pairs for d in (dy @ W.T, x.T @ dy)] + [unrepeat(dy, b.shape) for b in biases]

    def tensorflow(self, *inputs: tf.Tensor) -> tf.Tensor:
        pairs, biases = self._split(inputs)
        return tf.add_n([x @ W for x, W in pairs]) + sum(biases)

    def axes(self, *axes: Axes) -> Axes:
        return axes[0][:-1] + axes[1][1:]


class Scores(Operation):
    """``S = QKᵀ``: the product of every query with every key."""

    title = "queries times keys"
    inputs = ("Q", "K")
    formula = r"$y = $Q\, $K^\top"
    gradients = (r"$dQ = $dy\, $K", r"$dK = $dy^\top\, $Q")

    def forward(self, Q: np.ndarray, K: np.ndarray) -> np.ndarray:
        return Q @ transpose(K)

    def backward(self, dS: np.ndarray, S: np.ndarray, Q: np.ndarray, K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return dS @ K, transpose(dS) @ Q

    def tensorflow(self, Q: tf.Tensor, K: tf.Tensor) -> tf.Tensor:
        return tf.matmul(Q, K, transpose_b=True)

    def axes(self, Q: Axes, K: Axes) -> Axes:
        return (*Q[:-1], K[-2])


class WeightedAverage(Operation):
    """``Y = AV``: for every query the values, weighted."""

    title = "weighted average of the values"
    inputs = ("A", "V")
    formula = r"$y = $A\, $V"
    gradients = (r"$dA = $dy\, $V^\top", r"$dV = $A^\top\, $dy")

    def forward(self, A: np.ndarray, V: np.ndarray) -> np.ndarray:
        return A @ V

    def backward(self, dY: np.ndarray, Y: np.ndarray, A: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return dY @ transpose(V), transpose(A) @ dY

    def tensorflow(self, A: tf.Tensor, V: tf.Tensor) -> tf.Tensor:
        return tf.matmul(A, V)

    def axes(self, A: Axes, V: Axes) -> Axes:
        return (*A[:-1], V[-1])


class Add(Operation):
    """``y = x₁ + x₂ + …``; one that is repeated along an axis gets the sum of the gradient over it."""

    title = "sum"

    def __init__(self, count: int = 2) -> None:
        self.inputs = [f"x{k}" for k in range(1, count + 1)]
        self.formula = "$y = " + " + ".join(f"${x}" for x in self.inputs)
        self.gradients = [f"$d{x} = $sum $dy" for x in self.inputs]

    def forward(self, *x: np.ndarray) -> np.ndarray:
        return sum(x[1:], start=x[0])

    def backward(self, dy: np.ndarray, y: np.ndarray, *x: np.ndarray) -> list[np.ndarray]:
        return [unrepeat(dy, each.shape) for each in x]

    def tensorflow(self, *x: tf.Tensor) -> tf.Tensor:
        return sum(x[1:], start=x[0])


class Subtract(Operation):
    """``y = x − w``."""

    title = "difference"
    inputs = ("x", "w")
    formula = "$y = $x - $w"
    gradients = ("$dx = $sum $dy", "$dw = -$sum $dy")

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x - w

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return unrepeat(dy, x.shape), -unrepeat(dy, w.shape)

    def tensorflow(self, x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return x - w


class Hadamard(Operation):
    """``y = x ⊙ w``: number by number."""

    title = "product, number by number"
    inputs = ("x", "w")
    formula = r"$y = $x \odot $w"
    gradients = (r"$dx = $sum $dy \odot $w", r"$dw = $sum $dy \odot $x")

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x * w

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return unrepeat(dy * w, x.shape), unrepeat(dy * x, w.shape)

    def tensorflow(self, x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return x * w


class Divide(Operation):
    """``y = x / w``."""

    title = "quotient"
    inputs = ("x", "w")
    formula = r"$y = \frac{$x}{$w}"
    gradients = (r"$dx = $sum \frac{$dy}{$w}", r"$dw = -$sum \frac{$dy \odot $y}{$w}")

    def forward(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        return x / w

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return unrepeat(dy / w, x.shape), -unrepeat(dy * y / w, w.shape)

    def tensorflow(self, x: tf.Tensor, w: tf.Tensor) -> tf.Tensor:
        return x / w


class Scale(Operation):
    r"""``y = c·x`` with a fixed number ``c``, which the formula writes as ``latex``: ``\frac{1}{\sqrt{d}}``."""

    title = "scaling"
    inputs = ("x",)

    def __init__(self, factor: float, latex: str) -> None:
        self.factor = factor
        self.formula = rf"$y = {latex}\, $x"
        self.gradients = (rf"$dx = {latex}\, $dy",)

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self.factor * x

    def backward(self, dy: np.ndarray, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        return (self.factor * dy,)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        return tf.constant(self.factor, x.dtype) * x


class Cell(Operation):
    """``y = f ⊙ c + i ⊙ g``: an LSTM keeps what its forget gate lets stay, and writes what its input gate lets in."""

    title = "cell"
    inputs = ("f", "c", "i", "g")
    formula = r"$y = $f \odot $c + $i \odot $g"
    gradients = (r"$df = $dy \odot $c", r"$dc = $dy \odot $f", r"$di = $dy \odot $g", r"$dg = $dy \odot $i")

    def forward(self, f: np.ndarray, c: np.ndarray, i: np.ndarray, g: np.ndarray) -> np.ndarray:
        return f * c + i * g

    def backward(self, dy: np.ndarray, y: np.ndarray, f: np.ndarray, c: np.ndarray, i: np.ndarray, g: np.ndarray):
        return dy * c, dy * f, dy * g, dy * i

    def tensorflow(self, f: tf.Tensor, c: tf.Tensor, i: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        return f * c + i * g


class Interpolation(Operation):
    """``y = z ⊙ h + (1 − z) ⊙ g``: a GRU's update gate lies between the old state and the candidate."""

    title = "state"
    inputs = ("z", "h", "g")
    formula = r"$y = $z \odot $h + (1 - $z) \odot $g"
    gradients = (r"$dz = $dy \odot ($h - $g)", r"$dh = $dy \odot $z", r"$dg = $dy \odot (1 - $z)")

    def forward(self, z: np.ndarray, h: np.ndarray, g: np.ndarray) -> np.ndarray:
        return z * h + (1 - z) * g

    def backward(self, dy: np.ndarray, y: np.ndarray, z: np.ndarray, h: np.ndarray, g: np.ndarray):
        return dy * (h - g), dy * z, dy * (1 - z)

    def tensorflow(self, z: tf.Tensor, h: tf.Tensor, g: tf.Tensor) -> tf.Tensor:
        return z * h + (1 - z) * g


def summed_over(axes: Axes, whole: Axes) -> str:
    r"""``\sum_{N, T}`` for the axes along which an array is repeated; empty where it is not."""
    letters = repeated(axes, whole)
    return rf"\sum_{{{', '.join(letters)}}}" if letters else ""
