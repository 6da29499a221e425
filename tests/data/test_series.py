from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import data
from toolkit.data import windows
from toolkit.data._catalogue import info_of
from toolkit.data._series import read_series
from toolkit.errors import InvalidValueError, ShapeError


def test_sunspots_match_statsmodels():
    from statsmodels.datasets import sunspots

    theirs = sunspots.load_pandas().data
    series = data.load("sunspots")
    np.testing.assert_array_equal(series.values, theirs["SUNACTIVITY"])
    assert (series.dates.astype(int) + 1970).tolist() == theirs["YEAR"].astype(int).tolist()
    assert series.dates.dtype == "datetime64[Y]"
    assert series.source == "package statsmodels: embedded, sha256 verified"


def test_co2_matches_statsmodels():
    from statsmodels.datasets import co2

    theirs = co2.load_pandas().data["co2"]
    series = data.load("co2")
    np.testing.assert_array_equal(series.values, theirs)
    assert (series.dates == theirs.index.to_numpy()).all()
    assert np.isnan(series.values).sum() == 59
    assert series.unit == "ppmv"


def test_repr_of_series():
    lines = repr(data.load("co2")).splitlines()
    assert lines[:3] == [
        "Series 'co2': concentration of CO₂ in the air",
        "  values   (2284,) float64, 313 to 373.9 ppmv, 59 missing",
        "  dates    1958-03-29 to 2001-12-29, every 7 days",
    ]


@pytest.mark.parametrize("content", [b"a,b\n", b"YEAR,N\n1700,1\n1702,2\n", b"YEAR,N\n1700,x\n", b"YEAR,N\n1700\n"])
def test_series_of_another_kind_errors(content):
    with pytest.raises(ValueError, match=r"interval|convert|unpack"):
        read_series(info_of("sunspots"), [content])


def test_windows_match_hand_example():
    """0 … 9, two known values, one to forecast, the last three for the test: 0 … 6 have mean 3 and deviation 2."""
    w = windows(np.arange(10.0), length=2, horizon=1, test=0.3)
    assert (w.mean, w.std) == (3.0, 2.0)
    np.testing.assert_allclose(w.unscale(w.x_train[..., 0]), [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])
    np.testing.assert_allclose(w.unscale(w.y_train), [[2], [3], [4], [5], [6]])
    np.testing.assert_allclose(w.unscale(w.x_test[..., 0]), [[5, 6], [6, 7], [7, 8]])
    np.testing.assert_allclose(w.unscale(w.y_test), [[7], [8], [9]])
    assert w.start_train.tolist() == [2, 3, 4, 5, 6]
    assert w.start_test.tolist() == [7, 8, 9]
    assert w.x_train[0, 0, 0] == np.float32(-1.5)
    assert w.x_train.dtype == w.y_test.dtype == np.float32


@given(
    n=st.integers(12, 80),
    length=st.integers(1, 6),
    horizon=st.integers(1, 4),
    share=st.floats(0.35, 0.5),
    gaps=st.lists(st.integers(1, 79), max_size=3),
    missing=st.sampled_from(["previous", "skip"]),
)
def test_no_window_knows_the_future(n, length, horizon, share, gaps, missing):
    """The series is its own clock: each value is its position, so a value tells where it came from."""
    clock = np.arange(n, dtype=float)
    clock[[k for k in gaps if k < n]] = np.nan
    try:
        w = windows(clock, length, horizon, test=share, missing=missing)
    except ShapeError:
        assert missing == "skip" or n < 2 * (length + horizon)
        return
    cut = n - round(share * n)
    before = clock[:cut]
    if missing == "skip":
        assert w.mean == np.nanmean(before)
    x_train, y_train, x_test, y_test = (w.unscale(part) for part in (w.x_train, w.y_train, w.x_test, w.y_test))
    assert max(x_train.max(), y_train.max()) < cut + 1e-4
    if missing == "skip":  # a value carried over the cut is an old one
        assert y_test.min() > cut - 1e-4
    for x, y, start in ((x_train, y_train, w.start_train), (x_test, y_test, w.start_test)):
        assert x.shape == (len(start), length, 1)
        assert y.shape == (len(start), horizon)
        assert (x.max(axis=(1, 2)) < start + 1e-4).all()
        if missing == "skip":
            np.testing.assert_allclose(y[:, 0], start, atol=1e-3)
    assert (w.start_train + horizon <= cut).all()
    assert (w.start_test >= cut).all()


