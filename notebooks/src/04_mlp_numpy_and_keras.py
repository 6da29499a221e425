# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "04"
#     title: "MLP: NumPy and Keras, step for step"
#     goal: Train the 784-128-10 network in NumPy and in Keras, prove both equal, and see what it has learned
#     minutes: 60
#     prerequisites: ["01", "02", "03"]
# ---

# %% [markdown]
# # 04 · MLP: NumPy and Keras, step for step
#
# **After this lesson** you can build a multilayer perceptron (MLP) that reads handwritten digits, in plain NumPy and in
# Keras, prove that the two are the same network, and tell when it learns by heart instead of learning.
#
# **You need** the forward pass (lesson 01), the backward pass (02), losses, optimisers and initialisation (03).
#
# **The way.** count the parameters → one training step in plain NumPy → the same in `scratch` and in Keras, number by
# number → train all three on the same batches → what has it learned? → overfitting → a deeper network → your experiment

# %% alt="Twelve handwritten digits, each with its label above it"
DATA = "mnist5k"
# "mnist" takes all 70,000 digits and a minute or two; fetch them once with: toolkit data fetch mnist

import time
from functools import partial

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch
from toolkit.classroom import check

digits = data.load(DATA, flatten=True)
x_train, y_train, x_test, y_test = digits.x_train, digits.y_train, digits.x_test, digits.y_test
print(f"{digits.name}: x_train {x_train.shape}, y_train {y_train.shape}, x_test {x_test.shape}")
plots.images(x_train[:12].reshape(-1, 28, 28), titles=y_train[:12], columns=12)
plt.show()

# %% [markdown]
# ## 1 · The picture
#
# An image of 28 × 28 pixels becomes one row of 784 numbers. A **hidden layer** of 128 units looks at all of them, an
# **output layer** of 10 units looks at the 128 and gives one probability for each digit. Every line below is a weight;
# every circle that is not an input has a bias as well. How many numbers is that?

# %% alt="A digit beside a drawing of the network: columns of circles for 784 pixels, 128 hidden units and 10 digits"
fig, (left, right) = plt.subplots(1, 2, figsize=(6, 4), width_ratios=(1, 1.6), layout="constrained", dpi=58)
plots.images(x_train[:1].reshape(-1, 28, 28), ax=left, title=f"x: 28 × 28 = {28 * 28} pixels")
plots.network((784, 128, 10), labels=(None, None, digits.classes), ax=right, title="784-128-10")
plt.show()
print(f"W1: 784 · 128 = {784 * 128:>7,}    b1: {128:>3}")
print(f"W2: 128 ·  10 = {128 * 10:>7,}    b2: {10:>3}")
print(f"together {784 * 128 + 128 + 128 * 10 + 10:,} parameters")

# %% [markdown]
# **What to see:** nearly all parameters sit in `W1`, because every pixel has a line to every hidden unit.
#
# ## 2 · One training step, line by line
#
# Everything here is from lessons 01 to 03, now with two layers. For a batch $x\;(N, 784)$ with labels $y\;(N,)$:
#
# | forward (lesson 01) | backward (lesson 02), read from the bottom up |
# |:--|:--|
# | $z_1 = xW_1 + b_1$ | $dW_1 = x^\top dz_1 \qquad db_1 = \sum_n dz_1$ |
# | $a_1 = \max(z_1, 0)$ | $dz_1 = da_1 \odot [z_1 > 0]$ |
# | $z_2 = a_1W_2 + b_2$ | $dW_2 = a_1^\top dz_2 \qquad db_2 = \sum_n dz_2 \qquad da_1 = dz_2 W_2^\top$ |
# | $\hat y = \operatorname{softmax}(z_2)$ | $dz_2 = \frac1N(\hat y - \text{onehot}(y))$ |
# | $L = -\frac1N \sum_n \ln \hat y_{n, y_n}$ | start here |
#
# Then the update (lesson 03): $\;W \leftarrow W - \alpha\, dW,\quad b \leftarrow b - \alpha\, db$.
#
# In NumPy each formula is one line. The weights start as in lesson 03: He for the layer with ReLU, Glorot for the one
# with softmax, zeros for the biases. Then follows one step on the first 100 digits.
#
# **A gradient to check by hand:** $db_2$ is the column sum of $\frac1N(\hat y - \text{onehot}(y))$, so for each digit
# it must be the *mean probability minus the share of that digit in the batch*. The biases started at 0, so the step
# left $b_2 = 0 - \alpha\, db_2$, from which we read $db_2$ back.


