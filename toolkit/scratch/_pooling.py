"""Pooling: images made smaller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.scratch._equations import Equations
from toolkit.scratch._layer import Layer
from toolkit.scratch._windows import Windows, check_padding, to_pair

_SYMBOLS = {
    "x": r"\mathbb{R}^{N \times H \times W \times C}",
    "y": r"\mathbb{R}^{N \times H' \times W' \times C}",
    r"P_{ij}": r"\mathcal{P}(\mathbb{N} \times \mathbb{N})",
}


class _Pooling2D(Layer):
    """Base of the layers that make one pixel out of each window, every channel for itself."""

    def __init__(
        self,
        pool_size: int | Sequence[int] = (2, 2),
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.pool_size = to_pair(pool_size, "pool_size", self.where)
        self.strides = self.pool_size if strides is None else to_pair(strides, "strides", self.where)
        self.padding = check_padding(padding, self.where)

    def _windows_on(self, image: tuple[int, int]) -> Windows:
        return Windows(image, self.pool_size, self.strides, self.padding, where=self.where)

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(H′, W′, C)``."""
        return (*self._windows_on(input_shape[:2]).count, input_shape[2])

    def create_params(self, rng: np.random.Generator) -> None:
        """Lays the windows over the images; there are no parameters."""
        self.check_axes("HWC")
        self._windows = self._windows_on(self.input_shape[:2])


class MaxPooling2D(_Pooling2D):
    r"""The largest pixel of each window.

    Shapes: ``x (N, H, W, C)``, ``y (N, H′, W′, C)``. Below, ``P_ij`` are the pixels of window ``(i, j)``.

    The gradient of a window goes to its largest pixel; of several equal ones, to the first, row by row, as in
    TensorFlow.

    Args:
        pool_size: pixels of a window, ``(kh, kw)``, or one number for both.
        strides: how far a window is from the next; None is ``pool_size``, so that windows touch.
        padding: "valid" leaves out windows that reach over the edge; "same" keeps them, ``H′ = ⌈H/stride⌉``.
        name: the layer's name.

    Raises:
        InvalidValueError: an option is out of range or unknown.
    """

    equations = Equations(
        (r"y_{nijc} = \max_{(h, w) \in P_{ij}} x_{nhwc}",),
        (
            r"(h^*, w^*) = \operatorname{arg\,max}_{(h, w) \in P_{ij}} x_{nhwc}",
            r"dx_{n h^* w^* c} \mathrel{+}= dy_{nijc}",
        ),
        _SYMBOLS,
    )

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``y (N, H′, W′, C)`` from ``x (N, H, W, C)``."""
        x = self.check_input(x)
        x = self._windows.pad(x, -np.inf)
        first, *others = self._windows.pixels(x)
        y = first.copy()
        for pixel in others:
            np.maximum(y, pixel, out=y)
        self._cache = x, y
        return y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx (N, H, W, C)`` from ``dy (N, H′, W′, C)``."""
        x, y = self._cache or (None, None)
        dy = self.check_upstream(dy, None if y is None else y.shape)
        dx, rest = np.zeros_like(x), dy.copy()
        for pixel, dpixel in zip(self._windows.pixels(x), self._windows.pixels(dx)):
            share = rest * (pixel == y)
            dpixel += share
            rest -= share  # the first pixel that equals the maximum leaves nothing to the others
        return self._windows.crop(dx)


class AveragePooling2D(_Pooling2D):
    r"""The mean of the pixels of each window.

    Shapes: ``x (N, H, W, C)``, ``y (N, H′, W′, C)``. Below, ``P_ij`` are the pixels of window ``(i, j)``; a margin
    that ``padding="same"`` adds is not among them, so at the edge the mean is over fewer, as in TensorFlow.

    Args:
        pool_size: pixels of a window, ``(kh, kw)``, or one number for both.
        strides: how far a window is from the next; None is ``pool_size``, so that windows touch.
        padding: "valid" leaves out windows that reach over the edge; "same" keeps them, ``H′ = ⌈H/stride⌉``.
        name: the layer's name.

    Raises:
        InvalidValueError: an option is out of range or unknown.
    """

    equations = Equations(
        (r"y_{nijc} = \frac{1}{|P_{ij}|} \sum_{(h, w) \in P_{ij}} x_{nhwc}",),
        (r"dx_{nhwc} = \sum_{ij:\, (h, w) \in P_{ij}} \frac{dy_{nijc}}{|P_{ij}|}",),
        _SYMBOLS,
    )

    def create_params(self, rng: np.random.Generator) -> None:
        """Lays the windows over the images and counts the pixels that each sees; there are no parameters."""
        super().create_params(rng)
        ones = np.ones((1, *self.input_shape[:2], 1), self.dtype)
        self._counts = sum(self._windows.pixels(self._windows.pad(ones)))  # (1, H′, W′, 1)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``y (N, H′, W′, C)`` from ``x (N, H, W, C)``."""
        x = self.check_input(x)
        x = self._windows.pad(x)
        y = sum(self._windows.pixels(x)) / self._counts
        self._cache = x.shape, y.shape
        return y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx (N, H, W, C)`` from ``dy (N, H′, W′, C)``."""
        padded_shape, shape = self._cache or (None, None)
        share = self.check_upstream(dy, shape) / self._counts
        dx = np.zeros(padded_shape, self.dtype)
        for dpixel in self._windows.pixels(dx):
            dpixel += share
        return self._windows.crop(dx)


class GlobalAveragePooling2D(Layer):
    r"""The mean of each channel over the whole image.

    Shapes: ``x (N, H, W, C)``, ``y (N, C)``.

    Args:
        name: the layer's name.
    """

    equations = Equations(
        (r"y_{nc} = \frac{1}{HW} \sum_{h, w} x_{nhwc}",),
        (r"dx_{nhwc} = \frac{dy_{nc}}{HW}",),
        {"x": r"\mathbb{R}^{N \times H \times W \times C}", "y": r"\mathbb{R}^{N \times C}"},
        "Lin, Chen and Yan (2014), arXiv:1312.4400",
    )

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """``(C,)``."""
        return input_shape[2:]

    def create_params(self, rng: np.random.Generator) -> None:
        """Checks that the input is images; there are no parameters."""
        self.check_axes("HWC")

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """Computes ``y (N, C)`` from ``x (N, H, W, C)``."""
        x = self.check_input(x)
        y = x.mean(axis=(1, 2))
        self._cache = x.shape, y.shape
        return y

    def backward(self, dy: np.ndarray, needs_dx: bool = True) -> np.ndarray:
        """Returns ``dx (N, H, W, C)`` from ``dy (N, C)``."""
        x_shape, y_shape = self._cache or (None, None)
        dy = self.check_upstream(dy, y_shape)
        _, H, W, _ = x_shape
        return np.broadcast_to(dy[:, np.newaxis, np.newaxis] / (H * W), x_shape).copy()
