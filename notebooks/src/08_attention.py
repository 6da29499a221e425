# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "08"
#     title: "Attention"
#     goal: Compute and differentiate attention by hand, see what it can that an LSTM cannot, and look at it over a sentence
#     minutes: 75
#     prerequisites: ["01", "02", "03", "04", "06", "07"]
# ---

# %% [markdown]
# # 08 · Attention
#
# **After this lesson** you can compute $\operatorname{softmax}(QK^\top/\sqrt d)\,V$ and its gradients by hand, say why the
# $\sqrt d$ and the masks are there, train a network with self-attention, and look at what it attends to.
#
# **You need** softmax and its gradient (02), embeddings and masks (06), the LSTM (07).
#
# **The way.** looking things up → the equation, by hand → why $\sqrt d$ → masks → the backward pass → the proof that
# Keras agrees → a task that needs it → a text classifier → looking at the weights → your experiment

# %%
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch
from toolkit.classroom import check

rng = np.random.default_rng(0)

# %% [markdown]
# ## 1 · The picture: looking something up
#
# A dictionary compares your **query** with its **keys** and hands out the **value** of the one that fits. Attention does
# the same softly: it compares the query with *all* keys, turns the similarities into weights that sum to 1, and hands out
# the weighted mean of the values. What is soft can be differentiated, and so it can be learned.
#
# Three keys in the plane, three values, one query. The similarity is the dot product.

# %% alt="Left: three keys and a query as arrows. Right: bars of the three weights, largest for the key near the query"
K = np.array([[2.0, 0.0], [0.0, 2.0], [-1.5, -1.0]])
V = np.array([[10.0], [20.0], [30.0]])
q = np.array([1.5, 0.5])

scores = K @ q
weights = np.exp(scores) / np.exp(scores).sum()
answer = weights @ V

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained", dpi=80)
for k, (x, y) in enumerate(K):
    left.annotate(f"key {k + 1}", (x, y), ha="center", va="bottom" if y > 0 else "top")
    left.arrow(0, 0, x, y, color="#0072B2", head_width=0.12, length_includes_head=True)
left.arrow(0, 0, *q, color="#D55E00", head_width=0.12, length_includes_head=True, ls="--")
left.annotate("query", q, ha="left", va="bottom")
left.set(xlim=(-2.4, 3), ylim=(-1.6, 2.6), aspect="equal", title="keys and query")
right.bar(["key 1", "key 2", "key 3"], weights, color="#0072B2")
right.set(ylim=(0, 1), title="weights")
plt.show()
print("scores by hand: 2 · 1.5 = 3;  2 · 0.5 = 1;  −1.5 · 1.5 − 1 · 0.5 = −2.75")
print("scores ", scores, "  weights", weights.round(3), "  answer", answer.round(2))

# %% [markdown]
# **What to see:** the key that points the same way gets most of the weight, and the answer lies close to its value, 10.
#
# ## 2 · The equation
#
# With many queries at once, for one sequence: $Q\;(T_q, d)$, $K\;(T_k, d)$, $V\;(T_k, d_v)$.
#
# $$ S = \frac{QK^\top}{\sqrt d}, \qquad A = \operatorname{softmax}(S) \text{ over the keys (each row sums to 1)}, \qquad
# Y = AV $$
#
# In **self-attention** a sequence $H$ asks itself: $Q = HW_Q,\ K = HW_K,\ V = HW_V$, with three learned matrices. In
# **cross-attention** one sequence asks another (lesson 09). Unlike a recurrent network, every step reaches every other in
# *one* step, however far away it is.


# %%
def softmax(S):
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(Q, K, V, allowed=True):
    """``allowed (…, T_q, T_k)``: False where a query must not see a key."""
    S = Q @ np.swapaxes(K, -1, -2) / np.sqrt(Q.shape[-1])
    A = softmax(np.where(allowed, S, -1e9))
    return A @ V, A


# Two queries, two keys, d = 1, so that √d = 1; a key of ln 3 makes the numbers round.
Q, K, V = np.array([[0.0], [1.0]]), np.array([[0.0], [np.log(3)]]), np.array([[4.0, 0.0], [0.0, 8.0]])
Y, A = attention(Q, K, V)
print("S = [[0, 0], [0, ln 3]], so A = [[1/2, 1/2], [1/4, 3/4]]")
print("A =", A.round(3).tolist())
print("Y by hand = [[2, 4], [1, 6]]; computed", Y.round(3).tolist())

