# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "00"
#     title: "Start here: the tour"
#     goal: See a network learn to read digits, and see that formula, NumPy and Keras are one and the same
#     minutes: 10
#     prerequisites: []
# ---

# %% [markdown]
# # 00 · Start here
#
# Welcome! This course opens neural networks up until nothing is a black box any more. Every piece appears in **three
# views**,
#
# | the equation | the NumPy code | the Keras layer |
# |:---:|:---:|:---:|
# | $a = f(xW + b)$ | `f(x @ W + b)` | `keras.layers.Dense` |
#
# and each time we **prove** that the three give the same numbers. *One model, three views, held together by proof.*
#
# **After this tour** you have seen a network learn to read handwriting, changed its input, and met the exercises that
# tell you *which* mistake you made. **You need** a little Python, and ten minutes. No network connection, no graphics
# card.
#
# **How to use this page:** click into a cell and press <kbd>Shift</kbd>+<kbd>Enter</kbd> to run it and go on to the
# next. Change whatever you like: the text and the code are yours to play with.

# %%
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch
from toolkit.classroom import check

np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## 1 · Real handwriting
#
# These digits were written by real people. They came with the installation, so they are there without a network, too.

# %%
digits = data.load("mnist5k", flatten=True)
digits

# %% alt="Sixteen handwritten digits, each with its label above it"
plots.images(digits.x_train[:16].reshape(-1, 28, 28), titles=digits.y_train[:16], title="Images and their labels")
plt.show()

# %% [markdown]
# To us it is a digit. To the computer it is a table of numbers, from 0 (black) to 1 (white). Here is the
# first one as the computer gets it (every second row and column, to save room):

# %% alt="Every second pixel of the first image as a table of numbers from 0 to 1, shaded by their size: a five"
first = digits.x_train[0].reshape(28, 28)
_, ax = plt.subplots(figsize=(5.6, 5.2), dpi=80, layout="constrained")
even = range(0, 28, 2)
plots.matrix(first[::2, ::2], fmt=".1f", numbers=True, ax=ax, rows=even, columns=even)
ax.set(title=f"An image with the label {digits.y_train[0]}", xlabel="column", ylabel="row")
plt.show()

# %% [markdown]
# **The task:** from such numbers, find the label. It is remarkably hard to write down rules for that. So
# we let a machine *learn* it from examples.
#
# ## 2 · One layer, three views
#
# ### View 1: the equation
#
# An image becomes one long row of numbers, $x$. A layer multiplies it by a matrix of **weights** $W$, adds a **bias**
# $b$, and applies a function $f$. Here $f$ is the *softmax*, which makes probabilities out of any numbers.

# %%
Markdown("\n\n".join(f"$$ {line} $$" for line in scratch.Dense.equations.forward))

# %% [markdown]
# ### View 2: NumPy
#
# The toolkit has its own small engine in plain NumPy, `scratch`. Its code reads like the equation: here both stand side
# by side.

# %%
layer = scratch.Dense(10, "softmax")
layer.build((784,), seed=1)
W, b = layer.params["W"], layer.params["b"]
x = digits.x_test

z = x @ W + b
a = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)

for name, array in {"x": x, "W": W, "b": b, "z": z, "a": a}.items():
    print(f"{name}  {array.shape}")
print(f"largest difference between our two lines and scratch.Dense: {np.abs(a - layer.forward(x)).max():.1e}")

# %% [markdown]
# ### View 3: Keras
#
# Keras is the library with which such networks are built in practice. We give its layer the same $W$ and $b$. (Loading
# Keras takes a few seconds.)

# %%
from toolkit.quiet import silence_tensorflow

silence_tensorflow()  # keeps the log lines of Keras's engine off this page
import keras

keras_layer = keras.layers.Dense(10, activation="softmax")
keras_layer.build((None, 784))
keras_layer.set_weights([W, b])
a_keras = keras.ops.convert_to_numpy(keras_layer(x))

# %% [markdown]
# ### The proof

# %% alt="Two rows of ten probabilities, one from NumPy and one from Keras; the numbers are the same"
two_rows = [a[0], a_keras[0]]
plots.matrix(two_rows, rows=["NumPy", "Keras"], columns=digits.classes, fmt=".3f", title="The first test digit")
plt.show()
print(f"{a.size:,} numbers compared, largest difference: {np.abs(a - a_keras).max():.1e}")

