"""Lessons are found by their sources' headers."""

from __future__ import annotations

import pytest

from toolkit.errors import LessonError
from toolkit.lessons import catalogue, find, project_root


def test_header_is_read(lesson, project):
    found = lesson("\n1", name="08_a_slug", title="A title", goal="A goal", minutes=30, prerequisites=[0, "07"])
    assert (found.number, found.slug, found.name) == ("08", "a_slug", "08_a_slug")
    assert (found.title, found.goal, found.minutes) == ("A title", "A goal", 30)
    assert found.prerequisites == ("00", "07")
    assert found.source == project / "notebooks" / "src" / "08_a_slug.py"
    assert found.notebook == project / "notebooks" / "08_a_slug.ipynb"


def test_catalogue_is_in_the_order_of_the_numbers(lesson, project):
    lesson("\n1", name="02_b")
    lesson("\n1", name="00_c")
    assert [found.number for found in catalogue(project)] == ["00", "02"]


def test_project_s_own_root_is_found(root):
    assert project_root() == root


def test_installation_without_notebooks_errors(tmp_path):
    with pytest.raises(LessonError, match="make lab"):
        project_root(tmp_path)


def test_empty_folder_errors(project):
    with pytest.raises(LessonError, match="an empty folder"):
        catalogue(project)


def test_missing_header_errors(project):
    (project / "notebooks" / "src" / "01_tiny.py").write_text("# %%\n1\n")
    with pytest.raises(LessonError, match=r"01_tiny\.py: expected a header with 'lesson:'"):
        catalogue(project)


def test_file_name_without_number_errors(project):
    (project / "notebooks" / "src" / "tiny.py").write_text("# %%\n1\n")
    with pytest.raises(LessonError, match="a file name like"):
        catalogue(project)


@pytest.mark.parametrize(
    ("field", "value"), [("minutes", "many"), ("minutes", 0), ("number", "x"), ("prerequisites", "[x]")]
)
def test_bad_field_errors_with_its_name(lesson, field, value):
    with pytest.raises(LessonError, match=f"whose '{field}"):
        lesson("\n1", **{field: value})


def test_number_that_differs_from_the_file_name_errors(lesson):
    with pytest.raises(LessonError, match="as in the file name"):
        lesson("\n1", number="02")


def test_number_taken_twice_errors(lesson):
    lesson("\n1", name="01_tiny")
    with pytest.raises(LessonError, match="which 01_tiny has, too"):
        lesson("\n1", name="01_tiny_too")


@pytest.fixture
def three(lesson, project):
    for name in ("01_the_forward_pass", "02_the_backward_pass", "12_digits"):
        lesson("\n1", name=name)
    return catalogue(project)


@pytest.mark.parametrize(
    "name",
    [
        "2",
        "02",
        "backward",
        "the_backward_pass",
        "the-backward-pass",
        "02_the_backward_pass",
        "notebooks/02_the_backward_pass.ipynb",
    ],
)
def test_lesson_is_found_by_name(three, name):
    assert [found.number for found in find([name], three)] == ["02"]


def test_no_names_mean_all_lessons(three):
    assert find([], three) == three


def test_lessons_come_once_and_in_order(three):
    assert [found.number for found in find(["12", "backward", "2"], three)] == ["02", "12"]


@pytest.mark.parametrize("name", ["7", "sideways", ""])
def test_unknown_name_errors_with_those_there_are(three, name):
    with pytest.raises(LessonError, match="one of 01_the_forward_pass, 02_the_backward_pass, 12_digits"):
        find([name], three)


def test_name_of_two_lessons_errors(three):
    with pytest.raises(LessonError, match="fits 01_the_forward_pass, 02_the_backward_pass"):
        find(["pass"], three)
