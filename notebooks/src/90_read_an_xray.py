# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "90"
#     title: Read an xray
#     goal: Read every part of an xray, of your own models too, and know what proves it
#     minutes: 20
#     prerequisites: ["02"]
# ---

# %% [markdown]
# # 90 · Read an xray
#
# An **xray** opens one training step of a model: forward, loss, backward, update. Each step comes with its formula, its
# shapes and its actual numbers, and with a proof that they are right. The lessons use it; this short page tells how to
# read it, and how to take one of a model of your own.
#
# **After this page** you can read every part of an xray, say what proves it, and let it look for what is wrong.
#
# **You need** the backward pass (lesson 02).

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown

from toolkit import data, models, plots, xray
from toolkit.classroom import check
import keras

# %% [markdown]
# ## 1 · Take one
#
# A model, one batch of samples, their labels, a loss and an optimiser, named as in `model.compile`. (What the model was
# compiled with need not be repeated.) The model stays as it is, whatever happens. Ours is a small convolutional network
# (lesson 05) that has not learned anything yet, and the batch has eight digits.

# %%
digits = data.load("mnist5k")
x, y = digits.x_train[:8], digits.y_train[:8]
model = models.image_classifier(filters=(4,), hidden=(6,), seed=0)
t = xray.trace(model, x, y, loss="sparse_categorical_crossentropy", optimizer="adam")
t

# %% [markdown]
# ## 2 · Three views
#
# `print(t)` is the table: a line for each **step**, in the order in which things happen. There are four **phases**:
#
# | phase | what happens | direction |
# |:---|:---|:---|
# | forward | each layer makes its output | from the input to the output |
# | loss | one number from output and labels, and its gradient | |
# | backward | each layer turns the gradient of its output into those of its weights and its input | back to the input |
# | update | the optimiser changes each weight | |
#
# The last columns have the *results* of a step: name, shape, and norm $\sqrt{\sum_i x_i^2}$. A norm that shrinks or grows
# by powers of ten from layer to layer on the way back is the first thing to look for.

# %%
print(t)

# %% [markdown]
# `t.widget()` is the same to step through, here in Jupyter; `t.to_html("page.html")` writes it as one file that opens
# anywhere, without Python or a network. It looks like this:
#
# ![A step of an xray, with eight numbered places that are explained in the text below.](pictures/read_an_xray.png)
#
# 1. **The network**, from left to right. The step's layer is framed; press any other. Below a name is the output's shape.
# 2. **Play and step;** the **sample** whose numbers are shown; **sub-steps** opens each layer into the lines of its formula.
# 3. **Scrub:** drag to any step. The colours below are the phases. On the keyboard: arrows step, space plays.
# 4. **Where you are:** phase, layer, its kind, what happens. *No derivation* would stand here, too (section 5).
# 5. **The formula with symbols**, and
# 6. **the same with numbers** in place of the symbols: a corner of each matrix, dots where it goes on. What has a row for
#    each sample shows the chosen one's, so $x$ and $dz$ have one row here, while $dW$ adds up the whole batch.
# 7. **The space** of each symbol: $\mathbb{R}^{N \times D}$ has $N$ rows, one for each sample, and $D$ columns.
# 8. **The tensors:** shape and type, a heat map, mean, deviation, norm, share of zeros, smallest and largest number.

# %%
t.widget()

# %% [markdown]
# ## 3 · A step and its parts
#
# What the views show is there for Python, too: `t.steps`. Here is the way back through the last layer, as a formula, and
# opened into its sub-steps. Each names its tensors as the formula does, with $d$something for the gradient of something.

# %%
number = next(k for k, step in enumerate(t.steps) if step.phase == "backward")
step = t.steps[number]
for part in step.substeps:
    print(f"{part.title:<12}", ", ".join(f"{name} {tensor.shape}" for name, tensor in part.tensors.items()))
Markdown(f"Step {number}, {step.phase}, {step.layer}:\n\n$$ {step.equation} $$")

# %% [markdown]
# ## 4 · Heat maps, and what you can choose
#
# White is 0, orange (in these lessons' figures: red) is positive, blue negative; the strongest colour is the largest size
# in the whole tensor. Small matrices carry their numbers, larger ones say them under the mouse or by the arrow keys.
#
# A screen has two directions, a tensor may have four. You choose the rest: the **sample**, and below a heat map what else
# is left: the **channel** of images $(N, H, W, C)$, the **head** of attention $(N, h, T_q, T_k)$. A recurrent layer has
# sub-steps for each **time step**; you choose one once they are open. In Python each choice is an index:

# %% alt="Left the four numbers of a corner of channel 2; right the whole channel: strokes of a digit's edge"
a = t.steps[0].tensors["a"]
print(f"a {a.shape}, axes {a.axes}, {a.statistics.zeros:.0%} zeros")
seen = a.value[3, :, :, 2]  # sample 3, channel 2
_, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained", dpi=70)
corner = {"rows": range(5, 11), "columns": range(7, 13)}
plots.matrix(seen[5:11, 7:13], ax=axes[0], title="rows 5-10, columns 7-12", **corner)
plots.matrix(seen, ax=axes[1], title="sample 3, channel 2")
plt.show()

