r"""Optimisers: how a gradient becomes a step.

``optimizer.step(params, grads)`` changes every parameter in place. Both are dicts with the same keys, such as
a layer's ``params`` and ``grads``, or a network's. The update rules are Keras's, down to where ε stands.

An embedding's gradient is a ``SparseGradient``. It is the same gradient with its zeros left out, so plain gradient
descent touches only the rows that a batch has used. Running averages fade in every row, used or not, and where they
move the parameters (momentum, Adam) they move all rows, as in Keras.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from toolkit.argument_checks import is_number
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError
from toolkit.scratch._clipping import Gradient, clip_by_global_norm, clip_by_norm, clip_by_value, square
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import keras_constant
from toolkit.scratch._sparse_gradient import SparseGradient

_SYMBOLS = {"w": r"\mathbb{R}^{n}", "g": r"\mathbb{R}^{n}", r"\alpha": r"\mathbb{R}_{>0}"}


def add(w: np.ndarray, factor: float, g: Gradient) -> None:
    """``w += factor · g`` in place; of a sparse gradient, only the rows that it has."""
    if isinstance(g, SparseGradient):
        g = g.summed()
        w[g.rows] += factor * g.values
    else:
        w += factor * g


class Optimizer(ABC):
    """Base of the optimisers.

    Every optimiser can clip the gradients before it uses them, in one of three ways that its constructor takes by
    name, each a positive limit c: ``clipnorm``, ``g · c / max(‖g‖, c)`` for each parameter by itself;
    ``global_clipnorm``, the same with the norm of all gradients together; ``clipvalue``, ``min(max(g, −c), c)``.

    Attributes:
        learning_rate: α; may be changed between steps.
        clipnorm: the largest norm of each gradient, or None.
        clipvalue: the largest size of each element, or None.
        global_clipnorm: the largest norm of all gradients taken as one vector, or None.
        iterations: how many steps have been taken.
        state: for each parameter its running averages, e.g. ``{"dense/W": {"m": …, "v": …}}``.
        equations: one update as LaTeX, with ``w`` a parameter and ``g = ∂L/∂w``.
    """

    equations: ClassVar[Equations]
    slots: tuple[str, ...] = ()

    def __init__(
        self,
        learning_rate: float,
        *,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        self.learning_rate = self._in_range("learning_rate", learning_rate, 0, math.inf)
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        chosen = {name: limit for name, limit in limits.items() if limit is not None}
        for name, limit in chosen.items():
            if self._in_range(name, limit, 0, math.inf) == 0:
                raise InvalidValueError(type(self).__name__, f"{name} above 0, or None", repr(limit))
        if len(chosen) > 1:
            raise InvalidValueError(type(self).__name__, f"one of {', '.join(limits)}", f"{' and '.join(chosen)}")
        self.iterations = 0
        self.state: dict[str, dict[str, np.ndarray]] = {}
        self._trained: dict[str, np.ndarray] = {}

    @abstractmethod
    def update(self, w: np.ndarray, g: Gradient, state: dict[str, np.ndarray]) -> None:
        """Changes ``w`` in place by one step along ``g``; ``iterations`` counts from 1 here."""

    @property
    def alpha(self) -> float:
        """The learning rate as the updates use it, in the precision that Keras keeps it in."""
        return keras_constant(self.learning_rate)

    def step(self, params: Mapping[str, np.ndarray], grads: Mapping[str, Gradient]) -> None:
        """Takes one step: updates every array of ``params`` in place from the one of the same name in ``grads``.

        Raises:
            ShapeError: a gradient is missing or has another shape than its parameter.
            CallOrderError: the running averages belong to another network's parameters.
        """
        self._check(params, grads)
        self.iterations += 1
        clipped = self.clip({key: grads[key] for key in params})
        for key, w in params.items():
            self.update(w, clipped[key], self.state[key])

    def clip(self, grads: dict[str, Gradient]) -> dict[str, Gradient]:
        """The gradients that a step uses: clipped if that was asked for; ``grads`` is unchanged."""
        if self.clipnorm is not None:
            return {key: clip_by_norm(g, self.clipnorm) for key, g in grads.items()}
        if self.clipvalue is not None:
            return {key: clip_by_value(g, self.clipvalue) for key, g in grads.items()}
        if self.global_clipnorm is not None:
            return clip_by_global_norm(grads, self.global_clipnorm)
        return grads

    def reset(self) -> None:
        """Forgets all running averages and the step count."""
        self.iterations = 0
        self.state, self._trained = {}, {}

    def _check(self, params: Mapping[str, np.ndarray], grads: Mapping[str, Gradient]) -> None:
        where = type(self).__name__
        for key, w in params.items():
            if key not in grads:
                raise ShapeError(
                    where,
                    f"a gradient for {key!r}",
                    f"gradients for {sorted(grads)}",
                    "Call backward before step.",
                )
            if np.shape(grads[key]) != w.shape:
                raise ShapeError(where, f"a gradient of shape {w.shape} for {key!r}", f"shape {np.shape(grads[key])}")
            if self._trained.setdefault(key, w) is not w:
                raise CallOrderError(
                    where,
                    f"the same {key!r} as in the steps before",
                    "the parameter of another network",
                    "Running averages do not carry over: use a new optimiser, or reset() this one.",
                )
            if key not in self.state:
                self.state[key] = {slot: np.zeros_like(w) for slot in self.slots}

    def _in_range(self, name: str, value: float, low: float, high: float) -> float:
        if not is_number(value) or not low <= value < high:
            raise InvalidValueError(type(self).__name__, f"{name} in [{low}, {high})", repr(value))
        return float(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self.learning_rate})"


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for; *stochastic* when each step sees one batch.

    Args:
        learning_rate: α.
        momentum: μ in [0, 1); 0 is plain gradient descent.
        nesterov: whether to step with the momentum looked ahead (see ``Nesterov``).
    """

    equations = Equations((r"w \leftarrow w - \alpha g",), symbols=_SYMBOLS, source="Robbins and Monro (1951)")

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, **clipping: float | None
    ) -> None:
        super().__init__(learning_rate, **clipping)
        self.momentum = self._in_range("momentum", momentum, 0, 1)
        self.nesterov = nesterov
        self.slots = ("v",) if self.momentum else ()

    def update(self, w: np.ndarray, g: Gradient, state: dict[str, np.ndarray]) -> None:
        if self.momentum == 0:
            add(w, -self.alpha, g)
            return
        v, mu = state["v"], keras_constant(self.momentum)
        v *= mu
        add(v, -self.alpha, g)
        if self.nesterov:
            w += mu * v
            add(w, -self.alpha, g)
        else:
            w += v


