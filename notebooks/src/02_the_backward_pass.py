# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "02"
#     title: The backward pass
#     goal: Derive every gradient of a small network, check it by finite differences, and catch a wrong one
#     minutes: 60
#     prerequisites: ["01"]
# ---

# %% [markdown]
# # 02 · The backward pass
#
# **After this lesson** you can derive every gradient of a dense network, write each in a line of NumPy, and prove it
# right, or catch it being wrong, without having to trust anybody.
#
# **You need** lesson 01 (the forward pass), and from school the derivative and the chain rule,
# $(f(g(w)))' = f'(g(w))\, g'(w)$.
#
# The forward pass turned numbers into a loss $L$. Now we ask of *every* number in the network: if it grew a little, by
# how much would $L$ grow? The answer is its **gradient**. It points uphill, so training walks the other way.
#
# **The way.** slope of one number → a graph of numbers → a 2-2-2 network by hand → a batch → wrong gradients → real
# digits, and the proof → one step of learning → your turn

# %%
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown

from toolkit import data, plots, scratch
from toolkit.classroom import check
from toolkit.errors import GradientMismatchError

np.set_printoptions(precision=4, suppress=True)

# %% [markdown]
# ## 1 · The slope of a function of one number
#
# The derivative $f'(w)$ is a slope: step aside by a small $h$, see by how much $f$ changes, divide. Best is to step to
# *both* sides, because then the curvature cancels. This is the **central difference**:
#
# $$ f'(w) \approx \frac{f(w + h) - f(w - h)}{2h} $$
#
# How good is it? For $f(w) = w^3$ we can work it out: $(w \pm h)^3 = w^3 \pm 3w^2h + 3wh^2 \pm h^3$, and the
# subtraction leaves only the terms with $\pm$.
#
# $$ \frac{(w+h)^3 - (w-h)^3}{2h} = \underbrace{3w^2}_{\text{slope}} + \underbrace{h^2}_{\text{error}} $$
#
# So the smaller $h$, the better, without end? We measure it, beside the *forward* difference $(f(w + h) - f(w)) / h$,
# which steps to one side only, and beside the same in float32, the numbers that networks train with.


# %% alt="Error of three finite differences against the step h, both axes logarithmic: each is a V"
def cube(w):
    return w**3


w = 2.0
for h in (1, 0.1, 0.01):
    print(f"h = {h:<4}  difference = {(cube(w + h) - cube(w - h)) / (2 * h):.4f}    3w² + h² = {3 * w**2 + h**2:.4f}")

steps = np.logspace(-12, 0, 49)
central = np.abs((cube(w + steps) - cube(w - steps)) / (2 * steps) - 12)
forward = np.abs((cube(w + steps) - cube(w)) / steps - 12)
w32, steps32 = np.float32(w), np.float32(steps[24:])  # below 1e-6 float32 cannot even tell w + h from w
central32 = np.abs((cube(w32 + steps32) - cube(w32 - steps32)) / (2 * steps32) - 12)

fig, ax = plt.subplots(figsize=(7, 3.8), layout="constrained", dpi=90)
ax.loglog(steps, forward, "s--", ms=4, label="forward difference, float64")
ax.loglog(steps32, central32, "^:", ms=4, label="central difference, float32")
ax.loglog(steps, central, "o-", ms=4, label="central difference, float64")
ax.axvline(1e-5, color="grey", lw=1)
ax.text(1.3e-5, 3, "h = 1e-5", color="dimgrey")
ax.set(xlabel="step h", ylabel="error of the slope", title="Too large a step bends, too small a step rounds")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %% [markdown]
# **What to see:** a V. On its right arm the curvature errs. On its left arm $f(w + h)$ and $f(w - h)$ agree in so many
# digits that their difference is mostly rounding. The bottom lies near $h = 10^{-5}$ in float64; float32 never gets far
# down, so **gradients are checked in float64**.
#
# Remember the picture as a judge: two forward passes give any slope, with no calculus at all. It is much too slow for
# training (two passes for *each* weight), but it cannot make *our* mistakes. `scratch.numerical_gradient` does it for
# arrays, entry by entry.
#
# ## 2 · The chain rule on a graph of single numbers
#
# A neuron with one input, and a square for its loss: $\;u = wx,\quad z = u + b,\quad L = z^2$. Each step has a *local*
# slope; on the way back from $L$ the chain rule multiplies them:
#
# $$ \frac{\partial L}{\partial z} = 2z \qquad \frac{\partial L}{\partial u} = \frac{\partial L}{\partial z} \cdot 1
# \qquad \frac{\partial L}{\partial w} = \frac{\partial L}{\partial u} \cdot x
# \qquad \frac{\partial L}{\partial x} = \frac{\partial L}{\partial u} \cdot w $$
#
# A number that is **used twice** reaches $L$ on two ways, and what comes back on them **adds up**. A `scratch.Scalar`
# is a number that remembers how it was made, so `L.backward()` can walk all these ways by itself.


