"""``trace``: one training step of any Keras model, opened."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError
from toolkit.xray._calls import LayerCall
from toolkit.xray._capture import Capture, capture
from toolkit.xray._checks import as_tensors, check_inputs, check_model, check_names, check_samples
from toolkit.xray._loss_steps import loss_steps
from toolkit.xray._losses import watched_loss
from toolkit.xray._records import Step
from toolkit.xray._steps import backward_step, derivation_of, forward_step, regularisation_step, shown
from toolkit.xray._update import OptimizerState, Update
from toolkit.xray._update_steps import update_steps
from toolkit.xray._verify import Verification, verify
from toolkit.xray.diagnoses import Diagnoses, diagnose

if TYPE_CHECKING:
    from rich.table import Table

    from toolkit.xray.views._widget import XrayWidget


def trace(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    loss: Any = None,
    optimizer: Any = None,
    training: bool = False,
    sample_weight: Any = None,
) -> Trace:
    """Runs one step of ``model`` on a batch and keeps everything that happens in it.

    The model is the same afterwards: weights, running averages, seeds, attributes, also when the step fails.

    Args:
        model: any built Keras model, or a scratch network.
        x: one batch, samples first: an array, or as the model takes it a list or dict of arrays.
        y: the labels. Without labels there is the forward pass alone.
        loss: as ``model.compile`` takes it: a name, an object, a function, a list or dict of them for several outputs.
            By default the loss that the model was compiled with. ``False`` for the forward pass alone.
        optimizer: as ``model.compile`` takes it; by default the one that the model was compiled with, as it stands now.
        training: whether layers work as in training (dropout drops, batch normalisation takes the batch's mean).
        sample_weight: one weight for each sample.

    Raises:
        ShapeError, InvalidValueError: x or y do not fit the model or the loss, or are not finite.
        CallOrderError: the model has not been built.
        UnsupportedError: ``model`` is no model.

    Example:
        >>> t = trace(model, x[:4], y[:4], loss="sparse_categorical_crossentropy", optimizer="adam")
        >>> t.steps[0].tensors["x"].statistics.mean
        >>> t.verify()
    """
    model = check_model(model)
    x = as_tensors(x, "x")
    check_inputs(model, x)
    samples = keras.tree.flatten(x)[0].shape[0]
    watched = None if loss is False else watched_loss(model, loss)
    if y is None and watched is not None:
        raise InvalidValueError(
            f"trace, model {model.name!r}",
            "labels y for the loss",
            "y=None",
            "Give y, or loss=False for the forward pass alone.",
        )
    if y is not None and watched is None and loss is not False:
        raise InvalidValueError(
            f"trace, model {model.name!r}", "a loss for the labels y", "none", "Give loss=…, or compile the model."
        )
    if y is not None:
        y = as_tensors(y, "y")
        check_names(model, y)
        check_samples(samples, y, "y")
    if sample_weight is not None:
        sample_weight = as_tensors(sample_weight, "sample_weight")
        check_samples(samples, sample_weight, "sample_weight")
    chosen = optimizer if optimizer is not None else getattr(model, "optimizer", None)
    state = OptimizerState(chosen) if chosen is not None and watched is not None else None
    return Trace(capture(model, x, y, watched, sample_weight, bool(training)), state)


class Trace:
    """One training step, opened.

    Attributes:
        capture: all that was seen, call by call.
        name: of the model.
        samples: how many samples the batch has.
        loss: the whole loss, regularisers included; None in a trace without labels.
    """

    def __init__(self, seen: Capture, optimizer: OptimizerState | None) -> None:
        self.capture = seen
        self.name = seen.model.name
        self.samples = len(seen.x[0])
        self.loss = seen.total
        self._optimizer = optimizer
        self._update: Update | None = None

    @cached_property
    def calls(self) -> tuple[LayerCall, ...]:
        """The calls of layers that are steps, in the order in which they ended."""
        return tuple(shown(self.capture))

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Forward through the layers, the loss, backward, the update of every weight."""
        opened = [(call, derivation_of(call)) for call in self.calls]
        steps = [forward_step(call, derivation) for call, derivation in opened]
        if self.loss is not None:
            steps += loss_steps(self.capture)
            steps += [backward_step(call, derivation) for call, derivation in reversed(opened)]
            steps += [regularisation_step(weight) for weight in self.capture.weights if weight.penalty is not None]
        if self._optimizer is not None:
            steps += update_steps(self.update())
        return tuple(steps)

    def update(self) -> Update:
        """The optimiser's step: weights before, gradient, the rule with its numbers, weights after.

        Raises:
            CallOrderError: the trace has no loss or no optimiser.
        """
        if self._optimizer is None:
            raise CallOrderError(
                f"update, model {self.name!r}",
                "a trace with labels, a loss and an optimiser",
                "one without",
                "Give y, loss and optimizer to trace, or compile the model.",
            )
        if self._update is None:
            self._update = self._optimizer.take(self.capture.weights)
        return self._update

    def verify(self, *, tolerance: float | None = None) -> Verification:
        """Proves the trace: all that is shown against TensorFlow, all that is recomputed against Keras.

        Args:
            tolerance: the largest relative error; by default 1e-5 in float32, 1e-9 in float64, 2e-2 below.

        Raises:
            GradientMismatchError: a tensor differs by more; the message names the worst ones.
        """
        return verify(self, tolerance)

    def diagnose(self) -> Diagnoses:
        """What is most likely wrong with the model, its data or its loss: evidence and remedy, faults first."""
        return diagnose(self)

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """The gradient of the loss with respect to each weight that has one, by the weight's name."""
        return {w.name: w.gradient for w in self.capture.weights if w.gradient is not None}

    @cached_property
    def network(self) -> dict[str, Any]:
        """The layer calls and what flows between them: ``{"nodes": [{"id", "name", "kind", "shape"}], "edges"}``.

        The id of a call is ``node_id(step.layer, step.call)``; the inputs of the model come first.
        """
        seen = self.capture
        names = [t.name for t in getattr(seen.model, "inputs", None) or ()]
        nodes = []
        for k, x in enumerate(seen.x):
            name = f"input {k + 1}" if len(seen.x) > 1 else "input"
            if k < len(names) and not names[k].startswith("keras_tensor"):  # a name that somebody gave
                name = names[k]
            nodes.append({"id": f"input {k + 1}", "name": name, "kind": "Input", "shape": str(x.shape)})
        ids = {-1 - k: f"input {k + 1}" for k in range(len(seen.x))}
        edges = []
        for number, (call, sources) in enumerate(zip(seen.calls, seen.sources)):
            if call.parts or call.only_masks:
                continue
            ids[number] = node_id(call.path, call.index)
            name = call.path if call.calls == 1 else f"{call.path} ({call.index + 1})"
            shape = ", ".join(str(y.shape) for y in call.outputs)
            nodes.append({"id": ids[number], "name": name, "kind": call.kind, "shape": shape})
            edges += [(ids[source], ids[number]) for source in sorted(sources) if source in ids]
        return {"nodes": nodes, "edges": edges}

    @property
    def sample_names(self) -> list[str]:
        """What to call the samples: their number, and their label where labels are numbers."""
        labels = keras.tree.flatten(self.capture.y)[0].numpy() if self.capture.y is not None else None
        if labels is None or labels.size != self.samples:
            return [f"sample {k}" for k in range(self.samples)]
        return [f"sample {k}, y = {label:g}" for k, label in enumerate(labels.ravel())]

    @property
    def summary(self) -> str:
        """The trace in one line."""
        seen = self.capture
        weights = sum(w.value.size for w in seen.weights)
        mode = "training" if seen.training else "inference"
        parts = [f"{len(self.calls)} layer calls", f"{weights:,} trainable weights", f"{self.samples} samples"]
        parts += [f"{mode} mode", f"loss {self.loss:.6g}" if self.loss is not None else "forward pass alone"]
        return ", ".join(parts)

    # ------------------------------------------------------------------ views

    def widget(self) -> XrayWidget:
        """The stepper in Jupyter: play, step, scrub; open layers; choose the sample, channel, time step, head."""
        from toolkit.xray.views._widget import XrayWidget

        return XrayWidget(self)

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Writes the stepper as one page that opens from disk, without a network; of under 3 MB.

        What is too much for a page is left out of it, and the page says so: samples first, then far rows and columns.

        Raises:
            DataError: the file cannot be written.
        """
        from toolkit.xray.views._page import write_page

        return write_page(self, path)

    def __rich__(self) -> Table:
        from toolkit.xray.views._table import table

        return table(self)

    def __str__(self) -> str:
        from toolkit.xray.views._table import text

        return text(self)

    def __repr__(self) -> str:
        return f"<Trace of {self.name!r}: {self.summary}>"


def node_id(layer: str, call: int) -> str:
    """Which node of ``Trace.network`` a step belongs to, from its ``layer`` and ``call``."""
    return f"{layer}#{call}"