# %% [markdown]
# ## 3 · Why √d?
#
# If the numbers in $q$ and $k$ have mean 0 and variance 1, their dot product is a sum of $d$ products and has variance
# $d$. A softmax of large numbers is nearly a 0-1 choice, and its gradient $A(1 - A)$ is nearly 0. Divided by $\sqrt d$ the
# variance is 1 again, whatever $d$ is.

# %% alt="Left: spread of scores grows with d without the root. Right: gradient of softmax shrinks to nothing without it"
dimensions = [2, 8, 32, 128, 512]
spread, slope = {"qk": [], "qk/√d": []}, {"qk": [], "qk/√d": []}
for d in dimensions:
    raw = rng.standard_normal((500, 1, d)) @ rng.standard_normal((500, d, 10))
    for name, S in (("qk", raw), ("qk/√d", raw / np.sqrt(d))):
        A = softmax(S)
        spread[name].append(S.std())
        slope[name].append((A * (1 - A)).mean())
fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", dpi=80)
for ax, measured, title in zip(
    axes, (spread, slope), ("standard deviation of the scores", "mean A(1 − A)"), strict=True
):
    for (name, values), line in zip(measured.items(), ("o-", "s--"), strict=True):
        ax.loglog(dimensions, values, line, label=name)
    ax.set(xlabel="d", title=title)
    ax.grid(alpha=0.3)
    ax.legend()
plt.show()
print(f"d = 512: slope {slope['qk'][-1]:.4f} without, {slope['qk/√d'][-1]:.4f} with the root")

# %% [markdown]
# **What to see:** without the root the softmax saturates as $d$ grows, and learning stops. (Keras's `layers.Attention`
# does *not* divide by $\sqrt d$; `layers.MultiHeadAttention` does. Read the manual of what you use.)
#
# ## 4 · Masks
#
# Two things must not be seen: **padding**, which is no text, and, where a text is *written*, the **future**. Both get the
# score $-\infty$ (in practice a very negative number) *before* the softmax, so their weight is 0 and the others still sum
# to 1.

# %% alt="Three matrices of weights: all keys; the last two of padding are white; causal, only the lower left triangle"
H = rng.standard_normal((6, 8))
real = np.array([True, True, True, True, False, False])
causal = np.tril(np.ones((6, 6), dtype=bool))
fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), layout="constrained", dpi=80)
for ax, allowed, title in zip(axes, (True, real, causal), ("all", "keys 5 and 6 are padding", "causal"), strict=True):
    _, A = attention(H, H, H, allowed)
    plots.matrix(A, ax=ax, title=title)
    ax.set(xlabel="key", ylabel="query")
plt.show()
_, A = attention(H, H, H, real)
after = softmax(H @ H.T / np.sqrt(8)) * real
print("masked before the softmax, rows sum to", A.sum(axis=1).round(3))
print("set to 0 after it, rows sum to       ", after.sum(axis=1).round(3), "← wrong")

# %% [markdown]
# ## 5 · The backward pass
#
# Two matrix products and a softmax, all known. From $dY$ upwards:
#
# $$ dV = A^\top dY, \qquad dA = dY\,V^\top, \qquad
# dS = A \odot \Big( dA - \sum_k dA_{\cdot k} A_{\cdot k} \Big), $$
#
# $$ dQ = \frac{dS\,K}{\sqrt d}, \qquad dK = \frac{dS^\top Q}{\sqrt d} $$
#
# The middle one is the softmax's gradient from lesson 02, row by row. In self-attention $H$ is used three times, so
# $dH = dQ\,W_Q^\top + dK\,W_K^\top + dV\,W_V^\top$.


# %%
def attention_backward(Q, K, V, A, dY):
    d = Q.shape[-1]
    dV = A.T @ dY
    dA = dY @ V.T
    dS = A * (dA - (dA * A).sum(axis=-1, keepdims=True))
    return dS @ K / np.sqrt(d), dS.T @ Q / np.sqrt(d), dV


