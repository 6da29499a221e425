r"""The NumPy engine: layers, losses and optimisers whose code is the equation.

Everything here has a Keras twin with the same meaning, and the tests hold that outputs, gradients and whole
training runs agree. Shapes: batch first, ``x (N, D)``, ``W (D, M)``, ``b (M,)``; the upstream gradient is ``dy``,
results are ``dx``, ``dW``, ``db``; the loss is a mean over the batch; logarithms are natural.

    >>> from toolkit import scratch
    >>> net = scratch.Sequential([scratch.Dense(4, "relu"), scratch.Dense(3, "softmax")], input_shape=(2,))
    >>> net.compile("adam", "sparse_categorical_crossentropy")
    >>> loss, grads = net.loss_and_gradients([[0.0, 1.0], [1.0, 0.0]], [0, 2])
    >>> {key: g.shape for key, g in grads.items()}
    {'dense/W': (2, 4), 'dense/b': (4,), 'dense_1/W': (4, 3), 'dense_1/b': (3,)}
"""

from toolkit.scratch._activations import ACTIVATIONS, GELU, Activation, Linear, ReLU, Sigmoid, Softmax, Tanh
from toolkit.scratch._additive_attention import AdditiveAttention
from toolkit.scratch._adversarial_losses import DiscriminatorLoss, GeneratorLoss
from toolkit.scratch._attention import Attention
from toolkit.scratch._contrastive_loss import NTXent
from toolkit.scratch._convolution import Conv2D
from toolkit.scratch._dense import Dense
from toolkit.scratch._dropout import Dropout
from toolkit.scratch._embedding import Embedding
from toolkit.scratch._equations import Equations
from toolkit.scratch._fit import History, fit
from toolkit.scratch._flatten import Flatten
from toolkit.scratch._gradient_check import (
    GradientReport,
    compare_gradients,
    gradient_check,
    numerical_gradient,
)
from toolkit.scratch._graph import Input, Node
from toolkit.scratch._gru import GRU
from toolkit.scratch._initializers import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    Orthogonal,
    RandomUniform,
    Zeros,
)
from toolkit.scratch._layer import Layer
from toolkit.scratch._losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Loss,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from toolkit.scratch._lstm import LSTM
from toolkit.scratch._merging import Add, Concatenate
from toolkit.scratch._model import Model
from toolkit.scratch._multi_head_attention import MultiHeadAttention
from toolkit.scratch._network import Network
from toolkit.scratch._normalization import BatchNormalization, LayerNormalization
from toolkit.scratch._optimizers import SGD, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop
from toolkit.scratch._pooling import AveragePooling2D, GlobalAveragePooling2D, MaxPooling2D
from toolkit.scratch._recurrent import Recurrent
from toolkit.scratch._regularizers import L2
from toolkit.scratch._scalar import Scalar
from toolkit.scratch._sequence_pooling import GlobalAveragePooling1D, Masking
from toolkit.scratch._sequential import Sequential
from toolkit.scratch._simple_rnn import SimpleRNN
from toolkit.scratch._sparse_gradient import SparseGradient

XavierUniform, XavierNormal = GlorotUniform, GlorotNormal

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "GRU",
    "L2",
    "LSTM",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "Add",
    "AdditiveAttention",
    "Attention",
    "AveragePooling2D",
    "BatchNormalization",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Concatenate",
    "Conv2D",
    "Dense",
    "DiscriminatorLoss",
    "Dropout",
    "Embedding",
    "Equations",
    "Flatten",
    "GeneratorLoss",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlorotNormal",
    "GlorotUniform",
    "GradientReport",
    "HeNormal",
    "HeUniform",
    "History",
    "Initializer",
    "Input",
    "Layer",
    "LayerNormalization",
    "Linear",
    "Loss",
    "Masking",
    "MaxPooling2D",
    "MeanSquaredError",
    "Model",
    "Momentum",
    "MultiHeadAttention",
    "NTXent",
    "Nesterov",
    "Network",
    "Node",
    "Optimizer",
    "Orthogonal",
    "RMSprop",
    "RandomUniform",
    "ReLU",
    "Recurrent",
    "Scalar",
    "Sequential",
    "Sigmoid",
    "SimpleRNN",
    "Softmax",
    "SparseCategoricalCrossentropy",
    "SparseGradient",
    "Tanh",
    "XavierNormal",
    "XavierUniform",
    "Zeros",
    "compare_gradients",
    "fit",
    "gradient_check",
    "numerical_gradient",
]
