"""The steps between the last layer forward and the last layer backward: each loss, their sum, what they send back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from toolkit.xray._capture import Capture
from toolkit.xray._losses import LossTerm
from toolkit.xray._naming import joined, shape_space
from toolkit.xray._records import Step, Tensor

_AVERAGE = {"sum": r"L = \sum_n \ell_n", None: r"L = \frac1N \sum_n \ell_n"}
_WEIGHTED = {"sum": r"L = \sum_n w_n\, \ell_n", None: r"L = \frac1N \sum_n w_n\, \ell_n"}
_LOGITS = (
    "Keras computes this loss from the logits z behind the probabilities, which is exact where those round to 0 or 1."
)


def loss_steps(capture: Capture) -> Iterable[Step]:
    """The loss: each term, the sum if there is more than one part, then the gradient of each term."""
    if capture.total is None:
        return
    for term in capture.terms:
        yield _value(term)
    if len(capture.terms) > 1 or capture.added or capture.penalties or any(t.scale != 1 for t in capture.terms):
        yield _sum(capture)
    for term in capture.terms:
        if term.gradient is not None:
            yield _gradient(term)


def _given(term: LossTerm) -> list[Tensor]:
    tensors = [Tensor("y_hat", term.y_pred, "input", latex=r"\hat y")]
    if term.logits is not None:
        tensors = [Tensor("z", term.logits, "input"), *tensors]
    elif term.formula is not None and term.formula.variable == "z":
        tensors = [Tensor("z", term.y_pred, "input")]
    tensors.append(Tensor("y", term.y, "input"))
    if term.weights is not None:
        tensors.append(Tensor("w", term.weights, "mask"))
    return tensors


def _value(term: LossTerm) -> Step:
    tensors, equations = _given(term), [r"L = \operatorname{loss}(y, \hat y)"]
    formula, recomputed = term.formula, term.recomputed()
    if formula is not None and recomputed is not None:
        table = _AVERAGE if term.weights is None else _WEIGHTED
        equations = [formula.equation, table.get(term.loss.reduction, table[None])]
        tensors.append(Tensor("ell", recomputed[0], "intermediate", latex=r"\ell"))
    tensors.append(Tensor("L", term.value, "output"))
    title = formula.title if formula else term.loss.name.replace("_", " ")
    return _step(
        term.name, term.kind, title, equations, tensors, formula is not None, _LOGITS if term.logits is not None else ""
    )


def _gradient(term: LossTerm) -> Step:
    formula, tensors = term.formula, _given(term)
    by_logits = term.logits is not None or (formula is not None and formula.variable == "z")
    name, latex = ("dz", "dz") if by_logits else ("dy_hat", r"d\hat y")
    scale = rf"{term.scale:.6g} \cdot " if term.scale != 1 else ""
    scale += "" if getattr(term.loss, "reduction", None) == "sum" else r"\frac1N "
    if term.weights is not None:
        scale += "w_n "
    inner = rf"\left( {formula.gradient} \right)" if formula else r"\frac{\partial L}{\partial \hat y}"
    tensors.append(Tensor(name, term.gradient, "gradient", latex=latex))
    note = _clipped(term)
    return _step(
        term.name, term.kind, "gradient of the loss", [f"{latex} = {scale}{inner}"], tensors, formula is not None, note
    )


def _clipped(term: LossTerm) -> str:
    """Whether probabilities were clipped, so that the gradient there is 0."""
    if term.formula is None or term.formula.variable == "z" or "entropy" not in term.formula.title:
        return ""
    p = term.y_pred
    count = int(np.sum((p < np.float32(1e-7)) | (p > np.float32(1) - np.float32(1e-7))))
    return f"{count} probabilities lie outside [ε, 1 − ε], ε = 1e-7; the loss is flat in them." if count else ""


def _sum(capture: Capture) -> Step:
    tensors, parts = [], []
    for k, term in enumerate(capture.terms):
        index = f"_{k + 1}" if len(capture.terms) > 1 else "_1"
        tensors.append(Tensor(f"L{index}", term.value, "input", latex=f"L_{{{index[1:]}}}"))
        parts.append((f"{term.scale:.6g}\\, " if term.scale != 1 else "") + f"L_{{{index[1:]}}}")
    if capture.added:
        tensors.append(Tensor("L_added", np.asarray(capture.added), "input", latex=r"L_{\text{added}}"))
        parts.append(r"L_{\text{added}}")
    if capture.penalties:
        tensors.append(Tensor("Omega", np.asarray(capture.penalties), "input", latex=r"\Omega"))
        parts.append(r"\Omega")
    tensors.append(Tensor("L", np.asarray(capture.total), "output"))
    note = "Ω is the sum of the weights' regularisers." if capture.penalties else ""
    if capture.added:
        note = f"{note} L_added is what layers add to the loss themselves.".strip()
    return _step("loss", "sum", "sum of the losses", ["L = " + " + ".join(parts)], tensors, True, note)


def _step(
    layer: str, kind: str, title: str, equations: Sequence[str], tensors: Sequence[Tensor], derived: bool, note: str
) -> Step:
    return Step(
        phase="loss",
        layer=layer,
        kind=kind,
        call=0,
        title=title,
        equation=joined(equations),
        spaces={tensor.name: shape_space(tensor.shape) for tensor in tensors},
        tensors={tensor.name: tensor for tensor in tensors},
        derived=derived,
        note=note,
    )