def test_what_comes_after_the_cut_changes_no_training_sample():
    values = np.random.RandomState(0).standard_normal(50)
    changed = values.copy()
    changed[40:] = 1e6
    one, other = windows(values, 5, 2), windows(changed, 5, 2)
    np.testing.assert_array_equal(one.x_train, other.x_train)
    np.testing.assert_array_equal(one.y_train, other.y_train)
    assert (one.mean, one.std) == (other.mean, other.std)


def test_missing_values():
    values = np.array([1, np.nan, 3, 4, np.nan, np.nan, 7, 8, 9, 10.0])
    with pytest.raises(InvalidValueError, match=r"values without gaps, received 3 missing .*missing='previous'"):
        windows(values, 1)
    carried = windows(values, 1, missing="previous")
    np.testing.assert_allclose(carried.unscale(carried.x_train[:, 0, 0]), [1, 1, 3, 4, 4, 4, 7])
    skipped = windows(values, 1, missing="skip")
    np.testing.assert_allclose(skipped.unscale(skipped.x_train[:, 0, 0]), [3, 7])
    assert skipped.mean == np.mean([1, 3, 4, 7, 8])
    with pytest.raises(InvalidValueError, match="a first value, to carry forward"):
        windows(values[1:], 1, missing="previous")
    with pytest.raises(ShapeError, match="without a missing value on each side of the cut"):
        windows(np.array([1, np.nan] * 10), 1, missing="skip")


def test_series_and_array_give_the_same():
    series = data.load("sunspots")
    one, other = windows(series, 11, 3), windows(series.values, 11, 3)
    np.testing.assert_array_equal(one.x_test, other.x_test)
    assert len(one.x_train) + len(one.x_test) == 309 - 11 - 2 * (3 - 1)
    assert series.dates[one.start_test[0]] == np.datetime64("1947")


def test_constant_series_is_only_shifted():
    w = windows(np.full(20, 5.0), 2)
    assert (w.std, w.x_train.max()) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("values", "options", "error", "message"),
    [
        (np.zeros((4, 2)), {"length": 1}, ShapeError, r"values of shape \(N,\), received \(4, 2\)"),
        (np.arange(9.0), {"length": 0}, InvalidValueError, "length as a whole number from 1, received 0"),
        (np.arange(9.0), {"length": 1.5}, InvalidValueError, "length as a whole number"),
        (np.arange(9.0), {"length": True}, InvalidValueError, "length as a whole number"),
        (np.arange(9.0), {"length": 1, "horizon": -1}, InvalidValueError, "horizon as a whole number"),
        (np.arange(9.0), {"length": 1, "test": 1.0}, InvalidValueError, "test as a share between 0 and 1"),
        (np.arange(9.0), {"length": 1, "test": float("nan")}, InvalidValueError, "test as a share"),
        (np.arange(9.0), {"length": 1, "missing": "drop"}, InvalidValueError, "'error', 'previous' or 'skip'"),
        (np.array([1, np.inf, 2.0]), {"length": 1}, InvalidValueError, "finite values"),
        (
            np.arange(9.0),
            {"length": 8},
            ShapeError,
            "at least 9 values before the cut and 1 after it, received 7",
        ),
        (np.arange(9.0), {"length": 1, "horizon": 3}, ShapeError, "3 after it"),
        (np.array([]), {"length": 1}, ShapeError, "received 0 and 0 of 0"),
    ],
)
def test_windows_errors(values, options, error, message):
    with pytest.raises(error, match=message):
        windows(values, **options)


def test_repr_of_windows():
    assert repr(windows(np.arange(10.0), 2, test=0.3)).splitlines() == [
        "Windows of a series, scaled: (value − 3) / 2",
        "  x_train  (5, 2, 1) float32",
        "  y_train  (5, 1) float32",
        "  x_test   (3, 2, 1) float32",
        "  y_test   (3, 1) float32",
    ]
