# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "07"
#     title: "RNN and LSTM through time"
#     goal: Run a recurrent network by hand, differentiate it through time, see why gradients vanish and what an LSTM does
#     minutes: 75
#     prerequisites: ["01", "02", "03", "04"]
# ---

# %% [markdown]
# # 07 · RNN and LSTM through time
#
# **After this lesson** you can compute a recurrent network step by step, carry its gradient back through time, explain why
# a simple RNN forgets, build an LSTM gate by gate, and train one on recordings of different lengths.
#
# **You need** the forward and the backward pass (01, 02), Adam (03) and the MLP (04).
#
# **The way.** sequences → the simple RNN, by hand → backpropagation through time → why it forgets → the LSTM → the proof
# that Keras agrees → training with masks → looking into the gates → your experiment
#
# **The data.** Nine men said the Japanese vowels *ae*. Each recording is a sequence of 7 to 29 time steps with 12 numbers
# each, which describe the sound. Who is speaking?

# %% alt="Three recordings as curves of twelve channels over time, of different lengths"
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch
from toolkit.classroom import check

vowels = data.load("japanese_vowels")
x_train, y_train, x_test, y_test = vowels.x_train, vowels.y_train, vowels.x_test, vowels.y_test
print(
    f"x_train {x_train.shape}: recordings, time steps, channels; {len(x_test)} to test; {len(vowels.classes)} speakers"
)

fig, axes = plt.subplots(1, 3, figsize=(9, 2.4), sharey=True, layout="constrained", dpi=80)
for ax, n in zip(axes, (0, 40, 70), strict=True):
    length = vowels.lengths_train[n]
    ax.plot(x_train[n, :length])
    ax.set(xlabel="time step t", title=f"{vowels.classes[y_train[n]]}: {length} steps", xlim=(0, 28))
axes[0].set_ylabel("12 channels")
plt.show()

# %% [markdown]
# ## 1 · The simple RNN
#
# A recurrent network reads one time step after the other and keeps a **state** $h$, its memory. From the old state and
# the new input it makes the new state, always with the *same* weights:
#
# $$ z_t = x_t W + h_{t-1} U + b, \qquad h_t = \tanh z_t, \qquad h_0 = 0 $$
#
# with $x_t\;(N, D)$, $h_t\;(N, M)$, $W\;(D, M)$, $U\;(M, M)$. Unrolled in time, it is a deep network with one layer for
# each step, which all share their weights.


# %%
def rnn_forward(x, W, U, b):
    N, T, _ = x.shape
    h = np.zeros((T + 1, N, len(b)))  # h[t + 1] belongs to x[:, t]; h[0] is the start
    for t in range(T):
        h[t + 1] = np.tanh(x[:, t] @ W + h[t] @ U + b)
    return h


W, U, b = np.array([[1.0]]), np.array([[0.5]]), np.array([0.0])
pulse = np.array([[[1.0], [0.0], [0.0], [0.0], [0.0]]])  # one sequence, five steps, one channel
h = rnn_forward(pulse, W, U, b)
print("input ", pulse[0, :, 0])
print("by hand: h1 = tanh(1) = 0.762, h2 = tanh(0.5 · 0.7616) = 0.363, h3 = tanh(0.5 · 0.3634) = 0.180")
print("states", h[1:, 0, 0].round(3))

# %% [markdown]
# **What to see:** the input was there for one step only, and the state still knows of it later, a little less each time.
#
# ## 2 · Backpropagation through time
#
# Nothing new: the chain rule, from the last step to the first. But each state is used **twice**, by the output and by the
# next step, and each weight **T times**. Numbers used several times add up what comes back. With $dy_t$ from above and
# $dh_T^{\text{next}} = 0$, for $t = T, \dots, 1$:
#
# $$ dh_t = dy_t + dh_t^{\text{next}}, \qquad dz_t = dh_t \odot (1 - h_t^2), \qquad dh_{t-1}^{\text{next}} = dz_t\, U^\top $$
#
# $$ dW = \sum_t x_t^\top dz_t, \qquad dU = \sum_t h_{t-1}^\top dz_t, \qquad db = \sum_t \sum_n dz_t, \qquad
# dx_t = dz_t W^\top $$


