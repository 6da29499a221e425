"""The steps of a trace: each layer forward, the loss, each layer backward, each weight's update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

import keras
import numpy as np

from toolkit.xray._calls import LayerCall
from toolkit.xray._capture import Capture, Weight
from toolkit.xray._naming import Name, Names, equations_of, general_equations, joined, names_of, shape_space
from toolkit.xray._records import Phase, Role, Step, Tensor
from toolkit.xray.derivations import Derivation, derive, why_not


def derivation_of(call: LayerCall) -> Derivation | None:
    """The layer opened in NumPy; None for layers without a derivation, operations, and layers made of layers."""
    return None if call.parts or not isinstance(call.layer, keras.Layer) else derive(call)


def shown(capture: Capture) -> list[LayerCall]:
    """The calls that are steps: not the arithmetic of masks, nor the model's own unless it has weights of its own."""
    *inner, model = capture.calls
    inner = [call for call in inner if not call.only_masks]
    return [*inner, model] if model.weights or not inner else inner


def forward_step(call: LayerCall, derivation: Derivation | None) -> Step:
    """What a layer makes of its inputs."""
    names = names_of(call, derivation)
    tensors = [*_given(call, names), *_masks(call)]
    tensors += [_tensor(name, value, "output") for name, value in zip(names.outputs, call.outputs)]
    tensors += [_tensor(_new(names.weights[key]), value, "state") for key, value in call.updated.items()]
    return _step("forward", call, derivation, names, tensors)


def backward_step(call: LayerCall, derivation: Derivation | None) -> Step:
    """What a layer makes of the gradient that reaches its output."""
    names = names_of(call, derivation)
    tensors = [*_given(call, names)]
    for name, dy in zip(names.outputs, call.dy):
        if dy is not None:
            tensors.append(_tensor(name.gradient, dy, "upstream"))
    if call.dlogits is not None:
        tensors.append(_tensor(Name("dz", "dz"), call.dlogits, "upstream"))
    for key, gradient in call.gradients.items():
        tensors.append(_tensor(names.weights[key].gradient, gradient, "gradient"))
    for name, dx in zip(names.inputs, call.dx):
        if dx is not None and name.gradient.name not in {tensor.name for tensor in tensors}:
            tensors.append(_tensor(name.gradient, dx, "gradient"))
    return _step("backward", call, derivation, names, tensors)


def _step(
    phase: Phase, call: LayerCall, derivation: Derivation | None, names: Names, tensors: Sequence[Tensor]
) -> Step:
    equations = (equations_of(call, names) if derivation else None) or general_equations(call, names)
    forward = phase == "forward"
    lines = equations.forward if forward else equations.backward
    if not forward and call.dlogits is not None and derivation is not None:
        lines = [line for line in lines if not line.startswith("dz")] or [r"dz = \frac{\partial L}{\partial z}"]
    if names.outputs and names.outputs[0].name == "z":  # a layer without an activation ends in z
        lines = [line for line in lines if not line.startswith(("a = f(z)", "dz = da"))]
    opened = None
    if derivation is not None:
        opened = (lambda: derivation.forward) if forward else (lambda: derivation.backward)
    return Step(
        phase=phase,
        layer=call.path,
        kind=call.kind,
        call=call.index,
        title="output" if forward else "gradients",
        equation=joined(lines),
        spaces={tensor.name: _space(tensor) for tensor in tensors},
        tensors={tensor.name: tensor for tensor in tensors},
        derived=derivation is not None,
        note=_note(call, phase, derivation),
        open=opened,
    )


