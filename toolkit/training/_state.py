"""Every number that training changes, read and written as a whole."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras.src.random.seed_generator import global_seed_generator


class State:
    """The variables of a model, its optimisers and its metrics, in a fixed order.

    Weights, moving averages and the states of the seed generators belong to the model; iterations, learning rate and
    moments to the optimiser; the sums that an epoch's measures are made of to the metrics. A stateful recurrent layer
    carries its states from batch to batch. Random numbers that are drawn without a seed of their own, as in
    ``keras.random.normal(shape)``, follow from Keras's global generator.

    Attributes:
        names: what each variable is: ``model/3 dense/kernel``.
        variables: in the order of ``names``, each once.
    """

    def __init__(self, model: keras.Model) -> None:
        groups = {
            "model": model.variables,
            "optimizer": [v for optimizer in optimizers_of(model) for v in optimizer.variables],
            "metrics": [v for metric in model.metrics for v in metric.variables],
            "states": [v for layer in model._flatten_layers() for v in _carried(layer)],
            "random": [global_seed_generator().state],
        }
        self.names: list[str] = []
        self.variables: list[keras.Variable] = []
        known = set()
        for group, variables in groups.items():
            for variable in variables:
                if id(variable) not in known:
                    known.add(id(variable))
                    self.names.append(f"{group}/{len(self.names)} {variable.path}")
                    self.variables.append(variable)
        self._weights = [v.value for v in model.weights if v.value.dtype.is_floating]
        self._check: tf.types.experimental.ConcreteFunction | None = None

    def fingerprint(self) -> str:
        """How many variables there are, and a checksum of their shapes and dtypes."""
        kinds = ", ".join(f"{v.dtype} {tuple(v.shape)}" for v in self.variables)
        return f"{len(self.variables)}, checksum {zlib.crc32(kinds.encode()):08x}"

    def read(self) -> list[tf.Tensor]:
        """The values now. They cost nothing until training changes them: TensorFlow copies on write."""
        return [_read(variable.value) for variable in self.variables]

    def write(self, values: list[tf.Tensor]) -> None:
        """Sets every variable."""
        for variable, value in zip(self.variables, values, strict=True):
            variable.value.assign(value)

    def finite(self) -> bool:
        """Whether all weights are finite numbers."""
        if not self._weights:
            return True
        if self._check is None:  # once; a call of the function itself would warn where many models are trained
            self._check = _all_finite.get_concrete_function([tf.TensorSpec(w.shape, w.dtype) for w in self._weights])
        return bool(self._check([_read(weight) for weight in self._weights]))


def _read(variable: tf.Variable) -> tf.Tensor:
    # What variable.read_value() does, without its name scope and its copy of the handle: a third of the time, and
    # every epoch of a deep network reads hundreds.
    return tf.raw_ops.ReadVariableOp(resource=variable.handle, dtype=variable.dtype)


def optimizers_of(model: keras.Model) -> list[keras.optimizers.Optimizer]:
    """The model's optimiser, then those that adversarial pairs and the like keep as attributes, or lists and dicts."""
    kept = [each for value in vars(model).values() for each in _items(value)]
    optimizers = dict.fromkeys(each for each in kept if isinstance(each, keras.optimizers.Optimizer))
    return sorted(optimizers, key=lambda optimizer: optimizer is not model.optimizer)


def _carried(layer: keras.Layer) -> list[keras.Variable]:
    states = keras.tree.flatten(layer.states) if getattr(layer, "stateful", False) else []
    return [state for state in states if isinstance(state, keras.Variable)]


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else [value]


@tf.function(autograph=False)
def _all_finite(weights: list[tf.Tensor]) -> tf.Tensor:
    # A sum is finite only if its parts are; x·0 keeps what is not and cannot overflow.
    return tf.math.is_finite(tf.add_n([tf.cast(tf.reduce_sum(w * 0), tf.float32) for w in weights]))