# %%
def rnn_backward(x, h, W, U, dy):
    """``dy (N, T, M)``: what comes back to each state."""
    dW, dU, db, dx = np.zeros_like(W), np.zeros_like(U), np.zeros(len(U)), np.zeros_like(x)
    dh_next = np.zeros_like(h[0])
    for t in reversed(range(x.shape[1])):
        dh = dy[:, t] + dh_next
        dz = dh * (1 - h[t + 1] ** 2)
        dW += x[:, t].T @ dz
        dU += h[t].T @ dz
        db += dz.sum(axis=0)
        dx[:, t] = dz @ W.T
        dh_next = dz @ U.T
    return dx, dW, dU, db


rng = np.random.default_rng(0)
x, dy = rng.standard_normal((3, 6, 2)), rng.standard_normal((3, 6, 4))
W, U, b = rng.standard_normal((2, 4)), 0.5 * rng.standard_normal((4, 4)), rng.standard_normal(4)


def weighted_output(x, W, U, b):
    return (rnn_forward(x, W, U, b)[1:].transpose(1, 0, 2) * dy).sum()


gradients = rnn_backward(x, rnn_forward(x, W, U, b), W, U, dy)
numeric = (
    scratch.numerical_gradient(lambda v: weighted_output(v, W, U, b), x),
    scratch.numerical_gradient(lambda v: weighted_output(x, v, U, b), W),
    scratch.numerical_gradient(lambda v: weighted_output(x, W, v, b), U),
    scratch.numerical_gradient(lambda v: weighted_output(x, W, U, v), b),
)
for name, ours, differences in zip(("dx", "dW", "dU", "db"), gradients, numeric, strict=True):
    error = scratch.compare_gradients(ours, differences, name)
    print(f"{name} {ours.shape!s:<10} against finite differences: relative error {error:.0e}")

# %% [markdown]
# ## 3 · Why it forgets
#
# From the last step back to step $t$ the gradient passes $T - t$ times through $dz\,U^\top$ and $1 - h^2 \le 1$. A number
# that is multiplied fifty times by something below 1 is gone; by something above 1, it explodes. Let us send a gradient of
# length 1 from step 50 back and measure what arrives, for three sizes of $U$ (an orthogonal matrix, which keeps lengths,
# times a factor).

# %% alt="Logarithmic curves over the distance in time: one falls steeply, one slowly, one rises then stays; none is flat"
T, M = 50, 32
quiet = 0.1 * rng.standard_normal((1, T, 4))
W, b = rng.standard_normal((4, M)) / 2, np.zeros(M)
rotation = np.linalg.qr(rng.standard_normal((M, M)))[0]
arrived = {}
for factor in (0.8, 1.0, 1.3):
    U = factor * rotation
    h = rnn_forward(quiet, W, U, b)
    dh = rng.standard_normal((1, M))
    dh /= np.linalg.norm(dh)
    lengths = []
    for t in reversed(range(T)):
        dh = (dh * (1 - h[t + 1] ** 2)) @ U.T
        lengths.append(np.linalg.norm(dh))
    arrived[f"U = {factor} · rotation"] = lengths
ax = plots.curves(arrived, log=True, xlabel="steps back in time", ylabel="length of the gradient")
ax.set_title("What is left of a gradient of length 1")
plt.show()
for name, lengths in arrived.items():
    print(f"{name}: after 10 steps {lengths[9]:.1e}, after 50 steps {lengths[-1]:.1e}")

# %% [markdown]
# **What to see:** with 0.8 nothing of the beginning reaches the weights, so nothing about it can be learned: the gradient
# **vanishes**. With 1.3 it **explodes** as long as $\tanh$ does not saturate. Exploding is the smaller evil: one clips
# the gradient (`clipnorm`). Against vanishing there is a better cell.
#
# ## 4 · The LSTM
#
# *Long short-term memory* has a second state, the **cell** $c$. It is changed by *adding*, and by gates between 0 and 1
# ($\sigma$ is the sigmoid; $\odot$ multiplies element by element):
#
# $$ \begin{aligned} i_t &= \sigma(x_t W_i + h_{t-1} U_i + b_i) & &\text{input gate: how much is written} \\
# f_t &= \sigma(x_t W_f + h_{t-1} U_f + b_f) & &\text{forget gate: how much is kept} \\
# g_t &= \tanh(x_t W_g + h_{t-1} U_g + b_g) & &\text{candidate: what is written} \\
# o_t &= \sigma(x_t W_o + h_{t-1} U_o + b_o) & &\text{output gate: how much is shown} \end{aligned} $$
#
# $$ c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh c_t $$
#
# Backward through the cell there is only a factor $f_t$: $\;dc_{t-1} = dc_t \odot f_t$. If the gate stands open, the
# gradient passes as it is. Keras keeps the four parts side by side in one $W\;(D, 4M)$, in the order $i, f, g, o$.