# %%
def forward(weights, x):
    W1, b1, W2, b2 = weights
    z1 = x @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    return z1, a1, e / e.sum(axis=1, keepdims=True)


def train_step(weights, x, y, alpha):
    W1, b1, W2, b2 = weights
    z1, a1, y_hat = forward(weights, x)
    loss = -np.log(y_hat[np.arange(len(x)), y]).mean()
    dz2 = (y_hat - np.eye(10, dtype=x.dtype)[y]) / len(x)
    dW2, db2 = a1.T @ dz2, dz2.sum(axis=0)
    dz1 = (dz2 @ W2.T) * (z1 > 0)
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    return loss, [W1 - alpha * dW1, b1 - alpha * db1, W2 - alpha * dW2, b2 - alpha * db2]


# %%
BATCH = 100
ALPHA = 0.25  # a power of two: the rate itself brings no rounding
rng = np.random.default_rng(0)
W1 = rng.normal(0, np.sqrt(2 / 784), (784, 128))
W2 = rng.normal(0, np.sqrt(2 / (128 + 10)), (128, 10))
start = [w.astype("float32") for w in (W1, np.zeros(128), W2, np.zeros(10))]

x, y = x_train[:BATCH], y_train[:BATCH]
loss, plain = train_step(start, x, y, ALPHA)
loss_after, _ = train_step(plain, x, y, ALPHA)
print(f"loss before {loss:.4f}, after one step {loss_after:.4f}; ln 10 = {np.log(10):.4f}")

mean_probability = forward(start, x)[2].mean(axis=0)
share = np.bincount(y, minlength=10) / BATCH
print(f"{'digit':>16}", *(f"{digit:7}" for digit in range(10)))
for name, row in (
    ("mean ŷ", mean_probability),
    ("share in batch", share),
    ("mean ŷ − share", mean_probability - share),
    ("db2 of the step", -plain[3] / ALPHA),
):
    print(f"{name:>16}", *(f"{value:7.3f}" for value in row))

# %% [markdown]
# **What to see:** the network starts as a guesser, and one step already helps. The last two rows agree: where the
# network expected a digit too rarely, $db_2$ is negative and the bias rises.
#
# ## 3 · The same network twice more
#
# In `scratch` the same lines live in layers; `bridge.to_keras` builds the Keras twin with copies of the weights. Both
# get *our* starting weights, and take the same step on the same batch.

# %%
from toolkit import bridge
import keras


def twins(dtype="float32"):
    """The network in scratch and in Keras, both with the weights of `start`."""
    network = scratch.Sequential(
        [scratch.Dense(128, "relu", name="hidden"), scratch.Dense(10, "softmax", name="output")],
        input_shape=784,
        dtype=dtype,
    )
    network.set_weights(start)
    model = bridge.to_keras(network)
    network.compile(scratch.SGD(ALPHA), "sparse_categorical_crossentropy")
    model.compile(keras.optimizers.SGD(ALPHA), "sparse_categorical_crossentropy")
    return network, model


network, model = twins()
print(network.summary())
print(f"Keras counts {model.count_params():,}")

# %%
losses = loss, network.train_step(x, y), model.train_on_batch(x, y)
print("loss of the first batch: plain {:.7f}, scratch {:.7f}, Keras {:.7f}".format(*losses))


def largest_difference(one, other):
    return [np.abs(p - q).max() for p, q in zip(one, other, strict=True)]


plain_scratch = largest_difference(plain, network.get_weights())
scratch_keras = largest_difference(network.get_weights(), model.get_weights())
table = "| tensor | shape | largest value | plain − scratch | scratch − Keras |\n"
table += "|:--|:--|--:|--:|--:|\n"
names = "W1", "b1", "W2", "b2"
for name, w, p, k in zip(names, plain, plain_scratch, scratch_keras, strict=True):
    table += f"| {name} | {w.shape} | {np.abs(w).max():.3f} | {p:.1e} | {k:.1e} |\n"
