"""What the widget answers when the browser asks."""

from __future__ import annotations

import base64

import keras
import numpy as np
import pytest

from toolkit import xray


@pytest.fixture
def asked(monkeypatch):
    """A trace of a GRU, its widget as the browser got it, and a function that asks as the browser does."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.GRU(4, name="memory"), keras.layers.Dense(2)])
    t = xray.trace(model, np.random.default_rng(0).normal(size=(3, 6, 3)), np.ones((3, 2)), loss="mse")
    widget = t.widget()
    answers: list[dict] = []
    monkeypatch.setattr(widget, "send", answers.append)

    def ask(**question):
        widget._answer(None, {**question, "number": len(answers) + 1}, [])
        assert answers[-1]["answer_to"] == len(answers)
        return answers[-1]

    return t, dict(widget.content), ask


def test_sub_steps_come_when_asked_for_one_time_step_at_a_time(asked):
    t, content, ask = asked
    assert not any(step["substeps"] for step in content["steps"])
    known = len(content["tensors"])
    for time in (2, 5):
        answer = ask(ask="substeps", step=0, time=time)
        assert answer["times"] == (1, 2, 3, 4, 5, 6)
        assert {step["time"] for step in answer["steps"]} == {None, time}
        titles = [step["title"] for step in answer["steps"] if step["time"]]
        assert titles == [step.title for step in t.steps[0].at(time).substeps]
        known += len(answer["tensors"])
        # What a step refers to has been sent by now.
        assert max(tensor for step in answer["steps"] for tensor, *_ in step["tensors"]) < known


def test_numbers_are_those_of_the_sample(asked):
    t, content, ask = asked
    step = content["steps"][0]
    for (tensor, *_), own in zip(step["tensors"], t.steps[0].tensors.values(), strict=True):
        answer = ask(ask="numbers", tensor=tensor, sample=2)
        values = np.frombuffer(base64.b64decode(answer["data"][0]), "<f4").reshape(answer["shape"])
        np.testing.assert_array_equal(values, own.value if own.role == "parameter" else own.value[2])
