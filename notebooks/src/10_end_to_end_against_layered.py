# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "10"
#     title: "End-to-end against layered learning"
#     goal: Train one network all at once and block by block, measure both, and check the usual claims against intervals
#     minutes: 75
#     prerequisites: ["02", "03", "04"]
# ---

# %% [markdown]
# # 10 · End-to-end against layered learning
#
# **After this lesson** you can train a network block by block by hand, say what each way costs and brings, and answer
# "which is better?" with an interval instead of an opinion.
#
# **You need** the chain rule through layers (02), gradient descent (03), the digits classifier (04).
#
# **The way.** two ways → the equations, by hand → in NumPy → Keras agrees → why outputs are stored → other ways to teach
# a layer → the comparison: accuracy, cost, what each layer holds → few labels, wrong labels, depth → the claims, filled in

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, scratch
from toolkit.classroom import check
from toolkit.training import layerwise

layerwise.count_memory()  # TensorFlow must be told before it starts
import keras

FULL = os.environ.get("TOOLKIT_PROFILE") == "full"  # MNIST for small digits: toolkit lessons run 10 --profile full
digits = data.load("digits", flatten=True)
print(f"{len(digits.x_train)} images of 8 × 8 pixels to learn from, {len(digits.x_test)} to be tested on once")

# %% [markdown]
# ## 1 · The picture: one loss, or one for each block
#
# A network of blocks $f_1, f_2, f_3$ and a head $g$ can learn in two ways. **End to end**, one loss at the top sends its
# gradient down through everything. **Layered**, each block gets a small head of its own, learns, and is frozen; the next
# one learns on its outputs. The heads are thrown away.

# %% alt="Left: three blocks under one loss, an arrow back through all. Right: each block under a head and a loss of its own"
fig, axes = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained", dpi=80)
for ax, title in zip(axes, ("end to end: one loss", "layered: a loss for each block"), strict=True):
    for k in range(3):
        ax.text(
            2 * k, 0, f"$f_{k + 1}$", ha="center", va="center", bbox={"boxstyle": "round", "fc": "#cfe3f2"}, size=14
        )
        ax.annotate("", (2 * k - 0.4, 0), (2 * k - 1.6, 0), arrowprops={"arrowstyle": "->"})
    ax.text(-1.9, 0, "x", ha="center", va="center", size=13)
    ax.set(xlim=(-2.2, 6.6), ylim=(-1.4, 1.6), title=title)
    ax.axis("off")
axes[0].text(6, 0, "g, L", ha="center", va="center", bbox={"boxstyle": "round", "fc": "#f7d9c4"}, size=12)
axes[0].annotate("", (5.5, 0), (4.4, 0), arrowprops={"arrowstyle": "->"})
axes[0].annotate("", (0, -0.9), (6, -0.9), arrowprops={"arrowstyle": "->", "color": "#D55E00", "lw": 2})
axes[0].text(3, -1.3, "gradient", ha="center", color="#D55E00")
for k in range(3):
    head = f"$g_{k + 1}, L_{k + 1}$"
    axes[1].text(2 * k, 1.1, head, ha="center", va="center", bbox={"boxstyle": "round", "fc": "#f7d9c4"}, size=12)
    axes[1].annotate(
        "", (2 * k + 0.25, 0.35), (2 * k + 0.25, 0.8), arrowprops={"arrowstyle": "->", "color": "#D55E00", "lw": 2}
    )
plt.show()

# %% [markdown]
# ## 2 · The equations, with numbers to check by hand
#
# With $h_0 = x$ and $h_k = f_k(h_{k-1})$:
#
# $$ \text{end to end:}\quad \min_{f_1 \dots f_K,\, g} L\big(y,\, g(h_K)\big) \qquad\qquad
# \text{stage } k:\quad \min_{f_k,\, g_k} L\big(y,\, g_k(f_k(h_{k-1}))\big),\quad h_{k-1} \text{ constant} $$
#
# The smallest network: $f_1(x) = w_1 x$, $f_2(h) = w_2 h$, $g(h) = v h$, a temporary head $g_1(h) = u h$, and
# $L = \tfrac12(\hat y - y)^2$. Both ways look at $w_1$ and ask for different things:

