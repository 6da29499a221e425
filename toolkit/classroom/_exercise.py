"""What an exercise is: the right answer, and the wrong ones that are known."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from toolkit.errors import InvalidValueError


@dataclass(frozen=True)
class Misconception:
    """A wrong answer that many give, and what to tell those who give it.

    Attributes:
        name: short, for statistics: ``"summed instead of averaged"``.
        wrong: gives the wrong answer, in the form in which ``Exercise.reference`` gives the right one.
        hint: what to tell the learner: the thought to correct, not the solution.
    """

    name: str
    wrong: Callable[..., Any]
    hint: str


@dataclass(frozen=True)
class Exercise:
    """One exercise. The answer asked for is a value, or a function if there are ``cases``.

    Attributes:
        id: lesson and position, ``"02.1"``.
        title: what is asked, in a few words.
        reference: without ``cases`` a function of no arguments that returns the right value; with
            ``cases`` the right function.
        cases: tuples of arguments; the learner's function and the reference both get copies of each.
        misconceptions: wrong answers that are recognised.
        rtol: relative tolerance for numbers; the default lets float32 pass.
        atol: absolute tolerance for numbers.
    """

    id: str
    title: str
    reference: Callable[..., Any]
    cases: tuple[tuple, ...] = ()
    misconceptions: tuple[Misconception, ...] = ()
    rtol: float = 1e-4
    atol: float = 1e-6

    def __post_init__(self) -> None:
        if not all(isinstance(case, tuple) for case in self.cases):
            raise InvalidValueError(f"Exercise {self.id!r}", "each case as a tuple of arguments", repr(self.cases)[:80])

    @property
    def asks_for_function(self) -> bool:
        """Whether the answer is a function, which is then run on each of the cases."""
        return bool(self.cases)

    def outcomes(self, function: Callable[..., Any]) -> list[Any]:
        """Run ``function`` on a copy of each case's arguments; on no arguments if there are no cases."""
        return [function(*copy.deepcopy(case)) for case in self.cases or ((),)]
