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

from toolkit import data, plots, scratch
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
# one learns on its outputs. The heads are thrown away, but for the last.
#
# ![Left: three blocks under one loss, an arrow back through all. Right: each block under a head and a loss of its
# own.](pictures/end_to_end_and_layered.png)
#
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
for name, h in (("x", x), ("h₁", h1), ("h₂", h2)):
    print(f"mean length of {name}: {np.linalg.norm(h, axis=1).mean():.1f}")

# %% [markdown]
# **What to see:** stage 2 has a new block and a new head, so its loss starts high again, and it ends about where stage 1
# did. The second block has brought nothing here, and took as many steps again. And the outputs of a block that has learned
# are longer than its inputs; we shall meet that again.
#
# ## 4 · Keras agrees
#
# `layerwise.greedy` does the same to a whole Keras model: it splits it into blocks, gives block 1 a temporary head, stores
# its outputs, and trains block 2 with the model's own head. Same starting weights, same steps:


# %%
def network(seed, depth, units, activation="relu", rate=0.005, inputs=64):
    keras.utils.set_random_seed(seed)
    start = "he_uniform" if activation == "relu" else "glorot_uniform"
    hidden = []
    for k in range(1, depth + 1):
        hidden.append(keras.layers.Dense(units, activation, kernel_initializer=start, name=f"hidden_{k}"))
    head = keras.layers.Dense(10, "softmax", name="probabilities")
    result = keras.Sequential([keras.Input((inputs,)), *hidden, head])
    result.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return result


def compute_in(precision):
    keras.config.set_floatx(precision)
    keras.config.set_dtype_policy(precision)


def temporary_head(shape):
    return [keras.layers.Dense(10, "softmax", kernel_initializer=keras.initializers.Constant(start1[2]))]


compute_in("float64")
model = network(0, depth=2, units=32)
model.set_weights([*start1[:2], *start2])
model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
record = layerwise.greedy(model, x, y, epochs=40, batch_size=len(x), head=temporary_head, verbose=False)
ours = [*net1.get_weights()[:2], *net2.get_weights()]
apart = max(np.abs(a - b).max() for a, b in zip(ours, model.get_weights(), strict=True))
print(f"largest difference of any weight after 80 steps, NumPy against Keras: {apart:.0e}")
assert apart < 1e-10
compute_in("float32")
record.frame()[["epochs", "loss", "trainable_parameters", "seconds"]].round(3)

# %% [markdown]
# ## 5 · Why the outputs are stored
#
# A frozen block gives the same outputs in every epoch. So they are computed once and stored, instead of sending every batch
# through all frozen blocks again. Here a network of four wide blocks, both ways; what changes is the time, not the result.
# And, beside them and beside end to end, the memory: what TensorFlow holds at most while it trains, beyond what was there
# before. One batch is all images, so that what a batch leaves in memory is large.


# %% alt="Milliseconds of one epoch for each of four blocks: from block 2 on level with stored outputs, rising when recomputed"
options = {"epochs": 5, "batch_size": len(digits.x_train), "verbose": False}
ways = {"stored": {}, "recomputed": {"cache": False}, "end to end": {"blocks": ["hidden_4"]}}  # one for all
networks, records = {}, {}
for name, way in ways.items():
    networks[name] = network(0, depth=4, units=512)
    records[name] = layerwise.greedy(networks[name], digits.x_train, digits.y_train, **options, **way)

both = ("stored", "recomputed")
fastest = {name: [1000 * min(block.history.seconds) for block in records[name]] for name in both}
_, ax = plt.subplots(figsize=(6.4, 2.9), layout="constrained", dpi=80)
plots.curves(fastest, ax=ax, xlabel="block", ylabel="ms for the fastest epoch").set_ylim(0)
plt.show()
pairs = zip(*(networks[name].get_weights() for name in both), strict=True)
apart = max(np.abs(a - b).max() for a, b in pairs)
print("stored or recomputed:", f"weights differ by {apart:.0e}" if apart else "the weights are the same")
for name, record in records.items():
    stored = max(block.feature_bytes for block in record) / 1e6
    waiting = 4 // len(record) * len(digits.x_train) * 512 * 4 / 1e6  # outputs, 4 bytes a number
    adam = 2 * record.trainable_parameters * 4 / 1e6
    print(f"{name:10} {record.peak_bytes / 1e6:5.1f} MB at the height;", end=" ")
    print(f"of these stored {stored:.1f}, waiting {waiting:.1f}, Adam {adam:.1f}")