# %%
x, y = 2.0, 1.0
w1, w2, v, u = 1.0, 0.5, 2.0, 1.5

end_to_end = (v * w2 * w1 * x - y) * v * w2 * x  # ∂L/∂w₁ through the whole chain
greedy = (u * w1 * x - y) * u * x  # ∂L₁/∂w₁: the block hears only its own head
print(f"end to end: ŷ = 2 · 0.5 · 1 · 2 = {v * w2 * w1 * x}, dw₁ = (2 − 1) · 2 · 0.5 · 2 = {end_to_end}")
print(f"stage 1:    ŷ₁ = 1.5 · 1 · 2 = {u * w1 * x},     dw₁ = (3 − 1) · 1.5 · 2 = {greedy}")

# %% [markdown]
# In stage 1, $w_2$ and $v$ do not appear at all. Block 1 learns to be useful for *its own* head, whatever comes later.
#
# ## 3 · In NumPy
#
# A stage is an ordinary small network: block and head. Its block's outputs are the next stage's data.


# %%
def stage(h, y, units, seed):
    """Trains a block with a head on fixed inputs h; returns the small network and the block's outputs."""
    layers = [scratch.Dense(units, "relu"), scratch.Dense(10, "softmax")]
    net = scratch.Sequential(layers, input_shape=h.shape[1], seed=seed, dtype="float64")
    start = [w.copy() for w in net.get_weights()]
    net.compile(scratch.SGD(0.5), "sparse_categorical_crossentropy")
    history = net.fit(h, y, epochs=40, batch_size=len(h), verbose=False)  # plain gradient descent
    return net, start, layers[0].forward(h), history.history["loss"]


x, y = digits.x_train.astype("float64"), digits.y_train
net1, start1, h1, loss1 = stage(x, y, units=32, seed=1)
net2, start2, h2, loss2 = stage(h1, y, units=32, seed=2)
print(f"stage 1: x {x.shape} → h₁ {h1.shape}, loss {loss1[0]:.3f} → {loss1[-1]:.3f}")
print(f"stage 2: h₁ {h1.shape} → h₂ {h2.shape}, loss {loss2[0]:.3f} → {loss2[-1]:.3f}")

# %% [markdown]
# ## 4 · Keras agrees
#
# `layerwise.greedy` does the same to a whole Keras model: it splits it into blocks, gives block 1 a temporary head, stores
# its outputs, and trains block 2 with the model's own head. Same starting weights, same steps:

# %%
for set_precision in (keras.config.set_floatx, keras.config.set_dtype_policy):
    set_precision("float64")
model = keras.Sequential(
    [
        keras.Input((64,)),
        keras.layers.Dense(32, "relu", name="block_1"),
        keras.layers.Dense(32, "relu", name="block_2"),
        keras.layers.Dense(10, "softmax", name="head"),
    ]
)
model.set_weights([*start1[:2], *start2])
model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
constant = keras.initializers.Constant
record = layerwise.greedy(
    model,
    x,
    y,
    epochs=40,
    batch_size=len(x),
    head=lambda shape: [keras.layers.Dense(10, "softmax", kernel_initializer=constant(start1[2]))],
    verbose=False,
)
ours = [*net1.get_weights()[:2], *net2.get_weights()]
apart = max(np.abs(a - b).max() for a, b in zip(ours, model.get_weights(), strict=True))
print(f"largest difference of any weight after 80 steps, NumPy against Keras: {apart:.0e}")
assert apart < 1e-10
for set_precision in (keras.config.set_floatx, keras.config.set_dtype_policy):
    set_precision("float32")
record.frame()[["epochs", "loss", "trainable_parameters", "seconds"]].round(3)

# %% [markdown]
# ## 5 · Why the outputs are stored
#
# A frozen block gives the same outputs in every epoch. So they are computed once and stored, instead of sending every batch
# through all frozen blocks again. Here a network of five blocks, both ways; what changes is the time, not the result. And,
# beside them, the memory: what TensorFlow holds at most while it trains, beyond what was there before.


