r"""Is a gradient right? Finite differences tell, without any calculus.

The central difference ``(f(x + h) − f(x − h)) / 2h`` approaches the derivative with an error of order ``h²``;
in float64 with ``h = 1e-5`` some nine digits of it are right.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from toolkit.errors import CallOrderError, GradientMismatchError, InvalidValueError, ShapeError
from toolkit.scratch._layer import Layer
from toolkit.scratch._sequential import Sequential


def numerical_gradient(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    h: float = 1e-5,
    indices: Iterable[tuple[int, ...]] | None = None,
) -> np.ndarray:
    """Central differences of ``f`` at ``x``, one element after the other.

    Args:
        f: a function of an array like ``x`` that returns a number.
        x: where to differentiate, any shape, at least one element.
        h: the step; 1e-5 balances truncation against rounding in float64.
        indices: the elements to differentiate by; None means all.

    Returns:
        ``∂f/∂x``, float64, of the shape of ``x``; NaN at elements that ``indices`` leaves out. ``x`` itself is
        unchanged.
    """
    at = np.array(x, dtype=np.float64)
    gradient = np.full(at.shape, np.nan)
    for index in np.ndindex(at.shape) if indices is None else indices:
        value = at[index]
        at[index] = value + h
        above = float(f(at))
        at[index] = value - h
        below = float(f(at))
        at[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


@dataclass(frozen=True)
class GradientReport:
    """The largest relative error of each gradient that ``gradient_check`` compared."""

    errors: dict[str, float]

    @property
    def worst(self) -> float:
        """The largest relative error of all."""
        return max(self.errors.values())

    def __repr__(self) -> str:
        width = max(map(len, self.errors))
        return "\n".join(f"{name:<{width}}  relative error {error:.1e}  ✓" for name, error in self.errors.items())


def gradient_check(
    target: Layer | Sequential,
    x: np.ndarray,
    y: np.ndarray | None = None,
    *,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    training: bool = False,
    samples: int | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compares every gradient of a layer or network with central differences, in float64.

    The check works on a float64 copy, so ``target`` keeps its parameters, gradients and random state.

    Args:
        target: a layer, or a network with a loss (``compile``).
        x: inputs ``(N, …)``.
        y: the targets, for a network. For a layer a random ``dy`` stands for the rest of a network.
        h: step of the differences.
        rtol: allowed difference relative to the larger of the two values.
        atol: allowed absolute difference; rounding alone makes about 1e-10.
        training: whether dropout is on (with the same mask throughout).
        samples: compare only this many elements of each tensor, chosen at random; None compares all. Each
            element costs two forward passes, so use it for anything larger than a toy.
        seed: fixes the random ``dy`` and the choice of samples.

    Returns:
        The largest relative error for each parameter and, for a layer, for ``dx``.

    Raises:
        GradientMismatchError: a gradient is wrong; names the tensor, the worst index and both values.
        CallOrderError: a network without loss.
        ShapeError: a network without ``y``.
        InvalidValueError: ``target`` is neither layer nor network.
    """
    x = np.array(x, dtype=np.float64)
    twin = _in_float64(target)
    if not twin.built:
        twin.build(x.shape[1:], **({} if isinstance(twin, Sequential) else {"dtype": "float64"}))
    rng = np.random.default_rng(seed)
    if isinstance(twin, Sequential):
        _check_trainable(twin, y)
        gradients, scalar = _of_network(twin, x, y, training)
    else:
        gradients, scalar = _of_layer(twin, x, training, rng)

    errors = {}
    for key, gradient in gradients.items():

        def loss_at(values: np.ndarray, key: str = key) -> float:
            replay = copy.deepcopy(twin) if training else twin  # in training: the same dropout mask each time
            if key == "x":
                return scalar(replay, values)
            kept = replay.params[key].copy()
            replay.params[key][...] = values
            value = scalar(replay, x)
            replay.params[key][...] = kept
            return value

        tensor = x if key == "x" else twin.params[key]
        chosen = None
        if samples is not None and samples < tensor.size:
            flat = rng.choice(tensor.size, samples, replace=False)
            chosen = [tuple(int(i) for i in index) for index in zip(*np.unravel_index(flat, tensor.shape))]
        numeric = numerical_gradient(loss_at, tensor, h, chosen)
        name = gradient_name(key)
        errors[name] = compare_gradients(gradient, numeric, f"{twin.name} {name}", rtol=rtol, atol=atol)
    return GradientReport(errors)