display(Markdown(table))
assert max(plain_scratch + scratch_keras) < 1e-6

products = x[0] * start[0][:, 0]
print("from the left, the right, in pairs:", sum(products), sum(products[::-1]), products.sum())

# %% [markdown]
# **What to see:** after one step all 101,770 parameters of the three networks agree to about seven digits. Twenty lines
# of NumPy and Keras compute *the same thing*. Why are not all differences exactly 0?
#
# A float32 keeps 24 binary digits, some seven decimal ones. Each sum is rounded, and the result depends on the
# **order** in which it is added up; NumPy and TensorFlow choose their own. The last line adds the same 784 products in
# three orders.
#
# ## 4 · Train all three on the same batches
#
# Same start, same batches in the same order: do the three stay together for hundreds of steps, or do the roundings
# grow? We train once in float64 and once in float32 and note, in each step, the losses, the largest difference of any
# weight, and whether a hidden unit *switches*: fires in one program ($z_1 > 0$) and is silent in the other.


# %%
EPOCHS = 15 if DATA == "mnist5k" else 3
PROGRAMS = "plain NumPy", "scratch", "Keras"


def train_side_by_side(dtype):
    keras.config.set_floatx(dtype)  # Keras's loss and learning rate are to be of this type, too
    network, model = twins(dtype)
    plain = ours = theirs = [w.astype(dtype) for w in start]
    rng, losses, apart, switched = np.random.default_rng(2), [], [], []
    line = display(Markdown(f"{dtype} …"), display_id=True)
    for epoch in range(EPOCHS):
        order = rng.permutation(len(x_train))
        for first in range(0, len(order), BATCH):
            batch = order[first : first + BATCH]
            x, y = x_train[batch].astype(dtype), y_train[batch]
            switched.append(np.sum((forward(ours, x)[0] > 0) != (forward(theirs, x)[0] > 0)))
            loss, plain = train_step(plain, x, y, ALPHA)
            model.reset_metrics()  # else Keras reports its mean since the start
            losses.append((loss, network.train_step(x, y), model.train_on_batch(x, y)))
            ours, theirs = network.get_weights(), model.get_weights()
            apart.append(max(largest_difference(ours, theirs)))
        line.update(Markdown(f"{dtype}: epoch {epoch + 1} of {EPOCHS}, loss {losses[-1][1]:.4f}"))
    keras.config.set_floatx("float32")
    return np.array(losses), np.array(apart), np.flatnonzero(switched), (plain, ours, theirs)


losses64, apart64, switched64, _ = train_side_by_side("float64")
losses32, apart32, switched32, trained = train_side_by_side("float32")

# %% alt="Three loss curves on top of each other; below, logarithmic, how far the weights are apart in two precisions"
fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 5.6), sharex=True, layout="constrained", dpi=68)
for column, width in enumerate((7, 3, 1)):
    name, colour = PROGRAMS[column], ("#BBBBBB", "#E69F00", "black")[column]
    top.plot(losses32[:, column], color=colour, lw=width, label=name)
top.set(ylabel="loss of the batch", title="Three programs, one loss curve (float32)")
top.legend(title="wide, middle, thin line")

bottom.semilogy(apart32, color="#0072B2", label="weights, float32")
bottom.semilogy(apart64, "--", color="#D55E00", label="weights, float64")
loss_apart = np.abs(losses32[:, 1] - losses32[:, 2])
loss_apart[loss_apart == 0] = np.nan  # has no place on a logarithmic axis
bottom.semilogy(loss_apart, ".", ms=2, color="grey", label="loss, float32")
bottom.plot(switched32, np.full(len(switched32), 3e-18), "k|", label="a unit switches, float32")
bottom.set(xlabel="step", ylabel="largest |scratch − Keras|", title="How far they are apart")
bottom.legend(ncols=2, loc="center right")
plt.show()
for name, apart, switched in (("float32", apart32, switched32), ("float64", apart64, switched64)):
    print(f"{name}: weights apart by {apart[0]:.0e} after 1 step, {apart[-1]:.0e} after {len(apart)}")
    print(f"         a unit switched in {len(switched)} of these steps")

