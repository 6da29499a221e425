# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "01"
#     title: The forward pass
#     goal: Follow every number from the input to the loss, by hand, in NumPy and in Keras
#     minutes: 50
#     prerequisites: ["00"]
# ---

# %% [markdown]
# # 01 · The forward pass
#
# **After this lesson** you can follow every number of a dense network from the input to the loss, with pencil and
# paper, in a few lines of NumPy, and in Keras; and you know the mistakes that most people make on the way.
#
# **You need** lesson 00, and from school: sums, products, $e^x$ and $\ln x$. Matrices are explained.
#
# **The way.** one neuron → one layer → two layers → many samples at once → why there are activations → the loss →
# shapes that do not fit → real digits → the proof that Keras does the same

# %%
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np

from toolkit import bridge, data, plots, scratch
from toolkit.classroom import check
from toolkit.errors import ShapeError

np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## 1 · The picture
#
# Two inputs, two **hidden units**, two outputs: the smallest network that has everything. A circle is a number. A
# line carries it to the right and multiplies it by the **weight** written on it. Each unit adds up what arrives, and
# adds its **bias** $b$. As in Python, we count from 0.

# %% alt="A network of two inputs, two hidden units and two outputs, with its weights and biases"
x = np.array([[0.5, -1.0]])
W1, b1 = np.array([[1.0, -0.5], [-0.5, 1.0]]), np.array([0.1, 0.2])
W2, b2 = np.array([[0.5, -1.0], [1.0, 0.5]]), np.array([0.0, 0.1])


def draw(values, hidden, title, ax=None):
    labels = [["$x_0$", "$x_1$"], [f"${hidden}_{{1,{m}}}$" for m in (0, 1)], ["$p_0$", "$p_1$"]]
    plots.network((2, 2, 2), values=values, weights=[W1, b1, W2, b2], labels=labels, title=title, ax=ax)


draw([x[0]], "z", "Before the forward pass")
plt.show()

# %% [markdown]
# Solid lines are positive weights, dashed ones negative; the thicker, the larger.
#
# ## 2 · One neuron
#
# The upper hidden unit gets two numbers. Each is multiplied by its weight; the products and the bias are added:
#
# $$ z_{1,0} = x_0 W_{1,00} + x_1 W_{1,10} + b_{1,0} = 0.5 \cdot 1 + (-1) \cdot (-0.5) + 0.1 $$
#
# The first index counts the layers, and $W_{1,dm}$ is the weight on the line *from* input $d$ *to* unit $m$. Work it
# out, then run the cell.

# %%
for m, name in enumerate(("upper", "lower")):
    products = x[0, 0] * W1[0, m], x[0, 1] * W1[1, m]
    print(f"{name} unit: z = {products[0]:+} {products[1]:+} {b1[m]:+} = {sum(products) + b1[m]:.2f}")

# %% [markdown]
# ## 3 · A layer: all its neurons at once
#
# Write the weights of each unit as a **column** of a matrix $W_1$, and the sample as a **row** $x$. Then "multiply each
# input by its weight and add up, for every unit" is what mathematicians call the matrix product, `@` in NumPy:
#
# $$ z_1 = xW_1 + b_1 \qquad\qquad a_1 = f(z_1), \quad f(z) = \max(z, 0) $$
#
# $f$ is the **activation**, here *ReLU*: it lets positive numbers pass and turns negative ones into 0. Why it is there
# we see in section 6.

# %% alt="The network twice: first with z of the hidden layer filled in, 1.1 and −1.05, then with a, 1.1 and 0"
z1 = x @ W1 + b1
a1 = np.maximum(z1, 0)
print("z1 =", z1, "  the two numbers from above")
print("a1 =", a1)

_, axes = plt.subplots(1, 2, figsize=(11, 3), dpi=85, layout="constrained")
draw([x[0], z1[0]], "z", "$z_1 = xW_1 + b_1$", axes[0])
draw([x[0], a1[0]], "a", "$a_1 = \\max(z_1, 0)$", axes[1])
plt.show()

