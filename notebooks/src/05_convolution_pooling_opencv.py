# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "05"
#     title: "Convolution, pooling, OpenCV"
#     goal: Build a convolutional network by hand and in Keras, see what it sees, and feed it real image files
#     minutes: 60
#     prerequisites: ["01", "02", "03", "04"]
# ---

# %% [markdown]
# # 05 · Convolution, pooling, OpenCV
#
# **After this lesson** you can compute a convolution and its gradients by hand, train a convolutional network (CNN) that
# beats the MLP of lesson 04, look at what it has learned, and bring any image file into the form that a network expects.
#
# **You need** the forward and the backward pass (01, 02) and the MLP (04).
#
# **The way.** why not one long row? → a window that slides → loops, then one matrix product → the backward pass → pooling
# → the proof that Keras agrees → train → what it sees → image files with OpenCV → your experiment
#
# **Why?** To the MLP of lesson 04 a digit is one row of 784 numbers. It does not know which pixels are neighbours, and every
# pixel has weights of its own. For us a digit that moves stays the same digit; the MLP has to learn each place anew. How
# much does that cost?

# %% alt="Four digits, and the same four moved three pixels to the right"
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch
from toolkit.classroom import check

digits = data.load("mnist5k")
x_train, y_train, x_test, y_test = digits.x_train, digits.y_train, digits.x_test, digits.y_test
print(f"x_train {x_train.shape}: images, height, width, channels; one channel, so grey")


def shift(x, right):
    """Moves images (N, H, W, C) to the right; what leaves on one side is ink-free and may come in on the other."""
    return np.roll(x, right, axis=2)


fig, axes = plt.subplots(1, 2, figsize=(8, 1.7), layout="constrained", dpi=80)
plots.images(x_train[:4], ax=axes[0], title="as they are")
plots.images(shift(x_train[:4], 3), ax=axes[1], title="three pixels to the right")
plt.show()


def flat(x):
    return x.reshape(len(x), -1)


mlp = scratch.Sequential(
    [scratch.Dense(128, "relu", kernel_initializer="he_normal"), scratch.Dense(10, "softmax")], input_shape=784
)
mlp.compile("adam", "sparse_categorical_crossentropy")
mlp.fit(flat(x_train), y_train, epochs=10, batch_size=64, verbose=False)
for right in (0, 1, 2, 3):
    accuracy = mlp.evaluate(flat(shift(x_test, right)), y_test)["accuracy"]
    print(f"MLP, digits moved by {right} pixels: {accuracy:.1%} right")

# %% [markdown]
# ## 1 · The picture: a window that slides
#
# A convolution looks at the image through a small window, here 3 × 3. In each place it multiplies the nine pixels with
# the nine numbers of a **kernel**, adds them up, and writes the sum into the output. The *same* kernel everywhere: so few
# weights, and what is found on the left is found on the right, too.

# %% alt="A 4 × 4 image, a 3 × 3 kernel that subtracts the left column from the right one, and the 2 × 2 output"
image = np.array([[1, 1, 0, 0], [1, 2, 0, 1], [0, 1, 3, 1], [1, 0, 1, 2]], dtype=float)
kernel = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], dtype=float)
output = np.array([[(image[i : i + 3, j : j + 3] * kernel).sum() for j in (0, 1)] for i in (0, 1)])

fig, axes = plt.subplots(1, 3, figsize=(8, 2.6), width_ratios=(4, 3, 2), layout="constrained", dpi=80)
for ax, values, title in zip(axes, (image, kernel, output), ("image x", "kernel W", "output z"), strict=True):
    plots.matrix(values, ax=ax, fmt=".0f", title=title)
axes[0].add_patch(plt.Rectangle((-0.48, -0.48), 3, 3, fill=False, lw=3))
axes[2].add_patch(plt.Rectangle((-0.48, -0.48), 0.97, 0.97, fill=False, lw=3))
plt.show()
print("top left, by hand: −(1 + 1 + 0) + (0 + 0 + 3) =", -(1 + 1 + 0) + (0 + 0 + 3))