# %% alt="Milliseconds of one epoch for each of five blocks, once with stored outputs and once recomputed"
def deep(seed, depth=6, units=64, activation="relu", rate=0.005):
    keras.utils.set_random_seed(seed)
    start = "he_uniform" if activation == "relu" else "glorot_uniform"
    hidden = [
        keras.layers.Dense(units, activation, kernel_initializer=start, name=f"hidden_{k + 1}") for k in range(depth)
    ]
    inputs = (MAIN.x_train.shape[1],)
    network = keras.Sequential([keras.Input(inputs), *hidden, keras.layers.Dense(10, "softmax", name="probabilities")])
    network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


MAIN = digits
ways = {"stored": {}, "recomputed": {"cache": False}, "end to end": {"blocks": ["hidden_5"]}}  # one block of all layers
networks, records = {}, {}
for name, way in ways.items():
    networks[name] = deep(0, 5, units=512)
    records[name] = layerwise.greedy(
        networks[name], digits.x_train, digits.y_train, epochs=4, batch_size=len(digits.x_train), verbose=False, **way
    )

fig, ax = plt.subplots(figsize=(6.4, 2.9), layout="constrained", dpi=80)
epoch = {name: [min(stage.history.seconds[1:]) for stage in records[name]] for name in ("stored", "recomputed")}
for (name, seconds), line in zip(epoch.items(), ("o-", "s--"), strict=True):
    ax.plot(range(1, 6), 1000 * np.array(seconds), line, label=name)
ax.set(xlabel="block", ylabel="ms for one epoch", ylim=(0, None))
ax.grid(alpha=0.3)
ax.legend()
plt.show()
pairs = zip(networks["stored"].get_weights(), networks["recomputed"].get_weights(), strict=True)
apart = max(np.abs(a - b).max() for a, b in pairs)
gain = np.array(epoch["recomputed"]) / np.array(epoch["stored"])
print(f"the last block learns {gain[-1]:.1f} times as fast on stored outputs; weights differ by at most {apart:.0e}")
for name, record in records.items():
    stored = max(stage.feature_bytes for stage in record)
    print(f"{name:10} memory at the height {record.peak_bytes / 1e6:5.1f} MB, stored outputs {stored / 1e6:.1f} MB")

# %% [markdown]
# ## 6 · Other ways to teach a layer
#
# **Without labels.** In a *stacked autoencoder* each block learns, with a decoder, to give back its own input; then a
# classifier goes on top, and all is fine-tuned: $\min \frac1D\lVert g_k(f_k(h_{k-1})) - h_{k-1}\rVert^2$. It was this
# trick that made deep networks trainable in 2006.
#
# **Without any way back.** In *Forward-Forward* (2022) a layer sees each sample twice, with its true label and with a wrong
# one. Its **goodness** $G = \frac1M\lVert h \rVert^2$ is to be high for the true and low for the wrong one:
#
# $$ L = \log(1 + e^{\theta - G^+}) + \log(1 + e^{G^- - \theta}), \qquad
# \frac{\partial L}{\partial h^+} = -\sigma(\theta - G^+)\,\frac{2h^+}{M} $$


# %%
def goodness(h):
    return (h**2).mean()


def positive_loss(h, theta=1.0):
    return np.log(1 + np.exp(theta - goodness(h)))


h = np.array([1.0, 3.0])
sigma = 1 / (1 + np.exp(-(1.0 - goodness(h))))
by_formula = -sigma * 2 * h / len(h)
by_differences = scratch.numerical_gradient(lambda h: positive_loss(h), h)
print("G by hand: (1² + 3²) / 2 = 5; computed", goodness(h))
print("∂L/∂h by the formula  ", by_formula.round(6))
print("∂L/∂h by differences  ", by_differences.round(6))

# %% [markdown]
# **Stages of different kinds.** Stages need not have the same task. Here the first compresses images (its loss: the
# error of reconstruction), the second names digits from the 16 numbers that are left. Each is trained and tested alone; one
# is replaced; then all become one Keras model.

# %%
from toolkit.training.layerwise import Stage, StagedPipeline

