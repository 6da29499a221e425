# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "03"
#     title: Losses, optimisers, initialisation
#     goal: Choose what to minimise, how to step and where to start, and measure what each choice does
#     minutes: 60
#     prerequisites: ["01", "02"]
# ---

# %% [markdown]
# # 03 · Losses, optimisers, initialisation
#
# **After this lesson** you can say why classifiers use cross-entropy, write the rules of momentum, RMSprop and Adam in
# a few lines each, find the largest learning rate that still works, and choose starting weights for a deep network.
#
# **You need** lesson 01 (the forward pass), lesson 02 (the backward pass), and logarithms from school.
#
# Training walks downhill in a landscape. Three choices decide how that goes, and they are the three parts of this
# lesson: the **loss** makes the landscape, the **optimiser** makes the steps, the **initialisation** is the place where
# the walk begins.
#
# **The way.** two losses and their slopes → logarithms that do not break → four optimisers by hand → how large a step
# may be → Keras agrees → your experiment → a race on real digits → keeping weights small → where to start → your turn

# %% alt="A hilly curve, the loss over a weight: a square at the start, dots for the steps, the curve as landscape"
import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display
from threadpoolctl import threadpool_limits

from toolkit import data, errors, plots, scratch
from toolkit.classroom import check

threadpool_limits(1)  # on matrices as small as ours a second thread mostly waits
plt.rcParams.update({"figure.dpi": 70, "font.size": 11, "axes.titlesize": 11})
plt.rcParams["figure.constrained_layout.use"] = True


def hills(w):
    return 0.12 * w**2 + 0.5 * np.sin(2 * w) + 1


w, steps = np.linspace(-3.6, 4, 200), np.array([-2.3])
for _ in range(5):
    steps = np.append(steps, steps[-1] - 0.3 * scratch.numerical_gradient(hills, steps[-1]))
_, ax = plt.subplots(figsize=(7, 2.6))
ax.plot(w, hills(w), color="black")
ax.plot(steps, hills(steps), "o", ms=6, color="#0072B2")
ax.plot(steps[0], hills(steps[0]), "s", ms=11, color="#D55E00")
ax.text(-2.15, 2.2, "3  initialisation: where the walk starts")
ax.text(-1.75, 1.72, "2  optimiser: how it steps")
ax.text(1.0, 0.75, "1  loss: the landscape")
ax.set(xlabel="a weight w", ylabel="loss L(w)", title="Three choices")
plt.show()

# %% [markdown]
# ## 1 · What to minimise
#
# Both usual losses answer one question: *under which weights are the targets that we saw most probable?* Probabilities
# of independent samples multiply, so their logarithms add up, and a loss is the mean of $-\ln(\text{probability})$.
#
# **Numbers.** If $y$ scatters around the output $\hat y$ with a bell curve of width $\sigma$, then
# $-\ln \frac{1}{\sqrt{2\pi}\sigma} e^{-(y - \hat y)^2 / 2\sigma^2} = \frac{(\hat y - y)^2}{2\sigma^2} + \text{const}$.
# What depends on the weights is the squared error: **MSE**.
#
# **Classes.** If the network gives the true class the probability $p$, the label has probability $p$, and $-\ln p$ is
# left: **cross-entropy**.
#
# For one sample of class $y = 1$ the two are $(1 - p)^2$ and $-\ln p$. Through a sigmoid, $p = \sigma(z)$ with
# $\sigma' = p(1 - p)$, and the chain rule gives
#
# $$ \text{MSE:}\quad dz = 2(p - 1)\,p\,(1 - p) \qquad\qquad
#    \text{cross-entropy:}\quad dz = -\frac1p \cdot p\,(1 - p) = p - 1 $$
#
# The derivative of the logarithm brings a $1/p$, and that cancels the flat part of the sigmoid.

# %% alt="Left, both losses over p, cross-entropy unbounded at 0. Right, both gradients over z, MSE's 0 for z = −8"
p, z = np.linspace(0.002, 1, 400), np.linspace(-8, 8, 200)
sigma = scratch.Sigmoid().activate(z)
_, (left, right) = plt.subplots(1, 2, figsize=(8.4, 2.8))
left.plot(p, -np.log(p), label="cross-entropy  −ln p")
left.plot(p, (1 - p) ** 2, "--", label="squared error  (1 − p)²")
left.set(xlabel="probability p of the true class", ylabel="loss of one sample", title="How bad is p?")
right.plot(z, sigma - 1, label="cross-entropy  p − 1")
right.plot(z, 2 * (sigma - 1) * sigma * (1 - sigma), "--", label="squared error  2(p − 1)p(1 − p)")
right.set(xlabel="logit z, with p = σ(z)", ylabel="gradient dz", title="How strong is the pull towards p = 1?")
left.legend()
right.legend(loc="lower right", fontsize=9)
plt.show()