# %% [markdown]
# ## 4 · The output: scores become probabilities
#
# The second layer does the same with $a_1$ as its input. Its results $z_2$ are called **logits**: scores, one for each
# class, any number at all. The **softmax** makes probabilities out of them: $e^z$ makes each positive, and dividing by
# their sum makes them add up to 1.
#
# $$ z_2 = a_1W_2 + b_2 \qquad\qquad p_c = \frac{e^{z_{2,c}}}{\sum_k e^{z_{2,k}}} $$

# %% alt="The network with all numbers filled in: inputs 0.5 and −1, hidden 1.1 and 0, outputs the two probabilities"
z2 = a1 @ W2 + b2
p = np.exp(z2) / np.exp(z2).sum()
print(f"z2 = {z2}   exp(z2) = {np.exp(z2)}   their sum = {np.exp(z2).sum():.3f}   p = {p}")

draw([x[0], a1[0], p[0]], "a", "The forward pass is complete")
plt.show()

# %% [markdown]
# **What to see:** the network says class 0. Only the *upper* hidden unit had a say: the lower one was switched off by
# ReLU, so its weights made no difference for this sample.
#
# ## 5 · Many samples at once: the batch
#
# Nothing in these lines changes if $x$ has several rows. Each row is a sample and goes its own way; NumPy adds the bias
# to every row. With $N$ samples, $D$ inputs and $M$ units:
#
# $$ \underset{N \times M}{z} = \underset{N \times D}{x}\;\underset{D \times M}{W} + \underset{M}{b} $$


# %% alt="Four matrices of four rows: x, z1, a1 and p; what is negative in z1 is 0 in a1"
def forward(x, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    p = np.exp(z2) / np.exp(z2).sum(axis=1, keepdims=True)
    return z1, a1, z2, p


batch = np.array([[0.5, -1.0], [1.0, 1.0], [-1.0, 2.0], [-1.0, -1.0]])
z1, a1, z2, p = forward(batch, W1, b1, W2, b2)

_, axes = plt.subplots(1, 4, figsize=(10, 3), dpi=85, layout="constrained")
for ax, name, array in zip(axes, ("$x$", "$z_1$", "$a_1$", "$p$"), (batch, z1, a1, p)):
    plots.matrix(array, ax=ax, title=f"{name}  {array.shape}")
axes[0].set_ylabel("sample")
plt.show()

# %% [markdown]
# **What to see:** the first row is our sample of before. Each row has its own pattern of switched-off units, and each
# row of $p$ sums to 1: that is what `axis=1` is for.
#
# ## 6 · Why activations?
#
# Leave them out, and two layers are $(xW_1 + b_1)W_2 + b_2$. Multiply out:
#
# $$ (xW_1 + b_1)W_2 + b_2 = x\underbrace{W_1W_2}_{W} + \underbrace{b_1W_2 + b_2}_{b} $$
#
# One single layer! However many there are, without activations they **collapse** into one:

# %% alt="Left: ReLU, sigmoid and tanh. Right: networks with them; without activation a straight line"
two_layers = (batch @ W1 + b1) @ W2 + b2
one_layer = batch @ (W1 @ W2) + (b1 @ W2 + b2)
print("W = W1 W2 =", str(W1 @ W2).replace("\n", ""), "  b =", b1 @ W2 + b2)
print(f"two layers against one: largest difference {np.abs(two_layers - one_layer).max():.0e}")
print(f"with ReLU in between:   largest difference {np.abs(z2 - one_layer).max():.2f}")

z = np.linspace(-4, 4, 201)[:, np.newaxis]
kinds = {"none": scratch.Linear(), "relu": scratch.ReLU(), "sigmoid": scratch.Sigmoid(), "tanh": scratch.Tanh()}
rng = np.random.default_rng(5)
U, c, V = rng.normal(size=(1, 10)), rng.normal(size=10), rng.normal(size=(10, 1))

_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), dpi=85, layout="constrained")
for (name, f), line in zip(kinds.items(), ("-", "--", "-.", ":")):
    left.plot(z, f.activate(z), line, label=name, linewidth=2)
    right.plot(z, f.activate(z @ U + c) @ V, line, label=name, linewidth=2)
