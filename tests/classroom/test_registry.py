"""Exercises are found by their ids, in the package and beside it."""

from __future__ import annotations

import importlib

import pytest

from toolkit.classroom import Exercise, check, exercises, lessons, register
from toolkit.errors import InvalidValueError


@pytest.fixture
def two(registry) -> None:
    register(
        Exercise(id="98.1", title="one", reference=lambda: 1), Exercise(id="98.2", title="two", reference=lambda: 2)
    )


def test_registered_exercises_are_found(two):
    assert [exercise.id for exercise in exercises("98")] == ["98.1", "98.2"]
    assert check("98.2", 2).state == "right"


def test_unknown_id_errors_with_those_there_are(two):
    with pytest.raises(InvalidValueError, match=r"98\.1, 98\.2, received '98\.3'"):
        check("98.3", 1)


def test_lesson_without_exercises_errors(registry):
    with pytest.raises(InvalidValueError, match="no exercises"):
        check("97.1", 1)


@pytest.mark.parametrize("bad", ["2.1", "one", "", 2.1, None])
def test_malformed_id_errors(bad):
    with pytest.raises(InvalidValueError, match=r"an exercise's id such as '02\.1'"):
        check(bad, 1)


def test_taken_id_errors(two):
    with pytest.raises(InvalidValueError, match="an id other than"):
        register(Exercise(id="98.1", title="again", reference=lambda: 3))


def test_case_that_is_no_tuple_errors():
    with pytest.raises(InvalidValueError, match="each case as a tuple"):
        Exercise(id="98.1", title="", reference=abs, cases=(1, 2))


def test_lesson_modules_are_found_and_imported_when_asked_for(registry, tmp_path, monkeypatch):
    import toolkit.classroom as package

    (tmp_path / "lesson_96.py").write_text(
        "from toolkit.classroom import Exercise\nEXERCISES = [Exercise(id='96.1', title='', reference=lambda: 5)]\n"
    )
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    assert "96" in lessons()
    assert check("96.1", 5).state == "right"
    with pytest.raises(InvalidValueError, match=r"96\.1, received '96\.2'"):
        check("96.2", 5)
