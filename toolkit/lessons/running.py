"""Executes lessons: how long, how much memory, how many checks, and what went wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import nbformat
from nbformat import NotebookNode

from toolkit.errors import InvalidValueError
from toolkit.lessons import source
from toolkit.lessons.execution import CellFailure, Execution, Kernels, execute
from toolkit.lessons.headers import Lesson

CHECK_TYPE = "application/vnd.layer-by-layer.check+json"
TIME_LIMIT = 60.0
"""Seconds that a lesson may take from the start of its kernel to its last output."""

PROFILES = ("short", "full")

_PATIENCE = 3
"""A lesson is stopped after this many times its limit, so that its figures are known before."""

_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True)
class Result:
    """One line of the table that `run_all` returns.

    Attributes:
        lesson: which lesson.
        seconds: wall time, the start of the kernel included.
        peak_bytes: largest resident memory of the kernel and its children, sampled.
        checks_passed: how many exercises' last check came out right.
        checks: how many exercises were checked.
        verdict: ``"passed"``, ``"too slow: …"`` or ``"failed: …"``.
        failure: the cell that failed, if one did.
    """

    lesson: Lesson
    seconds: float
    peak_bytes: int
    checks_passed: int
    checks: int
    verdict: str
    failure: CellFailure | None = None

    @property
    def passed(self) -> bool:
        """Whether everything is as it should be."""
        return self.verdict == "passed"


def run(
    lesson: Lesson,
    *,
    time_limit: float = TIME_LIMIT,
    kernels: Kernels | None = None,
    profile: str = "short",
    pages: Path | None = None,
) -> Result:
    """Execute a lesson's solved version; the lesson itself is not changed.

    Args:
        lesson: which lesson.
        time_limit: seconds it may take; a slower one is stopped after three times as many.
        kernels: where to note the kernel, for a caller that may want to stop it.
        profile: ``"short"`` is what learners run; with ``"full"`` lessons that have one take their longer way, with
            more data and epochs. They read it from the environment variable ``TOOLKIT_PROFILE``.
        pages: a folder in which the executed page is kept, solutions and figures included.

    Raises:
        LessonError: the source cannot be read.
        InvalidValueError: ``time_limit`` is not positive, or there is no such profile.
    """
    if not time_limit > 0:
        raise InvalidValueError("lessons", "a time limit above 0 seconds", f"{time_limit:g}")
    if profile not in PROFILES:
        raise InvalidValueError("lessons", f"a profile: {' or '.join(PROFILES)}", repr(profile))
    page = source.notebook(lesson, "solved")
    execution = execute(
        page,
        lesson.notebook.parent,
        stop_after=_PATIENCE * time_limit,
        kernels=kernels,
        variables={"TOOLKIT_PROFILE": profile},
    )
    if pages is not None:
        pages.mkdir(parents=True, exist_ok=True)
        nbformat.write(execution.page, pages / lesson.notebook.name)
    states = _check_states(execution.page)
    return Result(
        lesson=lesson,
        seconds=execution.seconds,
        peak_bytes=execution.peak_bytes,
        checks_passed=sum(state == "right" for state in states.values()),
        checks=len(states),
        verdict=_verdict(execution, states, time_limit),
        failure=execution.failure,
    )


def run_all(
    lessons: Sequence[Lesson],
    *,
    jobs: int | None = None,
    time_limit: float = TIME_LIMIT,
    profile: str = "short",
    pages: Path | None = None,
    on_start: Callable[[Lesson], None] = lambda lesson: None,
    on_result: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Execute several lessons side by side, each in a kernel of its own.

    Args:
        lessons: which lessons.
        jobs: how many at a time; the number of processor cores by default.
        time_limit: seconds that each may take.
        profile: ``"short"`` or ``"full"``, as in ``run``.
        pages: a folder in which the executed pages are kept.
        on_start: called with each lesson as it begins, in a worker's thread.
        on_result: called with each result as it comes, in the caller's thread.

    Returns:
        The results in the order of ``lessons``.
    """
    kernels = Kernels()

    def work(lesson: Lesson) -> Result:
        on_start(lesson)
        return run(lesson, time_limit=time_limit, kernels=kernels, profile=profile, pages=pages)

    return side_by_side(work, lessons, jobs=jobs, kernels=kernels, on_result=on_result)


def side_by_side(
    work: Callable[[Lesson], _Outcome],
    lessons: Sequence[Lesson],
    *,
    jobs: int | None,
    kernels: Kernels,
    on_result: Callable[[_Outcome], None],
) -> list[_Outcome]:
    """Call ``work`` for each lesson in ``jobs`` threads; any exception, Ctrl-C too, stops all kernels."""
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if jobs < 1:
        raise InvalidValueError("lessons", "at least 1 job", str(jobs))
    kernels.side_by_side = max(1, min(jobs, len(lessons)))
    # Threads are enough: the work is done in the kernels, which are processes.
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(work, lesson) for lesson in lessons]
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    on_result(future.result())
        except BaseException:
            for future in pending:
                future.cancel()
            kernels.stop()
            raise
    return [future.result() for future in futures]


def _check_states(page: NotebookNode) -> dict[str, str]:
    """The last state of each exercise checked, ``{"02.1": "right"}``."""
    states = {}
    for cell in page.cells:
        for output in cell.get("outputs", []):
            verdict = output.get("data", {}).get(CHECK_TYPE)
            if verdict:
                states[verdict["exercise"]] = verdict["state"]
    return states


def _verdict(execution: Execution, states: dict[str, str], time_limit: float) -> str:
    failure = execution.failure
    if execution.out_of_time:
        return f"too slow: stopped after {execution.seconds:.0f} s in cell {failure.cell}"
    if failure is not None:
        return f"failed: cell {failure.cell}, {failure.message}"
    wrong = [f"{name} is {state}" for name, state in states.items() if state != "right"]
    if wrong:
        return f"failed: check {', '.join(wrong)}"
    if execution.seconds > time_limit:
        return f"too slow: {execution.seconds:.0f} s, the limit is {time_limit:g} s"
    return "passed"
