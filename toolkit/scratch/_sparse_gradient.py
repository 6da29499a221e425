"""The gradient of a matrix of which a batch uses only a few rows."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from toolkit.errors import ShapeError

_FEW = 8


class SparseGradient:
    r"""A gradient ``dE (V, D)`` that is zero except in the rows a batch has used.

    ``dE[v] = Σ values[k]`` over the ``k`` with ``rows[k] = v``: a row that was used several times has an entry
    for each use, as in TensorFlow's ``IndexedSlices``. NumPy takes it wherever it takes an array
    (``np.asarray(gradient)`` is the dense matrix); the optimisers use the rows and leave out the zeros.

    Args:
        rows: which row each entry belongs to, ``(K,)`` integers in ``[0, V)``.
        values: the entries, ``(K, D)``.
        shape: the shape ``(V, D)`` of the whole matrix.

    Raises:
        ShapeError: the three do not belong together.

    Example:
        >>> gradient = SparseGradient([2, 0, 2], [[1.0], [2.0], [4.0]], (4, 1))
        >>> gradient.to_dense().T
        array([[2., 0., 5., 0.]])
    """

    def __init__(self, rows: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> None:
        self.rows, self.values, self.shape = np.asarray(rows), np.asarray(values), tuple(shape)
        if self.rows.ndim != 1 or self.values.shape != (*self.rows.shape, *self.shape[1:]):
            raise ShapeError(
                "SparseGradient",
                f"rows (K,) and values (K, D) of a matrix {self.shape}",
                f"rows {self.rows.shape} and values {self.values.shape}",
            )

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the values."""
        return self.values.dtype

    @cached_property
    def _runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The order that sorts ``rows``, where each run of equal rows starts in it, and each row once."""
        rows = self.rows.astype(np.min_scalar_type(self.shape[0]), copy=False)  # NumPy sorts short integers by radix
        order = np.argsort(rows, kind="stable")
        in_order = self.rows[order]
        starts = np.flatnonzero(np.diff(in_order, prepend=-1))
        return order, starts, in_order[starts]

    def summed(self) -> SparseGradient:
        """The same gradient with every row once, in ascending order."""
        order, starts, rows = self._runs
        entries, lengths = self.values.take(order, axis=0), np.diff(starts, append=len(order))
        values = entries.take(starts, axis=0)
        # np.add.reduceat does what follows, but column by column, which takes four times as long. Most rows were used
        # a few times: the second entries of all runs are added at once, then the third, …; long runs one by one.
        for k in range(1, _FEW):
            runs = np.flatnonzero(lengths > k)
            values[runs] += entries[starts[runs] + k]
        for run in np.flatnonzero(lengths > _FEW):
            values[run] += entries[starts[run] + _FEW : starts[run] + lengths[run]].sum(axis=0)
        return SparseGradient(rows, values, self.shape)

    def with_values(self, values: np.ndarray) -> SparseGradient:
        """Other values ``(K, D)`` for the same rows."""
        other = SparseGradient(self.rows, values, self.shape)
        other.__dict__["_runs"] = self._runs  # the order of the rows need not be found again
        return other

    def to_dense(self) -> np.ndarray:
        """The whole matrix ``(V, D)``."""
        dense = np.zeros(self.shape, self.dtype)
        summed = self.summed()
        dense[summed.rows] = summed.values
        return dense

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.to_dense().astype(dtype or self.dtype, copy=False)

    def __add__(self, other: SparseGradient | np.ndarray) -> SparseGradient | np.ndarray:
        if not isinstance(other, SparseGradient):
            return self.to_dense() + other
        rows, values = np.concatenate([self.rows, other.rows]), np.concatenate([self.values, other.values])
        return SparseGradient(rows, values, self.shape)

    def __mul__(self, factor: float) -> SparseGradient:
        return self.with_values(self.values * factor)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"<SparseGradient {self.shape}: {len(self._runs[2]):,} rows used, {self.dtype}>"
