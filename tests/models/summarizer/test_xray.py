"""An xray of the network: every number of one training step, and where it comes from."""

from __future__ import annotations

import pytest

from toolkit import xray


@pytest.mark.parametrize("scheduled_sampling", [False, True])
def test_one_step_verifies(make, batch, variant, scheduled_sampling):
    model = make(variant, scheduled_sampling=scheduled_sampling)
    source, shifted, target = batch(variant)
    t = xray.trace(model, [source, shifted], target, loss="sparse_categorical_crossentropy", optimizer="adam")
    assert t.verify().worst.error <= 1e-5
    forward = [step.layer for step in t.steps if step.phase == "forward"]
    assert {"embedding", "decoder", "probabilities"} <= set(forward)


@pytest.mark.parametrize("attention", ["luong", "bahdanau"])
def test_attention_is_opened(make, batch, attention):
    options = {"attention": attention}
    source, shifted, target = batch(options)
    t = xray.trace(make(options), [source, shifted], target, loss="sparse_categorical_crossentropy")
    (step,) = (step for step in t.steps if step.layer == "attention" and step.phase == "forward")
    assert step.derived
