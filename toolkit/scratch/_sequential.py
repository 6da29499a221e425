"""A chain of layers: forward from first to last, backward from last to first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from toolkit.errors import CallOrderError, InvalidValueError, ShapeError
from toolkit.scratch import _fit
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer, batch, check_dtype
from toolkit.scratch._losses import Loss, get_loss, with_logits
from toolkit.scratch._optimizers import Optimizer, get_optimizer


class Sequential:
    r"""A network ``y = f_K(… f_2(f_1(x)))``; each layer's output is the next one's input.

    The backward pass is the chain rule, one layer at a time: each layer turns the gradient of the loss with
    respect to its output into that with respect to its input, and notes its parameters' on the way.

    Args:
        layers: the layers in order; a layer belongs to one place of one network.
        input_shape: shape of one sample; with it the parameters exist at once, else from the first ``forward``.
        seed: fixes initial values, dropout masks and the shuffling of ``fit``.
        dtype: "float32", or "float64" for proofs.
        name: the network's name.

    Example:
        >>> from toolkit import scratch
        >>> net = scratch.Sequential([scratch.Dense(2, "relu"), scratch.Dense(1)], input_shape=(3,))
        >>> net.forward([[1.0, 2.0, 3.0]]).shape
        (1, 1)

    Raises:
        InvalidValueError: there are no layers, something is not a layer, or a layer or name appears twice.
        ShapeError: two neighbours do not fit.
    """

    equations = Equations(
        (r"x_0 = x", r"x_k = f_k(x_{k-1})", r"\hat y = x_K"),
        (
            r"dx_K = \frac{\partial L}{\partial \hat y}",
            r"dx_{k-1} = \Big(\frac{\partial x_k}{\partial x_{k-1}}\Big)^{\top} dx_k",
        ),
        {"x_k": r"\mathbb{R}^{N \times D_k}"},
    )

    def __init__(
        self,
        layers: Iterable[Layer],
        *,
        input_shape: Sequence[int] | int | None = None,
        seed: int = 0,
        dtype: str = "float32",
        name: str = "sequential",
    ) -> None:
        self.name = name
        self.layers = list(layers)
        self.seed = seed
        self.dtype = check_dtype(dtype, self._where)
        self.optimizer: Optimizer | None = None
        self.loss: Loss | None = None
        self._logit_loss: Loss | None = None
        self.last_output: np.ndarray | None = None
        self.history: _fit.History | None = None
        self._check_layers()
        self._name_layers()
        if input_shape is not None:
            self.build((input_shape,) if isinstance(input_shape, int) else tuple(input_shape))

    # ------------------------------------------------------------------ structure

    @property
    def _where(self) -> str:
        return f"Sequential {self.name!r}"

    def _check_layers(self) -> None:
        if not self.layers:
            raise InvalidValueError(self._where, "at least one layer", "none")
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise InvalidValueError(
                    self._where,
                    "layers of toolkit.scratch",
                    repr(layer),
                    "toolkit.bridge converts Keras models.",
                )
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            raise InvalidValueError(self._where, "every layer once", "the same layer object twice")

    def _name_layers(self) -> None:
        """Numbers layers without a name of their own as Keras does: dense, dense_1, dense_2."""
        given = [layer._given_name for layer in self.layers if layer._given_name]
        for name, times in Counter(given).items():
            if times > 1:
                raise InvalidValueError(self._where, "every layer name once", f"{name!r} {times} times")
        taken, counts = set(given), Counter()
        for layer in self.layers:
            if layer._given_name:
                continue
            kind = layer.name.rstrip("0123456789").rstrip("_")
            while True:
                candidate = f"{kind}_{counts[kind]}" if counts[kind] else kind
                counts[kind] += 1
                if candidate not in taken:
                    break
            layer.name = candidate

    def build(self, input_shape: Sequence[int]) -> None:
        """Creates all parameters for samples of ``input_shape``; the same seed gives the same values."""
        shape = tuple(input_shape)
        # Each layer has a random stream of its own: adding a layer does not change those before it.
        for layer, seed in zip(self.layers, np.random.SeedSequence(self.seed).spawn(len(self.layers))):
            if layer.built and layer.params:
                if layer.input_shape != shape or layer.dtype != self.dtype:
                    raise ShapeError(
                        layer.where,
                        f"to be built for {batch(shape)} in {self.dtype}",
                        f"built for {batch(layer.input_shape)} in {layer.dtype}",
                    )
            else:
                layer.build(shape, seed=seed, dtype=self.dtype)
            shape = layer.output_shape

    @property
    def built(self) -> bool:
        """Whether all parameters exist."""
        return all(layer.built for layer in self.layers)

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one input sample; None until built."""
        return self.layers[0].input_shape

    @property
    def params(self) -> dict[str, np.ndarray]:
        """Every parameter under ``"layer/name"``, e.g. ``"dense/W"``; the arrays themselves, not copies."""
        return {f"{layer.name}/{key}": p for layer in self.layers for key, p in layer.params.items()}

    @property
    def grads(self) -> dict[str, np.ndarray]:
        """Every gradient of the last backward pass, under the same keys as ``params``."""
        return {f"{layer.name}/{key}": g for layer in self.layers for key, g in layer.grads.items()}

    def count_params(self) -> int:
        """How many numbers the network learns."""
        return sum(layer.count_params() for layer in self.layers)

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all parameters, in the order of the layers (each ``W`` before its ``b``), as in Keras."""
        return [p.copy() for p in self.params.values()]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Overwrites all parameters; ``weights`` as from ``get_weights``, of this network or its Keras twin.

        Raises:
            CallOrderError: the network is not built.
            ShapeError: the number of arrays or one of the shapes differs; then nothing is changed.
        """
        if not self.built:
            raise CallOrderError(self._where, "a built network", "one without input shape", "Give input_shape=.")
        params = self.params
        if len(weights) != len(params):
            raise ShapeError(self._where, f"{len(params)} arrays ({', '.join(params)})", f"{len(weights)}")
        for (key, p), w in zip(params.items(), weights):
            if np.shape(w) != p.shape:
                raise ShapeError(self._where, f"{key} of shape {p.shape}", f"shape {np.shape(w)}")
        for p, w in zip(params.values(), weights):
            p[...] = w

    def summary(self) -> str:
        """A table of the layers with output shapes and parameter counts; print it."""
        rows = [("layer", "output shape", "parameters")]
        for layer in self.layers:
            shape = batch(layer.output_shape) if layer.built else "(N, …)"
            activation = getattr(layer, "activation", None)
            kind = type(layer).__name__ + (f", {type(activation).__name__.lower()}" if activation else "")
            rows.append((f"{layer.name} ({kind})", shape, f"{layer.count_params():,}"))
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
        rule = "─" * (sum(widths) + 4)
        return "\n".join([lines[0], rule, *lines[1:], rule, f"{self.count_params():,} parameters, {self.dtype}"])

    def __repr__(self) -> str:
        return f"<{self._where}: {len(self.layers)} layers, {self.count_params():,} parameters>"

    # ------------------------------------------------------------------ forward and backward

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the output for ``x (N, …)``; ``training`` switches dropout on."""
        if not self.built:
            x = np.asarray(x)
            if x.ndim < 2:
                raise ShapeError(self._where, "x with a batch axis, shape (N, …)", f"shape {x.shape}")
            self.build(x.shape[1:])
        for layer in self.layers:
            x = layer.forward(x, training)
        self.last_output = x
        return x

    __call__ = forward

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Fills every layer's ``grads`` from ``dy = ∂L/∂ŷ`` and returns ``dx``."""
        return self._backward_through(self.layers, dy, needs_dx)

    def _backward_through(self, layers: list[Layer], dy: np.ndarray, needs_dx: bool) -> np.ndarray | None:
        for layer in reversed(layers):
            dy = layer.backward(dy, needs_dx or layer is not self.layers[0])
        return dy

    # ------------------------------------------------------------------ training

    def compile(self, optimizer: str | Optimizer = "sgd", loss: str | Loss = "mean_squared_error") -> None:
        """Chooses optimiser and loss, by name or as objects; the name is Keras's, nothing is compiled."""
        self.optimizer = get_optimizer(optimizer)
        self.loss = get_loss(loss)
        last = self.layers[-1]
        self._logit_loss = with_logits(self.loss, getattr(last, "activation", last))

    def loss_and_gradients(
        self, x: np.ndarray, y: np.ndarray, training: bool = True
    ) -> tuple[float, dict[str, np.ndarray]]:
        """One forward and one backward pass.

        Args:
            x: inputs ``(N, …)``.
            y: targets, in the form that the loss takes.
            training: whether dropout is on.

        Returns:
            The loss (with penalties) and the gradient of every parameter, keyed as ``params``.

        Raises:
            CallOrderError: no loss has been chosen with ``compile``.
            ShapeError: ``x`` and ``y`` differ in their number of samples.
        """
        if len(x) != len(y):
            raise ShapeError(self._where, f"as many targets as inputs, {len(x)}", f"{len(y)}")
        self.forward(x, training)
        value = self.data_loss(y)
        if self._logit_loss is None:
            self.backward(self.loss.backward(), needs_dx=False)
        else:
            *rest, last = self.layers
            dy = last.backward_from_dz(self._logit_loss.backward(), needs_dx=bool(rest))
            self._backward_through(rest, dy, needs_dx=False)
        return value + self.regularization(), self.grads

    def data_loss(self, y: np.ndarray) -> float:
        """The loss of the last forward pass against ``y``, without penalties.

        Softmax (or sigmoid) and its cross-entropy are computed together from the logits.
        """
        if self.loss is None:
            raise CallOrderError(self._where, "a loss", "none", "Call compile(optimizer, loss) first.")
        if self._logit_loss is None:
            return self.loss.forward(y, self.last_output)
        return self._logit_loss.forward(y, self.layers[-1].logits)

    def regularization(self) -> float:
        """The sum of all penalties on parameters."""
        return sum(layer.regularization() for layer in self.layers)

    def train_step(self, x: np.ndarray, y: np.ndarray) -> float:
        """Forward, backward, update on one batch; returns the loss before the update."""
        value, grads = self.loss_and_gradients(x, y)
        if self.optimizer is None:
            raise CallOrderError(self._where, "an optimiser", "none", "Call compile(optimizer, loss) first.")
        self.optimizer.step(self.params, grads)
        return value

    def fit(self, x: np.ndarray, y: np.ndarray, **options: Any) -> _fit.History:
        """Trains on mini-batches; see ``toolkit.scratch.fit`` for the options."""
        return _fit.fit(self, x, y, **options)

    def evaluate(self, x: np.ndarray, y: np.ndarray, batch_size: int = 1024) -> dict[str, float]:
        """Loss and, for classifiers, accuracy on ``x, y`` without training: ``{"loss": …, "accuracy": …}``."""
        return _fit.evaluate(self, x, y, batch_size)

    def predict(self, x: np.ndarray, batch_size: int = 1024) -> np.ndarray:
        """The outputs for ``x (N, …)``, computed in batches so that memory stays small."""
        x = np.asarray(x)
        if len(x) == 0:
            raise ShapeError(self._where, "at least one sample", f"x of shape {x.shape}")
        return np.concatenate([self.forward(x[i : i + batch_size]) for i in range(0, len(x), batch_size)])