# %% [markdown]
# **What to see:** block 1 is cheap both ways, it reads 64 numbers and not 512. From then on an epoch takes the longer, the
# more frozen blocks are recomputed in front; on stored outputs it does not depend on them. (A machine with other work to do
# makes both waver.) And why does end to end hold so much more? The outputs of all four blocks *wait* for the gradient, and
# *Adam* keeps two moments of every weight. A stage has those of one block, and the stored outputs. (The rest are gradients
# and intermediate results.)
#
# ## 6 · Other ways to teach a layer
#
# **Without labels.** In a *stacked autoencoder* each block learns, with a decoder, to give back its own input. Ours are
# *denoising* ones: the block sees $\tilde h_{k-1}$, in which a fifth of the numbers is set to 0, and is to restore the
# whole: $\min \frac1D\lVert g_k(f_k(\tilde h_{k-1})) - h_{k-1}\rVert^2$. Then a classifier goes on top, and all is
# fine-tuned. Pre-training layer by layer, first with Boltzmann machines, soon with autoencoders, made deep networks
# trainable in 2006.
#
# **Without any way back.** In *Forward-Forward* (2022) a layer sees each sample twice, with its true label and with a wrong
# one. Its **goodness** $G = \frac1M\lVert h \rVert^2$ is to be high for the true and low for the wrong one:
#
# $$ L = \log(1 + e^{\theta - G^+}) + \log(1 + e^{G^- - \theta}), \qquad
# \frac{\partial L}{\partial h^+} = -\sigma(\theta - G^+)\,\frac{2h^+}{M} $$
#
# The label goes into the first layer beside the image, with weights $V$ of its own: $f(xW + b + V_{label})$. Before the
# next layer sees $h$, it is brought to one length: else that layer would only have to read off $G$. To answer, the network
# tries every label, and takes the one for which the goodness of all layers together is highest.


# %%
THETA, CORRUPTION = 0.5, 0.2  # for the comparison, too


def goodness(h):
    return (h**2).mean()


def positive_loss(h, theta=THETA):
    return np.log(1 + np.exp(theta - goodness(h)))


h = np.array([1.0, 3.0])
sigma = 1 / (1 + np.exp(-(THETA - goodness(h))))
print("G by hand: (1² + 3²) / 2 = 5; computed", goodness(h))
next_input = h / np.sqrt(goodness(h))
print("brought to one length:", next_input.round(3), "has G =", goodness(next_input).round(6))
print("∂L/∂h by the formula  ", (-sigma * 2 * h / len(h)).round(6))
print("∂L/∂h by differences  ", scratch.numerical_gradient(positive_loss, h).round(6))

# %% [markdown]
# **Stages of different kinds.** Stages need not have the same task. Here the first compresses images (its loss: the
# error of reconstruction), the second names digits from the 16 numbers that are left. Each is trained and tested alone; one
# is replaced, and only that one has to learn; then all become one Keras model.

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
apart = np.abs(joined(digits.x_test).numpy() - pipeline.predict(digits.x_test)).max()
print(f"one model of {joined.count_params():,} weights; joined − stage by stage: {apart:.0e}")
display(first.join(second, lsuffix=" (linear)", rsuffix=" (wider)").round(3))

