"""The same network, learned in different ways: end to end, block by block, without labels first, locally."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.atomic_write import atomic_write
from toolkit.errors import CallOrderError, DataError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.training._checkpoint import _differences
from toolkit.training._fingerprint import fingerprint
from toolkit.training._linear_probe import draw_labelled, linear_probe
from toolkit.training.layerwise._comparison import Comparison
from toolkit.training.layerwise._methods import METHODS, Task, Workplace, chosen_methods, first_gradients
from toolkit.training.layerwise._stages import Shown

_WHERE = "layerwise.compare"
_PROBE_SAMPLES = 500


@dataclass(frozen=True)
class _Condition:
    """Under what a run takes place: everything as given, or one thing changed."""

    series: str = ""  # "", "labels", "depth" or "noise"
    value: float = 0

    @property
    def depth(self) -> int | None:
        return int(self.value) if self.series == "depth" else None

    @property
    def build_options(self) -> dict[str, int]:
        return {} if self.depth is None else {"depth": self.depth}


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
        probes: whether to train a linear classifier on each block's outputs in the plain runs (on up to 500 training
            samples).
        threshold: of forward-forward.
        corruption: of the autoencoders.
        folder: keeps each run's figures; the same call after a kill goes on behind the last finished run.
        verbose: True shows the progress, False nothing; None (the default) shows it after two seconds.

    Returns:
        The comparison: ``.table()``, ``.differences()``, ``.layers()``, ``.series("labels")``, plots, ``.frame()``.

    Raises:
        InvalidValueError: an option is out of range, or ``folder`` holds another comparison.
        ShapeError: the data does not fit the network.
        UnsupportedError: the network is no Sequential classifier, or a method cannot train it.
        CallOrderError: ``build`` returns a model that is not compiled.
    """
    names = chosen_methods(_WHERE, methods)
    numbers = _seeds(seeds)
    if budget not in ("updates", "steps"):
        raise InvalidValueError(_WHERE, 'budget as "updates" or "steps"', repr(budget))
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if not is_integer(value) or value < 1:
            raise InvalidValueError(_WHERE, f"{name} as a positive integer", repr(value))
    x, y, x_test, y_test = _arrays(data)
    conditions = [_Condition(), *(_Condition("labels", n) for n in labels)]
    conditions += [_Condition("depth", n) for n in depths] + [_Condition("noise", share) for share in noise]
    _check_conditions(conditions, y)
    settings = _Settings(int(epochs), int(batch_size), budget, threshold, corruption, probes)

    def made(seed: int, condition: _Condition) -> keras.Sequential:
        return _checked(build(seed, **condition.build_options), x, y)

    first = made(numbers[0], _Condition())
    store = _Runs(folder, lambda: _fingerprint(first, settings, (x, y, x_test, y_test)))
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
            title = f"{name}, seed {seed}{_told(condition)}"
            run = stored.get((condition, seed, name))
            if run is None:
                at, start = (name, condition.depth), starts[seed, condition.depth]
                if at not in places:
                    places[at] = Workplace(made(seed, condition), _WHERE)
                task = _task(condition, seed, x, y, settings)
                probed = probes and not condition.series
                run = _run(name, places[at], start, task, (x_test, y_test), probed)
                run |= {"method": name, "seed": int(seed), "series": condition.series, "value": float(condition.value)}
                run["depth"] = condition.depth
                store.save(condition, seed, name, run)
            runs.append(run)
            shown.line(f"{title}  accuracy {run['accuracy']:.4f}  {run['seconds']:.1f} s")
            shown.advance(title)
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
        rows = slice(0, _PROBE_SAMPLES)
        seen, unseen = trained.features(task.x[rows]), trained.features(test[0])
        pairs = zip(seen, unseen, strict=True)
        run["probes"] = [float(linear_probe(h, task.y[rows], t, test[1]).mean[0]) for h, t in pairs]
    return run


def _task(condition: _Condition, seed: int, x: np.ndarray, y: np.ndarray, settings: _Settings) -> Task:
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


def _told(condition: _Condition) -> str:
    told = {"labels": "{:.0f} labels a class", "depth": "depth {:.0f}", "noise": "{:.0%} wrong labels"}
    return f", {told[condition.series].format(condition.value)}" if condition.series else ""


# ---------------------------------------------------------------------- on disk