# %% [markdown]
# **What to see:** the three curves are one. Below, rounding adds a little to the difference in each step. In float32
# that little is sometimes enough: a unit is so close to the corner of its ReLU that rounding decides whether it fires.
# Then it gets a gradient in one program and none in the other, and the curve jumps (ticks at the bottom). The weights
# part a little, the losses hardly: another way into the same valley. In float64 the differences are a billion times
# smaller and no unit switches. So the cause *is* rounding: a wrong formula would show in both types, and at once.
#
# And what does each cost? Seconds for an epoch, each trained the way one would: a loop, `network.fit`, `model.fit`.


# %%
def plain_fit(epochs):
    weights = start
    for first in range(0, len(x_train) * epochs, BATCH):
        batch = slice(first % len(x_train), first % len(x_train) + BATCH)
        _, weights = train_step(weights, x_train[batch], y_train[batch], ALPHA)


def seconds_an_epoch(fit):
    fit(epochs=1)  # to warm up: in its first epoch Keras translates the model into a graph
    begin = time.perf_counter()
    fit(epochs=3)
    return (time.perf_counter() - begin) / 3


judge, judge_keras = twins()
options = {"x": x_train, "y": y_train, "batch_size": BATCH, "verbose": 0}
fits = plain_fit, partial(judge.fit, **options), partial(judge_keras.fit, **options)

