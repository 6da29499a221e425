"""A network that reads in order and looks back at what matters."""

from __future__ import annotations

import keras

from toolkit.errors import InvalidValueError
from toolkit.models._options import (
    checked_sizes,
    dropout_layer,
    embedding,
    layer_seed,
    lstm,
    probabilities,
    word_dropout_layer,
)


def attention_classifier(
    vocabulary_size: int,
    classes: int,
    *,
    embedding_dim: int = 64,
    units: int = 64,
    heads: int = 1,
    dropout: float = 0.0,
    word_dropout: float = 0.0,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "attention_classifier",
) -> keras.Model:
    r"""Token ids ``(N, T) → embedding → LSTM (N, T, M) → self-attention (N, T, M) → masked average → softmax``.

    In self-attention every position asks all others. From the LSTM's states :math:`H \in \mathbb{R}^{T \times M}` come
    queries, keys and values :math:`Q = HW_Q,\; K = HW_K,\; V = HW_V`, and then
    :math:`\mathrm{softmax}\big(QK^\top / \sqrt{d}\big)\, V` with :math:`d` the length of a key. Padding is asked by
    nobody and does not count in the average.

    Self-attention needs its sequence twice, as what asks and as what is asked: the model is functional, since a
    ``Sequential`` hands every layer one tensor.

    Args:
        vocabulary_size: V, padding (0) and the unknown token (1) included; ids must be smaller.
        classes: the number of classes.
        embedding_dim: D of the word vectors.
        units: M of the LSTM; each head's keys have ``units // heads`` numbers.
        heads: how many attentions run side by side.
        dropout: share of the LSTM's outputs, and of the average, dropped in training.
        word_dropout: share of the words dropped in training, each as a whole, so that the network cannot lean on one.
        dtype: "float32" or "float64".
        seed: fixes the initial weights and the dropout masks; None draws new ones.
        name: the model's name.

    Returns:
        A functional ``keras.Model`` for integer ids of any length T, not compiled: train it with
        ``sparse_categorical_crossentropy``. Its layer ``"attention"`` gives the weights ``(N, heads, T, T)`` when
        called with ``return_attention_scores=True``. A row of nothing but padding has no average (NaN);
        ``toolkit.text.TextPreprocessor`` never makes one.

    Raises:
        InvalidValueError: a size is not a positive integer, or ``units`` is no multiple of ``heads``.

    Source: Vaswani et al. (2017), arXiv:1706.03762; Bahdanau et al. (2015), arXiv:1409.0473, for attention over an RNN;
    Iyyer et al. (2015) for dropping words.
    """
    vocabulary_size, classes, embedding_dim, units, heads = checked_sizes(
        "attention_classifier", vocabulary_size, classes, embedding_dim, units, heads
    )
    if units % heads:
        raise InvalidValueError("attention_classifier", f"units as a multiple of heads={heads}", f"{units}")
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    states = embedding(vocabulary_size, embedding_dim, dtype, layer_seed(seed, 0))(tokens)
    for layer in word_dropout_layer(word_dropout, dtype, layer_seed(seed, 200)):
        states = layer(states)
    states = lstm(units, dtype, layer_seed(seed, 1), return_sequences=True, name="lstm")(states)
    for layer in dropout_layer(dropout, dtype, layer_seed(seed, 101), "dropout_1"):
        states = layer(states)
    attention = keras.layers.MultiHeadAttention(heads, units // heads, dtype=dtype, name="attention")
    average = keras.layers.GlobalAveragePooling1D(dtype=dtype, name="average")(attention(states, states))
    if seed is not None:
        _draw_kernels(attention, seed)
    for layer in dropout_layer(dropout, dtype, layer_seed(seed, 102), "dropout_2"):
        average = layer(average)
    return keras.Model(tokens, probabilities(classes, dtype, layer_seed(seed, 99))(average), name=name)


def _draw_kernels(attention: keras.layers.MultiHeadAttention, seed: int) -> None:
    """Draws each kernel from a seed of its own: one seeded initialiser would make queries, keys and values equal."""
    for index, w in enumerate(attention.weights):
        if len(w.shape) == 3:  # (M, heads, d) or, of the output, (heads, d, M); biases have fewer axes
            w.assign(keras.initializers.GlorotUniform(seed=layer_seed(seed, 10 + index))(w.shape, w.dtype))
