"""The exercises of lesson 05: convolution, pooling, and the two usual bugs of image files."""

from __future__ import annotations

import math

import numpy as np

from toolkit.classroom._exercise import Exercise, Misconception

_rng = np.random.default_rng(5)

# ---------------------------------------------------------------------- 05.1


def _output_size(n: int, k: int, s: int, padding: str) -> int:
    return -(-n // s) if padding == "same" else (n - k) // s + 1


_OUTPUT_SIZE = Exercise(
    id="05.1",
    title="How large is the output?",
    reference=_output_size,
    cases=(
        (28, 3, 1, "valid"),
        (28, 3, 1, "same"),
        (28, 5, 2, "valid"),
        (11, 3, 2, "same"),
        (10, 3, 3, "valid"),
        (10, 4, 4, "same"),
        (7, 7, 1, "valid"),
    ),
    rtol=0,
    misconceptions=(
        Misconception(
            "+ 1 forgotten",
            lambda n, k, s, padding: -(-n // s) if padding == "same" else (n - k) // s,
            "(n − k)/s counts how often the window can move. In how many places does it then stand?",
        ),
        Misconception(
            "n / s for valid, too",
            lambda n, k, s, padding: -(-n // s),
            "'same' is right. With 'valid' the window must not reach over the edge, so the kernel's size k matters.",
        ),
        Misconception(
            "valid for same, too",
            lambda n, k, s, padding: (n - k) // s + 1,
            "'valid' is right. 'same' adds a border first, and with stride 1 the output is as large as the image.",
        ),
        Misconception(
            "stride ignored for same",
            lambda n, k, s, padding: n if padding == "same" else (n - k) // s + 1,
            "'same' keeps the size only with stride 1. With stride s, every s-th place is left.",
        ),
        Misconception(
            "stride ignored",
            lambda n, k, s, padding: n if padding == "same" else n - k + 1,
            "That is right for stride 1. How many places are left if the window moves by s pixels?",
        ),
        Misconception(
            "same rounded down",
            lambda n, k, s, padding: n // s if padding == "same" else (n - k) // s + 1,
            "'valid' is right. 'same' leaves no pixel out: a rest at the end gets a window, too. Round up.",
        ),
        Misconception(
            "valid rounded up",
            lambda n, k, s, padding: -(-n // s) if padding == "same" else math.ceil((n - k) / s) + 1,
            "'same' is right. With 'valid', a last window that does not fit inside is left out. Round down.",
        ),
        Misconception(
            "not a whole number",
            lambda n, k, s, padding: n / s if padding == "same" else (n - k) / s + 1,
            "A number of places is a whole number. Round: 'same' up, 'valid' down.",
        ),
    ),
)

# ---------------------------------------------------------------------- 05.2

_COUNT = Exercise(
    id="05.2",
    title="The parameters of a convolution",
    reference=lambda: 3 * 3 * 32 * 64 + 64,
    rtol=0,
    misconceptions=(
        Misconception(
            "channels forgotten",
            lambda: 3 * 3 * 64 + 64,
            "A window sees all 32 channels of a pixel, not one of them: each kernel is 3 × 3 × 32.",
        ),
        Misconception(
            "biases forgotten",
            lambda: 3 * 3 * 32 * 64,
            "Those are the kernels. What else does every output channel have?",
        ),
        Misconception(
            "a bias for each weight of the window",
            lambda: (3 * 3 * 32 + 9) * 64,
            "The sum over the window is one number, and one bias is added to it.",
        ),
        Misconception(
            "a bias for each input channel",
            lambda: 3 * 3 * 32 * 64 + 32,
            "The kernels are right. A bias belongs to an output channel: how many are there?",
        ),
        Misconception(
            "a bias for each pair of channels",
            lambda: (3 * 3 + 1) * 32 * 64,
            "You gave each of the 32 · 64 slices of 3 × 3 its own bias. What all 32 channels give is added up first.",
        ),
        Misconception(
            "one kernel",
            lambda: 3 * 3 * 32 + 1,
            "That is one kernel with its bias. There are 64 of them.",
        ),
        Misconception(
            "one bias for all",
            lambda: 3 * 3 * 32 * 64 + 1,
            "The kernels are right. Each of them has a bias of its own.",
        ),
    ),
)

# ---------------------------------------------------------------------- 05.3


def _convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape)
    return (windows * kernel).sum(axis=(2, 3))


def _padded(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """As it is mostly written by hand, which is 'same' for an odd k only."""
    return _convolve(np.pad(x, len(kernel) // 2), kernel)


def _same(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """As Keras has it: for an even k the odd row and column of zeros stand behind the image."""
    before, after = (len(kernel) - 1) // 2, len(kernel) // 2
    return _convolve(np.pad(x, ((before, after), (before, after))), kernel)


_CONVOLVE = Exercise(
    id="05.3",
    title="Convolve",
    reference=_convolve,
    cases=(
        (np.array([[1.0, 2, 0], [0, 1, 3], [4, 0, 1]]), np.array([[1.0, 2], [3, 4]])),
        (_rng.standard_normal((5, 7)), _rng.standard_normal((3, 3))),
        (_rng.standard_normal((6, 6)), _rng.standard_normal((3, 3))),
    ),
    misconceptions=(
        Misconception(
            "kernel turned round",
            lambda x, kernel: _convolve(x, kernel[::-1, ::-1]),
            "That is the convolution of mathematics, which turns the kernel round. Here, as in Keras, it stays.",
        ),
        Misconception(
            "kernel transposed",
            lambda x, kernel: _convolve(x, kernel.T),
            "Rows and columns of the kernel are exchanged: kernel[u, v] belongs to the pixel x[i + u, j + v].",
        ),
        Misconception(
            "rows only turned",
            lambda x, kernel: _convolve(x, kernel[::-1]),
            "The kernel stands upside down: kernel[0] belongs to the upper row of the window.",
        ),
        Misconception(
            "zeros around the image",
            _padded,
            "You put zeros around the image. Asked for is no padding: the output is smaller than the image.",
        ),
        Misconception(
            "as large as the image",
            _same,
            "That is padding 'same'. Asked for is no padding: the output is smaller than the image.",
        ),
        Misconception(
            "last window forgotten",
            lambda x, kernel: _convolve(x, kernel)[:-1, :-1],
            "The last row and column of places are missing. How many places are there for a window of k in H pixels?",
        ),
        Misconception(
            "mean for sum",
            lambda x, kernel: _convolve(x, kernel) / kernel.size,
            "You take the mean over the window. A convolution adds up; a kernel that averages has its 1/9 in itself.",
        ),
        Misconception(
            "windows that touch",
            lambda x, kernel: _convolve(x, kernel)[:: len(kernel), :: len(kernel)],
            "Your window moves by its own width. With stride 1 neighbouring windows overlap.",
        ),
        Misconception(
            "window not multiplied",
            lambda x, kernel: _convolve(x, np.ones_like(kernel)),
            "You add up the pixels. Where does the kernel come in?",
        ),
    ),
)

# ---------------------------------------------------------------------- 05.4


def _blocks(x: np.ndarray) -> np.ndarray:
    """``(H, W)`` as ``(H/2, 2, W/2, 2)``."""
    return x.reshape(len(x) // 2, 2, x.shape[1] // 2, 2)


def _spread(dy: np.ndarray) -> np.ndarray:
    """Each number of ``dy`` on all four pixels of its block."""
    return np.repeat(np.repeat(dy, 2, axis=0), 2, axis=1)


def _won(x: np.ndarray) -> np.ndarray:
    blocks = _blocks(x)
    return (blocks == blocks.max(axis=(1, 3), keepdims=True)).reshape(x.shape)


def _max_pooling_backward(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    return _won(x) * _spread(dy)


def _top_left(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    dx = np.zeros_like(x)
    dx[::2, ::2] = dy
    return dx


_POOLING = Exercise(
    id="05.4",
    title="Back through max pooling",
    reference=_max_pooling_backward,
    cases=(
        (np.array([[1.0, 5, 2, 0], [3, 4, 1, 7]]), np.array([[10.0, -20.0]])),
        (_rng.standard_normal((4, 6)), _rng.standard_normal((2, 3))),
        (_rng.standard_normal((6, 4)), _rng.standard_normal((3, 2))),
    ),
    misconceptions=(
        Misconception(
            "shared by all four",
            lambda x, dy: _spread(dy),
            "All four pixels of a block get dy. But a pixel that is not the largest changed nothing in the output.",
        ),
        Misconception(
            "average pooling",
            lambda x, dy: _spread(dy) / 4,
            "That is the way back through *average* pooling, where each pixel has a quarter of the say.",
        ),
        Misconception(
            "always the first pixel",
            _top_left,
            "You send dy to the upper left pixel of each block. It belongs to the largest one.",
        ),
        Misconception(
            "multiplied by x",
            lambda x, dy: _won(x) * _spread(dy) * x,
            "The right pixels; but the maximum's slope is 1, however large the pixel is.",
        ),
        Misconception(
            "upstream gradient missing",
            lambda x, dy: _won(x).astype(float),
            "You found who won. What came back from above must go there.",
        ),
        Misconception(
            "only positive winners",
            lambda x, dy: _won(x) * (x > 0) * _spread(dy),
            "That is pooling and ReLU together. A negative pixel can be the largest of its block, too.",
        ),
        Misconception(
            "the maximum of the image",
            lambda x, dy: (x == x.max()) * _spread(dy),
            "You look for the largest pixel of the whole image. Every block has a winner of its own.",
        ),
    ),
)

# ---------------------------------------------------------------------- 05.5

_READ = _rng.integers(0, 200, (3, 4, 3), dtype=np.uint8)

_BGR = Exercise(
    id="05.5",
    title="Find the bug: the blue orange",
    reference=lambda read: read[..., ::-1] / 255,
    cases=((np.full((1, 1, 3), (0, 128, 200), np.uint8),), (_READ,)),
    misconceptions=(
        Misconception(
            "still divided by the maximum",
            lambda read: read[..., ::-1] / read.max(),
            "The colours are in order. But each image is now scaled by its own brightest pixel: a dark photograph "
            "becomes a bright one, and no two images are alike. What is the largest value that a byte can have?",
        ),
        Misconception(
            "still BGR",
            lambda read: read / 255,
            "The scale is right, the channels are not: the last axis holds blue, green, red.",
        ),
        Misconception(
            "nothing changed",
            lambda read: read / read.max(),
            "That still has both bugs.",
        ),
        Misconception(
            "the image mirrored",
            lambda read: read[:, ::-1] / 255,
            "You have mirrored the image from left to right. The channels are the last axis, not the second.",
        ),
        Misconception(
            "the image upside down",
            lambda read: read[::-1] / 255,
            "You have turned the image upside down. The channels are the last axis, not the first.",
        ),
        Misconception(
            "everything turned round",
            lambda read: read[::-1, ::-1, ::-1] / 255,
            "The channels are right, but the image has been turned by half a circle as well.",
        ),
        Misconception(
            "not scaled",
            lambda read: read[..., ::-1].astype(float),
            "The channels are right. Values in [0, 1] are asked for.",
        ),
        Misconception(
            "divided by 256",
            lambda read: read[..., ::-1] / 256,
            "Nearly: then white, 255, would not be 1.",
        ),
        Misconception(
            "channels rotated",
            lambda read: np.roll(read, 1, axis=-1) / 255,
            "You moved all three channels on by one. Blue and red change places; green stays.",
        ),
    ),
)

# ---------------------------------------------------------------------- 05.6

_GREY = _rng.random((4, 5))


def _first_channel_only(grey: np.ndarray) -> np.ndarray:
    image = np.zeros((1, *grey.shape, 3))
    image[0, ..., 0] = grey
    return image


_CHANNELS = Exercise(
    id="05.6",
    title="Find the bug: one channel into three",
    reference=lambda grey: np.repeat(grey[None, :, :, None], 3, axis=3),
    cases=((_GREY,), (np.arange(16.0).reshape(4, 4),)),
    misconceptions=(
        Misconception(
            "still mixed up",
            lambda grey: np.resize(grey, (1, *grey.shape, 3)),
            "That still has the bug: np.resize repeats the numbers in a row, so the three channels of the first pixel "
            "are the first three pixels.",
        ),
        Misconception(
            "two channels empty",
            _first_channel_only,
            "Now the image is red on black: green and blue are 0. A grey pixel has the same value in all three.",
        ),
        Misconception(
            "divided by three",
            lambda grey: np.repeat(grey[None, :, :, None], 3, axis=3) / 3,
            "The brightness was shared out. A grey pixel of 0.6 is (0.6, 0.6, 0.6).",
        ),
        Misconception(
            "channels first",
            lambda grey: np.repeat(grey[None, None], 3, axis=1),
            "The three copies stand before height and width: that is (N, C, H, W). Keras puts the channels last.",
        ),
        Misconception(
            "batch axis missing",
            lambda grey: np.repeat(grey[:, :, None], 3, axis=2),
            "One image is a batch of one: the first axis, N, is missing.",
        ),
        Misconception(
            "one channel left",
            lambda grey: grey[None, :, :, None],
            "That has one channel; the network expects three.",
        ),
        Misconception(
            "three images",
            lambda grey: np.repeat(grey[None], 3, axis=0),
            "You have made three grey images. Asked for is one image with three channels.",
        ),
    ),
)

EXERCISES = [_OUTPUT_SIZE, _COUNT, _CONVOLVE, _POOLING, _BGR, _CHANNELS]
