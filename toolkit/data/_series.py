"""One quantity over time, and the windows that turn it into a forecasting task."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.data._dataset import wrapped
from toolkit.data._info import SeriesInfo
from toolkit.errors import InvalidValueError, ShapeError


@dataclass(frozen=True, eq=False, repr=False)
class Series:
    """One quantity, measured at regular times.

    Attributes:
        name: what ``load`` was called with.
        values: the measurements, (N,), float64; NaN where one is missing.
        dates: when they were taken, (N,), datetime64, in days or years.
        quantity: what is measured.
        unit: its unit; empty for a pure number.
        licence: the licence that the publisher names.
        citation: what to cite.
        source: where the data came from and how it was checked.
    """

    name: str
    values: np.ndarray
    dates: np.ndarray
    quantity: str
    unit: str
    licence: str
    citation: str
    source: str

    def __repr__(self) -> str:
        missing = np.isnan(self.values).sum()
        unit = f" {self.unit}" if self.unit else ""
        return "\n".join(
            [
                f"Series {self.name!r}: {self.quantity}",
                f"  values   {self.values.shape} {self.values.dtype}, "
                f"{np.nanmin(self.values):g} to {np.nanmax(self.values):g}{unit}, {missing} missing",
                f"  dates    {self.dates[0]} to {self.dates[-1]}, every {self.dates[1] - self.dates[0]}",
                wrapped("source", self.source),
                wrapped("licence", self.licence),
                wrapped("cite", self.citation),
            ]
        )


@dataclass(frozen=True, eq=False, repr=False)
class Windows:
    """Stretches of a series and what came after each, scaled, the earlier ones for training.

    Attributes:
        x_train: the T values that are known, (N, T, 1), float32.
        y_train: the ``horizon`` values that follow, (N, horizon), float32.
        x_test: as ``x_train``, later.
        y_test: as ``y_train``; all of them later than any value in ``x_train`` or ``y_train``.
        mean: mean of the training part, in the series' unit.
        std: standard deviation of the training part, in the series' unit.
        start_train: position in the series of each window's first value to forecast, (N,).
        start_test: as ``start_train``.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    mean: float
    std: float
    start_train: np.ndarray
    start_test: np.ndarray

    def unscale(self, scaled: np.ndarray) -> np.ndarray:
        """Scaled values, such as predictions, in the series' unit: scaled · std + mean."""
        return np.asarray(scaled) * self.std + self.mean

    def __repr__(self) -> str:
        arrays = "\n".join(f"  {name:<8} {getattr(self, name).shape} float32" for name in _ARRAYS)
        return f"Windows of a series, scaled: (value − {self.mean:.6g}) / {self.std:.6g}\n{arrays}"