def _note(call: LayerCall, phase: str, derivation: Derivation | None) -> str:
    notes = []
    if call.parts:
        notes.append(f"Made of {len(call.parts)} {'layer' if len(call.parts) == 1 else 'layers'}: {_few(call.parts)}.")
    elif derivation is None:
        reason = why_not(call) if isinstance(call.layer, keras.Layer) else "an operation of keras.ops"
        notes.append(f"No derivation: {reason}. The numbers are Keras's and TensorFlow's own.")
    if phase == "backward" and call.dlogits is not None:
        notes.append(
            "The loss is computed from the logits z before the output's softmax or sigmoid; its gradient is dz."
        )
    if phase == "backward" and call.calls > 1 and call.gradients:
        notes.append(f"Gradients of weights are the sum over all {call.calls} calls of this layer.")
    if call.non_trainable & {key for key in call.weights if not key.startswith("moving_")}:
        notes.append("Frozen weights have no gradient.")
    if phase == "backward" and call.dlogits is None and not any(dy is not None for dy in call.dy):
        notes.append("No gradient reaches this output.")
    return " ".join(notes)


def _few(paths: Sequence[str]) -> str:
    names = [path.rsplit("/", 1)[-1] for path in paths]
    return ", ".join(names if len(names) <= 4 else [*names[:3], "…", names[-1]])


def regularisation_step(weight: Weight) -> Step:
    """What the regulariser of a weight adds to its gradient."""
    regularizer = weight.variable.regularizer
    l1, l2 = float(getattr(regularizer, "l1", 0) or 0), float(getattr(regularizer, "l2", 0) or 0)
    known = isinstance(regularizer, keras.regularizers.L1 | keras.regularizers.L2 | keras.regularizers.L1L2)
    terms = [rf"{l1:.6g}\, \operatorname{{sign}}(w)"] * bool(l1) + [rf"2 \cdot {l2:.6g}\, w"] * bool(l2)
    tensors = [
        Tensor("w", weight.value, "parameter"),
        Tensor("dOmega", weight.penalty, "gradient", latex=r"d\Omega"),
        Tensor("g", weight.gradient, "gradient"),
    ]
    path, _, name = weight.name.rpartition("/")
    return Step(
        phase="backward",
        layer=path,
        kind=type(regularizer).__name__,
        call=0,
        title=f"regularisation of {name}",
        equation=joined(
            (
                rf"d\Omega = {' + '.join(terms) or 0}" if known else r"d\Omega = \frac{\partial \Omega}{\partial w}",
                r"g = dw + d\Omega",
            )
        ),
        spaces={tensor.name: _space(tensor) for tensor in tensors},
        tensors={tensor.name: tensor for tensor in tensors},
        derived=known,
        note="Added once, however many calls the layer has.",
    )


# ---------------------------------------------------------------------- tensors


def _given(call: LayerCall, names: Names) -> Iterable[Tensor]:
    for name, value in zip(names.inputs, call.inputs):
        yield _tensor(name, value, "input")
    for key, name in names.weights.items():
        moving = key.rsplit("/", 1)[-1].startswith("moving_")
        yield _tensor(name, call.weights[key], "state" if moving else "parameter")


def _masks(call: LayerCall) -> Iterable[Tensor]:
    masks = [m for value in call.masks.values() for m in keras.tree.flatten(value) if isinstance(m, np.ndarray)]
    for k, mask in enumerate(masks, 1):
        yield _tensor(Name("m", "m") if len(masks) == 1 else Name(f"m_{k}", f"m_{{{k}}}"), mask, "mask")


def _new(name: Name) -> Name:
    return Name(f"{name.name}_new", f"{name.latex}'", name.axes)


def _tensor(name: Name, value: np.ndarray, role: Role) -> Tensor:
    axes = name.axes if len(name.axes) == value.ndim else ()
    return Tensor(name.name, value, role, axes, name.latex)


@cache
def _numbers(kind: str) -> str:
    return {"b": r"\{0, 1\}", "i": r"\mathbb{Z}", "u": r"\mathbb{N}"}.get(kind, r"\mathbb{R}")


def _space(tensor: Tensor) -> str:
    return shape_space(tensor.axes or tensor.shape, _numbers(tensor.value.dtype.kind))