# %% [markdown]
# ## 7 · The comparison
#
# One architecture, four ways to learn it, five seeds. Per seed, all start from the same weights. **The budget** is the
# same in updates: every weight is changed equally often, in whatever stage. **The test set** is used once a run, at the
# end. So the learning rate must be chosen without it: a quarter of the training images is held out, and the rate is taken
# that serves *end to end* best there: in NumPy, which has nothing to compile. (That favours end to end. Who would favour
# greedy tunes the rate for greedy.) Then the comparison, on all training images. **±** is half of a 95 % interval of the
# mean over the seeds ($t\,s/\sqrt n$). It tells what other seeds would give, not what other test images would.

# %%
MAIN = data.load("mnist", flatten=True) if FULL else digits
UNITS, EPOCHS, BATCH = (256, 6, 128) if FULL else (64, 6, 128)
options = {"epochs": EPOCHS, "batch_size": BATCH, "verbose": False, "threshold": THETA, "corruption": CORRUPTION}
shuffled = np.random.default_rng(0).permutation(len(MAIN.x_train))
learn, hold = np.split(shuffled, [len(shuffled) * 3 // 4])
parts = [(MAIN.x_train[rows], MAIN.y_train[rows]) for rows in (learn, hold)]


def build(seed, depth=3, activation="relu"):
    return network(seed, depth, UNITS, activation, RATE, MAIN.x_train.shape[1])


def held_out_accuracy(rate, seed):
    hidden = [scratch.Dense(UNITS, "relu", kernel_initializer="he_uniform") for _ in range(3)]
    layers = [*hidden, scratch.Dense(10, "softmax")]
    net = scratch.Sequential(layers, input_shape=MAIN.x_train.shape[1], seed=seed)
    net.compile(scratch.Adam(rate), "sparse_categorical_crossentropy")
    net.fit(*parts[0], epochs=EPOCHS, batch_size=BATCH, verbose=False)
    return net.evaluate(*parts[1])["accuracy"]


held_out = {}
for rate in (0.002, 0.005, 0.01, 0.02):
    held_out[rate] = np.mean([held_out_accuracy(rate, seed) for seed in range(3 if FULL else 5)])
    print(f"learning rate {rate}: {held_out[rate]:.1%} of the images held out")
RATE = max(held_out, key=held_out.get)

# %% alt="Test accuracy of the four ways: mean, 95 % interval and single runs"
FEW = 5  # labels of a class, for section 8
WAYS = ["end-to-end", "greedy", "stacked autoencoders", "forward-forward"]

found = layerwise.compare(build, MAIN, methods=WAYS, seeds=5, labels=[FEW], **options)
command = f"toolkit compare {MAIN.name} --units {UNITS} --depth 3 --epochs {EPOCHS} --batch-size {BATCH}"
print(f"The same by one command: {command} --learning-rate {RATE} --labels {FEW}")
display(found.table().drop(columns="memory of").round(4))
fig, ax = plt.subplots(figsize=(7, 2.9), layout="constrained", dpi=80)
found.plot(ax)
plt.show()
found.differences().round(4)

# %% [markdown]
# **How to read it.** The differences are *paired*: both ways had the same seed, so what the seed does to both cancels. Where
# 0 lies inside the interval the data show no difference; that is not the same as "equal". And the memory of so small a
# network says nothing: some hundred kilobytes depend on what TensorFlow happens to do side by side.
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
# **What to see:** end to end, the class can be read off the last block better than the first. Block by block it is not so:
# greedy's third block holds no more of it than the second, and in Forward-Forward the class is plainest after block 1.
# On the right greedy's first gradient grows from block to block: $dW = h^\top dy$, and section 3 showed that the outputs
# $h$ of blocks that have learned become longer and longer.
#
# ## 8 · Few labels, wrong labels
#
# "Layered is more robust" can mean several things. One of them: only a few samples have a label, but the autoencoders may
# look at all images.

# %% alt="Accuracy with five labels a class and with all, for four ways"
_, ax = plt.subplots(figsize=(5.5, 2.9), layout="constrained", dpi=80)
found.plot_series("labels", ax)
plt.show()
found.differences(series="labels", value=FEW).round(4)

# %% [markdown]
# **What to see:** with five labels a class every way loses far more than the ways differ.
#
# ### The same on MNIST, and wrong labels
#
# 60,000 images of 28 × 28 pixels take minutes, so these runs are kept in a file. They have a third condition: 40 % of the
# training labels are replaced by another digit. (For the small digits you set that share yourself, in section 11.) And a
# fifth way, *greedy + fine-tuning*: half of the updates block by block, the other half all together. One command makes
# the file anew, from any folder in which `toolkit data` finds MNIST:
#
# `toolkit compare mnist --units 256 --depth 3 --epochs 6 --batch-size 128 --learning-rate 0.002 --labels 5 --noise 0.4
# --csv measured/compare_mnist.csv`
#
# (Section 7 chooses this learning rate, among the same four, where the lesson runs on MNIST, with the environment variable
# `TOOLKIT_PROFILE=full`.)

# %% alt="MNIST, five ways: test accuracy, mean and interval; with five labels a class and all; with right and wrong labels"
WRONG = 0.4  # share of wrong labels
mnist = layerwise.Comparison.from_csv("measured/compare_mnist.csv")
fig, axes = plt.subplots(1, 3, figsize=(12, 3.2), layout="constrained", dpi=80)
mnist.plot(axes[0]).set_xlabel("test accuracy")
mnist.plot_series("labels", axes[1])
mnist.plot_series("noise", axes[2]).get_legend().remove()
plt.show()
print(f"the images alone: 60,000 · 784 · 4 bytes = {60_000 * 784 * 4 / 1e6:.0f} MB")
mnist.table().drop(columns="memory of").round(4)

# %% [markdown]
# **What to see:** with forty times as many images greedy is not behind end to end, and fine-tuning takes its small lead
# away again. With five labels a class the autoencoders have the best mean, and greedy with fine-tuning the worst. With
# wrong labels it is greedy that falls furthest. The memory is nearly all images, which end to end and greedy hold
# alike; an autoencoder holds them twice, as what goes in and as what is to come out.
#
# ## 9 · Depth
#
# Deep networks of sigmoids are why layered learning was invented: each sigmoid passes on at most a quarter of the gradient
# (lesson 03), so that end to end the first blocks hear next to nothing. Block by block, no gradient has a long way to go.
# We compare networks of one block, where both ways are the same, and of six.
#
# How loud is the loss at the first block? `toolkit.xray` opens the first step of the deep network and says what it finds;
# beside it, the first gradient of the same block in its own stage, under a head of its own.

# %% alt="Accuracy with one and six blocks of sigmoids: end to end falls to little more than guessing, greedy stays"
SHALLOW, DEEP = 1, 6


def sigmoids(seed, depth=SHALLOW):
    return build(seed, depth, "sigmoid")


depth = layerwise.compare(sigmoids, MAIN, methods=WAYS[:2], seeds=3, depths=[DEEP], probes=False, **options)
_, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained", dpi=80)
depth.plot_series("depth", ax)
plt.show()
deeper = depth.differences(series="depth", value=DEEP)
deeper.round(4)

# %% alt="End to end the gradient shrinks towards the first block; in its own stage block 1 has a far larger one"
from toolkit import xray

batch = {"x": MAIN.x_train[:256], "y": MAIN.y_train[:256]}
t = xray.trace(sigmoids(0, DEEP), **batch, loss="sparse_categorical_crossentropy")
proof = t.verify()
print(f"{len(proof.rows)} tensors compared with TensorFlow's, largest relative error", end=" ")
print(f"{max(row.error for row in proof.rows):.0e}")
backward = {step.layer: step.tensors for step in t.steps if step.phase == "backward"}
heard = np.array([np.linalg.norm(backward[f"hidden_{k + 1}"]["dW"].value) for k in range(DEEP)])
first = {run["method"]: run["gradients"] for run in depth.runs if (run["depth"], run["seed"]) == (DEEP, 0)}
apart = np.abs(heard / first["end-to-end"] - 1).max()
print(f"‖dW‖ by xray and by compare: relative difference at most {apart:.0e}")
_, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained", dpi=80)
plots.curves({"end to end": heard, "in its own stage": first["greedy"][:1]}, ax=ax, log=True, xlabel="block")
ax.set_ylabel("‖dW‖ at the first step")
plt.show()
print(t.diagnose())
t.widget()

# %% [markdown]
# **What to see:** end to end, six blocks are not far from guessing (one in ten), while greedy has lost far less. At the first
# step block 1 hears hundreds of times less end to end than under a head of its own. But it does hear something: given the
# forty times as many steps of an epoch of MNIST, end to end gets through as well. `--profile full` measures that.
#
# ## 10 · The claims, filled in
#
# Now the sentences that one reads everywhere, each with what was measured above.
#
# **Accuracy.** A cell says *shown* or *contradicted* only where the 95 % interval of the paired difference leaves out 0.
# Keep in mind that the learning rate was the best for end to end, and that of twenty such intervals one misses the truth by
# chance; under the table stands how many there are.
#
# **Costs**, of greedy against end to end, are counted or timed. Our budget gives every weight as many updates as end to end
# does, so three stages take three times its steps. That is our rule and no finding; hence the time of a step stands
# beside that of a run. A tenth of the time, or a megabyte, more or less shows nothing.


# %%
def verdict(row, wanted):
    """What the interval of a difference in accuracy says about the claim that the layered way is ``wanted``."""
    state = "shown" if row.conclusion == wanted else "contradicted"
    state = "not shown" if row.conclusion == "no difference shown" else state
    return f"**{state}**: {row.difference:+.4f}, 95 % interval {row.low:+.4f} to {row.high:+.4f}"


def on_accuracy(comparison):
    plain = comparison.differences()
    few = comparison.differences(series="labels", value=FEW)
    verdicts = {
        "end-to-end is more accurate: than greedy": verdict(plain.loc["greedy"], "lower"),
        "end-to-end is more accurate: than autoencoders": verdict(plain.loc["stacked autoencoders"], "lower"),
        "end-to-end is more accurate: than forward-forward": verdict(plain.loc["forward-forward"], "lower"),
        "layered is more robust: few labels (autoencoders)": verdict(few.loc["stacked autoencoders"], "higher"),
    }
    if "noise" in comparison.series_names:
        noisy = comparison.differences(series="noise", value=WRONG)
        verdicts["layered is more robust: wrong labels (greedy)"] = verdict(noisy.loc["greedy"], "higher")
    return verdicts


def show(here, there):
    lines = [f"| the claim | {MAIN.name}, measured above | MNIST, from the file |", "|:--|:--|:--|"]
    lines += [f"| {claim} | {here.get(claim, '–')} | {there.get(claim, '–')} |" for claim in here | there]
    display(Markdown("\n".join(lines)))


here, there = on_accuracy(found), on_accuracy(mnist)
here["layered is more robust: deep sigmoids (greedy)"] = verdict(deeper.loc["greedy"], "higher")
show(here, there)
print(f"{len(here) + len(there)} intervals")


# %%
def cost(costs, told, noise=0):
    """What two costs, layered and end to end, say about the claim that the first is the lower one."""
    layered, whole = costs
    state = "not shown" if abs(layered - whole) <= noise else "shown" if layered < whole else "contradicted"
    return f"**{state}**: {told.format(layered, whole)}"


def on_cost(comparison):
    table = comparison.table().loc[["greedy", "end-to-end"]]
    run, step = table["seconds"], 1000 * table["seconds"] / table["gradient steps"]
    return {
        "layered is cheaper: time of a run": cost(run, "{:.2f} against {:.2f} s", noise=run.max() / 10),
        "layered is cheaper: time of a step": cost(step, "{:.2f} against {:.2f} ms", noise=step.max() / 10),
        "layered is cheaper: memory": cost(table["peak MB"], "{:.1f} against {:.1f} MB", noise=1),
        "layered is cheaper: parameters at once": cost(table["parameters at once"], "{:,} against {:,}"),
    }


wide_blocks = [records[name].peak_bytes / 1e6 for name in ("stored", "end to end")]
kept, heads = build(0).count_params(), 2 * (UNITS * 10 + 10)  # two temporary heads
here = on_cost(found)
wide = "layered is cheaper: memory, four wide blocks, one batch"
here[wide] = cost(wide_blocks, "{:.1f} against {:.1f} MB", noise=1)
parameters = "end-to-end has fewer parameters"
here[f"{parameters}: in the end"] = f"**contradicted**: both have {kept:,}, it is the same network"
here[f"{parameters}: ever trained"] = f"**shown**: {kept:,} against {kept + heads:,} with temporary heads"
show(here, on_cost(mnist))

# %% [markdown]
# Every verdict belongs to this architecture, these images, this budget: memory alone has three. A claim without those is
# not one that could be right or wrong.
#
# ## 11 · Your experiment
#
# Change one line and run it again: another depth, more wrong labels or fewer, more epochs, `"updates"` as the budget (with
# `"steps"` all stages *together* have the steps of end to end). Which verdict turns round?

# %%
DEPTH, NOISE = 2, [0.6]
MINE = {"epochs": 4, "budget": "steps", "seeds": 3}

quick = {"methods": WAYS[:2], "batch_size": BATCH, "probes": False, "verbose": False}
mine = layerwise.compare(lambda seed: build(seed, DEPTH), MAIN, noise=NOISE, **quick, **MINE)
display(mine.table().round(4)[["accuracy", "±", "gradient steps"]], mine.differences().round(4))
for name in mine.series_names:
    display(mine.series(name).round(4))

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
# **10.2 · Find the bug: outdated outputs.** `stored` holds the outputs $h_0 = x, h_1, \dots, h_K$ of frozen blocks
# $h_{k+1} = \mathrm{relu}(h_k W_k)$, and `weights` their $W_0, \dots, W_{K-1}$. Then block `k` is trained again and has
# the weights `W`. The function is to return all outputs as they are now. Yet what it returns is not what the network gives.
# Mend it.


# %%
def relu(z):
    return np.maximum(0, z)


def renewed(stored, weights, k, W):
    stored = list(stored)
    stored[k + 1] = relu(stored[k] @ W)
    return stored


rng = np.random.default_rng(3)
images, W0, W1, W2, W = np.abs(rng.standard_normal((5, 4, 4)))
stored = [images, relu(images @ W0), relu(relu(images @ W0) @ W1), relu(relu(relu(images @ W0) @ W1) @ W2)]
print("block 0 trained again, h₃ from the store:  ", renewed(stored, [W0, W1, W2], 0, W)[3][0].round(2))
print("block 0 trained again, h₃ from the network:", relu(relu(relu(images @ W) @ W1) @ W2)[0].round(2))


def renewed_mended(stored, weights, k, W):
    # BEGIN SOLUTION: return ...
    stored, weights = list(stored), list(weights)
    weights[k] = W
    for j in range(k, len(weights)):
        stored[j + 1] = relu(stored[j] @ weights[j])
    return stored
    # END SOLUTION


check("10.2", renewed_mended)

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
# - It learns fewer numbers at once. Whether that saves memory depends on what fills it: outputs of wide blocks and Adam's
#   moments, or the images themselves. It gets through where gradients vanish on the way.
# - Which is more accurate or robust is a question to measure: same start, same budget, several seeds, an interval.
#
# **Read on.** Hinton, Salakhutdinov: *Reducing the dimensionality of data with neural networks*, Science 313 (2006).
# Bengio, Lamblin, Popovici, Larochelle: *Greedy layer-wise training of deep networks*, NeurIPS (2006). Belilovsky,
# Eickenberg, Oyallon: *Greedy layerwise learning can scale to ImageNet*, arXiv:1812.11446 (2019). Alain, Bengio:
# *Understanding intermediate layers using linear classifier probes*, arXiv:1610.01644 (2016). Hinton: *The
# Forward-Forward algorithm*, arXiv:2212.13345 (2022).
#
# **Next:** lesson 11 takes layers that learned on one set to another one.