keras.utils.set_random_seed(0)
layers = keras.layers
encoder = keras.Sequential([keras.Input((64,)), layers.Dense(16, "relu")])
decoder = keras.Sequential([keras.Input((16,)), layers.Dense(64)])
linear = keras.Sequential([keras.Input((16,)), layers.Dense(10, "softmax")])
wider = keras.Sequential([keras.Input((16,)), layers.Dense(64, "relu"), layers.Dense(10, "softmax")])
task = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], "epochs": 15}

pipeline = StagedPipeline(
    [Stage("compress", encoder, "mse", "input", decoder, epochs=15), Stage("name", linear, **task)]
)
pipeline.fit(digits.x_train, digits.y_train, verbose=False)
first = pipeline.evaluate(digits.x_train, digits.y_train)
pipeline.replace("name", Stage("name", wider, **task))
pipeline.fit(digits.x_train, digits.y_train, verbose=False)  # trains the new stage only
second = pipeline.evaluate(digits.x_train, digits.y_train)
print("trained in the second call:", [stage.name for stage in pipeline.history])
joined = pipeline.join()
print(
    f"one model of {joined.count_params():,} weights; joined − stage by stage: "
    f"{np.abs(joined.predict(digits.x_test, verbose=0) - pipeline.predict(digits.x_test)).max():.0e}"
)
display(first.join(second, lsuffix=" (linear)", rsuffix=" (wider)").round(3))

# %% [markdown]
# ## 7 · The comparison
#
# One architecture, four ways to learn it, five seeds. Per seed, all start from the same weights. **The budget** is the
# same in updates: every weight is changed equally often, in whatever stage. **The test set** is used once a run, at the
# end. So the learning rate must be chosen without it: a quarter of the training images is held out, and the rate is taken
# that serves *end to end* best there. Then the comparison, on all training images. **±** is half of a 95 % interval of the
# mean over the seeds ($t\,s/\sqrt n$). It tells what other seeds would give, not what other test images would.