# %% [markdown]
# **What to see:** the framed window gives the framed number. This kernel compares what is right with what is left: it
# answers to vertical edges.
#
# ## 2 · The equation
#
# For images $x\;(N, H, W, C)$ and $F$ kernels $W\;(k_h, k_w, C, F)$, each with a bias:
#
# $$ z_{nijf} = \sum_{u,v,c} x_{n,\,i+u,\,j+v,\,c}\; W_{uvcf} + b_f, \qquad a = f(z) $$
#
# It adds over the window *and* over the channels. Without a border, $H' = H - k_h + 1$. Two things can be chosen:
#
# - the **stride** $s$: how many pixels the window moves each time;
# - the **padding**: `valid` has none, `same` puts zeros around the image, so that stride 1 keeps the size.
#
# | | output height |
# |:--|:--|
# | `valid` | $\lfloor (H - k_h)/s \rfloor + 1$ |
# | `same` | $\lceil H/s \rceil$ |
#
# (Mathematicians turn the kernel round before they slide it and call ours *cross-correlation*. All deep learning
# libraries leave it as it is: the kernel is learned anyway.)
#
# ## 3 · In NumPy: loops, then one product
#
# First word for word, with a loop over the places of the output. Then the trick of all fast libraries, *im2col*: copy
# each window into a row of a big matrix $X\;(N H' W',\; k_h k_w C)$. Then the convolution is **a dense layer**, $Z = XW + b$.


# %%
def convolve_loops(x, W, b):
    (N, H, width, _), (kh, kw, _, F) = x.shape, W.shape
    z = np.zeros((N, H - kh + 1, width - kw + 1, F), x.dtype)
    for i in range(z.shape[1]):
        for j in range(z.shape[2]):
            window = x[:, i : i + kh, j : j + kw]
            z[:, i, j] = np.tensordot(window, W, axes=3) + b
    return z


def im2col(x, kh, kw):
    windows = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), axis=(1, 2))  # (N, H', W', C, kh, kw)
    return windows.transpose(0, 1, 2, 4, 5, 3)  # (N, H', W', kh, kw, C)


def convolve(x, W, b):
    kh, kw, C, F = W.shape
    windows = im2col(x, kh, kw)
    X = windows.reshape(-1, kh * kw * C)
    Z = X @ W.reshape(-1, F) + b
    return Z.reshape(*windows.shape[:3], F)


rng = np.random.default_rng(0)
x = rng.standard_normal((1, 28, 28, 8)).astype("float32")  # one image with eight channels
W, b = rng.standard_normal((3, 3, 8, 16)).astype("float32"), rng.standard_normal(16).astype("float32")
by_hand = convolve(image[None, :, :, None], kernel[:, :, None, None], np.zeros(1))[0, ..., 0]
print("the picture above once more:", by_hand.tolist())
print(f"largest difference of the two functions: {np.abs(convolve(x, W, b) - convolve_loops(x, W, b)).max():.0e}")


def milliseconds(function, repeats=20):
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        function(x, W, b)
        times.append(time.perf_counter() - begin)
    return 1000 * np.median(times)


loops, product = milliseconds(convolve_loops), milliseconds(convolve)
print(f"one image: with loops {loops:.1f} ms, with one product {product:.1f} ms")
print(f"X has {im2col(x, 3, 3).size / x.size:.1f} times the numbers of x: memory is the price")

# %% [markdown]
# **What to see:** both give the same numbers (up to the last digits of float32). The loops call Python 676 times for one
# image. Copying each pixel up to nine times buys a single matrix product, which processors are built for.
#
# OpenCV, the library for images, has the same operation: `cv2.filter2D`. It filters one grey image with one kernel, and
# it does not turn the kernel round either. Four kernels that people have drawn by hand, on a digit:

# %% alt="A seven, and four filtered versions: vertical edges, horizontal edges, blurred, sharpened"
hand_made = {
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "blur": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
}
seven = x_test[y_test == 7][:1]
fig, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained", dpi=80)
axes[0].imshow(seven[0, ..., 0], cmap="gray")
axes[0].set_title("x")
for ax, (name, k) in zip(axes[1:], hand_made.items(), strict=True):
    k = np.array(k, dtype="float32")
    ours = convolve(seven, k[:, :, None, None], 0)[0, ..., 0]
    opencv = cv2.filter2D(seven[0, ..., 0], -1, k)[1:-1, 1:-1]
    assert np.abs(ours - opencv).max() < 1e-5
    ax.imshow(ours, cmap="RdBu_r", vmin=-np.abs(ours).max(), vmax=np.abs(ours).max())
    ax.set_title(name, fontsize=10)
