"""All kinds of models trace: what the steps are called, what flows where, and that it verifies."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from toolkit import scratch, xray
from toolkit.errors import UnsupportedError

LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def layers_in(t: xray.Trace, phase: str = "forward") -> list[str]:
    return [step.layer for step in t.steps if step.phase == phase]


class TransformerBlock(layers.Layer):
    """Attention and a small network, each added to its input; a scale of its own."""

    def __init__(self, width, heads, **options):
        super().__init__(**options)
        self.attention = layers.MultiHeadAttention(heads, width // heads, name="attention")
        self.norms = [layers.LayerNormalization(name=f"norm_{k}") for k in range(2)]
        self.up, self.down = layers.Dense(2 * width, "gelu", name="up"), layers.Dense(width, name="down")
        self.drop = layers.Dropout(0.1, name="drop")
        self.supports_masking = True

    def build(self, shape):
        self.attention.build(shape, shape)
        for layer in (*self.norms, self.up, self.drop):
            layer.build(shape)
        self.down.build((*shape[:-1], 2 * shape[-1]))
        self.scale = self.add_weight(shape=shape[-1:], initializer="ones", name="scale")

    def call(self, x):
        x = self.norms[0](x + self.drop(self.attention(x, x, use_causal_mask=True)))
        return self.norms[1](x + self.scale * self.down(self.up(x)))


@pytest.mark.parametrize("training", [False, True])
def test_transformer_block(rng, training):
    words = keras.Input((6,), dtype="int32")
    h = layers.Embedding(20, 8, mask_zero=True, name="embedding")(words)
    for name in ("first", "second"):
        h = TransformerBlock(8, 2, name=name)(h)
    model = keras.Model(words, layers.Dense(20, name="out")(h))
    x = rng.integers(1, 20, (3, 6))
    x[0, 4:] = 0
    t = xray.trace(model, x, rng.integers(0, 20, (3, 6)), loss=LOGITS, optimizer="adam", training=training)
    assert t.verify().worst.error <= 1e-5
    inside = ["attention", "drop", "norm_0", "up", "down", "norm_1"]
    assert layers_in(t)[1:8] == [*(f"first/{name}" for name in inside), "first"]
    block = next(step for step in t.steps if step.layer == "first" and step.phase == "backward")
    assert not block.derived
    assert "scale" in block.tensors
    assert "dscale" in block.tensors
    # The sums inside the block are seen: norm_0 takes what attention (through drop) and the embedding gave.
    assert {("embedding#0", "first/norm_0#0"), ("first/drop#0", "first/norm_0#0")} <= set(t.network["edges"])


def test_bidirectional_lstm(rng):
    model = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(11, 4, mask_zero=True),
            layers.Bidirectional(layers.LSTM(5, return_sequences=True, name="lstm"), name="both"),
            layers.Bidirectional(layers.GRU(3)),
            layers.Dense(3, "softmax"),
        ]
    )
    x = rng.integers(1, 11, (4, 7))
    x[1, 5:] = 0
    t = xray.trace(model, x, [0, 1, 2, 0], loss="sparse_categorical_crossentropy")
    assert t.verify().worst.error <= 1e-5
    assert layers_in(t)[1:4] == ["both/forward_lstm", "both/backward_lstm", "both"]
    forward = next(step for step in t.steps if step.layer == "both/forward_lstm")
    assert forward.derived
    assert any("t = 3" in step.title for step in forward.substeps)


def test_two_inputs_two_outputs_and_a_shared_layer(rng):
    a, b = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    shared = layers.Dense(5, "relu", kernel_regularizer="l2", name="shared")
    h = layers.Concatenate(name="join")([shared(a), shared(layers.Dense(3, name="fit")(b))])
    outputs = {"kind": layers.Dense(2, "softmax", name="kind")(h), "size": layers.Dense(1, name="size")(h)}
    model = keras.Model({"a": a, "b": b}, outputs)
    model.compile(
        "sgd", {"kind": "sparse_categorical_crossentropy", "size": "mse"}, loss_weights={"kind": 1.0, "size": 0.3}
    )
    x = {"a": rng.standard_normal((6, 3)), "b": rng.standard_normal((6, 4))}
    y = {"kind": rng.integers(0, 2, 6), "size": rng.standard_normal((6, 1))}
    t = xray.trace(model, x, y)
    assert t.verify().worst.error <= 1e-5
    assert t.loss == pytest.approx(model.evaluate(x, y, verbose=0, return_dict=True)["loss"], rel=1e-6)
    calls = [call for call in t.calls if call.path == "shared"]
    assert [call.index for call in calls] == [0, 1]
    assert calls[0].gradients["kernel"] is calls[1].gradients["kernel"]
    parts = [call.inputs[0].T @ (call.dy[0] * (call.outputs[0] > 0)) for call in calls]
    np.testing.assert_allclose(sum(parts), calls[0].gradients["kernel"], rtol=1e-5, atol=1e-7)
    assert {("shared#0", "join#0"), ("shared#1", "join#0"), ("fit#0", "shared#1")} <= set(t.network["edges"])


class Branching(keras.Model):
    """One way for positive inputs, another for the rest; counts its calls in Python."""

    def __init__(self):
        super().__init__()
        self.positive, self.negative = (
            layers.Dense(4, "relu", name="positive"),
            layers.Dense(4, "tanh", name="negative"),
        )
        self.out = layers.Dense(1, name="out")
        self.count, self.log = 0, []

    def call(self, x):
        self.count += 1
        self.log.append(x.shape)
        h = self.positive(x) if ops.sum(x) > 0 else self.negative(x)
        for _ in range(2):
            h = self.negative(h) + h
        return self.out(h)


def test_a_python_branch_is_followed(rng):
    model = Branching()
    model(np.ones((2, 4)))
    model(-np.ones((2, 4)))
    count, log = model.count, len(model.log)
    x, y = np.abs(rng.standard_normal((5, 4))), rng.standard_normal((5, 1))
    t, u = (xray.trace(model, sign * x, y, loss="mse", optimizer="sgd") for sign in (1, -1))
    for each in (t, u):
        assert each.verify().worst.error <= 1e-5
    assert layers_in(t) == ["positive", "negative", "negative", "out"]
    assert layers_in(u) == ["negative", "negative", "negative", "out"]
    assert (model.count, len(model.log)) == (count, log)
    assert t.update()["positive/kernel"].before.shape == (4, 4)
    assert u.update().without_gradient == ("positive/kernel", "positive/bias")


def test_a_loaded_model_continues_as_keras_does(tmp_path, rng):
    model = keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(3, 3, activation="relu"), layers.BatchNormalization(), layers.Flatten()]
    )
    model.add(layers.Dense(3, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = rng.standard_normal((12, 6, 6, 1)), rng.integers(0, 3, 12)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    t = xray.trace(loaded, x[:4], y[:4], training=True)
    assert t.verify().worst.error <= 1e-5
    update = t.update()
    assert update.step == 2
    loaded.train_on_batch(x[:4], y[:4])
    for weight, variable in zip(update, loaded.trainable_variables, strict=True):
        np.testing.assert_allclose(weight.after, variable.numpy(), rtol=1e-5, atol=1e-7)


def test_a_scratch_network_matches_its_own_backward(rng):
    network = scratch.Sequential(
        [scratch.Dense(5, "relu"), scratch.Dense(3)], input_shape=(4,), dtype="float64", seed=1
    )
    x, y = rng.standard_normal((3, 4)), rng.standard_normal((3, 3))
    t = xray.trace(network, x, y, loss="mse")
    loss = scratch.MeanSquaredError()
    assert t.loss == pytest.approx(loss.forward(y, network.forward(x)), rel=1e-6)
    network.backward(loss.backward())
    for own, ours in zip(network.grads.values(), t.gradients.values(), strict=True):
        np.testing.assert_allclose(np.asarray(own), ours, rtol=1e-5, atol=1e-8)  # Keras's loss is in float32


def test_nested_models_have_paths(rng):
    encoder = keras.Sequential(
        [keras.Input((6,)), layers.Dense(4, "relu", name="in"), layers.Dropout(0.5, name="dropout")], name="encoder"
    )
    decoder = keras.Sequential([keras.Input((4,)), layers.Dense(6, "sigmoid", name="out")], name="decoder")
    x = keras.Input((6,))
    model = keras.Model(x, decoder(encoder(x)))
    values = rng.uniform(size=(5, 6))
    t = xray.trace(model, values, values, loss="binary_crossentropy", training=True)
    assert layers_in(t) == ["encoder/in", "encoder/dropout", "encoder", "decoder/out", "decoder"]
    assert layers_in(t, "backward") == layers_in(t)[::-1]
    assert ("encoder/dropout#0", "decoder/out#0") in t.network["edges"]
    whole = next(step for step in t.steps if step.layer == "encoder")
    assert "Made of 2 layers" in whole.note
    assert not whole.derived
    t.verify()


class Tied(keras.Model):
    """Uses the embedding's matrix a second time, past the layer."""

    def __init__(self):
        super().__init__()
        self.embedding, self.dense = layers.Embedding(9, 4, name="embedding"), layers.Dense(4, "tanh", name="dense")

    def call(self, x):
        return ops.matmul(self.dense(self.embedding(x)), ops.transpose(self.embedding.embeddings))