# %% [markdown]
# **What to see:** column by column the same numbers. What is left of a difference is the rounding of the last digit
# that a `float32` can hold. Whenever a new layer, gradient or training rule appears in this course, it has to pass this
# test.
#
# These probabilities are not worth anything yet: $W$ is random. Let us change that.
#
# ## 3 · Watch a network learn
#
# Two layers, one behind the other. **Training** shows the network a few dozen digits, measures how wrong its answers
# are (the **loss**), nudges every weight a little in the direction that helps, and repeats. Run the next cells and
# watch.

# %%
network = scratch.Sequential([scratch.Dense(64, "relu"), scratch.Dense(10, "softmax")], input_shape=784, seed=0)
network.compile(scratch.Adam(0.001), "sparse_categorical_crossentropy")
print(network.summary())
before = network.evaluate(digits.x_test, digits.y_test)

# %% alt="Two curves over the epochs: the loss on the training digits and on the test digits, both falling"
losses = {"training digits": [], "test digits": []}
figure, ax = plt.subplots(figsize=(6.4, 3.4), dpi=90, layout="constrained")
picture = display(figure, display_id=True)
plt.close(figure)


def redraw(epoch, measures):
    losses["training digits"].append(measures["loss"])
    losses["test digits"].append(measures["val_loss"])
    ax.clear()
    plots.curves(losses, ax=ax, title="How wrong the network is")
    ax.set(xlim=(0.5, 12.5), ylim=(0, 1.2))
    picture.update(figure)


test = (digits.x_test, digits.y_test)
options = {"epochs": 12, "batch_size": 64, "validation_data": test, "verbose": False}
history = network.fit(digits.x_train, digits.y_train, on_epoch_end=redraw, **options)

# %% [markdown]
# **What to see:** both curves fall. The *test digits* took no part in the learning, so their curve says how well the
# network reads what it has never seen. It hardly falls any more while the other goes on: the network begins to
# learn its examples by heart.

# %%
after = network.evaluate(digits.x_test, digits.y_test)
Markdown(
    f"Before training, **{before['accuracy']:.1%}** of the {len(digits.x_test):,} test digits were read correctly, "
    f"no better than guessing. Now it is **{after['accuracy']:.1%}**."
)

# %% [markdown]
# What does it say to single digits? Above each stands the answer, and how sure the network is of it.

# %% alt="Sixteen test digits with the network's answer and its probability above each"
p = network.predict(digits.x_test)
answers = p.argmax(axis=1)
captions = [f"{answer}  ({p_n.max():.0%})" for answer, p_n in zip(answers, p)]
plots.images(digits.x_test[:16].reshape(-1, 28, 28), titles=captions[:16], title="Answers to the first test digits")
plt.show()

# %% [markdown]
# Mistakes teach more. These are the ones of which the network was *most* sure:

# %% alt="Eight test digits that were misread, each with its label and the network's wrong answer"
wrong = np.flatnonzero(answers != digits.y_test)
worst = wrong[np.argsort(-p[wrong].max(axis=1))][:8]
captions = [f"{digits.y_test[n]} read as {answers[n]}" for n in worst]
print(f"{len(wrong)} of {len(answers):,} were misread.")
plots.images(digits.x_test[worst].reshape(-1, 28, 28), titles=captions, title="The surest mistakes")
plt.show()

# %% [markdown]
# Some of them you might have misread, too. Others show that the network does not see as we do.
#
# ## 4 · Your turn: disturb it
#
# We add noise to a digit and look at what the network makes of it. The noise is random, but always the same for the
# same digit.


# %%
def disturbed(n, noise):
    """Test digit n with noise of the given strength, cut off at 0 and 1."""
    pattern = np.random.default_rng(n).normal(size=784)
    return np.clip(digits.x_test[n] + noise * pattern, 0, 1)


def show_answer(n, noise):
    image = disturbed(n, noise)
    p = network.predict(image[np.newaxis])[0]
    label = digits.y_test[n]
    print(f"p({label}) = {p[label]:.3f}   the network says {p.argmax()}, the label is {label}")
    _, (left, right) = plt.subplots(1, 2, figsize=(7.5, 2.6), layout="constrained", width_ratios=[1, 2])
    plots.images(image.reshape(1, 28, 28), ax=left, title=f"noise {noise:.1f}")
    bars = right.bar(digits.classes, p, color="#56B4E9", edgecolor="black")
    bars[label].set_hatch("//")
    right.set(ylim=(0, 1), xlabel="class (hatched: the label)", ylabel="probability p")
    plt.show()


