from __future__ import annotations

import sys
import types

import pytest

from toolkit import training
from toolkit.training import _progress
from toolkit.training._progress import Shown, _duration


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when a test says so."""
    now = types.SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(_progress.time, "perf_counter", lambda: now.seconds)
    return now


@pytest.fixture
def shown_lines(monkeypatch):
    """What would be drawn: the status lines, in order."""
    statuses = []
    monkeypatch.setattr(_progress, "_place_for", lambda _: (lambda lines, status, done: statuses.append(status), id))
    return statuses


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (65, "1:05"), (3599.9, "1:00:00"), (7380, "2:03:00")]
)
def test_durations_match_hand_example(seconds, text):
    assert _duration(seconds) == text


def test_time_left_matches_hand_example(clock, shown_lines):
    """A quarter of the run took 5 s, so three quarters take 15 s."""
    shown = Shown(4, 0, True)
    clock.seconds = 5
    shown.step(0, 10, 10, {"loss": 0.5})
    assert shown_lines == ["epoch 1/4  loss 0.5000  15 s left"]


def test_time_left_of_a_resumed_run_counts_what_it_ran_itself(clock, shown_lines):
    shown = Shown(4, 2, True)
    clock.seconds = 5
    shown.step(2, 5, 10, {"loss": 0.5})
    assert shown_lines == ["epoch 3/4  loss 0.5000  15 s left"]


def test_short_runs_show_nothing_and_long_ones_all_their_epochs(clock, capsys):
    with Shown(3, 0, None) as shown:
        clock.seconds = 1
        shown.epoch(0, {"loss": 0.5, "matrix": [1, 2]}, 1.0)
        assert capsys.readouterr().out == ""
        clock.seconds = 2.5
        shown.epoch(1, {"loss": 0.25}, 1.5)
        assert capsys.readouterr().out == "epoch 1/3  1.0 s  loss 0.5000\nepoch 2/3  1.5 s  loss 0.2500\n"


@pytest.mark.parametrize("verbose", [True, False, None])
def test_verbose(verbose, build, x, y, capsys):
    training.fit(build(), x, y, epochs=2, validation_split=0.2, verbose=verbose)
    out = capsys.readouterr().out
    if verbose:
        assert [line.split("  ")[0] for line in out.splitlines()] == ["epoch 1/2", "epoch 2/2"]
        assert "val_accuracy" in out
    else:
        assert out == ""


def test_a_terminal_keeps_the_lines_and_not_the_bar(build, x, y, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    training.fit(build(), x, y, epochs=2, verbose=True)
    assert "epoch 1/2" in capsys.readouterr().out


def test_a_notebook_rewrites_one_output(clock, monkeypatch):
    pages = []
    handle = types.SimpleNamespace(update=lambda data, raw: pages.append(data["text/plain"]))
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: handle)
    place, close = _progress._notebook(20)
    lines = [f"epoch {k}" for k in range(1, 15)]
    place(lines, "4 s left", 15)
    assert pages[-1].splitlines()[0] == "… 2 epochs"
    assert pages[-1].splitlines()[-1] == "███████████████░░░░░  75%  4 s left"
    close()
    assert pages[-1].splitlines()[-1] == "epoch 14"