table = "| | loss of the last epoch | test accuracy | seconds an epoch |\n|:--|--:|--:|--:|\n"
for column, fit in enumerate(fits):
    judge.set_weights(trained[column])
    accuracy = judge.evaluate(x_test, y_test)["accuracy"]
    last = losses32[-(len(x_train) // BATCH) :, column].mean()
    measured = f"{last:.6f} | {accuracy:.1%} | {seconds_an_epoch(fit):.3f}"
    table += f"| {PROGRAMS[column]} | {measured} |\n"
display(Markdown(table))

# %% [markdown]
# **What to see:** the same loss to about three digits, and the same accuracy but for a digit or two. (The seconds are
# those of the machine that made this page, and of this small network; they say nothing about large ones.)
#
# ## 5 · What has it learned?
#
# A hidden unit has 784 weights: one for each pixel, so they can be looked at as an image. Below are the units that
# training changed most: their weights, then the *change* since the start, which takes the random start away.

# %% alt="Two rows of seven grey images: weights of hidden units, mostly noise; their changes since the start, strokes"
W1, _, W2, _ = trained[1]
change = W1 - start[0]
units = np.argsort(-(change**2).sum(axis=0))[:7]
fig, axes = plt.subplots(2, 7, figsize=(9, 3.2), layout="constrained", dpi=80)
for column, unit in enumerate(units):
    for ax, values in zip(axes[:, column], (W1[:, unit], change[:, unit]), strict=True):
        ax.imshow(values.reshape(28, 28), cmap="gray", vmin=-0.3, vmax=0.3, interpolation="nearest")
        ax.set(xticks=[], yticks=[])
    axes[0, column].set_title(f"unit {unit}", fontsize=10)
    axes[1, column].set_title(f"for {W2[unit].argmax()}, against {W2[unit].argmin()}", fontsize=9)
axes[0, 0].set_ylabel("W1")
axes[1, 0].set_ylabel("change")
fig.suptitle("First-layer weights of 7 hidden units: white excites, black inhibits, grey is 0")
plt.show()

# %% [markdown]
# **What to see:** above, mostly the noise of the start. Below, strokes and gaps: a unit fires when ink lies on the
# white and none on the black. The captions name the digit that the unit's output weights speak for and against most.
# The borders are grey: no digit has ink there, so $x = 0$ and $dW_1 = x^\top dz_1 = 0$.
#
# Which digits does it mix up, and which mistakes is it surest of?

# %% alt="Confusion matrix, most on the diagonal; then eight misread digits with true label, answer and probability"
judge.set_weights(trained[1])
y_hat = judge.predict(x_test)
said = y_hat.argmax(axis=1)
confusion = np.zeros((10, 10), dtype=int)
np.add.at(confusion, (y_test, said), 1)
fig, ax = plt.subplots(figsize=(5.6, 5.2), layout="constrained", dpi=80)
plots.matrix(
    confusion,
    fmt=".0f",
    ax=ax,
    title=f"{np.trace(confusion)} of {len(y_test)} test digits are right",
)
ax.set(xlabel="the network says", ylabel="it is")
plt.show()

mistakes = confusion - np.diag(np.diag(confusion))
for place in np.argsort(-mistakes, axis=None)[:3]:
    true, wrong = divmod(int(place), 10)
    print(f"{mistakes[true, wrong]} times a {true} is taken for a {wrong}")

wrong = np.flatnonzero(said != y_test)
surest = wrong[np.argsort(-y_hat[wrong].max(axis=1))[:8]]
captions = [f"{y_test[k]} → {said[k]}, {y_hat[k].max():.0%}" for k in surest]
plots.images(
    x_test[surest].reshape(-1, 28, 28),
    titles=captions,
    title="The surest mistakes: true → said, how sure",
)
plt.show()

# %% [markdown]
# **What to see:** some of these are hard for us, too; others are not, and still the network is almost certain. A
# probability is what training *rewarded*, not a promise. Lesson 13 comes back to it.
#
# ## 6 · Learning by heart
#
# With some 100,000 parameters and only 1,000 digits to learn from, the network can memorise. So we watch the loss on
# 1,000 other digits, the **validation** set. (The test set stays locked away: whoever chooses by it has used it up.)
#
# Two remedies. **Dropout** silences each hidden unit with probability ½ in every training step and doubles the rest:
# $a_1 \odot m$ with $m_{ij} \in \{0, 2\}$. So no unit can rely on another. **L2** adds $\lambda \sum W_1^2$ to the
# loss, so $2\lambda W_1$ to $dW_1$, which pulls every weight towards 0.


# %%
few, held_out = (x_train[:1000], y_train[:1000]), (x_train[1000:2000], y_train[1000:2000])


def loss_and_accuracy(network, x, y):
    """Without dropout and without the penalty, so that all runs are measured alike."""
    y_hat = network.forward(x)
    return network.data_loss(y), (y_hat.argmax(axis=1) == y).mean()


def watch(*layers):
    network = scratch.Sequential([*layers, scratch.Dense(10, "softmax")], input_shape=784, seed=4)
    network.compile(scratch.Adam(0.002), "sparse_categorical_crossentropy")
    seen = []

    def note(epoch, measures):
        seen.append((*loss_and_accuracy(network, *few), *loss_and_accuracy(network, *held_out)))

    network.fit(*few, epochs=40, batch_size=50, verbose=False, on_epoch_end=note)
    return np.array(seen)


hidden = partial(scratch.Dense, 128, "relu", kernel_initializer="he_normal")
runs = {
    "plain": watch(hidden()),
    "dropout ½": watch(hidden(), scratch.Dropout(0.5)),
    "L2, λ = 0.003": watch(hidden(kernel_regularizer=scratch.L2(0.003))),
}

# %% alt="Left: training loss falls to zero while validation loss turns and rises. Right: validation loss of three runs"
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained", dpi=75)
gap = {"training": runs["plain"][:, 0], "validation": runs["plain"][:, 2]}
plots.curves(gap, ax=left, title="plain: the gap opens")
val_losses = {name: run[:, 2] for name, run in runs.items()}
plots.curves(val_losses, ax=right, ylabel="", title="validation loss of all three")
left.set_ylim(0, 1)
plt.show()

table = "| | training loss | validation loss | its lowest "
table += "| training accuracy | validation accuracy |\n"
table += "|:--|--:|--:|--:|--:|--:|"
for name, run in runs.items():
    loss, accuracy, val_loss, val_accuracy = run[-1]
    best = run[:, 2].argmin()
    table += f"\n| {name} | {loss:.3f} | {val_loss:.3f} | {run[best, 2]:.3f} in epoch {best + 1} "
    table += f"| {accuracy:.1%} | {val_accuracy:.1%} |"
display(Markdown(table))
share = runs["plain"][-1, 3]
print(f"1,000 digits tell an accuracy only to ± {np.sqrt(share * (1 - share) / 1000):.1%}")

# %% [markdown]
# **What to see:** the plain network ends with every training digit right, and yet its validation loss has been rising
# for a long time: it grows ever surer of its mistakes. Dropout and L2 hold that back. In *accuracy* the three lie so
# close that 1,000 digits and one run (± one standard error, last line) cannot rank them safely.
#
# ## 7 · A deeper one: 100-64-32-10
#
# A smaller input, one more layer. MNIST centres each digit in a box of 20 × 20 pixels, so we cut that box out and
# average blocks of 2 × 2. In NumPy a block is two extra axes: $(N, 20, 20) \to (N, 10, 2, 10, 2)$, then the mean over
# the two axes of length 2.
#
# And this time the other way round: Keras builds the network, `bridge.to_scratch` makes its NumPy twin, and both train
# on the same batches. The backward pass has one more link in its chain; no line of `scratch` had to change for it.
#
# We trained with plain gradient descent. What would **Adam** (lesson 03) do next with this network? `toolkit.xray` opens
# one step of it: the gradient, its running averages, and the change of each weight.


# %% alt="Four digits at 28 × 28 pixels and the same four at 10 × 10"
def shrink(x):
    box = x.reshape(-1, 28, 28)[:, 4:24, 4:24]
    return box.reshape(-1, 10, 2, 10, 2).mean(axis=(2, 4)).reshape(-1, 100)


small_train, small_test = shrink(x_train), shrink(x_test)
inside = x_train.reshape(-1, 28, 28)[:, 4:24, 4:24].sum() / x_train.sum()
print(f"{x_train.shape} → {small_train.shape}; the box holds {inside:.1%} of the ink")
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 1.6), layout="constrained", dpi=80)
plots.images(x_train[:4].reshape(-1, 28, 28), ax=left, title="28 × 28")
plots.images(small_train[:4].reshape(-1, 10, 10), ax=right, title="10 × 10")
plt.show()