# %%
MAIN = data.load("mnist", flatten=True) if FULL else digits
UNITS, EPOCHS, BATCH = (256, 6, 128) if FULL else (64, 6, 128)
options = {"epochs": EPOCHS, "batch_size": BATCH, "verbose": False}
shuffled = np.random.default_rng(0).permutation(len(MAIN.x_train))
learn, hold = np.split(shuffled, [len(shuffled) * 3 // 4])
parts = [(MAIN.x_train[rows], MAIN.y_train[rows]) for rows in (learn, hold)]

held_out = {}
for rate in (0.002, 0.005, 0.01):
    tried = layerwise.compare(
        lambda seed, rate=rate: deep(seed, 3, UNITS, rate=rate),
        parts,
        methods=["end-to-end"],
        seeds=2,
        probes=False,
        **options,
    )
    held_out[rate] = tried.table().accuracy.item()
    print(f"learning rate {rate}: {held_out[rate]:.1%} of the images held out")
RATE = max(held_out, key=held_out.get)

# %% alt="Test accuracy of the four ways: mean, 95 % interval and single runs"
FEW, WRONG = 5, 0.4  # labels of a class; share of wrong labels: for section 8
WAYS = ["end-to-end", "greedy", "stacked autoencoders", "forward-forward"]


def build(seed, depth=3):
    return deep(seed, depth, UNITS, rate=RATE)


found = layerwise.compare(build, MAIN, methods=WAYS, seeds=5, labels=[FEW], noise=[WRONG], **options)
command = (
    f"toolkit compare {'mnist' if FULL else 'digits'} --units {UNITS} --depth 3 --epochs {EPOCHS} --batch-size {BATCH}"
)
print(f"The same by one command: {command} --learning-rate {RATE} --labels {FEW} --noise {WRONG}")
display(found.table().round(4))
fig, ax = plt.subplots(figsize=(7, 2.9), layout="constrained", dpi=80)
found.plot(ax)
plt.show()
found.differences().round(4)

# %% [markdown]
# **How to read it.** The differences are *paired*: both ways had the same seed, so what the seed does to both cancels. Where
# 0 lies inside of the interval the data shows no difference; that is not the same as "equal". The memory of so small a
# network is no figure to conclude from: it changes by some tenths of a megabyte with what TensorFlow happens to do side by
# side. Section 5 has one that counts.
#
# ### What each block holds
#
# A **linear probe** is a linear classifier trained on the outputs of one block: how much of the class can be read off
# there? And the **first gradient**: how strongly does the loss pull at each block when it starts to learn?

# %% alt="Left: accuracy of a linear probe after each block for each way. Right: norm of the first gradient of each block"
fig, axes = plt.subplots(1, 2, figsize=(10, 3.3), layout="constrained", dpi=80)
found.plot_layers("linear probe", axes[0])
found.plot_layers("first gradient", axes[1])
axes[1].get_legend().remove()
plt.show()

# %% [markdown]
# ## 8 · Few labels, wrong labels
#
# "Layered is more robust" can mean several things. Two of them: only a few samples have a label (the autoencoders may
# look at all images), or a share of the labels is wrong.

# %% alt="Two panels: accuracy with few labels and with all; accuracy with right and with wrong labels, for four ways"
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", dpi=80)
found.plot_series("labels", axes[0])
found.plot_series("noise", axes[1])
plt.show()
few = found.differences(series="labels", value=FEW)
noisy = found.differences(series="noise", value=WRONG)
display(few.round(4), noisy.round(4))

# %% [markdown]
# ### The same on MNIST
#
# 60,000 images of 28 × 28 pixels take minutes, so these runs are kept in a file. One command makes it anew, from any
# folder that `toolkit data` knows MNIST in:
#
# `toolkit compare mnist --units 256 --depth 3 --epochs 6 --batch-size 128 --learning-rate 0.002 --labels 5 --noise 0.4
# --csv measured/compare_mnist.csv`
#
# (The learning rate by the same rule as above: 15,000 of the training images were held out.)

# %% alt="MNIST: test accuracy of five ways, mean and interval; right, accuracy with five labels a class and with all"
mnist = layerwise.Comparison.from_csv("measured/compare_mnist.csv")
fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained", dpi=80)
mnist.plot(axes[0])
mnist.plot_series("labels", axes[1])
plt.show()
mnist.table().round(4)

# %% [markdown]
# ## 9 · Depth
#
# Deep networks of sigmoids are why layered learning was invented: each sigmoid passes on at most a quarter of the gradient
# (lesson 03), so that end to end the first blocks hear next to nothing. Block by block, no gradient has a long way to go.
# How loud is the loss at the first block? `toolkit.xray` opens the first step of the deep network and says what it finds;
# beside it, the first gradient of the same block in its own stage, under a head of its own.

# %% alt="Left, accuracy with two and six blocks of sigmoids; right, end to end the gradient shrinks towards the first block"
from toolkit import xray

SHALLOW, DEEP = 2, 6


def sigmoids(seed, depth=SHALLOW):
    return deep(seed, depth, UNITS, "sigmoid", RATE)


depth = layerwise.compare(sigmoids, MAIN, methods=WAYS[:2], seeds=3, depths=[DEEP], probes=False, **options)
first = {run["method"]: run["gradients"] for run in depth.runs if run["depth"] == DEEP and run["seed"] == 0}
rows = slice(0, 256)
t = xray.trace(sigmoids(0, DEEP), MAIN.x_train[rows], MAIN.y_train[rows], loss="sparse_categorical_crossentropy")
proof, backward = t.verify(), {step.layer: step for step in t.steps if step.phase == "backward"}
heard = np.array([np.linalg.norm(backward[f"hidden_{k + 1}"].tensors["dW"].value) for k in range(DEEP)])
apart = np.max(np.abs(heard / first["end-to-end"] - 1))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained", dpi=80)
depth.plot_series("depth", left)
right.semilogy(range(1, DEEP + 1), heard, "o-", label="end to end, by xray")
right.semilogy([1], first["greedy"][:1], "s", label="block 1 in its own stage")
right.set(xlabel="block", ylabel="‖dW‖ at the first step")
right.grid(alpha=0.3)
right.legend()
plt.show()
deeper = depth.differences(series="depth", value=DEEP)
display(deeper.round(4))
print(
    f"{len(proof.rows)} tensors are TensorFlow's, the worst to {proof.worst.error:.0e}; compare's norms to {apart:.0e}"
)
print(t.diagnose())
t.widget()

# %% [markdown]
# ## 10 · The claims, filled in
#
# Now the sentences that one reads everywhere, each with what was measured above. A cell says **shown** or **contradicted**
# only where the 95 % interval leaves out 0. Costs are counted or timed. "Layered against end-to-end" in every cell.


# %%
def verdict(row, wanted):
    """What the interval of a difference in accuracy says about the claim that the layered way is ``wanted``."""
    told = f"{row.difference:+.4f}, 95 % interval {row.low:+.4f} to {row.high:+.4f}"
    if row.conclusion == "no difference shown":
        return "not shown", told
    return ("shown" if row.conclusion == wanted else "contradicted"), told


def cost(layered, end_to_end, told):
    return "shown" if layered < end_to_end else "contradicted", told.format(layered, end_to_end)


def judged(comparison):
    """Every claim that a comparison can judge: what is said of it, and the figures."""
    table, accuracy = comparison.table(), comparison.differences()
    block, end = table.loc["greedy"], table.loc["end-to-end"]
    few = comparison.differences(series="labels", value=FEW)
    noisy = comparison.differences(series="noise", value=WRONG)
    parameters = table["parameters at once"][["greedy", "end-to-end"]]
    return {
        "layered is cheaper: time": cost(block.seconds, end.seconds, "{:.2f} against {:.2f} s a run"),
        "layered is cheaper: steps": cost(block["gradient steps"], end["gradient steps"], "{} against {}"),
        "layered is cheaper: parameters at once": cost(*parameters, "{:,} against {:,}"),
        "layered is more robust: wrong labels": verdict(noisy.loc["greedy"], "higher"),
        "layered is more robust: few labels (autoencoders)": verdict(few.loc["stacked autoencoders"], "higher"),
        "end-to-end is more accurate: than greedy": verdict(accuracy.loc["greedy"], "lower"),
        "end-to-end is more accurate: than autoencoders": verdict(accuracy.loc["stacked autoencoders"], "lower"),
        "end-to-end is more accurate: than forward-forward": verdict(accuracy.loc["forward-forward"], "lower"),
    }


wide = [records[name].peak_bytes / 1e6 for name in ("stored", "end to end")]
kept = build(0).count_params()
ever = kept + 2 * (UNITS * 10 + 10)  # two temporary heads
here = judged(found) | {
    "layered is cheaper: memory, five wide blocks": cost(*wide, "{:.1f} against {:.1f} MB"),
    "layered is more robust: deep sigmoids": verdict(deeper.loc["greedy"], "higher"),
    "end-to-end has fewer parameters: in the end": cost(-kept, -kept, f"both have {kept:,}: it is the same network"),
    "end-to-end has fewer parameters: ever trained": cost(
        -ever, -kept, f"{ever:,} against {kept:,}: heads are thrown away"
    ),
}
elsewhere = judged(mnist)

lines = [f"| the claim | {MAIN.name}, measured above | MNIST, from the file |", "|:--|:--|:--|"]
for claim in sorted(here, key=lambda claim: claim.split(":")[0], reverse=True):
    cells = [f"**{state}**: {told}" for state, told in (judge[claim] for judge in (here, elsewhere) if claim in judge)]
    lines.append(f"| {claim} | {' | '.join([*cells, '–'][:2])} |")
display(Markdown("\n".join(lines)))

# %% [markdown]
# Every verdict belongs to this architecture, these images, this budget. A claim without those three is not one that could
# be right or wrong.
#
# ## 11 · Your experiment
#
# Change one line and run it again: fewer epochs, another depth, `"steps"` as the budget (then all stages *together* have
# the steps of end-to-end), more wrong labels. Which verdict turns round?

# %%
MINE = {"epochs": 3, "budget": "steps", "seeds": 2, "noise": []}

mine = layerwise.compare(build, MAIN, methods=WAYS[:2], probes=False, batch_size=BATCH, verbose=False, **MINE)
display(mine.table().round(4)[["accuracy", "±", "gradient steps"]], mine.differences().round(4))

# %% [markdown]
# ## 12 · Exercises
#
# **10.1 · A stage's gradient.** A linear block `W (D, M)` with a temporary linear head `U (M, C)` on inputs `h (N, D)`:
# $\hat y = hWU$, $L = \frac{1}{2N}\sum \lVert \hat y - y\rVert^2$. Return $dW$; `h` is constant.


# %%
def stage_gradient(h, W, U, y):
    # BEGIN SOLUTION: return ...
    dy = (h @ W @ U - y) / len(h)
    return h.T @ (dy @ U.T)
    # END SOLUTION


check("10.1", stage_gradient)

# %% [markdown]
# **10.2 · Find the bug: frozen, but not quite.** These are the stored outputs of a frozen block: a dense layer and batch
# normalisation. Yet the same image gets different outputs, depending on which images are stored with it. Mend it.


# %%
def stored_outputs(x, W, gamma, beta, moving_mean, moving_variance):
    z = x @ W
    mean, variance = z.mean(axis=0), z.var(axis=0)
    return np.maximum(0, gamma * (z - mean) / np.sqrt(variance + 1e-3) + beta)


rng = np.random.default_rng(3)
images, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))
block = (W, np.ones(2), np.zeros(2), np.zeros(2), np.ones(2))
print("the first image, stored with three others:", stored_outputs(images, *block)[0].round(3))
print("the first image, stored with one other:   ", stored_outputs(images[:2], *block)[0].round(3))