Q, K, V, dY = (rng.standard_normal(shape) for shape in ((4, 3), (5, 3), (5, 2), (4, 2)))
_, A = attention(Q, K, V)
gradients = attention_backward(Q, K, V, A, dY)
numeric = (
    scratch.numerical_gradient(lambda v: (attention(v, K, V)[0] * dY).sum(), Q),
    scratch.numerical_gradient(lambda v: (attention(Q, v, V)[0] * dY).sum(), K),
    scratch.numerical_gradient(lambda v: (attention(Q, K, v)[0] * dY).sum(), V),
)
for name, ours, differences in zip(("dQ", "dK", "dV"), gradients, numeric, strict=True):
    print(f"{name} {ours.shape}: relative error {scratch.compare_gradients(ours, differences, name):.0e}")

# %% [markdown]
# ## 6 · Several heads, and the proof that Keras agrees
#
# One attention gives each query *one* set of weights. **Multi-head attention** runs several side by side, each with small
# $W_Q, W_K, W_V$ of its own, and joins their answers with a matrix $W_O$. `scratch.MultiHeadAttention` is that, with
# Keras's weights:

# %%
from toolkit import bridge
import keras
import tensorflow as tf

h = scratch.Input((6, 8))
network = scratch.Model(h, scratch.MultiHeadAttention(num_heads=2, key_dim=4)([h, h]), dtype="float64")
twin = bridge.to_keras(network)
x, dy = rng.standard_normal((3, 6, 8)), rng.standard_normal((3, 6, 8))
network.forward(x)
dx = network.backward(dy)
variable = tf.Variable(x)
with tf.GradientTape() as tape:
    y = twin(variable)
    loss = tf.reduce_sum(y * dy)
keras_dx, *keras_grads = tape.gradient(loss, [variable, *twin.trainable_weights])

table = "| tensor | shape | NumPy − Keras |\n|:--|:--|--:|\n"
pairs = {"output": (network.last_output, y), "dx": (dx, keras_dx)}
pairs |= {f"d {name}": (ours, theirs) for (name, ours), theirs in zip(network.grads.items(), keras_grads, strict=True)}
for name, (ours, theirs) in pairs.items():
    table += f"| {name} | {ours.shape} | {np.abs(ours - theirs.numpy()).max():.0e} |\n"
    assert np.abs(ours - theirs.numpy()).max() < 1e-10
display(Markdown(table))

# %% [markdown]
# `toolkit.xray` shows what lies in between, here with a mean squared error as the loss: scores, weights and answers of
# each head, and the way back through them. In the widget, tick **sub-steps**, go to *weights*, and choose the **head**;
# the picture has both heads of the first sample.

# %% alt="Two heads: above their attention weights over six tokens, below the gradient of the weights; each row sums to 0"
from toolkit import xray

t = xray.trace(twin, x, dy, loss="mse")
proof = t.verify()
print(f"{len(proof.rows)} tensors are TensorFlow's, the worst to {proof.worst.error:.0e}")
parts = {(step.phase, part.title): part.tensors for step in t.steps for part in step.substeps}
A, dS = parts["forward", "weights"]["A"].value[0], parts["backward", "weights"]["dS"].value[0]
fig, axes = plt.subplots(2, 2, figsize=(7.6, 6), layout="constrained", dpi=60)
for k, (top, bottom) in enumerate(axes.T):
    plots.matrix(A[k], ax=top, title=f"weights A, head {k + 1}")
    plots.matrix(1000 * dS[k], ax=bottom, fmt=".0f", title=f"1000 · gradient dS, head {k + 1}")
plt.show()
sums = A.sum(axis=-1).round(6).ravel()[:3], np.abs(dS.sum(axis=-1)).max().round(12)
print(f"rows of A sum to {sums[0]} …, rows of dS to at most {sums[1]}")
t.widget()

# %% [markdown]
# **What to see:** the heads look at different places, since their matrices differ. Each row of $dS$ sums to 0: what one
# key gains, the others lose, because the weights must go on to sum to 1.
#
# ## 7 · A task that needs it
#
# *Associative recall*: eight pairs of a key and a value, in random order, then one of the keys again. What was its value?
# An LSTM must squeeze all pairs into its last state before it knows what will be asked. Attention asks when it knows.
# Both get the same data, 20,000 random lists.

