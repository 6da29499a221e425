"""The ways of learning that ``compare`` sets side by side, and how each spends the same budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from toolkit.errors import InvalidValueError, UnsupportedError
from toolkit.training.layerwise._autoencoders import decoders_of, pretrain
from toolkit.training.layerwise._blocks import Blocks, blocks_of
from toolkit.training.layerwise._forward_forward import dense_layers, train_locally
from toolkit.training.layerwise._greedy import train_greedily
from toolkit.training.layerwise._record import LayerwiseHistory
from toolkit.training.layerwise._stages import Stages

_ROWS = 1024


@dataclass(frozen=True)
class Trained:
    """What a method has made of a model.

    Attributes:
        history: its stages.
        predict: inputs ``(N, …)`` → classes ``(N,)``.
        features: inputs → the outputs of each block, ``(N, …)`` each.
    """

    history: LayerwiseHistory
    predict: Callable[[np.ndarray], np.ndarray]
    features: Callable[[np.ndarray], list[np.ndarray]]


@dataclass(frozen=True)
class Task:
    """What a method gets.

    Attributes:
        x, y: samples with labels.
        unlabelled: all samples, those without labels included.
        epochs: E.
        budget: "updates" or "steps", see ``compare``.
        seed: of orders and temporary heads.
        fit_options: of ``training.fit``.
        threshold: of forward-forward.
        corruption: of the autoencoders.
        gradients: whether to record the first gradients.
    """

    x: np.ndarray
    y: np.ndarray
    unlabelled: np.ndarray
    epochs: int
    budget: str
    seed: int
    fit_options: dict[str, Any]
    threshold: float
    corruption: float
    gradients: bool

    def share(self, part: float, stages: int = 1) -> int:
        """The epochs of each of ``stages`` stages that together have ``part`` of the budget."""
        return max(1, round(part * self.epochs / (stages if self.budget == "steps" else 1)))


class Workplace:
    """One model for all runs of a method: its layers get the weights of each run, and nothing is compiled twice.

    Args:
        model: built and compiled.
        where: who asks, for errors.
    """

    def __init__(self, model: keras.Sequential, where: str) -> None:
        self.model, self.parts = model, blocks_of(model, where)
        self.kept: dict[str, Any] = {}
        self.used = False
        self._run = _all_outputs(self.parts)

    def begin(self, like: keras.Sequential) -> None:
        """Sets every number to those of a new model, and the optimiser to its beginning."""
        for variable, value in zip(self.model.variables, like.variables, strict=True):
            variable.assign(value)
        for variable in self.model.optimizer.variables:
            if variable is not self.model.optimizer._learning_rate:
                variable.assign(tf.zeros_like(variable.value))

    def options(self, task: Task) -> dict[str, Any]:
        """Of the stages: memory is measured in the first run, since later ones find the optimiser's numbers there."""
        first, self.used = not self.used, True
        return {"verbose": False, "gradients": task.gradients, "measured": first, "kept": self.kept}

    def outputs(self, x: np.ndarray) -> list[np.ndarray]:
        """Of each block and of the head, in inference mode."""
        parts = [self._run(tf.convert_to_tensor(x[k : k + _ROWS])) for k in range(0, len(x), _ROWS)]
        return [np.concatenate([part[k].numpy() for part in parts]) for k in range(len(parts[0]))]

    def classes(self, x: np.ndarray) -> np.ndarray:
        """What the model says."""
        outputs = self.outputs(x)[-1]
        if outputs.shape[-1] > 1:
            return outputs.argmax(axis=-1)
        return (outputs[:, 0] > (0 if getattr(self.model.loss, "from_logits", False) else 0.5)).astype(int)


def _all_outputs(parts: Blocks) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    def run(x: tf.Tensor) -> list[tf.Tensor]:
        outputs = []
        for block in (*parts.hidden, parts.head):
            for layer in block.layers:
                x = layer(x, training=False) if layer._call_has_training_arg else layer(x)
            outputs.append(x)
        return outputs

    entry = parts.model.inputs[0]
    return tf.function(run, autograph=False).get_concrete_function(tf.TensorSpec(entry.shape, entry.dtype))


