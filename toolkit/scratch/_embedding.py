"""Numbers of words (or of anything that can be counted) become vectors."""

from __future__ import annotations

import numpy as np

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import Initializer, initial_value
from toolkit.scratch._layer import Layer, check_positive_integer, to_array
from toolkit.scratch._shape import Shape, batch, fits
from toolkit.scratch._sparse_gradient import SparseGradient


class Embedding(Layer):
    r"""A table with one row for each id: ``y = E[x]``, the rows that the ids name.

    Shapes: ``x (N, T)`` integers in ``[0, V)``, ``E (V, D)``, ``y (N, T, D)``. It is the product of one-hot vectors
    with ``E``, without the zeros.

    Backward: every ``dy_nt`` belongs to row ``x_nt`` of ``dE``; where an id occurs several times its gradients add
    up. All other rows are zero, so ``grads["E"]`` is a ``SparseGradient``, which the optimisers understand and
    ``np.asarray`` makes dense. An id has no gradient: ``backward`` returns None.

    Args:
        input_dim: V, the number of ids: the largest one plus 1.
        output_dim: D, the size of a vector.
        embeddings_initializer: name or initialiser of ``E``, or an array ``(V, D)``.
        mask_zero: whether id 0 is padding, which layers with a mask then leave out.
        name: the layer's name.

    Raises:
        InvalidValueError: ``input_dim`` or ``output_dim`` is not a positive integer.
    """

    equations = Equations(
        (r"y_{nt} = E_{x_{nt}}",),
        (r"dE_v = \sum_{n, t \,:\, x_{nt} = v} dy_{nt}",),
        {
            "x": r"\{0, \dots, V - 1\}^{N \times T}",
            "E": r"\mathbb{R}^{V \times D}",
            "y": r"\mathbb{R}^{N \times T \times D}",
        },
        "Bengio et al. (2003)",
    )

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: str | Initializer | np.ndarray = "uniform",
        mask_zero: bool = False,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.input_dim = check_positive_integer(input_dim, "input_dim", self.where)
        self.output_dim = check_positive_integer(output_dim, "output_dim", self.where)
        self.embeddings_initializer = embeddings_initializer
        self.mask_zero = mask_zero

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """``(T, D)``: one more axis than the ids."""
        return (*input_shape, self.output_dim)

    def compute_mask(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray | None:
        """``x ≠ 0`` if ``mask_zero``, else None."""
        return np.not_equal(x, 0) if self.mask_zero else None

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws ``E (V, D)``."""
        shape = (self.input_dim, self.output_dim)
        self.params["E"] = initial_value(self.embeddings_initializer, shape, rng, self.dtype, self.where)

    def check_input(self, x: np.ndarray) -> np.ndarray:
        """Returns the ids as integers; builds the layer at the first call.

        Raises:
            ShapeError: ``x`` has no batch axis, or another shape than the layer was built for.
            InvalidValueError: an id is not a whole number or has no row; names the first such id and its index.
        """
        x = to_array(x, None, "x", self.where)
        if x.ndim == 0:
            raise ShapeError(self.where, "ids with a batch axis, shape (N, …)", f"the single number {x}")
        if not self.built:
            self.build((None,) * (x.ndim - 1), dtype=self.dtype)
        if not fits(x.shape[1:], self.input_shape):
            raise ShapeError(self.where, f"ids of shape {batch(self.input_shape)}", f"shape {x.shape}")
        if x.dtype.kind == "b":
            raise InvalidValueError(self.where, "ids, which are integers", "bool", "A mask goes to later layers.")
        if x.dtype.kind == "f":
            self._refuse(x, x != np.floor(x), "ids that are whole numbers", "")
        remedy = "input_dim is the largest id plus 1; words that are not in the vocabulary need an id of their own."
        if x.size and (x.min() < 0 or x.max() >= self.input_dim):
            self._refuse(x, (x < 0) | (x >= self.input_dim), f"ids in [0, {self.input_dim})", remedy)
        return x.astype(np.intp, copy=False)

    def _refuse(self, x: np.ndarray, wrong: np.ndarray, expected: str, remedy: str) -> None:
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            received = f"{x[index]} at index {index} ({wrong.sum()} such values of {x.size})"
            raise InvalidValueError(self.where, expected, received, remedy)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns ``y (N, T, D)``, the rows of ``E`` for the ids ``x (N, T)``."""
        x = self.check_input(x)
        y = self.params["E"].take(x, axis=0)
        self._cache = x, y.shape
        return y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> None:
        """Notes ``dE``, a `SparseGradient` of shape ``(V, D)``, from ``dy (N, T, D)``; there is no ``dx``."""
        x, y_shape = self._cache or (None, None)
        dy = self.check_upstream(dy, y_shape)
        self.grads["E"] = SparseGradient(x.ravel(), dy.reshape(-1, self.output_dim), self.params["E"].shape)