# %% alt="Left a noisy digit, right a bar for the probability of each of the ten classes"
digit = widgets.IntSlider(0, min=0, max=99, description="digit")
noise = widgets.FloatSlider(0.3, min=0.0, max=2.0, step=0.1, description="noise")
shown = widgets.interactive_output(show_answer, {"n": digit, "noise": noise})
widgets.VBox([widgets.HBox([digit, noise]), shown])

# %% [markdown]
# **Try it:** move *noise* until the network changes its mind. Does it lose its certainty first, or is it *sure* of the
# wrong answer? Then try other digits. (If nothing moves, run the cells above first.)
#
# The same without sliders: first, sixteen digits with one strength of noise; then, all test digits with many strengths.

# %% alt="Sixteen noisy test digits, each with its label and the network's answer"
noisy = np.array([disturbed(n, 0.4) for n in range(16)])
captions = [f"{y} → {p.argmax()}" for y, p in zip(digits.y_test, network.predict(noisy))]
plots.images(noisy.reshape(-1, 28, 28), titles=captions, title="Noise 0.4: label → what the network says")
plt.show()

# %% alt="A curve: the accuracy on the test digits falls as the noise grows"
strengths = np.arange(0, 2.1, 0.2)
accuracy = []
for strength in strengths:
    noisy = [disturbed(n, strength) for n in range(len(digits.x_test))]
    accuracy.append(np.mean(network.predict(noisy).argmax(axis=1) == digits.y_test))

_, ax = plt.subplots(figsize=(6.4, 2.8), dpi=90, layout="constrained")
ax.plot(strengths, accuracy, "o-")
ax.axhline(0.1, linestyle=":", color="black")
ax.text(0, 0.03, "guessing")
ax.set(xlabel="noise", ylabel="accuracy", ylim=(0, 1), title="All test digits, more and more disturbed")
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# **What to see:** the accuracy drops fast, while *you* can still read most of the digits. The network has never seen
# noise in its training, and nothing told it to be careful.
#
# ## 5 · Exercises that know your mistake
#
# Each lesson ends with exercises. Replace the `...` by your answer and run the cell. `check` tells you at once whether
# it is right and, if it is one of the usual mistakes, *which* one it is. Nobody keeps score: try as often as you like.
#
# **00.1** &nbsp; The layer of section 2 has 784 inputs and 10 units. How many numbers does it learn, $W$ and $b$
# together?
#
# Somebody answered 7840. First you see what `check` told them; the cell after it is yours.

# %%
print(check("00.1", 7840))

# %%
# BEGIN SOLUTION: how_many = ...
how_many = 784 * 10 + 10
# END SOLUTION
check("00.1", how_many)

# %% [markdown]
# **00.2** &nbsp; For some image the network gives these ten probabilities. Which digit does it say?
#
# `[0.02, 0.01, 0.07, 0.61, 0.00, 0.15, 0.00, 0.03, 0.10, 0.01]`

# %%
# BEGIN SOLUTION: says = ...
says = 3
# END SOLUTION
check("00.2", says)


# %% [markdown]
# **00.3** &nbsp; Write a function that returns the **accuracy**: the share of the predictions that equal their labels.
# Both arguments are arrays of whole numbers.


# %%
def accuracy_of(labels, predictions):
    # BEGIN SOLUTION: return ...
    return np.mean(labels == predictions)
    # END SOLUTION


check("00.3", accuracy_of)

# %% [markdown]
# Stuck? *Which part of the lesson is this about?* usually helps more than the solution. And it is never forbidden to
# print something.
#
# ## Where to go next
#
# The lessons build on each other. Click on one, or open it from the list of files on the left.

# %%
from toolkit import lessons

rows = ["| # | lesson | goal | minutes | after |", "|---|:---|:---|---:|---|"]
for lesson in lessons.catalogue():
    link = f"[{lesson.title}]({lesson.name}.ipynb)" if lesson.number != "00" else "you are here"
    needed = ", ".join(lesson.prerequisites)
    rows.append(f"| {lesson.number} | {link} | {lesson.goal} | {lesson.minutes} | {needed} |")
Markdown("\n".join(rows))

# %% [markdown]
# **What you take with you.** A layer is $a = f(xW + b)$: an equation, a line of NumPy, a Keras layer, the same numbers.
# Learning means making a loss small by changing $W$ and $b$. How the numbers flow forward is lesson 01; how a network
# knows in which direction to change them is lesson 02.
#
# **References.** The digits: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, *Gradient-based learning applied to
# document recognition*, 1998. Learning by passing errors backwards: D. Rumelhart, G. Hinton and R. Williams, *Learning
# representations by back-propagating errors*, 1986.
