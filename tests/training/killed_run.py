"""A training run that kills itself, for ``test_resume``: ``python killed_run.py FOLDER step|write NUMBER``."""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

from toolkit.quiet import silence_tensorflow

silence_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from toolkit import training  # noqa: E402


def build() -> keras.Model:
    """Everything that has a state: masks of dropout, moving averages, an LSTM, Adam, a schedule."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.LSTM(5, dropout=0.2),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(3, "softmax"),
    ]
    model = keras.Sequential([keras.Input((4, 3)), *layers])
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.9)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(folder: Path, callbacks=()) -> keras.Model:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((70, 4, 3)).astype("float32")
    y = x[:, -1].argmax(axis=1)
    model = build()
    training.fit(
        model,
        x[:50],
        y[:50],
        epochs=12,
        batch_size=16,
        validation_data=(x[50:], y[50:]),
        patience=3,
        checkpoint=folder,
        checkpoint_every=3,
        callbacks=callbacks,
    )
    return model


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KillAtStep(keras.callbacks.Callback):
    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def on_train_batch_begin(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            die()


def kill_at_write(number: int) -> None:
    """The process dies when half of checkpoint ``number`` is on the disk."""
    savez, written = np.savez, iter(range(number - 1))

    def half(file, **arrays):
        if next(written, None) is not None:
            return savez(file, **arrays)
        whole = io.BytesIO()
        savez(whole, **arrays)
        file.write(whole.getvalue()[: whole.tell() // 2])
        file.flush()
        return die()

    np.savez = half


if __name__ == "__main__":
    folder, what, number = sys.argv[1:]
    if what == "write":
        kill_at_write(int(number))
        train(Path(folder))
    else:
        train(Path(folder), [KillAtStep(int(number))])
