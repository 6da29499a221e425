from __future__ import annotations

import numpy as np
import pytest

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError

LOSSES = [scratch.DiscriminatorLoss(), scratch.GeneratorLoss(), scratch.GeneratorLoss(saturating=True)]


def test_adversarial_losses_match_hand_example():
    # One real sample with D = 3/4 (s = ln 3), two generated ones with D = 1/2 (s = 0) and D = 1/4 (s = −ln 3).
    y, s = [[1], [0], [0]], np.array([[np.log(3)], [0.0], [-np.log(3)]])
    discriminator, generator, saturating = LOSSES
    np.testing.assert_allclose(discriminator.forward(y, s), -np.log(3 / 4) - (np.log(1 / 2) + np.log(3 / 4)) / 2)
    np.testing.assert_allclose(discriminator.backward(), [[-1 / 4], [1 / 4], [1 / 8]])
    np.testing.assert_allclose(generator.forward(y, s), -(np.log(1 / 2) + np.log(1 / 4)) / 2)
    np.testing.assert_allclose(generator.backward(), [[0], [-1 / 4], [-3 / 8]])
    np.testing.assert_allclose(saturating.forward(y, s), (np.log(1 / 2) + np.log(3 / 4)) / 2)
    np.testing.assert_allclose(saturating.backward(), [[0], [-1 / 4], [-1 / 8]])


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_adversarial_losses_gradient(loss, rng):
    y, s = np.array([[1], [1], [0], [0], [0]]), 3 * rng.standard_normal((5, 1))
    numeric = scratch.numerical_gradient(lambda values: loss.forward(y, values), s)
    loss.forward(y, s)
    scratch.compare_gradients(loss.backward(), numeric)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_sure_discriminator_does_not_overflow(loss):
    assert np.isfinite(loss.forward([[1], [0]], [[-1000.0], [1000.0]]))
    assert np.isfinite(loss.backward()).all()


def test_the_saturating_gradient_vanishes_where_the_other_is_largest():
    y, s = [[0]], [[-20.0]]  # a sample that the discriminator is sure of
    for loss in LOSSES[1:]:
        loss.forward(y, s)
    assert abs(LOSSES[2].backward().item()) < 1e-8
    assert LOSSES[1].backward().item() == pytest.approx(-1)


def test_discriminator_loss_is_twice_the_cross_entropy_of_equal_halves(rng):
    y, s = np.repeat([1, 0], 4)[:, None], rng.standard_normal((8, 1))
    crossentropy = scratch.BinaryCrossentropy(from_logits=True)
    np.testing.assert_allclose(LOSSES[0].forward(y, s), 2 * crossentropy.forward(y, s))
    np.testing.assert_allclose(LOSSES[0].backward(), 2 * crossentropy.backward())


def test_minimax_losses_add_up_to_what_real_samples_give(rng):
    """The generator's side of the game is the discriminator's with its sign turned, up to what it has no part in."""
    y, s = np.repeat([1, 0], 4)[:, None], rng.standard_normal((8, 1))
    both = LOSSES[0].forward(y, s) + LOSSES[2].forward(y, s)
    np.testing.assert_allclose(both, np.log1p(np.exp(-s[:4])).mean())


def test_adversarial_losses_errors():
    with pytest.raises(CallOrderError):
        scratch.GeneratorLoss().backward()
    with pytest.raises(InvalidValueError, match="1 for real and 0 for generated"):
        scratch.DiscriminatorLoss().forward([[1], [0.5]], [[0.0], [0.0]])
    with pytest.raises(InvalidValueError, match="one logit for each"):
        scratch.DiscriminatorLoss().forward([[1, 0]], [[0.0, 0.0]])
    with pytest.raises(InvalidValueError, match="at least one generated"):
        scratch.GeneratorLoss().forward([[1]], [[0.0]])
    with pytest.raises(InvalidValueError, match="at least one real"):
        scratch.DiscriminatorLoss().forward([[0]], [[0.0]])