# %% [markdown]
# ## 5 · "No derivation"
#
# For the layers of this course the xray knows the formulas and recomputes every line. Any *other* layer is shown as
# well: inputs, outputs, weights, and the gradients as TensorFlow gives them. It says **no derivation**, and why.

# %%
inputs = keras.Input((4,))
outputs = keras.layers.Dense(1)(keras.layers.UnitNormalization()(inputs))
u = xray.trace(keras.Model(inputs, outputs), np.ones((2, 4)), np.ones((2, 1)), loss="mse")
for step in u.steps:
    if step.phase == "forward":
        print(f"{step.layer}: {step.note or 'derived'}")

# %% [markdown]
# ## 6 · Why should you believe it?
#
# `t.verify()` compares: the run that was watched with one that was not; each sub-step in NumPy with what Keras gave; each
# gradient with TensorFlow's; the update with Keras's optimiser. If a number differs by more than rounding, it raises an
# error that names it. The error is *relative*: the largest difference, as a share of the largest number.

# %%
proof = t.verify()
for row in proof.rows[:2] + proof.rows[7:12]:
    print(f"{row.layer:<17} {row.tensor:<22} {row.what:<26} {row.error:.0e}")
print(f"… {len(proof.rows)} rows in all, the worst {proof.worst.error:.0e}, allowed {proof.worst.limit:.0e}")

# %% [markdown]
# ## 7 · The optimiser's step
#
# `t.update()` has, for each weight: before, gradient, every number of the optimiser's formula by its symbol, after.

# %%
update = t.update()
print(update)
for name, value in update["convolution_1/bias"].numbers.items():
    print(f"{name:>8}: {value}")

# %% [markdown]
# ## 8 · What is wrong?
#
# `t.diagnose()` looks for what practitioners look for: gradients that vanish or explode, dead ReLUs, saturation, inputs
# that are not scaled, labels that do not fit the loss, and more; with the evidence and a remedy. It also says what this
# batch is too small to tell. First ours, then a network whose biases somebody set to −50:

# %%
print(t.diagnose(), "\n")
bias = keras.initializers.Constant(-50.0)
hidden = keras.layers.Dense(32, "relu", bias_initializer=bias)
sick = keras.Sequential([keras.Input((784,)), hidden, keras.layers.Dense(10, "softmax")])
x64, y64 = digits.x_train[:64].reshape(64, 784), digits.y_train[:64]
print(xray.trace(sick, x64, y64, loss="sparse_categorical_crossentropy").diagnose())

# %% [markdown]
# ## 9 · Give it away
#
# One file, no network needed. From a terminal: `toolkit xray model.keras --sample digits:0-7 --html page.html`.

# %%
with tempfile.TemporaryDirectory() as folder:
    page = t.to_html(Path(folder) / "page.html")
    print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %% [markdown]
# ## Exercises
#
# **90.1 · What does the widget show?** A tensor `a` $(N, H, W, C)$ and the chosen `sample` and `channel`, counted from 0.
# Return the matrix of the heat map.


# %%
def heat_map(a, sample, channel):
    # BEGIN SOLUTION: return ...
    return a[sample, :, :, channel]
    # END SOLUTION


check("90.1", heat_map)

# %% [markdown]
# **90.2 · Prove it yourself.** Return the relative error of `ours` as section 6 has it; `theirs` is the reference, of the
# same shape.


# %%
def relative_error(ours, theirs):
    # BEGIN SOLUTION: return ...
    return np.abs(ours - theirs).max() / np.abs(theirs).max()
    # END SOLUTION


check("90.2", relative_error)

# %% [markdown]
# **90.3 · Find the bug: alive or dead?** A ReLU unit is *dead* for a batch if it gives 0 for **every** sample. Somebody
# took the share of zeros in `a` $(N, M)$ for the share of dead units. Why is that wrong for this `a`? Count the dead ones.


# %%
def dead_units_with_bug(a):
    return round(np.mean(a == 0) * a.shape[1])


a = np.array([[0.0, 1.2, 0.0], [0.7, 0.0, 0.0]])
print(f"unit 0 and unit 1 each fire once, and still this says that {dead_units_with_bug(a)} of 3 are dead")


def dead_units(a):
    # BEGIN SOLUTION: return ...
    return int((a == 0).all(axis=0).sum())
    # END SOLUTION


check("90.3", dead_units)

# %% [markdown]
# ## Recap
#
# - Four phases: forward, loss, backward, update. A step is a formula and its tensors; sub-steps are its lines.
# - Choose sample, channel, head or time step; colours are sizes, white is 0.
# - What has a formula is recomputed and compared; what has none says so. `verify()` fails loudly.
# - `update()` for the optimiser, `diagnose()` for what is wrong, `print`, `widget()`, `to_html()` to look.
#
# **Read on.** Drawing the computation to understand it: C. Olah, *Calculus on computational graphs*, 2015. What to look
# for in activations and gradients: X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward
# neural networks*, AISTATS 2010.
