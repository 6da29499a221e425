r"""How the tensors of a layer are called: as its derivation calls them, ``x``, ``W``, ``y`` elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from toolkit import scratch
from toolkit.scratch._equations import Equations
from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations import Derivation, Symbol

_WEIGHTS = {
    "kernel": ("W", "W"),
    "recurrent_kernel": ("U", "U"),
    "bias": ("b", "b"),
    "embeddings": ("E", "E"),
    "gamma": ("gamma", r"\gamma"),
    "beta": ("beta", r"\beta"),
    "moving_mean": ("mu", r"\mu"),
    "moving_variance": ("variance", r"\sigma^2"),
}
_ACTIVATIONS = {"relu": "ReLU", "softmax": "Softmax", "tanh": "Tanh", "sigmoid": "Sigmoid", "gelu": "GELU"}


@dataclass(frozen=True)
class Name:
    r"""A tensor's name, in code and in a formula, and the letters of its axes where they are known."""

    name: str
    latex: str
    axes: tuple[str, ...] = ()
    numbers: str = ""

    @property
    def gradient(self) -> Name:
        """The name of its gradient: ``dW`` of ``W``."""
        return Name(f"d{self.name}", f"d {self.latex}" if self.latex.startswith("\\") else f"d{self.latex}", self.axes)


@dataclass(frozen=True)
class Names:
    """The names of a call's inputs, outputs, and weights by their keys."""

    inputs: tuple[Name, ...]
    outputs: tuple[Name, ...]
    weights: Mapping[str, Name]


def names_of(call: LayerCall, derivation: Derivation | None) -> Names:
    """The names that the derivation uses; without one ``x``, ``y``, ``x_1`` … and the weights' usual letters."""
    inputs, outputs = _numbered("x", len(call.inputs)), _numbered("y", len(call.outputs))
    weights = {key: _weight_name(key) for key in call.weights}
    if derivation is not None:
        graph = derivation.graph
        inputs = tuple(_of(graph.inputs[k]) if k in graph.inputs else name for k, name in enumerate(inputs))
        weights |= {key: _of(symbol) for key, symbol in graph.parameters.items()}
        outputs = tuple(map(_of, derivation.results))
    return Names(inputs, outputs, weights)


def _of(symbol: Symbol) -> Name:
    return Name(symbol.name, symbol.latex, symbol.axes, symbol.numbers)


def _numbered(letter: str, count: int) -> tuple[Name, ...]:
    if count == 1:
        return (Name(letter, letter),)
    return tuple(Name(f"{letter}_{k}", f"{letter}_{{{k}}}") for k in range(1, count + 1))


def _weight_name(key: str) -> Name:
    *parts, last = key.split("/")
    name, latex = _WEIGHTS.get(last, (last, _text(last)))
    if parts:
        name, latex = f"{name}_{'/'.join(parts)}", f"{latex}_{{{_text('/'.join(parts))}}}"
    return Name(name, latex)


def _text(words: str) -> str:
    escaped = words.replace("_", r"\_")
    return rf"\text{{{escaped}}}"


def equations_of(call: LayerCall, names: Names) -> Equations | None:
    """The lessons' equations of this kind of layer, in the mode in which it ran; None where they have none."""
    if call.kind == "Dropout" and not call.training:
        return Equations(("y = x",), ("dx = dy",))
    if call.kind == "BatchNormalization" and not (call.training and call.layer.trainable):
        mean, variance = (names.weights[key].latex for key in ("moving_mean", "moving_variance"))
        root = rf"\sqrt{{{variance} + \epsilon}}"
        return Equations(
            (rf"y_n = \gamma \odot \frac{{x_n - {mean}}}{{{root}}} + \beta",),
            (
                r"d\beta = \sum_n dy_n",
                rf"d\gamma = \sum_n dy_n \odot \frac{{x_n - {mean}}}{{{root}}}",
                rf"dx_n = \frac{{\gamma}}{{{root}}} \odot dy_n",
            ),
        )
    kind = call.kind
    if kind == "Activation":
        kind = _ACTIVATIONS.get(getattr(call.layer.activation, "__name__", ""), "")
        if not kind:
            return Equations(("a = f(z)",), (r"dz = da \odot f'(z)",))
    return getattr(getattr(scratch, kind, None), "equations", None)


def general_equations(call: LayerCall, names: Names) -> Equations:
    """The equations of a layer of which only the ends are known: ``y = f(x)``, and the chain rule."""
    xs, ys = [name.latex for name in names.inputs], [name.latex for name in names.outputs]
    given = "; ".join(part for part in (", ".join(xs), ", ".join(w.latex for w in names.weights.values())) if part)
    kind, y = call.kind.replace("_", r"\_"), ", ".join(ys)
    dy = ", ".join(name.gradient.latex for name in names.outputs)
    sources = [name for name, dx in zip(names.inputs, call.dx) if dx is not None]
    sources += [names.weights[key] for key in call.gradients]
    backward = tuple(
        rf"{x.gradient.latex} = \left( \frac{{\partial ({y})}}{{\partial {x.latex}}} \right)^{{\top}} ({dy})"
        for x in sources
    )
    return Equations((rf"{y} = \operatorname{{{kind}}}({given})",), backward)


def joined(lines: Sequence[str]) -> str:
    """Several equations as one formula, one below the other."""
    if len(lines) < 2:
        return lines[0] if lines else ""
    return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"


def shape_space(shape: Sequence[int | str], numbers: str = r"\mathbb{R}") -> str:
    r"""The space by its lengths or the letters of its axes: ``\mathbb{R}^{32 \times 10}``."""
    lengths = r" \times ".join(map(str, shape))
    return f"{numbers}^{{{lengths}}}" if lengths else numbers
