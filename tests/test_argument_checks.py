"""What the toolkit takes for an integer, a number, a share."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.argument_checks import check_share, is_integer, is_number
from toolkit.errors import InvalidValueError

INTEGERS = [0, -3, 2**70, np.int8(1), np.uint64(5)]
OTHER_NUMBERS = [0.5, float("nan"), np.float32(1), np.float64("inf")]
NO_NUMBERS = [True, np.True_, "1", None, 1j, np.complex64(1), np.array(1), [1]]


@pytest.mark.parametrize("value", INTEGERS, ids=repr)
def test_integers_are_numbers_too(value):
    assert is_integer(value)
    assert is_number(value)


@pytest.mark.parametrize("value", OTHER_NUMBERS, ids=repr)
def test_other_numbers_are_no_integers(value):
    assert is_number(value)
    assert not is_integer(value)


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_all_else_is_neither(value):
    assert not is_integer(value)
    assert not is_number(value)


@pytest.mark.parametrize("value", [0, 0.0, np.float32(0.5), np.nextafter(1, 0)], ids=repr)
def test_a_share_is_from_zero_to_below_one(value):
    check_share("here", "rate", value)


@pytest.mark.parametrize("value", [1, -1e-9, float("nan"), True, "0.5", None], ids=repr)
def test_check_share_errors(value):
    with pytest.raises(InvalidValueError, match=r"here: expected rate in \[0, 1\), received "):
        check_share("here", "rate", value)
