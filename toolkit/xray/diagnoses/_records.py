"""What a diagnosis is, and a list of them that prints."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal, overload

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

Severity = Literal["fault", "warning"]
_COLOURS = {"fault": "bold red", "warning": "yellow"}
_WIDTH = 110


@dataclass(frozen=True)
class Diagnosis:
    """One thing that is most likely wrong.

    Attributes:
        name: what it is called, ``"dead ReLUs"``.
        severity: ``"fault"``: the model cannot learn well like this; ``"warning"``: look at it.
        where: path of the layer, name of the weight, of the input or of the loss.
        evidence: what was seen, in words and numbers.
        figures: the numbers of the evidence by name.
        remedy: what to do about it.
    """

    name: str
    severity: Severity
    where: str
    evidence: str
    remedy: str
    figures: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.severity}: {self.name}, {self.where}: {self.evidence} {self.remedy}"


@dataclass(frozen=True)
class Unjudged:
    """What this batch could not tell, and why."""

    name: str
    reason: str


class Diagnoses(Sequence[Diagnosis]):
    """What ``Trace.diagnose`` found, faults first; empty where it found nothing.

    Attributes:
        unjudged: what one batch like this cannot tell, with the reason.
    """

    def __init__(self, found: Sequence[Diagnosis], unjudged: Sequence[Unjudged] = ()) -> None:
        self._found = tuple(sorted(found, key=lambda d: d.severity != "fault"))  # stable: then as found
        self.unjudged = tuple(unjudged)

    @overload
    def __getitem__(self, index: int) -> Diagnosis: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Diagnosis, ...]: ...

    def __getitem__(self, index: int | slice) -> Diagnosis | tuple[Diagnosis, ...]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[Diagnosis]:
        return iter(self._found)

    @property
    def names(self) -> list[str]:
        """The names of what was found, each once."""
        return list(dict.fromkeys(d.name for d in self._found))

    @property
    def summary(self) -> str:
        """One line: ``"1 fault, 2 warnings"``."""
        counts = {s: sum(d.severity == s for d in self._found) for s in ("fault", "warning")}
        parts = [f"{n} {s}{'s' if n > 1 else ''}" for s, n in counts.items() if n]
        return ", ".join(parts) or "nothing that looks wrong"

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [Text(f"Diagnosis: {self.summary}", style="bold")]
        if self._found:
            table = Table(box=SIMPLE_HEAD, pad_edge=False, show_lines=True)
            table.add_column("what", no_wrap=True)
            table.add_column("where", overflow="fold", ratio=2)
            table.add_column("evidence and remedy", ratio=5)
            for d in self._found:  # Text, not markup: a layer may be called "[red]"
                told = Text(d.evidence).append(f"\n→ {d.remedy}", style="bold")
                table.add_row(Text(d.name, style=_COLOURS[d.severity]), Text(d.where), told)
            parts.append(table)
        parts += [Text(f"not judged: {each.name}; {each.reason}", style="dim") for each in self.unjudged]
        return Group(*parts)

    def __str__(self) -> str:
        stream = io.StringIO()
        Console(file=stream, width=_WIDTH, color_system=None, legacy_windows=False, force_jupyter=False).print(self)
        return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><b>{escape(d.name)}</b><br>{d.severity}</td><td>{escape(d.where)}</td>"
            f'<td style="text-align:left">{escape(d.evidence)}<br><b>→ {escape(d.remedy)}</b></td></tr>'
            for d in self._found
        )
        head = "<tr><th>what</th><th>where</th><th>evidence and remedy</th></tr>"
        unjudged = "".join(
            f"<p><small>not judged: {escape(u.name)}; {escape(u.reason)}</small></p>" for u in self.unjudged
        )
        table = f"<table>{head}{rows}</table>" if rows else ""
        return f"<p><b>Diagnosis: {self.summary}</b></p>{table}{unjudged}"
