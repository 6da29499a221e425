"""The convolution layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.errors import InvalidValueError
from toolkit.scratch._activations import Activation
from toolkit.scratch._equations import Equations
from toolkit.scratch._initializers import Initializer
from toolkit.scratch._kernel import KernelLayer
from toolkit.scratch._layer import check_positive_integer
from toolkit.scratch._regularizers import L2
from toolkit.scratch._windows import Windows, check_padding, to_pair


class Conv2D(KernelLayer):
    r"""Convolution of images with ``F`` small kernels, ``a = f(W ∗ x + b)``.

    Shapes: ``x (N, H, W, C)``, kernel ``W (kh, kw, C, F)``, ``b (F,)``, ``z`` and ``a`` ``(N, H′, W′, F)``. As in
    Keras (and nearly everywhere in deep learning) the kernel is not flipped: it is a cross-correlation.

    A convolution is a dense layer that looks through a window. Written out as rows, *im2col*, the windows make
    convolution one matrix product:

    1. columns: ``X (N·H′·W′, kh·kw·C)``, one row for each window;
    2. product and bias: ``Z = XW + b``, with ``W`` as a matrix ``(kh·kw·C, F)``;
    3. activation: ``a = f(z)``, where ``z`` is ``Z`` as images again.

    Backward, from ``dy = ∂L/∂a``:

    1. ``dz = dy ⊙ f′(z)``;
    2. ``dW = XᵀdZ``, ``db`` = sum of the rows of ``dZ``, ``dX = dZ Wᵀ``;
    3. ``dx``: every pixel adds up its places in ``dX``, one in each window that sees it (*col2im*).

    Args:
        filters: F, the number of kernels.
        kernel_size: ``(kh, kw)``, or one number for both.
        strides: how far a window is from the next, in pixels; one number or two.
        padding: "valid" keeps the windows inside the image, ``H′ = ⌊(H − dilation·(kh − 1) − 1)/stride⌋ + 1``;
            "same" surrounds it with zeros, ``H′ = ⌈H/stride⌉``.
        dilation_rate: how far the pixels of one window are apart; one number or two.
        activation: a name ("relu", …), an activation, or None for linear.
        use_bias: whether ``b`` is there.
        kernel_initializer: name or initialiser of ``W``, or an array ``(kh, kw, C, F)``.
        bias_initializer: name or initialiser of ``b``, or an array ``(F,)``.
        kernel_regularizer: an ``L2`` or None.
        name: the layer's name.

    Raises:
        InvalidValueError: an option is out of range or unknown, or strides and dilation are both above 1, which
            Keras does not have either.
    """

    equations = Equations(
        (r"z_{nijf} = \sum_{u, v, c} x_{n,\, si + du,\, sj + dv,\, c}\, W_{uvcf} + b_f", r"a = f(z)"),
        (
            r"dz = da \odot f'(z)",
            r"dW_{uvcf} = \sum_{n, i, j} x_{n,\, si + du,\, sj + dv,\, c}\, dz_{nijf}",
            r"db_f = \sum_{n, i, j} dz_{nijf}",
            r"dx_{n,\, si + du,\, sj + dv,\, c} \mathrel{+}= \sum_f dz_{nijf}\, W_{uvcf}",
        ),
        {
            "x": r"\mathbb{R}^{N \times H \times W \times C}",
            "W": r"\mathbb{R}^{k_h \times k_w \times C \times F}",
            "b": r"\mathbb{R}^{F}",
            "z, a": r"\mathbb{R}^{N \times H' \times W' \times F}",
            r"s, d": r"\mathbb{N}_{>0}",
        },
        "LeCun et al. (1989)",
    )

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = (1, 1),
        padding: str = "valid",
        *,
        dilation_rate: int | Sequence[int] = (1, 1),
        activation: str | Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: str | Initializer | np.ndarray = "glorot_uniform",
        bias_initializer: str | Initializer | np.ndarray = "zeros",
        kernel_regularizer: L2 | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer, name)
        self.filters = check_positive_integer(filters, "filters", self.where)
        self.kernel_size = to_pair(kernel_size, "kernel_size", self.where)
        self.strides = to_pair(strides, "strides", self.where)
        self.padding = check_padding(padding, self.where)
        self.dilation_rate = to_pair(dilation_rate, "dilation_rate", self.where)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            received = f"strides {self.strides} and dilation_rate {self.dilation_rate}"
            raise InvalidValueError(self.where, "strides or dilation_rate above 1, not both", received)

    def _windows_on(self, image: tuple[int, int]) -> Windows:
        return Windows(
            image, self.kernel_size, self.strides, self.padding, dilation=self.dilation_rate, where=self.where
        )

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(H′, W′, F)``."""
        return (*self._windows_on(input_shape[:2]).count, self.filters)

    def create_params(self, rng: np.random.Generator) -> None:
        """Draws ``W (kh, kw, C, F)`` and sets ``b (F,)``."""
        self.check_axes("HWC", "A grey image has one channel: x[..., np.newaxis].")
        *image, C = self.input_shape
        self._windows = self._windows_on(tuple(image))
        self.create_kernel_and_bias((*self.kernel_size, C, self.filters), rng)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``a (N, H′, W′, F)`` from ``x (N, H, W, C)``."""
        x = self.check_input(x)
        self._cache = None  # the last pass's columns give their memory to these: a fifth of a training step
        X = self._windows.columns(x)
        z = X @ self._kernel_matrix
        if self.use_bias:
            z += self.params["b"]
        z = z.reshape(len(x), *self._windows.count, self.filters)
        a = self.activation.activate(z)
        self._cache = X, z, a
        return a

    def backward_from_dz(self, dz: np.ndarray, needs_dx: bool = True) -> np.ndarray | None:
        """Computes ``dW (kh, kw, C, F)``, ``db (F,)`` and returns ``dx (N, H, W, C)`` from ``dz (N, H′, W′, F)``."""
        X, _, _ = self._last_pass()
        W, dZ = self.params["W"], dz.reshape(-1, self.filters)
        self.grads["W"] = (X.T @ dZ).reshape(W.shape)
        if self.kernel_regularizer is not None:
            self.grads["W"] += self.kernel_regularizer.gradient(W)
        if self.use_bias:
            self.grads["b"] = np.ones(len(dZ), dZ.dtype) @ dZ  # the sum of all rows, and faster than sum(axis=0)
        return self._windows.from_columns(dZ @ self._kernel_matrix.T) if needs_dx else None

    @property
    def _kernel_matrix(self) -> np.ndarray:
        """``W`` as a matrix ``(kh·kw·C, F)``: each kernel is a column."""
        return self.params["W"].reshape(-1, self.filters)
