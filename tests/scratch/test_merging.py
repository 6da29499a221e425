from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError

seeds = st.integers(0, 2**32 - 1)


def test_add_matches_hand_example():
    layer = scratch.Add()
    np.testing.assert_array_equal(layer.forward([[[1, 2]], [[3, 4]], [[5, 6]]]), [[9, 12]])
    np.testing.assert_array_equal(layer.backward([[7, 8]]), [[[7, 8]]] * 3)


def test_concatenate_matches_hand_example():
    layer = scratch.Concatenate()
    np.testing.assert_array_equal(layer.forward([[[1, 2]], [[3]]]), [[1, 2, 3]])
    dx1, dx2 = layer.backward([[7, 8, 9]])
    np.testing.assert_array_equal(dx1, [[7, 8]])
    np.testing.assert_array_equal(dx2, [[9]])


@st.composite
def masks(draw, inputs):
    """For some inputs ``(N, T, D)`` a mask, for the others None; or no list at all."""
    drawn = [
        np.array(draw(st.lists(st.booleans(), min_size=n * t, max_size=n * t))).reshape(n, t)
        if draw(st.booleans())
        else None
        for n, t, _ in inputs
    ]
    return drawn if any(m is not None for m in drawn) else None


@given(shape=st.lists(st.integers(1, 4), min_size=2, max_size=4), count=st.integers(2, 4), seed=seeds, data=st.data())
def test_add_matches_keras(assert_matches_keras, shape, count, seed, data):
    import keras

    rng = np.random.default_rng(seed)
    mask = data.draw(masks([shape] * count)) if len(shape) == 3 else None
    inputs = [rng.standard_normal(shape) for _ in range(count)]
    assert_matches_keras(scratch.Add(), keras.layers.Add(dtype="float64"), *inputs, mask=mask)


@given(
    shape=st.lists(st.integers(2, 4), min_size=2, max_size=4),
    lengths=st.lists(st.integers(2, 4), min_size=2, max_size=4),
    seed=seeds,
    data=st.data(),
)
def test_concatenate_matches_keras(assert_matches_keras, shape, lengths, seed, data):
    import keras

    rng = np.random.default_rng(seed)
    axis = data.draw(st.sampled_from([*range(1, len(shape)), *range(1 - len(shape), 0)]))
    shapes = []
    for length in lengths:
        shape[axis] = length
        shapes.append(tuple(shape))
    mask = data.draw(masks(shapes)) if len(shape) == 3 else None
    inputs = [rng.standard_normal(s) for s in shapes]
    layer = scratch.Concatenate(axis)
    assert_matches_keras(layer, keras.layers.Concatenate(axis, dtype="float64"), *inputs, mask=mask)
    assert layer.output_shape == layer.forward(inputs).shape[1:]


def test_output_shapes_with_axes_of_any_length():
    sequences = ((None, 3), (5, 3))
    assert scratch.Add().compute_output_shape(sequences) == (None, 3)
    assert scratch.Concatenate(1).compute_output_shape(sequences) == (None, 3)
    assert scratch.Concatenate().compute_output_shape(sequences) == (None, 6)


def test_one_input_alone_is_kept(rng):
    x = rng.random((2, 3)).astype("float32")
    for layer in (scratch.Add(), scratch.Concatenate()):
        np.testing.assert_array_equal(layer.forward([x]), x)
        (dx,) = layer.backward(x)
        np.testing.assert_array_equal(dx, x)


@pytest.mark.parametrize("name", ["Add", "Concatenate"])
def test_merging_errors(name, rng):
    layer = getattr(scratch, name)(name="join")
    with pytest.raises(CallOrderError, match=f"{name} 'join': expected forward before backward"):
        layer.backward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"a list of inputs, received one ndarray.*\[x1, x2\]"):
        layer.forward(rng.random((2, 3)))
    with pytest.raises(ShapeError, match="a list of inputs, received none"):
        layer.forward([])
    with pytest.raises(ShapeError, match=r"a list of inputs, received one of shape \(N, 3\)"):
        layer.build((3,))
    with pytest.raises(ShapeError, match=r"inputs .*, received \(N, 3, 2\), \(N, 4, 2\)"):
        layer.forward([rng.random((2, 3, 2)), rng.random((2, 4, 2))])
    with pytest.raises(ShapeError, match=r"inputs .*, received \(N, 3\), \(N, 3, 1\)"):
        layer.forward([rng.random((2, 3)), rng.random((2, 3, 1))])
    with pytest.raises(ShapeError, match="inputs with the same N"):
        layer.forward([rng.random((2, 3)), rng.random((1, 3))])
    assert layer.forward([rng.random((2, 3)), rng.random((2, 3))]).shape[0] == 2


def test_sequences_of_different_length_are_not_added(rng):
    layer = scratch.Add()
    layer.build(((None, 2), (None, 2)))
    with pytest.raises(ShapeError, match=r"inputs of one shape, received \(N, 3, 2\), \(N, 4, 2\)"):
        layer.forward([rng.random((2, 3, 2)), rng.random((2, 4, 2))])


@pytest.mark.parametrize("axis", [0, 1.0, True, None])
def test_concatenate_axis_errors(axis):
    with pytest.raises(InvalidValueError, match="an axis other than the batch axis"):
        scratch.Concatenate(axis)


@pytest.mark.parametrize("axis", [2, -2])
def test_concatenate_axis_out_of_range_errors(axis, rng):
    with pytest.raises(ShapeError, match=rf"an axis {axis} beside the batch, received shape \(N, 3\)"):
        scratch.Concatenate(axis).forward([rng.random((2, 3)), rng.random((2, 3))])
