"""A layered run that was cut off ends like an undisturbed one, bit for bit."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from toolkit.errors import DataError, InvalidValueError
from toolkit.training import layerwise

KILLED_RUN = Path(__file__).with_name("killed_run.py")


def test_a_killed_run_ends_like_an_undisturbed_one(tmp_path, root, assert_same_variables):
    """Killed by SIGKILL inside the second autoencoder, then between it and the head."""
    for stage, step in ((1, 3), (2, 0)):
        command = [sys.executable, str(KILLED_RUN), str(tmp_path / "killed"), str(stage), str(step)]
        killed = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, timeout=120)
        assert killed.returncode == -9
    finished = json.loads((tmp_path / "killed" / "stages.json").read_text())["stages"]
    assert [stage["name"] for stage in finished] == ["autoencoder 1: dense", "autoencoder 2: dense_1"]
    train = runpy.run_path(str(KILLED_RUN))["train"]
    (resumed, record), (undisturbed, whole) = train(tmp_path / "killed"), train(tmp_path / "undisturbed")
    assert_same_variables(resumed, undisturbed)
    assert [stage.history.history for stage in record] == [stage.history.history for stage in whole]
    assert record[0].feature_seconds == finished[0]["feature_seconds"], "what was measured then, not now"


def test_any_place(build, noisy_body, x, y, tmp_path, assert_same_variables):
    """Inside a block, at the end of one, in the fine-tuning."""

    class Interrupting(keras.callbacks.Callback):
        def __init__(self, steps):
            super().__init__()
            self.left = iter(range(steps - 1))

        def on_train_batch_end(self, batch, logs=None):
            if next(self.left, None) is None:
                raise KeyboardInterrupt

    def greedy(folder, callbacks=()):
        model = build(body=noisy_body)
        options = {"epochs": 1, "fine_tune_epochs": 1, "batch_size": 16, "checkpoint_every": 2, "blocks": [3, 7]}
        layerwise.greedy(model, x, y, checkpoint=tmp_path / folder, callbacks=list(callbacks), **options)
        return model

    whole = greedy("whole")
    for cut in (2, 3, 8):
        with pytest.raises(KeyboardInterrupt):
            greedy(f"cut {cut}", [Interrupting(cut)])
        assert_same_variables(greedy(f"cut {cut}"), whole)


def test_a_finished_run_returns_at_once_and_afresh_starts_anew(build, x, y, tmp_path, assert_same_variables):
    first, again, afresh = build(), build(), build(seed=1)
    options = {"blocks": [1], "batch_size": 48, "checkpoint": tmp_path}
    record = layerwise.greedy(first, x, y, **options)
    second = layerwise.greedy(again, x, y, **options)
    assert_same_variables(first, again)
    assert [stage.as_dict() for stage in second] == [json.loads(json.dumps(stage.as_dict())) for stage in record]
    layerwise.greedy(afresh, x, y, **options, resume=False)
    plain = build(seed=1)
    layerwise.greedy(plain, x, y, blocks=[1], batch_size=48)
    assert_same_variables(afresh, plain)


def test_another_run_errors(build, x, y, tmp_path):
    layerwise.greedy(build(depth=1), x, y, checkpoint=tmp_path)
    with pytest.raises(InvalidValueError, match=r"data, y is int64 .* Give each run a folder of its own"):
        layerwise.greedy(build(depth=1), x, 2 - y, checkpoint=tmp_path)
    (tmp_path / "stages.json").write_text("{")
    with pytest.raises(DataError, match=r"stages.json, which cannot be read .* resume=False"):
        layerwise.greedy(build(depth=1), x, y, checkpoint=tmp_path)
