"""The proof of a trace: what it shows against TensorFlow, what it recomputes against Keras."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import GradientMismatchError
from toolkit.xray._calls import LayerCall
from toolkit.xray._capture import Capture, Weight
from toolkit.xray._loss_formulas import is_sparse
from toolkit.xray._losses import LossTerm, WatchedLoss
from toolkit.xray._naming import Names, names_of
from toolkit.xray._redo import Redone, redo
from toolkit.xray._state import put_values, unchanged, variables_of
from toolkit.xray._steps import derivation_of
from toolkit.xray._watch import functions_run_eagerly
from toolkit.xray.derivations import Derivation
from toolkit.xray.derivations.operations import Mean, WeightedSum

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

TOLERANCES = {"float64": 1e-9, "float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}
_WHOLE = "model, run again"


@dataclass(frozen=True)
class Check:
    """One tensor, compared.

    Attributes:
        layer, call: whose tensor it is.
        tensor: its name in the layer's equation.
        what: who computed it and what it was compared with.
        error: the largest difference, over the largest entry of the reference. What cancels to nearly nothing has only
            rounding left; there the terms are the measure: of a mean its inputs, of a weight's gradient the norm of
            what it is the sum of, or the largest gradient in its layer.
        limit: how large the error may be; whole numbers have to be equal.
    """

    layer: str
    call: int
    tensor: str
    what: str
    shape: tuple[int, ...]
    error: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the error is within its limit."""
        return self.error <= self.limit

    @property
    def share(self) -> float:
        """The error as a share of its limit."""
        return self.error / self.limit if self.limit else float("inf") if self.error else 0.0


@dataclass(frozen=True)
class Verification:
    """What ``verify`` compared.

    Attributes:
        rows: one for each tensor.
    """

    rows: tuple[Check, ...]

    @property
    def worst(self) -> Check | None:
        """The comparison that is closest to its limit, or furthest beyond; None where there was nothing to compare."""
        return max(self.rows, key=lambda row: row.share, default=None)

    @property
    def failed(self) -> tuple[Check, ...]:
        """The comparisons beyond their limits, the worst one first."""
        return tuple(sorted((row for row in self.rows if not row.passed), key=lambda row: -row.share))

    def __str__(self) -> str:
        head = f"{'layer':<32} {'tensor':<16} {'compared':<34} {'error':>9}"
        lines = [
            f"{_short(row.layer, row.call):<32} {row.tensor:<16} {row.what:<34} {row.error:>9.1e}"
            + ("" if row.passed else f"  over {row.limit:.0e}")
            for row in self.rows
        ]
        passed = sum(row.passed for row in self.rows)
        return "\n".join([head, *lines, f"{passed} of {len(self.rows)} tensors agree."])


def _short(layer: str, call: int) -> str:
    name = f"{layer} ({call + 1})" if call else layer
    return name if len(name) <= 32 else "…" + name[-31:]


def verify(trace: Trace, tolerance: float | None) -> Verification:
    """Compares everything; raises GradientMismatchError where something differs."""
    seen = trace.capture
    with unchanged(seen.model):
        variables = variables_of(seen.model)
        put_values(variables, seen.values)
        rows = [*_run_again(seen)]
        put_values(variables, seen.values)
        rows += _layers(trace)
    rows += [*_losses(seen), *_updates(trace)]
    if tolerance is not None:
        rows = [replace(row, limit=tolerance) for row in rows]
    result = Verification(tuple(rows))
    if failed := result.failed:
        worst = ", ".join(
            f"{_short(row.layer, row.call)} {row.tensor}: {row.error:.2g} ({row.what})" for row in failed[:5]
        )
        raise GradientMismatchError(
            f"verify, model {trace.name!r}",
            f"{len(rows)} tensors within {failed[0].limit:g} of their references",
            f"{len(failed)} that differ: {worst}",
            "Print the trace of these layers; please report it with the model.",
        )
    return result


