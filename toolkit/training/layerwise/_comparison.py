"""What a comparison found: figures with intervals, what follows from them, and pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.atomic_write import atomic_write
from toolkit.errors import DataError, InvalidValueError
from toolkit.training._linear_probe import interval_half_width
from toolkit.training.layerwise._methods import METHODS

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

_SERIES = {"labels": "labels a class", "depth": "blocks", "noise": "share of wrong labels"}
_MEASURES = ("accuracy", "training_accuracy", "seconds", "steps", "peak_mb", "trainable_parameters")
_LISTS = ("gradients", "layers", "probes")


class Comparison:
    """Runs of several methods over several seeds, by ``compare``.

    Every "±" is half of the 95 % interval of a mean over the seeds, ``t·s/√S`` with Student's t for S − 1 degrees of
    freedom; NaN for a single seed.

    Attributes:
        runs: one dict a run: method, seed, series, value, accuracy, seconds, steps, peak_bytes, probes, gradients, …
        methods: in the order in which they were asked for.
        settings: epochs, batch_size, budget.
    """

    def __init__(self, runs: Sequence[dict[str, Any]], methods: Sequence[str], settings: dict[str, Any]) -> None:
        self.runs, self.methods, self.settings = list(runs), list(methods), dict(settings)

    # ------------------------------------------------------------------ tables

    def frame(self) -> pandas.DataFrame:
        """All runs: one row each."""
        import pandas as pd

        frame = pd.DataFrame([{k: v for k, v in run.items() if not isinstance(v, list)} for run in self.runs])
        frame["peak_mb"] = frame.pop("peak_bytes") / 1e6
        return frame

    def table(self) -> pandas.DataFrame:
        """One row a method: accuracy and seconds with ±, memory at the height in MB, parameters at once, steps.

        Seconds are those of training steps and frozen blocks, compiling included in the first run of a method; so
        their median over the seeds is given. Memory is that of the run that took the most, since runs after the first
        find the optimiser's numbers in place and are not measured.
        """
        import pandas as pd

        rows = {}
        for method in self.methods:
            runs = self._runs(method)
            accuracy = [run["accuracy"] for run in runs]
            rows[method] = {
                "accuracy": np.mean(accuracy),
                "±": float(interval_half_width(accuracy)),
                "seconds": np.median([run["seconds"] for run in runs]),
                "peak MB": max(run["peak_bytes"] for run in runs) / 1e6,
                "memory of": runs[0]["memory_by"],
                "parameters at once": runs[0]["trainable_parameters"],
                "gradient steps": runs[0]["steps"],
            }
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index.name = "method"
        return frame

    def differences(
        self, measure: str = "accuracy", *, baseline: str = "end-to-end", series: str = "", value: float = 0
    ) -> pandas.DataFrame:
        """Each method minus ``baseline``, paired by seed: mean, the 95 % interval, and what follows from it.

        ``conclusion`` is "higher" or "lower" where 0 lies outside of the interval, else "no difference shown", which
        is not the same as "equal".

        Args:
            measure: "accuracy", "training_accuracy", "seconds", "steps", "peak_mb" or "trainable_parameters".
            baseline: the method to subtract.
            series: "labels", "depth" or "noise" for the runs at ``value``; the plain ones if empty.
            value: of the series.

        Raises:
            InvalidValueError: there is no such measure, method or run.
        """
        import pandas as pd

        if measure not in _MEASURES:
            raise InvalidValueError("Comparison.differences", f"measure among {', '.join(_MEASURES)}", repr(measure))
        rows, base = {}, self._values(baseline, measure, series, value)
        for method in self.methods:
            if method == baseline:
                continue
            difference = self._values(method, measure, series, value) - base
            mean, half = difference.mean(), float(interval_half_width(difference))
            low, high = mean - half, mean + half
            follows = "higher" if low > 0 else "lower" if high < 0 else "no difference shown"
            if np.isnan(half):
                follows = "one seed shows nothing"
            rows[method] = {"difference": mean, "low": low, "high": high, "conclusion": follows}
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index.name = f"{measure} minus {baseline}'s"
        return frame

    def layers(self) -> pandas.DataFrame:
        """One row for each method and block: accuracy of a linear probe on its outputs, with ±; its first gradient.

        The gradient is ‖∂L/∂W‖ of the loss that the block learns from, at the beginning of the stage in which it
        first learns, as the mean over the seeds.
        """
        import pandas as pd

        rows = []
        for method in self.methods:
            runs = self._runs(method)
            for k, _ in enumerate(runs[0]["layers"]):
                probes = [run["probes"][k] for run in runs if run["probes"]]
                row = {"method": method, "block": k + 1, "first gradient": np.mean([r["gradients"][k] for r in runs])}
                if probes:
                    row |= {"linear probe": np.mean(probes), "±": float(interval_half_width(probes))}
                rows.append(row)
        return pd.DataFrame(rows).set_index(["method", "block"])

    def series(self, name: str) -> pandas.DataFrame:
        """Accuracy of each method with few labels, with depth or with wrong labels: method and value → mean, ±.

        Args:
            name: "labels", "depth" or "noise". The plain runs stand in it too: as all labels (infinite), no noise, or
                the depth that the network has by itself.

        Raises:
            InvalidValueError: ``compare`` was not asked for it.
        """
        import pandas as pd

        values = list(dict.fromkeys(run["value"] for run in self.runs if run["series"] == name))
        if not values:
            asked = ", ".join(self.series_names) or "none"
            raise InvalidValueError("Comparison.series", f"a series among {asked}", repr(name))
        plain = {"labels": np.inf, "noise": 0.0, "depth": float(len(self.runs[0]["layers"]))}[name]
        rows = []
        for method in self.methods:
            points = [(value, self._runs(method, name, value)) for value in values]
            if plain not in values:
                points.append((plain, self._runs(method)))
            for value, runs in sorted(points, key=lambda point: point[0]):
                accuracy = [run["accuracy"] for run in runs]
                half = float(interval_half_width(accuracy))
                rows.append({"method": method, name: value, "accuracy": np.mean(accuracy), "±": half})
        return pd.DataFrame(rows).set_index(["method", name])

    @property
    def series_names(self) -> list[str]:
        """The series that were asked for."""
        return list(dict.fromkeys(run["series"] for run in self.runs if run["series"]))

    def to_csv(self, path: str | Path) -> Path:
        """Writes all runs, one a line, whole or not at all; ``from_csv`` reads them back.

        Raises:
            DataError: the file cannot be written.
        """
        frame = self.frame().assign(**self.settings)
        for name in _LISTS:
            frame[name] = [json.dumps(run[name]) for run in self.runs]
        with atomic_write(path, "Comparison.to_csv") as file:
            file.write(frame.to_csv(index=False).encode())
        return Path(path)

    @classmethod
    def from_csv(cls, path: str | Path) -> Comparison:
        """Reads what ``to_csv`` or ``toolkit compare --csv`` wrote.

        Raises:
            DataError: the file cannot be read, or it is another one.
        """
        import pandas as pd

        try:
            lists = dict.fromkeys(_LISTS, json.loads)
            frame = pd.read_csv(path, keep_default_na=False, converters=lists, float_precision="round_trip")
            settings = {name: frame[name].iloc[0].item() for name in ("epochs", "batch_size")}
            settings["budget"] = str(frame["budget"].iloc[0])
            frame["peak_bytes"] = (frame.pop("peak_mb") * 1e6).round().astype(int)
            depths = [None if depth == "" else int(float(depth)) for depth in frame["depth"]]
            frame["depth"] = pd.Series(depths, dtype=object)
            runs = frame.drop(columns=list(settings)).to_dict("records")
            return cls(runs, list(dict.fromkeys(frame["method"])), settings)
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            expected = "runs that Comparison.to_csv wrote"
            raise DataError("Comparison.from_csv", expected, f"{path}, which cannot be read ({error})") from error

    # ------------------------------------------------------------------ pictures

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws the accuracy of each method with its interval, and every run as a small point."""
        from toolkit.plots import _style

        ax = _style.axes(ax, 6.4, 0.6 + 0.5 * len(self.methods))
        for k, method in enumerate(self.methods):
            accuracy, (colour, marker, _) = self._values(method, "accuracy"), self._look(method)
            ax.plot(accuracy, np.full(len(accuracy), k) + 0.18, "|", color=colour, alpha=0.7)
            half = np.nan_to_num(interval_half_width(accuracy))
            ax.errorbar(accuracy.mean(), k, xerr=half, fmt=marker, color=colour, capsize=4)
        ax.set(xlabel="test accuracy, mean and 95 % interval over the seeds", ylim=(len(self.methods) - 0.5, -0.5))
        ax.set_yticks(range(len(self.methods)), self.methods)
        ax.grid(alpha=0.3, axis="x")
        return ax

    def plot_layers(self, what: str = "linear probe", ax: Axes | None = None) -> Axes:
        """Draws "linear probe" or "first gradient" over the blocks, one line a method.

        Raises:
            InvalidValueError: it is neither, or ``compare`` did not measure it.
        """
        frame = self.layers()
        if what not in ("linear probe", "first gradient") or what not in frame:
            raise InvalidValueError(
                "Comparison.plot_layers", '"linear probe" or "first gradient", measured', repr(what)
            )
        ax = self._lines(frame, what, "block", ax)
        ax.set(ylabel="accuracy of a linear probe" if what == "linear probe" else "‖∂L/∂W‖ at the beginning")
        if what == "first gradient":
            ax.set_yscale("log")
        return ax

    def plot_series(self, name: str, ax: Axes | None = None) -> Axes:
        """Draws the accuracy over the values of a series, one line with intervals a method.

        Raises:
            InvalidValueError: ``compare`` was not asked for it.
        """
        ax = self._lines(self.series(name), "accuracy", name, ax)
        ax.set(xlabel=_SERIES[name], ylabel="test accuracy")
        return ax

    def _lines(self, frame: pandas.DataFrame, column: str, over: str, ax: Axes | None) -> Axes:
        from toolkit.plots import _style

        ax = _style.axes(ax, 6.4, 3.6)
        values = sorted(frame.index.get_level_values(over).unique())
        for k, method in enumerate(self.methods):
            rows = frame.loc[method]
            places = [values.index(value) + (k - (len(self.methods) - 1) / 2) * 0.04 for value in rows.index]
            error = rows["±"].fillna(0) if "±" in rows and column != "first gradient" else None
            colour, marker, line = self._look(method)
            ax.errorbar(
                places,
                rows[column],
                yerr=error,
                color=colour,
                linestyle=line,
                marker=marker,
                ms=5,
                capsize=3,
                label=method,
            )
        names = ["all" if np.isinf(value) else f"{value:g}" for value in values]
        ax.set_xticks(range(len(values)), names)
        ax.set_xlabel(over)
        ax.grid(alpha=0.3)
        ax.legend(fontsize="small")
        return ax

    def _look(self, method: str) -> tuple[str, str, str]:
        """Colour, marker and line: the same in every picture, whichever other methods stand in it."""
        from toolkit.plots import _style

        known = [*METHODS, *(name for name in self.methods if name not in METHODS)]
        k = known.index(method)
        return tuple(looks[k % len(looks)] for looks in (_style.COLOURS, _style.MARKERS, _style.LINES))

    # ------------------------------------------------------------------ runs

    def _runs(self, method: str, series: str = "", value: float = 0) -> list[dict[str, Any]]:
        return [r for r in self.runs if (r["method"], r["series"], r["value"]) == (method, series, value)]

    def _values(self, method: str, measure: str, series: str = "", value: float = 0) -> np.ndarray:
        runs = self._runs(method, series, value)
        if not runs:
            of = f" at {series} {value:g}" if series else ""
            raise InvalidValueError("Comparison", f"a method among {', '.join(self.methods)}", f"{method!r}{of}")
        if measure == "peak_mb":
            return np.array([run["peak_bytes"] / 1e6 for run in runs])
        return np.array([run[measure] for run in runs], dtype=float)

    def __repr__(self) -> str:
        seeds = len({run["seed"] for run in self.runs})
        told = (
            f"{seeds} seed{'s' if seeds > 1 else ''}, {self.settings['epochs']} epochs, same {self.settings['budget']}"
        )
        return f"<Comparison: {', '.join(self.methods)}; {told}>"