class Momentum(SGD):
    """Gradient descent with momentum: the velocity ``v`` adds up past steps, fading by μ at each."""

    equations = Equations(
        (r"v \leftarrow \mu v - \alpha g", r"w \leftarrow w + v"),
        symbols=_SYMBOLS | {"v": r"\mathbb{R}^{n}", r"\mu": "[0, 1)"},
        source="Polyak (1964)",
    )

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, **clipping: float | None) -> None:
        super().__init__(learning_rate, momentum, **clipping)


class Nesterov(SGD):
    """Momentum that looks ahead: the step is the one that momentum would take next."""

    equations = Equations(
        (r"v \leftarrow \mu v - \alpha g", r"w \leftarrow w + \mu v - \alpha g"),
        symbols=_SYMBOLS | {"v": r"\mathbb{R}^{n}", r"\mu": "[0, 1)"},
        source="Nesterov (1983); Sutskever et al. (2013)",
    )

    def __init__(self, learning_rate: float = 0.01, momentum: float = 0.9, **clipping: float | None) -> None:
        super().__init__(learning_rate, momentum, nesterov=True, **clipping)


class RMSprop(Optimizer):
    """Divides each step by the running root mean square of its gradient.

    Args:
        learning_rate: α.
        rho: ρ, how slowly the mean square forgets.
        epsilon: ε, keeps the division away from 0; it stands under the root, as in Keras.
    """

    equations = Equations(
        (r"v \leftarrow \rho v + (1 - \rho) g^2", r"w \leftarrow w - \frac{\alpha\, g}{\sqrt{v + \epsilon}}"),
        symbols=_SYMBOLS | {"v": r"\mathbb{R}^{n}", r"\rho": "[0, 1)", r"\epsilon": r"\mathbb{R}_{>0}"},
        source="Tieleman and Hinton (2012)",
    )
    slots = ("v",)

    def __init__(
        self, learning_rate: float = 0.001, rho: float = 0.9, epsilon: float = 1e-7, **clipping: float | None
    ) -> None:
        super().__init__(learning_rate, **clipping)
        self.rho = self._in_range("rho", rho, 0, 1)
        self.epsilon = self._in_range("epsilon", epsilon, 0, math.inf)

    def update(self, w: np.ndarray, g: Gradient, state: dict[str, np.ndarray]) -> None:
        v = state["v"]
        v *= self.rho
        add(v, 1 - self.rho, square(g))
        if isinstance(g, SparseGradient):
            g = g.summed()
            w[g.rows] -= self.alpha * g.values / np.sqrt(v[g.rows] + self.epsilon)
        else:
            w -= self.alpha * g / np.sqrt(v + self.epsilon)


