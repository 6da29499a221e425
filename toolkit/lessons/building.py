"""Builds the pages of the lessons, and tells where a committed page differs from its source."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from toolkit.atomic_write import atomic_write
from toolkit.errors import LessonError
from toolkit.lessons import source
from toolkit.lessons.execution import Kernels, execute
from toolkit.lessons.headers import Lesson
from toolkit.lessons.running import TIME_LIMIT, side_by_side

SIZE_LIMIT = 500_000
"""Bytes that a page may have; larger ones load slowly and fill the repository's history."""

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,}")
_HOME_LIKE = re.compile(
    r"(?<![\w.:/<~-])(?:/(?:home|Users|root|tmp|private|var/folders)/[\w.\-]+|[A-Za-z]:\\\\?[\w.\-]+\\)"
)


@dataclass(frozen=True)
class Page:
    """What came of building one page: no error, or the reason why the old page still stands."""

    lesson: Lesson
    error: LessonError | None = None


def build(lesson: Lesson, *, time_limit: float = TIME_LIMIT, kernels: Kernels | None = None) -> Path:
    """Execute the learner's version of a lesson and write its page.

    The page is written beside its place and then moved there: an interrupted or refused build
    leaves the old page as it was.

    Args:
        lesson: which lesson.
        time_limit: seconds it may take, the start of the kernel included.
        kernels: where to note the kernel, for a caller that may want to stop it.

    Returns:
        The page's path.

    Raises:
        LessonError: a cell fails, or the page would hold what `faults` lists.
    """
    page = source.notebook(lesson, "learner")
    execution = execute(page, lesson.notebook.parent, stop_after=time_limit, kernels=kernels)
    if failure := execution.failure:
        raise LessonError(
            _place(lesson.name, failure.cell),
            f"to run within {time_limit:g} s" if execution.out_of_time else "to run with the placeholders",
            failure.message,
            f"The cell is:\n\n{failure.source}\n\n{failure.traceback}".rstrip(),
        )
    _make_portable(page)
    nbformat.validate(page)
    text = nbformat.writes(page) + "\n"
    for fault in faults(page, lesson):
        raise fault
    if len(text.encode()) > SIZE_LIMIT:
        raise LessonError(
            lesson.name,
            f"a page of at most {SIZE_LIMIT // 1000} KB",
            f"{len(text.encode()) // 1000} KB",
            f"Largest: cell {_largest_cell(page)}. Lower its figure's dpi or size, or print less.",
        )
    try:
        with atomic_write(lesson.notebook) as file:
            file.write(text.encode())
    except OSError as error:
        raise LessonError(
            lesson.notebook.name,
            f"to write into '{lesson.notebook.parent.name}'",
            error.strerror or str(error),
            "Free some room or mend the folder's permissions; the old page is untouched.",
        ) from error
    return lesson.notebook


def build_all(
    lessons: Sequence[Lesson],
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    on_start: Callable[[Lesson], None] = lambda lesson: None,
    on_result: Callable[[Page], None] = lambda page: None,
) -> list[Page]:
    """Build several pages side by side; arguments as for `run_all`.

    A lesson that cannot be built does not keep the others from it: its error is in the result.
    """
    kernels = Kernels()

    def work(lesson: Lesson) -> Page:
        on_start(lesson)
        try:
            build(lesson, time_limit=time_limit, kernels=kernels)
        except LessonError as error:
            return Page(lesson, error)
        return Page(lesson)

    return side_by_side(work, lessons, jobs=jobs, kernels=kernels, on_result=on_result)


def differences(lesson: Lesson) -> list[str]:
    """Compare a committed page with its source; an empty list means that they agree.

    Outputs are not recomputed: cells, code and text must be those of the source, code cells must have
    been executed, and the page must hold nothing that `build` refuses.
    """
    if not lesson.notebook.is_file():
        return [f"{lesson.notebook.name} is missing: `toolkit lessons build {lesson.number}`"]
    try:
        page = nbformat.read(lesson.notebook, as_version=4)
    except (ValueError, OSError) as error:
        return [f"{lesson.notebook.name} cannot be read: {error}"]
    expected = source.notebook(lesson, "learner")
    found = []
    if len(page.cells) != len(expected.cells):
        found.append(f"{len(page.cells)} cells in the page, {len(expected.cells)} in the source")
    for position, (cell, wanted) in enumerate(zip(page.cells, expected.cells)):
        keys = ("cell_type", "id", "source", "metadata")
        found += [
            f"cell {position}: its {key} differs from the source" for key in keys if cell.get(key) != wanted.get(key)
        ]
        if cell.cell_type == "code" and cell.source.strip() and cell.get("execution_count") is None:
            found.append(f"cell {position}: not executed")
    found += [str(fault) for fault in faults(page, lesson)]
    size = lesson.notebook.stat().st_size
    if size > SIZE_LIMIT:
        found.append(f"{size // 1000} KB, the limit is {SIZE_LIMIT // 1000} KB")
    return found


