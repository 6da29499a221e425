"""How much memory a training takes at its height."""

from __future__ import annotations

import gc
import os
import threading
from types import TracebackType

import numpy as np
import psutil
import tensorflow as tf

from toolkit.errors import CallOrderError

_COUNTED = "TF_CPU_ALLOCATOR_USE_BFC"  # TensorFlow's name for an allocator of the CPU's memory that counts it all
_BETWEEN_LOOKS = 0.005  # seconds
_ROOM = 2**30  # bytes


def count_memory() -> None:
    """Makes TensorFlow count the memory of all its tensors on the CPU. Call it before all else.

    Without it TensorFlow counts only tensors of 256 KB and more, or none, and ``Peak`` falls back on the size of the
    whole process. Speed and results stay as they are.

    Raises:
        CallOrderError: TensorFlow has already computed something.
    """
    if not _counts_tensors():
        already = os.environ.get(_COUNTED) == "1"
        os.environ[_COUNTED] = "1"
        if already or _started() or not _counts_tensors():
            os.environ.pop(_COUNTED, None)
            raise CallOrderError(
                "training.layerwise.count_memory",
                "a call before TensorFlow's first computation",
                "a TensorFlow that already runs without counting",
                "Call it at the top of the program, or restart the kernel.",
            )
        # A tensor is given a free piece of up to twice its size, and the whole piece counts. One large free piece, of
        # which exact parts are cut off, keeps that rare. Nothing is written into it, so it takes no memory yet.
        tf.raw_ops.Empty(shape=[_ROOM], dtype=tf.uint8)
        # Each measurement begins with a collection, and most of its time (0.2 s) went to what the imports have made,
        # which is never garbage.
        gc.freeze()


class Peak:
    """How much more memory was held at the height of a ``with`` block than at its beginning.

    ``by`` says whose memory: "tensors" is what TensorFlow's allocator has given out (weights, activations that wait
    for the backward pass, gradients, the optimiser's moments, data converted to tensors), counted and not sampled,
    though some hundred KB depend on which operations happen to run side by side; there on a GPU, and on a CPU after
    ``count_memory``. "process" is the resident size of the whole process, looked at every 5 ms; memory that was freed
    before and is used again does not show, and compiled graphs do.

    Attributes:
        bytes: the result, once the block has ended.
        by: "tensors" or "process".
        outside: bytes that TensorFlow uses and did not give out, such as stored outputs of frozen blocks.
    """

    outside = 0

    def __enter__(self) -> Peak:
        self.bytes = 0
        self._device = _device()
        if self._device:
            gc.collect()  # models of earlier stages hold each other in circles
        self.by = "tensors" if self._device else "process"
        if self._device:
            tf.config.experimental.reset_memory_stats(self._device)
            self._before = tf.config.experimental.get_memory_info(self._device)["current"]
        else:
            self._before = self._most = psutil.Process().memory_info().rss
            self._ended = threading.Event()
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()
        return self

    def hold(self, outside: int) -> None:
        """From now on so many bytes are held outside."""
        if self._device:
            most = tf.config.experimental.get_memory_info(self._device)["peak"]
            self.bytes = max(self.bytes, most - self._before + self.outside)
            tf.config.experimental.reset_memory_stats(self._device)
            self.outside = outside

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._device:
            self.hold(0)
        else:
            self._ended.set()
            self._thread.join()
            self.bytes = max(0, self._most - self._before)

    def _look(self) -> None:
        process = psutil.Process()
        while True:
            self._most = max(self._most, process.memory_info().rss)
            if self._ended.wait(_BETWEEN_LOOKS):
                return


def _device() -> str | None:
    """The device whose tensors TensorFlow counts, small ones too; None if there is none."""
    if tf.config.list_physical_devices("GPU"):
        return "GPU:0"
    return "CPU:0" if _counts_tensors() else None


def _counts_tensors() -> bool:
    """Whether a tensor of 64 KB shows."""
    if not _started() and os.environ.get(_COUNTED) != "1":
        return False  # asking would start TensorFlow, and then it is too late
    try:
        before = tf.config.experimental.get_memory_info("CPU:0")["current"]
        with tf.device("CPU:0"):
            kept = tf.constant(np.zeros(16_384, "float32")) + 1.0
        return tf.config.experimental.get_memory_info("CPU:0")["current"] - before >= kept.shape[0] * 4
    except (ValueError, tf.errors.OpError):  # this build of TensorFlow does not count
        return False


def _started() -> bool:
    from tensorflow.python.eager import context

    return context.context()._initialized
