"""The Forward-Forward algorithm: every layer has a loss of its own, and nothing is sent backwards."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from toolkit.argument_checks import is_number
from toolkit.errors import InvalidValueError, UnsupportedError
from toolkit.training._data import Nested
from toolkit.training.layerwise._blocks import blocks_of
from toolkit.training.layerwise._chain import fresh_optimizer
from toolkit.training.layerwise._greedy import require_compiled, require_pair
from toolkit.training.layerwise._record import LayerwiseHistory
from toolkit.training.layerwise._stages import Stages, epochs_of

_SHAPING = (keras.layers.Flatten, keras.layers.Rescaling, keras.layers.Reshape)
_BATCH = 1024


class ForwardForward:
    """A model that was trained by ``forward_forward``.

    It names the class whose label gives its layers the most goodness. The model itself, called as usual, knows
    nothing of labels in its input; its head was not trained.

    Attributes:
        history: what ``forward_forward`` recorded.
    """

    def __init__(self, network: LocalNetwork, history: LayerwiseHistory) -> None:
        self._network, self.history = network, history

    def goodness(self, x: np.ndarray) -> np.ndarray:
        """Σ over the layers of the goodness with each label, ``(N, C)``."""
        return np.concatenate([self._network.goodness_of_labels(rows).numpy() for rows in _batches(x)])

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class with the highest goodness, ``(N,)``, int64."""
        return self.goodness(x).argmax(axis=1)

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """Share of ``x`` for which ``predict`` says ``y``."""
        return float((self.predict(x) == np.asarray(y).reshape(-1)).mean())

    def activities(self, x: np.ndarray) -> list[np.ndarray]:
        """The outputs of each layer, ``(N, M_k)``, for inputs with a neutral label: 1/C for every class."""
        parts = [self._network.neutral_activities(rows) for rows in _batches(x)]
        return [np.concatenate([part[k].numpy() for part in parts]) for k in range(len(parts[0]))]


def forward_forward(
    model: keras.Sequential,
    x: Nested,
    y: Nested,
    *,
    epochs: int = 1,
    threshold: float = 0.5,
    batch_size: int = 32,
    validation_data: tuple[Nested, Nested] | None = None,
    seed: int = 0,
    gradients: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    verbose: bool | None = None,
    **options: Any,
) -> ForwardForward:
    r"""Trains the dense layers of a Sequential model in place, each by a loss of its own.

    Every sample is seen twice: with its true label (positive) and with a wrong one (negative), drawn anew each time.
    The goodness of layer k is the mean square of its outputs,

    .. math:: G_k = \tfrac1{M_k}\lVert h_k \rVert^2,\qquad
        h_k = f(\hat h_{k-1} W_k + b_k),\qquad \hat h_0 = x,\quad
        \hat h_k = h_k \sqrt{M_k} / \lVert h_k \rVert

    and its loss asks for much of it with the true label and little with the wrong one,
    :math:`L_k = \log(1 + e^{θ - G_k^+}) + \log(1 + e^{G_k^- - θ})`. Outputs are brought to the same length before the
    next layer sees them, so that it cannot read off the goodness of the one before, and as constants: no gradient
    passes from layer to layer. Hinton, "The Forward-Forward algorithm: some preliminary investigations", 2022.

    Where the paper writes the label over the first ten pixels, which are black in MNIST, here it stands beside the
    input: the first layer computes :math:`f(xW + b + V_{label})` with a matrix ``V (C, M)`` more. That loses no pixel
    and asks nothing of the images. And where the paper leaves the first layer out of the sum that names the class, here
    all layers count: on held-out digits (three layers of 64) that was right more often. All layers learn in the same
    step, as in the paper.

    Args:
        model: built and compiled, of Dense layers with their activation inside, and a Dense head, which is not
            trained and says how many classes there are. ``Flatten``, ``Reshape`` and ``Rescaling`` may stand in front.
        x: inputs, one array with N rows.
        y: classes, ``(N,)``, integers from 0 to C − 1.
        epochs: how many times all of ``x`` is seen.
        threshold: θ.
        batch_size: samples a step.
        validation_data: ``(x, y)`` to measure after each epoch, each time with the same wrong labels.
        seed: fixes the order of the samples, the wrong labels and the start of V.
        gradients: whether to record the first gradient of each layer.
        checkpoint: folder; the same call after a kill goes on from there.
        resume: whether to go on from a checkpoint that is there.
        verbose: True shows the progress, False nothing; None (the default) shows it in runs of over two seconds.
        **options: further ones of ``training.fit``.

    Returns:
        The trained classifier, with ``.history``.

    Raises:
        UnsupportedError: a layer that is not Dense.
        CallOrderError: the model is not built or not compiled.
        InvalidValueError: ``y`` are not classes from 0 to C − 1; ``threshold`` is not above 0; or what
            ``training.fit`` raises.
    """
    return train_locally(
        model,
        x,
        y,
        epochs=epochs,
        threshold=threshold,
        validation_data=validation_data,
        seed=seed,
        gradients=gradients,
        checkpoint=checkpoint,
        resume=resume,
        verbose=verbose,
        options={"batch_size": batch_size, "seed": seed} | options,
    )


