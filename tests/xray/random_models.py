"""Random Keras models: layers, shapes, merges, masks, shared layers, nested models, losses. One seed, one model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "linear", "elu", "softmax", "swish")
OPTIMIZERS = ("sgd", "adam", "rmsprop", "adamw", "nadam")
INPUTS = {"words": (5,), "sequence": (5, 3), "image": (7, 6, 2), "vector": (4,)}


@dataclass(frozen=True)
class Case:
    """A model and one batch for it."""

    model: keras.Model
    x: Any
    y: Any
    loss: Any
    optimizer: str
    training: bool
    sample_weight: np.ndarray | None


def random_case(seed: int, dtype: str = "float32") -> Case:
    """The model number ``seed``."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        return _Maker(seed).case()
    finally:
        keras.config.set_dtype_policy(before)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        keras.utils.set_random_seed(seed)
        self.tensors: list[Any] = []
        self.shared: dict[tuple, Any] = {}

    def one_of(self, choices: Any) -> Any:
        choices = list(choices)
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def case(self) -> Case:
        kinds = self.rng.choice(sorted(INPUTS), size=int(self.rng.integers(1, 4)), replace=False)
        inputs = []
        for kind in kinds:
            tensor = keras.Input(
                INPUTS[kind], name=str(kind), dtype="int32" if kind == "words" else keras.config.dtype_policy().name
            )
            inputs.append(tensor)
            self.tensors.append(self.embedding(tensor) if kind == "words" else tensor)
        for _ in range(int(self.rng.integers(2, 8))):
            self.tensors.append(self.layer(self.one_of(self.tensors)))
        heads = [self.head(self.one_of(self.tensors[-2:]))]
        if self.chance(0.25):
            heads.append(self.head(self.one_of(self.tensors)))
        outputs, losses, labels = zip(*heads)
        model = keras.Model(inputs, list(outputs) if len(heads) > 1 else outputs[0])
        self.unlike_the_start(model)
        x = [self.batch(str(kind)) for kind in kinds]
        training = self.chance(0.5)
        weight = self.rng.uniform(0.2, 2, 6) if self.chance(0.2) and len(heads) == 1 else None
        several = len(heads) > 1
        return Case(
            model=model,
            x=x if len(x) > 1 else x[0],
            y=list(labels) if several else labels[0],
            loss=list(losses) if several else losses[0],
            optimizer=self.one_of(OPTIMIZERS),
            training=training,
            sample_weight=weight,
        )

    def batch(self, kind: str) -> np.ndarray:
        shape = (6, *INPUTS[kind])
        if kind == "words":
            words = self.rng.integers(1, 9, shape)
            words[1, 3:] = 0  # padding, at the end and in front
            words[2, :2] = 0
            return words
        values = self.rng.standard_normal(shape)
        if kind == "sequence":
            values[1, 2:] = 0
        return values

    def unlike_the_start(self, model: keras.Model) -> None:
        """Biases that are not 0, running averages that are not those of nothing."""
        for v in model.weights:
            if "seed" not in v.path:
                noise = self.rng.uniform(0.02, 0.1, v.shape)
                v.assign(v.numpy() + noise)

    # ------------------------------------------------------------------ layers

    def embedding(self, tensor: Any) -> Any:
        return layers.Embedding(9, 3, mask_zero=self.chance(0.6))(tensor)

    def layer(self, x: Any) -> Any:
        rank = len(x.shape)
        makers = [*_EVERYWHERE, *({3: _SEQUENCES, 4: _IMAGES}.get(rank, ()))]
        name = self.one_of(makers)
        alike = [other for other in self.tensors if other.shape == x.shape]
        return getattr(self, f"make_{name}")(x, self.one_of(alike))

    def head(self, x: Any) -> tuple[Any, Any, Any]:
        if len(x.shape) > 2:
            pooling = layers.GlobalAveragePooling1D if len(x.shape) == 3 else layers.GlobalAveragePooling2D
            x = self.one_of([pooling, layers.Flatten])()(x)
        kind = self.one_of(["softmax", "sparse", "logits", "sigmoid", "mse", "mae", "huber"])
        units = 4
        labels = self.rng.integers(0, units, 6)
        rows = np.eye(units)[labels]
        if kind == "softmax":
            return layers.Dense(units, "softmax")(x), "categorical_crossentropy", rows
        if kind == "sparse":
            y = layers.Activation("softmax")(layers.Dense(units, kernel_regularizer="l2")(x))
            return y, "sparse_categorical_crossentropy", labels
        if kind == "logits":
            return layers.Dense(units)(x), keras.losses.SparseCategoricalCrossentropy(from_logits=True), labels
        if kind == "sigmoid":
            return layers.Dense(1, "sigmoid")(x), "binary_crossentropy", (labels > 1).astype(float)
        return layers.Dense(units)(x), kind, self.rng.standard_normal((6, units))

    def make_dense(self, x: Any, _: Any) -> Any:
        options = {"kernel_regularizer": self.one_of([None, "l2", "l1"]), "use_bias": self.chance(0.8)}
        return layers.Dense(int(self.rng.integers(2, 5)), self.one_of(ACTIVATIONS), **options)(x)

    def make_activation(self, x: Any, _: Any) -> Any:
        kinds = [layers.ReLU, layers.Softmax, layers.LeakyReLU, layers.PReLU, layers.ELU]
        return self.one_of([*(kind() for kind in kinds), layers.Activation("tanh")])(x)

    def make_dropout(self, x: Any, _: Any) -> Any:
        return layers.Dropout(0.3)(x)

    def make_norm(self, x: Any, _: Any) -> Any:
        return self.one_of([layers.BatchNormalization, layers.LayerNormalization])(epsilon=0.05)(x)

    def make_group_norm(self, x: Any, _: Any) -> Any:
        return layers.GroupNormalization(1, epsilon=0.05)(x)

    def make_merge(self, x: Any, other: Any) -> Any:
        kinds = [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Concatenate]
        return self.one_of(kinds)()([x, other])

    def make_operator(self, x: Any, other: Any) -> Any:
        return x + keras.ops.tanh(other) * 0.5

    def make_shared(self, x: Any, other: Any) -> Any:
        """One layer in two places."""
        key = ("dense", x.shape[-1])
        shared = self.shared.setdefault(key, layers.Dense(x.shape[-1], "tanh"))
        return layers.Add()([shared(x), shared(other)])

    def make_nested(self, x: Any, _: Any) -> Any:
        inner = keras.Sequential([layers.Dense(3, "relu"), layers.LayerNormalization(epsilon=0.05), layers.Dense(2)])
        return inner(x)

    def make_recurrent(self, x: Any, _: Any) -> Any:
        kind = self.one_of([layers.SimpleRNN, layers.LSTM, layers.GRU])
        return kind(3, return_sequences=self.chance(0.7))(x)

    def make_states(self, x: Any, other: Any) -> Any:
        y, *states = layers.LSTM(2, return_sequences=True, return_state=True)(x)
        return layers.LSTM(2, return_sequences=True)(other, initial_state=states) + y

    def make_bidirectional(self, x: Any, _: Any) -> Any:
        mode = self.one_of(["concat", "sum", "ave"])
        return layers.Bidirectional(layers.LSTM(2, return_sequences=self.chance(0.6)), merge_mode=mode)(x)

    def make_attention(self, x: Any, other: Any) -> Any:
        return layers.Attention(use_scale=self.chance(0.5))([x, other], use_causal_mask=self.chance(0.3))

    def make_heads(self, x: Any, other: Any) -> Any:
        return layers.MultiHeadAttention(2, 2)(x, other, use_causal_mask=self.chance(0.3))

    def make_conv1d(self, x: Any, _: Any) -> Any:
        return layers.Conv1D(3, 2, padding="same", activation="tanh")(x)

    def make_masking(self, x: Any, _: Any) -> Any:
        return layers.Masking()(x)

    def make_average(self, x: Any, _: Any) -> Any:
        return layers.GlobalAveragePooling1D()(x)

    def make_flatten(self, x: Any, _: Any) -> Any:
        return layers.Flatten()(x)

    def make_time_distributed(self, x: Any, _: Any) -> Any:
        return layers.TimeDistributed(layers.Dense(3, "tanh"))(x)

    def make_convolution(self, x: Any, _: Any) -> Any:
        size, strides = int(self.rng.integers(1, 4)), int(self.rng.integers(1, 3))
        options = {"strides": strides, "padding": "same", "use_bias": self.chance(0.8)}
        return layers.Conv2D(3, size, activation=self.one_of(ACTIVATIONS), **options)(x)

    def make_dilated(self, x: Any, _: Any) -> Any:
        return layers.Conv2D(2, 2, dilation_rate=2, padding="same")(x)

    def make_depthwise(self, x: Any, _: Any) -> Any:
        return layers.DepthwiseConv2D(3, padding="same")(x)

    def make_separable(self, x: Any, _: Any) -> Any:
        return layers.SeparableConv2D(3, 3, padding="same", activation="relu")(x)

    def make_pooling(self, x: Any, _: Any) -> Any:
        return self.one_of([layers.MaxPooling2D, layers.AveragePooling2D])(2, padding="same")(x)

    def make_upsampling(self, x: Any, _: Any) -> Any:
        return layers.UpSampling2D(2)(x)

    def make_global_pooling(self, x: Any, _: Any) -> Any:
        return self.one_of([layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D])()(x)


_EVERYWHERE = ("dense", "activation", "dropout", "norm", "group_norm", "merge", "operator", "shared", "nested")
_SEQUENCES = (
    *("recurrent", "recurrent", "states", "bidirectional", "attention", "heads", "conv1d", "masking", "average"),
    *("flatten", "time_distributed"),
)
_IMAGES = (
    *("convolution", "convolution", "dilated", "depthwise", "separable", "pooling", "upsampling", "global_pooling"),
    "flatten",
)