def stored_outputs_mended(x, W, gamma, beta, moving_mean, moving_variance):
    # BEGIN SOLUTION: return ...
    z = (x @ W - moving_mean) / np.sqrt(moving_variance + 1e-3)
    return np.maximum(0, gamma * z + beta)
    # END SOLUTION


check("10.2", stored_outputs_mended)

# %% [markdown]
# **10.3 · Forward-Forward.** The loss of one layer for outputs `h_true (N, M)` with true labels and `h_wrong (N, M)` with
# wrong ones: $\log(1 + e^{\theta - G^+}) + \log(1 + e^{G^- - \theta})$ with $G = \frac1M\lVert h\rVert^2$ per sample; the
# mean over the batch.


# %%
def local_loss(h_true, h_wrong, theta):
    # BEGIN SOLUTION: return ...
    G_true, G_wrong = (h_true**2).mean(axis=1), (h_wrong**2).mean(axis=1)
    return (np.log1p(np.exp(theta - G_true)) + np.log1p(np.exp(G_wrong - theta))).mean()
    # END SOLUTION


check("10.3", local_loss)

# %% [markdown]
# **10.4 · The interval of a difference.** `a` and `b` hold the accuracies of two ways with the same seeds, in the same
# order; `t` is Student's t for their number. Return `(low, high)` of the 95 % interval of the mean difference `a − b`.


