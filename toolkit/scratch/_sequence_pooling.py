"""Sequences of any length: which time steps count, and their mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.argument_checks import is_number
from toolkit.errors import InvalidValueError
from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer
from toolkit.scratch._shape import Shape


class SequenceLayer(Layer):
    """Base of the layers that take sequences ``(N, T, D)`` of any length."""

    def create_params(self, rng: np.random.Generator) -> None:
        """Checks that the samples are sequences; there are no parameters."""
        self.check_axes("TD")

    def check_input(self, x: np.ndarray) -> np.ndarray:
        """As in every layer, but the first batch does not fix the number of time steps."""
        if not self.built and np.ndim(x) == 3:
            self.build((None, np.shape(x)[2]), dtype=self.dtype)
        return super().check_input(x)


class Masking(SequenceLayer):
    """Takes a time step for padding where all its values are ``mask_value``; later layers then leave it out.

    Shapes: ``x``, ``y (N, T, D)``; the mask ``m (N, T)`` is False at padding, and ``y`` is 0 there.

    Args:
        mask_value: the value that marks padding. Choose one that no real time step consists of. It is compared in
            the layer's dtype; Keras rounds it to float32, so that in a float64 model it does not find 0.1.
        name: the layer's name.

    Raises:
        InvalidValueError: ``mask_value`` is not a finite number.
    """

    equations = Equations(
        (r"m_{nt} = \max_d\, [x_{ntd} \ne v]", r"y_{nt} = m_{nt}\, x_{nt}"),
        (r"dx_{nt} = m_{nt}\, dy_{nt}",),
        {"x, y": r"\mathbb{R}^{N \times T \times D}", "m": r"\{0, 1\}^{N \times T}", "v": r"\mathbb{R}"},
    )

    def __init__(self, mask_value: float = 0.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        if not is_number(mask_value):
            raise InvalidValueError(self.where, "mask_value as a number", repr(mask_value))
        if not np.isfinite(mask_value):
            raise InvalidValueError(
                self.where,
                "a finite mask_value",
                repr(mask_value),
                "Write another value into the padding, such as 0: np.nan_to_num(x).",
            )
        self.mask_value = float(mask_value)

    def compute_mask(self, x: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
        """``m (N, T)``; an earlier mask is forgotten, as in Keras."""
        return (np.asarray(x, self.dtype) != self.mask_value).any(axis=-1)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Returns ``x`` with 0 in the padding; `compute_mask` says where that is."""
        x = self.check_input(x)
        self._cache = m = self.compute_mask(x)[:, :, np.newaxis]
        return np.where(m, x, 0)

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx``: ``dy`` with 0 in the padding."""
        m = self._cache
        dy = self.check_upstream(dy, None if m is None else (*m.shape[:2], self.input_shape[1]))
        return np.where(m, dy, 0)


class GlobalAveragePooling1D(SequenceLayer):
    """The mean of the time steps that count: a sequence of any length becomes one vector.

    Shapes: ``x (N, T, D)``, mask ``m (N, T)``, weights ``a (N, T)``, ``y (N, D)``. Without a mask all steps count.

    A sample in which no step counts has no mean. Keras returns NaN, 0/0, which spreads to all weights at the next
    step; here it is an error that names the sample.

    Args:
        name: the layer's name.
    """

    uses_mask = True
    equations = Equations(
        (r"a_{nt} = \frac{m_{nt}}{\sum_s m_{ns}}", r"y_n = \sum_t a_{nt}\, x_{nt}"),
        (r"dx_{nt} = a_{nt}\, dy_n",),
        {
            "x": r"\mathbb{R}^{N \times T \times D}",
            "m": r"\{0, 1\}^{N \times T}",
            "a": r"[0, 1]^{N \times T}",
            "y": r"\mathbb{R}^{N \times D}",
        },
    )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """``(D,)``."""
        return input_shape[1:]

    def compute_mask(self, x: np.ndarray, mask: np.ndarray | None = None) -> None:
        """None: there are no time steps any more."""

    def forward(self, x: np.ndarray, training: bool = False, mask: Any = None) -> np.ndarray:
        """Computes ``y (N, D)``.

        Args:
            x: ``(N, T, D)``.
            training: makes no difference.
            mask: ``(N, T)`` bool, False at padding; None where all steps count.

        Raises:
            InvalidValueError: no step of a sample counts.
        """
        x = self.check_input(x)
        m = self.check_mask(mask, x.shape[:2])
        m = np.ones(x.shape[:2], bool) if m is None else m
        counts = m.sum(axis=1, keepdims=True)
        if not counts.all():
            raise InvalidValueError(
                self.where,
                "at least one time step that counts in every sample",
                f"sample {int(counts.argmin())} with nothing but padding ({np.sum(counts == 0)} such of {len(x)})",
                "Leave empty sequences out, or give them a token of their own.",
            )
        a = m.astype(self.dtype) / counts.astype(self.dtype)
        self._cache = a
        return (a[:, np.newaxis, :] @ x)[:, 0]

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx (N, T, D)`` from ``dy (N, D)``."""
        a = self._cache
        dy = self.check_upstream(dy, None if a is None else (len(a), self.input_shape[1]))
        return np.einsum("nt,nd->ntd", a, dy)
