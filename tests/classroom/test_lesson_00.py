"""The exercises of lesson 00: right answers, and the mistakes as learners write them."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.classroom import check, exercises

RIGHT = [
    ("00.1", 7850),
    ("00.1", 7850.0),
    ("00.2", 3),
    ("00.2", np.argmax([0.02, 0.01, 0.07, 0.61, 0.00, 0.15, 0.00, 0.03, 0.10, 0.01])),
    ("00.3", lambda labels, predictions: (labels == predictions).sum() / len(labels)),
    ("00.3", lambda labels, predictions: sum(y == p for y, p in zip(labels, predictions)) / len(labels)),
]

WRONG = [
    ("00.1", 7840, "biases forgotten"),
    ("00.1", 7841, "one bias for the whole layer"),
    ("00.1", 784 * 11, "one bias for each input"),
    ("00.1", 290, "one row of pixels as the input"),
    ("00.1", 42, None),
    ("00.2", 0.61, "the probability instead of the class"),
    ("00.2", 4, "counted from one"),
    ("00.2", 9, "the last instead of the largest"),
    ("00.3", lambda labels, predictions: int((labels == predictions).sum()), "count instead of share"),
    ("00.3", lambda labels, predictions: 1 - np.mean(labels == predictions), "share of mistakes"),
    ("00.3", lambda labels, predictions: np.mean(labels == predictions) * 100, "percent"),
    ("00.3", lambda labels, predictions: abs(labels - predictions).mean(), "nearness instead of equality"),
]


@pytest.mark.parametrize(("exercise", "answer"), RIGHT)
def test_right_answers(exercise, answer):
    assert check(exercise, answer).state == "right"


@pytest.mark.parametrize(("exercise", "answer", "misconception"), WRONG)
def test_mistakes_as_learners_write_them(exercise, answer, misconception):
    verdict = check(exercise, answer)
    assert (verdict.state, verdict.misconception) == ("wrong", misconception)


def test_every_misconception_is_tried():
    known = {(exercise.id, one.name) for exercise in exercises("00") for one in exercise.misconceptions}
    assert known == {(id_, name) for id_, _, name in WRONG if name}
