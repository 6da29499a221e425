"""The windows that convolution and pooling slide over images."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from toolkit.scratch._windows import Windows
from toolkit.xray.derivations.operations._linear import transpose
from toolkit.xray.derivations.operations._operation import Axes, Operation


class SlideWindows(Operation):
    """*im2col*: ``X (N, H′, W′, kh, kw, C)``, what each window sees of ``x (N, H, W, C)``."""

    title = "windows"
    inputs = ("x",)
    formula = r"$y = \operatorname{windows}($x)"
    gradients = (r"$dx = \sum_{\text{windows that see it}} $dy",)

    def __init__(self, windows: Windows, margin: float = 0.0) -> None:
        self.windows = windows
        self.margin = margin

    def forward(self, x: np.ndarray) -> np.ndarray:
        pixels = [*self.windows.pixels(self.windows.pad(x, self.margin))]
        return np.stack(pixels, axis=3).reshape(len(x), *self.windows.count, *self.windows.size, x.shape[3])

    def backward(self, dX: np.ndarray, X: np.ndarray, x: np.ndarray) -> tuple[np.ndarray]:
        dx = self.windows.pad(np.zeros_like(x))
        dX = dX.reshape(*dX.shape[:3], -1, x.shape[3])
        for k, pixel in enumerate(self.windows.pixels(dx)):
            pixel += dX[:, :, :, k]
        return (self.windows.crop(dx),)

    def tensorflow(self, x: tf.Tensor) -> tf.Tensor:
        margins = ((0, 0), *self.windows.margins, (0, 0))
        padded = tf.pad(x, margins, constant_values=tf.constant(self.margin, x.dtype))
        pixels = tf.stack([*self.windows.pixels(padded)], axis=3)
        return tf.reshape(pixels, (len(x), *self.windows.count, *self.windows.size, x.shape[3]))

    def axes(self, x: Axes) -> Axes:
        return (x[0], "H'", "W'", "k_h", "k_w", x[3])


class ChannelProduct(Operation):
    """A product for each channel: ``y (N, H′, W′, F)`` from ``X`` and ``W (kh, kw, C, K)``, where ``F = CK``.

    Each of the C channels has K kernels of its own; a convolution without the sum over channels.
    """

    title = "product of each channel"
    inputs = ("X", "W")
    formula = r"$y = \sum_{k_h, k_w} $X \odot $W"
    gradients = (r"$dX = \sum_{K} $dy \odot $W", r"$dW = \sum_{N, H', W'} $X \odot $dy")

    @staticmethod
    def _by_channel(X: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``X (C, NH′W′, khkw)`` and ``W (C, khkw, K)``."""
        *window, C, K = W.shape
        pixels = math.prod(window)
        return X.reshape(-1, pixels, C).transpose(2, 0, 1), W.reshape(pixels, C, K).swapaxes(0, 1)

    def forward(self, X: np.ndarray, W: np.ndarray) -> np.ndarray:
        rows, matrices = self._by_channel(X, W)
        return (rows @ matrices).swapaxes(0, 1).reshape(*X.shape[:3], -1)

    def backward(self, dy: np.ndarray, y: np.ndarray, X: np.ndarray, W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows, matrices = self._by_channel(X, W)
        drows = dy.reshape(rows.shape[1], *W.shape[2:]).swapaxes(0, 1)
        dX, dW = drows @ transpose(matrices), transpose(rows) @ drows
        return dX.transpose(1, 2, 0).reshape(X.shape), dW.swapaxes(0, 1).reshape(W.shape)

    def tensorflow(self, X: tf.Tensor, W: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.einsum("nhwijc,ijck->nhwck", X, W), (*X.shape[:3], -1))

    def axes(self, X: Axes, W: Axes) -> Axes:
        return (*X[:3], "F")


class WindowMaximum(Operation):
    """``y = max X`` over the pixels of each window; the gradient goes to the largest, of equal ones to the first."""

    title = "largest pixel of each window"
    inputs = ("X",)
    formula = r"$y = \max_{k_h, k_w} $X"
    gradients = (r"$dX = $dy \odot [\text{first } $X = $y]",)

    @staticmethod
    def _rows(X: np.ndarray) -> np.ndarray:
        return X.reshape(*X.shape[:3], -1, X.shape[5])

    def forward(self, X: np.ndarray) -> np.ndarray:
        return X.max(axis=(3, 4))

    def backward(self, dy: np.ndarray, y: np.ndarray, X: np.ndarray) -> tuple[np.ndarray]:
        rows = self._rows(X)
        dX = np.zeros_like(rows)
        np.put_along_axis(dX, rows.argmax(axis=3, keepdims=True), dy[:, :, :, np.newaxis], axis=3)
        return (dX.reshape(X.shape),)

    def tensorflow(self, X: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(X, (*X.shape[:3], -1, X.shape[5]))
        first = tf.one_hot(tf.argmax(rows, axis=3), rows.shape[3], axis=3, on_value=True, off_value=False)
        return tf.reduce_sum(tf.where(first, rows, tf.zeros_like(rows)), axis=3)

    def axes(self, X: Axes) -> Axes:
        return (*X[:3], X[5])


class WindowMean(Operation):
    """``y = Σ X / n`` over the ``n`` pixels of the image that each window sees; a margin does not count."""

    title = "mean of each window"
    inputs = ("X", "n")
    formula = r"$y = \frac{1}{$n} \sum_{k_h, k_w} $X"
    gradients = (r"$dX = \frac{$dy}{$n}", "")

    def forward(self, X: np.ndarray, n: np.ndarray) -> np.ndarray:
        return X.sum(axis=(3, 4)) / n

    def backward(self, dy: np.ndarray, y: np.ndarray, X: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, None]:
        return np.broadcast_to((dy / n)[:, :, :, np.newaxis, np.newaxis], X.shape), None

    def tensorflow(self, X: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(X, (3, 4)) / n

    def axes(self, X: Axes, n: Axes) -> Axes:
        return (*X[:3], X[5])
