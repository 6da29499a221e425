"""The multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from toolkit.models._options import checked_sizes, dense_layers, layer_seed, probabilities


def mlp(
    input_dim: int = 784,
    hidden: Sequence[int] = (128,),
    classes: int = 10,
    *,
    activation: str = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "mlp",
) -> keras.Sequential:
    r"""A classifier of dense layers: ``x (N, D) → hidden … → softmax (N, C)``.

    Each hidden layer computes :math:`a_k = f(a_{k-1} W_k + b_k)`; the last one
    :math:`\hat y = \mathrm{softmax}(a_K W + b)`, the probabilities of the classes. Kernels start from He's
    initialisation for ReLU and GELU, else from Glorot's.

    Args:
        input_dim: D, the numbers in one sample.
        hidden: units of each hidden layer; ``(64, 32)`` with ``input_dim=100`` is the 100-64-32-10 network.
        classes: C.
        activation: f, one that Keras knows by name.
        dropout: share of each hidden layer's outputs dropped in training.
        l2: strength of the penalty on the hidden kernels.
        dtype: "float32" or "float64".
        seed: fixes the initial weights and the dropout masks; None draws new ones.
        name: the model's name.

    Returns:
        A built ``keras.Sequential``, not compiled: train it with ``sparse_categorical_crossentropy``.

    Raises:
        InvalidValueError: a size is not a positive integer.
    """
    input_dim, classes, *hidden = checked_sizes("mlp", input_dim, classes, *hidden)
    layers = dense_layers(hidden, activation, dropout=dropout, l2=l2, dtype=dtype, seed=seed)
    output = probabilities(classes, dtype, layer_seed(seed, len(hidden) + 1))
    return keras.Sequential([keras.Input((input_dim,), dtype=dtype), *layers, output], name=name)