left.set(title="Activations $f$", xlabel="$z$", ylabel="$f(z)$", ylim=(-1.5, 4))
right.set(title="One input, ten hidden units, the same weights", xlabel="input $x$", ylabel="output")
for ax in (left, right):
    ax.legend()
    ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# **What to see:** on the right, without activation the network can draw straight lines only. With ReLU it is bent at
# corners, with sigmoid and tanh smoothly. Learning can then move the bends to where they are needed.
#
# ### A closer look at softmax
#
# Add the same number to all logits of a row: it cancels in the fraction, nothing changes. That is useful, because
# $e^{1000}$ is larger than any number that fits into a float:

# %%
logits = np.array([1000.0, 1001.0, 1002.0])
with np.errstate(all="ignore"):
    print("straight from the formula:   ", np.exp(logits) / np.exp(logits).sum())

shifted = logits - logits.max()
print("after subtracting the maximum:", np.exp(shifted) / np.exp(shifted).sum())

# %% [markdown]
# `nan` means *not a number*, here infinity divided by infinity. It spreads to everything that it meets.
#
# ## 7 · The end of the forward pass: the loss
#
# How wrong are these probabilities? Let $y$ be the labels, and $y_{nc}$ be 1 where $c$ is the label of sample $n$ and
# else 0. The **loss** is one number, a mean over the batch. Two are used everywhere, the *mean squared error* and the
# *cross-entropy*:
#
# $$ L_\text{MSE} = \frac{1}{NC} \sum_{n,c} (p_{nc} - y_{nc})^2 \qquad\qquad
# L_\text{CE} = -\frac1N \sum_{n,c} y_{nc} \ln p_{nc} = -\frac1N \sum_n \ln p_{n, y_n} $$
#
# In the sum of the cross-entropy only the label's own term is left: minus the logarithm of the probability that the
# network gave to the truth.

# %% alt="Squared error and minus logarithm against the probability of the right class; both fall to 0"
labels = np.array([0, 1, 0, 1])
y = np.eye(2)[labels]
truth = p[np.arange(4), labels]

mse = ((p - y) ** 2).mean()
cross_entropy = -np.log(truth).mean()
print(f"probability of the truth: {truth}   its −ln: {-np.log(truth)}")
print(f"mean squared error {mse:.4f}, scratch {scratch.MeanSquaredError()(y, p):.4f}")
print(f"cross-entropy      {cross_entropy:.4f}, scratch {scratch.SparseCategoricalCrossentropy()(labels, p):.4f}")

q = np.linspace(0.005, 1, 200)
_, ax = plt.subplots(figsize=(6.4, 3.2), dpi=85, layout="constrained")
ax.plot(q, -np.log(q), label="cross-entropy, $-\\ln p$")
ax.plot(q, (1 - q) ** 2, "--", label="squared error, $(1 - p)^2$")
ax.plot(truth, -np.log(truth), "ko", label="our four samples")
ax.set(xlabel="probability $p$ of the right class", ylabel="loss of one sample", ylim=(0, 5))
ax.legend()
plt.show()

# %% [markdown]
# **What to see:** both are 0 when the network is sure of the truth. But to be *sure and wrong* ($p$ near 0) costs at
# most 1 in the squared error, while the cross-entropy grows without end. That is why classifiers are trained with it.
#
# ## 8 · Shapes that do not fit
#
# Most errors in practice are errors of shape. The rule: **the batch comes first, and neighbours in a product share
# their inner length**, $(N, D)\,(D, M) \to (N, M)$. The classic mistakes, with 32 images of 784 pixels and 128 units:

# %%
images, W, b, column = np.zeros((32, 784)), np.zeros((784, 128)), np.zeros(128), np.zeros((32, 1))
attempts = {
    "images @ W + b": lambda: images @ W + b,
    "W @ images + b": lambda: W @ images + b,
    "images @ W.T + b": lambda: images @ W.T + b,
    "images @ W + b[:, np.newaxis]": lambda: images @ W + b[:, np.newaxis],
    "images[0] @ W + b": lambda: images[0] @ W + b,
    "np.zeros(32) - column": lambda: np.zeros(32) - column,
    "a1 @ W2.T + b2": lambda: a1 @ W2.T + b2,
}
for code, attempt in attempts.items():
    try:
        print(f"{code:<30}  shape {attempt().shape}")
    except ValueError as error:
        print(f"{code:<30}  ValueError: {error}")

