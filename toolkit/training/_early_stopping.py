"""When to stop, and which weights to keep."""

from __future__ import annotations

import math
from collections.abc import Iterable

import keras
import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.training._steps import has_own


class EarlyStopping:
    """Watches one measure: remembers the best epoch and its weights, and asks to stop when it is long past.

    Attributes:
        best: the best value so far, None before the first.
        best_epoch: its epoch, from 1.
        best_weights: the model's weights after it, if they are to be restored.
    """

    def __init__(self, model: keras.Model, monitor: str, patience: int | None, restore_best: bool) -> None:
        self.model, self.monitor, self.patience = model, monitor, patience
        self.restore_best = restore_best and patience is not None
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.best_weights: list[np.ndarray] = []
        self._sign = 0

    @property
    def watched(self) -> str | None:
        """The measure that is watched, None without patience."""
        return None if self.patience is None else self.monitor

    def require_measured(self, validation: bool, where: str) -> None:
        """Raises InvalidValueError before training where ``monitor`` will not be measured, or has no better side."""
        if self.patience is None or has_own(self.model, "train_step") or has_own(self.model, "test_step"):
            return
        names = list(self.model.get_metrics_result())
        self._require(self.monitor, names + [f"val_{name}" for name in names if validation], where)
        self._sign = self._direction(where)

    @staticmethod
    def _require(monitor: str, names: Iterable[str], where: str) -> None:
        if monitor not in names:
            remedy = "val_… needs validation_data or validation_split."
            raise InvalidValueError(where, f"monitor as one of {', '.join(names)}", repr(monitor), remedy)

    def update(self, epoch: int, measures: dict[str, float], where: str) -> bool:
        """Takes in one epoch (from 1); True when it is time to stop."""
        if self.patience is None:
            return False
        self._require(self.monitor, measures, where)
        value = measures[self.monitor]
        self._sign = self._sign or self._direction(where)
        if not math.isnan(value) and (self.best is None or self._sign * value > self._sign * self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best:
                self.best_weights = self.model.get_weights()
        return epoch - (self.best_epoch or 0) >= self.patience

    def restore(self) -> None:
        """Gives the model its best weights."""
        if self.best_weights:
            self.model.set_weights(self.best_weights)

    def record(self) -> dict[str, float | int | None]:
        """What a checkpoint keeps beside the weights."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def resume(self, record: dict[str, float | int | None], weights: list[np.ndarray]) -> None:
        """Goes on from a checkpoint."""
        self.best, self.best_epoch, self.best_weights = record["best"], record["best_epoch"], weights

    def _direction(self, where: str) -> int:
        """+1 if more is better, −1 if less is."""
        name = self.monitor.removeprefix("val_")
        if name == "loss" or name.endswith("_loss"):
            return -1
        outputs = getattr(self.model, "output_names", None) or []
        for metric in self.model.metrics:
            for inner in getattr(metric, "metrics", [metric]):
                direction = getattr(inner, "_direction", None)
                # With several outputs Keras writes the output's name in front: kind_accuracy.
                names = {inner.name} | {f"{output}_{inner.name}" for output in outputs}
                if name in names and direction is not None:
                    return 1 if direction == "up" else -1
        raise InvalidValueError(
            where,
            "a measure to monitor that Keras knows to be better high or low",
            repr(self.monitor),
            "Monitor a loss, or use keras.callbacks.EarlyStopping with its mode.",
        )