# %%
from toolkit import models, training

PAIRS, VALUES = 8, 4


def recall_task(n, seed):
    rng = np.random.default_rng(seed)
    keys = rng.permuted(np.tile(np.arange(PAIRS), (n, 1)), axis=1)
    values = rng.integers(0, VALUES, (n, PAIRS))
    asked = rng.integers(0, PAIRS, n)
    answers = values[np.arange(n), np.argmax(keys == asked[:, None], axis=1)]
    one_hot = np.eye(max(PAIRS, VALUES), dtype="float32")
    return one_hot[keys][..., :PAIRS], one_hot[values][..., :VALUES], one_hot[asked][:, None, :PAIRS], answers


def as_sequence(keys, values, query):
    """For the LSTM: the pairs one after the other, then the query with an empty value."""
    pairs = np.concatenate([keys, values], axis=2)
    last = np.concatenate([query, np.zeros((len(query), 1, VALUES), "float32")], axis=2)
    return np.concatenate([pairs, last], axis=1)


*train, y_train = recall_task(20_000, 1)
*test, y_test = recall_task(2_000, 2)
keras.utils.set_random_seed(0)
keys, values, query = keras.Input((PAIRS, PAIRS)), keras.Input((PAIRS, VALUES)), keras.Input((1, PAIRS))
look_up = keras.layers.MultiHeadAttention(num_heads=1, key_dim=16)
found = look_up(query, values, keys)
attending = keras.Model([keys, values, query], keras.layers.Dense(VALUES, "softmax")(keras.layers.Flatten()(found)))
remembering = models.sequence_classifier((PAIRS + 1, PAIRS + VALUES), VALUES, units=(64,), seed=0)

runs = {}
for name, model, x, x_test in (
    ("attention", attending, train, test),
    ("LSTM 64", remembering, as_sequence(*train), as_sequence(*test)),
):
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = {"validation_data": (x_test, y_test), "monitor": "val_loss"}
    runs[name] = training.fit(model, x, y_train, epochs=4, batch_size=64, verbose=False, **validation)
    accuracy = runs[name].history["val_accuracy"]
    print(f"{name}: {model.count_params():,} weights; after each epoch", *(f"{a:.1%}" for a in accuracy))
print(f"guessing: {1 / VALUES:.0%}")

# %% alt="Attention weights of six questions over eight keys: each question lights up its own key"
_, A = look_up(test[2][:6], test[1][:6], test[0][:6], return_attention_scores=True)
A = np.asarray(A)[:, 0, 0]
rows = [f"asked: {k}" for k in test[2][:6, 0].argmax(axis=1)]
columns = [f"place {k + 1}" for k in range(PAIRS)]
ax = plots.matrix(A, rows=rows, columns=columns, title="weights of six questions")
plt.show()
print("the keys lay in this order:")
print(test[0][:6].argmax(axis=2))

# %% [markdown]
# **What to see:** attention has found out, from right and wrong answers alone, that it should compare keys. Each row of
# weights points to the place where the key lies. The LSTM, with more weights, is far behind after the same data.
#
# ## 8 · A text classifier with self-attention
#
# The docstrings of lesson 06 again: Embedding → LSTM 64 → self-attention → masked mean → softmax. Beside it the average
# of word vectors. Is it better?

# %% alt="Test accuracy over the epochs: attention model and average model"
from toolkit.text import TextPreprocessor

corpus = data.load("docstrings")
preprocessor = TextPreprocessor(max_tokens=5000, sequence_length=60)
x, x_test = preprocessor.fit_transform(corpus.x_train), preprocessor.transform(corpus.x_test)
y, y_test = corpus.y_train, corpus.y_test
V, C = len(preprocessor.vocabulary_), len(corpus.classes)
readers = {
    "average": models.text_classifier(V, C, dropout=0.4, seed=0),
    "LSTM + attention": models.attention_classifier(V, C, dropout=0.4, seed=0),
}
histories = {}
for name, model in readers.items():
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = {"validation_data": (x_test, y_test), "monitor": "val_loss"}
    histories[name] = training.fit(model, x, y, epochs=3, batch_size=64, verbose=False, **validation)
