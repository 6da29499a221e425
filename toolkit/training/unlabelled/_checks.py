"""What networks, batches and options must be: checked before Keras or TensorFlow finds something else to say."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from toolkit.argument_checks import is_integer, is_number
from toolkit.errors import InvalidValueError, ShapeError, UnsupportedError

_ROUNDING = 1e-3  # interpolation may overshoot by a little


def require_built(where: str, **networks: keras.Model) -> None:
    """Raises UnsupportedError unless every network is a Keras model that knows its input and output shape."""
    for role, network in networks.items():
        known = (
            isinstance(network, keras.Model) and hasattr(network, "input_shape") and hasattr(network, "output_shape")
        )
        if not known:
            kind = "one without shapes" if isinstance(network, keras.Model) else type(network).__name__
            remedy = "Let it begin with keras.Input."
            raise UnsupportedError(where, f"{role} as a built functional or Sequential Keras model", kind, remedy)


def require_shape(where: str, expected: str, shape: Sequence[int | None], received: Sequence[int | None]) -> None:
    """Raises ShapeError unless the two agree; None stands for any number. ``expected`` says of what, in words."""
    if not _agree(shape, received):
        raise ShapeError(where, f"{expected} {tuple(shape)}", f"{tuple(received)}")


def require_batch(where: str, x: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """A batch ``x (N, …)`` as a tensor.

    Raises:
        InvalidValueError: it holds no floats.
        ShapeError: its samples are not of ``shape``, given without the batch axis.
    """
    x = tf.convert_to_tensor(x)
    if not x.dtype.is_floating:
        remedy = "Convert it: x.astype('float32'); divide bytes by 255."
        raise InvalidValueError(where, "floats", x.dtype.name, remedy)
    if x.shape.rank is not None:
        require_shape(where, "samples of shape", shape, x.shape[1:])
    return x


def require_shares(where: str, x: tf.Tensor) -> tf.Operation | None:
    """That no value of x lies outside of [0, 1], rounding aside; NaN is another fault, and passes.

    Returns:
        In a graph the operation that looks at the values, for ``tf.control_dependencies``.

    Raises:
        InvalidValueError: when run eagerly, one lies outside.
        tensorflow.errors.InvalidArgumentError: in a graph, with the same words.
    """
    outside = tf.reduce_any((x < -_ROUNDING) | (x > 1 + _ROUNDING))
    return require(~outside, InvalidValueError(where, "values in [0, 1]", "others", "Divide bytes by 255 first."))


def require(condition: tf.Tensor, error: InvalidValueError) -> tf.Operation | None:
    """That ``condition`` holds, which only the values of a batch tell.

    Returns:
        In a graph the operation that looks, for ``tf.control_dependencies``.

    Raises:
        InvalidValueError: ``error``, when run eagerly.
        tensorflow.errors.InvalidArgumentError: in a graph, with the same words.
    """
    if not tf.executing_eagerly():
        return tf.debugging.Assert(condition, [str(error)])
    if not condition:
        raise error
    return None


def require_number(where: str, expected: str, value: float, *, least: float = 0.0, below: float = float("inf")) -> None:
    """Raises InvalidValueError unless ``value`` is a number, ``least ≤ value < below``."""
    number = is_number(value)
    if not number or not least <= value < below:
        raise InvalidValueError(where, expected, repr(value))


def require_integer(where: str, name: str, value: int, *, least: int = 1) -> None:
    """Raises InvalidValueError unless ``value`` is an integer from ``least``."""
    if not is_integer(value) or value < least:
        kind = "a positive integer" if least else "an integer from 0"
        raise InvalidValueError(where, f"{name} as {kind}", repr(value))


def _agree(a: Sequence[int | None], b: Sequence[int | None]) -> bool:
    return len(a) == len(b) and all(m == n or m is None or n is None for m, n in zip(a, b))
