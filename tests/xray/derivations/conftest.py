"""A layer called under a tape, as a LayerCall; and all that must hold for its derivation."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from toolkit.xray._calls import LayerCall
from toolkit.xray.derivations import Derivation, derive, why_not


def short_names(layer) -> dict[str, object]:
    """The layer's variables as `LayerCall` calls them: the shortest names that are unique."""
    variables = [v for v in layer.variables if "seed_generator" not in v.path]
    names = {}
    for variable in variables:
        parts = variable.path.split("/")
        ends = ["/".join(parts[k:]) for k in range(len(parts) - 1, -1, -1)]
        others = [v.path for v in variables if v is not variable]
        names[next(e for e in ends if not any(o.endswith(f"/{e}") for o in others))] = variable
    return names


def _numpy(values):
    import keras

    return keras.tree.map_structure(lambda v: v if v is None or isinstance(v, bool) else np.asarray(v), values)


def _random_weights(layer, rng) -> None:
    for variable in layer.variables:
        if "seed_generator" in variable.path:
            continue
        noise = rng.random(variable.shape) if "variance" in variable.path else rng.standard_normal(variable.shape)
        variable.assign(variable + 0.3 * noise)


def call_layer(layer, arguments: dict, *, masks=None, training=False, without_dy=(), seed=0) -> LayerCall:
    """Calls a Keras layer with NumPy arrays and returns all that went in and came out.

    Args:
        layer: made with ``dtype="float64"`` as a rule; its weights are drawn.
        arguments: of the call, by their names; arrays, or lists of arrays.
        masks: ``mask`` and ``…_mask`` arguments by their names, which the layer gets from its inputs as in a model;
            those that no input carries are passed by hand.
        training: as in the call.
        without_dy: the outputs that no gradient comes back to.
        seed: of weights and upstream gradients.
    """
    import inspect

    import keras
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    masks = masks or {}
    tensors = keras.tree.map_structure(lambda v: tf.constant(v) if isinstance(v, np.ndarray) else v, arguments)
    flat = [t for v in tensors.values() for t in keras.tree.flatten(v) if tf.is_tensor(t)]
    names = [n for n, v in tensors.items() for t in keras.tree.flatten(v) if tf.is_tensor(t)]
    by_hand = {}
    for name, mask in masks.items():
        argument = next(iter(tensors)) if name == "mask" else name.removesuffix("_mask")
        if argument in tensors:
            for tensor, m in zip(keras.tree.flatten(tensors[argument]), keras.tree.flatten([mask])):
                if m is not None:
                    tensor._keras_mask = tf.constant(m)
        else:
            by_hand[name] = tf.constant(mask)
    takes_training = "training" in inspect.signature(layer.call).parameters
    kwargs = {"training": training} if takes_training else {}
    first, *rest = tensors.values()
    rest = dict(zip(list(tensors)[1:], rest))
    if not layer.built or not layer.variables:
        layer(first, **rest)
        _random_weights(layer, rng)
    for name, mask in masks.items():  # MultiHeadAttention has taken them off
        if name not in by_hand and name != "mask":
            tensors[name.removesuffix("_mask")]._keras_mask = tf.constant(mask)
    weights = {name: variable.numpy() for name, variable in short_names(layer).items()}
    generator = getattr(layer, "seed_generator", None) or getattr(
        getattr(layer, "_dropout_layer", None), "seed_generator", None
    )
    state = None if generator is None else generator.state.numpy()

    trainable = {n: v for n, v in short_names(layer).items() if v.trainable}
    with tf.GradientTape() as tape:
        tape.watch([t for t in flat if t.dtype.is_floating])
        y = layer(first, **rest, **by_hand, **kwargs)
        outputs = [o for o in keras.tree.flatten(y)]
        dy = [
            None if k in without_dy else rng.standard_normal(o.shape).astype(o.dtype.name)
            for k, o in enumerate(outputs)
        ]
        target = sum(tf.reduce_sum(o * d) for o, d in zip(outputs, dy) if d is not None)
    found = tape.gradient(target, [*flat, *(v.value for v in trainable.values())])
    found = [None if d is None else tf.convert_to_tensor(d).numpy() for d in found]
    signature = inspect.signature(layer.call)
    defaults = {n: p.default for n, p in signature.parameters.items() if p.default is not p.empty}
    is_mask = {n for n in signature.parameters if n == "mask" or (n.endswith("_mask") and n != "use_causal_mask")}
    return LayerCall(
        layer=layer,
        path=layer.name,
        index=0,
        inputs=tuple(t.numpy() for t in flat),
        input_names=tuple(names),
        arguments={n: v for n, v in (defaults | _numpy(arguments)).items() if n not in is_mask and n != "training"},
        masks={n: masks.get(n) for n in is_mask},
        outputs=tuple(o.numpy() for o in outputs),
        output_masks=tuple(None if (m := getattr(o, "_keras_mask", None)) is None else m.numpy() for o in outputs),
        training=training,
        weights=weights,
        non_trainable=frozenset(n for n, v in short_names(layer).items() if not v.trainable),
        updated={n: v.numpy() for n, v in short_names(layer).items() if not v.trainable and training},
        seed=state,
        dy=tuple(dy),
        dx=tuple(found[: len(flat)]),
        gradients={n: d for n, d in zip(trainable, found[len(flat) :]) if d is not None},
    )


