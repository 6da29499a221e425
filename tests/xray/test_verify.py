"""``verify`` compares every tensor, and fails loudly where one is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit import xray
from toolkit.errors import GradientMismatchError
from toolkit.xray._verify import difference

LOSS = "sparse_categorical_crossentropy"


def test_every_tensor_has_a_row(classifier, batch):
    t = xray.trace(classifier, *batch, loss=LOSS, optimizer="adam", training=True)
    verification = t.verify()
    found = {(row.layer, row.tensor) for row in verification.rows}
    assert found >= {("hidden", name) for name in ("a", "dx", "dW", "db")}
    assert found >= {("norm", name) for name in ("y", "dx", "dgamma", "dbeta", "m_new", "s_new")}
    assert found >= {("model, run again", name) for name in ("output 1", "L", "hidden/kernel", "dx_1")}
    assert found >= {("hidden/kernel", name) for name in ("m_new", "v_new", "w_new")}
    assert found >= {(LOSS, "L"), (LOSS, "dz")}
    assert all(row.passed for row in verification.rows)
    text = str(verification)
    assert f"{len(verification.rows)} of {len(verification.rows)} tensors agree." in text
    assert max(map(len, text.splitlines())) <= 110


def tampered(t: xray.Trace, layer: str, **changes) -> xray.Trace:
    """The trace with other numbers in one call."""
    calls = tuple(replace(call, **changes) if call.path == layer else call for call in t.capture.calls)
    t.capture = replace(t.capture, calls=calls)
    return t


@pytest.mark.parametrize("field", ["outputs", "dx"])
@pytest.mark.parametrize("layer", ["hidden", "norm", "drop"])
def test_a_wrong_number_fails(classifier, batch, layer, field):
    t = xray.trace(classifier, *batch, loss=LOSS, training=True)
    call = next(call for call in t.calls if call.path == layer)
    (value,) = getattr(call, field)
    wrong = value.copy()
    wrong[2, 1] += 1e-3 * np.abs(value).max()
    with pytest.raises(GradientMismatchError, match=rf"verify, model 'classifier': .* that differ: .*{layer}"):
        tampered(t, layer, **{field: (wrong,)}).verify()


def test_a_wrong_gradient_of_a_weight_fails(classifier, batch):
    t = xray.trace(classifier, *batch, loss=LOSS)
    call = next(call for call in t.calls if call.path == "hidden")
    with pytest.raises(GradientMismatchError, match=r"model, run again hidden/kernel: "):
        tampered(t, "hidden", gradients=call.gradients | {"kernel": 2 * call.gradients["kernel"]}).verify()


def test_a_wrong_loss_fails(classifier, batch):
    t = xray.trace(classifier, *batch, loss=LOSS)
    t.capture = replace(t.capture, total=t.capture.total * 1.001)
    with pytest.raises(GradientMismatchError, match=r"model, run again L: 0\.001"):
        t.verify()


def test_tolerance(classifier, batch):
    t = xray.trace(classifier, *batch, loss=LOSS)
    with pytest.raises(GradientMismatchError, match=r"within 1e-12 of their references"):
        t.verify(tolerance=1e-12)
    assert t.verify(tolerance=0.1).worst.limit == 0.1


def test_not_finite_numbers_have_to_be_the_same(classifier, batch):
    weights = classifier.get_weights()
    weights[0][0, 0] = np.nan
    classifier.set_weights(weights)
    t = xray.trace(classifier, *batch, loss=LOSS, optimizer="sgd")
    assert np.isnan(t.loss)
    t.verify()
    np.testing.assert_array_equal(classifier.get_weights()[0], weights[0])


@pytest.mark.parametrize(
    ("value", "reference", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0),
        ([1.0, 2.1], [1.0, 2.0], 0.05),
        ([[1.0]], [1.0], np.inf),
        ([np.nan, 1.0], [np.nan, 1.0], 0),
        ([np.nan, 1.0], [2.0, 1.0], np.inf),
        ([np.inf], [-np.inf], np.inf),
        ([-np.inf, 1.0], [-np.inf, 1.0], 0),
        ([], [], 0),
        ([1e-9], [0.0], 1e-9 / np.finfo(np.float32).tiny),
    ],
)
def test_difference(value, reference, expected):
    assert difference(np.array(value), np.array(reference)) == pytest.approx(expected)
