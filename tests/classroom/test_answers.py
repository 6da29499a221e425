"""The exercises of every lesson: right answers in other words, and the mistakes as learners write them.

They stand in the lesson's own module, ``test_lesson_NN.py``, in two tables: ``RIGHT`` with rows of exercise and answer,
``WRONG`` with rows of exercise, answer and the name of the misconception, None where nothing is known to be behind it.
Here is what has to hold for all of them; ``pytest tests/classroom -k 05`` looks at lesson 05 alone.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from toolkit.classroom import check, exercises

MODULES = {path.stem[-2:]: path for path in sorted(Path(__file__).parent.glob("test_lesson_*.py"))}
TABLES = {lesson: runpy.run_path(str(path)) for lesson, path in MODULES.items()}
EXERCISES = {exercise.id: exercise for lesson in MODULES for exercise in exercises(lesson)}
RIGHT = [row for tables in TABLES.values() for row in tables["RIGHT"]]
WRONG = [row for tables in TABLES.values() for row in tables["WRONG"]]


def verdict_on(number, answer):
    """Where a value is asked for, a function in the table computes it, so that nothing heavy is done to collect."""
    computed = callable(answer) and not EXERCISES[number].asks_for_function
    return check(number, answer() if computed else answer)


@pytest.mark.parametrize(("number", "answer"), RIGHT, ids=[number for number, _ in RIGHT])
def test_right_answers_pass(number, answer):
    assert verdict_on(number, answer).state == "right"


def restyled(value, numbers, sequence):
    """The same answer, its numbers and arrays put through ``numbers``, its tuples and lists through ``sequence``."""
    if isinstance(value, dict):
        return {key: restyled(part, numbers, sequence) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return sequence(restyled(part, numbers, sequence) for part in value)
    return value if isinstance(value, str | bool) else numbers(np.asarray(value))


STYLES = {
    "lists": (np.ndarray.tolist, list),
    "tuples": (np.ndarray.tolist, tuple),
    "NumPy scalars": (lambda array: array[()], tuple),
    "arrays of shape ()": (np.copy, list),
    "float32": (lambda array: array.astype("float32"), tuple),
    "int where whole": (lambda array: array.astype(int) if (array == array.round()).all() else array, list),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", EXERCISES)
def test_right_answers_pass_in_any_style(number, style):
    def answer(*arguments):
        return restyled(EXERCISES[number].reference(*arguments), *STYLES[style])

    assert verdict_on(number, answer).state == "right"


@pytest.mark.parametrize(("number", "answer", "misconception"), WRONG, ids=[f"{row[0]} {row[2]}" for row in WRONG])
def test_mistakes_get_their_hint(number, answer, misconception):
    verdict = verdict_on(number, answer)
    assert (verdict.state, verdict.misconception) == ("wrong", misconception)
    assert verdict.hint or misconception is None


@pytest.mark.parametrize("number", EXERCISES)
def test_unanswered_is_not_wrong(number):
    answer = (lambda *arguments: ...) if EXERCISES[number].asks_for_function else ...
    assert check(number, answer).state == "not answered yet"


def test_every_exercise_has_a_right_answer():
    assert {number for number, _ in RIGHT} == EXERCISES.keys()


@pytest.mark.parametrize("lesson", MODULES)
def test_every_misconception_is_tried(lesson):
    """Those known are those of the table, which all get their hint, see above."""
    known = {
        (exercise.id, misconception.name) for exercise in exercises(lesson) for misconception in exercise.misconceptions
    }
    assert known == {(number, name) for number, _, name in TABLES[lesson]["WRONG"] if name}
