from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.scratch import Scalar

SAFE = st.floats(-3, 3).filter(lambda x: abs(x) > 0.05)


def expression(x, y):
    """Uses every operation, and both inputs several times."""
    s = (x * y + x**3 - 2 / y).tanh() + (x - y).sigmoid() * (x + 4).log()
    return (s + 1 - x).relu() + (-s * 0.5).exp() / (1 + y * y) + (3 - x) * s


@given(SAFE, SAFE)
def test_scalar_gradient(a, b):
    x, y = Scalar(a), Scalar(b)
    expression(x, y).backward()
    numeric = scratch.numerical_gradient(lambda v: expression(Scalar(v[0]), Scalar(v[1])).data, np.array([a, b]), 1e-6)
    np.testing.assert_allclose([x.grad, y.grad], numeric, rtol=1e-4, atol=1e-5)


def test_a_node_used_twice_adds_up():
    # y = x·x + x: dy/dx = 2x + 1
    x = Scalar(3.0)
    y = x * x + x
    y.backward()
    assert (y.data, x.grad) == (12, 7)


def test_backward_twice_does_not_accumulate():
    x = Scalar(2.0)
    y = x**2
    y.backward()
    y.backward()
    assert x.grad == 4


def test_deep_graphs_do_not_exhaust_the_stack():
    x = node = Scalar(1.0)
    for _ in range(5000):
        node = node + 1
    node.backward()
    assert x.grad == 1


def test_graph_is_in_order_and_printable():
    x = Scalar(2.0, name="x")
    y = (x * 3).relu()
    graph = y.graph()
    position = {id(node): i for i, node in enumerate(graph)}
    assert all(position[id(p)] < position[id(node)] for node in graph for p in node.parents)
    assert [node.operation for node in graph if node.operation] == ["×", "relu"]
    assert repr(x) == "Scalar(x: 2, grad=0)"


def test_zeroth_power_of_zero_has_no_slope():
    x = Scalar(0.0)
    y = x**0
    y.backward()
    assert (y.data, x.grad) == (1, 0)


def test_logarithm_of_a_negative_number_errors():
    with pytest.raises(ValueError, match=r"domain|positive"):
        Scalar(-1.0).log()
    assert math.isclose(Scalar(math.e).log().data, 1)
