"""Executing lessons: figures, verdicts, failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from toolkit.errors import InvalidValueError
from toolkit.lessons import run, run_all

# What `check` puts into an output, without the package in the kernel's way.
CHECK = """
from IPython.display import display

def check(exercise, state):
    display({"application/vnd.layer-by-layer.check+json": {"exercise": exercise, "state": state}}, raw=True)
"""


def test_solved_version_passes_and_changes_nothing(lesson, project):
    solved = "\n# BEGIN SOLUTION\nanswer = 3\n# END SOLUTION\nassert answer == 3"
    tiny = lesson("\nimport numpy", solved)
    before = sorted(project.rglob("*"))
    result = run(tiny)
    assert result.verdict == "passed"
    assert result.passed
    assert result.failure is None
    assert 0 < result.seconds < 60
    assert 30e6 < result.peak_bytes < 2e9
    assert sorted(project.rglob("*")) == before


def test_working_folder_and_python_are_our_own(lesson, project):
    result = run(
        lesson(
            f"\nimport os, sys\nassert os.getcwd() == {str(project / 'notebooks')!r}, os.getcwd()\n"
            f"assert sys.executable == {sys.executable!r}, sys.executable"
        )
    )
    assert result.verdict == "passed"


def test_checks_are_counted_by_their_last_state(lesson):
    result = run(lesson(CHECK, "\ncheck('01.1', 'wrong')\ncheck('01.1', 'right')", "\ncheck('01.2', 'right')"))
    assert (result.checks_passed, result.checks, result.verdict) == (2, 2, "passed")


def test_check_that_is_not_right_fails_the_lesson(lesson):
    result = run(lesson(CHECK, "\ncheck('01.1', 'right')\ncheck('01.2', 'not answered yet')"))
    assert (result.checks_passed, result.checks) == (1, 2)
    assert result.verdict == "failed: check 01.2 is not answered yet"
    assert not result.passed


def test_verdict_of_the_classroom_is_counted(lesson):
    cell = """
from toolkit.classroom import Exercise, check, register
register(Exercise(id="95.1", title="Two", reference=lambda: 2))
check("95.1", 2)
"""
    assert run(lesson(cell)).checks_passed == 1


def test_failing_cell_is_shown(lesson):
    result = run(lesson("\nx = 1", "\ny = x\nraise ValueError('two\\nlines')", "\nnever = 1"))
    assert result.verdict == "failed: cell 1, ValueError: two lines"
    assert result.failure.cell == 1
    assert result.failure.source == "y = x\nraise ValueError('two\\nlines')"
    assert "ValueError" in result.failure.traceback
    assert "\x1b" not in result.failure.traceback


def test_error_that_is_meant_does_not_fail(lesson):
    assert run(lesson(' tags=["raises-exception"]\n1 / 0')).verdict == "passed"


def test_kernel_that_dies_is_reported(lesson):
    result = run(lesson("\nimport os\nos._exit(1)"))
    assert result.verdict.startswith("failed: cell 0, the kernel died")


def test_slow_lesson_that_ends_is_too_slow(lesson):
    result = run(lesson("\nimport time\ntime.sleep(0.2)"), time_limit=0.3)
    assert result.verdict.startswith("too slow: ")
    assert not result.passed


def test_lesson_that_does_not_end_is_stopped(lesson):
    begin = time.perf_counter()
    result = run(lesson("\nimport time", "\ntime.sleep(600)"), time_limit=1.0)
    assert result.verdict.startswith("too slow: stopped after ")
    assert result.verdict.endswith(" in cell 1")
    assert time.perf_counter() - begin < 30


def test_kernel_that_is_stopped_before_it_answers_is_too_slow(lesson):
    result = run(lesson("\n1"), time_limit=0.001)
    assert result.verdict.startswith("too slow: stopped after ")


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_time_limit_that_is_not_positive_errors(lesson, limit):
    with pytest.raises(InvalidValueError, match="a time limit above 0"):
        run(lesson("\n1"), time_limit=limit)


def test_memory_of_children_counts(lesson):
    child = "x = bytearray(300_000_000); import time; time.sleep(1)"
    cell = f"\nimport subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    assert run(lesson(cell)).peak_bytes > 300e6


def test_lessons_run_side_by_side_in_order(lesson):
    # Each waits for the other's file, so neither ends alone.
    wait = """
import pathlib, time
pathlib.Path("{own}.done").touch()
for _ in range(300):
    if pathlib.Path("{other}.done").exists():
        break
    time.sleep(0.1)
else:
    raise TimeoutError
"""
    lessons = [
        lesson(wait.format(own="a", other="b"), name="01_a"),
        lesson(wait.format(own="b", other="a"), name="02_b"),
    ]
    begun, ended = [], []
    results = run_all(lessons, jobs=2, on_start=begun.append, on_result=ended.append)
    assert [result.verdict for result in results] == ["passed", "passed"]
    assert [result.lesson.number for result in results] == ["01", "02"]
    assert sorted(found.number for found in begun) == ["01", "02"]
    assert {result.lesson.number for result in ended} == {"01", "02"}


@pytest.mark.parametrize(("jobs", "share"), [(1, 8), (2, 4), (100, 2)])
def test_kernels_share_the_cores(lesson, monkeypatch, jobs, share):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    cell = f"\nimport os\nassert os.environ['OPENBLAS_NUM_THREADS'] == '{share}'"
    lessons = [lesson(cell, name=f"0{number}_tiny") for number in range(4)]
    assert {result.verdict for result in run_all(lessons, jobs=jobs)} == {"passed"}


def test_no_jobs_error(lesson):
    with pytest.raises(InvalidValueError, match="at least 1 job"):
        run_all([lesson("\n1")], jobs=0)


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_ends_the_kernels(lesson, project):
    lesson("\nimport os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)")
    script = f"""
    from pathlib import Path
    from toolkit.lessons import catalogue, run_all
    run_all(catalogue(Path({str(project)!r})))
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stderr=subprocess.PIPE)
    pid_file = project / "notebooks" / "pid"
    kernel = psutil.Process(int(_wait_for_text(pid_file)))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    kernel.wait(timeout=10)


def _wait_for_text(path: Path) -> str:
    for _ in range(300):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.1)
    raise TimeoutError(path.name)
