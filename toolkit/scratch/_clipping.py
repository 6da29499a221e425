r"""Gradient clipping: no step is longer than a limit, however steep the loss is.

Where a loss has cliffs, as that of a recurrent network over many time steps, one huge gradient undoes the work of a
thousand small ones. Source: Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063.
"""

from __future__ import annotations

import numpy as np

from toolkit.scratch._sparse_gradient import SparseGradient

Gradient = np.ndarray | SparseGradient


def square(g: Gradient) -> Gradient:
    """``g²``, element by element.

    Of a sparse gradient every entry is squared before the entries of one row are summed. The papers square the
    sum; Keras on TensorFlow does this, and where an id occurs several times in a batch the two differ.
    """
    return g.with_values(g.values * g.values) if isinstance(g, SparseGradient) else g * g


def norm(*gradients: Gradient) -> float:
    """``‖g‖ = √Σg²``, the length of one gradient, or of several taken as one."""
    squares = (square(g) for g in gradients)
    return float(np.sqrt(sum((s.values if isinstance(s, SparseGradient) else s).sum() for s in squares)))


def clip_by_norm(g: Gradient, limit: float) -> Gradient:
    """``g · c / max(‖g‖, c)``: the direction stays, the length is at most c."""
    return g * (limit / max(norm(g), limit))


def clip_by_value(g: Gradient, limit: float) -> Gradient:
    """``min(max(g, −c), c)``, element by element; this turns the direction."""
    return g.with_values(g.values.clip(-limit, limit)) if isinstance(g, SparseGradient) else g.clip(-limit, limit)


def clip_by_global_norm(gradients: dict[str, Gradient], limit: float) -> dict[str, np.ndarray]:
    """All gradients times ``c / max(‖(g₁, g₂, …)‖, c)``: together they keep their direction.

    A sparse gradient becomes a dense one, as in Keras; what is left to square is then the sum of its entries.
    """
    factor = limit / max(norm(*gradients.values()), limit)
    return {key: np.asarray(g) * factor for key, g in gradients.items()}