def faults(page: NotebookNode, lesson: Lesson) -> Iterator[LessonError]:
    """Yield what a page must not hold: standard error and absolute paths of this machine."""
    own_folders = [str(lesson.notebook.parent.parent), sys.prefix, tempfile.gettempdir(), str(Path.home())]
    for position, cell in enumerate(page.cells):
        where = _place(lesson.name, position)
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                yield LessonError(where, "nothing on standard error", repr(output.text.strip()[:200]))
        for text in _texts(cell):
            if path := _absolute_path(text, own_folders):
                yield LessonError(
                    where,
                    "no absolute path of this machine",
                    repr(path),
                    "Print a path relative to the notebook, or only its name.",
                )


def _place(name: str, position: int) -> str:
    return f"lesson {name}, cell {position}"


def _texts(cell: NotebookNode) -> Iterator[str]:
    """Everything in a cell that a reader sees as text."""
    yield cell.source
    for output in cell.get("outputs", []):
        yield output.get("text", "")
        yield output.get("evalue", "")
        yield from output.get("traceback", [])
        for media_type, content in output.get("data", {}).items():
            if not media_type.startswith("image/") or media_type == "image/svg+xml":
                yield content if isinstance(content, str) else str(content)


def _absolute_path(text: str, own_folders: list[str]) -> str | None:
    for folder in own_folders:
        if len(folder) > 1 and re.search(rf"(?<![\w.<]){re.escape(folder)}(?![\w-])", text):
            return folder
    match = _HOME_LIKE.search(text)
    return match.group() if match else None


def _make_portable(page: NotebookNode) -> None:
    """Take out of an executed page, in place, what differs from machine to machine or run to run."""
    page.metadata.language_info = source.language_info()
    widgets = page.metadata.pop("widgets", {}).get(_WIDGET_STATE, {}).get("state", {})
    for cell in page.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        cell.outputs = _joined([still for output in cell.outputs for still in _without_widget(output, widgets)])
        for output in cell.outputs:
            _clean(output, cell.metadata.get("alt"))


def _without_widget(output: NotebookNode, widgets: dict) -> list[NotebookNode]:
    """Replace a widget by the outputs that it shows at its starting position.

    A page has no kernel that could answer a slider, and a widget's state is large and full of random
    names. What an ``interact`` or an ``Output`` widget has drawn stays.
    """
    view = output.get("data", {}).get(_WIDGET_VIEW)
    return [output] if view is None else list(_shown_by(view["model_id"], widgets))


def _shown_by(model: str, widgets: dict) -> Iterator[NotebookNode]:
    state = widgets.get(model, {}).get("state", {})
    for output in state.get("outputs", []):
        yield from _without_widget(nbformat.from_dict(output), widgets)
    for child in state.get("children", []):
        yield from _shown_by(child.removeprefix("IPY_MODEL_"), widgets)


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of one stream: how a kernel cuts them depends on the moment."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _clean(output: NotebookNode, alternative: str | None) -> None:
    if output.output_type == "stream":
        output.text = _ADDRESS.sub("", output.text)
    if output.output_type == "error":
        # The frames name files of this machine; the last line is what the lesson is about.
        output.evalue = _ADDRESS.sub("", output.evalue)
        output.traceback = [f"{output.ename}: {output.evalue}"]
    data = output.get("data", {})
    for media_type, content in data.items():
        if media_type.startswith("text/"):
            data[media_type] = _ADDRESS.sub("", content)
    if alternative and "image/png" in data:
        output.metadata["image/png"] = {"alt": alternative}


def _largest_cell(page: NotebookNode) -> int:
    return max(range(len(page.cells)), key=lambda position: len(str(page.cells[position])))
