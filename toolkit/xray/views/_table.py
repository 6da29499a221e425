"""A trace as a table that fits a terminal."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from toolkit.xray._records import Step, Tensor

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
    width = width or max(_NARROWEST, min(shutil.get_terminal_size((100, 24)).columns, _WIDEST))
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None, legacy_windows=False, force_jupyter=False).print(table(trace))
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())


def _results(step: Step) -> list[Tensor]:
    results = [tensor for tensor in step.tensors.values() if tensor.role in _RESULTS]
    return results or list(step.tensors.values())[-1:]


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) if tensor.shape else "a number"


def _norm(tensor: Tensor) -> str:
    statistics = tensor.statistics
    return f"{statistics.norm:.3g}" + (f" ({statistics.not_finite} not finite)" if statistics.not_finite else "")
