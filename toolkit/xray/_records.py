"""What a trace is made of: tensors with their names in the equation, and steps that use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from toolkit.errors import InvalidValueError

Phase = Literal["forward", "loss", "backward", "update"]
Role = Literal["input", "output", "parameter", "state", "mask", "intermediate", "upstream", "gradient"]


@dataclass(frozen=True)
class Statistics:
    r"""What an array of any size looks like, in six numbers.

    Attributes:
        mean, std: of all entries.
        norm: Euclidean, :math:`\sqrt{\sum_i x_i^2}`.
        zeros: share of entries that are exactly 0, from 0 to 1.
        min, max: the smallest and the largest entry.
        not_finite: how many entries are NaN or infinite; the other numbers are about the rest.
    """

    mean: float
    std: float
    norm: float
    zeros: float
    min: float
    max: float
    not_finite: int = 0

    @classmethod
    def of(cls, values: np.ndarray) -> Statistics:
        """The statistics of ``values``, computed in float64; all NaN where there is no finite entry."""
        values = np.asarray(values, dtype=np.float64).ravel()
        finite = np.isfinite(values)
        not_finite = int(values.size - finite.sum())
        values = values[finite] if not_finite else values
        if not values.size:
            return cls(*[float("nan")] * 6, not_finite)
        return cls(
            mean=float(values.mean()),
            std=float(values.std()),
            norm=float(np.sqrt(values @ values)),
            zeros=float(np.mean(values == 0)),
            min=float(values.min()),
            max=float(values.max()),
            not_finite=not_finite,
        )


@dataclass(frozen=True, eq=False)
class Tensor:
    r"""One array by its name in the equation.

    Attributes:
        name: as the equation writes it in code: ``"x"``, ``"W"``, ``"dz"``, ``"h_3"``.
        value: the numbers, as the model has them (read-only).
        role: what it is to the step.
        axes: the letter of each axis where it is known, ``("N", "T", "D")``; empty where it is not.
        latex: the name in a formula, ``r"\bar e"``; by default from ``name``.
    """

    name: str
    value: np.ndarray
    role: Role
    axes: tuple[str, ...] = ()
    latex: str = ""

    def __post_init__(self) -> None:
        if self.value.flags.writeable:
            value = self.value.view()
            value.flags.writeable = False
            object.__setattr__(self, "value", value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of its axes."""
        return self.value.shape

    @property
    def dtype(self) -> str:
        """The type of its numbers, ``"float32"``."""
        return str(self.value.dtype)

    @cached_property
    def statistics(self) -> Statistics:
        """Mean, deviation, norm, share of zeros, extremes."""
        return Statistics.of(self.value)


@dataclass(frozen=True, eq=False, repr=False)
class Step:
    r"""One step of the computation: an equation and the tensors in it.

    Attributes:
        phase: forward, loss, backward or update.
        layer: path of the layer, ``"encoder/lstm"``; of the loss and the optimiser their names.
        kind: the layer's class, ``"LSTM"``.
        call: which call of this layer it is, from 0; a shared layer has several.
        title: what happens, in a few words: ``"product"``, ``"forget gate, t = 3"``.
        equation: LaTeX without dollar signs.
        spaces: of the symbols, in LaTeX: ``{"x": r"\mathbb{R}^{N \times D}"}``, by the names of ``tensors``.
        tensors: the arrays of the equation by name, inputs first, results last.
        derived: True where the step's numbers were recomputed from the equation; False says "no derivation": inputs,
            outputs, parameters and gradients are Keras's and TensorFlow's own.
        note: what a reader should know besides, in a sentence; may be empty.
        open: makes the sub-steps when they are asked for; None where there are none.
        time: of a sub-step in a loop over time, which time step it belongs to, from 1; None outside of a loop.
    """

    phase: Phase
    layer: str
    kind: str
    call: int
    title: str
    equation: str
    spaces: Mapping[str, str]
    tensors: Mapping[str, Tensor]
    derived: bool = False
    note: str = ""
    open: Callable[[], tuple[Step, ...]] | None = None
    time: int | None = None

    @cached_property
    def substeps(self) -> tuple[Step, ...]:
        """The steps inside this one, in the order in which they are computed; made at the first look."""
        return () if self.open is None else self.open()

    @cached_property
    def times(self) -> tuple[int, ...]:
        """The time steps that its sub-steps belong to, in the order of the sequence; empty without a loop over time."""
        return tuple(sorted({step.time for step in self.substeps if step.time is not None}))

    def at(self, time: int) -> Step:
        """The same step with the sub-steps of one time step alone: every gate at ``t = time``.

        Raises:
            InvalidValueError: there is no such time step.
        """
        if time not in self.times:
            expected = f"a time step from {self.times[0]} to {self.times[-1]}" if self.times else "a loop over time"
            received = repr(time) if self.times else f"{self.kind}, whose sub-steps have none"
            raise InvalidValueError(f"step {self.layer!r}, at", expected, received)
        chosen = tuple(step for step in self.substeps if step.time == time)
        return replace(self, title=f"{self.title}, t = {time}", open=lambda: chosen)

    def __str__(self) -> str:
        from toolkit.xray.views._table import step_text

        return step_text(self)

    def __repr__(self) -> str:
        return f"<Step {self.phase} {self.layer!r}: {self.title}>"
