"""Answers, right and wrong, and what the checker says to them."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.classroom import Misconception

MATRIX = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (3, 3.0),
        (np.float32(0.1), 0.1),
        ([1, 2, 3], np.array([1.0, 2.0, 3.0])),
        ((1, 2), [1, 2]),
        (MATRIX.astype("float32"), MATRIX),
        (True, True),
        (np.bool_(False), False),
        ("relu", "relu"),
        ([np.nan, 1], np.array([np.nan, 1.0])),
        ((MATRIX, 1.0), (MATRIX, 1.0)),
        ({"W": MATRIX, "b": [0, 1]}, {"W": MATRIX, "b": np.array([0.0, 1.0])}),
    ],
)
def test_right_values(verdict_on, answer, reference):
    verdict = verdict_on(answer, reference)
    assert (verdict.state, verdict.hint) == ("right", "")


@pytest.mark.parametrize("answer", [None, ..., (..., ...)])
def test_placeholder_is_not_an_answer(verdict_on, answer):
    assert verdict_on(answer, 1.0).state == "not answered yet"


@pytest.mark.parametrize(
    ("answer", "reference", "says"),
    [
        (MATRIX[:1], MATRIX, "Expected shape (2, 3), received (1, 3)."),
        (MATRIX.T, MATRIX, "transposed"),
        (MATRIX.ravel(), MATRIX, "only the shape is not"),
        (np.array([[1.0, 2.0], [3.0, 4.0]]).T, np.array([[1.0, 2.0], [3.0, 4.0]]), "transposed"),
        (np.array([3.0]), 3.0, "A single number is expected, received an array of shape (1,)."),
        (-MATRIX, MATRIX, "negated"),
        (MATRIX * 32, MATRIX, "32 times too large. Is it a sum where a mean"),
        (MATRIX / 32, MATRIX, "32 times too small. Is it a sum where a mean"),
        (MATRIX * 2, MATRIX, "2 times too large. Is a factor 2"),
        (MATRIX * -2, MATRIX, "2 times too large, and negated"),
        (MATRIX * 0.7, MATRIX, "All numbers are off by the same factor."),
        (6.0, 3.0, "It is 2 times too large"),
        (-3.0, 3.0, "negated"),
        (0.0, 3.0, "0 is not it."),
        (9.0, 3.0, "9 is not it."),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "Your number at [1] is nan, which comes from 0/0"),
        (np.array([1.0, np.inf]), np.array([1.0, 2.0]), "inf"),
        (float("nan"), 1.0, "Your answer is nan"),
        (np.array([1.0, 2.0, 7.0]), np.array([1.0, 2.0, 3.0]), "2 of 3 numbers are right. Farthest off: your"),
        (np.array([1.0, 2.0, 7.0]), np.array([1.0, 2.0, 3.0]), "number at [2], 7."),
        ("3", 3.0, "A number is expected, and this is a str."),
        ([1, None], np.array([1.0, 2.0]), "An array of numbers of shape (2,) is expected, and this is a list."),
        ([[1, 2], [3]], MATRIX, "this is a list"),
        (1, True, "True or False is expected, and this is an int."),
        (True, 1.0, "A number is expected, and this is a bool."),
        (False, True, "It is not so."),
        (np.array([True, True]), np.array([True, False]), "1 of 2 truth values are wrong."),
        (" ReLU", "relu", "capital letters"),
        ("tanh", "relu", "'tanh' is not it."),
        (4, "relu", "A text is expected, and this is an int."),
        ((MATRIX,), (MATRIX, 1.0), "2 results are expected, received 1."),
        (3.0, (MATRIX, 1.0), "2 results are expected, and this is a float."),
        ((MATRIX, 5.0), (MATRIX, 1.0), "Result 2: 5 is not it."),
        ({"W": 1.0}, {"W": 1.0, "b": 2.0}, "The dict has no 'b'."),
        ({"W": 1.0, "c": 1.0}, {"W": 1.0}, "The dict has 'c', which is not asked for."),
        ({"W": 5.0}, {"W": 1.0}, "'W': 5 is not it."),
        (5.0, {"W": 1.0}, "A dict is expected"),
        (np.sum, 3.0, "this is a function. Call it"),
    ],
)
def test_wrong_values(verdict_on, answer, reference, says):
    verdict = verdict_on(answer, (lambda: reference))
    assert verdict.state == "wrong"
    assert says in verdict.hint


def test_hint_never_tells_the_value(verdict_on):
    hint = verdict_on(np.array([1.0, 2.0]), np.array([1.0, 0.7315])).hint
    assert "0.7315" not in hint


def test_tolerance_is_the_exercise_s(verdict_on):
    assert verdict_on(0.33, 1 / 3).state == "wrong"
    assert verdict_on(0.33, 1 / 3, rtol=0.02).state == "right"


def test_misconception_s_hint_comes_before_generic_ones(verdict_on):
    negated = Misconception("sign", lambda: -MATRIX, "You walk uphill.")
    verdict = verdict_on(-MATRIX, MATRIX, misconceptions=(negated,))
    assert (verdict.state, verdict.hint, verdict.misconception) == ("wrong", "You walk uphill.", "sign")


CASES = ((np.ones((4, 3)), np.ones((4, 2))), (np.full((1, 3), 2.0), np.full((1, 2), 3.0)))


def gradient(x, dy):
    return x.T @ dy


def test_right_function(verdict_on):
    assert verdict_on(lambda x, dy: np.einsum("nd,nm->dm", x, dy), gradient, cases=CASES).state == "right"


def test_function_that_changes_its_arguments_spoils_nothing(verdict_on):
    def careless(x, dy):
        result = x.T @ dy
        x[:] = dy[:] = 0
        return result

    assert verdict_on(careless, gradient, cases=CASES).state == "right"
    assert CASES[0][0].sum() == 12


def test_misconception_must_fit_every_case(verdict_on):
    mean = Misconception("mean", lambda x, dy: x.T @ dy / len(x), "The loss is a mean already.")
    verdict = verdict_on(lambda x, dy: x.T @ dy / len(x), gradient, cases=CASES, misconceptions=(mean,))
    assert verdict.misconception == "mean"
    verdict = verdict_on(lambda x, dy: x.T @ dy / 4, gradient, cases=CASES, misconceptions=(mean,))
    assert verdict.misconception is None
    assert "Called with an array (4, 3), an array (4, 2): All numbers are 4 times too small" in verdict.hint


def test_wrong_function_counts_the_cases_that_are_right(verdict_on):
    hint = verdict_on(lambda n: n * 2, lambda n: n * n, cases=((2,), (3,), (4,))).hint
    assert hint.startswith("1 of 3 cases are right. Called with 3: 6 is not it.")


def returns_ellipsis(x, dy): ...


def raises_not_implemented(x, dy):
    raise NotImplementedError


@pytest.mark.parametrize(
    "answer",
    [returns_ellipsis, raises_not_implemented, lambda x, dy: ..., lambda x, dy: (..., ...), None, ...],
)
def test_unwritten_function_is_not_an_answer(verdict_on, answer):
    assert verdict_on(answer, gradient, cases=CASES).state == "not answered yet"


def test_forgotten_return_is_named(verdict_on):
    assert "no `return`" in verdict_on(lambda x, dy: None, gradient, cases=CASES).hint


def test_function_that_raises_is_reported_in_one_line(verdict_on):
    verdict = verdict_on(lambda x, dy: x @ dy, gradient, cases=CASES)
    assert verdict.state == "error"
    assert verdict.hint.startswith("Your function raised ValueError: matmul")
    assert "\n" not in verdict.hint
    assert "Traceback" not in str(verdict)


def test_value_in_place_of_a_function(verdict_on):
    assert "Hand over the function itself" in verdict_on(MATRIX, gradient, cases=CASES).hint


def test_what_the_function_prints_is_left_alone(verdict_on, capsys):
    verdict_on(lambda x, dy: print("hello") or x.T @ dy, gradient, cases=CASES)
    assert capsys.readouterr().out == "hello\nhello\n"