# %% [markdown]
# **What to see:** on the left, a confident mistake ($p$ near 0) costs at most 1 as squared error, but has no upper
# limit as cross-entropy. On the right, for $z = -8$ the network could not be more wrong, and the squared error hardly
# pulls at all. Here are the numbers, each gradient beside its finite difference (lesson 02). Below the table: a unit
# starts at $z = -8$ and takes steps $z \leftarrow z - dz$ until it says $p > 0.5$.

# %%
losses = {"MSE": scratch.MeanSquaredError(), "cross-entropy": scratch.BinaryCrossentropy()}
gradients = {"MSE": lambda p: 2 * (p - 1) * p * (1 - p), "cross-entropy": lambda p: p - 1}


def sigmoid(z):
    return scratch.Sigmoid().activate(z)


rows = ["| $z$ | $p$ | loss | value | $dz$ | finite difference |", "|---:|---:|:---|---:|---:|---:|"]
for z in (-8.0, -4.0, 0.0, 4.0):
    for name, loss in losses.items():
        p, value = sigmoid(z), loss([[1.0]], [[sigmoid(z)]])
        slope = scratch.numerical_gradient(lambda z, loss=loss: loss([[1.0]], sigmoid(z)), [[z]]).item()
        rows.append(f"| {z:.0f} | {p:.5f} | {name} | {value:.5f} | {gradients[name](p):.5f} | {slope:.5f} |")
display(Markdown("\n".join(rows)))

for name, gradient in gradients.items():
    z, steps = -8.0, 0
    while sigmoid(z) <= 0.5:
        z, steps = z - gradient(sigmoid(z)), steps + 1
    print(f"{name:<14} leaves z = −8 after {steps:>5,} steps")

# %% [markdown]
# With $C$ classes, $p = \text{softmax}(z)$, and the same cancelling gives $dz = \frac1N(p - y)$: what the network said
# minus what is true.
#
# ## 2 · Logarithms that do not break
#
# A computer's numbers end. In float32 $e^{100}$ is already infinite and $e^{-200}$ is 0, so a confident network
# breaks $-\ln \text{softmax}(z)$. The repair is school algebra. For any number $c$
#
# $$ -\ln \frac{e^{z_y}}{\sum_k e^{z_k}} = \ln \sum_k e^{z_k} - z_y
#    = \underbrace{c + \ln \sum_k e^{z_k - c}}_{\text{log-sum-exp}} - z_y , \qquad c = \max_k z_k $$
#
# The largest exponent is now 0 and the sum is at least 1: nothing overflows, and no $\ln 0$ occurs.


# %%
def naive_loss(z, y):
    with np.errstate(all="ignore"):  # NumPy would warn; here we want to see what comes out
        p = np.exp(z) / np.exp(z).sum()
        return -np.log(p[y])


def safe_loss(z, y):
    c = z.max()
    return c + np.log(np.exp(z - c).sum()) - z[y]


engine = scratch.SparseCategoricalCrossentropy(from_logits=True)
print("logits z             true class    naive     safe   scratch")
for z, y in [((2, 1, -1), 0), ((2, 1, -1), 2), ((100, 0, -5), 0), ((0, -200, 3), 1)]:
    z = np.array(z, "float32")
    print(f"{z!s:<21}{y:>10}{naive_loss(z, y):>9.4f}{safe_loss(z, y):>9.4f}{engine([y], z[None]) + 0:>10.4f}")

# %% [markdown]
# **What to see:** equal where nothing overflows. In the third line the naive way gives nan where the network is right
# and the loss is 0; in the fourth it gives infinity for a loss of 203.
#
# ## 3 · How to step
#
# `loss_and_gradients` gives $g = \partial L / \partial w$ for every weight $w$. An optimiser turns $g$ into a step.
# Each class of the engine carries its rule; here they are, with $\alpha$ the learning rate:

# %%
rows = ["| optimiser | one step | from |", "|:---|:---|:---|"]
for rule in (scratch.SGD, scratch.Momentum, scratch.Nesterov, scratch.RMSprop, scratch.Adam):
    lines = " $<br>$ ".join(rf"\displaystyle {line}" for line in rule.equations.forward)
    rows.append(f"| **{rule.__name__}** | $ {lines} $ | {rule.equations.source} |")
Markdown("\n".join(rows))

# %% [markdown]
# **Gradient descent** (GD) takes $g$ from all samples; **stochastic** gradient descent (SGD) is the same rule with $g$
# from a small batch. **Momentum** keeps a velocity $v$, like a ball with friction; **Nesterov** looks one step ahead.
# **RMSprop** divides by the usual size of $g$, so each weight gets steps of its own scale. **Adam** does both; $m$ and
# $v$ start at 0 and are too small at first, which $\alpha_t$ makes good.
#
# The same in NumPy, with a dict `s` that remembers the averages and the number `t` of the step. Then follow three steps
# by hand, with pencil and paper: $L(w) = w^2$, so $g = 2w$, from $w = 1$. The table's last column compares with the
# engine's class.

# %%
ALPHA, MU, RHO, BETA_1, BETA_2, EPSILON = 0.1, 0.9, 0.9, 0.9, 0.999, 1e-7


def sgd(w, g, s):
    return w - ALPHA * g