class Variational(keras.Model):
    """Draws random numbers and adds a loss of its own."""

    def __init__(self):
        super().__init__()
        self.encode, self.decode = layers.Dense(4), layers.Dense(3)
        self.seed = keras.random.SeedGenerator(1)

    def call(self, x):
        mean, spread = ops.split(self.encode(x), 2, axis=-1)
        self.add_loss(ops.mean(mean**2 + ops.exp(spread) - spread - 1) / 2)
        return self.decode(mean + ops.exp(spread / 2) * keras.random.normal(ops.shape(mean), seed=self.seed))


class Compiled(keras.Model):
    """Runs a layer inside a compiled function."""

    def __init__(self):
        super().__init__()
        self.inner, self.out = layers.Dense(4, name="inner"), layers.Dense(3, name="out")

    @tf.function
    def hidden(self, x):
        return 2 * self.inner(x)

    def call(self, x):
        return self.out(self.hidden(x))


class Raw(keras.Model):
    """No layer at all."""

    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 3), name="w")

    def call(self, x):
        return x @ self.w


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", [Tied, Variational, Compiled, Raw])
def test_unusual_models_verify(kind, training, rng):
    model = kind()
    x = rng.integers(0, 9, (4, 3)) if kind is Tied else rng.standard_normal((4, 3)).astype("float32")
    y, loss = (x, LOGITS) if kind is Tied else (rng.standard_normal((4, 3)), "mse")
    model(x)
    t = xray.trace(model, x, y, loss=loss, optimizer="adam", training=training)
    assert t.verify().worst.error <= 1e-5
    assert len(t.gradients) == len(model.trainable_variables)
    shown = {name for step in t.steps for name in step.tensors if step.phase == "backward"}
    assert shown >= ({"dw"} if kind is Raw else {"dW", "db"})
    if kind is Compiled:
        assert layers_in(t) == ["inner", "out"]
        assert not tf.config.functions_run_eagerly()
    if kind is Variational:
        assert any("L_added" in step.tensors for step in t.steps)


