"""A layer's computation written down line by line: named tensors, and the operation that makes each out of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray._records import Role
from toolkit.xray.derivations._names import latex_of
from toolkit.xray.derivations.operations import Curve, Expression, Operation


@dataclass(frozen=True, eq=False)
class Symbol:
    r"""A tensor by its name.

    Attributes:
        name: as code writes it: ``"z_i_3"``.
        axes: the letter of each axis; ``"1"`` for one along which the tensor is repeated.
        role: what it is.
        numbers: what its entries are, in LaTeX.
        has_gradient: whether the loss is differentiated with respect to it.
        value: of a leaf, its numbers; None for what the graph computes.
        latex: the name in a formula.
    """

    name: str
    axes: tuple[str, ...]
    role: Role = "intermediate"
    numbers: str = r"\mathbb{R}"
    has_gradient: bool = True
    value: np.ndarray | None = None
    latex: str = ""

    def __post_init__(self) -> None:
        if not self.latex:
            object.__setattr__(self, "latex", latex_of(self.name))


@dataclass(frozen=True, eq=False)
class Line:
    """``results = operation(inputs)``."""

    operation: Operation
    inputs: tuple[Symbol, ...]
    results: tuple[Symbol, ...]
    title: str
    note: str = ""
    time: int | None = None


@dataclass(eq=False)
class Graph:
    """What a derivation writes its lines into; nothing is computed yet.

    Attributes:
        call: the layer call that is derived.
        lines: in the order of the computation.
        inputs: by their place in ``call.inputs``.
        parameters: by their names in ``call.weights``.
        updated: the new running averages, by the names in ``call.weights``.
        time: the time step that lines are written for at the moment; None outside of a loop over time.
        kinked: the result of a product and the activation with kinks that the layer ends in.
        logits: the numbers before the layer's last softmax or sigmoid, to which a loss may send its gradient directly.
    """

    call: LayerCall
    lines: list[Line] = field(default_factory=list)
    inputs: dict[int, Symbol] = field(default_factory=dict)
    parameters: dict[str, Symbol] = field(default_factory=dict)
    updated: dict[str, Symbol] = field(default_factory=dict)
    logits: Symbol | None = None
    kinked: tuple[Symbol, Curve] | None = None
    time: int | None = None

    @property
    def dtype(self) -> np.dtype:
        """What the layer computes in."""
        return np.dtype(self.call.layer.compute_dtype)

    def input(self, name: str, axes: Sequence[str], place: int = 0) -> Symbol:
        """The call's input number ``place``; integers are numbers without a gradient."""
        given = self.call.inputs[place]
        value = given.astype(self.dtype, copy=False)
        self.inputs[place] = Symbol(name, tuple(axes), "input", has_gradient=given.dtype.kind == "f", value=value)
        return self.inputs[place]

    def ids(self, name: str, axes: Sequence[str], numbers: str) -> Symbol:
        """The call's first input as whole numbers."""
        value = self.call.inputs[0].astype(np.intp)
        self.inputs[0] = Symbol(name, tuple(axes), "input", numbers, has_gradient=False, value=value)
        return self.inputs[0]

    def parameter(self, key: str, name: str, axes: Sequence[str]) -> Symbol:
        """The weight ``key``."""
        learned = key not in self.call.non_trainable
        role = "state" if key.startswith("moving") else "parameter"
        value = self.call.weights[key]
        self.parameters[key] = Symbol(name, tuple(axes), role, has_gradient=learned, value=value)
        return self.parameters[key]

    def constant(self, name: str, value: np.ndarray, axes: Sequence[str], role: Role = "state") -> Symbol:
        """A tensor that no gradient is taken of: a mask, an initial state of zeros, weights of a mean."""
        numbers = r"\{0, 1\}" if value.dtype == bool else r"\mathbb{R}"
        return Symbol(name, tuple(axes), role, numbers, has_gradient=False, value=value)

    @overload
    def let(self, name: str, expression: Expression, **about: str | Sequence[str]) -> Symbol: ...

    @overload
    def let(self, name: Sequence[str], expression: Expression, **about: str | Sequence[str]) -> list[Symbol]: ...

    def let(self, name, expression, *, title="", note="", axes=None):
        """Writes a line: the result of ``expression`` is called ``name``, or its results by a list of names.

        Args:
            name: of the result, or of each result.
            expression: an operation applied to symbols.
            title: what happens; by default what the operation is called.
            note: what a reader should know besides.
            axes: of a result, where the operation cannot tell.
        """
        operation, inputs = expression
        axes = operation.axes(*(x.axes for x in inputs)) if axes is None else tuple(axes)
        has_gradient = any(x.has_gradient and formula for x, formula in zip(inputs, operation.gradients, strict=True))
        names = [name] if isinstance(name, str) else list(name)
        results = tuple(Symbol(each, axes, has_gradient=has_gradient) for each in names)
        self.lines.append(Line(operation, inputs, results, title or operation.title, note, self.time))
        return results[0] if isinstance(name, str) else list(results)
