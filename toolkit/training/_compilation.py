"""How a model is compiled for a run: with XLA or without, and which layers run as one operation.

Everything here follows from the model and the length of the run, nothing from a stopwatch: a decision that
changed from run to run would change the last bits of the weights with it. What the rules rest on is measured by
``benchmarks/training_fit.py``. On a CPU of two cores, XLA against TensorFlow's own kernels, once both are compiled:
dense and embedding models ×1.0, convolutions ×0.5, GRU ×2.5, simple RNN ×1.6, and seconds for compiling each. Where a
step draws random numbers, as dropout does, XLA would draw others, so there it is used only if asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import keras
import tensorflow as tf

from toolkit.training._recurrent import fusible

_STEPS_WORTH_COMPILING = 1000
_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


@dataclass(frozen=True)
class Compilation:
    """A decision, and its reason in words.

    Attributes:
        eager: Python runs every step, as ``compile(run_eagerly=True)`` asks.
        jit: XLA compiles the step.
        fused: the LSTM layers that run as one operation.
        reason: why XLA is used or not.
        asked: whether the caller insists on it.
    """

    eager: bool
    jit: bool
    fused: tuple[keras.Layer, ...]
    reason: str
    asked: bool = False

    def without_xla(self, reason: str = "") -> Compilation:
        """The same without XLA."""
        return replace(self, jit=False, reason=reason or self.reason)


def decide(
    model: keras.Model, jit_compile: bool | str, steps: int | None, *, lengths_vary: bool = False
) -> Compilation:
    """How to compile ``model`` for a run of ``steps`` steps (None: unknown).

    Args:
        model: a compiled model.
        jit_compile: True or False, or "auto" for the rules.
        steps: of all epochs together.
        lengths_vary: whether samples of one batch may be longer than those of another.
    """
    layers = list(model._flatten_layers(include_self=False))
    lstms = tuple(layer for layer in layers if fusible(layer))
    if model.run_eagerly:
        return Compilation(True, False, (), "the model was compiled with run_eagerly=True")
    if jit_compile != "auto":
        return Compilation(False, bool(jit_compile), lstms, "as asked", asked=True)
    if model.jit_compile:
        return Compilation(False, True, lstms, "the model was compiled so", asked=True)
    if tf.config.list_physical_devices("GPU"):
        return Compilation(False, False, lstms, "Keras's choice for this model on a GPU")
    if lengths_vary:
        return Compilation(False, False, lstms, "XLA would compile anew for each length of the sequences")
    jit, reason = _on_the_cpu(layers, lstms, steps)
    return Compilation(False, jit, lstms, reason)


def _on_the_cpu(layers: list[keras.Layer], lstms: tuple, steps: int | None) -> tuple[bool, str]:
    loops = [layer for layer in layers if isinstance(layer, keras.layers.RNN) and layer not in lstms]
    if not loops:
        return False, "XLA gains nothing on a CPU without loops over time"
    names = ", ".join(layer.name for layer in loops)
    if any(isinstance(layer, _CONVOLUTIONS) for layer in layers):
        return False, "XLA's convolutions are slow on a CPU"
    if not all(getattr(layer, "supports_jit", True) for layer in layers):
        return False, "a layer of the model does not support XLA"
    if any(isinstance(layer, keras.layers.Embedding) for layer in layers):
        return False, "XLA would not notice an id that is outside of an embedding"
    if steps is None or steps < _STEPS_WORTH_COMPILING:
        return False, f"too few steps to pay for compiling {names} with XLA"
    return True, f"XLA speeds up the loop over time of {names}"