for ax in axes:
    ax.set_axis_off()
plt.show()
print("our convolution and cv2.filter2D agree for all four kernels")

# %% [markdown]
# **What to see:** red answers positively, blue negatively. A CNN does just this, but nobody draws its kernels: they are
# weights, and training finds them.
#
# ## 4 · The backward pass
#
# Since $Z = XW + b$ is a dense layer, lesson 02 has the gradients already:
#
# $$ dW = X^\top dZ, \qquad db = \textstyle\sum_{\text{rows}} dZ, \qquad dX = dZ\,W^\top $$
#
# One thing is new. A pixel stands in several rows of $X$, once for each window that sees it. A number used several times
# **adds up** what comes back, so $dx$ collects all of its places in $dX$. That is *col2im*, the reverse of *im2col*.


# %%
def convolve_backward(x, W, dz):
    kh, kw, C, F = W.shape
    X, dZ = im2col(x, kh, kw).reshape(-1, kh * kw * C), dz.reshape(-1, F)
    dW = (X.T @ dZ).reshape(W.shape)
    db = dZ.sum(axis=0)
    dX = (dZ @ W.reshape(-1, F).T).reshape(*dz.shape[:3], kh, kw, C)
    dx = np.zeros_like(x)
    for u in range(kh):
        for v in range(kw):
            dx[:, u : u + dz.shape[1], v : v + dz.shape[2]] += dX[:, :, :, u, v]
    return dx, dW, db


x, W, b = rng.standard_normal((2, 5, 6, 3)), rng.standard_normal((3, 3, 3, 4)), rng.standard_normal(4)
dz = rng.standard_normal(convolve(x, W, b).shape)
gradients = convolve_backward(x, W, dz)
numeric = (
    scratch.numerical_gradient(lambda v: (convolve(v, W, b) * dz).sum(), x),
    scratch.numerical_gradient(lambda v: (convolve(x, v, b) * dz).sum(), W),
    scratch.numerical_gradient(lambda v: (convolve(x, W, v) * dz).sum(), b),
)
for name, ours, differences in zip(("dx", "dW", "db"), gradients, numeric, strict=True):
    error = scratch.compare_gradients(ours, differences, name)
    print(f"{name} {ours.shape!s:<14} against finite differences: relative error {error:.1e}")

# How many windows see each pixel? Let every window send back 1 to each of its pixels:
seen = convolve_backward(np.zeros((1, 5, 6, 1)), np.ones((3, 3, 1, 1)), np.ones((1, 3, 4, 1)))[0]
print("windows that see each pixel of a 5 × 6 image:")
print(seen[0, ..., 0].astype(int))

# %% [markdown]
# **What to see:** the gradients are right, and the last table is the reason for the `+=`: a corner pixel stands in one
# window, a pixel in the middle in nine.
#
# ## 5 · Pooling
#
# Max pooling keeps the largest of each 2 × 2 block: the image is halved, and a stroke that moves by a pixel often gives
# the same result. It has no weights. Backward, the gradient goes to the pixel that won; the others had no influence.

# %% alt="A 4 × 4 image, its 2 × 2 maxima, and the gradient, which sits only where the maxima were"
pool = scratch.MaxPooling2D(2)
pooled = pool.forward(image[None, :, :, None])
dy = np.array([[10.0, 20.0], [30.0, 40.0]])
dx = pool.backward(dy[None, :, :, None])
fig, axes = plt.subplots(1, 4, figsize=(9, 2.5), width_ratios=(4, 2, 2, 4), layout="constrained", dpi=80)
shown = image, pooled[0, ..., 0], dy, dx[0, ..., 0]
for ax, values, title in zip(axes, shown, ("x", "y = max", "dy", "dx"), strict=True):
    plots.matrix(values, ax=ax, fmt=".0f", title=title)
plt.show()

# %% [markdown]
# **What to see:** each number of $dy$ arrives at one pixel. (Top right, two pixels of $x$ could have tied; here one is
# larger. In a tie the first one gets all, as in TensorFlow.)
#
# ## 6 · The network, in NumPy and in Keras
#
# Convolution 32 → pooling → convolution 64 → pooling → flatten → dense 10. `bridge.to_keras` makes the Keras twin with
# copies of the weights. Do outputs and all gradients agree?