# %%
def interval_of_difference(a, b, t):
    # BEGIN SOLUTION: return ...
    difference = a - b
    half = t * difference.std(ddof=1) / np.sqrt(len(difference))
    return np.array([difference.mean() - half, difference.mean() + half])
    # END SOLUTION


check("10.4", interval_of_difference)

# %% [markdown]
# ## Recap
#
# - Layered learning gives each block a loss of its own. Frozen outputs are constants: computed once and stored.
# - It learns fewer numbers at once and pays with more steps. Whether it takes less memory depends on how large the stored
#   outputs are. It gets through where gradients vanish on the way.
# - Which is more accurate or robust is a question to measure: same start, same budget, several seeds, an interval.
#
# **Read on.** Hinton, Salakhutdinov: *Reducing the dimensionality of data with neural networks*, Science 313 (2006).
# Bengio, Lamblin, Popovici, Larochelle: *Greedy layer-wise training of deep networks*, NeurIPS (2006). Belilovsky,
# Eickenberg, Oyallon: *Greedy layerwise learning can scale to ImageNet*, arXiv:1812.11446 (2019). Alain, Bengio:
# *Understanding intermediate layers using linear classifier probes*, arXiv:1610.01644 (2016). Hinton: *The
# Forward-Forward algorithm*, arXiv:2212.13345 (2022).
#
# **Next:** lesson 11 takes layers that learned on one set to another one.
