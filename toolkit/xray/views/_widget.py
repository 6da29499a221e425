"""The same stepper as a Jupyter widget. Python holds the trace and answers what the browser asks for."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from toolkit.xray.views._payload import Payload

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

_SIDE, _CELLS = 64, 1_000_000


class XrayWidget(anywidget.AnyWidget):
    """Play, step and scrub through a trace; the numbers of any sample come when they are looked at.

    Args:
        trace: what to show.
    """

    _esm = files("toolkit.xray.views").joinpath("xray.js").read_text(encoding="utf-8")
    _css = files("toolkit.xray.views").joinpath("xray.css").read_text(encoding="utf-8")
    content = traitlets.Dict().tag(sync=True)

    def __init__(self, trace: Trace) -> None:
        self._payload = Payload(trace)
        content = self._payload.content(substeps=False) | {"shown_samples": trace.samples}
        super().__init__(content=content)
        # How many tensors and formulas the browser knows; what comes with sub-steps is sent after these.
        self._sent = len(content["tensors"]), len(content["formulas"])
        self._answers: dict[tuple[int, int], dict[str, Any]] = {}
        self.on_msg(self._answer)

    def _answer(self, _: Any, question: dict[str, Any], buffers: list) -> None:
        answer = (
            self._substeps(question["step"], question["time"])
            if question["ask"] == "substeps"
            else self._numbers(question)
        )
        self.send({**answer, "answer_to": question["number"]})

    def _numbers(self, question: dict[str, Any]) -> dict[str, Any]:
        return self._payload.numbers(question["tensor"], [question["sample"]], _SIDE, _CELLS)

    def _substeps(self, number: int, time: int) -> dict[str, Any]:
        asked = number, time
        if asked not in self._answers:
            self._answers[asked] = self._payload.opened(number, time)
        tensors, formulas = self._sent
        self._sent = len(self._payload.tensors), self._payload.formula_count
        return {**self._answers[asked], **self._payload.since(tensors, formulas)}
