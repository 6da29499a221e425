"""The exercises of lesson 05: right answers in other words, and the mistakes as learners write them.

``test_answers`` reads the tables.
"""

from __future__ import annotations

from math import ceil, floor

import cv2
import numpy as np

from toolkit import scratch
from toolkit.classroom import exercises


def reference(number):
    return next(exercise.reference for exercise in exercises("05") if exercise.id == number)


def cases(number):
    return next(exercise.cases for exercise in exercises("05") if exercise.id == number)


def convolve_with_loops(x, kernel):
    z = np.zeros((x.shape[0] - kernel.shape[0] + 1, x.shape[1] - kernel.shape[1] + 1))
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            for u in range(kernel.shape[0]):
                for v in range(kernel.shape[1]):
                    z[i, j] += x[i + u, j + v] * kernel[u, v]
    return z


def convolve_by_the_textbook(x, kernel):
    k = len(kernel)
    places = range(len(x) - k + 1), range(len(x[0]) - k + 1)
    return np.array([[(x[i : i + k, j : j + k][::-1, ::-1] * kernel).sum() for j in places[1]] for i in places[0]])


def pooling_backward_with_loops(x, dy):
    dx = np.zeros_like(x)
    for i in range(len(dy)):
        for j in range(len(dy[0])):
            block = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            u, v = np.unravel_index(block.argmax(), (2, 2))
            dx[2 * i + u, 2 * j + v] = dy[i, j]
    return dx


def size_by_counting(n, k, s, padding):
    starts = range(0, n, s) if padding == "same" else range(0, n - k + 1, s)
    return len(list(starts))


def convolved_by_the_engine(x, kernel, padding):
    layer = scratch.Conv2D(1, kernel.shape, padding=padding, kernel_initializer=kernel[:, :, None, None])
    layer.build((*x.shape, 1), dtype="float64")
    return layer.forward(x[None, :, :, None])[0, ..., 0]


RIGHT = [
    ("05.1", size_by_counting),
    ("05.2", (3 * 3 * 32 + 1) * 64),
    ("05.3", convolve_with_loops),
    ("05.4", pooling_backward_with_loops),
    ("05.5", lambda read: cv2.cvtColor(read, cv2.COLOR_BGR2RGB) / 255.0),
    ("05.6", lambda grey: np.stack([grey, grey, grey], axis=-1)[np.newaxis]),
    ("05.1", lambda n, k, s, padding: np.ceil((n - k + 1) / s) if padding == "valid" else np.ceil(n / s)),
    ("05.3", lambda x, kernel: convolved_by_the_engine(x, kernel, "valid")),
    ("05.5", lambda read: np.float32(read[:, :, [2, 1, 0]]) / 255),
]


def over_windows(value, stride=1, last=1):
    """Loops over the places of a window; ``last=0`` is the usual slip with the end of a range."""

    def convolve(x, kernel):
        k = len(kernel)
        rows, columns = (range(0, n - k + last, stride) for n in x.shape)
        return np.array([[value(x[i : i + k, j : j + k], kernel) for j in columns] for i in rows])

    return convolve


def pooling_backward_from_zero(x, dy):
    """The search for the largest begins with 0."""
    dx = np.zeros_like(x)
    for i, j in np.ndindex(*dy.shape):
        best, place = 0, None
        for u, v in np.ndindex(2, 2):
            if x[2 * i + u, 2 * j + v] > best:
                best, place = x[2 * i + u, 2 * j + v], (2 * i + u, 2 * j + v)
        if place:
            dx[place] = dy[i, j]
    return dx