def momentum(w, g, s):
    s["v"] = MU * s["v"] - ALPHA * g
    return w + s["v"]


def rmsprop(w, g, s):
    s["v"] = RHO * s["v"] + (1 - RHO) * g**2
    return w - ALPHA * g / np.sqrt(s["v"] + EPSILON)


def adam(w, g, s):
    s["m"] = BETA_1 * s["m"] + (1 - BETA_1) * g
    s["v"] = BETA_2 * s["v"] + (1 - BETA_2) * g**2
    alpha_t = ALPHA * np.sqrt(1 - BETA_2 ** s["t"]) / (1 - BETA_1 ** s["t"])
    return w - alpha_t * s["m"] / (np.sqrt(s["v"]) + EPSILON)


# %%
engines = [scratch.SGD(ALPHA), scratch.Momentum(ALPHA, MU), scratch.RMSprop(ALPHA, RHO), scratch.Adam(ALPHA)]
rows = ["| rule | step | $g = 2w$ | $m$ | $v$ | new $w$ | difference from `scratch` |", "|:---|:---:|" + "---:|" * 5]
for rule, optimiser in zip((sgd, momentum, rmsprop, adam), engines):
    w, s, params = 1.0, {"m": 0.0, "v": 0.0}, {"w": np.array(1.0)}
    for t in (1, 2, 3):
        g, s["t"] = 2 * w, t
        w = rule(w, g, s)
        optimiser.step(params, {"w": 2 * params["w"]})
        m = f"{s['m']:.4f}" if rule is adam else ""
        v = "" if rule is sgd else f"{s['v']:.4f}"
        name = f"**{rule.__name__}**" if t == 1 else ""
        rows.append(f"| {name} | {t} | {g:.4f} | {m} | {v} | {w:.4f} | {abs(w - params['w']):.0e} |")
Markdown("\n".join(rows))

# %% [markdown]
# **What to see:** SGD multiplies $w$ by 0.8 each time. Momentum gathers speed. Adam's first step has the length $\alpha$,
# whatever $g$ is: corrected, $m / \sqrt v$ is then $g / |g|$. The differences are rounding: like Keras, the engine keeps
# $\alpha$ and $\beta$ in float32.
#
# ## 4 · How large may a step be?
#
# Near a minimum every smooth loss is a bowl. Ours is long and narrow: $L = \frac12(\lambda_1 w_1^2 + \lambda_2 w_2^2)$
# with $\lambda = (0.1, 10)$. Each $\lambda$ is a curvature: the direction $w_2$ is a hundred times as steep. A step of
# gradient descent does
#
# $$ w_i \leftarrow w_i - \alpha \lambda_i w_i = (1 - \alpha\lambda_i)\, w_i $$
#
# It shrinks $w_i$ only if $|1 - \alpha\lambda_i| < 1$, that is, if $\alpha < 2/\lambda_i$. The steepest direction
# decides: $\alpha < 2/\lambda_{\max} = 0.2$.

# %%
LAMBDA, START, STEPS = np.array([0.1, 10.0]), np.array([-4.0, 1.0]), 60
AXES, TURNED = np.eye(2), np.array([[1, -1], [1, 1]]) / np.sqrt(2)


def bowl(w):
    return 0.5 * (LAMBDA * w**2).sum(axis=-1)


def walk(optimiser, turn=AXES):
    """All points of a walk; ``TURNED`` rotates the whole bowl by 45°."""
    w, path = turn @ START, [START]
    for _ in range(STEPS):
        optimiser.step({"w": w}, {"w": turn @ (LAMBDA * (turn.T @ w))})
        path.append(turn.T @ w)
    return np.array(path)


def draw_path(ax, path, title):
    w1, w2 = np.meshgrid(np.linspace(-4.6, 1.6, 100), np.linspace(-1.4, 1.4, 100))
    ax.contour(w1, w2, bowl(np.stack([w1, w2], axis=-1)), levels=[0.1, 1, 4, 8], colors="silver", linewidths=0.8)
    far = np.flatnonzero(np.abs(path).max(axis=1) > 5)
    path = path[: far[0]] if len(far) else path  # it has left the picture for good
    ax.plot(*path.T, ".-", lw=0.8, ms=4)
    ax.plot(0, 0, "+", ms=12, color="black")
    ax.set(xlim=(-4.6, 1.6), ylim=(-1.4, 1.4), xlabel="$w_1$")
    ax.set_title(title, fontsize=11)


# %% alt="Three walks over a narrow bowl: slow, zigzag, leaving. Fourth: growth per step, crossing 1 at α = 0.2"
def growth(alpha):
    """The factors by which one step multiplies the distances |w1| and |w2| from the minimum."""
    before, after = walk(scratch.SGD(alpha))[:2]
    return np.abs(after / before)


_, axes = plt.subplots(1, 4, figsize=(11, 2.6))
for ax, (alpha, word) in zip(axes, [(0.02, "too small"), (0.19, "about right"), (0.22, "too large")]):
    path = walk(scratch.SGD(alpha))
    draw_path(ax, path, f"α = {alpha}: {word}\nL = {bowl(path[-1]):.2g} after {STEPS} steps")