print(f"\nThe last one is wrong by up to {np.abs(a1 @ W2.T - a1 @ W2).max():.2f}.")
print(f"W1 equals W1.T: {(W1 == W1.T).all()}")
try:
    scratch.Dense(128, name="hidden").forward(images[0])
except ShapeError as error:
    print(f"{error.where} expected {error.expected}, received {error.received}.")

# %% [markdown]
# **What to see:** an error is the good case! Read its end first: it names the two lengths that differ. The last three
# run: an image without a batch axis loses it in the result, too; numbers $(32,)$ minus a column $(32, 1)$ become a
# table of all pairs; and in our square 2-2-2 network $W_2^\top$ fits as well as $W_2$, but is wrong. With $W_1$,
# which equals its own transpose, you could not even see it. So: print shapes, and never test with square or symmetric
# matrices alone. (The layers of the toolkit check what comes in.)
#
# ## 9 · The same lines on real digits
#
# The function `forward` from section 5 does not know how large the network is. With 784 pixels, 128 hidden units and
# 10 classes it is the classifier of lesson 04, still untrained: $W$ is random, $b$ is zero.
#
# **How good should a network be that knows nothing?** It should guess: one in ten right, and about $p = 1/10$ for the
# truth, so $L = -\ln \frac{1}{10} = \ln 10$. Knowing this number, you can tell at the start of *any* training whether
# something is wrong. We look at one digit in one network, then at all test digits in twenty untrained networks:

# %% alt="Left a handwritten digit, right the ten probabilities that the untrained network gives it, all near 0.1"
digits = data.load("mnist5k", flatten=True)
network = scratch.Sequential([scratch.Dense(128, "relu"), scratch.Dense(10, "softmax")], input_shape=784, seed=0)
p = forward(digits.x_test, *network.get_weights())[-1]
print(f"p {p.shape}, each row sums to 1 within {np.abs(p.sum(axis=1) - 1).max():.0e}")

_, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.4), dpi=85, layout="constrained", width_ratios=[1, 2.4])
plots.images(digits.x_test[:1].reshape(1, 28, 28), ax=left, title=f"label {digits.y_test[0]}")
right.bar(digits.classes, p[0], color="#56B4E9", edgecolor="black")
right.axhline(0.1, linestyle=":", color="black")
right.set(xlabel="class", ylabel="$p$", ylim=(0, 0.5), title="Untrained: no idea (dotted: 1/10)")
plt.show()

# %% alt="A scatter plot of twenty untrained networks: accuracy around one in ten, loss a little above ln 10"
accuracies, losses = [], []
for seed in range(20):
    layers = [scratch.Dense(128, "relu"), scratch.Dense(10, "softmax")]
    weights = scratch.Sequential(layers, input_shape=784, seed=seed).get_weights()
    p = forward(digits.x_test, *weights)[-1]
    accuracies.append((p.argmax(axis=1) == digits.y_test).mean())
    losses.append(-np.log(p[np.arange(len(p)), digits.y_test]).mean())

_, ax = plt.subplots(figsize=(6.4, 3), dpi=85, layout="constrained")
ax.plot(losses, accuracies, "o", label="one untrained network")
ax.axvline(np.log(10), linestyle="--", color="black", label=f"ln 10 = {np.log(10):.3f}")
ax.axhline(0.1, linestyle=":", color="black", label="one in ten")
ax.set(xlabel="cross-entropy on the test digits", ylabel="accuracy", xlim=(2.2, 2.7), ylim=(0, 0.25))
ax.legend()
plt.show()
print(f"mean accuracy {np.mean(accuracies):.1%}, mean loss {np.mean(losses):.3f}, ln 10 = {np.log(10):.3f}")

