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
    stages = json.loads((tmp_path / "killed" / "stages.json").read_text())["stages"]
    finished = [stage["record"] for stage in stages if stage["record"]]
    assert [stage["name"] for stage in finished] == ["autoencoder 1: dense", "autoencoder 2: dense_1"]
    folders = [path.name for path in sorted((tmp_path / "killed").iterdir()) if path.is_dir()]
    assert folders == ["01 autoencoder", "02 autoencoder", "03 head"]
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
    with pytest.raises(InvalidValueError, match=r"stage 1 is autoencoder, was block\. Give each run a folder of"):
        layerwise.stacked_autoencoders(build(depth=1), x, y, checkpoint=tmp_path)
    (tmp_path / "stages.json").write_text("{")
    with pytest.raises(DataError, match=r"stages.json, which cannot be read .* resume=False"):
        layerwise.greedy(build(depth=1), x, y, checkpoint=tmp_path)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_more_epochs_before_later_stages_error_and_touch_nothing(build, x, y, tmp_path, assert_same_variables):
    """What later stages learned began from what the earlier ones had learned in fewer epochs."""

    def greedy(**options):
        model = build(depth=2)
        layerwise.greedy(model, x, y, batch_size=48, checkpoint=tmp_path, **options)
        return model

    first, kept = greedy(epochs=[2, 2], fine_tune_epochs=1), content(tmp_path)
    for epochs in ([3, 2], [2, 3], [1, 2]):
        with pytest.raises(InvalidValueError, match=r"stage [12] is block of [13] epochs, was block of 2 epochs"):
            greedy(epochs=epochs, fine_tune_epochs=1)
    with pytest.raises(InvalidValueError, match="stage 3 is none, was fine-tuning"):
        greedy(epochs=[2, 2])
    assert content(tmp_path) == kept
    assert_same_variables(greedy(epochs=[2, 2], fine_tune_epochs=1), first)


def test_the_last_stage_may_grow_and_others_may_follow(build, x, y, tmp_path, assert_same_variables):
    whole, grown = build(depth=2), build(depth=2)
    layerwise.greedy(whole, x, y, epochs=[1, 3], fine_tune_epochs=1, batch_size=48)
    for epochs, more in (([1, 2], 0), ([1, 3], 1)):
        layerwise.greedy(grown, x, y, epochs=epochs, fine_tune_epochs=more, batch_size=48, checkpoint=tmp_path)
    assert_same_variables(grown, whole)


def counting(epochs: list[int], until: int | None = None) -> keras.callbacks.Callback:
    """Notes the epochs of all stages, outside of itself, since what callbacks count is resumed too; may interrupt."""

    def note(epoch, logs):
        epochs.append(epoch)
        if len(epochs) == until:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_epoch_end=note)


def test_names_that_count_up_do_not_matter(x, y, tmp_path):
    """The layers of a second model in one process have other automatic names."""

    def greedy(counted):
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense
        model = keras.Sequential([keras.Input((6,)), dense(5), dense(5), dense(3, "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
        options = {"epochs": 2, "batch_size": 48, "gradients": True, "checkpoint": tmp_path}
        return model, layerwise.greedy(model, x, y, callbacks=[counted], **options)

    with pytest.raises(KeyboardInterrupt):
        greedy(counting([], until=3))
    rest, nothing = [], []
    greedy(counting(rest))
    model, record = greedy(counting(nothing))
    assert (rest, nothing) == ([0, 1], []), "of the second block alone"
    assert record[0].name == f"block 1: {model.layers[0].name}"
    assert model.layers[0].name in record[0].gradients


def test_a_stage_of_an_earlier_run_is_not_gone_on_with(build, x, y, tmp_path, assert_same_variables):
    """Started afresh and cut off in block 1: what lies in the folder of the fine-tuning belongs to another run."""

    def greedy(seed, **options):
        model = build(seed=seed, depth=1)
        layerwise.greedy(model, x, y, epochs=2, fine_tune_epochs=1, batch_size=48, **options)
        return model

    greedy(0, checkpoint=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        greedy(1, checkpoint=tmp_path, resume=False, callbacks=counting([], until=1))
    assert_same_variables(greedy(1, checkpoint=tmp_path), greedy(1))


def test_a_lost_stage_that_ends_otherwise_errors(build, x, y, tmp_path):
    options = {"epochs": 1, "fine_tune_epochs": 1, "batch_size": 48, "checkpoint": tmp_path}
    layerwise.greedy(build(depth=1), x, y, **options)
    (tmp_path / "01 block" / "checkpoint.npz").unlink()
    with pytest.raises(InvalidValueError, match=r"the outcome of stage 1 from which the stages behind it .* began"):
        layerwise.greedy(build(seed=1, depth=1), x, y, **options)
