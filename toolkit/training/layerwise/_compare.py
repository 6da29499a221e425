"""The same network, learned in different ways: end to end, block by block, without labels first, locally."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np

from toolkit.argument_checks import check_share
from toolkit.errors import InvalidValueError
from toolkit.training._linear_probe import draw_labelled, linear_probe
from toolkit.training.layerwise._comparison import Comparison
from toolkit.training.layerwise._forward_forward import require_threshold
from toolkit.training.layerwise._given import (
    WHERE,
    Condition,
    arrays_of,
    as_taken_by,
    checked_network,
    conditions_of,
    is_count,
    seeds_of,
)
from toolkit.training.layerwise._methods import (
    METHODS,
    Task,
    Workplace,
    chosen_methods,
    first_gradients,
    require_trainable,
)
from toolkit.training.layerwise._runs import Runs, comparison_of
from toolkit.training.layerwise._stages import Shown

_PROBE_SAMPLES = 500


@dataclass(frozen=True)
class _Settings:
    epochs: int
    batch_size: int
    budget: str
    threshold: float
    corruption: float
    probes: bool


def compare(
    build: Callable[..., keras.Sequential],
    data: Any,
    *,
    seeds: int | Sequence[int] = 5,
    epochs: int = 20,
    batch_size: int = 32,
    budget: str = "updates",
    methods: Sequence[str] | None = None,
    labels: Sequence[int] = (),
    depths: Sequence[int] = (),
    noise: Sequence[float] = (),
    probes: bool = True,
    threshold: float = 0.5,
    corruption: float = 0.2,
    folder: str | os.PathLike[str] | None = None,
    verbose: bool | None = None,
) -> Comparison:
    """Trains the same network in each way from the same seeds, and says what came out.

    Per seed, every method starts from the same weights and sees the samples in the same order. The test set is used
    once a run, after its end; nothing is chosen by it. The methods:

    - "end-to-end": ``training.fit``;
    - "greedy": block by block with temporary heads, without fine-tuning (see ``greedy``);
    - "greedy + fine-tuning": half of the budget each;
    - "stacked autoencoders": half of the budget for the blocks without labels and, after them, the head alone, the
      other half for all together;
    - "forward-forward": every layer by its own loss (see ``forward_forward``); dense layers only.

    **The budget.** With ``budget="updates"``, each weight of the network is changed as often as end to end: in E
    epochs of ``ceil(N / batch_size)`` steps, in whatever stages they lie. A method of K stages then takes up to K times
    as many gradient steps, each on a part of the network; the table gives steps and seconds. With ``budget="steps"``,
    all stages of a method together take the steps of E epochs, so that each weight is changed less often. (A stage
    has at least one epoch.) Few labelled samples are repeated until there are N again, so that the steps are as many.

    **The intervals** are 95 % intervals of the mean over the seeds (Student's t): they tell what other initial
    weights and orders would give, not what other test samples would.

    Args:
        build: ``build(seed)`` returns a compiled Sequential classifier whose weights follow from the seed; with
            ``depths`` also ``build(seed, depth=…)``.
        data: a ``toolkit.data`` set, or ``((x_train, y_train), (x_test, y_test))``; classes as integers.
        seeds: how many, from 0 on, or which.
        epochs: E.
        batch_size: samples a step.
        budget: "updates" or "steps".
        methods: a part of those above, all by default.
        labels: also with so few labelled samples of each class; the rest of the samples is left to the autoencoders.
        depths: also with networks of these depths.
        noise: also with these shares of the training labels replaced by another class.
        probes: whether to train a linear classifier on each block's outputs in the plain runs, on up to 500 training
            samples, the same number of each class.
        threshold: of forward-forward.
        corruption: of the autoencoders.
        folder: keeps each run's figures; the same call after a kill goes on behind the last finished run.
        verbose: True shows the progress, False nothing; None (the default) shows it after two seconds.

    Returns:
        The comparison: ``.table()``, ``.differences()``, ``.layers()``, ``.series("labels")``, plots, ``.frame()``.

    Raises:
        InvalidValueError: an option is out of range, or ``folder`` holds another comparison.
        ShapeError: the data does not fit the network.
        UnsupportedError: the network is no Sequential classifier, or a method cannot train it; before any does.
        CallOrderError: ``build`` returns a model that is not compiled.
    """
    names, numbers = chosen_methods(WHERE, methods), seeds_of(seeds)
    if budget not in ("updates", "steps"):
        raise InvalidValueError(WHERE, 'budget as "updates" or "steps"', repr(budget))
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not is_count(value):
            raise InvalidValueError(WHERE, f"{name} as a positive integer", repr(value))
    require_threshold(WHERE, threshold)
    check_share(WHERE, "corruption", corruption)
    x, y, x_test, y_test = arrays = arrays_of(data)
    conditions = conditions_of(labels, depths, noise, y)
    settings = _Settings(int(epochs), int(batch_size), budget, threshold, corruption, probes)

    def made(seed: int, condition: Condition) -> keras.Sequential:
        return checked_network(build(seed, **condition.build_options), arrays)

    first = made(numbers[0], Condition())
    for network in (first, *(made(numbers[0], condition) for condition in conditions if condition.depth)):
        require_trainable(WHERE, names, network)
    x, x_test = as_taken_by(first, x), as_taken_by(first, x_test)
    store = Runs(folder, lambda: comparison_of(first, asdict(settings), (x, y, x_test, y_test)))
    plan = [(condition, seed, name) for condition in conditions for name in names for seed in numbers]
    shown, places, runs = Shown(len(plan), verbose), {}, []
    stored = {at: run for at in plan if (run := store.load(*at)) is not None}
    starts: dict[tuple, keras.Sequential] = {}
    for condition, seed, name in plan:
        # All beforehand: a build that sets the random seed makes TensorFlow forget what it had made ready to run.
        if (condition, seed, name) not in stored and (seed, condition.depth) not in starts:
            starts[seed, condition.depth] = made(seed, condition)
    try:
        for condition, seed, name in plan:
            title = ", ".join(filter(None, (name, f"seed {seed}", str(condition))))
            run = stored.get((condition, seed, name))
            if run is None:
                at, start = (name, condition.depth), starts[seed, condition.depth]
                if at not in places:
                    places[at] = Workplace(made(seed, condition), WHERE)
                task = _telling(_task(condition, seed, x, y, settings), title, shown)
                probed = probes and not condition.series
                run = _run(name, places[at], start, task, (x_test, y_test), probed)
                run |= {"method": name, "seed": int(seed), "series": condition.series, "value": float(condition.value)}
                run["depth"] = condition.depth
                store.save(condition, seed, name, run)
            runs.append(run)
            shown.advance(title)
            shown.line(f"{title}  accuracy {run['accuracy']:.4f}  {run['seconds']:.1f} s")
    finally:
        shown.close()
    return Comparison(runs, names, {"epochs": epochs, "batch_size": batch_size, "budget": budget})


# ---------------------------------------------------------------------- one run


def _run(name: str, place: Workplace, start: keras.Sequential, task: Task, test: tuple, probed: bool) -> dict[str, Any]:
    place.begin(start)
    trained = METHODS[name](place, task)
    history = trained.history
    run = {
        "accuracy": float((trained.predict(test[0]) == test[1]).mean()),
        "training_accuracy": float((trained.predict(task.x) == task.y).mean()),
        "seconds": history.seconds,
        "steps": sum(stage.steps for stage in history),
        "peak_bytes": history.peak_bytes,
        "memory_by": history[0].memory_by,
        "feature_bytes": max(stage.feature_bytes for stage in history),
        "trainable_parameters": history.trainable_parameters,
        "gradients": first_gradients(history, place.parts) if task.gradients else [],
        "layers": [block.name for block in place.parts.hidden],
        "probes": [],
    }
    if probed:
        classes = np.unique(task.y)
        rows = draw_labelled(task.y, max(1, _PROBE_SAMPLES // len(classes)), 0)  # the same for all methods and seeds
        seen, unseen = trained.features(task.x[rows]), trained.features(test[0])
        pairs = zip(seen, unseen, strict=True)
        run["probes"] = [float(linear_probe(h, task.y[rows], t, test[1]).mean[0]) for h, t in pairs]
    return run


def _task(condition: Condition, seed: int, x: np.ndarray, y: np.ndarray, settings: _Settings) -> Task:
    labelled = np.arange(len(x))
    if condition.series == "labels":
        labelled = draw_labelled(y, int(condition.value), [seed, 1])
        labelled = np.resize(labelled, len(x))  # over and over, so that an epoch has as many steps as before
    shown = y.copy()
    if condition.series == "noise":
        rng, classes = np.random.default_rng([seed, 2]), int(y.max()) + 1
        wrong = rng.permutation(len(y))[: round(condition.value * len(y))]
        shown[wrong] = (y[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return Task(
        x[labelled],
        shown[labelled],
        x,
        settings.epochs,
        settings.budget,
        seed,
        {"batch_size": settings.batch_size, "seed": seed},
        settings.threshold,
        settings.corruption,
        condition.series in ("", "depth"),
    )


def _telling(task: Task, title: str, shown: Shown) -> Task:
    """The same task, which says after each epoch how far it is."""
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: shown.say(f"{title}, epoch {epoch + 1}  loss {logs['loss']:.4f}")
    )
    return replace(task, fit_options=task.fit_options | {"callbacks": [told]})