def train_locally(
    model: keras.Sequential,
    x: Nested,
    y: Nested,
    *,
    epochs: int,
    threshold: float = 0.5,
    validation_data: tuple[Nested, Nested] | None = None,
    seed: int = 0,
    options: dict[str, Any],
    kept: dict[str, Any] | None = None,
    **of_stages: Any,
) -> ForwardForward:
    """What ``forward_forward`` does; ``kept`` holds what was compiled for earlier runs on the same ``model``."""
    where = f"layerwise.forward_forward of {getattr(model, 'name', model)!r}"
    shaping, dense, classes = dense_layers(model, where)
    require_compiled(model, where)
    (epochs,) = epochs_of(where, epochs, 1)
    require_threshold(where, threshold)
    held_out = require_pair(where, validation_data)
    data = _with_labels(x, y, classes, where)
    validation = _with_labels(*held_out, classes, where) if held_out else None
    stages = Stages(where, [("forward-forward", epochs)], options=options, kept=kept, **of_stages)
    with stages, stages.stage("forward-forward") as stage:

        def make() -> LocalNetwork:
            network = LocalNetwork(shaping, dense, classes, threshold, seed)
            network.compile(fresh_optimizer(model), loss=_local_losses)
            return network

        network = stage.model(make)
        stage.train(network, *data, validation=validation)
    return ForwardForward(network, stages.history)


def require_threshold(where: str, threshold: float) -> None:
    """Raises InvalidValueError unless θ is a number above 0, where every goodness lies."""
    if not is_number(threshold) or not 0 < threshold < np.inf:
        raise InvalidValueError(where, "threshold as a number above 0", repr(threshold))


