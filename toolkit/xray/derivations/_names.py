"""How names in code become names in a formula, and axes become spaces."""

from __future__ import annotations

from collections.abc import Sequence

_GREEK = {"alpha", "beta", "gamma", "mu", "sigma"}
_ACCENTS = {"hat", "tilde", "bar"}
TIMES = r" \times "


def latex_of(name: str) -> str:
    r"""A name as a formula writes it: ``"z_i_3"`` is ``z_{i,3}``, ``"x_hat"`` is ``\hat x``."""
    letter, *marks = name.split("_")
    latex = rf"\{letter}" if letter in _GREEK else letter
    for accent in marks:
        if accent in _ACCENTS:
            latex = rf"\{accent}{latex}" if latex.startswith("\\") else rf"\{accent} {latex}"
    below = ",".join(mark for mark in marks if mark not in _ACCENTS)
    return f"{latex}_{below}" if len(below) == 1 else f"{latex}_{{{below}}}" if below else latex


def space_of(axes: Sequence[str], numbers: str = r"\mathbb{R}") -> str:
    r"""The space of arrays with these axes: ``("N", "D")`` is ``\mathbb{R}^{N \times D}``."""
    return f"{numbers}^{{{TIMES.join(axes)}}}" if axes else numbers


def axes_of(ndim: int, last: str = "D") -> tuple[str, ...]:
    """The letters of the axes of a batch of vectors, sequences, images, or anything with more axes."""
    between = {2: (), 3: ("T",), 4: ("H", "W")}.get(ndim)
    if between is None:
        between = tuple(f"D_{{{k}}}" for k in range(1, ndim - 1))
    return ("N", *between, last)[:ndim]