_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def windows(
    series: Series | np.ndarray,
    length: int,
    horizon: int = 1,
    *,
    test: float = 0.2,
    missing: Literal["error", "previous", "skip"] = "error",
) -> Windows:
    r"""Turn a series into samples of a forecasting task, without letting the future leak into the past.

    Window i holds x⁽ⁱ⁾ = (vᵢ, …, v_{i+T−1}) and y⁽ⁱ⁾ = (v_{i+T}, …, v_{i+T+h−1}) for T = ``length`` and
    h = ``horizon``. The series is cut at one time: every value of a training window lies before the cut, and
    every value to forecast in a test window after it; what a test window knows may reach back over the cut,
    as it would on the day of the forecast. Values are scaled by mean and standard deviation of what
    lies before the cut.

    Args:
        series: what ``load("sunspots")`` gives, or values (N,).
        length: number T ≥ 1 of known values.
        horizon: number h ≥ 1 of values to forecast.
        test: share of the series that lies after the cut, between 0 and 1.
        missing: what to do about NaN: refuse it; carry the ``"previous"`` value forward, which uses nothing
            from the future; or ``"skip"`` every window that holds one.

    Raises:
        ShapeError: if the values are not one-dimensional, or too few for one window on each side of the cut.
        InvalidValueError: if an option is out of range, or values are missing or infinite.
    """
    where = "windows"
    values = np.asarray(series.values if isinstance(series, Series) else series, dtype=np.float64)
    if values.ndim != 1:
        raise ShapeError(where, "values of shape (N,)", str(values.shape))
    for name, number in (("length", length), ("horizon", horizon)):
        if not is_integer(number) or number < 1:
            raise InvalidValueError(where, f"{name} as a whole number from 1", repr(number))
    if not 0 < test < 1:
        raise InvalidValueError(where, "test as a share between 0 and 1", repr(test))
    values = _without_gaps(values, missing)
    cut = len(values) - round(test * len(values))
    if cut < length + horizon or len(values) - cut < horizon:
        raise ShapeError(
            where,
            f"at least {length + horizon} values before the cut and {horizon} after it",
            f"{cut} and {len(values) - cut} of {len(values)}",
            "Take a shorter length or horizon, or a longer series.",
        )
    every = np.lib.stride_tricks.sliding_window_view(values, length + horizon)
    start = np.arange(length, length + len(every))
    whole = np.isfinite(every).all(axis=1)
    before, after = whole & (start + horizon <= cut), whole & (start >= cut)
    if not before.any() or not after.any():
        raise ShapeError(
            where,
            "at least one window without a missing value on each side of the cut",
            f"{before.sum()} and {after.sum()}",
            "Take a shorter length, or missing='previous'.",
        )
    mean, std = float(np.nanmean(values[:cut])), float(np.nanstd(values[:cut])) or 1.0
    scaled = (((every[chosen] - mean) / std).astype(np.float32) for chosen in (before, after))
    parts = [np.ascontiguousarray(part) for window in scaled for part in np.split(window, [length], axis=1)]
    x_train, y_train, x_test, y_test = parts
    return Windows(x_train[..., None], y_train, x_test[..., None], y_test, mean, std, start[before], start[after])


def _without_gaps(values: np.ndarray, missing: str) -> np.ndarray:
    if missing not in ("error", "previous", "skip"):
        raise InvalidValueError("windows", "missing to be 'error', 'previous' or 'skip'", repr(missing))
    if np.isinf(values).any():
        raise InvalidValueError("windows", "finite values", f"{np.isinf(values).sum()} infinite ones")
    gaps = np.isnan(values)
    if not gaps.any() or missing == "skip":
        return values
    if missing == "error":
        raise InvalidValueError(
            "windows",
            "values without gaps",
            f"{gaps.sum()} missing ones",
            "Choose missing='previous' to carry the last value forward, or missing='skip' to leave such windows out.",
        )
    if gaps[0]:
        raise InvalidValueError("windows", "a first value, to carry forward", "a missing one")
    return values[np.maximum.accumulate(np.where(gaps, 0, np.arange(len(values))))]


class Values(NamedTuple):
    """Measurements (N,), float64, NaN where missing, and their dates (N,), datetime64."""

    values: np.ndarray
    dates: np.ndarray


def read_series(info: SeriesInfo, contents: list[bytes]) -> Values:
    """Read a CSV file of two columns: ``1700`` or ``19580329``, and a value, which may be missing.

    Args:
        info: the catalogue's entry.
        contents: the bytes of its one file.

    Raises:
        ValueError: if it does not hold the series that ``info`` describes.
    """
    _, *rows = csv.reader(io.StringIO(contents[0].decode("ascii"), newline=""))
    values = np.array([float(value) if value else np.nan for _, value in rows])
    dates = np.array([_iso(date) for date, _ in rows], dtype="datetime64")
    count, unit = int(info.interval[:-1]), info.interval[-1]
    if len(values) != info.steps or (np.diff(dates) != np.timedelta64(count, unit)).any():
        raise ValueError(f"{len(values)} measurements instead of {info.steps} at an interval of {info.interval}")
    return Values(values, dates)


def _iso(date: str) -> str:
    return date if len(date) == 4 else f"{date[:4]}-{date[4:6]}-{date[6:]}"
