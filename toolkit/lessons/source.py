"""From a hand-edited percent file to a notebook: the learner's, or the solved one."""

from __future__ import annotations

import re
from typing import Literal

import jupytext
import nbformat
from nbformat import NotebookNode

from toolkit.errors import LessonError
from toolkit.lessons.headers import Lesson

Version = Literal["learner", "solved"]

_BEGIN = re.compile(r"(?P<indent>[ \t]*)#\s*BEGIN SOLUTION\s*(?::\s*(?P<placeholder>.*\S))?\s*")
_END = re.compile(r"[ \t]*#\s*END SOLUTION\s*")

_KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}

# What a page says about its language; a real kernel would add its own version to it.
_LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


def notebook(lesson: Lesson, version: Version) -> NotebookNode:
    """Return a lesson's notebook, not executed.

    Cell ids follow from the lesson's name and the position, so the same source gives the same file.

    Args:
        lesson: which lesson.
        version: ``"learner"`` has placeholders where ``"solved"`` has the solutions.

    Raises:
        LessonError: a solution's markers do not pair up.
    """
    source = jupytext.read(lesson.source, fmt="py:percent")
    cells = []
    for position, cell in enumerate(source.cells):
        text = cell.source
        if cell.cell_type == "code":
            text = _with_solutions(text, version, where=f"{lesson.source.name}, cell {position}")
        cells.append(
            NotebookNode(
                id=f"{lesson.slug[:50].replace('_', '-')}-{position}",
                cell_type=cell.cell_type,
                source=text,
                metadata=NotebookNode({key: cell.metadata[key] for key in _kept(cell)}),
            )
        )
        if cell.cell_type == "code":
            cells[-1].update(outputs=[], execution_count=None)
    page = nbformat.v4.new_notebook(cells=cells)
    page.metadata.kernelspec = nbformat.from_dict(_KERNEL)
    page.metadata.language_info = language_info()
    return page


def language_info() -> NotebookNode:
    """Return what a page says about its language."""
    return nbformat.from_dict(_LANGUAGE)


def _kept(cell: NotebookNode) -> list[str]:
    """The cell's own metadata, without the notes on blank lines that jupytext keeps there."""
    return sorted(key for key in cell.metadata if not key.startswith("lines_to_"))


def _with_solutions(text: str, version: Version, where: str) -> str:
    lines: list[str] = []
    begun: str | None = None
    for line in text.splitlines():
        if match := _BEGIN.fullmatch(line):
            if begun is not None:
                raise LessonError(where, "'# END SOLUTION'", "a second '# BEGIN SOLUTION'")
            begun = line
            if version == "learner":
                lines.append(match["indent"] + (match["placeholder"] or "..."))
        elif _END.fullmatch(line):
            if begun is None:
                raise LessonError(where, "'# BEGIN SOLUTION' first", "'# END SOLUTION'")
            begun = None
        elif begun is None or version == "solved":
            lines.append(line)
    if begun is not None:
        raise LessonError(where, "'# END SOLUTION' before the cell ends", "the end of the cell")
    return "\n".join(lines)