# %%
from toolkit import bridge
import keras
import tensorflow as tf


def cnn(dtype="float32"):
    layers = [
        scratch.Conv2D(32, 3, activation="relu", kernel_initializer="he_normal"),
        scratch.MaxPooling2D(2),
        scratch.Conv2D(64, 3, activation="relu", kernel_initializer="he_normal"),
        scratch.MaxPooling2D(2),
        scratch.Flatten(),
        scratch.Dense(10, "softmax"),
    ]
    return scratch.Sequential(layers, input_shape=(28, 28, 1), dtype=dtype, name="cnn")


network = cnn("float64")
print(network.summary())
network.compile("sgd", "sparse_categorical_crossentropy")
model = bridge.to_keras(network)
x, y = x_train[:16].astype("float64"), y_train[:16]
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
# **What to see:** one network in two programs, once more. 34,826 weights, a third of the MLP's 101,770; most of them sit
# in the second convolution and in the dense layer at the end.
#
# ## 7 · Training
#
# `models.image_classifier` builds the same network in Keras; `training.fit` trains it, like `model.fit` but with less
# overhead. Beside it the MLP in Keras, on the same images.

# %% alt="Left: validation accuracy of CNN above MLP over eight epochs. Right: both fall as digits move, the MLP faster"
from toolkit import models, training

convolutional = models.image_classifier(dropout=0.25, seed=0)
dense = models.mlp(dropout=0.25, seed=0)
histories = {}
for name, model, f in (("CNN", convolutional, lambda x: x), ("MLP", dense, flat)):
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    validation = f(x_test), y_test
    begin = time.perf_counter()
    histories[name] = training.fit(
        model,
        f(x_train),
        y_train,
        epochs=8,
        batch_size=64,
        validation_data=validation,
        monitor="val_loss",
        verbose=False,
    )
    accuracy = histories[name].history["val_accuracy"][-1]
    print(f"{name}: {model.count_params():,} weights, {time.perf_counter() - begin:.0f} s, {accuracy:.1%} right")

moves = np.arange(5)
by_move = {
    "CNN": [np.mean(convolutional.predict(shift(x_test, r), verbose=0).argmax(1) == y_test) for r in moves],
    "MLP": [np.mean(dense.predict(flat(shift(x_test, r)), verbose=0).argmax(1) == y_test) for r in moves],
}
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", dpi=80)
plots.curves(histories, measure="val_accuracy", ax=left, title="on the test digits")
for (name, accuracies), line in zip(by_move.items(), ("o-", "s--"), strict=True):
    right.plot(moves, accuracies, line, label=name)
right.set(xlabel="moved to the right by … pixels", ylabel="accuracy", title="… and on moved ones", xticks=moves)
right.grid(alpha=0.3)
right.legend()
plt.show()
for name, accuracies in by_move.items():
    print(f"{name}:", *(f"{a:.1%}" for a in accuracies))

# %% [markdown]
# **What to see:** fewer weights, higher accuracy; and moved by a pixel or two the CNN loses far less. It is not immune:
# pooling forgives small moves, but the dense layer at its end still has a weight for each place. (All of MNIST takes the
# CNN above 99 %.)
#
# ## 8 · What it sees
#
# The kernels of the first convolution, and what they answer to one digit. The second convolution looks at all 32 of these
# maps at once, so its windows cover more of the digit.
#
# Then the way back: what does the loss of this digit say to each place of these maps? `toolkit.xray` traces one step of
# the network; its numbers are compared with TensorFlow's. Step through it, and choose the **channel** under a heat map.

# %% alt="Left, 32 kernels of 3 × 3 weights; right, the 32 feature maps of a digit, edges and strokes lit up"
first = convolutional.get_layer("convolution_1")
maps = first(seven)[0].numpy()
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 5.2), layout="constrained", dpi=70)
plots.filters(first.get_weights()[0], columns=6, ax=left, title="32 kernels, 3 × 3")
plots.feature_maps(maps, columns=6, ax=right, title="32 feature maps of the seven, 26 × 26")
plt.show()
print(f"{(maps.max(axis=(0, 1)) == 0).sum()} of the 32 maps are silent on this digit")

# %% alt="Above, four feature maps of the seven; below, the gradient at each of their places: single dots along the strokes"
from toolkit import xray

