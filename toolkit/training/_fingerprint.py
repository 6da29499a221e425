"""What a run is made of, as text that two processes write alike."""

from __future__ import annotations

import json
import re
from typing import Any

import keras

from toolkit.training._state import optimizers_of

# Names count up within a process, and starting values have done their work once the weights are there.
_LEFT_OUT = re.compile(r"^name$|_initializer$|^seed$|^build_config$|^registered_name$|^module$")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def fingerprint(model: keras.Model) -> dict[str, Any]:
    """The structure of ``model``: its layers with options and weights, optimiser, loss and metrics."""
    layers = {}
    for layer in model._flatten_layers():
        if not isinstance(layer, keras.layers.InputLayer):
            layers[f"layer {len(layers)} {type(layer).__name__}"] = _layer(layer)
    return {
        "model": layers,
        "optimizer": _optimizer(model.optimizer),
        "other optimizers": [_optimizer(other) for other in optimizers_of(model) if other is not model.optimizer],
        "loss": _plain(model.loss),
        "metrics": sorted(model.get_metrics_result()),
    }


def _layer(layer: keras.Layer) -> dict[str, Any]:
    own = _config(layer)
    if isinstance(layer, keras.Model):  # its layers have entries of their own: left are its options
        own = {name: value for name, value in own.items() if not isinstance(value, dict | list | tuple)}
    own["trainable"], own["dtype"] = layer.trainable, layer.dtype_policy.name
    variables = layer._trainable_variables + layer._non_trainable_variables
    own["weights"] = [f"{v.dtype} {tuple(v.shape)}" for v in variables]
    return _plain(own)


def _optimizer(optimizer: Any) -> dict[str, Any]:
    config = _config(optimizer)
    if not isinstance(config.get("learning_rate"), dict):
        config.pop("learning_rate", None)  # a variable that callbacks may change
    if "inner_optimizer" in config:  # one that scales the loss for float16
        config["inner_optimizer"] = _optimizer(optimizer.inner_optimizer)
    return _plain({"class": type(optimizer).__name__} | config)


def _config(thing: Any) -> dict[str, Any]:
    try:
        return thing.get_config()
    except (AttributeError, NotImplementedError, TypeError):  # a class of the user's own that does not tell
        return {}


def _plain(value: Any) -> Any:
    """JSON without names, addresses and starting values."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items() if not _LEFT_OUT.search(str(k))}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, keras.losses.Loss | keras.metrics.Metric | keras.Layer):
        return {"class": type(value).__name__} | _plain(_config(value))
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return _ADDRESS.sub("", getattr(value, "__name__", None) or str(value))