WRONG = [
    ("05.1", lambda n, k, s, padding: ceil(n / s) if padding == "same" else floor((n - k) / s), "+ 1 forgotten"),
    ("05.1", lambda n, k, s, padding: int(np.ceil(n / s)), "n / s for valid, too"),
    ("05.1", lambda n, k, s, padding: len(range(0, n - k + 1, s)), "valid for same, too"),
    ("05.1", lambda n, k, s, padding: n if padding == "same" else ceil((n - k + 1) / s), "stride ignored for same"),
    ("05.1", lambda n, k, s, padding: n if padding == "same" else n - (k - 1), "stride ignored"),
    ("05.1", lambda n, k, s, padding: int(n / s) if padding == "same" else int((n - k) / s + 1), "same rounded down"),
    ("05.1", lambda n, k, s, padding: ceil(n / s if padding == "same" else (n - k) / s + 1), "valid rounded up"),
    ("05.1", lambda n, k, s, padding: n / s if padding == "same" else (n - k + s) / s, "not a whole number"),
    ("05.2", 64 * 9 + 64, "channels forgotten"),
    ("05.2", 18432, "biases forgotten"),
    ("05.2", 18432 + 64 * 9, "a bias for each weight of the window"),
    ("05.2", 18432 + 32, "a bias for each input channel"),
    ("05.2", 32 * 64 * 10, "a bias for each pair of channels"),
    ("05.2", 288 + 1, "one kernel"),
    ("05.2", 18432 + 1, "one bias for all"),
    ("05.3", convolve_by_the_textbook, "kernel turned round"),
    ("05.3", over_windows(lambda window, kernel: np.vdot(window, kernel.T)), "kernel transposed"),
    ("05.3", over_windows(lambda window, kernel: np.vdot(window, kernel[::-1])), "rows only turned"),
    ("05.3", lambda x, kernel: convolve_with_loops(np.pad(x, 1), kernel), "zeros around the image"),
    ("05.3", lambda x, kernel: convolved_by_the_engine(x, kernel, "same"), "as large as the image"),
    ("05.3", lambda x, kernel: cv2.filter2D(x, -1, kernel, borderType=cv2.BORDER_CONSTANT), None),
    ("05.3", over_windows(np.vdot, last=0), "last window forgotten"),
    ("05.3", over_windows(lambda window, kernel: np.mean(window * kernel)), "mean for sum"),
    ("05.3", lambda x, kernel: over_windows(np.vdot, stride=len(kernel))(x, kernel), "windows that touch"),
    ("05.3", over_windows(lambda window, kernel: window.sum()), "window not multiplied"),
    ("05.4", lambda x, dy: np.kron(dy, np.ones((2, 2))), "shared by all four"),
    ("05.4", lambda x, dy: np.kron(dy, np.full((2, 2), 0.25)), "average pooling"),
    ("05.4", lambda x, dy: np.kron(dy, [[1, 0], [0, 0]]), "always the first pixel"),
    ("05.4", lambda x, dy: x * pooling_backward_with_loops(x, dy), "multiplied by x"),
    ("05.4", lambda x, dy: pooling_backward_with_loops(x, np.ones(dy.shape)), "upstream gradient missing"),
    ("05.4", pooling_backward_from_zero, "only positive winners"),
    ("05.4", lambda x, dy: np.where(x == np.max(x), np.kron(dy, np.ones((2, 2))), 0), "the maximum of the image"),
    ("05.5", lambda read: read[:, :, [2, 1, 0]] / np.max(read), "still divided by the maximum"),
    ("05.5", lambda read: read / 255, "still BGR"),
    ("05.5", lambda read: np.float32(read) / np.amax(read), "nothing changed"),
    ("05.5", lambda read: cv2.flip(read, 1) / 255, "the image mirrored"),
    ("05.5", lambda read: np.flipud(read) / 255, "the image upside down"),
    ("05.5", lambda read: np.flip(read) / 255, "everything turned round"),
    ("05.5", lambda read: cv2.cvtColor(read, cv2.COLOR_BGR2RGB), "not scaled"),
    ("05.5", lambda read: cv2.cvtColor(read, cv2.COLOR_BGR2RGB) / 256, "divided by 256"),
    ("05.5", lambda read: read[..., [2, 0, 1]] / 255, "channels rotated"),
    ("05.6", lambda grey: np.tile(grey[None, ..., None], 3)[0], "batch axis missing"),
    ("05.6", lambda grey: np.resize(grey, (1, *grey.shape, 3)), "still mixed up"),
    ("05.6", lambda grey: np.dstack([grey, 0 * grey, 0 * grey])[None], "two channels empty"),
    ("05.6", lambda grey: np.dstack([grey / 3] * 3)[None], "divided by three"),
    ("05.6", lambda grey: np.stack([grey] * 3)[None], "channels first"),
    ("05.6", lambda grey: grey.reshape(1, *grey.shape, 1), "one channel left"),
    ("05.6", lambda grey: np.array([grey, grey, grey]), "three images"),
]


def test_output_size_is_that_of_the_layer():
    for n, k, s, padding in cases("05.1"):
        layer = scratch.Conv2D(1, k, strides=s, padding=padding)
        assert layer.compute_output_shape((n, n, 1))[0] == reference("05.1")(n, k, s, padding)


def test_parameter_count_is_that_of_the_layer():
    layer = scratch.Conv2D(64, 3)
    layer.build((28, 28, 32))
    assert layer.count_params() == reference("05.2")()


def test_convolution_and_pooling_are_those_of_the_engine():
    for x, kernel in cases("05.3"):
        np.testing.assert_allclose(convolved_by_the_engine(x, kernel, "valid"), reference("05.3")(x, kernel))
    for x, dy in cases("05.4"):
        layer = scratch.MaxPooling2D(2)
        layer.build((*x.shape, 1), dtype="float64")
        layer.forward(x[None, :, :, None])
        dx = layer.backward(dy[None, :, :, None])[0, ..., 0]
        np.testing.assert_array_equal(dx, reference("05.4")(x, dy))
