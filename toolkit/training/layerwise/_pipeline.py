"""Staged pipelines: y₁ = M₁(x), y₂ = M₂(y₁) …, stages of different kinds, each with a task and a loss of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from toolkit.argument_checks import is_integer
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError, UnsupportedError
from toolkit.training._data import Nested
from toolkit.training.layerwise._chain import Chain
from toolkit.training.layerwise._record import LayerwiseHistory
from toolkit.training.layerwise._stages import Stages

if TYPE_CHECKING:
    import pandas

Target = str | Callable[[np.ndarray, np.ndarray], np.ndarray]
_ROWS = 1024


@dataclass
class Stage:
    """One stage of a pipeline: a model with a task of its own.

    Args:
        name: of the stage, each once in a pipeline.
        model: a built Keras model with one input and one output; or a scikit-learn transformer (``fit`` and
            ``transform``) of arrays.
        loss: of this stage alone; not needed for a transformer, nor for a model that is compiled and has no ``head``.
        target: what it learns to give: ``"y"``, the pipeline's targets; ``"input"``, its own input; or a function of
            its input and y that returns the targets.
        head: a Keras model on top of ``model`` while it learns, thrown away afterwards: the decoder of an
            autoencoder, a classifier for features.
        optimizer: a name, or an optimiser for this stage alone.
        metrics: by their Keras names.
        epochs: of this stage.
        options: further ones of ``training.fit``: ``{"batch_size": 128, "patience": 3}``.
        trained: whether the model needs no training, because it brings its weights.
    """

    name: str
    model: Any
    loss: Any = None
    target: Target = "y"
    head: keras.Model | None = None
    optimizer: Any = "adam"
    metrics: Sequence[Any] = ()
    epochs: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    trained: bool = False

    def __post_init__(self) -> None:
        where = f"Stage {self.name!r}"
        if isinstance(self.model, keras.Model):
            if len(getattr(self.model, "inputs", None) or ()) != 1 or len(self.model.outputs) != 1:
                raise UnsupportedError(where, "a built model with one input and one output", repr(self.model))
            if not self.trained and self.loss is None and (self.head is not None or not self.model.compiled):
                raise InvalidValueError(where, "a loss", "none", "For example loss='mse', target='input'.")
        elif not (hasattr(self.model, "fit") and hasattr(self.model, "transform")):
            expected = "a Keras model, or a transformer with fit and transform"
            raise UnsupportedError(where, expected, type(self.model).__name__)
        if not callable(self.target) and self.target not in ("y", "input"):
            raise InvalidValueError(where, 'target as "y", "input" or a function of input and y', repr(self.target))
        if not is_integer(self.epochs) or self.epochs < 1:
            raise InvalidValueError(where, "epochs as a positive integer", repr(self.epochs))

    @property
    def is_keras(self) -> bool:
        """Whether it is a Keras model and not a transformer."""
        return isinstance(self.model, keras.Model)

    def targets(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What it is to give for its input ``x``; a transformer may do without.

        Raises:
            InvalidValueError: it learns from y, and that is None.
        """
        targets = self.target(x, y) if callable(self.target) else {"y": y, "input": x}[self.target]
        if targets is None and self.is_keras:
            remedy = "Give y, or let it learn target='input'."
            raise InvalidValueError(f"stage {self.name!r}", "targets y", "None", remedy)
        return targets

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Its outputs in inference mode, without the head."""
        if not self.is_keras:
            return np.asarray(self.model.transform(x))
        parts = [self.model(x[k : k + _ROWS], training=False) for k in range(0, len(x), _ROWS)]
        return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])

    def learner(self) -> keras.Model:
        """The model that is trained: with its head if it has one, compiled with its own loss."""
        if self.head is None and self.loss is None:
            return self.model
        learner = Chain([self.model, self.head], name=self.name) if self.head is not None else self.model
        if not isinstance(self.optimizer, str):
            optimizer = type(self.optimizer).from_config(self.optimizer.get_config())
        else:
            optimizer = keras.optimizers.get(self.optimizer)
        learner.compile(optimizer, self.loss, metrics=list(self.metrics))
        return learner


class StagedPipeline:
    """Stages in a row: each is trained, tested and replaced on its own, then all are joined into one model.

    Stage k learns from :math:`y_{k-1} = M_{k-1}(… M_1(x))`, the outputs of the finished stages before it, with its own
    loss; no gradient passes from one stage to another.

    Args:
        stages: in forward order.

    Raises:
        InvalidValueError: there is none, or two have the same name.
        ShapeError: a Keras stage takes another shape than the Keras stage before it gives.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = list(stages)
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise InvalidValueError("StagedPipeline", "stages, each with a name of its own", ", ".join(names) or "none")
        for before, after in zip(self.stages, self.stages[1:]):
            _require_fitting(before, after)
        self.history = LayerwiseHistory()

    def __getitem__(self, name: str) -> Stage:
        return self.stages[self._index(name)]

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray = None,
        *,
        only: str | None = None,
        seed: int = 0,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = True,
        verbose: bool | None = None,
    ) -> LayerwiseHistory:
        """Trains every stage that is not trained yet, in order.

        Args:
            x: inputs of the first stage, N rows.
            y: targets, N rows; None if no stage needs any.
            only: name of the one stage to train, once more if it is trained already; those before it must be, and
                those behind it must be trained again, as after ``replace``.
            seed: fixes the order of the samples.
            checkpoint: folder; the same call after a kill goes on inside the stage that was under way. Give each
                call with ``only`` a folder of its own.
            resume: whether to go on from a checkpoint that is there.
            verbose: True shows the progress, False nothing; None (the default) shows it in runs of over two seconds.

        Returns:
            A record for each stage that was trained, also in ``history``.

        Raises:
            CallOrderError: ``only`` names a stage behind an untrained one.
            ShapeError: a stage takes another shape than the one before it gives.
            InvalidValueError: there is no such stage; or what ``training.fit`` raises.
        """
        wanted = self._index(only) if only is not None else None
        stages = self.stages if wanted is None else self.stages[: wanted + 1]
        plan = [(stage.name, stage.epochs if stage.is_keras else 0) for stage in stages]
        runs = Stages("StagedPipeline.fit", plan, options={}, checkpoint=checkpoint, resume=resume, verbose=verbose)
        now = np.asarray(x)
        with runs:
            for k, stage in enumerate(stages):
                if k == wanted or (only is None and not stage.trained):
                    self._train(runs, k, now, y, seed)
                self._require_trained(stage)
                if k + 1 < len(stages):
                    now = stage(now)
        self.history = runs.history
        return runs.history

    def outputs(self, x: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Name and outputs of each stage in turn, from y₁ on."""
        for stage in self.stages:
            self._require_trained(stage)
            x = stage(np.asarray(x))
            yield stage.name, x

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The outputs of the last stage."""
        *_, (_, last) = self.outputs(x)
        return last

    def evaluate(self, x: np.ndarray, y: np.ndarray = None) -> pandas.DataFrame:
        """Tests each Keras stage on its own task: one row a stage, a column for each of its measures.

        Each stage gets what the stages before it give, so that a weak one shows where it stands.

        Raises:
            CallOrderError: a stage is not trained.
            InvalidValueError: a stage learned from y, and there is none.
        """
        import pandas as pd

        rows, now = {}, np.asarray(x)
        for stage in self.stages:
            self._require_trained(stage)
            if stage.is_keras and (stage.loss is not None or stage.model.compiled):
                learner = stage.learner()
                rows[stage.name] = learner.evaluate(now, stage.targets(now, y), verbose=0, return_dict=True)
            now = stage(now)
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index.name = "stage"
        return frame

    def replace(self, name: str, by: Stage) -> None:
        """Puts another stage in the place of ``name``; the stages behind it must be trained again.

        A stage that comes ``trained`` and gives the same outputs as the old one spares them that: set their
        ``trained`` back to True.

        Raises:
            InvalidValueError: there is no such stage, or another one has the new name.
            ShapeError: it does not fit between its neighbours.
        """
        k = self._index(name)
        others = [stage.name for stage in self.stages if stage.name != name]
        if by.name in others:
            raise InvalidValueError("StagedPipeline.replace", f"a name beside {', '.join(others)}", repr(by.name))
        for before, after in ((self.stages[k - 1] if k else None, by), (by, (self.stages[k + 1 :] or [None])[0])):
            if before is not None and after is not None:
                _require_fitting(before, after)
        self.stages[k] = by
        for stage in self.stages[k + 1 :]:
            stage.trained = False

    def join(self, name: str = "joined") -> keras.Model:
        """One Keras model of all stages, without their heads; it shares their weights.

        Raises:
            UnsupportedError: a stage is no Keras model.
            CallOrderError: a stage is not trained.
        """
        for stage in self.stages:
            self._require_trained(stage)
            if not stage.is_keras:
                remedy = "Put keras.layers.Normalization or Dense in its place, or call predict of the pipeline."
                received = f"{stage.name!r}, a {type(stage.model).__name__}"
                raise UnsupportedError("StagedPipeline.join", "stages that are Keras models", received, remedy)
        first = self.stages[0].model.inputs[0]
        inputs = keras.Input(first.shape[1:], dtype=first.dtype)
        outputs = inputs
        for stage in self.stages:
            outputs = stage.model(outputs)
        return keras.Model(inputs, outputs, name=name)

    def _train(self, runs: Stages, place: int, x: np.ndarray, y: Nested, seed: int) -> None:
        stage = self.stages[place]
        if stage.is_keras:
            wanted = stage.model.inputs[0].shape
            if len(wanted) != x.ndim or any(b not in (None, a) for a, b in zip(x.shape[1:], wanted[1:])):
                expected = f"inputs of shape {wanted}".replace("None", "N", 1)
                raise ShapeError(f"stage {stage.name!r}", expected, f"{x.shape}")
        targets = stage.targets(x, y)
        if stage.trained:  # once more: until it is done, it and what was learned from its outputs are worth nothing
            for outdated in self.stages[place:]:
                outdated.trained = False
        with runs.stage(stage.name, place) as run:
            if stage.is_keras:
                run.train(stage.learner(), x, targets, **{"seed": seed} | stage.options)
            else:
                run.compute(lambda: stage.model.fit(x, targets))
        stage.trained = True

    def _index(self, name: str) -> int:
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise InvalidValueError("StagedPipeline", f"a stage among {', '.join(names)}", repr(name))
        return names.index(name)

    def _require_trained(self, stage: Stage) -> None:
        if not stage.trained:
            raise CallOrderError(
                "StagedPipeline", "stages that are trained", f"{stage.name!r}, which is not", "Call fit(x, y) first."
            )

    def __repr__(self) -> str:
        parts = [f"{stage.name}{'' if stage.trained else ' (untrained)'}" for stage in self.stages]
        return f"<StagedPipeline: {' → '.join(parts)}>"


def _require_fitting(before: Stage, after: Stage) -> None:
    if before.is_keras and after.is_keras:
        given, wanted = before.model.outputs[0].shape, after.model.inputs[0].shape
        if len(given) != len(wanted) or any(a != b and None not in (a, b) for a, b in zip(given, wanted)):
            received = f"{given} from {before.name!r}".replace("None", "N", 1)
            raise ShapeError(f"stage {after.name!r}", f"inputs of shape {wanted}".replace("None", "N", 1), received)
