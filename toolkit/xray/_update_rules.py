r"""The update rules of the optimisers, line by line: LaTeX beside NumPy. A prime marks what a number becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np

from toolkit.scratch._layer import keras_constant

Numbers = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Line:
    """One line of a rule: ``result`` by its name, from the numbers that are there before.

    ``latex`` is the name of the result in a formula; ``scalar`` says that it is one number for all weights.
    """

    title: str
    equation: str
    result: str
    latex: str
    compute: Callable[[Numbers], np.ndarray]
    scalar: bool = False


@dataclass(frozen=True)
class Rule:
    """How an optimiser changes a weight w with the gradient g.

    Attributes:
        lines: in the order in which they are computed, without weight decay; the last one gives ``w_new``.
        decays: whether weights decay first.
        constants: the optimiser's settings by their symbols.
        slots: which running average of Keras is which symbol: ``{"m": "_momentums"}``.
        source: where the method was published.
    """

    lines: tuple[Line, ...]
    decays: bool
    constants: Mapping[str, float]
    slots: Mapping[str, str]
    source: str

    def lines_for(self, decays: bool) -> tuple[Line, ...]:
        """The lines for a weight that decays, or for one that is spared."""
        if not (decays and self.decays):
            return self.lines
        *lines, step = self.lines
        return (_DECAY, *lines, replace(step, equation=step.equation.replace("= w", r"= \tilde w", 1)))


def rule_of(optimizer: keras.Optimizer) -> Rule | str:
    """The rule of a Keras optimiser, or in words why there is none for it."""
    known = {keras.optimizers.SGD: _sgd, keras.optimizers.RMSprop: _rmsprop}
    known |= {keras.optimizers.Adam: _adam, keras.optimizers.AdamW: _adam}
    if type(optimizer) not in known:
        return f"No derivation of {type(optimizer).__name__}."
    options = {
        "use_ema": optimizer.use_ema,
        "gradient_accumulation_steps": optimizer.gradient_accumulation_steps,
        "loss_scale_factor": optimizer.loss_scale_factor,
        "amsgrad": getattr(optimizer, "amsgrad", False),
        "centered": getattr(optimizer, "centered", False),
        "momentum of RMSprop": isinstance(optimizer, keras.optimizers.RMSprop) and optimizer.momentum,
    }
    if used := [name for name, value in options.items() if value]:
        return f"No derivation of {type(optimizer).__name__} with {', '.join(used)}."
    lines, constants, slots, source = known[type(optimizer)](optimizer)
    constants = {"alpha": float(optimizer.learning_rate)} | constants
    if optimizer.weight_decay:
        constants["lambda"] = keras_constant(optimizer.weight_decay)
    return Rule(tuple(lines), bool(optimizer.weight_decay), constants, slots, source)


_Parts = tuple[tuple[Line, ...], dict[str, float], dict[str, str], str]

_DECAY = Line(
    "weight decay",
    r"\tilde w = w - \alpha \lambda w",
    "w_tilde",
    r"\tilde w",
    lambda n: n["w"] - n["alpha"] * n["lambda"] * n["w"],
)


def _start(n: Numbers) -> np.ndarray:
    """The weight that the step starts from: with weight decay, what is left of it."""
    return n["w_tilde"] if "w_tilde" in n else n["w"]


def _sgd(optimizer: keras.optimizers.SGD) -> _Parts:
    if not optimizer.momentum:
        step = Line("step", r"w' = w - \alpha g", "w_new", "w'", lambda n: _start(n) - n["alpha"] * n["g"])
        return (step,), {}, {}, "Robbins and Monro (1951)"
    velocity = Line(
        "velocity", r"v' = \mu v - \alpha g", "v_new", "v'", lambda n: n["mu"] * n["v"] - n["alpha"] * n["g"]
    )
    if optimizer.nesterov:
        source = "Nesterov (1983); Sutskever et al. (2013)"
        step = Line(
            "step, one ahead",
            r"w' = w + \mu v' - \alpha g",
            "w_new",
            "w'",
            lambda n: _start(n) + n["mu"] * n["v_new"] - n["alpha"] * n["g"],
        )
    else:
        source = "Polyak (1964)"
        step = Line("step", "w' = w + v'", "w_new", "w'", lambda n: _start(n) + n["v_new"])
    return (velocity, step), {"mu": keras_constant(optimizer.momentum)}, {"v": "momentums"}, source


def _mean_square(name: str) -> Line:
    symbol = {"rho": r"\rho", "beta_2": r"\beta_2"}[name]
    return Line(
        "running mean of the squared gradient",
        rf"v' = {symbol} v + (1 - {symbol}) g^2",
        "v_new",
        "v'",
        lambda n: n[name] * n["v"] + (1 - n[name]) * (n["g_squared"] if "g_squared" in n else n["g"] ** 2),
    )


def _rmsprop(optimizer: keras.optimizers.RMSprop) -> _Parts:
    step = Line(
        "step",
        r"w' = w - \frac{\alpha\, g}{\sqrt{v' + \epsilon}}",
        "w_new",
        "w'",
        lambda n: _start(n) - n["alpha"] * n["g"] / np.sqrt(n["v_new"] + n["epsilon"]),
    )
    constants = {"rho": optimizer.rho, "epsilon": optimizer.epsilon}
    return (_mean_square("rho"), step), constants, {"v": "_velocities"}, "Tieleman and Hinton (2012)"


def _bias_correction(n: Numbers) -> np.ndarray:
    beta_1, beta_2 = keras_constant(n["beta_1"]), keras_constant(n["beta_2"])  # here Keras rounds them, above not
    return n["alpha"] * np.sqrt(1 - beta_2 ** n["t"]) / (1 - beta_1 ** n["t"])


def _adam(optimizer: keras.optimizers.Adam) -> _Parts:
    lines = (
        Line(
            "running mean of the gradient",
            r"m' = \beta_1 m + (1 - \beta_1) g",
            "m_new",
            "m'",
            lambda n: n["beta_1"] * n["m"] + (1 - n["beta_1"]) * n["g"],
        ),
        _mean_square("beta_2"),
        Line(
            "bias correction",
            r"\alpha_t = \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}",
            "alpha_t",
            r"\alpha_t",
            _bias_correction,
            scalar=True,
        ),
        Line(
            "step",
            r"w' = w - \alpha_t \frac{m'}{\sqrt{v'} + \epsilon}",
            "w_new",
            "w'",
            lambda n: _start(n) - n["alpha_t"] * n["m_new"] / (np.sqrt(n["v_new"]) + n["epsilon"]),
        ),
    )
    constants = {"beta_1": optimizer.beta_1, "beta_2": optimizer.beta_2, "epsilon": optimizer.epsilon}
    source = "Kingma and Ba (2015), arXiv:1412.6980"
    if isinstance(optimizer, keras.optimizers.AdamW):
        source = "Loshchilov and Hutter (2019), arXiv:1711.05101"
    return lines, constants, {"m": "_momentums", "v": "_velocities"}, source
