"""A chain of layers: forward from first to last, backward from last to first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer, to_array
from toolkit.scratch._network import Network, forward_with_mask
from toolkit.scratch._shape import Shape, are_several, batch, to_shape


class Sequential(Network):
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
        input_shape: Sequence[int | None] | int | None = None,
        seed: int = 0,
        dtype: str = "float32",
        name: str = "sequential",
    ) -> None:
        super().__init__(list(layers), seed=seed, dtype=dtype, name=name)
        self._check_layers()
        self._name_layers()
        if input_shape is not None:
            self.build((input_shape,) if isinstance(input_shape, int) else tuple(input_shape))

    def _check_layers(self) -> None:
        if not self.layers:
            raise InvalidValueError(self.where, "at least one layer", "none")
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise InvalidValueError(
                    self.where,
                    "layers of toolkit.scratch",
                    repr(layer),
                    "toolkit.bridge converts Keras models.",
                )
        if len({id(layer) for layer in self.layers}) < len(self.layers):
            remedy = "Model builds networks that share layers."
            raise InvalidValueError(self.where, "every layer once", "the same layer object twice", remedy)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Creates all parameters for samples of ``input_shape``; the same seed gives the same values."""
        shape = to_shape(input_shape)
        # Each layer has a random stream of its own: adding a layer does not change those before it.
        for layer, seed in zip(self.layers, np.random.SeedSequence(self.seed).spawn(len(self.layers))):
            self._build_layer(layer, shape, seed)
            shape = layer.output_shape
            if are_several(shape):
                remedy = "Model builds networks with branches."
                raise ShapeError(self.where, f"one output of {layer.where}", f"{batch(shape)}", remedy)

    @property
    def input_shape(self) -> Shape | None:
        """Shape of one input sample; None until built."""
        return self.layers[0].input_shape

    # ------------------------------------------------------------------ forward and backward

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns the output for ``x (N, …)``; ``training`` switches dropout on."""
        x = to_array(x, None, "x", self.where)
        if not self.built:
            if x.ndim < 2:
                raise ShapeError(self.where, "x with a batch axis, shape (N, …)", f"shape {x.shape}")
            self.build(x.shape[1:])
        mask = None
        for layer in self.layers:
            y = forward_with_mask(layer, x, mask, training)
            x, mask = y, layer.compute_mask(x, mask)
        self._outputs, self._masks = [x], [mask]
        return x

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Fills every layer's ``grads`` from ``dy = ∂L/∂ŷ`` and returns ``dx``."""
        return self._backward([dy], [False], needs_dx)[0]

    def _backward(self, dy: list[np.ndarray], on_logits: list[bool], needs_dx: bool) -> list[np.ndarray | None]:
        (d,), (d_is_dz,) = dy, on_logits
        for layer in reversed(self.layers):
            step = layer.backward_from_dz if d_is_dz else layer.backward
            d, d_is_dz = step(d, needs_dx or layer is not self.layers[0]), False
        return [d]

    def _output_layers(self) -> list[Layer | None]:
        return self.layers[-1:]

    def _logits(self, output: int) -> np.ndarray:
        return self.layers[-1].logits