def difference(value: Any, reference: Any, scale: float = 0.0) -> float:
    """The largest ``|value − reference|`` over the largest ``|reference|``, or over ``scale`` if that is larger.

    Equal entries that are not finite agree; other such entries, and different shapes, differ infinitely.
    """
    a, b = np.asarray(value).astype("float64"), np.asarray(reference).astype("float64")
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    finite = np.isfinite(a) & np.isfinite(b)
    if not (((a == b) | (np.isnan(a) & np.isnan(b))) | finite).all():
        return float("inf")
    apart = np.abs(np.subtract(a, b, where=finite, out=np.zeros_like(a))).max()
    largest = np.abs(b, where=finite, out=np.zeros_like(b)).max()
    return float(apart / max(largest, scale, np.finfo(np.float32).tiny))


def _check(
    call: LayerCall | str, tensor: str, what: str, value: Any, reference: Any, *, scale: float = 0.0, dtype: Any = None
) -> Check:
    layer, index = (call, 0) if isinstance(call, str) else (call.path, call.index)
    dtypes = [np.asarray(reference).dtype if dtype is None else dtype]
    if isinstance(call, LayerCall) and TOLERANCES.get(str(dtypes[0])):
        dtypes += [x.dtype for x in call.inputs]  # normalisation takes float32 in a float64 model as it is
    limit = max(TOLERANCES.get(str(each), 0.0) for each in dtypes)
    shape = np.shape(reference)
    return Check(layer, index, tensor, what, shape, difference(value, reference, scale), limit)


# ---------------------------------------------------------------------- the whole step, unwatched


def _run_again(seen: Capture) -> Iterator[Check]:
    what = "watched, with unwatched"
    flat = [t for t in keras.tree.flatten(seen.structure) if isinstance(t, tf.Tensor)]
    floats = [t for t in flat if t.dtype.is_floating]
    outputs, total, gradients = _unwatched(seen, floats)
    if any(g is None and w.gradient is not None for g, w in zip(gradients, seen.weights)):
        # TensorFlow loses weights that were made inside a compiled function when it runs that function by itself.
        put_values(variables_of(seen.model), seen.values)
        with functions_run_eagerly(True):
            outputs, total, gradients = _unwatched(seen, floats)
    root = seen.calls[-1]
    for k, (again, output) in enumerate(zip(keras.tree.flatten(outputs), root.outputs)):
        yield _check(_WHOLE, f"output {k + 1}", what, output, again.numpy())
    if total is None:
        return
    yield _check(_WHOLE, "L", what, seen.total, total.numpy())
    scales = _scales(seen.calls)
    for weight, gradient in zip(seen.weights, gradients):
        shown = _shown(seen, weight)
        if gradient is not None or shown:
            reference = _array(gradient, weight.value)
            scale = scales.get(id(weight.variable), 0.0)
            checks = [
                _check(_WHOLE, weight.name, what, value, reference, scale=scale) for value in shown or [0 * reference]
            ]
            yield max(checks, key=lambda check: check.error)
    shown_dx = [dx for x, dx in zip(flat, seen.dx) if x.dtype.is_floating]
    for k, (dx, gradient) in enumerate(zip(shown_dx, gradients[len(seen.weights) :])):
        if gradient is not None or dx is not None:
            # Inputs in float64 may go through a model in float32.
            loosest = max((str(y.dtype) for y in (*root.outputs, *root.inputs)), key=lambda d: TOLERANCES.get(d, 0.0))
            yield _check(_WHOLE, f"dx_{k + 1}", what, 0 if dx is None else dx, _array(gradient, dx), dtype=loosest)


def _unwatched(seen: Capture, floats: list[tf.Tensor]) -> tuple[Any, tf.Tensor | None, list]:
    """Outputs, loss, and its gradients with respect to all weights and inputs, as anybody would compute them."""
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = seen.model(seen.structure, training=seen.training)
        if seen.loss is None:
            return outputs, None, []
        loss = WatchedLoss(seen.loss._user_loss, seen.loss._user_loss_weights, seen.loss.output_names)
        value = loss(seen.y, outputs, seen.sample_weight)
        total = value + sum(tf.cast(tf.reduce_sum(each), value.dtype) for each in seen.model.losses)
    return outputs, total, tape.gradient(total, [*(w.variable._value for w in seen.weights), *floats])


