"""Small lessons of the tests' own, in a project folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from toolkit.lessons import Lesson, catalogue

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "{number}"
#     title: {title}
#     goal: {goal}
#     minutes: {minutes}
#     prerequisites: {prerequisites}
# ---

"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project folder."""
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def lesson(project: Path) -> Callable[..., Lesson]:
    """Write a lesson from its cells' code and return it."""

    def write(*cells: str, name: str = "01_tiny", **header: object) -> Lesson:
        fields = {"number": name[:2], "title": "Tiny", "goal": "See", "minutes": 5, "prerequisites": []}
        text = HEADER.format(**(fields | header)) + "".join(f"# %%{cell}\n\n" for cell in cells)
        (project / "notebooks" / "src" / f"{name}.py").write_text(text, encoding="utf-8")
        return next(found for found in catalogue(project) if found.name == name)

    return write