def test_states_and_seeds_are_those_of_the_step(rng):
    model = keras.Sequential(
        [keras.Input(batch_shape=(2, 3, 4)), layers.LSTM(3, stateful=True), layers.GaussianNoise(0.3), layers.Dense(1)]
    )
    x = rng.standard_normal((2, 3, 4)).astype("float32")
    model.predict(x, verbose=0)
    states = [state.numpy() for state in model.layers[0].states]
    t = xray.trace(model, x, np.ones((2, 1)), loss="mse", training=True)
    assert t.verify().worst.error <= 1e-5
    for state, before in zip(model.layers[0].states, states):
        np.testing.assert_array_equal(state.numpy(), before)


def test_frozen_layers_have_no_gradient_of_their_weights(rng):
    base = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="d"), layers.BatchNormalization(name="n")], name="base"
    )
    base.trainable = False
    model = keras.Sequential([base, layers.Dense(2, "softmax", name="head")])
    t = xray.trace(model, rng.standard_normal((3, 4)), [0, 1, 1], loss="sparse_categorical_crossentropy", training=True)
    assert t.verify().worst.error <= 1e-5
    assert list(t.gradients) == ["head/kernel", "head/bias"]
    norm = next(call for call in t.calls if call.path == "base/n")
    assert not norm.training
    assert not norm.updated
    assert norm.dx[0] is not None


def test_mixed_precision_verifies(rng):
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(8, "relu", dtype="mixed_bfloat16"),
            layers.Dense(2, "softmax", dtype="float32"),
        ]
    )
    t = xray.trace(model, rng.standard_normal((3, 4)), [0, 1, 1], loss="sparse_categorical_crossentropy")
    t.verify()
    assert str(t.calls[0].outputs[0].dtype) == "bfloat16"


