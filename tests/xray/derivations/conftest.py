"""A layer called under a tape, as a LayerCall; and all that must hold for its derivation."""

from __future__ import annotations

import inspect
from collections import defaultdict

import numpy as np
import pytest

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations import Derivation, derive, why_not


def _variables(layer) -> dict[str, object]:
    """The layer's variables by the shortest names that are unique, as `LayerCall` has them."""
    paths = {v.path: v for v in layer.variables if "seed_generator" not in v.path}
    names = {}
    for path, variable in paths.items():
        parts = path.split("/")
        ends = ["/".join(parts[k:]) for k in range(len(parts) - 1, -1, -1)]
        names[next(end for end in ends if sum(other.endswith(f"/{end}") for other in paths) <= 1)] = variable
    return names


def _draw_weights(layer, rng) -> None:
    for name, variable in _variables(layer).items():
        noise = rng.random(variable.shape) if "variance" in name else rng.standard_normal(variable.shape)
        variable.assign(variable + 0.3 * noise)


def _seed_state(layer) -> np.ndarray | None:
    holder = getattr(layer, "_dropout_layer", layer)  # that of MultiHeadAttention
    generator = getattr(holder, "seed_generator", None)
    return None if generator is None else generator.state.numpy()


def _call_layer(
    layer,
    arguments: dict,
    masks: dict | None = None,
    *,
    training: bool = False,
    weights=None,
    dy=None,
    without_dy=(),
    dlogits=None,
    seed: int = 0,
) -> LayerCall:
    """Calls a Keras layer with NumPy arrays and returns all that went in and came out.

    Args:
        layer: made with ``dtype="float64"`` as a rule.
        arguments: of the call, by their names: arrays, lists of arrays, options.
        masks: ``mask`` and ``…_mask`` arguments by their names.
        training: as in the call.
        weights: of the layer, in Keras's order; drawn if None.
        dy: the upstream gradients; drawn if None.
        without_dy: the outputs that no gradient comes back to.
        dlogits: what the loss sends past the output; for the caller to check.
        seed: of what is drawn.
    """
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    masks = masks or {}
    tensors = keras.tree.map_structure(lambda v: tf.constant(v) if isinstance(v, np.ndarray) else v, arguments)
    named = [(name, t) for name, value in tensors.items() for t in keras.tree.flatten(value) if tf.is_tensor(t)]
    inputs = [tensor for _, tensor in named]
    first, *rest = tensors.values()
    rest = dict(zip([*tensors][1:], rest))
    layer(first, **rest)
    if weights is None:
        _draw_weights(layer, rng)
    else:
        layer.set_weights(weights)
    options = {name: mask for name, mask in masks.items() if name != "query_mask"}
    if "query_mask" in masks:  # MultiHeadAttention looks for it on the query alone
        tensors["query"]._keras_mask = tf.constant(masks["query_mask"])
    signature = inspect.signature(layer.call).parameters
    if "training" in signature:
        options["training"] = training

    variables, state = _variables(layer), _seed_state(layer)
    before = {name: variable.numpy() for name, variable in variables.items()}
    trainable = {name: variable for name, variable in variables.items() if variable.trainable}
    with tf.GradientTape() as tape:
        tape.watch([x for x in inputs if x.dtype.is_floating])
        outputs = keras.tree.flatten(layer(first, **rest, **options))
        dy = dy or [rng.standard_normal(y.shape).astype(y.dtype.name) for y in outputs]
        dy = [None if k in without_dy else d for k, d in enumerate(dy)]
        target = sum(tf.reduce_sum(y * d) for y, d in zip(outputs, dy) if d is not None)
    sources = [*inputs, *(variable.value for variable in trainable.values())]
    found = tape.gradient(target, sources) if tf.is_tensor(target) else [None] * len(sources)
    found = [None if d is None else tf.convert_to_tensor(d).numpy() for d in found]
    frozen = [name for name in variables if name not in trainable]
    is_mask = {name for name in signature if name == "mask" or name.endswith("_mask")} - {"use_causal_mask"}
    values = {name: p.default for name, p in signature.items() if p.default is not p.empty} | arguments
    return LayerCall(
        layer=layer,
        path=layer.name,
        index=0,
        inputs=tuple(x.numpy() for x in inputs),
        input_names=tuple(name for name, _ in named),
        arguments={name: value for name, value in values.items() if name not in {*is_mask, "training"}},
        masks={name: masks.get(name) for name in is_mask},
        outputs=tuple(y.numpy() for y in outputs),
        output_masks=tuple(None if (m := getattr(y, "_keras_mask", None)) is None else m.numpy() for y in outputs),
        training=training,
        weights=before,
        non_trainable=frozenset(frozen),
        updated={name: variables[name].numpy() for name in frozen if training},
        seed=state,
        dy=tuple(dy),
        dx=tuple(found[: len(inputs)]),
        gradients={name: d for name, d in zip(trainable, found[len(inputs) :]) if d is not None},
        dlogits=dlogits,
    )


