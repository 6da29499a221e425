"""From an output of a network to its loss: through the logits where that is exact, over what the mask lets count."""

from __future__ import annotations

import numpy as np

from toolkit.errors import ShapeError
from toolkit.scratch._layer import Layer
from toolkit.scratch._losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    SparseCategoricalCrossentropy,
    with_logits,
)


class OutputLoss:
    """The loss of one output ``ŷ (N, …)``, as Keras takes it when it trains.

    - Softmax (or sigmoid) and its cross-entropy are computed together, from the logits: ``backward`` then gives
      ``dz`` instead of ``dŷ``.
    - With a mask ``(N, T)`` the loss is the mean over the V positions that count. The others have no gradient,
      and their targets may be anything.

    Args:
        loss: the loss.
        layer: the layer that makes the output; None where its logits cannot be asked for.
        weight: a factor of the loss, where a network has several outputs.

    Attributes:
        on_logits: whether the loss is computed from the layer's logits.
    """

    def __init__(self, loss: Loss, layer: Layer | None, weight: float = 1.0) -> None:
        self.loss = loss
        self.weight = float(weight)
        knows_logits = hasattr(type(layer), "backward_from_dz")
        fused = with_logits(loss, getattr(layer, "activation", layer)) if knows_logits else None
        self.on_logits = fused is not None
        self._computed = fused or loss
        self._scatter: tuple[np.ndarray, np.ndarray] | None = None

    def forward(self, y: np.ndarray, y_pred: np.ndarray, mask: np.ndarray | None = None) -> float:
        """The loss of targets ``y`` and the output (or its logits) ``y_pred``; 0 where nothing counts.

        Raises:
            ShapeError: ``y`` has other first axes than the mask.
        """
        self._scatter = None
        if mask is None:
            return self.weight * self._computed.forward(y, y_pred)
        y = np.asarray(y)
        if y.shape[:2] != mask.shape or y_pred.shape[:2] != mask.shape:
            raise ShapeError(
                type(self.loss).__name__,
                f"targets and outputs (N, T, …) for a mask of shape {mask.shape}",
                f"y_true {y.shape} and y_pred {y_pred.shape}",
            )
        self._scatter = mask, np.zeros_like(y_pred)
        return self.weight * self._computed.forward(y[mask], y_pred[mask]) if mask.any() else 0.0

    def backward(self) -> np.ndarray:
        """``∂L/∂ŷ``, or ``∂L/∂z`` where ``on_logits``; 0 at the positions that do not count."""
        if self._scatter is None:
            return self.weight * self._computed.backward()
        mask, dy = self._scatter
        if mask.any():
            dy[mask] = self.weight * self._computed.backward()
        return dy


def is_classifier(loss: Loss) -> bool:
    """Whether accuracy means something for this loss."""
    return isinstance(loss, BinaryCrossentropy | CategoricalCrossentropy | SparseCategoricalCrossentropy)


def count_right(loss: Loss, y: np.ndarray, y_pred: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """How many positions were classified correctly and how many count: two numbers.

    A position is a sample, in a sequence a time step. One with several yes/no outputs is right in so far as they are.
    """
    if isinstance(loss, BinaryCrossentropy):
        yes = y_pred > (0 if loss.from_logits else 0.5)
        right = (yes == (np.reshape(y, y_pred.shape) > 0.5)).mean(axis=-1)
    else:
        labels = y.argmax(axis=-1) if isinstance(loss, CategoricalCrossentropy) else y.reshape(y_pred.shape[:-1])
        right = y_pred.argmax(axis=-1) == labels
    right = right if mask is None else right[mask]
    return np.array([right.sum(), right.size], dtype=float)