# %%
from toolkit import models

deep_model = models.mlp(input_dim=100, hidden=(64, 32), classes=10, seed=0)
deep_network = bridge.to_scratch(deep_model)
crossentropy = "sparse_categorical_crossentropy"
deep_network.compile(scratch.SGD(ALPHA), crossentropy)
deep_model.compile(keras.optimizers.SGD(ALPHA), crossentropy, metrics=["accuracy"])
options = {"x": small_train, "y": y_train, "epochs": EPOCHS, "batch_size": BATCH, "shuffle": False}
deep_network.fit(**options, verbose=False)
deep_model.fit(**options, verbose=0)

numpy_accuracy = deep_network.evaluate(small_test, y_test)["accuracy"]
keras_accuracy = deep_model.evaluate(small_test, y_test, verbose=0, return_dict=True)["accuracy"]
apart = max(largest_difference(deep_network.get_weights(), deep_model.get_weights()))
print(f"test accuracy of 100-64-32-10: NumPy {numpy_accuracy:.1%}, Keras {keras_accuracy:.1%}")
print(f"test accuracy of 784-128-10:   {np.mean(said == y_test):.1%}")
print(f"largest difference of a weight: {apart:.0e}")

# %% alt="Four matrices of 10 rows and 32 columns for the output layer; gradients of all sizes, changes of one size"
from toolkit import xray

x, y = small_train[:BATCH], y_train[:BATCH]
t = xray.trace(deep_model, x, y, loss=crossentropy, optimizer=keras.optimizers.Adam())
proof = t.verify()
update = t.update()
print(update)
print(f"\n{len(proof.rows)} tensors are TensorFlow's, the worst to {proof.worst.error:.0e}")

weight = update.weights[-2]  # the output layer's W: 32 inputs, 10 digits
numbers = weight.numbers | {"change": weight.after - weight.before}
fig, axes = plt.subplots(2, 2, figsize=(9, 4.6), layout="constrained", dpi=54)
titles = {"g": "gradient g", "m_new": "m', running mean of g", "v_new": "v', running mean of g²", "change": "w' − w"}
for ax, (name, title) in zip(axes.flat, titles.items()):
    plots.matrix(numbers[name].T, ax=ax, title=title)
    ax.set(xlabel="input", ylabel="digit", aspect="auto")
