"""From the source to the learner's and to the solved notebook."""

from __future__ import annotations

import nbformat
import pytest

from toolkit.errors import LessonError
from toolkit.lessons import source

FUNCTION = """
def f(x):
    y = 1
    # BEGIN SOLUTION
    for _ in range(2):
        y += x
    # END SOLUTION
    return y
"""


def codes(lesson, version):
    return [cell.source for cell in source.notebook(lesson, version).cells if cell.cell_type == "code"]


def test_solution_becomes_a_placeholder_with_its_indentation(lesson):
    assert codes(lesson(FUNCTION), "learner") == ["def f(x):\n    y = 1\n    ...\n    return y"]


def test_solved_version_has_the_solution_without_marks(lesson):
    solved = codes(lesson(FUNCTION), "solved")[0]
    assert "    for _ in range(2):\n        y += x\n    return y" in solved
    assert "SOLUTION" not in solved


def test_placeholder_may_be_given(lesson):
    given = lesson("\n# BEGIN SOLUTION: answer = ...\nanswer = 3\n# END SOLUTION\nanswer")
    assert codes(given, "learner") == ["answer = ...\nanswer"]
    assert codes(given, "solved") == ["answer = 3\nanswer"]


def test_several_solutions_in_one_cell(lesson):
    one = "\n# BEGIN SOLUTION: a = ...\na = 3\n# END SOLUTION\n"
    assert codes(lesson(one + one.strip().replace("a =", "b =")), "learner") == ["a = ...\nb = ..."]


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("\n# BEGIN SOLUTION\n1", "'# END SOLUTION' before the cell ends"),
        ("\n1\n# END SOLUTION", "'# BEGIN SOLUTION' first"),
        ("\n# BEGIN SOLUTION\n# BEGIN SOLUTION\n# END SOLUTION", "a second"),
    ],
)
def test_marks_that_do_not_pair_up_error_with_the_cell(lesson, cell, says):
    with pytest.raises(LessonError, match=f"cell 1.*{says}"):
        source.notebook(lesson("\n0", cell), "learner")


def test_same_source_gives_the_same_valid_notebook(lesson):
    tiny = lesson(
        " [markdown]\n# # Title\n# $x^2$", "\n1 + 1", ' tags=["a"] alt="A picture"\n2', name="01_a_longer_slug"
    )
    pages = [source.notebook(tiny, "learner") for _ in range(2)]
    assert nbformat.writes(pages[0]) == nbformat.writes(pages[1])
    nbformat.validate(pages[0])
    assert [cell.id for cell in pages[0].cells] == ["a-longer-slug-0", "a-longer-slug-1", "a-longer-slug-2"]
    assert pages[0].cells[0].source == "# Title\n$x^2$"
    assert pages[0].cells[2].metadata == {"tags": ["a"], "alt": "A picture"}


def test_notebook_names_no_version_of_python(lesson):
    page = source.notebook(lesson("\n1"), "learner")
    assert page.metadata.kernelspec.name == "python3"
    assert set(page.metadata) == {"kernelspec", "language_info"}
    assert "version" not in page.metadata.language_info