axes[0].set_ylabel("$w_2$")
alphas = np.arange(0.005, 0.231, 0.0125)
for curvature, line in zip(LAMBDA, ("-", "--")):
    axes[3].plot(alphas, np.abs(1 - alphas * curvature), line, color="grey")
axes[3].plot(alphas, [growth(alpha) for alpha in alphas], ".", ms=4, color="black")
axes[3].set_xlabel("learning rate α")
axes[3].set_title("distance after a step ÷ before\n(dots: measured)", fontsize=11)
axes[3].text(0.02, 1.06, "flat $w_1$")
axes[3].text(0.12, 0.12, "steep $w_2$")
plt.show()
fine = np.linspace(0.15, 0.25, 1000)
shrinks = np.array([growth(alpha).max() < 1 for alpha in fine])
print(f"largest learning rate that shrinks both: {fine[shrinks].max():.4f}; 2 / λ_max = {2 / LAMBDA.max():.4f}")

# %% [markdown]
# **What to see:** the theory is exact: at 0.2 the growth crosses 1. Below it there is no good choice either: what is
# safe for the steep $w_2$ is slow for the flat $w_1$. Momentum, RMSprop and Adam were invented for such valleys.
#
# We let each walk 60 steps with its best learning rate out of the same 50 ($\mu$ = 0.9), then once more with the whole
# bowl turned by 45°. What counts is the largest loss in the last ten steps: nobody shall win by chance.
#
# Below that comes the proof: real digits, a small network, its Keras twin, the same 10 steps with each optimiser,
# everything in float64.

# %% alt="Walks of five optimisers over the bowl: zigzag, swings, and bows around the steep slope"
OPTIMISERS = {
    "gradient descent": scratch.SGD,
    "momentum": scratch.Momentum,
    "Nesterov": scratch.Nesterov,
    "RMSprop": scratch.RMSprop,
    "Adam": scratch.Adam,
}
_, axes = plt.subplots(1, 5, figsize=(11, 2.6), sharey=True)
axes[0].set_ylabel("$w_2$")
print("steps 51 to 60     bowl along the axes     bowl turned by 45°")
for ax, (name, optimiser) in zip(axes, OPTIMISERS.items()):
    results = []
    for turn in (AXES, TURNED):
        final = {alpha: bowl(walk(optimiser(alpha), turn)[-10:]).max() for alpha in np.geomspace(0.01, 2, 50)}
        best = min(final, key=final.get)
        results.append(f"L = {final[best]:.0e} (α = {best:.2g})")
        if turn is AXES:
            draw_path(ax, walk(optimiser(best)), f"{name}\nα = {best:.2g}")
    print(f"{name:<19}{results[0]:<24}{results[1]}")
plt.show()

# %%
from toolkit import bridge
import keras

digits = data.load("mnist5k", flatten=True)
x, y = digits.x_train[:100].astype("float64"), digits.y_train[:100]
twins = {
    "SGD": (scratch.SGD(0.1), keras.optimizers.SGD(0.1)),
    "momentum": (scratch.Momentum(0.1, 0.9), keras.optimizers.SGD(0.1, momentum=0.9)),
    "Nesterov": (scratch.Nesterov(0.1, 0.9), keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)),
    "RMSprop": (scratch.RMSprop(0.01), keras.optimizers.RMSprop(0.01)),
    "Adam": (scratch.Adam(0.01), keras.optimizers.Adam(0.01)),
}
print("10 steps     loss in NumPy     loss in Keras   largest difference of a weight")
for name, (ours, theirs) in twins.items():
    layers = [scratch.Dense(8, "tanh"), scratch.Dense(10, "softmax")]
    network = scratch.Sequential(layers, input_shape=784, seed=0, dtype="float64")
    network.compile(ours, "sparse_categorical_crossentropy")
    model = bridge.to_keras(network)
    model.compile(theirs, keras.losses.SparseCategoricalCrossentropy(dtype="float64"), run_eagerly=True)
    for _ in range(10):
        loss, keras_loss = network.train_step(x, y), model.train_on_batch(x, y)
    difference = max(np.abs(a - b).max() for a, b in zip(network.get_weights(), model.get_weights()))
    print(f"{name:<9}{loss:>17.6f}{float(keras_loss):>18.6f}{difference:>33.1e}")

# %% [markdown]
# **What to see:** Keras takes the same steps, to the last digits. On the bowl, momentum is faster than gradient
# descent, and RMSprop gives each weight a scale of its own. But see the right column: turned by 45°, the valley no
# longer runs along an axis, and RMSprop's lead is gone. The first three do not notice the turn.
#
# ## 5 · Your experiment: the learning rate and the momentum
#
# The map on the left holds 9,600 walks, one for each pair of learning rate $\alpha$ and momentum $\mu$: the darker, the
# smaller the loss at the end. The dashed line is theory again: with momentum the largest learning rate is
# $2(1 + \mu)/\lambda_{\max}$. The dot is you. Move the sliders:
#
# - Which $\alpha$ is best without momentum ($\mu = 0$), and which one just survives?
# - Find a pair that ends below $10^{-6}$. Is it near the dashed line?
# - What does $\mu = 0.95$ look like, and why is more not always better?

