"""A trace, or one step of it, as tables that fit a terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolkit.xray._records import Step, Tensor
from toolkit.xray.views._plain import plain

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

_COLOURS = {"forward": "blue", "loss": "magenta", "backward": "yellow", "update": "green"}
_NARROWEST, _WIDEST = 60, 160
# The results of a step, by their role; the rest are what it starts from.
_RESULTS = ("output", "gradient")


def table(trace: Trace) -> Table:
    """One row for each step: phase, layer, what happens, and the norm of each result."""
    rich_table = Table(title=f"{trace.name}: {trace.summary}", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    rich_table.add_column("#", justify="right", style="dim", no_wrap=True)
    rich_table.add_column("phase", no_wrap=True)
    rich_table.add_column("layer", overflow="fold", ratio=3)
    rich_table.add_column("step", overflow="fold", ratio=3)
    rich_table.add_column("result", overflow="fold", ratio=4)
    rich_table.add_column("norm", justify="right", no_wrap=True)
    for number, step in enumerate(trace.steps):
        results = _results(step)
        # Text, not markup: a layer may be called "[red]".
        rich_table.add_row(
            str(number),
            Text(step.phase, style=_COLOURS[step.phase]),
            Text(step.layer if not step.call else f"{step.layer} (call {step.call + 1})"),
            Text(step.title),
            Text("\n".join(f"{tensor.name} {_shape(tensor)}" for tensor in results)),
            Text("\n".join(_norm(tensor) for tensor in results)),
        )
    return rich_table


def text(trace: Trace, width: int | None = None) -> str:
    """The table as plain text, as wide as the terminal or ``width``."""
    return _printed(table(trace), width)


def step_text(step: Step, width: int | None = None) -> str:
    """One step: its formula, its tensors, its sub-steps; of a loop over time, only what is outside of it."""
    head = f"{step.phase}, {step.layer} ({step.kind}): {step.title}"
    lines = [head, *(f"  {line.strip()}" for line in plain(step.equation).split("; ") if line)]
    lines.append(_printed(_tensor_table(step), width))
    inside = [child for child in step.substeps if child.time is None or len(step.times) == 1]
    if inside:
        lines += ["", _printed(_substep_table(inside), width)]
    if len(step.times) > 1:
        each = max(sum(child.time == time for child in step.substeps) for time in step.times)
        first, last = step.times[0], step.times[-1]
        lines += ["", f"t = {first} … {last}: up to {each} sub-steps each; step.at({first}) has those of t = {first}."]
    return "\n".join([*lines, *([step.note] if step.note else [])])


def _tensor_table(step: Step) -> Table:
    rich_table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("tensor", "is", "shape"):
        rich_table.add_column(column, overflow="fold")
    for column in ("mean", "std", "norm", "zeros", "min", "max"):
        rich_table.add_column(column, justify="right", no_wrap=True)
    for tensor in step.tensors.values():
        s = tensor.statistics
        numbers = [f"{s.mean:.3g}", f"{s.std:.3g}", _norm(tensor), f"{s.zeros:.0%}", f"{s.min:.3g}", f"{s.max:.3g}"]
        rich_table.add_row(Text(tensor.name), tensor.role, _shape(tensor), *numbers)
    return rich_table


def _substep_table(steps: Sequence[Step]) -> Table:
    rich_table = Table(box=SIMPLE_HEAD, pad_edge=False)
    rich_table.add_column("sub-step", overflow="fold", ratio=3)
    rich_table.add_column("formula", overflow="fold", ratio=4)
    rich_table.add_column("result", overflow="fold", ratio=2)
    for step in steps:
        results = [tensor for tensor in step.tensors.values() if f"{tensor.latex or tensor.name} =" in step.equation]
        shapes = "\n".join(f"{tensor.name} {_shape(tensor)}" for tensor in results or [*step.tensors.values()][-1:])
        rich_table.add_row(Text(step.title), Text(plain(step.equation)), Text(shapes))
    return rich_table


def _printed(what: Table, width: int | None) -> str:
    width = width or max(_NARROWEST, min(shutil.get_terminal_size((100, 24)).columns, _WIDEST))
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, legacy_windows=False, force_jupyter=False).print(what)
    return "\n".join(line.rstrip() for line in stream.getvalue().strip("\n").rstrip().splitlines())


def _results(step: Step) -> list[Tensor]:
    results = [tensor for tensor in step.tensors.values() if tensor.role in _RESULTS]
    return results or list(step.tensors.values())[-1:]


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) if tensor.shape else "a number"


def _norm(tensor: Tensor) -> str:
    statistics = tensor.statistics
    return f"{statistics.norm:.3g}" + (f" ({statistics.not_finite} not finite)" if statistics.not_finite else "")