# %% [markdown]
# **What to see:** the accuracy scatters around one in ten. The loss lies a little *above* $\ln 10$: the random
# weights do have opinions, and opinions without knowledge cost more than admitting that one does not know.
#
# ## 10 · The proof: Keras does the same
#
# First the 2-2-2 network, built in Keras by hand, with our weights. Then the digit network: `bridge.to_keras` carries
# any `scratch` network over, weights and all.
#
# And last, `toolkit.xray` opens the Keras network, layer by layer and line by line, and recomputes every number. In
# JupyterLab you can step through it: press **step**, tick **sub-steps**, choose another **sample**. (How to read it is
# told in [Read an xray](90_read_an_xray.ipynb).)

# %%
import keras

tiny = keras.Sequential(
    [
        keras.Input((2,)),
        keras.layers.Dense(2, activation="relu", name="hidden"),
        keras.layers.Dense(2, activation="softmax", name="output"),
    ],
    name="two_two_two",
)
tiny.set_weights([W1, b1, W2, b2])
ours = forward(batch, W1, b1, W2, b2)[-1]
keras_loss = keras.losses.SparseCategoricalCrossentropy()(labels, tiny(batch))
print(f"2-2-2       largest difference of p: {np.abs(ours - tiny.predict(batch, verbose=0)).max():.0e}")
print(f"            cross-entropy: ours {cross_entropy:.6f}, Keras {float(keras_loss):.6f}")

twin = bridge.to_keras(network)
ours = forward(digits.x_test, *network.get_weights())[-1]
print(f"784-128-10  largest difference of p: {np.abs(ours - twin.predict(digits.x_test, verbose=0)).max():.0e}")

# %%
from toolkit import xray

t = xray.trace(tiny, batch, loss=False)  # the forward pass alone; lesson 02 goes back
print(f"{len(t.verify().rows)} tensors recomputed in NumPy, all are Keras's. The first sample:\n")
for step in t.steps:
    for part in step.substeps:
        *given, result = part.tensors
        print(f"{step.layer}  {part.title:<20} {result} = {part.tensors[result].value[0]}")
t.widget()

# %% [markdown]
# ## 11 · Experiment: turn one weight
#
# Two sliders: the weight from $x_0$ to the upper hidden unit, and that unit's bias. The input is our first sample.
#
# **Try it:** from which weight on does the picture *stop changing*, and why? Make the bias larger: is the point still
# the same? Can you bring $p_1$ above one half at all? Below the sliders is the whole range at once, for three biases.


# %% alt="The network with the weight and the bias of the sliders, and all its numbers"
def experiment(weight, bias):
    W, b = W1.copy(), b1.copy()
    W[0, 0], b[0] = weight, bias
    z1, a1, _, p = forward(batch[:1], W, b, W2, b2)
    print(f"p(class 0) = {p[0, 0]:.3f}   p(class 1) = {p[0, 1]:.3f}")
    print(f"upper hidden unit: z = {z1[0, 0]:.3f}, a = {a1[0, 0]:.3f}")
    labels = [["$x_0$", "$x_1$"], ["$a_{1,0}$", "$a_{1,1}$"], ["$p_0$", "$p_1$"]]
    plots.network((2, 2, 2), values=[batch[0], a1[0], p[0]], weights=[W, b, W2, b2], labels=labels)
    plt.show()


weight = widgets.FloatSlider(1.0, min=-4.0, max=4.0, step=0.1, description="W1[0, 0]")
bias = widgets.FloatSlider(0.1, min=-2.0, max=2.0, step=0.1, description="b1[0]")
shown = widgets.interactive_output(experiment, {"weight": weight, "bias": bias})
widgets.VBox([widgets.HBox([weight, bias]), shown])

# %% alt="Probability of class 0 against the weight, for three biases: flat, then rising"
_, ax = plt.subplots(figsize=(6.4, 3), dpi=85, layout="constrained")
for bias_value, line in ((-1.0, "-"), (0.1, "--"), (1.0, "-.")):
    W, b = np.repeat(W1[np.newaxis], 81, axis=0), np.array([bias_value, b1[1]])
    W[:, 0, 0] = np.linspace(-4, 4, 81)
    p_0 = [forward(batch[:1], W_k, b, W2, b2)[-1][0, 0] for W_k in W]
    ax.plot(W[:, 0, 0], p_0, line, label=f"b1[0] = {bias_value}")