# %% alt="Left, a map of the loss over learning rate and momentum, a dot at the chosen pair; right, its walk"
alpha_map, mu_map = np.meshgrid(np.linspace(0.005, 0.4, 120), np.linspace(0, 0.98, 80))
w_map, v_map, losses = np.tile(START, (80, 120, 1)), np.zeros((80, 120, 2)), []
for _ in range(STEPS):
    v_map = mu_map[..., None] * v_map - alpha_map[..., None] * LAMBDA * w_map
    w_map = w_map + v_map
    losses.append(bowl(w_map))
exponent = np.log10(np.max(losses[-10:], axis=0))


def show_walk(alpha, mu):
    path = walk(scratch.Momentum(alpha, mu))
    _, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.5))
    left.contourf(alpha_map, mu_map, exponent, levels=[-12, -6, -4, -2, 0], cmap="Blues_r", extend="max")
    lines = left.contour(alpha_map, mu_map, exponent, levels=[-6, -2], colors="black", linewidths=0.7)
    left.clabel(lines, fmt=lambda power: f"$10^{{{power:.0f}}}$", fontsize=9)
    left.plot(2 * (1 + mu_map[:, 0]) / LAMBDA.max(), mu_map[:, 0], "--", color="black")
    left.plot(alpha, mu, "o", ms=11, color="white", markeredgecolor="black", clip_on=False, zorder=3)
    left.set(xlabel="learning rate α", ylabel="momentum μ", xlim=(0.005, 0.4), title="Loss in steps 51 to 60")
    draw_path(right, path, f"The walk with α = {alpha:.2f}, μ = {mu:.2f}")
    right.set_ylabel("$w_2$")
    plt.show()
    print(f"loss at the start = {bowl(START):.3g}\nloss after {STEPS} steps = {bowl(path[-1]):.3g}")


style = {"description_width": "initial"}
rate = widgets.FloatSlider(0.1, min=0.01, max=0.4, step=0.01, description="learning rate α", style=style)
friction = widgets.FloatSlider(0.5, min=0, max=0.95, step=0.05, description="momentum μ", style=style)
widgets.VBox([widgets.HBox([rate, friction]), widgets.interactive_output(show_walk, {"alpha": rate, "mu": friction})])

# %% [markdown]
# ## 6 · The race on real digits
#
# A bowl is a toy. Now the 784-32-10 network on 4,000 digits. A fair race needs rules:
#
# - **The same budget.** Each optimiser may use the gradients of 40,000 samples, that is, see all digits 10 times (10
#   **epochs**). GD spends 4,000 of them on one step and gets 10 steps; the others take batches of 100 and get 400.
# - **The same tuning.** Each first runs 3 epochs with the same 9 learning rates and takes the best one into the race.
#   ($\mu$, $\rho$, $\beta_1$ and $\beta_2$ stay as they were.)
# - **The same luck.** A seed fixes starting weights and batches. We tune with one seed and race with three others.


# %%
RUNNERS = {"GD": scratch.SGD, "SGD": scratch.SGD} | dict(list(OPTIMISERS.items())[1:])
RATES = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
x_train, y_train = digits.x_train, digits.y_train


def run(name, rate, seed, epochs):
    """Loss over all training digits before and after each epoch, loss of each batch, test accuracy."""
    layers = [scratch.Dense(32, "relu", kernel_initializer="he_uniform"), scratch.Dense(10, "softmax")]
    network = scratch.Sequential(layers, input_shape=784, seed=seed)
    network.compile(RUNNERS[name](rate), "sparse_categorical_crossentropy")
    loss = [network.evaluate(x_train, y_train)["loss"]]

    def measure(epoch, measures):
        loss.append(network.evaluate(x_train, y_train)["loss"])

    batch_size = len(x_train) if name == "GD" else 100
    options = {"batch_size": batch_size, "epochs": epochs, "seed": seed, "verbose": False}
    history = network.fit(x_train, y_train, on_epoch_end=measure, **options)
    return loss, history.batch_loss, network.evaluate(digits.x_test, digits.y_test)["accuracy"]


# %%
bar = widgets.IntProgress(max=len(RUNNERS) * (len(RATES) + 3), description="running")
display(bar)
tuning = np.zeros((len(RUNNERS), len(RATES)))
for (row, column), _ in np.ndenumerate(tuning):
    tuning[row, column] = run(list(RUNNERS)[row], RATES[column], seed=0, epochs=3)[0][-1]
    bar.value += 1
best = {name: RATES[column] for name, column in zip(RUNNERS, tuning.argmin(axis=1))}