# %%
def draw_graph(ax, places, local, title):
    """Boxes with value and gradient; on each arrow the local slope by which the way back multiplies."""
    for node, (column, row) in places.items():
        text = f"{node.name} = {node.data:g}\n∂L/∂{node.name} = {node.grad:g}".replace("-", "−")
        ax.text(column, row, text, ha="center", va="center", zorder=3, bbox={"boxstyle": "round", "fc": "#FFF4CC"})
        for parent in node.parents:
            x0, y0 = places[parent]
            ax.annotate("", (column - 0.22, row), (x0 + 0.22, y0), arrowprops={"arrowstyle": "->", "lw": 1.2})
            ax.text((x0 + column) / 2, (y0 + row) / 2 + 0.06, f"× {local[node, parent]}", ha="center", va="bottom",
                    bbox={"boxstyle": "round,pad=0", "fc": "white", "ec": "none"})  # fmt: skip
    ax.set(xlim=(-0.35, 3.35), ylim=(-0.4, 2.4), title=title)
    ax.set_axis_off()


# %% alt="Two graphs of boxes joined by arrows; each box carries its value and its gradient, each arrow its local slope"
fig, axes = plt.subplots(2, 1, figsize=(9, 5.6), layout="constrained", dpi=80)

w, x, b = scratch.Scalar(2, "w"), scratch.Scalar(3, "x"), scratch.Scalar(-4, "b")
u = w * x
z = u + b
L = z**2
u.name, z.name, L.name = "u", "z", "L"
L.backward()
places = {w: (0, 2), x: (0, 1), b: (0, 0), u: (1, 1.5), z: (2, 0.75), L: (3, 0.75)}
local = {(u, w): "x", (u, x): "w", (z, u): "1", (z, b): "1", (L, z): "2z"}
draw_graph(axes[0], places, local, "L = (wx + b)²")

w, x = scratch.Scalar(2, "w"), scratch.Scalar(3, "x")
u = w * x
z = u + w
L = z**2
u.name, z.name, L.name = "u", "z", "L"
L.backward()
places = {x: (0, 1.7), w: (0, 0.3), u: (1, 1.7), z: (2, 0.75), L: (3, 0.75)}
local = {(u, w): "x", (u, x): "w", (z, u): "1", (z, w): "1", (L, z): "2z"}
draw_graph(axes[1], places, local, "w used twice: L = (wx + w)²")

slope = scratch.numerical_gradient(lambda w: (w * 3 + w) ** 2, 2.0)
print(f"w used twice: ∂L/∂w = {w.grad:g} by the graph, {slope:.6f} by finite differences")

# %% [markdown]
# **What to see:** above, each gradient is the one to its right times the number on the arrow:
# $\partial L/\partial w = 4 \cdot 1 \cdot 3 = 12$. Below, $w$ has two ways: $16 \cdot 3 + 16 \cdot 1 = 64$. One walk
# back gave the slopes of *all* boxes. That walk is **backpropagation**; the rest of this lesson does it with matrices.
#
# ## 3 · The network of lesson 01, backwards
#
# Two inputs, two hidden units, two classes, and the numbers of lesson 01.
#
# $$ z_1 = xW_1 + b_1 \qquad a_1 = f(z_1) \qquad z_2 = a_1W_2 + b_2 \qquad p = \mathrm{softmax}(z_2)
# \qquad L = -\sum_c y_c \ln p_c $$
#
# We write $dz_2$ for $\partial L / \partial z_2$, and so on: **$d$something has the shape of something.** The functions
# below are the forward pass in slices: each is *the rest of the network*, from one quantity on to the loss. That is
# just what a gradient asks about.


# %%
def f(z):
    return np.maximum(z, 0)


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def loss_from_z2(z2):
    return -(y * np.log(softmax(z2))).sum()


