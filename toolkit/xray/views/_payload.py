"""A trace as plain data for the page and the widget: steps, formulas, tensors, the drawn network."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.xray._records import Step, Tensor
from toolkit.xray.views._arrangement import arrange, cut, limits
from toolkit.xray.views._formula import marked_formula, mathml, symbol
from toolkit.xray.views._layout import lay_out

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

_SIDE = 32  # rows and columns
_MOST_TENSORS = 8  # of one step


class Payload:
    """Collects steps; every formula and every tensor is kept once, however many steps show it.

    Args:
        trace: what to show.
        most_times: of a loop over time; of more time steps, the first and the last ones are kept.
    """

    def __init__(self, trace: Trace, *, most_times: int | None = None) -> None:
        self.trace = trace
        self.samples = trace.samples
        self.tensors: list[Tensor] = []
        self._most_times = most_times
        self._lasting: set[int] = set()  # the tensors that stand outside of time steps, too
        self._tensor_numbers: dict[tuple[int, str], int] = {}
        self._formulas: dict[str, int] = {}

    def content(self, *, substeps: bool) -> dict[str, Any]:
        """All but the numbers of the tensors; ``substeps`` puts each step's sub-steps in, too."""
        steps = [self.step(step, substeps=substeps) for step in self.trace.steps]
        return {
            "title": self.trace.name,
            "summary": self.trace.summary,
            "samples": self.samples,
            "labels": self.trace.sample_names,
            "network": lay_out(self.trace.network),
            "steps": steps,
            "formulas": list(self._formulas),
            "tensors": [self._describe(tensor) for tensor in self.tensors],
        }

    @property
    def formula_count(self) -> int:
        """How many formulas there are by now."""
        return len(self._formulas)

    def opened(self, number: int, time: int) -> dict[str, Any]:
        """The sub-steps of step ``number``; of a loop over time, those of one time step and those outside of the loop.

        Returns:
            ``steps``, and ``times``: which time steps there are. The one nearest to ``time`` is taken.
        """
        step = self.trace.steps[number]
        nearest = min(step.times, key=lambda t: abs(t - time), default=None)
        chosen = [child for child in step.substeps if child.time in (None, nearest)]
        return {"steps": [self.step(child, substeps=False) for child in chosen], "times": step.times}

    def since(self, tensors: int, formulas: int) -> dict[str, Any]:
        """The tensors and formulas that have come after the first so many."""
        return {
            "tensors": [self._describe(tensor) for tensor in self.tensors[tensors:]],
            "formulas": list(self._formulas)[formulas:],
        }

    def step(self, step: Step, *, substeps: bool) -> dict[str, Any]:
        """One step; its tensors and formulas are numbers into the lists."""
        tensors = list(step.tensors.values())
        left_out = max(0, len(tensors) - _MOST_TENSORS)
        if left_out:  # the parts of a long sum
            tensors = [*tensors[: _MOST_TENSORS - 2], *tensors[-2:]]
        symbols = tuple(tensor.latex or symbol(tensor.name) for tensor in tensors)
        formula, marked = marked_formula(step.equation, symbols) if step.equation else ("", ())
        times = self._times(step) if substeps else []
        children = [child for child in step.substeps if child.time is None or child.time in times] if substeps else []
        return {
            "phase": step.phase,
            "layer": step.layer,
            "kind": step.kind,
            "call": step.call,
            "node": f"{step.layer}#{step.call}",
            "title": step.title,
            "formula": self._formula(formula) if formula else None,
            "latex": step.equation,
            "marked": marked,
            "spaces": [
                [self._formula(mathml(latex)), self._formula(mathml(step.spaces[tensor.name]))]
                for tensor, latex in zip(tensors, symbols)
                if tensor.name in step.spaces
            ],
            "tensors": [
                [self._number(tensor, step.time), self._formula(mathml(latex)), tensor.name, tensor.role]
                for tensor, latex in zip(tensors, symbols)
            ],
            "note": " ".join([step.note, f"{left_out} more such tensors are not drawn."] if left_out else [step.note]),
            "derived": step.derived,
            "opens": step.open is not None,
            "substeps": [self.step(child, substeps=False) for child in children],
            "time": step.time,
            "times": times,
            "times_left_out": len(step.times) - len(times) if substeps else 0,
        }

    def _times(self, step: Step) -> list[int]:
        times = list(step.times)
        if self._most_times is not None and len(times) > self._most_times:
            half = self._most_times // 2
            times = [*times[:half], *times[-half:]]
        return times

    def _formula(self, math: str) -> int:
        return self._formulas.setdefault(math, len(self._formulas))

    def _number(self, tensor: Tensor, time: int | None) -> int:
        key = id(tensor.value), tensor.role
        if key not in self._tensor_numbers:
            self._tensor_numbers[key] = len(self.tensors)
            self.tensors.append(tensor)  # also keeps the array alive, so that its id stays its own
        if time is None:
            self._lasting.add(self._tensor_numbers[key])
        return self._tensor_numbers[key]

    def _describe(self, tensor: Tensor) -> dict[str, Any]:
        arrangement = arrange(tensor, self.samples)
        statistics = tensor.statistics
        return {
            "shape": tensor.shape,
            "dtype": tensor.dtype,
            "axes": arrangement.names,
            "batch": arrangement.batch,
            "rows": arrangement.rows,
            "columns": arrangement.columns,
            "chosen": arrangement.chosen,
            "statistics": {
                name: float(f"{value:.4g}") if np.isfinite(value) else None for name, value in vars(statistics).items()
            },
        }

    # ------------------------------------------------------------------ numbers

    def numbers(self, number: int, samples: Sequence[int], side: int, cells: int) -> dict[str, Any]:
        """The numbers of tensor ``number``, of these samples, cut to ``side`` and ``cells``.

        Returns:
            ``shape`` of what is there (one sample's, without the sample axis) and ``data``: for each sample, float32 in
            base64, little-endian, C order.
        """
        tensor = self.tensors[number]
        arrangement = arrange(tensor, self.samples)
        value = np.asarray(tensor.value)
        parts = [value[sample : sample + 1] for sample in samples] if arrangement.batch else [value]
        cuts = [cut(part, arrangement, side=side, cells=cells) for part in parts]
        cuts = [part[0] if arrangement.batch else part for part in cuts]
        return {"shape": cuts[0].shape, "data": [_base64(part) for part in cuts]}

    def all_numbers(self, samples: int, cells: int) -> list[dict[str, Any]]:
        """The numbers of all tensors, of the first ``samples``."""
        chosen = range(samples)
        return [self.numbers(k, chosen, _SIDE, self._cells(k, cells)) for k in range(len(self.tensors))]

    def size(self, samples: int, cells: int) -> int:
        """How many bytes `all_numbers` takes, about."""
        total = 0
        for k, tensor in enumerate(self.tensors):
            arrangement = arrange(tensor, self.samples)
            shape = tensor.shape[1:] if arrangement.batch else tensor.shape
            shown = limits(tensor.shape, arrangement, side=_SIDE, cells=self._cells(k, cells))[
                len(tensor.shape) - len(shape) :
            ]
            total += math.prod(shown) * (samples if arrangement.batch else 1)
        return total * 16 // 3

    def _cells(self, number: int, cells: int) -> int:
        """Tensors of single time steps come by the hundred and get less room, shares of a weight's gradient least."""
        if number in self._lasting:
            return cells
        return max(64, cells // 4) if arrange(self.tensors[number], self.samples).batch else max(16, cells // 16)


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")
