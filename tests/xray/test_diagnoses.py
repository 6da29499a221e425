"""Each diagnosis fires on a model built to have the fault, and names where it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from toolkit import xray
from toolkit.errors import InvalidValueError
from toolkit.xray.derivations import derive
from toolkit.xray.diagnoses import Diagnoses, Diagnosis, Unjudged
from toolkit.xray.diagnoses._gradients import by_depth
from toolkit.xray.diagnoses._recurrent import gradient_through_time

CLASSES = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def batch(n=32, d=8, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)).astype("float32"), rng.integers(0, classes, n)


def sequential(*stack, d=8):
    return keras.Sequential([keras.Input((d,)), *stack])


def named(found: Diagnoses, name: str) -> Diagnosis:
    assert name in found.names, str(found)
    return next(d for d in found if d.name == name)


# ---------------------------------------------------------------------- activations


def test_dead_relus_are_counted():
    x, y = batch()
    model = sequential(layers.Dense(10, "relu", name="hidden"), layers.Dense(3, "softmax"))
    w, b = model.get_layer("hidden").get_weights()
    b[:7] = -100
    model.get_layer("hidden").set_weights([w, b])
    d = named(xray.trace(model, x, y, loss=CLASSES).diagnose(), "dead ReLUs")
    assert (d.where, d.figures, d.severity) == ("hidden", {"dead": 7, "units": 10}, "warning")
    model.get_layer("hidden").set_weights([w, b - 200])
    found = xray.trace(model, x, y, loss=CLASSES).diagnose()
    assert named(found, "dead ReLUs").severity == "fault"
    assert named(found, "zero gradient").where == "hidden"
    assert "the same for all 32 samples" in named(found, "loss at chance level").evidence


@pytest.mark.parametrize("layer", [layers.ReLU, lambda name: layers.Activation("relu", name=name)])
def test_dead_channels_of_a_convolution(layer):
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Conv2D(4, 3), layer(name="cut"), layers.Flatten()])
    model.layers[0].set_weights([rng.normal(size=(3, 3, 1, 4)), np.full(4, -100.0)])
    d = named(xray.trace(model, rng.normal(size=(8, 6, 6, 1))).diagnose(), "dead ReLUs")
    assert (d.where, d.figures) == ("cut", {"dead": 4, "units": 4})


def test_few_samples_cannot_tell_dead_relus():
    x, y = batch(2)
    found = xray.trace(sequential(layers.Dense(4, "relu"), layers.Dense(3, "softmax")), x, y, loss=CLASSES).diagnose()
    assert not found
    assert found.unjudged == (Unjudged("dead ReLUs", "2 of the 8 samples that this takes"),)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_saturated_units(activation):
    x, y = batch()
    large = keras.initializers.RandomNormal(stddev=20.0)
    model = sequential(layers.Dense(10, activation, kernel_initializer=large, name="hidden"), layers.Dense(1))
    d = named(xray.trace(model, x, y, loss="mse").diagnose(), f"saturated {activation}")
    assert d.where == "hidden"
    assert 0.9 < d.figures["share"] <= 1


def test_saturated_simple_rnn():
    x = np.random.default_rng(0).normal(size=(8, 5, 3))
    large = keras.initializers.RandomNormal(stddev=20.0)
    model = keras.Sequential([keras.Input((5, 3)), layers.SimpleRNN(8, kernel_initializer=large), layers.Dense(1)])
    assert "saturated tanh" in xray.trace(model, x).diagnose().names


def _recurrent(kind, T=12, d=4, **options):
    """A recurrent layer that gives its last output, and a batch for it."""
    model = keras.Sequential([keras.Input((T, d)), getattr(layers, kind)(8, name="memory", **options)])
    model.add(layers.Dense(3, "softmax"))
    rng = np.random.default_rng(0)
    return model, rng.normal(size=(16, T, d)).astype("float32"), rng.integers(0, 3, 16)


def _set_bias(model, gate, value):
    """The bias of one gate of four (LSTM), or of three (GRU, which has two rows of them)."""
    w, u, b = model.get_layer("memory").get_weights()
    b[..., 8 * gate : 8 * gate + 8] = value
    model.get_layer("memory").set_weights([w, u, b])


@pytest.mark.parametrize(
    ("kind", "gate", "bias", "name"),
    [
        ("LSTM", 0, -9.0, "saturated input gate"),
        ("LSTM", 1, -9.0, "saturated forget gate"),
        ("LSTM", 2, 9.0, "saturated candidate"),
        ("LSTM", 3, 9.0, "saturated output gate"),
        ("GRU", 0, -9.0, "saturated update gate"),
        ("GRU", 1, 9.0, "saturated reset gate"),
        ("GRU", 2, 9.0, "saturated candidate"),
    ],
)
def test_saturated_gates(kind, gate, bias, name):
    model, x, y = _recurrent(kind)
    _set_bias(model, gate, bias)
    d = named(xray.trace(model, x, y, loss=CLASSES).diagnose(), name)
    assert (d.where, d.severity) == ("memory", "fault")
    assert d.figures["share"] > 0.9


def test_cell_that_has_run_away_is_saturated():
    model, x, y = _recurrent("LSTM", T=20)
    for gate in (0, 1, 2):  # everything is written, nothing forgotten
        _set_bias(model, gate, 9.0)
    d = named(xray.trace(model, x, y, loss=CLASSES).diagnose(), "saturated cell")
    assert "where tanh is flat" in d.evidence


@pytest.mark.parametrize(("kind", "gate"), [("LSTM", 1), ("GRU", 0)])
def test_gates_that_keep_everything_are_not_saturated(kind, gate):
    model, x, y = _recurrent(kind)
    _set_bias(model, gate, 9.0)
    assert not [name for name in xray.trace(model, x, y, loss=CLASSES).diagnose().names if "saturated" in name]


def test_padding_does_not_count_for_gates():
    model, x, _ = _recurrent("LSTM", T=6)
    masked = keras.Sequential([keras.Input((6, 4)), layers.Masking(1000.0), *model.layers])
    x[:, 1:] = 1000.0
    assert not [name for name in xray.trace(masked, x).diagnose().names if "gate" in name or "candidate" in name]


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_gradients_vanish_through_time(kind):
    model, x, y = _recurrent(kind)
    w, u, b = model.get_layer("memory").get_weights()
    b[..., 8:16] = -4.0 if kind == "LSTM" else b[..., 8:16]
    b[..., :8] = -3.0 if kind == "GRU" else b[..., :8]
    model.get_layer("memory").set_weights([w, 0.1 * u, b])
    d = named(xray.trace(model, x, y, loss=CLASSES).diagnose(), "gradients vanish through time")
    assert (d.where, d.severity) == ("memory", "fault")
    assert d.figures["factor"] < 0.25
    assert d.figures["steps"] == 11
    assert d.figures["ratio"] == pytest.approx(d.figures["factor"] ** 11)


def test_gradients_explode_through_time():
    model, x, y = _recurrent("SimpleRNN", T=20, activation="linear")
    w, u, b = model.get_layer("memory").get_weights()
    model.get_layer("memory").set_weights([w, 2 * u, b])
    d = named(xray.trace(model, x, y, loss=CLASSES).diagnose(), "gradients explode through time")
    assert d.figures["factor"] == pytest.approx(2, rel=1e-3)  # an orthogonal U keeps the norm, 2U doubles it


def test_gradient_through_time_matches_hand_example():
    # h_t = 0.5 h_(t−1) + x_t: each step back halves the gradient.
    model = keras.Sequential([keras.Input((3, 1)), layers.SimpleRNN(1, activation="linear", use_bias=False)])
    model.set_weights([np.array([[1.0]]), np.array([[0.5]])])
    t = xray.trace(model, np.ones((1, 3, 1)), np.zeros((1, 1)), loss="mse")
    # h = 1, 1.5, 1.75; dh_3 = 2 · 1.75
    norms = gradient_through_time(derive(t.calls[0]))
    assert norms == {1: pytest.approx(0.875), 2: pytest.approx(1.75), 3: pytest.approx(3.5)}


def test_recurrent_layers_without_a_derivation_are_not_judged():
    model = keras.Sequential([keras.Input(batch_shape=(8, 5, 3)), layers.LSTM(4, stateful=True, name="memory")])
    found = xray.trace(model, np.random.default_rng(0).normal(size=(8, 5, 3))).diagnose()
    assert found.unjudged[0].reason == "memory: a stateful layer, which begins where the last batch ended"


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("length", [4, 30])
def test_fresh_recurrent_layers_are_healthy(kind, length):
    model, x, y = _recurrent(kind, T=length)
    assert not xray.trace(model, x, y, loss=CLASSES).diagnose()


def test_confident_output_is_not_saturated():
    x, _ = batch()
    y = (x[:, 0] > 0).astype("float32")
    model = sequential(layers.Dense(1, "sigmoid"))
    model.set_weights([np.eye(8, 1) * 100, np.zeros(1)])
    assert not xray.trace(model, x, y, loss=BINARY).diagnose()


# ---------------------------------------------------------------------- gradients


def _deep(activation, scale, depth=12):
    start = keras.initializers.VarianceScaling(scale, mode="fan_avg", distribution="uniform")
    return sequential(
        *(layers.Dense(16, activation, kernel_initializer=start, name=f"h{k}") for k in range(depth)), layers.Dense(1)
    )


def test_vanishing_gradients():
    x, y = batch()
    d = named(xray.trace(_deep("sigmoid", 1.0), x, y, loss="mse").diagnose(), "vanishing gradients")
    assert d.severity == "fault"
    assert d.where == "h0"
    assert d.figures["ratio"] < 1e-3
    assert d.figures["layers"] == 13


def test_exploding_gradients_by_depth():
    # Weights that grow from layer to layer towards the input's side: what comes back is multiplied on every layer.
    x, y = batch()
    model = _deep("linear", 1.0)
    for k, layer in enumerate(model.layers[:-1]):
        layer.set_weights([layer.get_weights()[0] * (0.05 if k < 4 else 8), layer.get_weights()[1]])
    found = xray.trace(model, x * 1e-3 / 1e-3, y, loss="mse").diagnose()
    d = named(found, "exploding gradients")
    assert d.figures["ratio"] > 100


def test_exploding_gradients_larger_than_the_weights():
    x, y = batch()
    model = sequential(layers.Dense(4, "relu"), layers.Dense(1, name="out"))
    d = named(xray.trace(model, x, y * 1e6, loss="mse").diagnose(), "exploding gradients")
    assert d.severity == "warning"
    assert d.figures["ratio"] > 100


def test_gradient_by_depth_matches_hand_example():
    model = sequential(layers.Dense(2, use_bias=False, name="a"), layers.Dense(1, use_bias=False, name="b"), d=1)
    model.set_weights([np.array([[3.0, 4.0]]), np.array([[1.0], [0.0]])])
    # ŷ = 3, L = (3 − 1)² = 4, dŷ = 4; dB = (12, 16), dA = (4, 0).
    (a, ra), (b, rb) = by_depth(xray.trace(model, np.ones((1, 1)), np.ones((1, 1)), loss="mse"))
    assert (a, b) == ("a", "b")
    assert ra == pytest.approx(4 / 5)
    assert rb == pytest.approx(20.0)


def test_layer_without_gradient():
    x, y = batch()
    i = keras.Input((8,))
    h = layers.Dense(4, name="used")(i)
    cut = layers.Lambda(lambda t: keras.ops.stop_gradient(t))(layers.Dense(4, name="cut")(i))
    model = keras.Model(i, layers.Dense(3, "softmax")(h + cut))
    d = named(xray.trace(model, x, y, loss=CLASSES).diagnose(), "no gradient")
    assert d.where == "cut/kernel, cut/bias"
    assert d.severity == "fault"


def test_weights_that_are_all_zero_stop_the_gradient():
    x, y = batch()
    model = sequential(layers.Dense(4, "tanh", name="below"), layers.Dense(3, "softmax", kernel_initializer="zeros"))
    found = xray.trace(model, x, y, loss=CLASSES).diagnose()
    assert named(found, "zero gradient").where == "below"
    assert "loss at chance level" in found.names


def test_residual_branch_that_begins_at_zero_is_by_design():
    x, y = batch()
    i = keras.Input((8,))
    h = layers.BatchNormalization(gamma_initializer="zeros")(layers.Dense(8)(i))
    model = keras.Model(i, layers.Dense(3, "softmax")(i + h))
    assert not xray.trace(model, x, y, loss=CLASSES, training=True).diagnose()


def test_frozen_model_has_nothing_to_train():
    x, y = batch()
    model = sequential(layers.Dense(3, "softmax"))
    model.trainable = False
    assert xray.trace(model, x, y, loss=CLASSES).diagnose().names == ["nothing to train"]


def test_first_layer_that_is_not_finite_is_named():
    x, y = batch()
    model = sequential(layers.Dense(4, name="fine"), layers.Activation("exponential", name="burst"), layers.Dense(1))
    model.layers[0].set_weights([np.full((8, 4), 1e4), np.zeros(4)])
    d = named(xray.trace(model, np.abs(x), y, loss="mse").diagnose(), "not finite")
    assert d.where == "burst"
    assert d.figures["entries"] == 32 * 4


# ---------------------------------------------------------------------- output and loss


def _from_logits(loss):
    kind = {CLASSES: keras.losses.SparseCategoricalCrossentropy, BINARY: keras.losses.BinaryCrossentropy}[loss]
    return kind(from_logits=True)


@pytest.mark.parametrize(
    ("loss", "ending", "units"), [(CLASSES, "softmax", 3), (BINARY, "sigmoid", 1)], ids=["softmax", "sigmoid"]
)
def test_probabilities_in_a_loss_from_logits(loss, ending, units):
    x, y = batch(classes=min(units + 1, 3))
    model = sequential(layers.Dense(units, ending, name="out"))
    with pytest.warns(UserWarning, match="does not represent logits"):
        found = xray.trace(model, x, y, loss=_from_logits(loss)).diagnose()
    d = named(found, f"{ending} in a loss from logits")
    assert (d.where, d.severity) == ("out", "warning")  # Keras finds the logits
    hidden = keras.Sequential([*model.layers, layers.Reshape((units,))])  # and does not any more
    hidden.build((None, 8))
    if ending == "softmax":
        d = named(xray.trace(hidden, x, y, loss=_from_logits(loss)).diagnose(), f"{ending} in a loss from logits")
        assert d.severity == "fault"
        assert "0.551" in d.evidence  # ln(e + 2) − 1


@pytest.mark.parametrize(("loss", "units"), [(CLASSES, 3), ("categorical_crossentropy", 3), (BINARY, 1)])
def test_logits_in_a_loss_of_probabilities(loss, units):
    x, y = batch(classes=min(units + 1, 3))
    y = keras.utils.to_categorical(y, 3) if loss == "categorical_crossentropy" else y
    model = sequential(layers.Dense(units, name="out"))
    found = xray.trace(model, x, y, loss=loss).diagnose()
    d = named(found, "logits in a loss of probabilities")
    assert (d.where, d.severity) == ("out", "fault")
    right = {CLASSES: _from_logits(CLASSES), BINARY: _from_logits(BINARY)}.get(
        loss, keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    assert not xray.trace(model, x, y, loss=right).diagnose()


def test_logits_that_look_like_probabilities_are_known_by_their_layer():
    model = sequential(layers.Dense(1, kernel_initializer="zeros", bias_initializer=keras.initializers.Constant(0.4)))
    x, y = batch(2, classes=2)
    assert (
        "the output has no activation"
        in named(xray.trace(model, x, y, loss=BINARY).diagnose(), "logits in a loss of probabilities").evidence
    )


def test_sigmoids_in_a_loss_over_classes():
    x, y = batch()
    found = xray.trace(sequential(layers.Dense(3, "sigmoid", name="out")), x, y, loss=CLASSES).diagnose()
    assert named(found, "sigmoid in a loss over classes").where == "out"
    positive = sequential(layers.Dense(3, "softplus"), layers.Lambda(lambda t: t / 100))
    found = xray.trace(positive, x, y, loss=CLASSES).diagnose()
    assert "instead of 1" in named(found, "logits in a loss of probabilities").evidence


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
def test_softmax_over_one_unit():
    x, y = batch(classes=2)
    found = xray.trace(sequential(layers.Dense(1, "softmax")), x, y * 0, loss=CLASSES).diagnose()
    assert named(found, "softmax over one unit").severity == "fault"


def test_loss_at_chance_after_many_steps():
    x, y = batch(64, classes=3)
    model = sequential(layers.Dense(3, "softmax", kernel_initializer=keras.initializers.RandomNormal(stddev=0.01)))
    model.compile("sgd", CLASSES)
    assert not xray.trace(model, x, y).diagnose()  # where a fresh model has to be
    model.optimizer.iterations.assign(100)
    d = named(xray.trace(model, x, y).diagnose(), "loss at chance level")
    assert d.severity == "warning"
    assert d.figures == {"loss": pytest.approx(np.log(3), rel=0.02), "chance": pytest.approx(np.log(3)), "steps": 100}


def test_one_sample_cannot_tell_chance():
    x, y = batch(1)
    found = xray.trace(sequential(layers.Dense(3, "softmax")), x, y, loss=CLASSES).diagnose()
    assert [u.name for u in found.unjudged] == ["loss at chance level"]


def test_labels_outside_the_classes_errors():
    x, y = batch()
    with pytest.raises(InvalidValueError, match="from 0 to 2, one of 3 classes"):
        xray.trace(sequential(layers.Dense(3, "softmax")), x, y + 1, loss=CLASSES)


# ---------------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    ("scale", "told"), [(255, "4 is a lot"), (1 / 255, "where about 1 is meant"), (0, "All inputs are 0")]
)
def test_inputs_not_scaled(scale, told):
    x, y = batch()
    model = sequential(layers.Dense(4, name="first"), layers.Dense(3, "softmax"))
    found = xray.trace(model, np.abs(x) * scale, y, loss=CLASSES).diagnose()
    d = named(found, "inputs not scaled" if scale else "inputs all zero")
    assert d.where == "first"
    assert told in d.evidence


def test_columns_on_different_scales():
    x, y = batch()
    x = x / 1000 * np.array([1000] + [1] * 7)
    found = xray.trace(sequential(layers.Dense(3, "softmax")), x, y, loss=CLASSES).diagnose()
    assert named(found, "inputs not scaled").figures["ratio"] == pytest.approx(1000, rel=0.5)


def test_inputs_that_the_model_scales_itself_are_scaled():
    x, y = batch()
    x = np.abs(x) * 255
    norm = layers.Normalization()
    norm.adapt(x)
    i = keras.Input((8,))
    starts = {
        "rescaling": layers.Rescaling(1 / 255),
        "normalization": norm,
        "batch": layers.BatchNormalization(),
        "division": lambda t: t / 255,
    }
    for start in starts.values():
        model = keras.Model(i, layers.Dense(3, "softmax")(start(i)))
        found = xray.trace(model, x, y, loss=CLASSES, training=True).diagnose()
        assert "inputs not scaled" not in found.names, str(found)


def test_batch_normalisation_after_the_first_layer_scales():
    x, y = batch()
    model = sequential(layers.Dense(4), layers.BatchNormalization(), layers.Dense(3, "softmax"))
    assert not xray.trace(model, x * 50, y, loss=CLASSES, training=True).diagnose()


def _words(rows, x):
    model = keras.Sequential(
        [keras.Input(x.shape[1:], dtype="int32"), layers.Embedding(rows, 4, name="words"), layers.Flatten()]
    )
    return xray.trace(model, x).diagnose()


def test_embedding_rows_never_used():
    rng = np.random.default_rng(0)
    d = named(_words(1000, rng.integers(0, 50, (40, 20))), "embedding rows never used")
    assert d.where == "words"
    assert d.figures == {"used": 50, "rows": 1000, "tokens": 800, "highest": 49}
    scattered = rng.choice([3, 9, 17, 24], (32, 10))  # no order of frequency: ten tokens for each row tell
    assert named(_words(25, scattered), "embedding rows never used").figures["used"] == 4


def test_few_tokens_cannot_tell_unused_rows():
    found = _words(1000, np.random.default_rng(0).integers(0, 50, (4, 5)))
    assert not found
    assert found.unjudged[0].reason == "20 tokens for 1,000 rows; 500 would tell"


def test_words_by_zipfs_law_use_their_rows():
    rng = np.random.default_rng(0)
    for rows in (100, 1000, 20_000):
        shares = 1 / np.arange(1, rows + 1)
        x = rng.choice(rows, (32, 40), p=shares / shares.sum())
        assert not _words(rows, x)


# ---------------------------------------------------------------------- the list


def test_faults_come_first_and_print():
    found = Diagnoses(
        [
            Diagnosis("w", "warning", "[red]a", "seen <b>", "do & it"),
            Diagnosis("f", "fault", "b", "seen", "do"),
        ],
        [Unjudged("c", "too small")],
    )
    assert [d.name for d in found] == ["f", "w"]
    assert found.summary == "1 fault, 1 warning"
    text = str(found)
    assert "[red]a" in text
    assert "→ do & it" in text
    assert "not judged: c; too small" in text
    page = found._repr_html_()
    assert "seen &lt;b&gt;" in page
    assert "do &amp; it" in page
    assert found[0:1] == (found[0],)
    assert str(found[0]) == "fault: f, b: seen do"


def test_nothing_found_says_so():
    assert str(Diagnoses([])) == "Diagnosis: nothing that looks wrong"
    assert "<table>" not in Diagnoses([])._repr_html_()


def test_without_labels_the_forward_pass_is_diagnosed():
    x, _ = batch()
    found = xray.trace(sequential(layers.Dense(3)), x * 100).diagnose()
    assert found.names == ["inputs not scaled"]
    assert found.unjudged[-1].name == "loss and gradients"


def test_averages_as_they_began_tell_nothing_about_depth():
    x, y = batch()
    blocks = [part for _ in range(8) for part in (layers.Dense(8, "sigmoid"), layers.BatchNormalization())]
    model = sequential(*blocks, layers.Dense(3, "softmax"))
    found = xray.trace(model, x, y, loss=CLASSES).diagnose()
    assert not found
    assert [u.name for u in found.unjudged] == ["loss at chance level", "vanishing or exploding gradients"]
    assert not xray.trace(model, x, y, loss=CLASSES, training=True).diagnose().unjudged
