"""What all networks share, whatever their shape: names, weights, the loss, training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, ClassVar

import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError, ShapeError
from toolkit.scratch import _fit
from toolkit.scratch._equations import Equations
from toolkit.scratch._fit import Arrays
from toolkit.scratch._layer import Layer, check_dtype
from toolkit.scratch._losses import Loss, get_loss
from toolkit.scratch._optimizers import Optimizer, get_optimizer
from toolkit.scratch._output_loss import OutputLoss, count_right, is_classifier
from toolkit.scratch._shape import Shape, batch, fits, snake_case


def numbered(given: Sequence[str | None], kinds: Sequence[str], where: str) -> list[str]:
    """The names ``given``; where there is none, the kind with the next free number: dense, dense_1, dense_2.

    Raises:
        InvalidValueError: a given name appears twice.
    """
    times = Counter(name for name in given if name)
    for name in times:
        if times[name] > 1:
            raise InvalidValueError(where, "every name once", f"{name!r} {times[name]} times")
    names: list[str] = []
    for own, kind in zip(given, kinds):
        free = (name for k in count() if (name := f"{kind}_{k}" if k else kind) not in {*times, *names})
        names.append(own or next(free))
    return names


def forward_with_mask(layer: Layer, x: Arrays, mask: Any, training: bool) -> Arrays:
    """The output of a layer, which gets the mask of ``x`` if it takes one."""
    return layer.forward(x, training, mask=mask) if layer.uses_mask else layer.forward(x, training)


class Network(ABC):
    """A function with parameters that is made of layers: ``Sequential`` is a chain, ``Model`` a graph.

    Attributes:
        name: the network's name.
        layers: the layers, in Keras's order.
        dtype: of all parameters, float32 or float64.
        seed: fixes initial values, dropout masks and the shuffling of ``fit``.
        optimizer: the optimiser; None before ``compile``.
        loss: the loss, of several outputs a list; None before ``compile``.
        several_inputs: whether ``forward`` takes a list of arrays.
        several_outputs: whether it returns one.
        history: what the last ``fit`` measured.
        equations: the network's formulas as LaTeX.
    """

    equations: ClassVar[Equations]
    several_inputs = False
    several_outputs = False

    def __init__(self, layers: Sequence[Layer], *, seed: int, dtype: str, name: str) -> None:
        self.name = name
        self.layers = list(layers)
        self.seed = seed
        self.dtype = check_dtype(dtype, self.where)
        self.optimizer: Optimizer | None = None
        self.loss: Loss | list[Loss] | None = None
        self.history: _fit.History | None = None
        self._losses: list[OutputLoss] = []
        # Of the last forward pass, for each output:
        self._outputs: list[np.ndarray] = []
        self._masks: list[np.ndarray | None] = []

    # ------------------------------------------------------------------ what a network has to say

    @abstractmethod
    def forward(self, x: Arrays, training: bool = False) -> Arrays:
        """Returns the output for ``x (N, …)``; ``training`` switches dropout on."""

    @abstractmethod
    def backward(self, dy: Arrays, needs_dx: bool = True) -> Arrays | None:
        """Fills every layer's ``grads`` from ``dy = ∂L/∂ŷ`` and returns ``dx``."""

    @abstractmethod
    def _backward(self, dy: list[np.ndarray], on_logits: list[bool], needs_dx: bool) -> list[np.ndarray | None]:
        """``backward`` from a gradient for each output: ``∂L/∂ŷ``, or ``∂L/∂z`` where it is ``on_logits``."""

    @abstractmethod
    def _output_layers(self) -> list[Layer | None]:
        """The layer behind each output; None where others use its output too."""

    @abstractmethod
    def _logits(self, output: int) -> np.ndarray:
        """The logits of one output in the last forward pass."""

    # ------------------------------------------------------------------ names and weights

    @property
    def where(self) -> str:
        """The network as errors call it, e.g. ``Model 'tagger'``."""
        return f"{type(self).__name__} {self.name!r}"

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that make the outputs."""
        return [self.layers[-1].name]

    @property
    def last_output(self) -> Arrays | None:
        """``ŷ`` of the last forward pass, of several outputs a list; None before the first."""
        return self._outputs if self.several_outputs else self._outputs[0] if self._outputs else None

    @property
    def last_mask(self) -> np.ndarray | list[np.ndarray | None] | None:
        """The mask of the last output, ``(N, T)`` bool, of several outputs a list; None where all positions count."""
        return self._masks if self.several_outputs else self._masks[0] if self._masks else None

    def _name_layers(self) -> None:
        """Numbers layers without a name of their own as Keras does: dense, dense_1, dense_2."""
        given = [layer._given_name for layer in self.layers]
        kinds = [snake_case(type(layer).__name__) for layer in self.layers]
        for layer, name in zip(self.layers, numbered(given, kinds, f"{self.where}, layers")):
            layer.name = name

    def _build_layer(self, layer: Layer, shape: Shape | tuple[Shape, ...], seed: np.random.SeedSequence) -> None:
        """Builds a layer; one that has parameters already keeps them, if they are the right ones."""
        if layer.built and fits(shape, layer.input_shape) and layer.dtype == self.dtype:
            return
        if layer.params:
            raise ShapeError(
                layer.where,
                f"to be built for {batch(shape)} in {self.dtype}",
                f"built for {batch(layer.input_shape)} in {layer.dtype}",
            )
        layer.build(shape, seed=seed, dtype=self.dtype)

    @property
    def built(self) -> bool:
        """Whether all parameters exist."""
        return all(layer.built for layer in self.layers)

    @property
    def params(self) -> dict[str, np.ndarray]:
        """Every parameter under ``"layer/name"``, e.g. ``"dense/W"``; the arrays themselves, not copies."""
        return {f"{layer.name}/{key}": p for layer in self.layers for key, p in layer.params.items()}

    @property
    def grads(self) -> dict[str, np.ndarray]:
        """Every gradient of the last backward pass, under the same keys as ``params``."""
        return {f"{layer.name}/{key}": g for layer in self.layers for key, g in layer.grads.items()}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Every parameter and moving average, under ``"layer/name"``, in Keras's order: layer by layer."""
        return {f"{layer.name}/{key}": w for layer in self.layers for key, w in layer.weights.items()}

    def count_params(self) -> int:
        """How many numbers define the network: those it learns and, as in Keras, its moving averages."""
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all ``weights``, in Keras's order: layer by layer, parameters before moving averages."""
        return [w.copy() for w in self.weights.values()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Overwrites all ``weights``; takes a list from ``get_weights``, of this network or its Keras twin.

        Raises:
            CallOrderError: the network is not built.
            ShapeError: the number of arrays or one of the shapes differs; then nothing is changed.
        """
        if not self.built:
            raise CallOrderError(self.where, "a built network", "one without input shape", "Give input_shape=.")
        own = self.weights
        if len(weights) != len(own):
            raise ShapeError(self.where, f"{len(own)} arrays ({', '.join(own)})", f"{len(weights)}")
        for (key, w), new in zip(own.items(), weights):
            if np.shape(new) != w.shape:
                raise ShapeError(self.where, f"{key} of shape {w.shape}", f"shape {np.shape(new)}")
        for w, new in zip(own.values(), weights):
            w[...] = new

    def summary(self) -> str:
        """A table of the layers with output shapes and parameter counts; print it."""
        rows = [self._summary_titles, *map(self._summary_row, self.layers)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        rule = "─" * (sum(widths) + 2 * len(widths) - 2)
        total, trainable = self.count_params(), sum(p.size for p in self.params.values())
        split = "" if total == trainable else f" ({trainable:,} trainable, {total - trainable:,} not)"
        return "\n".join([lines[0], rule, *lines[1:], rule, f"{total:,} parameters{split}, {self.dtype}"])

    _summary_titles: tuple[str, ...] = ("layer", "output shape", "parameters")

    def _summary_row(self, layer: Layer) -> tuple[str, ...]:
        shape = batch(layer.output_shape) if layer.built else "(N, …)"
        activation = getattr(layer, "activation", None)
        kind = type(layer).__name__ + (f", {type(activation).__name__.lower()}" if activation else "")
        return f"{layer.name} ({kind})", shape, f"{layer.count_params():,}".rjust(len("parameters"))

    def __repr__(self) -> str:
        return f"<{self.where}: {len(self.layers)} layers, {self.count_params():,} parameters>"

    # ------------------------------------------------------------------ training

    def __call__(self, x: Arrays, training: bool = False) -> Arrays:
        return self.forward(x, training)

    def compile(
        self,
        optimizer: str | Optimizer = "sgd",
        loss: str | Loss | Sequence[str | Loss] = "mean_squared_error",
        loss_weights: Sequence[float] | None = None,
    ) -> None:
        """Chooses optimiser and loss, by name or as objects; the name is Keras's, nothing is compiled.

        Args:
            optimizer: name or object.
            loss: name or object; of several outputs a list, of which the network minimises the weighted sum.
            loss_weights: the weight of each loss in that sum; 1 by default.

        Raises:
            InvalidValueError: an unknown name, or not one loss and one weight for each output.
        """
        losses = loss if isinstance(loss, list | tuple) else [loss]
        weights = [1.0] * len(losses) if loss_weights is None else loss_weights
        layers = self._output_layers()
        if not len(losses) == len(weights) == len(layers):
            expected = f"a loss and a weight for each of {len(layers)} outputs"
            raise InvalidValueError(self.where, expected, f"{len(losses)} losses and {len(weights)} weights")
        self.optimizer = get_optimizer(optimizer)
        self._losses = [OutputLoss(get_loss(each), *of) for each, *of in zip(losses, layers, weights)]
        self.loss = [output.loss for output in self._losses] if self.several_outputs else self._losses[0].loss

    def loss_and_gradients(self, x: Arrays, y: Arrays, training: bool = True) -> tuple[float, dict[str, np.ndarray]]:
        """One forward and one backward pass.

        Args:
            x: inputs ``(N, …)``; several as a list.
            y: targets, in the form that the loss takes; of several outputs a list.
            training: whether dropout is on and moving averages move.

        Returns:
            The loss (with penalties) and the gradient of every parameter, keyed as ``params``.

        Raises:
            CallOrderError: no loss has been chosen with ``compile``.
            ShapeError: ``x`` and ``y`` differ in their number of samples.
        """
        n = len(x[0] if self.several_inputs else x)
        for targets in self._per_output(y):
            if len(targets) != n:
                raise ShapeError(self.where, f"as many targets as inputs, {n}", f"{len(targets)}")
        self.forward(x, training)
        value = self.data_loss(y)
        dy = [loss.backward() for loss in self._losses]
        self._backward(dy, [loss.on_logits for loss in self._losses], needs_dx=False)
        return value + self.regularization(), self.grads

    def data_loss(self, y: Arrays) -> float:
        """The loss of the last forward pass against ``y``, without penalties; of several outputs the weighted sum.

        Softmax (or sigmoid) and its cross-entropy are computed together from the logits. Where an output has a
        mask, its loss is the mean over the positions that count.
        """
        if not self._losses:
            raise CallOrderError(self.where, "a loss", "none", "Call compile(optimizer, loss) first.")
        total = 0.0
        for k, (loss, targets) in enumerate(zip(self._losses, self._per_output(y))):
            y_pred = self._logits(k) if loss.on_logits else self._outputs[k]
            total += loss.forward(targets, y_pred, self._masks[k])
        return total

    def count_right(self, y: Arrays) -> dict[str, np.ndarray]:
        """How many positions of the last output were classified correctly, and how many count.

        Returns:
            The two numbers as ``"accuracy"``, of several outputs as ``"layer_accuracy"``; nothing for a regression.
        """
        names = [f"{name}_accuracy" for name in self.output_names] if self.several_outputs else ["accuracy"]
        return {
            name: count_right(output.loss, targets, y_pred, mask)
            for name, output, targets, y_pred, mask in zip(
                names, self._losses, self._per_output(y), self._outputs, self._masks
            )
            if is_classifier(output.loss)
        }

    def _per_output(self, values: Any) -> list:
        """``values`` as a list with an element for each output."""
        if not self.several_outputs:
            return [values]
        if not isinstance(values, list | tuple) or len(values) != len(self.output_names):
            expected = f"a list with an element for each of {len(self.output_names)} outputs"
            raise ShapeError(self.where, expected, type(values).__name__)
        return list(values)

    def regularization(self) -> float:
        """The sum of all penalties on parameters."""
        return sum(layer.regularization() for layer in self.layers)

    def train_step(self, x: Arrays, y: Arrays) -> float:
        """Forward, backward, update on one batch; returns the loss before the update."""
        value, grads = self.loss_and_gradients(x, y)
        if self.optimizer is None:
            raise CallOrderError(self.where, "an optimiser", "none", "Call compile(optimizer, loss) first.")
        self.optimizer.step(self.params, grads)
        return value

    def fit(self, x: Arrays, y: Arrays, **options: Any) -> _fit.History:
        """Trains on mini-batches; see ``toolkit.scratch.fit`` for the options."""
        return _fit.fit(self, x, y, **options)

    def evaluate(self, x: Arrays, y: Arrays, batch_size: int = 1024) -> dict[str, float]:
        """Loss and, for classifiers, accuracy on ``x, y`` without training: ``{"loss": …, "accuracy": …}``."""
        return _fit.evaluate(self, x, y, batch_size)

    def predict(self, x: Arrays, batch_size: int = 1024) -> Arrays:
        """The outputs for ``x (N, …)``, computed in batches so that memory stays small."""
        return _fit.predict(self, x, batch_size)
