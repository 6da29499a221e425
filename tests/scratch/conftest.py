"""Keras twins in float64, and what it takes to compare with them."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit import bridge, scratch


class KerasTwin:
    """The Keras model of a scratch network: outputs, loss and gradients in float64."""

    def __init__(self, network: scratch.Sequential, loss) -> None:
        self.model = bridge.to_keras(network)
        self.loss = loss

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.model(x).numpy()

    def loss_and_gradients(self, x: np.ndarray, y: np.ndarray) -> tuple[float, list[np.ndarray]]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = self.loss(y, self.model(tf.constant(x), training=False)) + sum(self.model.losses)
        return float(loss), [g.numpy() for g in tape.gradient(loss, self.model.trainable_variables)]


@pytest.fixture(scope="session")
def keras_twin():
    return KerasTwin


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def _as_list(values) -> list:
    return list(values) if isinstance(values, list | tuple) else [values]


def _as_argument(values: list):
    return values[0] if len(values) == 1 else values


def _build(layer: scratch.Layer, inputs: tuple[np.ndarray, ...], rng: np.random.Generator) -> None:
    """Builds a layer in float64 and draws every parameter, so that no bias is 0 and no gain 1."""
    shapes = tuple(x.shape[1:] for x in inputs)
    layer.build(shapes if len(shapes) > 1 else shapes[0], seed=1, dtype="float64")
    for parameter in layer.params.values():
        parameter += 0.2 * rng.standard_normal(parameter.shape)
    for average in layer.non_trainable.values():  # a moving variance has to stay positive
        average += rng.random(average.shape)


def _assert_matches_keras(
    layer: scratch.Layer,
    keras_layer,
    *inputs: np.ndarray,
    training: bool = False,
    mask=None,
    rtol_y: float = 1e-10,
    rtol_grad: float = 1e-8,
    call=None,
) -> None:
    """Compares a layer with its Keras twin: outputs, their mask, every gradient, penalty, moving averages.

    The upstream gradient is drawn at random. A layer that is not built yet is built in float64 and its
    parameters are drawn too; the twin then gets its weights.

    Args:
        layer: the scratch layer.
        keras_layer: its twin, made with ``dtype="float64"``.
        inputs: one array, or several for a layer that takes a list. An integer input must have no ``dx``.
        training: as in ``forward``.
        mask: as in ``forward``: one mask, or a list for several inputs. The twin finds them on its input
            tensors, as inside a Keras model.
        rtol_y: relative tolerance of outputs and moving averages.
        rtol_grad: relative tolerance of gradients.
        call: how the twin is called, ``call(keras_layer, x, training) -> y``, where a list of the inputs (or
            the one input) as first argument is not the way.
    """
    import tensorflow as tf

    rng = np.random.default_rng(0)
    if not layer.built:
        _build(layer, inputs, rng)
    tensors = [tf.constant(x) for x in inputs]
    for tensor, tensor_mask in zip(tensors, _as_list(mask)):
        if tensor_mask is not None:
            tensor._keras_mask = tf.constant(tensor_mask)
    if call is None:

        def call(twin, x, training):
            return twin(x, training=training)

    if not keras_layer.built:
        call(keras_layer, _as_argument(tensors), False)
    keras_layer.set_weights(list(layer.weights.values()))

    x = _as_argument(list(inputs))
    before = [values.copy() for values in inputs]
    y = layer.forward(x, training, **({"mask": mask} if layer.uses_mask else {}))
    with tf.GradientTape() as tape:
        tape.watch([tensor for tensor in tensors if tensor.dtype.is_floating])
        keras_y = _as_list(call(keras_layer, _as_argument(tensors), training))
        dy = [rng.standard_normal(values.shape) for values in keras_y]
        penalty = sum(keras_layer.losses)
        objective = sum(tf.reduce_sum(values * d) for values, d in zip(keras_y, dy)) + penalty
    assert [values.dtype for values in _as_list(y)] == ["float64"] * len(keras_y)
    for values, expected in zip(_as_list(y), keras_y, strict=True):
        np.testing.assert_allclose(values, expected.numpy(), rtol=rtol_y, atol=rtol_y / 100)
    _assert_same_mask(layer.compute_mask(x, mask), getattr(keras_y[0], "_keras_mask", None))

    dy_before = [d.copy() for d in dy]
    dx = _as_list(layer.backward(_as_argument(dy)))
    expected = tape.gradient(objective, [*tensors, *keras_layer.trainable_variables], unconnected_gradients="zero")
    expected_dx, expected_grads = expected[: len(tensors)], expected[len(tensors) :]
    for gradient, keras_gradient, tensor in zip(dx, expected_dx, tensors, strict=True):
        if not tensor.dtype.is_floating:
            assert gradient is None
        else:
            np.testing.assert_allclose(gradient, keras_gradient.numpy(), rtol=rtol_grad, atol=rtol_grad / 100)
    assert layer.grads.keys() == layer.params.keys()
    for (name, gradient), keras_gradient in zip(layer.grads.items(), expected_grads, strict=True):
        keras_gradient = tf.convert_to_tensor(keras_gradient).numpy()  # that of an embedding is sparse
        np.testing.assert_allclose(
            gradient, keras_gradient, rtol=rtol_grad, atol=rtol_grad / 100, err_msg=f"gradient of {name}"
        )
    np.testing.assert_allclose(layer.regularization(), float(penalty), rtol=1e-12)
    for average, expected in zip(layer.weights.values(), keras_layer.get_weights(), strict=True):
        np.testing.assert_allclose(average, expected, rtol=rtol_y, atol=rtol_y / 100)

    for given, kept in zip([*inputs, *dy], [*before, *dy_before]):  # other branches of a graph use them too
        np.testing.assert_array_equal(given, kept)


def _assert_same_mask(mask, keras_mask) -> None:
    mask = mask[0] if isinstance(mask, list | tuple) else mask
    if keras_mask is None:
        assert mask is None
    else:
        np.testing.assert_array_equal(mask, keras_mask.numpy())


@pytest.fixture(scope="session")
def assert_matches_keras():
    """``assert_matches_keras(layer, keras_layer, *inputs, training=False, mask=None, …)``; see its docstring."""
    return _assert_matches_keras