plt.show()
some = numbers["g"] != 0  # a unit that is silent in this batch has no gradient
for name in ("g", "change"):
    low, middle, high = np.quantile(np.abs(numbers[name][some]), (0.05, 0.5, 1))
    print(f"size of {name:<6}: 95% above {low:.1e}, half above {middle:.1e}, the largest {high:.1e}")
t.widget()

# %% [markdown]
# **What to see:** with an eighth of the inputs, it reads almost as well. How many parameters does it have? That is
# exercise 04.1.
#
# And Adam: the gradients differ by powers of ten, the changes hardly at all. In its first step $m'$ is a multiple of $g$
# and $v'$ of $g^2$, so $m'/\sqrt{v'}$ is little more than the *sign* of $g$, and nearly every weight moves by $\alpha$.
#
# ## 8 · Your experiment
#
# How many hidden units, and which learning rate? The map holds the validation accuracy after 8 epochs for twenty pairs.
# Below it, choose your own: each move of a slider trains a fresh network.


# %% alt="Map of validation accuracy: rows are hidden units, columns learning rates; best in the lower middle"
cut = min(len(x_train) * 4 // 5, 8000)  # all of MNIST would take too long for a slider
fit_set = x_train[:cut], y_train[:cut]
validation_set = x_train[cut : cut + 800], y_train[cut : cut + 800]


def train_briefly(units, learning_rate):
    layers = [
        scratch.Dense(units, "relu", kernel_initializer="he_normal"),
        scratch.Dense(10, "softmax"),
    ]
    network = scratch.Sequential(layers, input_shape=784)
    network.compile(scratch.SGD(learning_rate), "sparse_categorical_crossentropy")
    options = {"epochs": 8, "batch_size": BATCH, "validation_data": validation_set}
    return network.fit(*fit_set, **options, verbose=False).history


sizes, rates = (2, 8, 32, 128), (0.003, 0.03, 0.3, 1, 3)
accuracies = [[train_briefly(units, rate)["val_accuracy"][-1] for rate in rates] for units in sizes]
ax = plots.matrix(accuracies, rows=sizes, columns=rates, title="validation accuracy after 8 epochs")
ax.set(xlabel="learning rate α", ylabel="hidden units")
plt.show()


# %% alt="Loss and validation accuracy over the epochs for the chosen number of units and learning rate"
def experiment(units, learning_rate):
    history = train_briefly(units, learning_rate)
    accuracy = history["val_accuracy"][-1]
    print(f"{units} hidden units, α = {learning_rate:.3g}: validation accuracy = {accuracy:.3f}")
    _, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", dpi=80)
    losses = {"training": history["loss"], "validation": history["val_loss"]}
    plots.curves(losses, ax=left, title="loss", ylabel="")
    plots.curves({"validation": history["val_accuracy"]}, ax=right, title="accuracy", ylabel="")
    left.set_ylim(0, 2.5)
    right.set_ylim(0, 1)
    plt.show()


look = {"continuous_update": False, "style": {"description_width": "110px"}}
sizes = [2, 4, 8, 16, 32, 64, 128, 256]
units = widgets.SelectionSlider(options=sizes, value=32, description="hidden units", **look)
rate = widgets.FloatLogSlider(min=-3, max=0.5, step=0.25, description="learning rate α", **look)
rate.value, rate.readout_format = 0.1, ".3g"
display(widgets.interactive(experiment, units=units, learning_rate=rate))

# %% [markdown]
# **What to see:** too small a rate has not arrived after 8 epochs; too large a rate leaps about and ends as a guesser
# (about 0.1). Two hidden units are too few at every rate. Does a larger network bear a larger rate, or a smaller one?
#
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **04.1 · Count.** How many parameters has 100-64-32-10? Count with pencil or Python, but not with `summary()`.

# %%
# BEGIN SOLUTION: parameters = ...
parameters = 100 * 64 + 64 + 64 * 32 + 32 + 32 * 10 + 10
# END SOLUTION
check("04.1", parameters)

# %% [markdown]
# **04.2 · Accuracy.** The share of right answers, between 0 and 1. `y` $(N,)$ holds the labels, `y_hat` $(N, C)$ the
# probabilities; the network's answer is the class with the highest one. No loop is needed.


# %%
def accuracy(y, y_hat):
    # BEGIN SOLUTION: return ...
    return (y_hat.argmax(axis=1) == y).mean()
    # END SOLUTION


check("04.2", accuracy)

# %% [markdown]
# **04.3 · A training step of your own.** A classifier with *one* layer: $\hat y = \operatorname{softmax}(xW + b)$,
# trained with cross-entropy. Return the `W` and `b` after one step of gradient descent with learning rate `alpha`.


# %%
def sgd_step(x, y, W, b, alpha):
    # BEGIN SOLUTION: return ...
    z = x @ W + b
    e = np.exp(z - z.max(axis=1, keepdims=True))
    y_hat = e / e.sum(axis=1, keepdims=True)
    dz = (y_hat - np.eye(len(b))[y]) / len(x)
    return W - alpha * x.T @ dz, b - alpha * dz.sum(axis=0)
    # END SOLUTION


check("04.3", sgd_step)

# %% [markdown]
# **04.4 · Find the bug: the network that cannot learn.** The training below is right but for `take_batch`. `order` is
# the epoch's permutation; `take_batch` returns the `size` samples from place `first` of that order, and their labels.
# Once it is mended, watch it learn: `train_with(take_batch_mended)`.


# %%
def take_batch(x, y, order, first, size):
    return x[order[first : first + size]], y[first : first + size]


def train_with(take_batch, epochs=3):
    rng, network = np.random.default_rng(0), twins()[0]
    for _ in range(epochs):
        order = rng.permutation(4000)
        batches = [take_batch(x_train, y_train, order, k, BATCH) for k in range(0, 4000, BATCH)]
        losses = [network.train_step(x, y) for x, y in batches]
    return np.mean(losses), network.evaluate(x_test, y_test)["accuracy"]


print("loss {:.3f}, test accuracy {:.3f}".format(*train_with(take_batch)))


def take_batch_mended(x, y, order, first, size):
    # BEGIN SOLUTION: return ...
    batch = order[first : first + size]
    return x[batch], y[batch]
    # END SOLUTION


check("04.4", take_batch_mended)

# %% [markdown]
# **04.5 · Find the bug: the loss that is too good.** An epoch's loss is to be the mean over all *samples*. `losses` are
# the means of its batches, `sizes` how many samples each had (the last one is often smaller). What is wrong?


# %%
def epoch_loss(losses, sizes):
    return sum(losses) / sum(sizes)


broken = epoch_loss(np.array([2.0, 1.0, 4.0]), np.array([100, 100, 50]))
print(f"it says {broken:.3f}, though no batch was below 1")


def epoch_loss_mended(losses, sizes):
    # BEGIN SOLUTION: return ...
    return np.dot(losses, sizes) / np.sum(sizes)
    # END SOLUTION


check("04.5", epoch_loss_mended)

# %% [markdown]
# ## Recap
#
# - A dense layer from $D$ to $M$ units has $D \cdot M + M$ parameters: 101,770 for 784-128-10.
# - A training step is forward, loss, backward, update. Written in NumPy, in `scratch` or in Keras it is the same step;
#   over hundreds of steps only rounding sets them apart, and float64 proves that it is rounding.
# - Hidden units learn strokes; a confusion matrix shows what is mixed up; a sure answer can be wrong.
# - Training loss tells what was memorised, validation loss what was learned. Dropout and L2 narrow the gap.
# - $x$ and $y$ must be shuffled together, and a mean needs the right $N$.
#
# **Read on.** Rumelhart, Hinton, Williams: *Learning representations by back-propagating errors*, Nature 323 (1986).
# LeCun, Bottou, Bengio, Haffner: *Gradient-based learning applied to document recognition*, Proceedings of the IEEE 86
# (1998), which introduced these digits. Srivastava et al.: *Dropout*, JMLR 15 (2014). Krogh, Hertz: *A simple weight
# decay can improve generalization*, NIPS (1991). Goldberg: *What every computer scientist should know about
# floating-point arithmetic*, ACM Computing Surveys 23 (1991).
#
# **Next:** lesson 05 keeps the image an image: convolution looks at neighbouring pixels together.
