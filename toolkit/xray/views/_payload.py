"""A trace as plain data for the page and the widget: steps, formulas, tensors, the drawn network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.xray._records import Step, Tensor
from toolkit.xray.views._arrangement import arrange, cut
from toolkit.xray.views._formula import marked_formula, mathml, symbol
from toolkit.xray.views._layout import lay_out

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

# (samples, side, depth): how much of each tensor a page holds; the first choice that fits its size is taken.
_CHOICES = (
    (8, 32, 64),
    (4, 32, 64),
    (4, 28, 32),
    (2, 28, 32),
    (1, 28, 32),
    (1, 28, 8),
    (1, 16, 8),
    (1, 8, 4),
    (1, 4, 2),
)
_MOST_SUBSTEPS = 240  # of one step; of more, the middle is left out


class Payload:
    """Collects steps; every formula and every tensor is kept once, however many steps show it.

    Args:
        trace: what to show.
        most_substeps: of one step; of more, the first and the last ones are kept.
    """

    def __init__(self, trace: Trace, *, most_substeps: int = _MOST_SUBSTEPS) -> None:
        self.trace = trace
        self.samples = trace.samples
        self.tensors: list[Tensor] = []
        self._most_substeps = most_substeps
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

    def opened(self, number: int) -> list[dict[str, Any]]:
        """The sub-steps of step ``number``."""
        return self.step(self.trace.steps[number], substeps=True)["substeps"]

    def since(self, tensors: int, formulas: int) -> dict[str, Any]:
        """The tensors and formulas that have come after the first so many."""
        return {
            "tensors": [self._describe(tensor) for tensor in self.tensors[tensors:]],
            "formulas": list(self._formulas)[formulas:],
        }

    def step(self, step: Step, *, substeps: bool) -> dict[str, Any]:
        """One step; its tensors and formulas are numbers into the lists."""
        tensors = list(step.tensors.values())
        symbols = tuple(tensor.latex or symbol(tensor.name) for tensor in tensors)
        formula, marked = marked_formula(step.equation, symbols) if step.equation else ("", ())
        children = step.substeps if substeps else ()
        left_out = max(0, len(children) - self._most_substeps)
        if left_out:
            half = self._most_substeps // 2
            children = (*children[:half], *children[-half:])
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
                [self._formula(mathml(symbol(name))), self._formula(mathml(space))]
                for name, space in step.spaces.items()
            ],
            "tensors": [
                [self._number(tensor), self._formula(mathml(latex)), tensor.name, tensor.role]
                for tensor, latex in zip(tensors, symbols)
            ],
            "note": step.note,
            "derived": step.derived,
            "opens": step.open is not None,
            "substeps": [self.step(child, substeps=False) for child in children],
            "left_out": left_out,
        }

    def _formula(self, math: str) -> int:
        return self._formulas.setdefault(math, len(self._formulas))

    def _number(self, tensor: Tensor) -> int:
        key = id(tensor.value), tensor.role
        if key not in self._tensor_numbers:
            self._tensor_numbers[key] = len(self.tensors)
            self.tensors.append(tensor)  # also keeps the array alive, so that its id stays its own
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

    def numbers(self, number: int, samples: Sequence[int], side: int, depth: int) -> dict[str, Any]:
        """The numbers of tensor ``number``, of these samples, cut to ``side`` and ``depth``.

        Returns:
            ``shape`` of what is there (one sample's, without the sample axis) and ``data``: for each sample, float32 in
            base64, little-endian, C order.
        """
        tensor = self.tensors[number]
        arrangement = arrange(tensor, self.samples)
        value = np.asarray(tensor.value)
        parts = [value[sample] for sample in samples] if arrangement.batch else [value]
        offset = 1 if arrangement.batch else 0
        cuts = [cut(part[np.newaxis] if offset else part, arrangement, side=side, depth=depth) for part in parts]
        cuts = [part[0] if offset else part for part in cuts]
        return {"shape": cuts[0].shape, "data": [_base64(part) for part in cuts]}

    def all_numbers(self, budget: int) -> tuple[int, list[dict[str, Any]]]:
        """The numbers of all tensors in at most ``budget`` bytes, and of how many samples they are."""
        for samples, side, depth in _CHOICES:
            chosen = range(min(samples, self.samples))
            if self._size(len(chosen), side, depth) <= budget or (samples, side, depth) == _CHOICES[-1]:
                return len(chosen), [self.numbers(k, chosen, side, depth) for k in range(len(self.tensors))]
        raise AssertionError("the last choice always returns")

    def _size(self, samples: int, side: int, depth: int) -> int:
        return sum(self._cells(tensor, samples, side, depth) for tensor in self.tensors) * 16 // 3

    def _cells(self, tensor: Tensor, samples: int, side: int, depth: int) -> int:
        arrangement = arrange(tensor, self.samples)
        limits = {arrangement.rows: side, arrangement.columns: side, **dict.fromkeys(arrangement.chosen, depth)}
        axes: Iterable[int] = range(1 if arrangement.batch else 0, len(tensor.shape))
        cells = int(np.prod([min(tensor.shape[axis], limits[axis]) for axis in axes], dtype=np.int64))
        return cells * (samples if arrangement.batch else 1)


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode("ascii")