plots.curves(histories, measure="val_accuracy", title="accuracy on 1,200 docstrings that nobody has seen")
plt.show()
for name, history in histories.items():
    accuracy = history.history["val_accuracy"][-1]
    error = np.sqrt(accuracy * (1 - accuracy) / len(y_test))
    print(f"{name}: {accuracy:.1%} ± {error:.1%}, {readers[name].count_params():,} weights")

# %% [markdown]
# **What to see:** compare the difference with the error before you draw a conclusion. For *which library is it*, single
# words say most of it, and order adds little. Attention is not better everywhere; it is better where things must be
# brought together.
#
# ## 9 · Looking at the weights
#
# Self-attention gives a matrix for each text: row = who asks, column = who is asked. Averaged over all who ask, it says
# how much each token was asked.

# %% alt="Heat map of attention between the tokens of a docstring, and the tokens shaded by how much they were asked"
attending = readers["LSTM + attention"]
inner = keras.Model(attending.input, attending.get_layer("lstm").output)
said = attending.predict(x_test, verbose=0)
n = np.flatnonzero((said.argmax(axis=1) == y_test) & ((x_test != 0).sum(axis=1) < 26))[0]


def look(ids):
    """The tokens of one text, without padding, and the attention between them."""
    ids = ids[ids != 0][None]
    states = inner(ids)
    _, A = attending.get_layer("attention")(states, states, return_attention_scores=True)
    return [preprocessor.vocabulary_[k] for k in ids[0]], np.asarray(A)[0, 0]


tokens, A = look(x_test[n])
fig, (top, bottom) = plt.subplots(2, 1, figsize=(8, 7.5), height_ratios=(5, 1), layout="constrained", dpi=80)
plots.attention(A, tokens, tokens, ax=top)
plots.attention_text(tokens, A.mean(axis=0), ax=bottom)
plt.show()
print(
    f"{corpus.classes[y_test[n]]}, said with {said[n].max():.0%}; most asked:",
    *[tokens[k] for k in A.mean(0).argsort()[::-1][:5]],
)

# %% alt="For each token of the text two bars: how much it was asked, and how strongly the loss depends on its weight"
t = xray.trace(attending, x_test[n : n + 1], y_test[n : n + 1], loss="sparse_categorical_crossentropy")
parts = {(step.phase, step.layer, part.title): part.tensors for step in t.steps for part in step.substeps}
seen = parts["forward", "attention", "weights"]["A"].value[0, 0, : len(tokens), : len(tokens)]
dA = parts["backward", "attention", "weights"]["dA"].value[0, 0, : len(tokens), : len(tokens)]
print(f"the xray's weights minus those above: {np.abs(seen - A).max():.0e}")
_, axes = plt.subplots(2, 1, figsize=(8, 3.4), sharex=True, layout="constrained", dpi=70)
axes[0].bar(range(len(tokens)), A.mean(axis=0), color="#0072B2")
axes[1].bar(range(len(tokens)), dA.sum(axis=0), color="#D55E00")
axes[0].set(ylabel="asked", title="how much each token was asked, and what the loss says to its weight")
axes[1].set(ylabel="sum of ∂L/∂A")
axes[1].set_xticks(range(len(tokens)), tokens, rotation=90)
plt.show()

# %% [markdown]
# **What to see:** some tokens are asked by nearly all others. It is tempting to call them the *reason* for the answer. Be
# careful: the values that are mixed have passed an LSTM already, and other weights can lead to the same answer. The lower
# bars, from an xray of this text, say how the loss would change if a token were asked more: compare them with the upper
# ones. Lesson 14 tests such claims.
#
# ## 10 · Your experiment
#
# Multiply the scores by a factor before the softmax: small factors make all weights alike, large ones choose. What does
# attention become at 0, and at a very large factor? Where is its gradient largest?


# %% alt="Attention weights of one query for the chosen factor, and the resulting answer"
def experiment(factor, angle):
    K = np.array([[2.0, 0.0], [0.0, 2.0], [-1.5, -1.0]])
    V = np.array([10.0, 20.0, 30.0])
    q = 1.6 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    A = softmax(factor * K @ q)
    _, ax = plt.subplots(figsize=(5, 2.4), layout="constrained", dpi=80)
    ax.bar(["value 10", "value 20", "value 30"], A, color="#0072B2")
    ax.set(ylim=(0, 1), title=f"answer {A @ V:.1f}")
    plt.show()
    print(f"weights {A.round(3)}, largest slope A(1 − A) = {(A * (1 - A)).max():.3f}")