def loss_from_a1(a1):
    return loss_from_z2(a1 @ W2 + b2)


def loss_from_z1(z1):
    return loss_from_a1(f(z1))


x, y = np.array([[0.5, -1.0]]), np.array([[1.0, 0.0]])
W1, b1 = np.array([[1.0, -0.5], [-0.5, 1.0]]), np.array([0.1, 0.2])
W2, b2 = np.array([[0.5, -1.0], [1.0, 0.5]]), np.array([0.0, 0.1])

z1 = x @ W1 + b1
a1 = f(z1)
z2 = a1 @ W2 + b2
p = softmax(z2)
L = loss_from_z2(z2)
print(f"z1 = {z1}   a1 = {a1}   z2 = {z2}   p = {p}   L = {L:.4f}")

# %% [markdown]
# ### 3a · The loss and the softmax together: $dz_2 = p - y$
#
# Put $p_c = e^{z_{2,c}} / \sum_k e^{z_{2,k}}$ into the loss. The logarithm undoes the exponential, and since
# $\sum_c y_c = 1$, the second term stands alone:
#
# $$ L = -\sum_c y_c \Big( z_{2,c} - \ln \sum_k e^{z_{2,k}} \Big) = -\sum_c y_c\, z_{2,c} + \ln \sum_k e^{z_{2,k}} $$
#
# Now differentiate by one logit, $z_{2,j}$. The first term gives $-y_j$. The second gives, by the chain rule for $\ln$,
# $e^{z_{2,j}} / \sum_k e^{z_{2,k}}$, and that is $p_j$ again:
#
# $$ \frac{\partial L}{\partial z_{2,j}} = p_j - y_j \qquad\Longrightarrow\qquad \boxed{dz_2 = p - y} $$


# %%
def judge(name, gradient, rest, at):
    """Prints a gradient beside its finite differences; raises an error if they disagree."""
    numeric = scratch.numerical_gradient(rest, at)
    error = scratch.compare_gradients(gradient, numeric, name)
    print(f"{name} {gradient.shape}   relative error {error:.0e} ✓")
    for label, values in (("ours", gradient), ("differences", numeric)):
        print(f"   {label:<12}", str(np.round(values, 4) + 0.0).replace("\n", "\n" + 16 * " "))


dz2 = p - y
judge("dz2", dz2, loss_from_z2, z2)

# %% [markdown]
# Prediction minus truth: negative for the right class (a larger logit would *lower* the loss), positive for the other.
#
# ### 3b · Through the second product: $dW_2$, $db_2$, $da_1$
#
# For one sample, logit $m$ is $\;z_{2,m} = \sum_d a_{1,d}\, W_{2,dm} + b_{2,m}$. Which logits does each quantity touch?
#
# * $W_{2,dm}$ touches only $z_{2,m}$, with slope $a_{1,d}$. So $dW_{2,dm} = a_{1,d}\, dz_{2,m}$, in one product:
#   $\boxed{dW_2 = a_1^\top dz_2}$
# * $b_{2,m}$ touches only $z_{2,m}$, with slope 1. So $db_{2,m} = dz_{2,m}$. In a batch every row uses it, and what
#   comes back adds up: $\boxed{db_2 = \textstyle\sum_n dz_{2,n}}$
# * $a_{1,d}$ touches *every* logit, with slopes $W_{2,dm}$, and what comes back adds up again:
#   $da_{1,d} = \sum_m dz_{2,m}\, W_{2,dm}$, in one product: $\boxed{da_1 = dz_2\, W_2^\top}$
#
# **Shapes are a guide.** From $a_1$ $(1, 2)$ and $dz_2$ $(1, 2)$ only one product has the shape of $W_2$. But $dz_2W_2$
# has the shape of $a_1$ as well, since $W_2$ is square: here only the judge notices a forgotten transpose.

# %%
dW2 = a1.T @ dz2
db2 = dz2.sum(axis=0)
da1 = dz2 @ W2.T

judge("dW2", dW2, lambda W: loss_from_z2(a1 @ W + b2), W2)
judge("db2", db2, lambda b: loss_from_z2(a1 @ W2 + b), b2)
judge("da1", da1, loss_from_a1, a1)