rows = [
    "| training loss after 3 epochs | " + " | ".join(f"α = {rate:g}" for rate in RATES) + " |",
    "|:---|" + "---:|" * 9,
]
for name, losses in zip(RUNNERS, tuning):
    cells = [f"**{loss:.2f}**" if loss == losses.min() else f"{loss:.2f}" for loss in losses]
    rows.append(f"| {name} | {' | '.join(cells)} |")
Markdown("\n".join(rows))

# %% alt="Left, loss over samples: GD far above the others. Right, loss over steps: GD among the others"
race = {}
for name in RUNNERS:
    race[name] = [run(name, best[name], seed, epochs=10) for seed in (1, 2, 3)]
    bar.value += 3

_, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4))
rows = ["| optimiser | α | steps | training loss, three seeds | test accuracy |", "|:---|---:|---:|:---:|:---:|"]
for name, line in zip(RUNNERS, ("ko-", "C0--", "C1-.", "C2-", "C3:", "C4+-")):
    losses, steps, accuracies = (np.array(part) for part in zip(*race[name]))
    left.semilogy(np.arange(11) * 4, losses.mean(axis=0), line, label=name)
    if name in ("GD", "SGD", "Adam"):
        right.semilogy(np.arange(20)[: len(steps[0])], steps.mean(axis=0)[:20], line)
    final, accuracies = np.sort(losses[:, -1]), np.sort(accuracies)
    rows.append(
        f"| {name} | {best[name]:g} | {len(steps[0])} | {final[0]:.3f} to {final[-1]:.3f} "
        f"| {accuracies[0]:.1%} to {accuracies[-1]:.1%} |"
    )
left.set(xlabel="samples seen, in thousands", ylabel="loss of all digits", title="The same number of samples")
right.set(xlabel="steps taken", ylabel="loss of the batch", title="The same number of steps", xticks=range(0, 21, 5))
left.legend(fontsize=9)
plt.show()
Markdown("\n".join(rows))

# %% [markdown]
# **What to see:** on the left GD is far behind, but on the right its ten steps are no worse than SGD's: it loses
# because it gets no more of them. A noisy step from 100 digits is about as good and costs a fortieth. Look at the
# ranges before you name a winner: the three seeds of Adam lie so far apart that others fit in between. And a lower
# training loss is not yet a better network: compare the last column.
#
# ## 7 · Keeping weights small: L2
#
# A network that fits its training digits perfectly goes on growing its weights to be even more certain. **L2** adds
# $\lambda \sum W^2$ to the loss, so $2\lambda W$ to the gradient. Where nothing else pulls, a step of SGD does
# $W \leftarrow (1 - 2\alpha\lambda)\,W$: weights decay. First that, with inputs of zero; then on digits, with the
# losses written without the penalty.

# %%
layer = scratch.Dense(2, kernel_initializer=np.array([[1.0, -2.0]]), kernel_regularizer=scratch.L2(0.05))
layer.forward(np.zeros((1, 1)))
layer.backward(np.zeros((1, 2)))
scratch.SGD(0.1).step(layer.params, layer.grads)
print(f"one step from W = [1, −2] with α = 0.1, λ = 0.05: W = {layer.params['W'][0]}, 1 − 2αλ = {1 - 2 * 0.1 * 0.05}")

rows = ["| λ | mean of $W^2$ | training loss | test loss | test accuracy |", "|---:|" + "---:|" * 4]
for strength in (0, 0.0001, 0.001, 0.01):
    sizes = ((32, "relu"), (10, "softmax"))
    layers = [scratch.Dense(units, f, kernel_regularizer=scratch.L2(strength)) for units, f in sizes]
    network = scratch.Sequential(layers, input_shape=784)
    network.compile(scratch.Nesterov(best["Nesterov"]), "sparse_categorical_crossentropy")
    network.fit(x_train, y_train, batch_size=100, epochs=10, verbose=False)
    train = network.evaluate(x_train, y_train)["loss"] - network.regularization()
    test = network.evaluate(digits.x_test, digits.y_test)
    test_loss = test["loss"] - network.regularization()
    square = np.mean(np.concatenate([layer.params["W"].ravel() for layer in layers]) ** 2)
    rows.append(f"| {strength:g} | {square:.5f} | {train:.4f} | {test_loss:.3f} | {test['accuracy']:.1%} |")
Markdown("\n".join(rows))

# %% [markdown]
# **What to see:** the larger $\lambda$, the smaller the weights and the worse the fit to the training digits. The test
# loss is best in between.
#
# ## 8 · Where to start
#
# Start a layer with random weights of mean 0 and standard deviation $\sigma$. Each $z_j = \sum_i x_i W_{ij}$ adds up
# $D$ independent terms, and the variances of independent terms add up:
#
# $$ E[z^2] = D\,\sigma^2\, E[x^2] \qquad \text{and backward, } dx = dz\,W^\top{:}\quad
#    E[dx^2] = M\,\sigma^2\, E[dz^2] $$
#
# Ten layers multiply this factor with itself ten times. A factor of ½ becomes a thousandth, a factor of 2 a thousand.
# It has to be 1:
#
# - **Xavier** (Glorot): forward wants $\sigma^2 = 1/D$, backward $1/M$; the compromise is $\sigma^2 = 2/(D + M)$. It
#   suits tanh, which is nearly the line $a = z$ around 0.
# - **He**: ReLU cuts off the negative half, so $E[a^2] = \frac12 E[z^2]$. To make up for it, $\sigma^2 = 2/D$.
#
# We send random numbers of size 1 through ten layers of 256 units, and random upstream gradients of size 1 back, with
# these two and with a $\sigma$ half and 2.5 times as large as Xavier's.


