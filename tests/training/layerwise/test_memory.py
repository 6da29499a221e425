"""Peak memory: exact where TensorFlow counts, and greedy's below end-to-end's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from toolkit.errors import CallOrderError
from toolkit.training.layerwise import Peak, count_memory

COUNTED = """
import numpy as np
from toolkit.training import layerwise
layerwise.count_memory()
layerwise.count_memory()  # again is no error
import keras, tensorflow as tf
with layerwise.Peak() as peak:
    a = tf.zeros((1000, 100)) + 1.0  # 400 kB each
    b = a + 1.0
    del a
    c = b + 1.0
assert peak.by == "tensors", peak.by
assert abs(peak.bytes - 800_000) < 1000, peak.bytes
del b, c

def build():
    keras.utils.set_random_seed(0)
    hidden = [keras.layers.Dense(64, "relu") for _ in range(8)]
    model = keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    return model

x, y = np.random.default_rng(0).random((64, 64), "float32"), np.arange(64) % 3
whole = layerwise.greedy(build(), x, y, batch_size=64, blocks=[7])
blocks = layerwise.greedy(build(), x, y, batch_size=64)
print(whole.peak_bytes, blocks.peak_bytes)
assert blocks.peak_bytes < 0.5 * whole.peak_bytes
"""


def test_counted_memory(root):
    """In a process of its own, since TensorFlow must be told before it starts. Eight blocks take less than all."""
    run = subprocess.run([sys.executable, "-c", COUNTED], cwd=root, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr


def test_without_counting_the_process_is_measured():
    import tensorflow as tf

    tf.zeros(1)
    with Peak() as peak:
        kept = np.ones(30_000_000)  # 240 MB
        del kept
    if peak.by == "process":
        assert peak.bytes > 100e6


def test_counting_too_late_errors():
    import tensorflow as tf

    tf.zeros(1)
    with Peak() as peak:
        pass
    if peak.by == "process":
        with pytest.raises(CallOrderError, match="at the top of the program, or restart the kernel"):
            count_memory()
