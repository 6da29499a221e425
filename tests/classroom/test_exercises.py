"""Every exercise of the lessons: its reference is right, each misconception gets its own hint."""

from __future__ import annotations

import pytest

from toolkit.classroom import check, exercises, lessons

EXERCISES = [exercise for lesson in lessons() for exercise in exercises(lesson)]


def answer_with(exercise, function):
    return function if exercise.asks_for_function else function()


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_reference_is_right(exercise):
    assert check(exercise.id, answer_with(exercise, exercise.reference)).state == "right"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_each_misconception_gets_its_hint(exercise):
    for misconception in exercise.misconceptions:
        verdict = check(exercise.id, answer_with(exercise, misconception.wrong))
        assert (verdict.state, verdict.misconception) == ("wrong", misconception.name)


@pytest.mark.parametrize("lesson", lessons())
def test_ids_are_unique_and_of_their_lesson(lesson):
    ids = [exercise.id for exercise in exercises(lesson)]
    assert len(set(ids)) == len(ids)
    assert all(id_.startswith(f"{lesson}.") for id_ in ids)
