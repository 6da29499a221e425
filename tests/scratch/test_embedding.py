from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scratch
from toolkit.errors import CallOrderError, InvalidValueError, ShapeError


def test_embedding_matches_hand_example():
    # Ids 2, 0, 2: row 2 is used twice and gets 1 + 100; row 1 is never used.
    layer = scratch.Embedding(3, 2, embeddings_initializer=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_array_equal(layer.forward([[2, 0, 2]]), [[[5, 6], [1, 2], [5, 6]]])
    assert layer.backward([[[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]]]) is None
    assert isinstance(layer.grads["E"], scratch.SparseGradient)
    np.testing.assert_array_equal(layer.grads["E"], [[10, 20], [0, 0], [101, 202]])


@given(
    n=st.integers(1, 5),
    t=st.integers(1, 6),
    v=st.integers(1, 9),
    d=st.integers(1, 4),
    mask_zero=st.booleans(),
    dtype=st.sampled_from(["int32", "int64"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_embedding_matches_keras(assert_matches_keras, n, t, v, d, mask_zero, dtype, seed):
    import keras

    ids = np.random.default_rng(seed).integers(0, v, (n, t)).astype(dtype)
    twin = keras.layers.Embedding(v, d, mask_zero=mask_zero, dtype="float64")
    assert_matches_keras(scratch.Embedding(v, d, mask_zero=mask_zero), twin, ids)


def test_embedding_gradient(rng):
    report = scratch.gradient_check(scratch.Embedding(5, 3), rng.integers(0, 5, (2, 4)))
    assert report.errors.keys() == {"dE"}


def test_fifty_adam_steps_of_a_text_model_match_keras_fit():
    """Words occur many times in a batch and some never; the weights agree to 1e-5, those of unused words too."""
    import keras
    from keras import layers

    rng = np.random.default_rng(4)
    net = scratch.Sequential(
        [
            scratch.Embedding(12, 4, mask_zero=True),
            scratch.GlobalAveragePooling1D(),
            scratch.Dense(6, "relu"),
            scratch.Dense(3, "softmax"),
        ],
        input_shape=(None,),
        dtype="float64",
    )
    twin = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(12, 4, mask_zero=True, dtype="float64"),
            layers.GlobalAveragePooling1D(dtype="float64"),
            layers.Dense(6, "relu", dtype="float64"),
            layers.Dense(3, "softmax", dtype="float64"),
        ]
    )
    twin.set_weights(net.get_weights())
    net.compile(scratch.Adam(0.01), "sparse_categorical_crossentropy")
    twin.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(dtype="float64"))
    x, y = rng.integers(0, 10, (50 * 8, 7)), rng.integers(0, 3, 50 * 8)
    x[:, 0] = 1  # no text is empty
    net.fit(x, y, batch_size=8, shuffle=False, verbose=False)
    twin.fit(x, y, batch_size=8, shuffle=False, verbose=0)
    for ours, theirs in zip(net.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-8)


def test_embedding_takes_ids_of_any_length_and_type(rng):
    layer = scratch.Embedding(300, 2)
    y = layer.forward(np.array([[1, 255]], "uint8"))
    assert y.dtype == "float32"
    np.testing.assert_array_equal(layer.forward([[1.0, 255.0, 0.0]])[:, :2], y)  # whole numbers, as from a table
    assert layer.output_shape == (None, 2)
    assert layer.compute_mask(np.array([[0, 1]])) is None
    assert scratch.Embedding(3, 2).forward([0, 1]).shape == (2, 2)  # one id a sample, such as its class


def test_embedding_errors():
    layer = scratch.Embedding(10, 2, name="words")
    with pytest.raises(CallOrderError, match="forward before backward"):
        layer.backward(np.ones((1, 1, 2)))
    with pytest.raises(
        InvalidValueError,
        match=r"'words': expected ids in \[0, 10\), received 12 at index \(1, 0\) \(2 such.*largest id plus 1",
    ):
        layer.forward([[0, 9], [12, 10]])
    with pytest.raises(InvalidValueError, match=r"received -1 at index \(0, 1\)"):
        layer.forward([[0, -1]])
    with pytest.raises(InvalidValueError, match=r"whole numbers, received 2\.5 at index \(0, 1\)"):
        layer.forward([[2.0, 2.5]])
    with pytest.raises(InvalidValueError, match=r"whole numbers, received nan at index \(0, 0\)"):
        layer.forward([[np.nan, 2]])
    with pytest.raises(InvalidValueError, match=r"received inf at index \(0, 0\)"):
        layer.forward([[np.inf, 2]])
    with pytest.raises(InvalidValueError, match="array of real numbers"):
        layer.forward([["the", "cat"]])
    with pytest.raises(InvalidValueError, match="ids, which are integers, received bool"):
        layer.forward([[True, False]])
    with pytest.raises(ShapeError, match=r"shape \(N, …\)"):
        layer.forward(3)
    with pytest.raises(ShapeError, match=r"ids of shape \(N, None\), received shape \(1, 1, 1\)"):
        layer.forward([[[3]]])
    with pytest.raises(InvalidValueError, match="input_dim as a positive integer"):
        scratch.Embedding(0, 2)
    with pytest.raises(InvalidValueError, match="output_dim as a positive integer"):
        scratch.Embedding(2, 2.0)
