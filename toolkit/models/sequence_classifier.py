"""The recurrent network for series of measurements."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.errors import ShapeError
from toolkit.models._options import checked_sizes, dropout_layer, layer_seed, lstm, probabilities


def sequence_classifier(
    input_shape: Sequence[int | None] = (28, 28),
    classes: int = 10,
    *,
    units: Sequence[int] = (64, 32),
    mask_value: float | None = None,
    dropout: float = 0.0,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "sequence_classifier",
) -> keras.Sequential:
    r"""Sequences ``(N, T, D) → LSTM 64 (N, T, 64) → LSTM 32 (N, 32) → softmax (N, classes)``.

    An LSTM reads one time step after the other and keeps a cell state :math:`c_t`:
    :math:`c_t = f_t \odot c_{t-1} + i_t \odot g_t`, :math:`h_t = o_t \odot \tanh c_t`, where the gates i, f, o
    (sigmoid) and the candidate g (tanh) are each a function of :math:`x_t W + h_{t-1} U + b`. All layers but the last
    hand on :math:`h_1 … h_T`; the last one only :math:`h_T`, so that one row of numbers stands for the sequence.

    Args:
        input_shape: ``(T, D)``: time steps and channels; T may be None for sequences of any length.
        classes: the number of classes.
        units: of each LSTM.
        mask_value: time steps whose D numbers all equal it are padding and are skipped; None: there is no padding.
        dropout: share of each LSTM's outputs dropped in training.
        dtype: "float32" or "float64".
        seed: fixes the initial weights and the dropout masks; None draws new ones.
        name: the model's name.

    Returns:
        A built ``keras.Sequential``, not compiled: train it with ``sparse_categorical_crossentropy``.

    Raises:
        InvalidValueError: a size is not a positive integer.
        ShapeError: ``input_shape`` is not ``(T, D)``, or there is no LSTM.
    """
    if len(input_shape) != 2 or not units:
        raise ShapeError(
            "sequence_classifier",
            "input_shape (T, D) and the units of at least one LSTM",
            f"input_shape {tuple(input_shape)} and units {tuple(units)}",
        )
    T, D = input_shape
    D, classes, *units = checked_sizes("sequence_classifier", D, classes, *units)
    if T is not None:
        (T,) = checked_sizes("sequence_classifier", T)
    layers: list[keras.Layer] = [keras.Input((T, D), dtype=dtype)]
    if mask_value is not None:
        layers.append(keras.layers.Masking(mask_value, dtype=dtype, name="mask"))
    for k, count in enumerate(units, start=1):
        last = k == len(units)
        layers.append(lstm(count, dtype, layer_seed(seed, k), return_sequences=not last, name=f"lstm_{k}"))
        layers += dropout_layer(dropout, dtype, layer_seed(seed, 100 + k), f"dropout_{k}")
    return keras.Sequential([*layers, probabilities(classes, dtype, layer_seed(seed, 99))], name=name)
