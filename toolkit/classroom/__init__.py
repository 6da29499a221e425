"""Exercises that check themselves and know the usual mistakes.

In a notebook, as the last line of a cell::

    from toolkit.classroom import check

    check("02.1", my_answer)

The exercises of lesson ``NN`` stand in ``toolkit/classroom/lesson_NN.py``, in a list ``EXERCISES``::

    EXERCISES = [
        Exercise(
            id="02.1",
            title="The gradient of the weights",
            reference=lambda x, dy: x.T @ dy,
            cases=((np.ones((4, 3)), np.ones((4, 2))),),
            misconceptions=(
                Misconception("mean", lambda x, dy: x.T @ dy / len(x), "The loss is a mean already: …"),
            ),
        ),
    ]
"""

from __future__ import annotations

from toolkit.classroom._checker import check
from toolkit.classroom._exercise import Exercise, Misconception
from toolkit.classroom._registry import exercises, lessons, register
from toolkit.classroom._verdict import Verdict

__all__ = ["Exercise", "Misconception", "Verdict", "check", "exercises", "lessons", "register"]
