"""What all builders share: checked sizes, a seed for each layer, and the way a classifier ends."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.argument_checks import check_share, is_integer
from toolkit.errors import InvalidValueError


def checked_sizes(where: str, *sizes: int) -> tuple[int, ...]:
    """The sizes as Python's integers, since Keras takes no other.

    Raises:
        InvalidValueError: one of them is not a positive integer, Python's or NumPy's.
    """
    for size in sizes:
        if not is_integer(size) or size < 1:
            raise InvalidValueError(where, "sizes as positive integers", repr(size))
    return tuple(int(size) for size in sizes)


def layer_seed(seed: int | None, index: int) -> int | None:
    """The seed of layer ``index`` in a model of ``seed``; None draws new values each time."""
    return None if seed is None else 1000 * seed + index


def kernel_initializer(activation: str, seed: int | None) -> keras.initializers.Initializer:
    """He's initialisation for ReLU and GELU, else Glorot's."""
    he = activation in ("relu", "gelu")
    return (keras.initializers.HeUniform if he else keras.initializers.GlorotUniform)(seed=seed)


def dropout_layer(rate: float, dtype: str, seed: int | None, name: str) -> list[keras.Layer]:
    """The dropout layer in a list; the empty list for rate 0. Raises InvalidValueError unless ``rate`` is in [0, 1)."""
    check_share(f"layer {name!r}", "a rate", rate)
    return [keras.layers.Dropout(rate, seed=seed, dtype=dtype, name=name)] if rate else []


def word_dropout_layer(rate: float, dtype: str, seed: int | None) -> list[keras.layers.Layer]:
    """Dropout of whole words, one decision for all D numbers of a vector, in a list; the empty list for rate 0."""
    noise_shape = (None, None, 1)  # of (N, T, D): shared along D
    return [keras.layers.Dropout(rate, noise_shape, seed, dtype=dtype, name="word_dropout")] if rate else []


def dense_layers(
    hidden: Sequence[int], activation: str, *, dropout: float, dtype: str, seed: int | None, l2: float = 0.0
) -> list[keras.Layer]:
    r"""Hidden layers :math:`a_k = f(a_{k-1} W_k + b_k)` named hidden_1, hidden_2, …, each followed by its dropout."""
    layers = []
    for k, units in enumerate(hidden, start=1):
        layers.append(
            keras.layers.Dense(
                units,
                activation,
                kernel_initializer=kernel_initializer(activation, layer_seed(seed, k)),
                kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
                dtype=dtype,
                name=f"hidden_{k}",
            )
        )
        layers += dropout_layer(dropout, dtype, layer_seed(seed, 100 + k), f"dropout_{k}")
    return layers


def embedding(vocabulary_size: int, embedding_dim: int, dtype: str, seed: int | None) -> keras.layers.Embedding:
    """The table of word vectors ``E (V, D)``, looked up by token id; id 0 is padding and masked."""
    return keras.layers.Embedding(
        vocabulary_size,
        embedding_dim,
        mask_zero=True,
        embeddings_initializer=keras.initializers.RandomUniform(seed=seed),
        dtype=dtype,
        name="embedding",
    )


def lstm(units: int, dtype: str, seed: int | None, *, return_sequences: bool, name: str) -> keras.layers.LSTM:
    """An LSTM whose initial kernels, recurrent ones too, follow from ``seed``."""
    return keras.layers.LSTM(
        units,
        return_sequences=return_sequences,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=None if seed is None else seed + 50),
        dtype=dtype,
        name=name,
    )


def probabilities(classes: int, dtype: str, seed: int | None) -> keras.layers.Dense:
    r"""The last layer of every classifier: :math:`\hat y = \mathrm{softmax}(aW + b)`, shape ``(N, C)``."""
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(classes, "softmax", kernel_initializer=initializer, dtype=dtype, name="probabilities")