def _assert_close(ours, theirs, rtol: float, name: str) -> None:
    """The largest difference, relative to the largest entry; of a gradient that is 0 but for rounding, to 1e-4."""
    assert ours.shape == theirs.shape, name
    ours, theirs = (a[np.isfinite(theirs) | (ours != theirs)] for a in (ours, theirs))  # a margin of −∞ is one
    difference = np.abs(ours - theirs).max(initial=0) / np.abs(theirs).max(initial=1e-4)
    assert difference <= rtol, f"{name}: {difference:.2e}"


def _check_derivation(call: LayerCall, rtol_y: float = 1e-10, rtol_gradient: float = 1e-9) -> Derivation:
    """A derivation agrees with Keras in outputs and gradients, and with autodiff in every sub-step."""
    derivation = derive(call)
    assert derivation is not None, why_not(call)
    assert why_not(call) == ""
    for k, (ours, theirs) in enumerate(zip(derivation.outputs, call.outputs, strict=True)):
        assert ours.dtype == theirs.dtype
        _assert_close(ours, theirs, rtol_y, f"output {k}")
    for k, (ours, theirs) in enumerate(zip(derivation.dx, call.dx, strict=True)):
        if theirs is None:  # nothing comes back
            assert ours is None or not ours.any(), f"dx {k}"
        else:
            assert ours.dtype == theirs.dtype
            _assert_close(ours, theirs, rtol_gradient, f"dx {k}")
    for name, ours in derivation.gradients.items():
        _assert_close(ours, call.gradients.get(name, np.zeros_like(ours)), rtol_gradient, name)
    assert derivation.gradients.keys() >= call.gradients.keys()
    for name, ours in derivation.updated.items():
        _assert_close(ours, call.updated[name], rtol_y, name)

    autodiff = derivation.autodiff()
    from_outside = {symbol.name for symbol in derivation._way.seeds}
    assert autodiff.gradients.keys() >= derivation.intermediate_gradients.keys() - from_outside
    for name, theirs in autodiff.values.items():
        _assert_close(derivation.values[name], theirs, rtol_y, name)
    for name, theirs in autodiff.gradients.items():
        _assert_close(derivation.intermediate_gradients[name], theirs, rtol_gradient, name)
    _check_steps(derivation)
    return derivation


def _check_steps(derivation: Derivation) -> None:
    """Names are unique, letters of axes mean one length each, equations are well-formed, values fit."""
    lengths, arrays = defaultdict(set), {}
    assert derivation.forward
    for step in (*derivation.forward, *derivation.backward):
        assert step.derived
        assert step.title
        assert step.spaces.keys() == step.tensors.keys()
        _check_latex(step.equation)
        for name, tensor in step.tensors.items():
            assert name == tensor.name
            _check_latex(tensor.latex)
            _check_latex(step.spaces[name])
            assert tensor.latex in step.equation or "dots" in step.equation or r"\sum_{k=1}" in step.equation, name
            assert len(tensor.axes) == tensor.value.ndim, f"{name}: {tensor.axes} for {tensor.shape}"
            assert arrays.setdefault(name, tensor.value) is tensor.value, f"two tensors are called {name}"
            assert not tensor.value.flags.writeable
            for letter, length in zip(tensor.axes, tensor.shape):
                lengths[letter].add(length)
    assert {letter: n for letter, n in lengths.items() if len(n) > 1} == {}


def _check_latex(latex: str) -> None:
    """Parses as matplotlib's mathtext, which knows less than KaTeX."""
    from matplotlib.mathtext import MathTextParser

    assert latex == latex.strip()
    assert "$" not in latex
    if latex not in _PARSED:
        MathTextParser("path").parse(f"${latex}$")
        _PARSED.add(latex)


_PARSED: set[str] = set()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@pytest.fixture(scope="session")
def call_layer():
    """``call_layer(layer, arguments, masks, …) -> LayerCall``; see its docstring."""
    return _call_layer


@pytest.fixture(scope="session")
def check_derivation():
    """``check_derivation(call, rtol_y, rtol_gradient) -> Derivation``; see its docstring."""
    return _check_derivation