# %% alt="Sizes of activations and gradients by layer: only He is level with ReLU, half Xavier falls to nothing"
class Scaled(scratch.Initializer):
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, shape, rng, dtype):
        return rng.normal(0, self.gain / np.sqrt(shape[0]), shape).astype(dtype)


XAVIER, HE = scratch.GlorotNormal(), scratch.HeNormal()
STARTS = {"½ Xavier": Scaled(0.5), "Xavier": XAVIER, "He": HE, "2.5 Xavier": Scaled(2.5)}
rng = np.random.default_rng(0)
_, axes = plt.subplots(2, 2, figsize=(8.6, 4.3), sharex=True)
for activation, (left, right) in zip(("tanh", "ReLU"), axes):
    for (name, start), line in zip(STARTS.items(), (":", "-", "--", "-.")):
        layers = [scratch.Dense(256, activation.lower(), kernel_initializer=start) for _ in range(10)]
        scratch.Sequential(layers, input_shape=256)
        signals, gradients = [rng.standard_normal((500, 256))], [rng.standard_normal((500, 256))]
        for layer in layers:
            signals.append(layer.forward(signals[-1]))
        for layer in reversed(layers):
            gradients.append(layer.backward(gradients[-1]))
        left.semilogy(np.sqrt(np.mean(np.square(signals), axis=(1, 2))), line, label=name)
        right.semilogy(np.sqrt(np.mean(np.square(gradients), axis=(1, 2)))[::-1], line)
    left.set(ylabel="root mean square", title=f"{activation}: activations, forward →")
    right.set_title(f"{activation}: gradients, ← backward")
axes[0, 0].legend(fontsize=9)
axes[1, 0].set_xlabel("after layer")
axes[1, 1].set_xlabel("after layer")
plt.show()

# %% [markdown]
# **What to see:** with half of Xavier nothing arrives, neither forward nor back. With 2.5 times, ReLU explodes; tanh
# cannot, it is pushed towards ±1, but its gradients grow on the way back. With ReLU only He stays level. With tanh
# Xavier and He both arrive well.
#
# **And all zeros?** Or all the same number? Units that start equal get equal gradients, so they stay equal, for ever:
# eight hidden units do the work of one. With zeros not even that: $da = dz\,W^\top = 0$. Train and count the units that
# differ:

# %% alt="Weights of eight hidden units: from zeros blank, from equal weights all alike, from Xavier all different"
BEGINNINGS = {"zeros": np.zeros, "all 0.01": lambda shape: np.full(shape, 0.01), "Xavier": None}
fig, axes = plt.subplots(3, 8, figsize=(6.4, 2.6))
colours = plt.get_cmap("RdBu_r", 9)
print("start      training loss   test accuracy   different hidden units")
for (name, fill), row in zip(BEGINNINGS.items(), axes):
    kernels = [fill(shape) if fill else "glorot_uniform" for shape in ((784, 8), (8, 10))]
    layers = [scratch.Dense(u, f, kernel_initializer=k) for u, f, k in zip((8, 10), ("tanh", "softmax"), kernels)]
    network = scratch.Sequential(layers, input_shape=784)
    network.compile(scratch.SGD(0.2), "sparse_categorical_crossentropy")
    loss = network.fit(x_train, y_train, batch_size=100, epochs=5, verbose=False).history["loss"][-1]
    W, accuracy = layers[0].params["W"], network.evaluate(digits.x_test, digits.y_test)["accuracy"]
    print(f"{name:<9}{loss:>15.3f}{accuracy:>16.1%}{len(np.unique(W.round(5), axis=1).T):>25}")
    for unit, ax in enumerate(row):
        ax.imshow(W[:, unit].reshape(28, 28), cmap=colours, vmin=-0.3, vmax=0.3, interpolation="nearest")
        ax.set(xticks=[], yticks=[], ylabel=name if unit == 0 else "")
fig.suptitle("Weights of the eight hidden units after training")
plt.show()

# %% [markdown]
# **What to see:** from equal weights the eight units are one, drawn eight times. Chance at the start is what makes them
# different. Biases may start at 0: the weights break the symmetry.
#
# Now the whole point: does a deep network *train*? Ten hidden ReLU layers of 64 units, real digits (divided by their
# root mean square, so that they have size 1), SGD. Each start gets three learning rates and shows its best run.