class Adam(Optimizer):
    """Momentum and RMSprop together, both corrected for having started at zero.

    The correction of both averages is one factor on the learning rate, as in the paper's last remark of
    section 2 and in Keras; ε is therefore the paper's ε̂.

    Args:
        learning_rate: α.
        beta_1: β₁, how slowly the mean of the gradient forgets.
        beta_2: β₂, how slowly the mean of its square forgets.
        epsilon: ε, added to the root.
    """

    equations = Equations(
        (
            r"m \leftarrow \beta_1 m + (1 - \beta_1) g",
            r"v \leftarrow \beta_2 v + (1 - \beta_2) g^2",
            r"\alpha_t = \alpha \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}",
            r"w \leftarrow w - \alpha_t \frac{m}{\sqrt v + \epsilon}",
        ),
        symbols=_SYMBOLS
        | {"m": r"\mathbb{R}^{n}", "v": r"\mathbb{R}^{n}", r"\beta_1, \beta_2": "[0, 1)", "t": r"\mathbb{N}"},
        source="Kingma and Ba (2015), arXiv:1412.6980",
    )
    slots = ("m", "v")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float | None,
    ) -> None:
        super().__init__(learning_rate, **clipping)
        self.beta_1 = self._in_range("beta_1", beta_1, 0, 1)
        self.beta_2 = self._in_range("beta_2", beta_2, 0, 1)
        self.epsilon = self._in_range("epsilon", epsilon, 0, math.inf)

    def update(self, w: np.ndarray, g: Gradient, state: dict[str, np.ndarray]) -> None:
        m, v, t = state["m"], state["v"], self.iterations
        m *= self.beta_1
        add(m, 1 - self.beta_1, g)
        v *= self.beta_2
        add(v, 1 - self.beta_2, square(g))
        beta_1, beta_2 = keras_constant(self.beta_1), keras_constant(self.beta_2)
        alpha_t = self.alpha * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        # w −= alpha_t · m / (√v + ε), all in one array: a large parameter is slow to copy.
        step = np.sqrt(v, out=np.empty_like(v))  # without out, the root of a single number is no array
        step += self.epsilon
        np.divide(m, step, out=step)
        step *= alpha_t
        w -= step


class AdamW(Adam):
    """Adam with weight decay taken out of the gradient: every parameter first shrinks by ``α·λ·w``.

    Args:
        learning_rate: α.
        weight_decay: λ; applied to all parameters, biases included, as in Keras.
        beta_1: β₁ of Adam.
        beta_2: β₂ of Adam.
        epsilon: ε of Adam.
    """

    equations = Equations(
        (r"w \leftarrow w - \alpha \lambda w", *Adam.equations.forward),
        symbols=Adam.equations.symbols | {r"\lambda": r"\mathbb{R}_{\ge 0}"},
        source="Loshchilov and Hutter (2019), arXiv:1711.05101",
    )

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **clipping: float | None,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **clipping)
        self.weight_decay = self._in_range("weight_decay", weight_decay, 0, math.inf)

    def update(self, w: np.ndarray, g: Gradient, state: dict[str, np.ndarray]) -> None:
        w -= self.alpha * keras_constant(self.weight_decay) * w
        super().update(w, g, state)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
}


def get_optimizer(optimizer: str | Optimizer) -> Optimizer:
    """Returns the optimiser for a name (with its default settings) or an instance.

    Raises:
        InvalidValueError: no optimiser has that name.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if optimizer not in OPTIMIZERS:
        raise InvalidValueError("compile", f"an optimiser: {', '.join(OPTIMIZERS)}", repr(optimizer))
    return OPTIMIZERS[optimizer]()