ax.set(xlabel="W1[0, 0]", ylabel="p(class 0)", title="One weight, and what becomes of it")
ax.legend()
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# **What to see:** where the unit is switched off ($z \le 0$) the line is flat: changing the weight there changes
# nothing. Remember this for lesson 02: where nothing changes, nothing can be learned. The bias decides *where* the
# unit wakes up.
#
# ## 12 · Exercises
#
# Replace each `...`; `check` tells you at once whether it is right.
#
# **01.1** &nbsp; With pencil and paper: a neuron has the inputs $x = (2,\; -1,\; 0.5)$, the weights
# $w = (1.5,\; 2,\; -4)$ and the bias $b = 0.5$. What is $z$, before the activation?

# %%
# BEGIN SOLUTION: z_by_hand = ...
z_by_hand = -0.5
# END SOLUTION
check("01.1", z_by_hand)

# %% [markdown]
# **01.2** &nbsp; Write the layer without its activation: `dense` takes `x` $(N, D)$, `W` $(D, M)$ and `b` $(M,)$ and
# returns `z` $(N, M)$.


# %%
def dense(x, W, b):
    # BEGIN SOLUTION: return ...
    return x @ W + b
    # END SOLUTION


check("01.2", dense)

# %% [markdown]
# **01.3** &nbsp; Write a softmax for a batch of logits `z` $(N, C)$ that works for logits of any size, $\pm 1000$ and
# beyond. (Section 6 has the idea; here each *row* needs it.)


# %%
def softmax(z):
    # BEGIN SOLUTION: return ...
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
    # END SOLUTION


check("01.3", softmax)

# %% [markdown]
# **01.4** &nbsp; **Find the bug.** A colleague's forward pass runs without an error. But the answer for the *same*
# sample changes with the samples beside it. Look at what it prints, then write it as it should be below.


# %%
def forward_with_bug(x, W1, b1, W2, b2):
    a1 = np.maximum(x @ W1 + b1, 0)
    e = np.exp(a1 @ W2 + b2)
    return e / e.sum(axis=0, keepdims=True)


for n in (1, 2, 4):
    print(f"first sample in a batch of {n}: p = {forward_with_bug(batch[:n], W1, b1, W2, b2)[0]}")


def forward_repaired(x, W1, b1, W2, b2):
    # BEGIN SOLUTION: return ...
    a1 = np.maximum(x @ W1 + b1, 0)
    e = np.exp(a1 @ W2 + b2)
    return e / e.sum(axis=1, keepdims=True)
    # END SOLUTION


check("01.4", forward_repaired)

# %% [markdown]
# **01.5** &nbsp; Write the cross-entropy of a batch: `p` $(N, C)$ holds probabilities, `y` $(N,)$ the labels, whole
# numbers from 0 to $C - 1$. The result is one number.


# %%
def cross_entropy_of(p, y):
    # BEGIN SOLUTION: return ...
    return -np.log(p[np.arange(len(y)), y]).mean()
    # END SOLUTION


check("01.5", cross_entropy_of)

# %% [markdown]
# ## What you take with you
#
# * A layer is $z = xW + b$, $a = f(z)$: a row for each sample, a column for each unit, the bias added to every row.
# * Without activations all layers collapse into one.
# * Softmax makes probabilities out of logits, row by row; subtract each row's maximum first.
# * The loss is one number, a mean over the batch. An untrained classifier of $C$ classes should start near $\ln C$.
# * Shapes: $(N, D)\,(D, M) \to (N, M)$. The dangerous mistakes are those that run.
#
# Next, in lesson 02, the question that makes learning possible: *how would the loss change if this weight changed a
# little?*
#
# **References.** Artificial neurons: W. McCulloch and W. Pitts, *A logical calculus of the ideas immanent in nervous
# activity*, 1943; F. Rosenblatt, *The perceptron*, 1958. Softmax: J. Bridle, *Probabilistic interpretation of
# feedforward classification network outputs*, 1990. ReLU: V. Nair and G. Hinton, *Rectified linear units improve
# restricted Boltzmann machines*, 2010. To read on: I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning*, 2016,
# chapter 6.
