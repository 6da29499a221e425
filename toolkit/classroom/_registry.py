"""Finds exercises by their id; a lesson's module is imported when it is first asked for."""

from __future__ import annotations

import importlib
import pkgutil
import re

from toolkit.classroom._exercise import Exercise
from toolkit.errors import InvalidValueError

_ID = re.compile(r"(?P<lesson>\d\d)\.\d+")
_MODULE = re.compile(r"lesson_(?P<lesson>\d\d)")

_registered: dict[str, Exercise] = {}


def register(*exercises: Exercise) -> None:
    """Add exercises that are not part of the package, such as a teacher's own.

    Raises:
        InvalidValueError: an id is not of the form ``"02.1"`` or is taken.
    """
    for exercise in exercises:
        known = [other.id for other in _of_lesson(_lesson_of(exercise.id))]
        if exercise.id in known:
            raise InvalidValueError("classroom", f"an id other than {', '.join(known)}", repr(exercise.id))
        _registered[exercise.id] = exercise


def find(exercise_id: str) -> Exercise:
    """Return the exercise with this id.

    Raises:
        InvalidValueError: there is none; the message lists those that the lesson has.
    """
    lesson = _lesson_of(exercise_id)
    known = {exercise.id: exercise for exercise in _of_lesson(lesson)}
    if exercise_id not in known:
        having = ", ".join(known) or "(this lesson has no exercises)"
        raise InvalidValueError("check", f"one of the exercises {having}", repr(exercise_id))
    return known[exercise_id]


def exercises(lesson: str) -> list[Exercise]:
    """Return the exercises of a lesson, ``"02"``, in their order; an empty list where it has none."""
    return _of_lesson(lesson)


def lessons() -> list[str]:
    """Return the numbers of the lessons that have exercises in the package."""
    import toolkit.classroom as package

    found = (_MODULE.fullmatch(module.name) for module in pkgutil.iter_modules(package.__path__))
    return sorted(match["lesson"] for match in found if match)


def _lesson_of(exercise_id: object) -> str:
    match = _ID.fullmatch(exercise_id) if isinstance(exercise_id, str) else None
    if match is None:
        raise InvalidValueError("check", "an exercise's id such as '02.1', in quotation marks", repr(exercise_id))
    return match["lesson"]


def _of_lesson(lesson: str) -> list[Exercise]:
    own: list[Exercise] = []
    if lesson in lessons():
        own = list(importlib.import_module(f"toolkit.classroom.lesson_{lesson}").EXERCISES)
    return own + [exercise for id_, exercise in _registered.items() if _lesson_of(id_) == lesson]