def gradient_name(key: str) -> str:
    """The name of a parameter's gradient: ``"W"`` gives ``"dW"``, ``"dense/W"`` gives ``"dense/dW"``."""
    layer, _, symbol = key.rpartition("/")
    return f"{layer}/d{symbol}" if layer else f"d{symbol}"


def compare_gradients(
    gradient: np.ndarray,
    numeric: np.ndarray,
    where: str = "gradient",
    *,
    rtol: float = 1e-6,
    atol: float = 1e-8,
) -> float:
    """Compares a gradient with one from ``numerical_gradient``; elements where ``numeric`` is NaN do not count.

    Returns:
        The largest difference, relative to the largest value in either array.

    Raises:
        GradientMismatchError: an element differs by more than ``atol + rtol·max(|gradient|, |numeric|)``; names
            the worst index and both values.
        ShapeError: the shapes differ.
    """
    gradient = np.asarray(gradient, dtype=np.float64)
    if gradient.shape != numeric.shape:
        raise ShapeError(where, f"shape {numeric.shape}", f"shape {gradient.shape}")
    compared = ~np.isnan(numeric)
    gradient = np.where(compared, gradient, 0)
    numeric = np.where(compared, numeric, 0)
    difference = np.abs(gradient - numeric)
    scale = np.maximum(np.abs(gradient), np.abs(numeric))
    excess = np.where(np.isnan(gradient), np.inf, difference - (atol + rtol * scale))
    worst = np.unravel_index(excess.argmax(), excess.shape)
    if excess[worst] > 0:
        index = tuple(int(i) for i in worst)
        raise GradientMismatchError(
            where, f"{numeric[worst]:.8g} by finite differences at index {index}", f"{gradient[worst]:.8g}"
        )
    return float(difference.max() / max(scale.max(), np.finfo(np.float64).tiny))


_Gradients = dict[str, np.ndarray]


def _check_trainable(network: Sequential, y: np.ndarray | None) -> None:
    if network.loss is None:
        raise CallOrderError("gradient_check", "a network with a loss", "none", "Call compile first.")
    if y is None:
        raise ShapeError("gradient_check", "targets y for a network", "none")


def _of_network(
    network: Sequential, x: np.ndarray, y: np.ndarray, training: bool
) -> tuple[_Gradients, Callable[[Sequential, np.ndarray], float]]:
    """The gradients of a network and its loss as a function of network and input."""

    def loss(network: Sequential, x: np.ndarray) -> float:
        network.forward(x, training)
        return network.data_loss(y) + network.regularization()

    _, gradients = copy.deepcopy(network).loss_and_gradients(x, y, training)
    return gradients, loss


def _of_layer(
    layer: Layer, x: np.ndarray, training: bool, rng: np.random.Generator
) -> tuple[_Gradients, Callable[[Layer, np.ndarray], float]]:
    """The gradients of a layer under a random ``dy``, and ``Σ y·dy``, the number whose gradients they are."""
    start = copy.deepcopy(layer)
    dy = rng.standard_normal(start.forward(x, training).shape)
    dx = start.backward(dy)

    def weighted_output(layer: Layer, x: np.ndarray) -> float:
        return float((layer.forward(x, training) * dy).sum()) + layer.regularization()

    return {"x": dx, **start.grads}, weighted_output


def _in_float64(target: Layer | Sequential) -> Layer | Sequential:
    """A copy whose parameters are float64; the original is unchanged."""
    if not isinstance(target, Layer | Sequential):
        raise InvalidValueError("gradient_check", "a scratch layer or network", repr(target))
    twin = copy.deepcopy(target)
    for layer in twin.layers if isinstance(twin, Sequential) else [twin]:
        layer.dtype = np.dtype("float64")
        layer.params = {key: p.astype(np.float64) for key, p in layer.params.items()}
    twin.dtype = np.dtype("float64")
    return twin