by_hand = dz2[0, 0] * W2[0, 0] + dz2[0, 1] * W2[0, 1]
print(f"\nby hand: dW2[0, 0] = {a1[0, 0]:.4f} · ({dz2[0, 0]:.4f}) = {a1[0, 0] * dz2[0, 0]:.4f}")
print(f"by hand: da1[0, 0] = ({dz2[0, 0]:.4f}) · {W2[0, 0]} + {dz2[0, 1]:.4f} · ({W2[0, 1]}) = {by_hand:.4f}")

# %% [markdown]
# ### 3c · Through the activation, and through the first product
#
# The activation works on each number alone: an entry of $z_1$ touches one entry of $a_1$, with the slope $f'$ taken
# **at $z_1$**, where the forward pass went in. With $\odot$ for "entry times entry": $\boxed{dz_1 = da_1 \odot
# f'(z_1)}$
#
# The first product has the form of the second with $x$ in place of $a_1$, so there is nothing new to derive:
#
# $$ dW_1 = x^\top dz_1 \qquad db_1 = \sum_n dz_{1,n} \qquad dx = dz_1 W_1^\top $$


# %% alt="The network drawn twice: left with values and weights, right with the gradient of each"
def f_prime(z):
    return (z > 0).astype(float)


dz1 = da1 * f_prime(z1)
dW1 = x.T @ dz1
db1 = dz1.sum(axis=0)
dx = dz1 @ W1.T

judge("dz1", dz1, loss_from_z1, z1)
judge("dW1", dW1, lambda W: loss_from_z1(x @ W + b1), W1)
judge("db1", db1, lambda b: loss_from_z1(x @ W1 + b), b1)
judge("dx ", dx, lambda x: loss_from_z1(x @ W1 + b1), x)
print(f"\nby hand: dW1[1, 0] = ({x[0, 1]}) · ({dz1[0, 0]:.4f}) = {x[0, 1] * dz1[0, 0]:.4f}")

fig, axes = plt.subplots(1, 2, figsize=(12.5, 4), layout="constrained", dpi=80)
plots.network(
    (2, 2, 2), values=[x[0], a1[0], p[0]], weights=[W1, b1, W2, b2], ax=axes[0],
    labels=[["$x_1$", "$x_2$"], ["$a_{1,1}$", "$a_{1,2}$"], ["$p_1$", "$p_2$"]], title=f"forward: L = {L:.4f}",
)  # fmt: skip
plots.network(
    (2, 2, 2), values=[dx[0], dz1[0] + 0, dz2[0]], weights=[dW1, db1, dW2, db2], ax=axes[1],
    labels=[["$dx_1$", "$dx_2$"], ["$dz_{1,1}$", "$dz_{1,2}$"], ["$dz_{2,1}$", "$dz_{2,2}$"]],
    title="backward: the gradient in the place of each number",
)  # fmt: skip
plt.show()

# %% [markdown]
# **What to see:** every number on the left has its gradient in the same place on the right (a bias under its circle).
# The second hidden unit was *off*: its $z_1$ is negative, so $f'(z_1) = 0$ lets nothing through, and no weight that
# leads to it is to blame. Nor is any weight that leaves it, because what it sent on was 0.
#
# ## 4 · A batch: where the $1/N$ comes from
#
# The loss of a batch is the *mean* over its samples, $L = \frac1N \sum_n L_n$. A mean divides each sample's gradient by
# $N$, once, at the very start of the way back:
#
# $$ dz_2 = \tfrac1N\, (p - y) $$
#
# After that nothing divides again: $x^\top dz$ *sums* over the samples, and a sum of $N$ terms that each carry their
# $\frac1N$ is a mean. Here are all our lines in one function, for any sizes and any batch:


# %%
def forward_pass(x, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    a1 = f(z1)
    return z1, a1, softmax(a1 @ W2 + b2)


def mean_loss(x, y, W1, b1, W2, b2):
    _, _, p = forward_pass(x, W1, b1, W2, b2)
    return -(y * np.log(p)).sum() / len(x)


def gradients(x, y, W1, b1, W2, b2):
    z1, a1, p = forward_pass(x, W1, b1, W2, b2)
    dz2 = (p - y) / len(x)
    dW2, db2, da1 = a1.T @ dz2, dz2.sum(axis=0), dz2 @ W2.T
    dz1 = da1 * f_prime(z1)
    dW1, db1, dx = x.T @ dz1, dz1.sum(axis=0), dz1 @ W1.T
    return {"x": dx, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


x4 = np.array([[0.5, -1.0], [1.0, 1.0], [-1.5, 0.5], [0.2, 0.9]])
y4 = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
four = {"x": x4, "y": y4, "W1": W1, "b1": b1, "W2": W2, "b2": b2}
ours = gradients(**four)
for name, gradient in ours.items():
    numeric = scratch.numerical_gradient(lambda value, name=name: mean_loss(**four | {name: value}), four[name])
    print(f"d{name:<2} {gradient.shape}   relative error {scratch.compare_gradients(gradient, numeric):.0e} ✓")

each = [gradients(x4[n : n + 1], y4[n : n + 1], W1, b1, W2, b2)["W2"] for n in range(4)]
print("\ndW2 of the batch:", *ours["W2"], "\nmean of the dW2 of each sample alone:", *np.mean(each, axis=0))

# %% [markdown]
# ## 5 · What a wrong gradient looks like
#
# Five usual mistakes, each a small change to a right class of the engine. All of them **run without an error** and hand
# arrays of the right shape to the optimiser.

# %%
CrossEntropy = scratch.SparseCategoricalCrossentropy


class Forgotten(scratch.Sigmoid):  # dz = da: the derivative of the activation is missing
    def gradient(self, z, a, da):
        return da


class TakenAtA(scratch.Sigmoid):  # f′(a) for f′(z): the sigmoid is applied twice
    def gradient(self, z, a, da):
        return super().gradient(a, self.activate(a), da)


class NotTransposed(scratch.Dense):  # dx = dz W for dz Wᵀ; W is square, so the shape is right
    def backward_from_dz(self, dz, needs_dx=True):
        super().backward_from_dz(dz, needs_dx)
        return dz @ self.params["W"]


class Summed(CrossEntropy):  # the sum over the batch for its mean: no 1/N
    def backward(self):
        dz = super().backward()
        return dz * len(dz)


class Uphill(CrossEntropy):  # y − p for p − y
    def backward(self):
        return -super().backward()


# %% [markdown]
# A 784-32-32-10 network on real digits, once right and five times wrong. First the judge: `gradient_check` compares
# some entries of each gradient with finite differences. Where they disagree it raises an error, which names the
# gradient, the worst entry and both values. Their *ratio* often tells the mistake: $-1$ is a sign, and 32 is the size
# of this batch.
#
# And without the judge, would we notice? Then we train all six, from the same weights, on the same batches.

# %%
digits = data.load("mnist5k", flatten=True)


def digits_network(name, hidden=scratch.Sigmoid, second=scratch.Dense, loss=CrossEntropy, alpha=0.5):
    layers = [scratch.Dense(32, hidden()), second(32, hidden()), scratch.Dense(10, "softmax")]
    network = scratch.Sequential(layers, input_shape=784, seed=1, name=name)
    network.compile(scratch.SGD(alpha), loss())
    return network


networks = [
    digits_network("right"),
    digits_network("f′ forgotten", hidden=Forgotten),
    digits_network("f′ taken at a", hidden=TakenAtA),
    digits_network("W not transposed", second=NotTransposed),
    digits_network("batch summed", loss=Summed),
    digits_network("sign turned", loss=Uphill),
]
for network in networks:
    try:
        report = scratch.gradient_check(network, digits.x_train[:32], digits.y_train[:32], samples=40)
        print(f"{network.name}: all {len(report.errors)} gradients ✓\n")
    except GradientMismatchError as error:
        print(f"{error}\n")

# %% alt="Training loss of six networks: the right one ends lowest, three wrong ones learn too, two do not"
runs = {n.name: n.fit(digits.x_train, digits.y_train, epochs=12, seed=0, verbose=False) for n in networks}
learning = {name: run for name, run in runs.items() if run.history["loss"][-1] < np.log(10)}

_, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained", dpi=80)
plots.curves(runs, ax=axes[0], log=True, title="One network, six gradients", ylabel="training loss")
axes[0].axhline(np.log(10), color="grey", lw=1)
axes[0].text(12, 1.9, "guessing: ln 10", color="dimgrey", ha="right", va="top")
plots.curves(learning, ax=axes[1], title="Those that end better than guessing", ylabel="training loss")
plt.show()

short_steps = digits_network("batch summed, α / 32", loss=Summed, alpha=0.5 / 32)
short_steps.fit(digits.x_train, digits.y_train, epochs=12, seed=0, verbose=False)
rows = ["| gradient | training loss | test accuracy |", "|:---|---:|---:|"]
for n in [*networks, short_steps]:
    accuracy = n.evaluate(digits.x_test, digits.y_test)["accuracy"]
    rows.append(f"| {n.name} | {n.history.history['loss'][-1]:,.3f} | {accuracy:.1%} |")
Markdown("\n".join(rows))

# %% [markdown]
# **What to see:** only two of the five mistakes give themselves away, the turned sign and the sum. The sum makes each
# step 32 times as long; with a learning rate 32 times smaller it would have hidden: the last row equals the first.
# The other three *learn*. One even starts faster than the right gradient and then stays behind, and the missing
# transpose costs so little that you would blame chance.
# **A falling loss does not prove a gradient. Only the check does.**
#
# ## 6 · The same lines on real digits, and the proof
#
# Our function `gradients` does not know how large the network is. With 784 inputs, 32 hidden units and 10 classes, for
# a batch of 100 digits, we compare it with the engine, and with TensorFlow's `GradientTape`, which records the forward
# pass on a tape and walks it backwards, as `Scalar` did. All in float64.

# %%
from toolkit import bridge  # here and not above: TensorFlow takes seconds to import
import tensorflow as tf

layers = [scratch.Dense(32, "relu"), scratch.Dense(10, "softmax")]
network = scratch.Sequential(layers, input_shape=784, seed=2, dtype="float64")
network.compile("sgd", "sparse_categorical_crossentropy")
weights = dict(zip(["W1", "b1", "W2", "b2"], network.get_weights()))

x, labels = digits.x_train[:100].astype("float64"), digits.y_train[:100]
y = np.eye(10)[labels]  # label 3 becomes the row 0 0 0 1 0 0 0 0 0 0

ours = gradients(x, y, **weights)
L_engine, engine = network.loss_and_gradients(x, labels)
model = bridge.to_keras(network)
with tf.GradientTape() as tape:
    L_tape = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(labels, model(x)))
taped = tape.gradient(L_tape, model.trainable_variables)

print(f"loss   ours {mean_loss(x, y, **weights):.12f}   engine {L_engine:.12f}   TensorFlow {float(L_tape):.12f}\n")
print("gradient  shape       largest entry   |ours − engine|   |ours − TensorFlow|")
for name, from_engine, from_tape in zip(weights, engine.values(), taped):
    g = ours[name]
    differences = np.abs(g - from_engine).max(), np.abs(g - from_tape.numpy()).max()
    print(f"d{name:<8} {g.shape!s:<11}{np.abs(g).max():14.4f}{differences[0]:18.1e}{differences[1]:22.1e}")

# %% [markdown]
# **What to see:** three programs, one gradient; the differences are rounding. The engine's `Dense` carries the same
# lines, and their formulas as well: `scratch.Dense.equations` in a cell shows them.
#
# ### Every number, step by step: the xray
#
# `toolkit.xray` opens one training step of *any* Keras or `scratch` model: forward, loss, backward, update, each step
# with its formula and its numbers. Here is our 2-2-2 network with the four samples of section 4. Press **step**, drag
# the slider, choose a sample; **sub-steps** opens each layer into the lines that we derived. (On a web page, without
# Python, you see the table and one picture instead. [How to read an xray](90_read_an_xray.ipynb) tells the rest.)

# %% alt="Four samples and the hidden layer's matrices: x, da, dz, dW, db and dx, each a heat map with its numbers"
from toolkit import xray

layers = [scratch.Dense(2, "relu", name="hidden"), scratch.Dense(2, "softmax", name="output")]
small = scratch.Sequential(layers, input_shape=2, dtype="float64", name="two_two_two")
small.set_weights([W1, b1, W2, b2])
t = xray.trace(small, x4, y4.argmax(axis=1), loss="sparse_categorical_crossentropy", optimizer="sgd")
proof = t.verify()  # raises an error if a number is not TensorFlow's
print(t)
print(f"{len(proof.rows)} tensors agree with TensorFlow and Keras, the worst to {proof.worst.error:.0e}")

hidden = next(step for step in t.steps if step.phase == "backward" and step.layer == "hidden")
dz = hidden.substeps[0].tensors["dz"]
shown = {name: hidden.tensors[name].value for name in ("x", "da")} | {"dz": dz.value}
shown |= {name: hidden.tensors[name].value for name in ("dW", "db", "dx")}
_, axes = plt.subplots(1, 6, figsize=(11.5, 2.6), layout="constrained", dpi=70)
for ax, (name, value) in zip(axes, shown.items()):
    plots.matrix(value + 0.0, ax=ax, title=f"{name} {value.shape}")
plt.show()
t.widget()

# %% [markdown]
# **What to see:** the hidden layer on the way back, for all four samples. Each row of $dz$ is the row of $da$ where the
# unit was on, and 0 where it was off; $dW = x^\top dz$ and $db$ add up the samples; $dx$ keeps one row for each.
#
# ## 7 · One step downhill
#
# The gradient points to where the loss grows fastest. Learning goes the other way, by a **learning rate** $\alpha$:
#
# $$ W \leftarrow W - \alpha\, dW $$
#
# For a small step the slope tells the gain beforehand: $L(\alpha) \approx L(0) - \alpha\, \lVert dW \rVert^2$, where
# $\lVert dW \rVert^2$ adds up the squares of all entries of all gradients. How small is small? And is the gradient's
# direction better than any other? We go up, down, and into a random direction, with steps of the same length.

# %%
x, y = digits.x_train[:1000].astype("float64"), np.eye(10)[digits.y_train[:1000]]
gradient = {name: g for name, g in gradients(x, y, **weights).items() if name in weights}
squared_length = sum((g**2).sum() for g in gradient.values())

rng = np.random.default_rng(0)
noise = {name: rng.standard_normal(g.shape) for name, g in gradient.items()}
shrink = np.sqrt(squared_length / sum((v**2).sum() for v in noise.values()))
directions = {
    "down the gradient": {name: -g for name, g in gradient.items()},
    "up the gradient": gradient,
    "random direction": {name: shrink * v for name, v in noise.items()},
}


def loss_after(alpha, direction):
    return mean_loss(x, y, **{name: W + alpha * directions[direction][name] for name, W in weights.items()})


alphas = np.linspace(0, 3, 61)
curves = {direction: [loss_after(alpha, direction) for alpha in alphas] for direction in directions}
L0 = mean_loss(x, y, **weights)
print(f"before the step L = {L0:.4f}, the slope promises −{squared_length:.4f}·α for a step down")
for alpha in (0.001, 0.01, 0.1, 1.0):
    after = loss_after(alpha, "down the gradient")
    print(f"α = {alpha:<6} promised L = {L0 - alpha * squared_length:.4f}   measured L = {after:.4f}")
down = np.array(curves["down the gradient"])
print(f"lowest at α = {alphas[down.argmin()]:.2f}; worse than no step from α = {alphas[1:][down[1:] > L0][0]:.2f}")


# %% alt="Loss after one step against the learning rate: downhill it falls, turns and rises; a dot marks the step"
def show_step(alpha, direction):
    loss = loss_after(alpha, direction)
    _, ax = plt.subplots(figsize=(7, 3.7), layout="constrained", dpi=90)
    for (name, curve), line in zip(curves.items(), ("-", "--", ":")):
        ax.plot(alphas, curve, line, lw=2.8 if name == direction else 1.4, label=name)
    ax.plot(alphas, L0 - alphas * squared_length, color="grey", lw=1, label="what the slope promises downhill")
    ax.plot(alpha, min(loss, 3.5), "o" if loss <= 3.5 else "^", ms=11, color="black", clip_on=False)
    ax.set(xlabel="learning rate α", ylabel="loss after the step", ylim=(1.7, 3.5))
    ax.set_title(f"One step {direction}, α = {alpha:.2f}")
    ax.legend(loc="upper right")
    plt.show()
    print(f"loss before the step = {L0:.3f}\nloss after the step = {loss:.3f}")


rate = widgets.FloatSlider(0.3, min=0, max=3, step=0.05, description="rate α")
way = widgets.Dropdown(options=list(directions), description="direction")
widgets.VBox([widgets.HBox([rate, way]), widgets.interactive_output(show_step, {"alpha": rate, "direction": way})])

# %% [markdown]
# **What to see:** the loss starts along the line that the slope promises, then bends off it. Too long a step leaves us
# higher than before: the gradient speaks only about *here*, so training takes many steps and asks again after each. The
# random direction is nearly flat: among thousands of weights, downhill is not found by luck.
#
# ## 8 · Your turn
#
# Replace each `...` and run the cell. The checker tells at once whether it is right and, if not, which mistake it was.
#
# **02.1** &nbsp; The sigmoid is $a = 1 / (1 + e^{-z})$. Derive its slope, write it in terms of $a$, and return $dz$
# from `z` and the upstream gradient `da`, both of shape $(N, M)$.


# %%
def sigmoid_backward(z, da):
    # BEGIN SOLUTION
    a = 1 / (1 + np.exp(-z))
    return da * a * (1 - a)
    # END SOLUTION


check("02.1", sigmoid_backward)

# %% [markdown]
# **02.2** &nbsp; A dense layer's product is $z = xW + b$, with `x` $(N, D)$ and `W` $(D, M)$. From `dz` $(N, M)$, the
# gradient of a loss that is a mean over the batch, return `dx, dW, db` in this order.


# %%
def dense_backward(x, W, dz):
    # BEGIN SOLUTION
    return dz @ W.T, x.T @ dz, dz.sum(axis=0)
    # END SOLUTION


check("02.2", dense_backward)

# %% [markdown]
# **02.3** &nbsp; The mean squared error is $L = \frac{1}{NC} \sum_{n,c} (\hat y_{nc} - y_{nc})^2$. Return
# $\partial L / \partial \hat y$ for `y` and `y_pred`, both of shape $(N, C)$.


# %%
def mse_gradient(y, y_pred):
    # BEGIN SOLUTION
    return 2 * (y_pred - y) / y.size
    # END SOLUTION


check("02.3", mse_gradient)

# %% [markdown]
# **02.4** &nbsp; *Find the bug.* Somebody wrote the way back through ReLU. The gradient check objects; why? Write it
# right. (Where $z$ is exactly 0 there is no slope; take 0, as TensorFlow does.)


# %%
class BuggyReLU(scratch.ReLU):
    def gradient(self, z, a, da):
        return da * (da > 0)


try:
    scratch.gradient_check(BuggyReLU(), np.array([[1.5, -0.5, 2.0, -1.0]]))
except GradientMismatchError as error:
    print(error)


def relu_backward(z, da):
    # BEGIN SOLUTION
    return da * (z > 0)
    # END SOLUTION


check("02.4", relu_backward)

# %% [markdown]
# **02.5** &nbsp; *Find the bug.* This update runs, raises nothing, and hardly learns. Write the right one: from `W`,
# its gradient `dW` and the learning rate `alpha`, return the new weights.


# %%
def buggy_step(W, dW, alpha):
    return W - alpha * dW**2


W = weights
for _ in range(30):
    W = {name: buggy_step(W[name], gradients(x, y, **W)[name], alpha=0.2) for name in W}
print(f"loss before {mean_loss(x, y, **weights):.3f}, after 30 of these steps {mean_loss(x, y, **W):.3f}")


def sgd_step(W, dW, alpha):
    # BEGIN SOLUTION
    return W - alpha * dW
    # END SOLUTION


check("02.5", sgd_step)

# %% [markdown]
# ## What you take with you
#
# | forward | backward | shape |
# |:---|:---|:---|
# | $L = -\frac1N \sum y \ln p,\;\; p = \mathrm{softmax}(z_2)$ | $dz_2 = \frac1N (p - y)$ | as $z_2$, $(N, C)$ |
# | $z = xW + b$ | $dW = x^\top dz,\;\; db = \sum_n dz_n,\;\; dx = dz\, W^\top$ | as $W$, $b$, $x$ |
# | $a = f(z)$ | $dz = da \odot f'(z)$ | as $z$, $(N, M)$ |
#
# What is used several times adds up what comes back. The $1/N$ comes in once, at the loss. A gradient is right when
# finite differences say so, not when the loss falls.
#
# **Next:** lesson 03, where the step downhill becomes an optimiser and the first weights are chosen well.
#
# **References.** D. Rumelhart, G. Hinton and R. Williams, *Learning representations by back-propagating errors*, 1986.
# I. Goodfellow, Y. Bengio and A. Courville, *Deep Learning*, chapter 6, 2016. A. Baydin, B. Pearlmutter, A. Radul and
# J. Siskind, *Automatic differentiation in machine learning: a survey*, 2018. Why a network can learn without the
# transpose: T. Lillicrap, D. Cownden, D. Tweed and C. Akerman, *Random synaptic feedback weights support error
# backpropagation for deep learning*, 2016.
