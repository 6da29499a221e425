"""A layered run that kills itself, for ``test_resume``: ``python killed_run.py FOLDER STAGE STEP``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from toolkit.quiet import silence_tensorflow

silence_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from toolkit.training import layerwise  # noqa: E402


def train(folder: Path, callbacks=()) -> tuple[keras.Model, layerwise.LayerwiseHistory]:
    """Two autoencoders with corruption and dropout, a head, fine-tuning: everything that draws and counts."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 6)).astype("float32")
    y = x[:, :3].argmax(axis=1)
    keras.utils.set_random_seed(0)
    hidden = [layer for _ in range(2) for layer in (keras.layers.Dense(5, "relu"), keras.layers.Dropout(0.2))]
    model = keras.Sequential([keras.Input((6,)), *hidden, keras.layers.Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
    options = {"epochs": 2, "head_epochs": 2, "fine_tune_epochs": 3, "corruption": 0.2, "batch_size": 16}
    record = layerwise.stacked_autoencoders(
        model, x, y, **options, checkpoint=folder, checkpoint_every=2, callbacks=list(callbacks)
    )
    return model, record


class KillAtStep(keras.callbacks.Callback):
    """Dies in a stage (from 0) before a step of it; at step 0 between two stages."""

    def __init__(self, stage: int, step: int) -> None:
        super().__init__()
        self.stage, self.step, self.begun = stage, step, -1

    def on_train_begin(self, logs=None):
        self.begun += 1

    def on_train_batch_begin(self, batch, logs=None):
        if self.begun == self.stage and int(self.model.optimizer.iterations) == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    folder, stage, step = sys.argv[1:]
    train(Path(folder), [KillAtStep(int(stage), int(step))])
