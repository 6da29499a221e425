"""The simplest network that reads: word vectors, averaged."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.models._options import (
    checked_sizes,
    dense_layers,
    dropout_layer,
    embedding,
    layer_seed,
    probabilities,
    word_dropout_layer,
)


def text_classifier(
    vocabulary_size: int,
    classes: int,
    *,
    embedding_dim: int = 64,
    hidden: Sequence[int] = (256,),
    activation: str = "relu",
    dropout: float = 0.0,
    word_dropout: float = 0.0,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "text_classifier",
) -> keras.Sequential:
    r"""Token ids ``(N, T) → embedding (N, T, D) → masked average (N, D) → hidden … → softmax (N, classes)``.

    Each token is looked up in the table :math:`E \in \mathbb{R}^{V \times D}`, and the vectors of a text are averaged:
    :math:`\bar e_n = \frac{1}{|m_n|} \sum_t m_{nt}\, E_{x_{nt}}`, where the mask :math:`m_{nt} = [x_{nt} \ne 0]` leaves
    padding out. The order of the words is lost; for many tasks that costs little.

    Args:
        vocabulary_size: V, padding (0) and the unknown token (1) included; ids must be smaller.
        classes: the number of classes.
        embedding_dim: D.
        hidden: units of the dense layers after the average.
        activation: of the hidden layers.
        dropout: share of the average and of each hidden layer's outputs dropped in training.
        word_dropout: share of the words dropped in training, each as a whole, so that the network cannot lean on one.
        dtype: "float32" or "float64".
        seed: fixes the initial weights and the dropout masks; None draws new ones.
        name: the model's name.

    Returns:
        A built ``keras.Sequential`` for integer ids of any length T, not compiled: train it with
        ``sparse_categorical_crossentropy``. A row of nothing but padding has no average (NaN);
        ``toolkit.text.TextPreprocessor`` never makes one.

    Raises:
        InvalidValueError: a size is not a positive integer.

    Source: Iyyer et al. (2015), "Deep unordered composition rivals syntactic methods for text classification", for the
    average and for dropping words.
    """
    vocabulary_size, classes, embedding_dim, *hidden = checked_sizes(
        "text_classifier", vocabulary_size, classes, embedding_dim, *hidden
    )
    layers: list[keras.Layer] = [
        keras.Input((None,), dtype="int32", name="tokens"),
        embedding(vocabulary_size, embedding_dim, dtype, layer_seed(seed, 0)),
        *word_dropout_layer(word_dropout, dtype, layer_seed(seed, 200)),
        keras.layers.GlobalAveragePooling1D(dtype=dtype, name="average"),
    ]
    layers += dropout_layer(dropout, dtype, layer_seed(seed, 100), "dropout")
    layers += dense_layers(hidden, activation, dropout=dropout, dtype=dtype, seed=seed)
    return keras.Sequential([*layers, probabilities(classes, dtype, layer_seed(seed, 99))], name=name)