# ---------------------------------------------------------------------- one function a method


def _end_to_end(place: Workplace, task: Task) -> Trained:
    plan = [("end-to-end", task.epochs)]
    stages = Stages("layerwise.compare", plan, options=task.fit_options, **place.options(task))
    with stages.stage("end-to-end") as stage:
        stage.train(place.model, task.x, task.y)
    return _by_the_model(place, stages.history)


def _greedy(place: Workplace, task: Task) -> Trained:
    return _greedily(place, task, task.share(1, len(place.parts.hidden)), 0)


def _greedy_and_fine_tuning(place: Workplace, task: Task) -> Trained:
    return _greedily(place, task, task.share(0.5, len(place.parts.hidden)), task.share(0.5))


def _greedily(place: Workplace, task: Task, epochs: int, fine_tune_epochs: int) -> Trained:
    history = train_greedily(
        place.model,
        task.x,
        task.y,
        epochs=epochs,
        fine_tune_epochs=fine_tune_epochs,
        seed=task.seed,
        options=task.fit_options,
        **place.options(task),
    )
    return _by_the_model(place, history)


def _autoencoders(place: Workplace, task: Task) -> Trained:
    stages = len(place.parts.hidden) + 1  # the head's included
    history = pretrain(
        place.model,
        task.x,
        task.y,
        unlabelled=task.unlabelled,
        epochs=task.share(0.5, stages),
        head_epochs=task.share(0.5, stages),
        fine_tune_epochs=task.share(0.5),
        corruption=task.corruption,
        seed=task.seed,
        options=task.fit_options,
        **place.options(task),
    )
    return _by_the_model(place, history)


def _forward_forward(place: Workplace, task: Task) -> Trained:
    trained = train_locally(
        place.model,
        task.x,
        task.y,
        epochs=task.epochs,
        threshold=task.threshold,
        seed=task.seed,
        options=task.fit_options,
        **place.options(task),
    )
    return Trained(trained.history, trained.predict, trained.activities)


def _by_the_model(place: Workplace, history: LayerwiseHistory) -> Trained:
    return Trained(history, place.classes, lambda x: place.outputs(x)[:-1])


METHODS: dict[str, Callable[[Workplace, Task], Trained]] = {
    "end-to-end": _end_to_end,
    "greedy": _greedy,
    "greedy + fine-tuning": _greedy_and_fine_tuning,
    "stacked autoencoders": _autoencoders,
    "forward-forward": _forward_forward,
}


def chosen_methods(where: str, methods: Sequence[str] | None) -> list[str]:
    """The methods by their names; all if None.

    Raises:
        InvalidValueError: there is no such method, or one is named twice.
    """
    if methods is None:
        return list(METHODS)
    if isinstance(methods, str) or not methods or len(set(methods)) < len(methods) or set(methods) - set(METHODS):
        raise InvalidValueError(where, f"methods among {', '.join(METHODS)}, each once", repr(methods))
    return list(methods)


def require_trainable(where: str, names: Sequence[str], model: keras.Sequential) -> None:
    """Raises UnsupportedError where one of the methods cannot train such a network."""
    hidden = blocks_of(model, where).hidden
    for name, make in (
        ("stacked autoencoders", lambda: decoders_of(hidden, {}, 0, where)),
        ("forward-forward", lambda: dense_layers(model, where)),
    ):
        if name in names:
            try:
                make()
            except UnsupportedError as error:
                expected, remedy = f"for {name} {error.expected}", f"Leave {name!r} out of methods."
                raise UnsupportedError(where, expected, error.received, remedy) from error


def first_gradients(history: LayerwiseHistory, parts: Blocks) -> list[float]:
    """For each block the norm of its gradient when it first learned."""
    norms = []
    for block in parts.hidden:
        names = {layer.name for layer in block.layers}
        first = next((s.gradients for s in history if names & set(s.gradients)), {})
        norms.append(float(np.linalg.norm([norm for name, norm in first.items() if name in names])))
    return norms
