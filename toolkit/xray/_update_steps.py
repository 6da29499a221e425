"""The update of a weight as a step, and the lines of its rule as sub-steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from toolkit.xray._naming import joined, shape_space
from toolkit.xray._records import Role, Step, Tensor
from toolkit.xray._update import Update, WeightUpdate

_LATEX = {
    "alpha": r"\alpha",
    "mu": r"\mu",
    "rho": r"\rho",
    "epsilon": r"\epsilon",
    "lambda": r"\lambda",
    "beta_1": r"\beta_1",
    "beta_2": r"\beta_2",
    "alpha_t": r"\alpha_t",
    "w_tilde": r"\tilde w",
    "w_new": "w'",
    "m_new": "m'",
    "v_new": "v'",
    "g_squared": "g^2",
}


def update_steps(update: Update) -> Iterable[Step]:
    """One step for each weight that has a gradient."""
    for weight in update:
        yield _weight_step(update, weight)


def _weight_step(update: Update, weight: WeightUpdate) -> Step:
    numbers = dict(weight.given) or {"w": weight.before, "g": weight.gradient}
    # What Keras's optimiser made of it is shown; verify compares the two.
    numbers |= {**weight.slots, "w_new": weight.after}
    numbers.pop("g_squared", None)
    path, _, name = weight.name.rpartition("/")
    clipped = f"g is clipped: {update.clipping}." if update.clipping else ""
    return Step(
        phase="update",
        layer=path,
        kind=update.kind,
        call=0,
        title=f"update of {name}, step {update.step}",
        equation=joined([line.equation for line in weight.lines]) or r"w' = w + \Delta w(g)",
        spaces=_spaces(numbers),
        tensors=_tensors(numbers),
        derived=bool(weight.lines),
        note=" ".join(part for part in (clipped, weight.note) if part),
        open=(lambda: tuple(_lines(update, weight))) if weight.lines else None,
    )


class _Asked(dict):
    """Numbers that remember which of them a line used."""

    def __init__(self, numbers: Mapping[str, np.ndarray]) -> None:
        super().__init__(numbers)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> np.ndarray:
        self.names.add(name)
        return super().__getitem__(name)


def _lines(update: Update, weight: WeightUpdate) -> Iterable[Step]:
    path, everything = weight.name.rpartition("/")[0], weight.numbers
    if update.clipping:
        numbers = {"dw": weight.gradient, "g": everything["g"]}
        yield _line(path, update.kind, "clipping", r"g = \operatorname{clip}(dw)", numbers, update.clipping)
    for line in weight.lines:
        asked = _Asked(everything)
        line.compute(asked)
        used = {"g" if name == "g_squared" else name for name in asked.names}
        numbers = {name: value for name, value in everything.items() if name in used}
        numbers[line.result] = everything[line.result]
        yield _line(path, update.kind, line.title, line.equation, numbers, "")


def _line(path: str, kind: str, title: str, equation: str, numbers: Mapping[str, np.ndarray], note: str) -> Step:
    return Step("update", path, kind, 0, title, equation, _spaces(numbers), _tensors(numbers), derived=True, note=note)


def _tensors(numbers: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    return {
        name: Tensor(name, np.asarray(value), _role(name), latex=_LATEX.get(name, name))
        for name, value in numbers.items()
    }


def _role(name: str) -> Role:
    if name in ("g", "dw"):
        return "gradient"
    if name in ("w", "w_new", "w_tilde"):
        return "output" if name == "w_new" else "parameter"
    return "state" if name in ("m", "v", "m_new", "v_new") else "intermediate"


def _spaces(numbers: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: r"\mathbb{N}" if name == "t" else shape_space(np.shape(value)) for name, value in numbers.items()}