t = xray.trace(convolutional, seven, y_test[y_test == 7][:1], loss="sparse_categorical_crossentropy")
proof = t.verify()
print(f"loss {t.loss:.4f}; {len(proof.rows)} tensors are TensorFlow's, the worst to {proof.worst.error:.0e}")
back = next(step for step in t.steps if step.phase == "backward" and step.layer == "convolution_1")
a, da = maps, back.tensors["da"].value[0]
strongest = np.argsort(-np.abs(da).max(axis=(0, 1)))[:4]

fig, axes = plt.subplots(2, 4, figsize=(8.5, 4.2), layout="constrained", dpi=70)
for (top, bottom), f in zip(axes.T, strongest, strict=True):
    limit = np.abs(da[..., f]).max()
    top.imshow(a[..., f], cmap="viridis")
    bottom.imshow(da[..., f], cmap="RdBu_r", vmin=-limit, vmax=limit)
    top.set_title(f"a, map {f}", fontsize=10)
    bottom.set_title(f"∂L/∂a, up to {limit:.0e}", fontsize=10)
for ax in axes.flat:
    ax.set_axis_off()
plt.show()
print(f"{np.mean(da == 0):.0%} of the gradient's numbers are 0; a 2 × 2 block with a single winner has 75%")
t.widget()

# %% [markdown]
# **What to see:** some maps light up at the upper edges, some at the left ones, some copy the digit. Compare them with
# the kernels that we drew by hand. On the way back the gradient comes through the max pooling of section 5, so in each
# 2 × 2 block at most *one* place gets any: dots, blue where a brighter map would lower the loss, red where it would
# raise it.
#
# ## 9 · From an image file to the network: OpenCV
#
# Real images are files: large, coloured, in the wrong orientation. We make a "photograph" of a digit, blue ink on
# slightly uneven yellow paper, and save it as a JPEG. Then we read it as tutorials do, with `cv2.imread`.

# %% alt="The photograph in right colours, blue on yellow, and in wrong colours, brown ink on blue paper"
folder = TemporaryDirectory()  # gone when the lesson ends
photo_path = Path(folder.name) / "my_digit.jpg"