def _shown(seen: Capture, weight: Weight) -> list[np.ndarray]:
    """The gradient of a weight wherever a trace shows it: in the update, and in the calls without the regulariser."""
    penalty = 0 if weight.penalty is None else weight.penalty
    keys = {key for call in seen.calls for key, v in call.variables.items() if v is weight.variable}
    found = [
        call.gradients[key] + penalty
        for call in seen.calls
        for key in keys
        if call.variables.get(key) is weight.variable and key in call.gradients
    ]
    return found if weight.gradient is None else [weight.gradient, *found]


def _array(gradient: Any, like: Any) -> np.ndarray:
    return np.zeros(np.shape(like)) if gradient is None else tf.convert_to_tensor(gradient).numpy()


def _scales(calls: Iterable[LayerCall]) -> dict[int, float]:
    """Of each trainable variable, by ``id``, the measure of its gradient's error (see ``Check.error``)."""
    scales: dict[int, float] = {}
    for call in calls:
        scale = max([_norm(call), *map(_largest, call.gradients.values())])
        for key in call.gradients:
            v = id(call.variables[key])
            scales[v] = max(scale, scales.get(v, 0.0))
    return scales


def _norm(call: LayerCall) -> float:
    """The largest norm of what arrives at one unit or channel, over all samples and places."""
    arriving = [dy for dy in (*call.dy, call.dlogits) if dy is not None and dy.ndim]
    columns = [dy.astype("float64").reshape(-1, dy.shape[-1]) for dy in arriving]
    return max((_largest(np.sqrt(np.square(each).sum(axis=0))) for each in columns), default=0.0)


def _largest(values: np.ndarray) -> float:
    values = np.abs(values[np.isfinite(values)])
    return float(values.max()) if values.size else 0.0


# ---------------------------------------------------------------------- layer by layer


def _layers(trace: Trace) -> list[Check]:
    rows: list[Check] = []
    scales = _scales(trace.capture.calls)
    shares: dict[int, list[Share]] = {}
    for call in trace.capture.calls:
        if call.parts:
            continue
        derivation = derivation_of(call)
        what = "NumPy, with Keras" if derivation else "alone, with the whole"
        found = redo(call) if derivation is None else Redone(derivation.outputs, derivation.dx, derivation.gradients)
        names = names_of(call, derivation)
        rows += _one_layer(call, found, names, what)
        if derivation is not None:
            rows += _sub_steps(call, derivation)
            for key, value in derivation.updated.items():
                after = call.updated.get(key, call.weights[key])
                shown = f"{names.weights[key].name}_new"
                rows.append(_check(call, shown, what, value, after, scale=_largest(call.inputs[0])))
        for name, gradient in found.gradients.items():
            if name in call.gradients and gradient is not None:
                shares.setdefault(id(call.variables[name]), []).append(
                    Share(call, name, names.weights[name].gradient.name, gradient)
                )
    for group in shares.values():
        rows.append(_shared_weight(group, scales))
    return rows


def _one_layer(call: LayerCall, found: Redone, names: Names, what: str) -> Iterator[Check]:
    for name, value, output in zip(names.outputs, found.outputs, call.outputs, strict=True):
        yield _check(call, name.name, what, value, output)
    scale = max((_largest(dx) for dx in call.dx if dx is not None), default=0.0)
    for name, value, dx in zip(names.inputs, found.dx, call.dx):
        if value is not None or dx is not None:
            reference = np.zeros(np.shape(value), np.asarray(value).dtype) if dx is None else dx
            yield _check(
                call,
                name.gradient.name,
                what,
                np.zeros(reference.shape) if value is None else value,
                reference,
                scale=scale,
            )


@dataclass(frozen=True, eq=False)
class Share:
    """What one call gives to the gradient of the weight ``key``, which its equation calls ``shown``."""

    call: LayerCall
    key: str
    shown: str
    gradient: np.ndarray