def assert_close(ours, theirs, rtol: float, name: str) -> None:
    """The largest difference, relative to the largest entry; of a gradient that is 0 but for rounding, to 1e-4."""
    assert ours.shape == theirs.shape, name
    ours, theirs = (a[np.isfinite(theirs) | (ours != theirs)] for a in (ours, theirs))  # a margin of −∞ is one
    difference = np.abs(ours - theirs).max(initial=0) / np.abs(theirs).max(initial=1e-4)
    assert difference <= rtol, f"{name}: {difference:.2e}"


def check_derivation(call: LayerCall, rtol_y: float = 1e-10, rtol_gradient: float = 1e-9) -> Derivation:
    """A derivation agrees with Keras in outputs and gradients, and with autodiff in every sub-step."""
    derivation = derive(call)
    assert derivation is not None, why_not(call)
    assert why_not(call) == ""
    for k, (ours, theirs) in enumerate(zip(derivation.outputs, call.outputs, strict=True)):
        assert ours.dtype == theirs.dtype
        assert_close(ours, theirs, rtol_y, f"output {k}")
    for k, (ours, theirs) in enumerate(zip(derivation.dx, call.dx, strict=True)):
        assert (ours is None) == (theirs is None), f"dx {k}"
        if ours is not None:
            assert ours.dtype == theirs.dtype
            assert_close(ours, theirs, rtol_gradient, f"dx {k}")
    assert derivation.gradients.keys() == call.gradients.keys()
    for name, ours in derivation.gradients.items():
        assert_close(ours, call.gradients[name], rtol_gradient, name)
    for name, ours in derivation.updated.items():
        assert_close(ours, call.updated[name], rtol_y, name)

    autodiff = derivation.autodiff()
    assert autodiff.gradients.keys() | {"dy"} >= derivation.intermediate_gradients.keys() - _seeds(derivation)
    for name, theirs in autodiff.values.items():
        assert_close(derivation.values[name], theirs, rtol_y, name)
    for name, theirs in autodiff.gradients.items():
        assert_close(derivation.intermediate_gradients[name], theirs, rtol_gradient, name)
    check_steps(derivation)
    return derivation


def _seeds(derivation: Derivation) -> set[str]:
    return {symbol.name for symbol in derivation._way.seeds}


def check_steps(derivation: Derivation) -> None:
    """Names are unique, letters of axes mean one length each, equations are well-formed, values fit."""
    lengths, arrays = defaultdict(set), {}
    assert derivation.forward
    for step in (*derivation.forward, *derivation.backward):
        assert step.derived
        assert step.title
        assert step.spaces.keys() == step.tensors.keys()
        check_latex(step.equation)
        for name, tensor in step.tensors.items():
            assert name == tensor.name
            check_latex(tensor.latex)
            check_latex(step.spaces[name])
            assert tensor.latex in step.equation or "dots" in step.equation or r"\sum_{k=1}" in step.equation, name
            assert len(tensor.axes) == tensor.value.ndim, f"{name}: {tensor.axes} for {tensor.shape}"
            assert arrays.setdefault(name, tensor.value) is tensor.value, f"two tensors are called {name}"
            assert not tensor.value.flags.writeable
            for letter, length in zip(tensor.axes, tensor.shape):
                lengths[letter].add(length)
    assert {letter: n for letter, n in lengths.items() if len(n) > 1} == {}


def check_latex(latex: str) -> None:
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