def photograph(digit, path):
    """Blue ink on yellow paper, 320 × 240, unevenly lit, with noise; written as cv2 wants it: BGR."""
    ink = cv2.resize(digit, (200, 200), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    ink = cv2.copyMakeBorder(ink, 20, 20, 60, 60, cv2.BORDER_CONSTANT)[..., None]
    light = np.linspace(0.75, 1, 320)[None, :, None]
    paper, blue = np.array([250, 240, 190]), np.array([30, 40, 160])  # red, green, blue
    rgb = light * (ink * blue + (1 - ink) * paper) + np.random.default_rng(0).normal(0, 3, (240, 320, 3))
    cv2.imwrite(str(path), rgb.clip(0, 255).astype("uint8")[..., ::-1])


photograph(seven[0, ..., 0], photo_path)
read = cv2.imread(str(photo_path))
print(f"cv2.imread: shape {read.shape} (height, width, channels), {read.dtype}, {read.min()} to {read.max()}")
fig, axes = plt.subplots(1, 2, figsize=(7, 2.7), layout="constrained", dpi=64)
axes[0].imshow(cv2.cvtColor(read, cv2.COLOR_BGR2RGB))
axes[0].set_title("cv2.cvtColor(…, COLOR_BGR2RGB)")
axes[1].imshow(read)
axes[1].set_title("the array as it was read")
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# **What to see:** `cv2.imread` returns **B**lue, **G**reen, **R**ed. Matplotlib and most networks expect R, G, B: the right
# picture shows what they get if nobody turns the channels round. Nothing fails; it is only wrong.
#
# The network was trained on 28 × 28, grey, in [0, 1], **bright ink on dark**. So the steps are: grey → invert → crop to a
# square → shrink (`INTER_AREA` averages, where other interpolations skip pixels) → scale.

# %% alt="Five stages of the photograph, from colour to a 28 × 28 image, bright on dark"
grey = cv2.cvtColor(read, cv2.COLOR_BGR2GRAY)  # 0.299 R + 0.587 G + 0.114 B
inverted = 255 - grey
square = inverted[:, 40:280]
small = cv2.resize(square, (28, 28), interpolation=cv2.INTER_AREA)
scaled = small.astype("float32") / 255
paper = np.quantile(scaled, 0.5)  # the paper is not quite white: what is no ink becomes 0
normalised = ((scaled - paper) / (scaled.max() - paper)).clip(0, 1)

stages = {"grey": grey, "inverted": inverted, "square": square, "28 × 28": small, "normalised": normalised}
fig, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained", dpi=80)
for ax, (name, stage) in zip(axes, stages.items(), strict=True):
    ax.imshow(stage, cmap="gray", vmin=0, vmax=1 if stage.dtype == "float32" else 255)
    ax.set_title(f"{name}\n{stage.shape}", fontsize=9)
    ax.set_axis_off()
plt.show()
for name, image_in in (("normalised", normalised), ("only scaled", scaled), ("not inverted", grey_small := 1 - scaled)):
    probabilities = convolutional.predict(image_in[None, :, :, None], verbose=0)[0]
    print(f"{name:>12}: a {probabilities.argmax()} with {probabilities.max():.0%}")

# %% [markdown]
# **What to see:** the same photograph, three preparations. A network answers whatever it is given, also what it was never
# trained on; only the right preparation makes the answer worth something.
#
# `toolkit.images.ImagePreprocessor` does these steps for files and arrays, says what each did, and never passes BGR on by
# accident.
#
# And **augmentation** makes more images from few: a digit that is turned, moved or partly hidden is still that digit, so
# training may see it a little different in every epoch. The changes are drawn from a seed, the same each time the lesson
# runs; test images are never changed.

# %% alt="One digit in sixteen versions: turned, moved, partly hidden"
from toolkit.images import Augment, ImagePreprocessor

preprocessor = ImagePreprocessor(size=(28, 28), colour="grey", resize="crop")
stages = preprocessor.preprocess(photo_path)
for stage in stages:
    print(f"{stage.name:>10} {stage.image.shape!s:<14} {stage.image.dtype!s:<8} {stage.range:<15} {stage.note}")

augment = Augment(rotate=20, shift=0.12, cutout=0.25)
print(augment)
uint8 = (255 * x_train[3]).astype("uint8")
versions = [augment(uint8, np.random.default_rng(seed)) for seed in range(16)]
plots.images(np.array(versions), columns=8, title="one digit, sixteen epochs")
plt.show()

# %% [markdown]
# ## 10 · Your experiment
#
# Which kernel finds what? Move the nine weights and look at the answer. Try to find: a kernel for diagonal strokes; one
# that answers 0 to any area of one brightness (what must its weights add up to?); one that moves the image by a pixel.

# %% alt="A digit and its convolution with the chosen kernel"
picture = x_test[y_test == 8][0, ..., 0]
sliders = [
    widgets.FloatSlider(v, min=-2, max=2, step=0.5, layout={"width": "200px"}) for v in (0, 1, 2, -1, 0, 1, -2, -1, 0)
]


def experiment(**weights):
    kernel = np.array(list(weights.values())).reshape(3, 3)
    answer = convolve(picture[None, :, :, None], kernel[:, :, None, None], 0)[0, ..., 0]
    _, axes = plt.subplots(1, 3, figsize=(8, 2.7), layout="constrained", dpi=80)
    axes[0].imshow(picture, cmap="gray")
    plots.matrix(kernel, ax=axes[1], fmt=".1f", title=f"adds up to {kernel.sum():.1f}")
    limit = np.abs(answer).max() or 1
    axes[2].imshow(answer, cmap="RdBu_r", vmin=-limit, vmax=limit)
    for ax in axes[::2]:
        ax.set_axis_off()
    plt.show()
    print(f"the answer goes from {answer.min():.2f} to {answer.max():.2f}")


names = [f"W{u}{v}" for u in range(3) for v in range(3)]
grid = widgets.GridBox(sliders, layout={"grid_template_columns": "repeat(3, 210px)"})
display(grid, widgets.interactive_output(experiment, dict(zip(names, sliders, strict=True))))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **05.1 · How large is the output?** The output height of a convolution: image height `n`, kernel height `k`, stride `s`,
# padding `"valid"` or `"same"`.


# %%
def output_size(n, k, s, padding):
    # BEGIN SOLUTION: return ...
    if padding == "same":
        return -(-n // s)
    return (n - k) // s + 1
    # END SOLUTION


check("05.1", output_size)

# %% [markdown]
# **05.2 · Count.** How many parameters has a convolution with 64 kernels of 3 × 3 on an image with 32 channels?

# %%
# BEGIN SOLUTION: parameters = ...
parameters = 3 * 3 * 32 * 64 + 64
# END SOLUTION
check("05.2", parameters)

# %% [markdown]
# **05.3 · Convolve.** One grey image `x` $(H, W)$, one `kernel` $(k, k)$, stride 1, no padding, no bias. Loops are welcome.


# %%
def convolve_one(x, kernel):
    # BEGIN SOLUTION: return ...
    k = len(kernel)
    rows, columns = len(x) - k + 1, len(x[0]) - k + 1
    return np.array([[(x[i : i + k, j : j + k] * kernel).sum() for j in range(columns)] for i in range(rows)])
    # END SOLUTION


check("05.3", convolve_one)

# %% [markdown]
# **05.4 · Back through max pooling.** `x` $(H, W)$ was pooled in blocks of 2 × 2 (no ties). `dy` $(H/2, W/2)$ comes back.
# Return `dx`.


# %%
def max_pooling_backward(x, dy):
    # BEGIN SOLUTION: return ...
    H, W = x.shape
    blocks = x.reshape(H // 2, 2, W // 2, 2)
    won = blocks == blocks.max(axis=(1, 3), keepdims=True)
    return (won * dy[:, None, :, None]).reshape(H, W)
    # END SOLUTION


check("05.4", max_pooling_backward)

# %% [markdown]
# **05.5 · Find the bug: the blue orange.** `load` is to give an image in the order R, G, B with values in [0, 1]. `read`
# is what `cv2.imread` returned. Two things are wrong.


# %%
def load(read):
    return read.astype("float32") / read.max()


orange = np.full((1, 1, 3), (0, 128, 200), dtype="uint8")  # blue, green, red
print("comes out as R, G, B =", [round(float(v), 2) for v in load(orange)[0, 0]], "(more blue than red)")


def load_mended(read):
    # BEGIN SOLUTION: return ...
    return read[..., ::-1].astype("float32") / 255
    # END SOLUTION


check("05.5", load_mended)

# %% [markdown]
# **05.6 · Find the bug: one channel into three.** A network trained on colour photographs expects $(N, H, W, 3)$. A grey
# image is $(H, W)$. The function below has the right *shape*, so nothing complains. What does the network see?


# %%
def to_three_channels(grey):
    H, W = grey.shape
    return np.resize(grey, (1, H, W, 3))


mixed = to_three_channels(np.arange(16.0).reshape(4, 4))
print("the three channels of the first pixel, which all should be 0:", mixed[0, 0, 0].tolist())


def to_three_channels_mended(grey):
    # BEGIN SOLUTION: return ...
    return np.repeat(grey[None, :, :, None], 3, axis=3)
    # END SOLUTION


check("05.6", to_three_channels_mended)

# %% [markdown]
# ## Recap
#
# - A convolution is a dense layer that looks through a window: the same few weights in every place. With *im2col* it *is*
#   a matrix product, so its gradients are those of the dense layer; a pixel adds up what all of its windows send back.
# - Pooling halves the image and forgives small moves; its gradient goes to the pixel that won.
# - NumPy and Keras compute the same CNN. With a third of the MLP's weights it is better, most clearly on moved digits.
# - `cv2.imread` gives BGR and `(height, width, channels)`. Size, channels, range and brightness must be those of training.
# - Augmentation is for training only.
#
# **Read on.** LeCun et al.: *Backpropagation applied to handwritten zip code recognition*, Neural Computation 1 (1989).
# LeCun, Bottou, Bengio, Haffner: *Gradient-based learning applied to document recognition*, Proceedings of the IEEE 86
# (1998). Dumoulin, Visin: *A guide to convolution arithmetic for deep learning*, arXiv:1603.07285 (2016). Zeiler, Fergus:
# *Visualizing and understanding convolutional networks*, ECCV (2014). Azulay, Weiss: *Why do deep convolutional networks
# generalize so poorly to small image transformations?*, JMLR 20 (2019).
#
# **Next:** lesson 06 reads: texts become numbers.
