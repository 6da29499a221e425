"""The windows that convolution and pooling slide over images: where they lie, and what they see.

Letters: images ``(N, H, W, C)``. A window is ``kh × kw`` pixels, which lie ``dilation`` apart; from one window to
the next it is ``strides`` pixels; ``H′ × W′`` windows fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from toolkit.errors import InvalidValueError, ShapeError
from toolkit.scratch._layer import check_positive_integer

Pair = tuple[int, int]


def to_pair(value: int | Sequence[int], name: str, where: str) -> Pair:
    """``(height, width)`` from two positive integers or from one for both; raises InvalidValueError otherwise."""
    height, width = value if isinstance(value, tuple | list) and len(value) == 2 else (value, value)
    return check_positive_integer(height, name, where), check_positive_integer(width, name, where)


def check_padding(padding: str, where: str) -> str:
    """Returns ``padding``; raises InvalidValueError unless it is "valid" or "same"."""
    if padding not in ("valid", "same"):
        raise InvalidValueError(where, "padding 'valid' or 'same'", repr(padding))
    return padding


class Windows:
    """All windows of one kind on images of one size.

    With padding "valid" every window lies inside the image: ``H′ = ⌊(H − span)/stride⌋ + 1``, where
    ``span = dilation·(kh − 1) + 1`` pixels is how far a window reaches. With "same", ``H′ = ⌈H/stride⌉``: the
    image gets a margin, as even as possible; an odd row or column goes to the end, as in TensorFlow.

    Args:
        image: ``(H, W)``.
        size: the pixels of one window, ``(kh, kw)``.
        strides: the distance between neighbouring windows.
        padding: "valid" or "same".
        dilation: the distance between neighbouring pixels of one window.
        where: what to call the layer in errors.

    Attributes:
        count: ``(H′, W′)``.

    Raises:
        ShapeError: not one window fits into the image.
    """

    def __init__(
        self, image: Pair, size: Pair, strides: Pair, padding: str, *, dilation: Pair = (1, 1), where: str
    ) -> None:
        self.size, self.strides, self.dilation = size, strides, dilation
        self.image = image
        self.span = tuple(d * (k - 1) + 1 for k, d in zip(size, dilation))
        if padding == "valid":
            self.count = tuple((n - span) // s + 1 for n, span, s in zip(image, self.span, strides))
            self.margins = ((0, 0), (0, 0))
        else:
            self.count = tuple(-(-n // s) for n, s in zip(image, strides))
            missing = [max((m - 1) * s + span - n, 0) for n, m, s, span in zip(image, self.count, strides, self.span)]
            self.margins = tuple((m // 2, m - m // 2) for m in missing)
        if min(self.count) < 1:
            expected = f"images of at least {self.span[0]} × {self.span[1]} pixels"
            raise ShapeError(where, expected, f"{image[0]} × {image[1]}", "padding='same' pads smaller ones.")

    def pad(self, x: np.ndarray, value: float = 0.0) -> np.ndarray:
        """``x (N, H, W, C)`` with its margin of ``value``; ``x`` itself where there is none."""
        if not np.any(self.margins):
            return x
        return np.pad(x, ((0, 0), *self.margins, (0, 0)), constant_values=value)

    def crop(self, x: np.ndarray) -> np.ndarray:
        """The inverse of ``pad``: a view without the margin."""
        (top, _), (left, _) = self.margins
        return x[:, top : top + self.image[0], left : left + self.image[1]]

    def pixels(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Goes through the pixels of a window, row by row, and yields each one as all windows see it.

        Args:
            x: padded images.

        Yields:
            ``kh·kw`` views ``(N, H′, W′, C)``; whoever writes into one writes into ``x``.
        """
        (H_out, W_out), (sh, sw), (dh, dw) = self.count, self.strides, self.dilation
        for i, j in np.ndindex(self.size):
            rows = slice(i * dh, i * dh + (H_out - 1) * sh + 1, sh)
            columns = slice(j * dw, j * dw + (W_out - 1) * sw + 1, sw)
            yield x[:, rows, columns]

    def columns(self, x: np.ndarray) -> np.ndarray:
        """*im2col*: each window of the images ``x (N, H, W, C)`` as a row, ``(N·H′·W′, kh·kw·C)``."""
        (kh, kw), (sh, sw), (dh, dw) = self.size, self.strides, self.dilation
        windows = sliding_window_view(self.pad(x), self.span, axis=(1, 2))[:, ::sh, ::sw, :, ::dh, ::dw]
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kh * kw * x.shape[3])

    def from_columns(self, dX: np.ndarray) -> np.ndarray:
        """*col2im*, the transpose of ``columns``: each pixel adds up its places in the windows that see it.

        Args:
            dX: ``(N·H′·W′, kh·kw·C)``.

        Returns:
            ``dx (N, H, W, C)``.
        """
        kh, kw = self.size
        dX = dX.reshape(-1, *self.count, kh * kw, dX.shape[1] // (kh * kw))
        dx = self.pad(np.zeros((len(dX), *self.image, dX.shape[4]), dX.dtype))
        for k, pixel in enumerate(self.pixels(dx)):
            pixel += dX[:, :, :, k]
        return self.crop(dx)