# %% alt="Training loss: half Xavier stays at guessing, Xavier falls late, He falls at once and ends lowest"
scale = np.sqrt(np.mean(x_train**2))
best_runs, exploded = {}, []
for name, start in STARTS.items():
    runs = {}
    for rate in (0.03, 0.1, 0.3):
        layers = [scratch.Dense(64, "relu", kernel_initializer=start) for _ in range(10)]
        network = scratch.Sequential([*layers, scratch.Dense(10, "softmax")], input_shape=784)
        network.compile(scratch.SGD(rate), "sparse_categorical_crossentropy")
        try:
            with np.errstate(all="ignore"):  # a run that explodes overflows first
                runs[rate] = network.fit(x_train / scale, y_train, batch_size=100, epochs=6, verbose=False)
        except errors.InvalidValueError:
            exploded.append(f"{name} with α = {rate}")
    if runs:
        rate = min(runs, key=lambda rate: runs[rate].history["loss"][-1])
        best_runs[f"{name}, α = {rate}"] = runs[rate]
_, ax = plt.subplots(figsize=(6, 3.1))
plots.curves(best_runs, ax=ax, log=True, ylabel="training loss", title="Ten hidden ReLU layers, four ways to start")
ax.axhline(np.log(10), color="grey", lw=1)
ax.text(6, 2.2, "guessing: ln 10", color="dimgrey", ha="right", va="top")
plt.show()
print("exploded:", ", ".join(exploded) or "none")

# %% [markdown]
# **What to see:** the same network, data and steps; only the first weights differ. He has a head start over Xavier of
# several epochs, and the other two do not start at all.
#
# ## 9 · Your turn
#
# Replace each `...` and run the cell. The checker tells at once whether it is right and, if not, which mistake it was.
#
# **03.1** &nbsp; One step of momentum. Return the new weight and the new velocity, `w, v`.
#
# **03.2** &nbsp; One step of Adam, the `t`-th (`t` counts from 1). Return `w, m, v`, all new.
#
# **03.3** &nbsp; The standard deviation that He chooses for a dense kernel `W` of the given shape $(D, M)$.


# %%
def momentum_step(w, g, v, alpha, mu):
    # BEGIN SOLUTION
    v = mu * v - alpha * g
    return w + v, v
    # END SOLUTION


check("03.1", momentum_step)


# %%
def adam_step(w, g, m, v, t, alpha, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    # BEGIN SOLUTION
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g**2
    alpha_t = alpha * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    return w - alpha_t * m / (np.sqrt(v) + epsilon), m, v
    # END SOLUTION


check("03.2", adam_step)


# %%
def he_standard_deviation(shape):
    # BEGIN SOLUTION
    return np.sqrt(2 / shape[0])
    # END SOLUTION


check("03.3", he_standard_deviation)

# %% [markdown]
# **03.4** &nbsp; *Find the bug.* A friend fits $\hat y = w x$ by gradient descent on the mean squared error. "It works:
# for my data with slope −2 it goes to −2." For slope 2 it does not. `broken` is the code. What is wrong? Write `mended`.


# %%
def broken(x, y, alpha, steps):
    w = 0.0
    for _ in range(steps):
        g = 2 * np.mean((w * x - y) * x)
        w = w - alpha * g**2
    return w


def mended(x, y, alpha, steps):
    # BEGIN SOLUTION
    w = 0.0
    for _ in range(steps):
        g = 2 * np.mean((w * x - y) * x)
        w = w - alpha * g
    return w
    # END SOLUTION


x = np.array([-1.0, 0.0, 1.0])
print(f"slope −2, 100 steps: w = {broken(x, -2 * x, 0.1, 100):.3f}")
print(f"slope  2,   5 steps: w = {broken(x, 2 * x, 0.1, 5):.3g}")
check("03.4", mended)

# %% [markdown]
# ## What to take along
#
# - **Loss.** Both are $-\ln(\text{probability})$ of the targets. Cross-entropy punishes confident mistakes, and its
#   gradient, $p - y$, does not fade where the sigmoid is flat. Compute it from logits, with log-sum-exp.
# - **Optimiser.** The steepest direction limits the step: $\alpha < 2/\lambda_{\max}$. Momentum adds up steps that
#   agree; RMSprop and Adam scale each weight. None wins always: tune the learning rate first, and use several seeds.
# - **Start.** Random, so that units differ; with $\sigma^2 = 2/(D + M)$ for tanh and $2/D$ for ReLU, so that signals
#   arrive. L2 then keeps weights small.
#
# **Next:** lesson 04 puts it all together, in NumPy and in Keras, step for step.
#
# **Read on:** H. Robbins and S. Monro (1951), *A stochastic approximation method*. B. Polyak (1964), on the heavy ball.
# X. Glorot and Y. Bengio (2010), *Understanding the difficulty of training deep feedforward neural networks*.
# T. Tieleman and G. Hinton (2012), lecture 6.5: RMSprop. I. Sutskever et al. (2013), *On the importance of
# initialization and momentum in deep learning*. D. Kingma and J. Ba (2015), *Adam*, arXiv:1412.6980. K. He et al.
# (2015), *Delving deep into rectifiers*, arXiv:1502.01852. I. Goodfellow, Y. Bengio and A. Courville (2016), *Deep
# Learning*, chapters 6 to 8.
