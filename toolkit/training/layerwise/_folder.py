"""The folder of a layered training: what was planned, what has begun, what each stage brought."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError
from toolkit.training._checkpoint import _FILE as CHECKPOINT
from toolkit.training._checkpoint import _differences
from toolkit.training._history import History
from toolkit.training.layerwise._record import StageRecord

_FORMAT = 2
_AFRESH = "Give each run a folder of its own, or start afresh with resume=False."

Plan = Sequence[tuple[str, int]]  # kind and epochs of each stage: [("block", 2), ("fine-tuning", 3)]


class Folder:
    """``stages.json``, and the checkpoint of each stage's ``training.fit``: ``01 block``, ``02 fine-tuning``.

    A stage is known by its place and its kind, never by the names of layers, which count up within a process.

    Every stage starts from what those before it have learned. So a later call may go on here only if it plans the
    same stages with the same epochs before the last one that has begun; that one may get more epochs, and what comes
    behind it is free.

    Args:
        path: made if missing, once the first stage trains.
        plan: kind and epochs of each stage.
        resume: whether to go on from what is there.
        where: who asks, for errors.

    Raises:
        InvalidValueError: another plan has begun here; nothing was touched.
        DataError: ``stages.json`` cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], plan: Plan, *, resume: bool, where: str) -> None:
        self.path, self.where = Path(path).expanduser(), where
        self._file = self.path / "stages.json"
        self._stages = [{"kind": kind, "epochs": epochs, "begun": False, "record": None} for kind, epochs in plan]
        saved = self._read() if resume and self._file.exists() else []
        while saved and not saved[-1]["begun"]:
            saved.pop()
        self._require_same(saved)
        for now, before in zip(self._stages, saved):
            now |= {"begun": before["begun"], "record": before["record"]}

    def _require_same(self, saved: list[dict[str, Any]]) -> None:
        before, now = {}, {}
        for k, stage in enumerate(saved):
            free = k == len(saved) - 1  # its own checkpoint says how many epochs it may have
            before[f"stage {k + 1}"] = _told(stage, free)
            now[f"stage {k + 1}"] = _told(self._stages[k], free) if k < len(self._stages) else "none"
        differences = list(_differences(before, now))
        if differences:
            received = f"another one: {'; '.join(differences[:3])}"
            raise InvalidValueError(self.where, f"the run that {self.path} belongs to", received, _AFRESH)

    def of_fit(self, place: int) -> dict[str, Any]:
        """What ``training.fit`` needs to go on inside the stage, or to begin it."""
        return {"checkpoint": self._of(place), "resume": self._stages[place]["begun"]}

    def begin(self, place: int) -> None:
        """The stage trains from now on; before this moment nothing of an earlier run is lost."""
        if not self._stages[place]["begun"]:
            self._write()  # first, so that a kill now leaves no stage of an earlier run that counts as begun
            (self._of(place) / CHECKPOINT).unlink(missing_ok=True)
            self._stages[place]["begun"] = True
        self._write()

    def finish(self, place: int, record: StageRecord) -> StageRecord:
        """Keeps the record of the stage; returns that of the process which had finished it, if there was one.

        Raises:
            InvalidValueError: it ended otherwise than when later stages began, because its checkpoint is gone.
        """
        stage = self._stages[place]
        saved = stage["record"]
        if saved is not None and json.dumps(saved.history.history) == json.dumps(record.history.history):
            gradients = dict(zip(record.gradients, saved.gradients.values()))
            record = replace(saved, name=record.name, gradients=gradients)
        elif any(later["begun"] for later in self._stages[place + 1 :]):
            expected = f"the outcome of stage {place + 1} from which the stages behind it in {self.path} began"
            raise InvalidValueError(self.where, expected, "another one", "Start afresh with resume=False.")
        stage["record"] = record
        self._write()
        return record

    def _of(self, place: int) -> Path:
        kind = re.sub(r"\W+", "-", self._stages[place]["kind"]).strip("-")
        return self.path / f"{place + 1:02} {kind}"

    def _read(self) -> list[dict[str, Any]]:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise ValueError(f"format {content['format']}")
            names = ("kind", "epochs", "begun", "record")
            stages = [{name: stage[name] for name in names} for stage in content["stages"]]
            for stage in stages:
                if stage["record"] is not None:
                    history = History(**stage["record"]["history"])
                    stage["record"] = StageRecord(**stage["record"] | {"history": history})
        except (OSError, ValueError, KeyError, TypeError) as error:
            expected, received = "stages that this toolkit wrote", f"{self._file}, which cannot be read ({error})"
            raise DataError(self.where, expected, received, "Start afresh with resume=False.") from error
        return stages

    def _write(self) -> None:
        stages = [
            stage | {"record": stage["record"].as_dict() if stage["record"] is not None else None}
            for stage in self._stages
        ]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(self.where, "a checkpoint folder that can be written", f"{self.path}: {error}") from error
        with atomic_write(self._file, self.where) as file:
            file.write(json.dumps({"format": _FORMAT, "stages": stages}, indent=1).encode())


def _told(stage: dict[str, Any], free: bool) -> str:
    return stage["kind"] if free else f"{stage['kind']} of {stage['epochs']} epochs"