look_at = {"style": {"description_width": "120px"}}
factor = widgets.FloatSlider(value=0.7, min=0, max=8, step=0.1, description="factor", **look_at)
angle = widgets.IntSlider(value=30, min=0, max=360, step=5, description="query's direction", **look_at)
display(widgets.interactive(experiment, factor=factor, angle=angle))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **08.1 · Attention.** For `Q` $(T_q, d)$, `K` $(T_k, d)$, `V` $(T_k, d_v)$ return $Y\;(T_q, d_v)$.


# %%
def scaled_dot_product(Q, K, V):
    # BEGIN SOLUTION: return ...
    S = Q @ K.T / np.sqrt(Q.shape[1])
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True) @ V
    # END SOLUTION


check("08.1", scaled_dot_product)

# %% [markdown]
# **08.2 · Find the bug: weights that do not add up.** `S` $(T_q, T_k)$ are scores, a row for each query. Return the
# weights.


# %%
def attention_weights(S):
    e = np.exp(S - S.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


print("the weights of each query add up to", attention_weights(np.array([[1.0, 2.0], [3.0, 0.0]])).sum(axis=1).round(2))


def attention_weights_mended(S):
    # BEGIN SOLUTION: return ...
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
    # END SOLUTION


check("08.2", attention_weights_mended)

# %% [markdown]
# **08.3 · No looking ahead.** Causal weights from scores `S` $(T, T)$: query $t$ sees the keys $1, \dots, t$, itself
# included. Every row must still sum to 1.


# %%
def causal_weights(S):
    # BEGIN SOLUTION: return ...
    S = np.where(np.tril(np.ones_like(S)) > 0, S, -np.inf)
    e = np.exp(S - S.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
    # END SOLUTION


check("08.3", causal_weights)

# %% [markdown]
# **08.4 · Back through the weights.** `A` $(T_q, T_k)$ are the weights, `dA` what comes back to them. Return `dS`.


# %%
def softmax_backward(A, dA):
    # BEGIN SOLUTION: return ...
    return A * (dA - (dA * A).sum(axis=1, keepdims=True))
    # END SOLUTION


check("08.4", softmax_backward)

# %% [markdown]
# **08.5 · Find the bug: attention in a Sequential.** Many tutorials put `keras.layers.Attention()` into a `Sequential`.
# A `Sequential` hands every layer *one* tensor, and the layer needs at least two: who asks, and who is asked.

# %%
try:
    keras.Sequential([keras.Input((6, 8)), keras.layers.LSTM(8, return_sequences=True), keras.layers.Attention()])
except ValueError as error:
    print(error)


# %%
def self_attention(h):
    """The answer of `keras.layers.Attention` when the states ``h (N, T, M)`` ask themselves."""
    # BEGIN SOLUTION: return ...
    return keras.layers.Attention()([h, h])
    # END SOLUTION


check("08.5", self_attention)

# %% [markdown]
# ## Recap
#
# - Attention is a soft look-up: scores, softmax over the *keys*, weighted mean of the values.
# - $\sqrt d$ keeps the softmax from saturating. Masks go in before the softmax.
# - Backward: two matrix products and the softmax's gradient. NumPy and Keras agree.
# - It reaches every place in one step, which an LSTM cannot; where single words decide, it gains little.
# - Weights show where it looked, not yet why it answered.
#
# **Read on.** Bahdanau, Cho, Bengio: *Neural machine translation by jointly learning to align and translate*,
# arXiv:1409.0473 (2015). Vaswani et al.: *Attention is all you need*, arXiv:1706.03762 (2017). Graves, Wayne, Danihelka:
# *Neural Turing machines*, arXiv:1410.5401 (2014), with recall tasks. Jain, Wallace: *Attention is not explanation*, and
# Wiegreffe, Pinter: *Attention is not not explanation*, both 2019.
#
# **Next:** lesson 09 writes: an encoder reads a text, a decoder with attention writes its summary.