# %%
def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def lstm_forward(x, W, U, b):
    N, T, _ = x.shape
    h, c = np.zeros((2, N, len(U)))
    steps = []
    for t in range(T):
        i, f, g, o = np.split(x[:, t] @ W + h @ U + b, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before = h, c
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, g, o, c, *before))
    return h, steps


def lstm_backward(x, W, U, steps, dh):
    """From ``dh (N, M)`` at the last step."""
    dW, dU, db, dc = np.zeros_like(W), np.zeros_like(U), np.zeros(W.shape[1]), 0
    for t in reversed(range(len(steps))):
        i, f, g, o, c, h_before, c_before = steps[t]
        dc = dc + dh * o * (1 - np.tanh(c) ** 2)
        di, df, dg, do = dc * g, dc * c_before, dc * i, dh * np.tanh(c)
        dz = np.hstack([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)])
        dW += x[:, t].T @ dz
        dU += h_before.T @ dz
        db += dz.sum(axis=0)
        dh = dz @ U.T
        dc = dc * f
    return dW, dU, db


x, dh = rng.standard_normal((3, 5, 2)), rng.standard_normal((3, 4))
W, U, b = rng.standard_normal((2, 16)), rng.standard_normal((4, 16)) / 2, rng.standard_normal(16)
h, steps = lstm_forward(x, W, U, b)
gradients = lstm_backward(x, W, U, steps, dh)
numeric = (
    scratch.numerical_gradient(lambda v: (lstm_forward(x, v, U, b)[0] * dh).sum(), W),
    scratch.numerical_gradient(lambda v: (lstm_forward(x, W, v, b)[0] * dh).sum(), U),
    scratch.numerical_gradient(lambda v: (lstm_forward(x, W, U, v)[0] * dh).sum(), b),
)
for name, ours, differences in zip(("dW", "dU", "db"), gradients, numeric, strict=True):
    print(f"{name}: relative error {scratch.compare_gradients(ours, differences, name):.0e}")

layer = scratch.LSTM(4)
layer.build((5, 2), dtype="float64")
for name, value in zip("WUb", (W, U, b), strict=True):
    layer.params[name][...] = value
print(f"scratch.LSTM minus ours: {np.abs(layer.forward(x) - h).max():.0e}")

# %% [markdown]
# **What to see:** thirty lines are a whole LSTM with its gradients. `scratch.LSTM` computes the same (only it multiplies
# all time steps with $W$ at once).
#
# Now the test of memory: for both cells, how much of a gradient at step 50 arrives at earlier steps?

# %% alt="Gradient at each distance in time: the simple RNN's falls steeply, the LSTM's slowly, the more open the slower"
x_long = 0.1 * rng.standard_normal((1, 50, 4))


def influence(layer, **constant):
    """How long the gradient of the last output is at each input, relative to the last one; nearest first."""
    layer.build((50, 4), seed=1, dtype="float64")
    for columns, value in constant.get("bias", ()):
        layer.params["b"][columns] = value
    layer.forward(x_long)
    lengths = np.linalg.norm(layer.backward(np.ones((1, 32)))[0], axis=1)[::-1]
    return lengths / lengths[0]


forget = slice(32, 64)
memory = {
    "simple RNN": influence(scratch.SimpleRNN(32)),
    "LSTM, forget bias 0": influence(scratch.LSTM(32, unit_forget_bias=False)),
    "LSTM, forget bias 1 (Keras's start)": influence(scratch.LSTM(32)),
    "LSTM, forget bias 4": influence(scratch.LSTM(32), bias=[(forget, 4.0)]),
}
ax = plots.curves(memory, log=True, xlabel="steps back in time", ylabel="gradient, relative to the last step")
plt.show()
for name, lengths in memory.items():
    print(f"{name:>35}: after 10 steps {lengths[9]:.0e}, after 49 {lengths[-1]:.0e}")
print("sigmoid(0), sigmoid(1), sigmoid(4) =", sigmoid(np.array([0.0, 1.0, 4.0])).round(3))

