"""The lessons and their results as Rich tables and panels, for the command line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from toolkit.lessons.headers import Lesson
from toolkit.lessons.running import Result


def listing(lessons: Sequence[Lesson]) -> Table:
    """All lessons with their goals, the minutes a learner needs, and what to have done before."""
    table = Table(title=f"{len(lessons)} lessons, {sum(lesson.minutes for lesson in lessons)} minutes")
    table.add_column("#")
    table.add_column("Lesson", style="bold")
    table.add_column("Goal", ratio=1)
    table.add_column("Minutes", justify="right")
    table.add_column("After")
    for lesson in lessons:
        table.add_row(
            lesson.number,
            Text(lesson.title),
            Text(lesson.goal),
            str(lesson.minutes),
            ", ".join(lesson.prerequisites) or "–",
        )
    return table


def results(outcomes: Sequence[Result]) -> Table:
    """One line for each lesson executed, in their order."""
    passed = sum(outcome.passed for outcome in outcomes)
    table = Table(title=f"{passed} of {len(outcomes)} lessons passed")
    table.add_column("Lesson", style="bold", no_wrap=True)
    table.add_column("Seconds", justify="right")
    table.add_column("Peak MB", justify="right")
    table.add_column("Checks", justify="right")
    table.add_column("Verdict", ratio=1)
    for outcome in outcomes:
        table.add_row(
            outcome.lesson.name,
            f"{outcome.seconds:.1f}",
            f"{outcome.peak_bytes / 1e6:.0f}",
            f"{outcome.checks_passed}/{outcome.checks}",
            verdict(outcome),
        )
    return table


def verdict(outcome: Result) -> Text:
    """The verdict with a sign, so that it can be told without colours."""
    sign, style = ("✓ ", "green") if outcome.passed else ("✗ ", "red")
    return Text(sign + outcome.verdict, style=style)


def failure(outcome: Result) -> RenderableType | None:
    """The source and the traceback of the cell that failed; ``None`` where no cell did."""
    failed = outcome.failure
    if failed is None:
        return None
    parts: list[RenderableType] = [Syntax(failed.source, "python", line_numbers=True, word_wrap=True)]
    if failed.traceback:
        parts.append(Text("\n" + failed.traceback.strip()))
    title = Text(f"lesson {outcome.lesson.name}, cell {failed.cell}")
    return Panel(Group(*parts), title=title, border_style="red")
