"""The verdict on an answer, as text, as HTML, and for programs that count."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["right", "wrong", "not answered yet", "error"]

MEDIA_TYPE = "application/vnd.layer-by-layer.check+json"

# A sign for each state, so that nobody has to tell green from red. The colours are JupyterLab's own,
# which follow its light and dark themes; the second ones are for pages outside JupyterLab.
_SIGNS: dict[State, str] = {"right": "✓", "wrong": "✗", "not answered yet": "○", "error": "⚠"}
_COLOURS: dict[State, str] = {
    "right": "var(--jp-success-color1, #2e7d32)",
    "wrong": "var(--jp-error-color1, #d32f2f)",
    "not answered yet": "var(--jp-border-color1, #9e9e9e)",
    "error": "var(--jp-warn-color1, #f57c00)",
}


@dataclass(frozen=True)
class Verdict:
    """What the checker says about an answer; a notebook shows it by itself.

    Attributes:
        exercise: the exercise's id.
        title: the exercise's title.
        state: ``"right"``, ``"wrong"``, ``"not answered yet"`` or ``"error"`` (the learner's function
            raised an exception).
        hint: what may be wrong; empty when right.
        misconception: the name of the misconception that the answer equals, or ``None``.
    """

    exercise: str
    title: str
    state: State
    hint: str = ""
    misconception: str | None = None

    def __str__(self) -> str:
        line = f"{_SIGNS[self.state]} {self.exercise} {self.title}: {self.state}"
        return f"{line}\n  {self.hint}" if self.hint else line

    __repr__ = __str__

    def _repr_mimebundle_(self, **options: object) -> Mapping[str, Any]:
        return {
            "text/plain": str(self),
            "text/html": self._html(),
            MEDIA_TYPE: {"exercise": self.exercise, "state": self.state},
        }

    def _html(self) -> str:
        colour = _COLOURS[self.state]
        hint = html.escape(self.hint).replace("\n", "<br>")
        return (
            f'<div role="status" style="border-left: 4px solid {colour}; padding: 4px 12px;">'
            f'<span style="color: {colour};" aria-hidden="true">{_SIGNS[self.state]}</span> '
            f"<strong>{html.escape(self.exercise)}</strong> {html.escape(self.title)}: "
            f"<strong>{self.state}</strong>" + (f"<br>{hint}" if hint else "") + "</div>"
        )