# %% [markdown]
# **What to see:** how far an LSTM looks back is set by its forget gates, $f \approx \sigma(b_f)$, and those are *learned*.
# That is why Keras starts them with a bias of 1: open enough to learn at all. (With an orthogonal $U$ and small inputs the
# simple RNN is not bad at first; it has nothing that keeps it so.)
#
# ## 5 · The proof that Keras agrees
#
# Recordings differ in length, so the short ones are filled with zeros. A **mask** says which steps are real. At a masked
# step, Keras and `scratch` simply carry the state on. LSTM 64 → LSTM 32 → softmax, on real recordings with their padding:

# %%
from toolkit import bridge
import keras
import tensorflow as tf

D, C = x_train.shape[2], len(vowels.classes)
network = scratch.Sequential(
    [
        scratch.Masking(0.0),
        scratch.LSTM(64, return_sequences=True),
        scratch.LSTM(32),
        scratch.Dense(C, "softmax"),
    ],
    input_shape=x_train.shape[1:],
    dtype="float64",
)
network.compile("adam", "sparse_categorical_crossentropy")
model = bridge.to_keras(network)
x, y = x_train[:60:4].astype("float64"), y_train[:60:4]
_, grads = network.loss_and_gradients(x, y)
with tf.GradientTape() as tape:
    y_hat = model(x)
    loss = keras.losses.SparseCategoricalCrossentropy(dtype="float64")(y, y_hat)
keras_grads = tape.gradient(loss, model.trainable_weights)

table = "| tensor | shape | largest value | NumPy − Keras |\n|:--|:--|--:|--:|\n"
table += f"| output | {y_hat.shape} | {np.abs(y_hat).max():.3f} | {np.abs(network.last_output - y_hat).max():.0e} |\n"
for (name, ours), theirs in zip(grads.items(), keras_grads, strict=True):
    theirs = theirs.numpy()
    table += f"| d {name} | {ours.shape} | {np.abs(theirs).max():.1e} | {np.abs(ours - theirs).max():.0e} |\n"
    assert np.abs(ours - theirs).max() < 1e-8 * np.abs(theirs).max() + 1e-12
display(Markdown(table))

# %% [markdown]
# ## 6 · Training, with and without the mask
#
# Four runs on the recordings: a simple RNN, an LSTM, the same LSTM *without* a mask (it then reads the zeros at the end as
# if they were sound), and an MLP on the mean of each channel over time, which knows nothing of order.

# %%
from toolkit import models, training


def train(model, x_train=x_train, x_test=x_test, epochs=40):
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"epochs": epochs, "batch_size": 32, "monitor": "val_loss", "verbose": False}
    return training.fit(model, x_train, y_train, validation_data=(x_test, y_test), **options)


keras.utils.set_random_seed(0)
simple = keras.Sequential(
    [
        keras.Input((None, D)),
        keras.layers.Masking(0.0),
        keras.layers.SimpleRNN(64),
        keras.layers.Dense(C, "softmax"),
    ]
)
lstm = models.sequence_classifier((None, D), C, mask_value=0.0, seed=0)
means = [
    (x * m[..., None]).sum(1) / m.sum(1, keepdims=True)
    for x, m in ((x_train, vowels.mask_train), (x_test, vowels.mask_test))
]
histories = {
    "MLP on the means": train(models.mlp(D, (64,), C, seed=0), *means),
    "simple RNN": train(simple),
    "LSTM, no mask": train(models.sequence_classifier((None, D), C, seed=0)),
    "LSTM, masked": train(lstm),
}

# %% alt="Test accuracy over the epochs of four models"
ax = plots.curves(histories, measure="val_accuracy")
ax.set_ylim(0, 1.02)
plt.show()
table = "| model | training loss | test loss | test accuracy, last 5 epochs |\n|:--|--:|--:|--:|\n"
for name, history in histories.items():
    measured = history.history
    accuracy = np.mean(measured["val_accuracy"][-5:])
    table += f"| {name} | {measured['loss'][-1]:.3f} | {measured['val_loss'][-1]:.3f} | {accuracy:.1%} |\n"
display(Markdown(table))
print(f"370 recordings tell an accuracy of 95 % only to ± {np.sqrt(0.95 * 0.05 / 370):.1%} (one standard error)")

# %% [markdown]
# **What to see:** read the table with the standard error in mind. Did the mask help? Did order help at all? A speaker is
# largely known by the *average* of the sound, so this task does not need much memory. The next one is all memory.
#
# ## 7 · Looking into the gates
#
# What do the gates do over one recording? Each row is one of 64 units, each column a time step. After the last real step
# the mask holds everything still.

