"""What a training run measured, and how it was run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolkit.errors import InvalidValueError

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


@dataclass(repr=False)
class History:
    """The measures of each epoch, with what was decided and why the run ended.

    Attributes:
        history: one list per measure with a value for each epoch, named as Keras names them: ``loss``, the compiled
            metrics, and the same with ``val_`` in front where there is validation data.
        seconds: how long each epoch took, without its validation.
        samples: how many samples each epoch saw.
        best_epoch: the epoch, from 1, with the best value of ``monitor``; None where nothing is monitored.
        monitor: the measure that early stopping watches, or None.
        stopped: why the run ended: ``"all 10 epochs are done"``, ``"no better val_loss for 3 epochs"``, …
        settings: what was decided for this run and why, e.g. ``settings["jit_compile"]``.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    best_epoch: int | None = None
    monitor: str | None = None
    stopped: str = "not started"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """How many epochs were completed."""
        return len(self.seconds)

    @property
    def epoch(self) -> list[int]:
        """The completed epochs, from 0, as Keras's ``History.epoch``."""
        return list(range(self.epochs))

    def append(self, measures: dict[str, float], seconds: float, samples: int) -> None:
        """Adds one epoch."""
        for name, value in measures.items():
            self.history.setdefault(name, []).append(value)
        self.seconds.append(seconds)
        self.samples.append(samples)

    def frame(self) -> pandas.DataFrame:
        """The history as a table: one row for each epoch (from 1), one column for each measure.

        Two more columns say how long the epoch took (``seconds``) and its speed (``samples_per_second``).
        """
        import pandas as pd

        speed = [n / s if s else float("nan") for n, s in zip(self.samples, self.seconds)]
        columns = self.history | {"seconds": self.seconds, "samples_per_second": speed}
        return pd.DataFrame(columns, index=pd.RangeIndex(1, self.epochs + 1, name="epoch"))

    def plot(self, ax: Axes | None = None, *, measure: str = "loss") -> Axes:
        """Draws ``measure`` over the epochs, of training and, where there is one, of validation.

        Raises:
            InvalidValueError: the history has no such measure, or no epoch was completed.
        """
        from toolkit import plots

        if measure not in self.history:
            known = ", ".join(self.history) or "none: no epoch was completed"
            raise InvalidValueError("History.plot", f"measure as one of {known}", repr(measure))
        runs = {"training": self.history[measure]}
        if f"val_{measure}" in self.history:
            runs["validation"] = self.history[f"val_{measure}"]
        ax = plots.curves(runs, measure=measure, ax=ax, ylabel=measure.replace("_", " "))
        if self.best_epoch is not None and self.monitor in (measure, f"val_{measure}"):
            ax.axvline(self.best_epoch, color="grey", linestyle=":", label="best epoch")
            ax.legend()
        return ax

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {_short(values[-1])}" for name, values in self.history.items())
        best = f"; best epoch {self.best_epoch} by {self.monitor}" if self.best_epoch else ""
        plural = "" if self.epochs == 1 else "s"
        return f"<History: {self.epochs} epoch{plural} in {sum(self.seconds):.1f} s; {last or 'no measures'}{best}>"


def _short(value: float | list) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
