"""Backpropagation through a graph of single numbers: the chain rule with nothing around it."""

from __future__ import annotations

import math
from collections.abc import Callable


class Scalar:
    r"""A number that remembers how it was computed, and so can say what it depends on.

    Arithmetic with scalars builds a graph. ``backward()`` on its last node walks that graph from the end to the
    beginning; each node hands its gradient on to its parents, times the local derivative. A node that was used
    several times adds up what comes back: :math:`\frac{\partial L}{\partial u} = \sum_k
    \frac{\partial L}{\partial v_k} \frac{\partial v_k}{\partial u}`.

    Args:
        data: the number.
        name: how the node is called in a print of the graph.

    Attributes:
        data: the value.
        grad: ``∂(the node that backward was called on)/∂(this node)``; 0 before.
        operation: the operation that made the node, "" for an input.
        parents: the nodes that it was made from.

    Example:
        >>> x, w = Scalar(3.0), Scalar(-2.0)
        >>> y = (x * w + 1).relu() + x**2
        >>> y.backward()
        >>> y.data, x.grad, w.grad
        (9.0, 6.0, 0.0)
    """

    def __init__(self, data: float, name: str = "") -> None:
        self.data = float(data)
        self.grad = 0.0
        self.name = name
        self.operation = ""
        self.parents: tuple[Scalar, ...] = ()
        self._pass_on: Callable[[], None] = lambda: None

    @classmethod
    def _of(cls, data: float, operation: str, **local: tuple[Scalar, float]) -> Scalar:
        """A node with its parents and the local derivative with respect to each: ``name=(parent, ∂node/∂parent)``."""
        node = cls(data)
        node.operation = operation
        node.parents = tuple(parent for parent, _ in local.values())

        def pass_on() -> None:
            for parent, derivative in local.values():
                parent.grad += node.grad * derivative

        node._pass_on = pass_on
        return node

    def __add__(self, other: Scalar | float) -> Scalar:
        other = _scalar(other)
        return Scalar._of(self.data + other.data, "+", a=(self, 1.0), b=(other, 1.0))

    def __mul__(self, other: Scalar | float) -> Scalar:
        other = _scalar(other)
        return Scalar._of(self.data * other.data, "×", a=(self, other.data), b=(other, self.data))

    def __pow__(self, exponent: float) -> Scalar:
        derivative = exponent * self.data ** (exponent - 1) if exponent else 0.0
        return Scalar._of(self.data**exponent, f"^{exponent:g}", a=(self, derivative))

    def exp(self) -> Scalar:
        """``eˣ``; its own derivative."""
        y = math.exp(self.data)
        return Scalar._of(y, "exp", a=(self, y))

    def log(self) -> Scalar:
        """Natural logarithm; derivative ``1/x``."""
        return Scalar._of(math.log(self.data), "ln", a=(self, 1 / self.data))

    def relu(self) -> Scalar:
        """``max(x, 0)``; derivative 1 for x > 0, else 0."""
        return Scalar._of(max(self.data, 0.0), "relu", a=(self, float(self.data > 0)))

    def tanh(self) -> Scalar:
        """Hyperbolic tangent; derivative ``1 − tanh²``."""
        y = math.tanh(self.data)
        return Scalar._of(y, "tanh", a=(self, 1 - y * y))

    def sigmoid(self) -> Scalar:
        """``1/(1 + e⁻ˣ)``; derivative ``σ(1 − σ)``."""
        y = 0.5 * (1 + math.tanh(self.data / 2))
        return Scalar._of(y, "σ", a=(self, y * (1 - y)))

    def __neg__(self) -> Scalar:
        return self * -1.0

    def __sub__(self, other: Scalar | float) -> Scalar:
        return self + -_scalar(other)

    def __truediv__(self, other: Scalar | float) -> Scalar:
        return self * _scalar(other) ** -1

    def __rsub__(self, other: float) -> Scalar:
        return _scalar(other) + -self

    def __rtruediv__(self, other: float) -> Scalar:
        return _scalar(other) * self**-1

    __radd__ = __add__
    __rmul__ = __mul__

    def graph(self) -> list[Scalar]:
        """All nodes that this one depends on, itself last; every node stands after its parents."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:  # by hand instead of by recursion: graphs may be deeper than Python's stack
            node, parents_done = stack.pop()
            if parents_done:
                order.append(node)
            elif id(node) not in seen:
                seen.add(id(node))
                stack.append((node, True))
                stack += [(parent, False) for parent in node.parents]
        return order

    def backward(self) -> None:
        """Fills ``grad`` of every node of the graph with ``∂self/∂node``."""
        graph = self.graph()
        for node in graph:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(graph):
            node._pass_on()

    def __repr__(self) -> str:
        label = f"{self.name}: " if self.name else ""
        return f"Scalar({label}{self.data:g}, grad={self.grad:g})"


def _scalar(value: Scalar | float) -> Scalar:
    return value if isinstance(value, Scalar) else Scalar(value)