# %% alt="Heat maps over time of the gates i, f, o, of the candidate g, the cell c and the state h of an LSTM"
twin = bridge.to_scratch(lstm)
recording = x_test[:1]
twin.forward(recording)
first = next(layer for layer in twin.layers if isinstance(layer, scratch.LSTM))
fig, ax = plt.subplots(figsize=(9, 5), layout="constrained", dpi=80)
plots.gates(first, sample=0, ax=ax)
plt.show()
length = vowels.lengths_test[0]
f = first.gates["f"][0, :length]
print(f"{length} real steps; forget gates: mean {f.mean():.2f}, {np.mean(f > 0.9):.0%} of all above 0.9")

# %% [markdown]
# And the gradient? In section 3 we sent one back through weights drawn at random. Here it is for the *trained* LSTM and
# this recording. `toolkit.xray` opens each LSTM layer into its gates, step by step in time, forward and backward, and
# compares all with TensorFlow. `dc_5` is $dc_5$, what the loss says to the cell at step 5.

# %% alt="Left, heat map of the gradient of 64 cells over time. Right, lengths of dc and dh over time on a logarithmic axis"
from toolkit import xray

real = recording[:, :length]  # without its padding
t = xray.trace(lstm, real, y_test[:1], loss="sparse_categorical_crossentropy")
proof = t.verify()
print(f"loss {t.loss:.4f}; {len(proof.rows)} rows of proof, the worst to {proof.worst.error:.0e}")
back = next(step for step in t.steps if step.phase == "backward" and step.layer == "lstm_1")
tensors = {name: tensor.value[0] for part in back.substeps for name, tensor in part.tensors.items()}
dc, dh = (np.array([tensors[f"{name}_{k}"] for k in range(1, length + 1)]) for name in ("dc", "dh"))

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained", dpi=80)
plots.matrix(dc.T, ax=left, title="dc of 64 cells over time")
left.set(xlabel="time step", ylabel="cell", aspect="auto")
left.set_xticks(range(4, length, 5), range(5, length + 1, 5))
lengths = {"‖dc‖": np.linalg.norm(dc, axis=1), "‖dh‖": np.linalg.norm(dh, axis=1)}
plots.curves(lengths, log=True, ax=right, xlabel="time step", ylabel="length of the gradient")
plt.show()
print(f"‖dc‖ at the first step is {lengths['‖dc‖'][0] / lengths['‖dc‖'][-1]:.2f} times that at the last one")
t.widget()

# %% [markdown]
# **What to see:** nothing vanishes. Cells keep their colour over many steps: where a forget gate is open, $dc$ passes
# nearly as it is, and each earlier step adds to it. Tick **sub-steps**, choose the **time step**, and step through the
# layer to see the gates' formulas with their numbers.
#
# ## 8 · Your experiment: how long can it remember?
#
# The purest task of memory: the first step says +1 or −1, then comes noise, and at the end the network is asked what the
# first step was. Choose the cell, the length, and where the forget gates start. At which length does learning break down?
# (`scratch` trains it, 300 steps of 64 fresh sequences.)


# %% alt="Accuracy over training steps for a simple RNN and an LSTM that have to remember the first step"
def remember(cell, length, forget_bias=1.0, steps=300, units=16):
    rng = np.random.default_rng(3)
    layer = scratch.LSTM(units) if cell == "LSTM" else scratch.SimpleRNN(units)
    network = scratch.Sequential([layer, scratch.Dense(1, "sigmoid")], input_shape=(length, 1), seed=1)
    if cell == "LSTM":
        layer.params["b"][units : 2 * units] = forget_bias
    network.compile(scratch.Adam(0.01, clipnorm=1.0), "binary_crossentropy")
    accuracies = []
    for _ in range(steps):
        y = rng.integers(0, 2, (64, 1))
        x = 0.3 * rng.standard_normal((64, length, 1))
        x[:, 0] = 2 * y - 1
        network.train_step(x, y)
        accuracies.append(np.mean((network.last_output > 0.5) == y))
    return np.convolve(accuracies, np.full(20, 1 / 20), "valid")


def experiment(length, forget_bias):
    runs = {"simple RNN": remember("RNN", length), "LSTM": remember("LSTM", length, forget_bias)}
    ax = plots.curves(runs, xlabel="training step", ylabel="accuracy, mean of 20 steps")
    ax.set(ylim=(0.4, 1.02), title=f"remember the first of {length} steps")
    plt.show()
    print(", ".join(f"{name}: {run[-1]:.0%} at the end" for name, run in runs.items()))