def _half() -> keras.Sequential:
    half = {"dtype": "float16"}
    return keras.Sequential(
        [keras.Input((4,), dtype="float16"), layers.Dense(5, "relu", **half), layers.Dense(3, "softmax", **half)]
    )


def _of_bytes() -> keras.Sequential:
    stack = [layers.Rescaling(1 / 255), layers.Conv2D(2, 3, name="conv"), layers.Flatten()]
    return keras.Sequential([keras.Input((6, 6, 1), dtype="uint8"), *stack, layers.Dense(3, "softmax")])


def _spectral() -> keras.Sequential:
    return keras.Sequential(
        [keras.Input((4,)), layers.SpectralNormalization(layers.Dense(5, name="inner")), layers.Dense(3, "softmax")]
    )


@pytest.mark.parametrize("make", [_half, _of_bytes, _spectral])
def test_numbers_of_all_types_and_weights_that_change_within_the_step(make, rng):
    model = make()
    shape, dtype = model.inputs[0].shape[1:], model.inputs[0].dtype
    x = (rng.uniform(0, 255, size=(5, *shape)) if dtype == "uint8" else rng.standard_normal((5, *shape))).astype(dtype)
    before = model.get_weights()
    t = xray.trace(model, x, [0, 1, 2, 0, 1], loss="sparse_categorical_crossentropy", optimizer="sgd", training=True)
    assert all(row.error <= (1e-3 if row.limit > 1e-5 else 1e-5) for row in t.verify().rows)
    assert all(dx is not None for call in t.calls[1:] for dx in call.dx)  # also behind whole numbers
    if make is _spectral:
        used = next(call for call in t.calls if call.path.endswith("inner")).weights["kernel"]
        assert np.linalg.norm(used, 2) < 0.999 * np.linalg.norm(before[0], 2)
        np.testing.assert_array_equal(t.update()["spectral_normalization/inner/kernel"].before, before[0])


class OwnLoss(keras.Model):
    """Knows itself what it is to learn."""

    def __init__(self):
        super().__init__()
        self.out = layers.Dense(1)

    def call(self, x):
        return self.out(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return ops.mean(ops.abs(y - y_pred))


def test_a_loss_of_the_model_s_own_is_not_replaced_by_the_compiled_one_errors(rng):
    model = OwnLoss()
    x, y = rng.standard_normal((4, 3)), np.ones((4, 1))
    model(x)
    model.compile("sgd", "mse")
    with pytest.raises(UnsupportedError, match="a compute_loss of its own"):
        xray.trace(model, x, y)
    assert xray.trace(model, x, y, loss="mae").loss == pytest.approx(float(model.compute_loss(x, y, model(x))))


def test_forward_pass_alone(classifier, batch):
    t = xray.trace(classifier, batch[0])
    assert t.loss is None
    assert {step.phase for step in t.steps} == {"forward"}
    assert not t.gradients
    assert t.verify().worst.error <= 1e-5
    assert "forward pass alone" in repr(t)


def test_operators_of_functional_models_are_steps(rng):
    x = keras.Input((3,))
    h = layers.Dense(3, name="dense")(x)
    model = keras.Model(x, ops.tanh(h) + x)
    t = xray.trace(model, rng.standard_normal((2, 3)), np.zeros((2, 3)), loss="mse")
    assert [step.kind for step in t.steps if step.phase == "forward"] == ["Dense", "Tanh", "Add"]
    assert ("input 1", t.network["nodes"][-1]["id"]) in t.network["edges"]
    t.verify()


def test_a_model_that_reads_text(rng):
    vocabulary = layers.TextVectorization(output_sequence_length=4, vocabulary=["deep", "learning", "step"], name="ids")
    model = keras.Sequential([keras.Input((), dtype="string"), vocabulary, layers.Embedding(6, 3), layers.Flatten()])
    model.add(layers.Dense(2, "softmax"))
    t = xray.trace(model, ["deep learning", "step by step"], [0, 1], loss="sparse_categorical_crossentropy")
    assert t.verify().worst.error <= 1e-5
    np.testing.assert_array_equal(t.calls[0].outputs[0], [[2, 3, 0, 0], [4, 1, 4, 0]])
    assert t.samples == 2
    assert t.network["nodes"][0]["shape"] == "(2,)"