class _Runs:
    """The finished runs of a comparison: one small file each, and one that says what they belong to."""

    def __init__(self, folder: str | os.PathLike[str] | None, of: Callable[[], dict[str, Any]]) -> None:
        self.folder = None if folder is None else Path(folder).expanduser()
        if self.folder is None:
            return
        of, about = json.loads(json.dumps(of())), self.folder / "comparison.json"
        saved = self._read(about) if about.exists() else None
        if saved is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise DataError(_WHERE, "a folder that can be written to", f"{self.folder}: {error}") from error
            self._write(about, of)
        elif differences := list(_differences(saved, of)):
            raise InvalidValueError(
                _WHERE,
                f"the comparison that {self.folder} belongs to",
                f"another one: {'; '.join(differences[:3])}",
                "Give each comparison a folder of its own.",
            )

    def load(self, condition: _Condition, seed: int, name: str) -> dict[str, Any] | None:
        path = self._path(condition, seed, name)
        return self._read(path) if path is not None and path.exists() else None

    def save(self, condition: _Condition, seed: int, name: str, run: dict[str, Any]) -> None:
        path = self._path(condition, seed, name)
        if path is not None:
            self._write(path, run)

    def _path(self, condition: _Condition, seed: int, name: str) -> Path | None:
        if self.folder is None:
            return None
        at = f"{condition.series}-{condition.value:g}-" if condition.series else ""
        return self.folder / f"{at}{name.replace(' + ', '-and-').replace(' ', '-')}-{seed}.json"

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            expected = "a file that this toolkit wrote"
            raise DataError(_WHERE, expected, f"{path}, which cannot be read ({error})", "Delete it.") from error

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        with atomic_write(path, _WHERE) as file:
            file.write(json.dumps(content, indent=1).encode())


def _fingerprint(model: keras.Model, settings: _Settings, arrays: tuple) -> dict[str, Any]:
    model.evaluate(arrays[0][:1], arrays[1][:1], verbose=0)  # metrics have no names before
    kinds = [f"{a.dtype} {a.shape}, checksum {zlib.crc32(np.ascontiguousarray(a).data):08x}" for a in arrays]
    weights = b"".join(np.ascontiguousarray(w).tobytes() for w in model.get_weights())
    return {
        **fingerprint(model),
        "learning rate": float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)),
        "first weights": f"checksum {zlib.crc32(weights):08x}",
        "data": dict(zip(("x_train", "y_train", "x_test", "y_test"), kinds)),
        "settings": asdict(settings),
    }


# ---------------------------------------------------------------------- what was given


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    numbers = list(range(seeds)) if is_integer(seeds) else seeds
    if not isinstance(numbers, Sequence) or not numbers or not all(isinstance(n, int | np.integer) for n in numbers):
        raise InvalidValueError(_WHERE, "seeds as a positive integer, or a list of seeds", repr(seeds))
    return [int(n) for n in numbers]


def _arrays(data: Any) -> tuple[np.ndarray, ...]:
    if hasattr(data, "x_train"):
        arrays = data.x_train, data.y_train, data.x_test, data.y_test
    else:
        try:
            (x, y), (x_test, y_test) = data
        except (TypeError, ValueError) as error:
            expected = "data as a set of toolkit.data, or ((x_train, y_train), (x_test, y_test))"
            raise InvalidValueError(_WHERE, expected, type(data).__name__) from error
        arrays = x, y, x_test, y_test
    x, y, x_test, y_test = (np.asarray(array) for array in arrays)
    for part, inputs, classes in (("training", x, y), ("test", x_test, y_test)):
        if classes.ndim != 1 or len(inputs) != len(classes) or not len(classes):
            received = f"{inputs.shape} and {classes.shape}"
            raise ShapeError(_WHERE, f"{part} data of N samples and N classes", received)
        if classes.dtype.kind not in "iu" or classes.min() < 0:
            raise InvalidValueError(_WHERE, f"{part} classes as integers from 0", f"{classes.dtype}")
    return x, y, x_test, y_test


def _check_conditions(conditions: list[_Condition], y: np.ndarray) -> None:
    smallest = int(np.bincount(y)[np.unique(y)].min())
    for condition in conditions:
        value = condition.value
        if condition.series == "noise" and not 0 < value < 1:
            raise InvalidValueError(_WHERE, "noise as shares in (0, 1)", repr(value))
        if condition.series in ("labels", "depth") and (value != int(value) or value < 1):
            raise InvalidValueError(_WHERE, f"{condition.series} as positive integers", repr(value))
        if condition.series == "labels" and value > smallest:
            received = f"{value}, and the smallest class has {smallest} samples"
            raise InvalidValueError(_WHERE, "labels up to the size of the smallest class", received)


def _checked(model: Any, x: np.ndarray, y: np.ndarray) -> keras.Sequential:
    if not isinstance(model, keras.Sequential) or not model.built:
        raise UnsupportedError(_WHERE, "build to return a built keras.Sequential", type(model).__name__)
    if not model.compiled:
        raise CallOrderError(_WHERE, "a compiled model", "one without loss and optimiser", "Call compile in build.")
    wanted = model.input_shape
    if len(wanted) != x.ndim or any(b not in (None, a) for a, b in zip(x.shape[1:], wanted[1:])):
        expected, remedy = f"inputs of shape {wanted}".replace("None", "N", 1), "data.load(name, flatten=True)?"
        raise ShapeError(f"{_WHERE} of {model.name!r}", expected, f"{x.shape}", remedy)
    outputs = model.output_shape
    if len(outputs) != 2 or (outputs[1] > 1 and y.max() >= outputs[1]):
        received = f"outputs of shape {outputs}, classes up to {y.max()}"
        raise ShapeError(f"{_WHERE} of {model.name!r}", "one output for each class", received)
    return model