look = {"continuous_update": False, "style": {"description_width": "90px"}}
length = widgets.SelectionSlider(options=[5, 10, 20, 40, 80], value=20, description="length", **look)
forget_bias = widgets.FloatSlider(value=1, min=-1, max=5, step=1, description="forget bias", **look)
display(widgets.interactive(experiment, length=length, forget_bias=forget_bias))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **07.1 · One step of an RNN.** From `x` $(N, D)$ and the old state `h` $(N, M)$ make the new state.


# %%
def rnn_step(x, h, W, U, b):
    # BEGIN SOLUTION: return ...
    return np.tanh(x @ W + h @ U + b)
    # END SOLUTION


check("07.1", rnn_step)

# %% [markdown]
# **07.2 · Count.** How many parameters has an LSTM with 64 units on inputs of 12 channels?

# %%
# BEGIN SOLUTION: parameters = ...
parameters = 4 * (12 * 64 + 64 * 64 + 64)
# END SOLUTION
check("07.2", parameters)

# %% [markdown]
# **07.3 · The cell.** From the gates `i, f, g, o` (already through their sigmoid or tanh) and the old cell `c` make the
# new cell and the new state. Return both.


# %%
def lstm_cell(i, f, g, o, c):
    # BEGIN SOLUTION: return ..., ...
    c = f * c + i * g
    return c, o * np.tanh(c)
    # END SOLUTION


check("07.3", lstm_cell)

# %% [markdown]
# **07.4 · Through time.** An RNN with one unit, without input: $h_t = \tanh(u\, h_{t-1})$, for $t = 1, \dots, T$. Return
# $\partial h_T / \partial u$ for a given start `h0`. Mind that $u$ is used $T$ times.


# %%
def gradient_through_time(u, h0, T):
    # BEGIN SOLUTION: return ...
    h = [h0]
    for _ in range(T):
        h.append(np.tanh(u * h[-1]))
    du, dh = 0.0, 1.0
    for t in reversed(range(T)):
        dz = dh * (1 - h[t + 1] ** 2)
        du += dz * h[t]
        dh = dz * u
    return du
    # END SOLUTION


check("07.4", gradient_through_time)

# %% [markdown]
# **07.5 · Find the bug: the classifier that answers T times.** `h` $(N, T, M)$ are the states of an RNN
# (`return_sequences=True`), no padding. One answer for each sequence is wanted, $(N, C)$, from the last state.


# %%
def classify(h, W, b):
    z = h @ W + b
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


print("5 sequences of 7 steps, 3 classes:", classify(np.zeros((5, 7, 4)), np.zeros((4, 3)), np.zeros(3)).shape)


def classify_mended(h, W, b):
    # BEGIN SOLUTION: return ...
    return classify(h[:, -1], W, b)
    # END SOLUTION


check("07.5", classify_mended)

# %% [markdown]
# **07.6 · Find the bug: the last step is padding.** Now the sequences have different `lengths` $(N,)$ and are padded at the
# end. The state of the last *real* step is wanted, $(N, M)$.


# %%
def last_state(h, lengths):
    return h[:, -1]


def last_state_mended(h, lengths):
    # BEGIN SOLUTION: return ...
    return h[np.arange(len(h)), lengths - 1]
    # END SOLUTION


check("07.6", last_state_mended)

# %% [markdown]
# ## Recap
#
# - A recurrent network is one layer, applied once for each time step with the same weights; its state is its memory.
# - Backpropagation through time is the chain rule along the sequence; weights add up over all steps.
# - Passing $U$ many times makes gradients vanish or explode. An LSTM adds to its cell, and learned gates decide how long.
# - Padding must be masked, and the last state is that of the last real step.
# - NumPy and Keras agree in every gradient, masks included.
#
# **Read on.** Elman: *Finding structure in time*, Cognitive Science 14 (1990). Hochreiter, Schmidhuber: *Long short-term
# memory*, Neural Computation 9 (1997). Gers, Schmidhuber, Cummins: *Learning to forget*, Neural Computation 12 (2000). Pascanu,
# Mikolov, Bengio: *On the difficulty of training recurrent neural networks*, ICML (2013). Jozefowicz, Zaremba, Sutskever:
# *An empirical exploration of recurrent network architectures*, ICML (2015). Kudo, Toyama, Shimbo: *Multidimensional curve
# classification using passing-through regions*, Pattern Recognition Letters 20 (1999), the recordings.
#
# **Next:** lesson 08 lets every step look at every other: attention.