def _with_labels(x: Nested, y: Nested, classes: int, where: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Inputs ``[x, y]`` and targets y of a ``LocalNetwork``."""
    y = np.asarray(y)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or y.dtype.kind not in "iu" or not len(y) or y.min() < 0 or y.max() >= classes:
        received = f"{y.dtype} of shape {y.shape}" + (f" from {y.min()} to {y.max()}" if y.size else "")
        raise InvalidValueError(where, f"classes y of shape (N,), integers from 0 to {classes - 1}", received)
    labels = y.astype("int32")
    return [np.asarray(x), labels], labels


def _local_losses(_: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Σ over the layers of softplus(θ − G⁺) + softplus(G⁻ − θ), for each sample; ``logits (N, K, 2)`` hold G − θ."""
    return ops.sum(ops.softplus(-logits[..., 0]) + ops.softplus(logits[..., 1]), axis=-1)


class LocalNetwork(keras.Model):
    """Dense layers that learn from their own goodness.

    Inputs ``[x, y]``; outputs ``(N, K, 2)``: for each layer G − θ with the label y, and with a wrong one.
    """

    def __init__(
        self, shaping: list[keras.Layer], dense: list[keras.layers.Dense], classes: int, threshold: float, seed: int
    ) -> None:
        super().__init__(name="forward_forward")
        self.shaping, self.dense = list(shaping), list(dense)
        self.classes, self.threshold, self.seed = classes, threshold, seed
        self.seeds = keras.random.SeedGenerator(seed)
        start = keras.initializers.GlorotUniform(seed=seed)
        self.V = self.add_weight(shape=(classes, dense[0].units), initializer=start, name="V")
        self.built = True

    @property
    def own(self) -> list[keras.Layer]:
        """The layers that learn."""
        return self.dense

    def get_config(self) -> dict[str, Any]:
        """The option that no layer shows, for a checkpoint to tell it from another."""
        return {"name": self.name, "threshold": self.threshold}

    def call(self, inputs: Nested, training: bool | None = None) -> tf.Tensor:
        """G − θ of every layer for true and wrong labels."""
        x, y = inputs
        seed = self.seed if training is False else self.seeds  # measuring takes nothing from training's draws
        wrong = (y + keras.random.randint(ops.shape(y), 1, self.classes, dtype="int32", seed=seed)) % self.classes
        shares = ops.one_hot(ops.concatenate([y, wrong]), self.classes)
        goodness = [_goodness(h) for h in self._activities(ops.concatenate([x, x]), shares)]
        positive, negative = ops.split(ops.stack(goodness, axis=-1), 2)  # (N, K) each
        return ops.stack([positive, negative], axis=-1) - self.threshold

    def _activities(self, x: tf.Tensor, label: tf.Tensor) -> list[tf.Tensor]:
        """h_1 … h_K for inputs ``x (N, …)`` and labels as shares of the classes, ``(N, C)``."""
        for layer in self.shaping:
            x = layer(x)
        x = ops.cast(x, self.compute_dtype)
        activities = []
        for k, layer in enumerate(self.dense):
            z = ops.matmul(x, layer.kernel) + (0 if layer.bias is None else layer.bias)
            if k == 0:
                z = z + ops.matmul(ops.cast(label, z.dtype), self.V)
            h = layer.activation(z)
            activities.append(h)
            x = _to_length_one_a_unit(ops.stop_gradient(h))
        return activities

    def goodness_of_labels(self, x: tf.Tensor) -> tf.Tensor:
        """Σ_k G_k for every label, ``(N, C)``."""
        rows = ops.shape(x)[0]
        labels = ops.repeat(ops.eye(self.classes), rows, axis=0)  # (C·N, C), all samples with label 0 first
        activities = self._activities(ops.concatenate([x] * self.classes), labels)
        return ops.transpose(ops.reshape(sum(_goodness(h) for h in activities), (self.classes, rows)))

    def neutral_activities(self, x: tf.Tensor) -> list[tf.Tensor]:
        """h_1 … h_K with 1/C for every label."""
        label = ops.ones((ops.shape(x)[0], self.classes)) / self.classes
        return self._activities(x, label)


def _goodness(h: tf.Tensor) -> tf.Tensor:
    return ops.mean(ops.square(h), axis=-1)


def _to_length_one_a_unit(h: tf.Tensor) -> tf.Tensor:
    """``h`` with a mean square of 1."""
    return h / (ops.sqrt(ops.mean(ops.square(h), axis=-1, keepdims=True)) + 1e-6)


def dense_layers(model: Any, where: str) -> tuple[list[keras.Layer], list[keras.layers.Dense], int]:
    """The layers that shape the input, the dense ones, and how many classes the head tells apart."""
    parts = blocks_of(model, where)
    shaping: list[keras.Layer] = []
    dense: list[keras.layers.Dense] = []
    for block in parts.hidden:
        for layer in block.layers:
            if type(layer) is keras.layers.Dense:
                dense.append(layer)
            elif isinstance(layer, _SHAPING) and not dense:
                shaping.append(layer)
            else:
                remedy = "Put activations into their Dense layers; train other layers with greedy."
                received = f"{layer.name!r} ({type(layer).__name__})"
                raise UnsupportedError(where, "Dense layers with Flatten or Rescaling before them", received, remedy)
    head = parts.head.layers[0]
    if not isinstance(head, keras.layers.Dense) or head.units < 2:
        received = f"{head.name!r} ({type(head).__name__}) with outputs of shape {parts.head.output_shape}"
        raise UnsupportedError(where, "a Dense head with an output for each class", received.replace("None", "N", 1))
    if len(dense[0].kernel.shape) != 2 or len(parts.hidden[0].output_shape) != 2:
        shape = str(parts.hidden[0].output_shape).replace("None", "N", 1)
        raise UnsupportedError(
            where,
            "one vector a sample in front of the first Dense layer",
            f"outputs of {shape}",
            "Begin with a Flatten layer.",
        )
    return shaping, dense, head.units


def _batches(x: np.ndarray) -> list[tf.Tensor]:
    x = np.asarray(x)
    return [tf.convert_to_tensor(x[k : k + _BATCH]) for k in range(0, len(x), _BATCH)]
