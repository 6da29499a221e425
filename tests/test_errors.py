from __future__ import annotations

import inspect
import pickle

import pytest

from toolkit import errors

KINDS = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.ToolkitError)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_where_what_was_expected_and_what_came(kind):
    error = kind("Dense 'hidden'", "x of shape (N, 4)", "shape (2, 3)", "Flatten it.")
    assert str(error) == "Dense 'hidden': expected x of shape (N, 4), received shape (2, 3). Flatten it."
    assert str(kind("a", "b", "c")) == "a: expected b, received c."
    # Lessons and grading run in other processes; what they raise has to come back whole.
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.where, copy.remedy, str(copy)) == (error.where, error.remedy, str(error))


def test_errors_are_also_pythons_own():
    assert issubclass(errors.ShapeError, ValueError)
    assert issubclass(errors.CallOrderError, RuntimeError)
    assert issubclass(errors.GradientMismatchError, AssertionError)
