r"""Is a gradient right? Finite differences tell, without any calculus.

The central difference ``(f(x + h) − f(x − h)) / 2h`` approaches the derivative with an error of order ``h²``;
in float64 with ``h = 1e-5`` some nine digits of it are right.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.errors import CallOrderError, GradientMismatchError, InvalidValueError, ShapeError
from toolkit.scratch._layer import Layer
from toolkit.scratch._network import Network


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
    target: Layer | Network,
    x: np.ndarray | Sequence[np.ndarray],
    y: np.ndarray | Sequence[np.ndarray] | None = None,
    *,
    mask: np.ndarray | Sequence[np.ndarray | None] | None = None,
    h: float = 1e-5,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    training: bool = False,
    samples: int | None = None,
    seed: int = 0,
) -> GradientReport:
    """Compares every gradient of a layer or network with central differences, in float64.

    The check works on a float64 copy, so ``target`` keeps its parameters, gradients, averages and random state.

    Args:
        target: a layer, or a network with a loss (``compile``).
        x: inputs ``(N, …)``; several as a list of arrays.
        y: the targets, for a network. For a layer a random ``dy`` stands for the rest of a network.
        mask: the mask of ``x``, for a layer that takes one; of several inputs a list.
        h: step of the differences.
        rtol: allowed difference relative to the larger of the two values.
        atol: allowed absolute difference; rounding alone makes about 1e-10.
        training: whether dropout is on (with the same random numbers throughout) and batches are normalised.
        samples: compare only this many elements of each tensor, chosen at random; None compares all. Each
            element costs two forward passes, so use it for anything larger than a toy.
        seed: fixes the random ``dy`` and the choice of samples.

    Returns:
        The largest relative error for each parameter and, for a layer, for ``dx`` (``dx1``, ``dx2``, … of several
        inputs); an input without a gradient, such as word numbers, is left out.

    Raises:
        GradientMismatchError: a gradient is wrong; names the tensor, the worst index and both values.
        CallOrderError: a network without loss.
        ShapeError: a network without ``y``.
        InvalidValueError: ``target`` is neither layer nor network.
    """
    inputs = _inputs(x)
    twin = _in_float64(target)
    rng = np.random.default_rng(seed)
    if isinstance(twin, Network):
        gradients, scalar = _of_network(twin, inputs, y, training)
    else:
        gradients, scalar = _of_layer(twin, inputs, mask, training, rng)

    errors = {}
    for key, gradient in gradients.items():

        def loss_at(values: np.ndarray, key: str = key) -> float:
            replay = copy.deepcopy(twin) if training else twin  # in training: the same random numbers each time
            if key in inputs:
                return scalar(replay, inputs | {key: values})
            kept = replay.params[key].copy()
            replay.params[key][...] = values
            value = scalar(replay, inputs)
            replay.params[key][...] = kept
            return value

        tensor = inputs[key] if key in inputs else twin.params[key]
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


_Arrays = dict[str, np.ndarray]


def _inputs(x: np.ndarray | Sequence[np.ndarray]) -> _Arrays:
    """The inputs by their names: x, or x1, x2, … where ``x`` is a list of batches. Integers stay integers."""
    several = isinstance(x, list | tuple) and all(isinstance(values, np.ndarray) and values.ndim > 1 for values in x)
    named = {f"x{k}": values for k, values in enumerate(x, 1)} if several else {"x": np.array(x)}
    return {name: v if v.dtype.kind in "iub" else v.astype(np.float64) for name, v in named.items()}


def _argument(inputs: _Arrays) -> np.ndarray | list[np.ndarray]:
    return inputs["x"] if "x" in inputs else list(inputs.values())


def _of_network(
    network: Network, inputs: _Arrays, y: np.ndarray | Sequence[np.ndarray] | None, training: bool
) -> tuple[_Arrays, Callable[[Network, _Arrays], float]]:
    """The gradients of a network and its loss as a function of network and inputs."""
    if network.loss is None:
        raise CallOrderError("gradient_check", "a network with a loss", "none", "Call compile first.")
    if y is None:
        raise ShapeError("gradient_check", "targets y for a network", "none")

    def loss(network: Network, inputs: _Arrays) -> float:
        network.forward(_argument(inputs), training)
        return network.data_loss(y) + network.regularization()

    if not network.built:
        network.build(inputs["x"].shape[1:])
    _, gradients = copy.deepcopy(network).loss_and_gradients(_argument(inputs), y, training)
    return gradients, loss


def _of_layer(
    layer: Layer, inputs: _Arrays, mask: Any, training: bool, rng: np.random.Generator
) -> tuple[_Arrays, Callable[[Layer, _Arrays], float]]:
    """The gradients of a layer under a random ``dy``, and ``Σ y·dy``, the number whose gradients they are."""
    options = {} if mask is None else {"mask": mask}

    def outputs(layer: Layer, inputs: _Arrays) -> list[np.ndarray]:
        y = layer.forward(_argument(inputs), training, **options)
        return y if isinstance(y, list | tuple) else [y]

    def weighted_output(layer: Layer, inputs: _Arrays) -> float:
        return sum(float((y * d).sum()) for y, d in zip(outputs(layer, inputs), dy)) + layer.regularization()

    if not layer.built:
        shapes = tuple(values.shape[1:] for values in inputs.values())
        layer.build(shapes[0] if "x" in inputs else shapes, dtype="float64")
    start = copy.deepcopy(layer)
    dy = [rng.standard_normal(y.shape) for y in outputs(start, inputs)]
    dx = start.backward(dy if len(dy) > 1 else dy[0])
    named = zip(inputs, dx if isinstance(dx, list | tuple) else [dx])
    return {name: d for name, d in named if d is not None} | start.grads, weighted_output


def _in_float64(target: Layer | Network) -> Layer | Network:
    """A copy whose arrays are float64; the original is unchanged."""
    if not isinstance(target, Layer | Network):
        raise InvalidValueError("gradient_check", "a scratch layer or network", repr(target))
    twin = copy.deepcopy(target)
    for layer in twin.layers if isinstance(twin, Network) else [twin]:
        layer.dtype = np.dtype("float64")
        for arrays in (layer.params, layer.non_trainable):
            arrays |= {key: array.astype(np.float64) for key, array in arrays.items()}
    twin.dtype = np.dtype("float64")
    return twin
