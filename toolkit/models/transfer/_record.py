"""What a gradual thawing did, step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolkit.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

    from toolkit.training import History


@dataclass(frozen=True)
class Step:
    """One step: what learned, how fast, and how it went.

    Attributes:
        stage: the first stage that learned.
        trainable_parameters: how many numbers learned.
        learning_rates: stage → its learning rate; frozen ones are not listed.
        cached: whether the frozen network's features were computed once, and not in every epoch.
        seconds: of the whole step, the features included.
        history: as ``training.fit`` returns it.
    """

    stage: str
    trainable_parameters: int
    learning_rates: dict[str, float]
    cached: bool
    seconds: float
    history: History


@dataclass(frozen=True, repr=False)
class FineTuning:
    """The record of ``transfer.fine_tune``.

    Attributes:
        steps: one for each stage that was thawed, in this order.
    """

    steps: list[Step] = field(default_factory=list)

    @property
    def history(self) -> dict[str, list[float]]:
        """Each measure over the epochs of all steps."""
        names = self.steps[0].history.history if self.steps else {}
        return {name: [value for step in self.steps for value in step.history.history[name]] for name in names}

    def frame(self) -> pandas.DataFrame:
        """A table with a row for each step: what learned, how long, and the measures after it."""
        import pandas as pd

        rows = [
            {
                "learns from": step.stage,
                "trainable parameters": step.trainable_parameters,
                "cached": step.cached,
                "epochs": step.history.epochs,
                "seconds": step.seconds,
                **{name: values[-1] for name, values in step.history.history.items()},
            }
            for step in self.steps
        ]
        return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="step"))

    def plot(self, ax: Axes | None = None, *, measure: str = "loss") -> Axes:
        """Draws ``measure`` over all epochs, with a line where the next stage began to learn.

        Raises:
            InvalidValueError: there is no such measure.
        """
        from toolkit import plots

        history = self.history
        if measure not in history:
            raise InvalidValueError("FineTuning.plot", f"measure as one of {', '.join(history)}", repr(measure))
        runs = {"training": history[measure]}
        if f"val_{measure}" in history:
            runs["validation"] = history[f"val_{measure}"]
        ax = plots.curves(runs, measure=measure, ax=ax, ylabel=measure.replace("_", " "))
        epoch = 0
        for step in self.steps:
            ax.axvline(epoch + 0.5, color="grey", linestyle=":")
            ax.text(epoch + 0.5, 0.97, f" {step.stage}", va="top", transform=ax.get_xaxis_transform())
            epoch += step.history.epochs
        return ax

    def __repr__(self) -> str:
        steps = "; ".join(f"{step.stage}: {step.history!r}" for step in self.steps)
        return f"<FineTuning: {steps or 'nothing yet'}>"