def _shared_weight(shares: list[Share], scales: Mapping[int, float]) -> Check:
    """The gradient of one weight: the sum of what its calls give, beside the whole model's."""
    first = shares[0]
    reference = first.call.gradients[first.key]
    scale = scales[id(first.call.variables[first.key])]
    total = sum(share.gradient.astype("float64") for share in shares)
    what = "NumPy, with TensorFlow" if len(shares) == 1 else f"sum of {len(shares)} calls, with TensorFlow"
    check = _check(first.call, first.shown, what, total, reference, scale=scale)
    if check.passed:
        return check
    # The model may use the weight past its layer, as a tied embedding does; then each call is compared by itself.
    alone = [redo(share.call).gradients[share.key] for share in shares]
    elsewhere = difference(sum(gradient.astype("float64") for gradient in alone), reference, scale) > check.limit
    error = max(difference(share.gradient, gradient, scale) for share, gradient in zip(shares, alone))
    return replace(check, error=error, what="each call; used elsewhere, too") if elsewhere else check


def _sub_steps(call: LayerCall, derivation: Derivation) -> Iterator[Check]:
    """The sub-steps against the same lines in TensorFlow: of the values and of the gradients, the worst."""
    found = derivation.autodiff()
    means = {
        line.results[0].name: _largest(derivation.values.get(line.inputs[0].name, line.inputs[0].value))
        for line in derivation.graph.lines
        if isinstance(line.operation, Mean | WeightedSum)
    }
    for kind, ours, theirs in (
        ("values", derivation.values, found.values),
        ("gradients", derivation.intermediate_gradients, found.gradients),
    ):
        # Where terms cancel, what is left is rounding of the terms: gradients of one call share their scale.
        scale = max([_norm(call), *map(_largest, theirs.values())]) if kind == "gradients" else 0.0
        errors = {
            name: difference(ours[name], value, max(scale, means.get(name, 0.0))) for name, value in theirs.items()
        }
        if errors:
            worst = max(errors, key=errors.__getitem__)
            what = f"{len(errors)} {kind} of sub-steps"
            yield replace(_check(call, worst, what, theirs[worst], theirs[worst]), error=errors[worst])


# ---------------------------------------------------------------------- loss and update


def _losses(seen: Capture) -> Iterator[Check]:
    for term in seen.terms:
        if (recomputed := term.recomputed()) is not None:
            _, value, gradient = recomputed
            # Keras computes losses in floatx, whatever the model computes in; what goes back is rounded to the model's.
            dtypes = (str(term.value.dtype), str(term.y_pred.dtype))
            dtype = max(dtypes, key=lambda each: TOLERANCES.get(each, 0.0))
            unit, slope_unit = _units(term)
            yield _check(term.name, "L", "NumPy, with Keras", value, term.value, scale=unit)
            if term.gradient is not None:
                name = "dz" if term.formula.variable == "z" else "dy_hat"
                yield _check(
                    term.name, name, "NumPy, with TensorFlow", gradient, term.gradient, scale=slope_unit, dtype=dtype
                )


def _units(term: LossTerm) -> tuple[float, float]:
    """What the 1 in ``ln(1 + …)`` and in ``softmax(z) − 1`` comes to in the loss and in its gradient.

    Where the model is sure of the truth, these cancel to nearly nothing, and the 1 is the measure of what is left.
    Losses without a softmax have none: 0.
    """
    if term.formula.variable != "z" and not is_sparse(term.loss):
        return 0.0, 0.0
    samples = term.y_pred[..., 0].size
    weights = np.ones(samples) if term.weights is None else term.weights
    count = 1 if term.loss.reduction == "sum" else samples
    return float(weights.sum() / count), float(term.scale * weights.max() / count)


def _updates(trace: Trace) -> Iterator[Check]:
    if trace._optimizer is None:
        return
    for weight in trace.update():
        if weight.lines:
            numbers = weight.numbers
            for name, value in {**weight.slots, "w_new": weight.after}.items():
                yield _check(weight.name, name, "NumPy, with Keras's optimiser", numbers[name], value)
