"""What each stage of a layered training was, cost and brought."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.training._history import History

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class StageRecord:
    """One stage.

    Attributes:
        name: ``block 2: hidden_2``, ``fine-tuning``, …
        history: loss and metrics of each epoch, as ``training.fit`` returns them.
        trainable_parameters: how many numbers were learned at once, temporary heads and decoders included.
        feature_seconds: computing the outputs of the frozen blocks.
        feature_bytes: what these outputs take, and ``features_on_disk`` whether they lie in a file.
        peak_bytes: how much more memory was held at the height of the stage than before it.
        memory_by: whose memory that is: "tensors" or "process", see ``Peak``.
        gradients: where asked for, the norm of the loss's gradient with respect to the weights of each layer at the
            beginning of the stage: ``{layer: ‖∂L/∂W‖}``.
    """

    name: str
    history: History
    trainable_parameters: int
    feature_seconds: float = 0.0
    feature_bytes: int = 0
    features_on_disk: bool = False
    peak_bytes: int = 0
    memory_by: str = "process"
    gradients: dict[str, float] = field(default_factory=dict)

    @property
    def training_seconds(self) -> float:
        """In training steps, compiling included."""
        return sum(self.history.seconds)

    @property
    def seconds(self) -> float:
        """In training steps and in frozen blocks."""
        return self.training_seconds + self.feature_seconds

    @property
    def steps(self) -> int:
        """How many gradient steps it took; 0 where the history does not say."""
        return int(self.history.settings.get("steps", 0))

    def as_dict(self) -> dict[str, Any]:
        """All of it in plain values."""
        return asdict(self)


class LayerwiseHistory:
    """The stages of one layered training, in order; iterable, indexed by number or name.

    Attributes:
        stages: their records.
    """

    def __init__(self, stages: list[StageRecord] | None = None) -> None:
        self.stages = stages if stages is not None else []

    def __len__(self) -> int:
        return len(self.stages)

    def __iter__(self) -> Iterator[StageRecord]:
        return iter(self.stages)

    def __getitem__(self, which: int | str) -> StageRecord:
        if isinstance(which, str):
            for stage in self.stages:
                if stage.name == which:
                    return stage
            known = ", ".join(stage.name for stage in self.stages) or "none"
            raise InvalidValueError("LayerwiseHistory", f"a stage among {known}", repr(which))
        return self.stages[which]

    @property
    def seconds(self) -> float:
        """Of all stages together."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def peak_bytes(self) -> int:
        """Of the stage that took the most memory."""
        return max((stage.peak_bytes for stage in self.stages), default=0)

    @property
    def trainable_parameters(self) -> int:
        """At once: of the stage that learned the most numbers."""
        return max((stage.trainable_parameters for stage in self.stages), default=0)

    def frame(self) -> pandas.DataFrame:
        """One row for each stage: epochs, the last value of each measure, seconds, parameters, memory in MB (10⁶ B)."""
        import pandas as pd

        rows = []
        for stage in self.stages:
            measures = {name: values[-1] if values else np.nan for name, values in stage.history.history.items()}
            rows.append(
                {"stage": stage.name, "epochs": stage.history.epochs}
                | measures
                | {
                    "seconds": stage.seconds,
                    "trainable_parameters": stage.trainable_parameters,
                    "peak_mb": stage.peak_bytes / 1e6,
                    "memory_by": stage.memory_by,
                    "features_mb": stage.feature_bytes / 1e6,
                }
            )
        return pd.DataFrame(rows).set_index("stage") if rows else pd.DataFrame()

    def plot(self, ax: Axes | None = None, *, measure: str = "loss") -> Axes:
        """Draws ``measure`` over all epochs, one stage after the other.

        Losses of stages are comparable only where the stages have the same task: the reconstruction error of an
        autoencoder is no cross-entropy.

        Raises:
            InvalidValueError: no stage has such a measure.
        """
        from matplotlib.ticker import MaxNLocator

        from toolkit.plots import _style

        if not any(measure in stage.history.history for stage in self.stages):
            known = ", ".join(dict.fromkeys(name for stage in self.stages for name in stage.history.history)) or "none"
            raise InvalidValueError("LayerwiseHistory.plot", f"measure as one of {known}", repr(measure))
        ax = _style.axes(ax, 6.4, 3.6)
        begun = 0
        for k, stage in enumerate(self.stages):
            colour = _style.COLOURS[k % len(_style.COLOURS)]
            epochs = np.arange(begun + 1, begun + stage.history.epochs + 1)
            for name, line in ((measure, "-"), (f"val_{measure}", ":")):
                if name in stage.history.history:
                    label = stage.name if line == "-" else None
                    marker = _style.MARKERS[k % len(_style.MARKERS)] if len(epochs) <= 30 else None
                    ax.plot(epochs, stage.history.history[name], line, color=colour, marker=marker, ms=4, label=label)
            begun += stage.history.epochs
            if k + 1 < len(self.stages):
                ax.axvline(begun + 0.5, color="grey", linewidth=0.8, alpha=0.5)
        ax.set(xlabel="epoch, stage after stage", ylabel=measure.replace("_", " "))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(alpha=0.3)
        _style.take_literally(ax.legend(fontsize="small").get_texts())
        return ax

    def __repr__(self) -> str:
        names = "; ".join(stage.name for stage in self.stages) or "none yet"
        return f"<LayerwiseHistory: {len(self)} stages in {self.seconds:.1f} s: {names}>"
