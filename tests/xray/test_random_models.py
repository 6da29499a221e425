"""Random models trace, verify and stay as they were; 200 of them with HYPOTHESIS_PROFILE=thorough."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from toolkit import xray


def trace_and_verify(case) -> xray.Verification:
    before = [v.numpy() for v in case.model.variables]
    t = xray.trace(
        case.model,
        case.x,
        case.y,
        loss=case.loss,
        optimizer=case.optimizer,
        training=case.training,
        sample_weight=case.sample_weight,
    )
    verification = t.verify()
    for v, value in zip(case.model.variables, before, strict=True):
        np.testing.assert_array_equal(v.numpy(), value)
    phases = [step.phase for step in t.steps]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)
    assert phases.count("update") == len(t.gradients)
    ids = [node["id"] for node in t.network["nodes"]]
    assert all(ids.index(start) < ids.index(end) for start, end in t.network["edges"])
    return verification


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")
@pytest.mark.filterwarnings("ignore:.*destroy the mask information:UserWarning")
def test_random_models_verify(random_models, seed):
    verification = trace_and_verify(random_models.random_case(seed))
    assert verification.rows
    assert verification.worst.error <= 1e-5
    keras.backend.clear_session()


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")
@pytest.mark.filterwarnings("ignore:.*destroy the mask information:UserWarning")
def test_random_models_verify_in_float64(random_models, wide_seed):
    verification = trace_and_verify(random_models.random_case(wide_seed, "float64"))
    # Keras computes losses in float32 there; everything else has to agree to 1e-9.
    wide = [row for row in verification.rows if row.limit == 1e-9]
    assert wide
    assert max(row.error for row in wide) <= 1e-9
    keras.backend.clear_session()
