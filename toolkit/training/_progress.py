"""What a run shows while it goes: nothing in short ones, a bar with the time left in long ones."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

_PATIENCE, _REFRESH = 2.0, 0.2


class Shown:
    """The progress of one run: one line for each finished epoch, and below them how far the run is.

    On a terminal the bar is drawn by Rich and vanishes at the end. In a notebook one output is rewritten, so that
    the page that is saved holds the lines and nothing else. Elsewhere, as in a log file, only the lines are printed.

    Args:
        epochs: of the run.
        epoch: the epoch that it starts with, from 0.
        verbose: True shows everything, False nothing, None everything once the run takes over two seconds.
        what: what is counted.
    """

    def __init__(self, epochs: int, epoch: int, verbose: bool | None, what: str = "epoch") -> None:
        self.epochs, self.verbose, self.what = epochs, verbose, what
        self._began, self._drawn = time.perf_counter(), 0.0
        self._before: float = epoch  # share of the run that was done before, in epochs
        self._lines: list[str] = []
        self._place: Callable[[list[str], str], None] | None = None
        self._close: Callable[[], None] = lambda: None

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def step(self, epoch: int, step: int, steps: int | None, logs: dict[str, Any]) -> None:
        """After ``step`` steps of an epoch of ``steps`` (None: unknown)."""
        now = time.perf_counter()
        if now - self._drawn >= _REFRESH and self._wanted(now):
            self._drawn = now
            done = epoch + (step / steps if steps else 0)
            loss = f"  loss {float(logs['loss']):.4f}" if "loss" in logs else ""
            self._show(f"{self.what} {epoch + 1}/{self.epochs}{loss}{self._left(done, now)}", done)

    def epoch(self, epoch: int, measures: dict[str, float], seconds: float) -> None:
        """After an epoch (from 0)."""
        now = time.perf_counter()
        values = "  ".join(f"{name} {value:.4f}" for name, value in measures.items() if isinstance(value, float))
        self._lines.append(f"{self.what} {epoch + 1}/{self.epochs}  {seconds:.1f} s  {values}")
        if self._wanted(now):
            self._show(self._left(epoch + 1, now).strip(), epoch + 1)

    def _wanted(self, now: float) -> bool:
        return now - self._began > _PATIENCE if self.verbose is None else self.verbose

    def _left(self, done: float, now: float) -> str:
        ran = done - self._before
        if ran <= 0 or done >= self.epochs:
            return ""
        return f"  {_duration((now - self._began) / ran * (self.epochs - done))} left"

    def _show(self, status: str, done: float) -> None:
        if self._place is None:
            self._place, self._close = _place_for(self.epochs)
        self._place(self._lines, status, done)


def _place_for(epochs: int) -> tuple[Callable, Callable[[], None]]:
    """How to show, and how to finish: on a terminal, in a notebook, or elsewhere."""
    if _in_notebook():
        return _notebook(epochs)
    if sys.stdout.isatty():
        return _terminal(epochs)
    return _plain(), lambda: None


def _in_notebook() -> bool:
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _plain() -> Callable:
    printed = 0

    def place(lines: list[str], status: str, done: float) -> None:
        nonlocal printed
        for line in lines[printed:]:
            print(line, flush=True)
        printed = len(lines)

    return place


def _terminal(epochs: int) -> tuple[Callable, Callable[[], None]]:
    columns = BarColumn(bar_width=20), TaskProgressColumn(), TextColumn("{task.description}")
    progress = Progress(*columns, console=Console(), transient=True, auto_refresh=False)
    task = progress.add_task("", total=epochs)
    progress.start()
    printed = 0

    def place(lines: list[str], status: str, done: float) -> None:
        nonlocal printed
        for line in lines[printed:]:
            progress.console.print(line, highlight=False, markup=False)
        printed = len(lines)
        progress.update(task, completed=done, description=status, refresh=True)

    return place, progress.stop


def _notebook(epochs: int, most: int = 12) -> tuple[Callable, Callable[[], None]]:
    from IPython.display import display

    shown: list[str] = []
    handle = display({"text/plain": ""}, raw=True, display_id=True)

    def place(lines: list[str], status: str, done: float) -> None:
        left_out = [f"… {len(lines) - most} epochs"] if len(lines) > most else []
        shown[:] = left_out + lines[-most:]
        bar = ("█" * int(20 * done / epochs)).ljust(20, "░")
        handle.update({"text/plain": "\n".join([*shown, f"{bar} {done / epochs:4.0%}  {status}"])}, raw=True)

    def close() -> None:
        handle.update({"text/plain": "\n".join(shown)}, raw=True)

    return place, close


def _duration(seconds: float) -> str:
    """``8 s``, ``1:05``, ``2:03:00``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
