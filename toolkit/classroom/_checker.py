"""Checks an answer: run it, compare it, name the mistake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toolkit.classroom._comparison import agree, explain
from toolkit.classroom._exercise import Exercise, Misconception
from toolkit.classroom._registry import find
from toolkit.classroom._verdict import State, Verdict


def check(exercise_id: str, answer: Any) -> Verdict:
    """Check an answer and say what may be wrong with it.

    A function is run on several cases, each time with copies of the arguments; what it prints is
    printed. Nothing stops one that runs for ever, except the stop button of JupyterLab.

    Args:
        exercise_id: which exercise, ``"02.1"``.
        answer: a number, array, string, truth value or a tuple, list or dict of these; or a function,
            handed over without calling it. ``...`` and ``None`` mean that it is still to be answered.

    Returns:
        The verdict. A notebook shows it if the call is the last line of its cell.

    Raises:
        InvalidValueError: there is no such exercise.
    """
    exercise = find(exercise_id)
    if answer is None or _is_placeholder(answer):
        return _verdict(exercise, "not answered yet")
    if exercise.asks_for_function:
        return _check_function(exercise, answer)
    if callable(answer) and not hasattr(answer, "__array__"):
        return _verdict(
            exercise, "wrong", "A value is asked for, and this is a function. Call it and check what it returns."
        )
    return _judge(exercise, [answer])


def _check_function(exercise: Exercise, function: Any) -> Verdict:
    if not callable(function):
        return _verdict(
            exercise,
            "wrong",
            f"A function is asked for, and this is a value of type {type(function).__name__}. Hand over "
            "the function itself, without parentheses and arguments behind its name.",
        )
    try:
        answers = exercise.outcomes(function)
    except NotImplementedError:
        return _verdict(exercise, "not answered yet")
    # Whatever the learner's code raises is the learner's to see; it must not end the lesson.
    except Exception as error:
        message = str(error).strip() or "no message"
        return _verdict(exercise, "error", f"Your function raised {type(error).__name__}: {message}")
    if any(map(_is_placeholder, answers)):
        return _verdict(exercise, "not answered yet")
    if any(answer is None for answer in answers):
        return _verdict(exercise, "not answered yet", "Your function returns nothing (None): no `return`?")
    return _judge(exercise, answers)


def _is_placeholder(answer: Any) -> bool:
    """Whether it is still the ``...`` of the question, or the ``..., ...`` of one that asks for two results."""
    return answer is Ellipsis or (isinstance(answer, tuple) and any(part is Ellipsis for part in answer))


def _judge(exercise: Exercise, answers: Sequence[Any]) -> Verdict:
    expected = exercise.outcomes(exercise.reference)
    if _all_agree(exercise, expected, answers):
        return _verdict(exercise, "right")
    for misconception in exercise.misconceptions:
        if _all_agree(exercise, exercise.outcomes(misconception.wrong), answers):
            return _verdict(exercise, "wrong", misconception.hint, misconception)
    return _verdict(exercise, "wrong", _explanation(exercise, expected, answers))


def _all_agree(exercise: Exercise, expected: Sequence[Any], answers: Sequence[Any]) -> bool:
    return all(agree(true, answer, exercise.rtol, exercise.atol) for true, answer in zip(expected, answers))


def _explanation(exercise: Exercise, expected: Sequence[Any], answers: Sequence[Any]) -> str:
    hints = [
        None
        if agree(true, answer, exercise.rtol, exercise.atol)
        else explain(true, answer, exercise.rtol, exercise.atol)
        for true, answer in zip(expected, answers)
    ]
    position = next(index for index, hint in enumerate(hints) if hint is not None)
    if not exercise.asks_for_function:
        return hints[position]
    right = sum(hint is None for hint in hints)
    called = _described(exercise.cases[position])
    return f"{right} of {len(hints)} cases are right. Called with {called}: {hints[position]}"


def _described(arguments: tuple) -> str:
    """The arguments in short: arrays by their shapes, others by their values."""
    return ", ".join(
        f"an array {argument.shape}" if getattr(argument, "shape", None) else _shortened(repr(argument))
        for argument in arguments
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def _verdict(exercise: Exercise, state: State, hint: str = "", misconception: Misconception | None = None) -> Verdict:
    name = None if misconception is None else misconception.name
    return Verdict(exercise.id, exercise.title, state, hint, name)
