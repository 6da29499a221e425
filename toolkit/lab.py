"""JupyterLab on the lessons: on this machine only, with this environment's own kernel, calling nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from toolkit.errors import LessonError
from toolkit.lessons import catalogue, find, kernel
from toolkit.lessons.headers import Lesson


def command(lesson: Lesson, *, browser: bool = True, port: int | None = None, extra: Sequence[str] = ()) -> list[str]:
    """Return the command line that serves the folder of ``lesson`` and opens it.

    Jupyter's own token stays on. The news feed and the look for updates are off: they would be the
    only calls to the network, and each asks the learner a question on the first start.

    Args:
        lesson: what to open.
        browser: open it in the web browser; else only print the address.
        port: which port; Jupyter's own choice by default.
        extra: further arguments for ``jupyter lab``, which win over these.
    """
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={lesson.notebook.parent}",
        f"--LabApp.default_url=/lab/tree/{lesson.notebook.name}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if not browser:
        arguments.append("--ServerApp.open_browser=False")
    if port is not None:
        arguments.append(f"--ServerApp.port={port}")
    if os.name == "posix" and os.geteuid() == 0:
        arguments.append("--ServerApp.allow_root=True")  # in containers the learner is root
    return [sys.executable, "-m", "jupyterlab", *arguments, *extra]


def lesson_to_open(name: str | None = None) -> Lesson:
    """Return the lesson meant by ``name``, or the first one.

    Raises:
        LessonError: there is no such lesson, or its page has not been built.
    """
    lessons = catalogue()
    if name is None:
        lessons = [lesson for lesson in lessons if lesson.notebook.is_file()]
        if not lessons:
            raise LessonError("lab", "a built lesson", "none in 'notebooks'", "Run `toolkit lessons build`.")
        return lessons[0]
    (lesson,) = find([name], lessons)
    if not lesson.notebook.is_file():
        raise LessonError(
            "lab", f"the page {lesson.notebook.name}", "none", f"Run `toolkit lessons build {lesson.number}`."
        )
    return lesson


def start(lesson: Lesson, **options: object) -> int:
    """Run JupyterLab until it ends; on Linux and macOS it takes the place of this process.

    Args:
        lesson: what to open.
        **options: as for `command`.

    Returns:
        The exit status, where the process was not replaced.
    """
    line = command(lesson, **options)
    if os.name == "posix":
        sys.stdout.flush()
        sys.stderr.flush()
        # No second process in between: Ctrl-C and termination reach Jupyter itself.
        os.execve(line[0], line, kernel.environment())
    return subprocess.call(line, env=kernel.environment())
