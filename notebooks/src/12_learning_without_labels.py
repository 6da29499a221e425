# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "12"
#     title: "Learning without labels"
#     goal: Learn from images alone by mending, by contrast and against an opponent, and measure what it was worth
#     minutes: 80
#     prerequisites: ["01", "02", "03", "04", "05"]
# ---

# %% [markdown]
# # 12 · Learning without labels
#
# **After this lesson** you can train an encoder on images that nobody has labelled, measure what its features are worth,
# derive the two losses of a generative adversarial network, and recognise the ways in which its training fails.
#
# **You need** cross-entropy and its gradient (02, 03), convolution (05).
#
# **The way.** few labels → mending: a denoising autoencoder → contrast: NT-Xent, by hand, in NumPy and in Keras → what it
# was worth → two networks against each other → digits that nobody wrote → three ways to fail → your experiment
#
# ## 1 · The picture: images are cheap, labels are dear
#
# A camera takes a thousand images while a person labels ten. So let us act as if most labels were missing: all training
# images stay, but only 1, 5, 20 or 50 of each digit may be used *with* their label.
#
# How good is a representation $h$ of an image? We ask the simplest classifier, logistic regression on $h$ as it is. This
# is called a **linear probe**. First with $h$ = the pixels; the labelled ones are drawn five times, since luck matters
# with few labels.

# %%
import os

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch, training
from toolkit.classroom import check
from toolkit.training import unlabelled
import keras
import tensorflow as tf

rng = np.random.default_rng(0)
long = os.environ.get("TOOLKIT_PROFILE") == "full"  # more images and epochs

plt.rcParams["figure.dpi"] = 72

images = data.load("mnist" if long else "mnist5k")
x, x_test = images.x_train, images.x_test
print("images to learn from:", x.shape, " to test with:", x_test.shape)


# %%
PER_CLASS = (1, 5, 20, 50)


def probe(h, h_test):
    return training.linear_probe(h, images.y_train, h_test, images.y_test, per_class=PER_CLASS, seeds=5)


def table(rows):
    lines = [" | ".join(["labels of each digit", *map(str, PER_CLASS)]), ":-- | --: | --: | --: | --:"]
    for name, (means, halves) in rows.items():
        lines.append(" | ".join([name, *(f"{m:.1%} ± {h:.1%}" for m, h in zip(means, halves, strict=True))]))
    return Markdown("\n".join(lines))


worth = {"pixels": probe(x, x_test)}
table({"pixels": (worth["pixels"].mean, worth["pixels"].half_width)})

# %% [markdown]
# Can the images *without* labels help? Then they must pose a task whose answer lies in themselves.
#
# ## 2 · Mending: the denoising autoencoder
#
# Spoil an image on purpose and let a network mend it. A mask $m$ sets a share $\nu$ of the $D$ pixels to 0; an encoder $f$
# turns what is left into few numbers, and a decoder $g$ makes an image of them:
#
# $$ \tilde x = m \odot x, \qquad h = f(\tilde x)\;(N, M), \qquad r = g(h), \qquad
# L = -\frac{1}{ND} \sum_{n,d} \bigl[\, x_{nd} \ln r_{nd} + (1 - x_{nd}) \ln(1 - r_{nd}) \,\bigr] $$
#
# It is the binary cross-entropy of lesson 03, with one trap: the target is the *clean* $x$. A network that may give back
# what it got learns to copy.

# %% alt="Three rows of digits: clean, with four of ten pixels black, and mended by the trained network"
clean, spoiled, r = np.array([[1.0, 1.0]]), np.array([[0.0, 1.0]]), np.array([[0.8, 0.5]])
loss = scratch.BinaryCrossentropy()
print(f"by hand: −(ln 0.8 + ln 0.5)/2 = {-(np.log(0.8) + np.log(0.5)) / 2:.4f}, computed {loss.forward(clean, r):.4f}")
print(f"with the spoiled image as target, mending is punished: {loss.forward(spoiled, r):.4f}")

encoders = {"random": unlabelled.image_encoder(seed=0), "mending": unlabelled.image_encoder(seed=0)}
autoencoder = unlabelled.DenoisingAutoencoder(
    encoders["mending"], unlabelled.image_decoder(filters=8, seed=0), masking=0.4
)
autoencoder.compile(keras.optimizers.Adam(0.002))
history = training.fit(autoencoder, x, epochs=15 if long else 5, batch_size=128, verbose=False)
print("loss of the first and of the last epoch:", *(f"{history.history['loss'][k]:.3f}" for k in (0, -1)))

seen = autoencoder.corrupt(x_test[:10])
plots.sample_grid([x_test[:10], seen, autoencoder(seen)], rows=["clean x", "spoiled x̃", "mended r"])
plt.show()

# %% [markdown]
# **What to see:** these test digits are new to it, and it closes their gaps. For that it must know how strokes go on. What
# it knows lies in $h$, 64 numbers an image.
#
# ## 3 · Contrast: SimCLR
#
# Another task: take two random **views** of each image, turned, moved, nearer or farther, with noise. Of all views in the
# batch, which belong together? Whoever can tell has found what stays the same when position, angle and noise change.

# %% alt="Three rows of digits: images, and below each two random views of it"
view = unlabelled.RandomView(shift=0.15, zoom=0.3, rotation=15, noise=0.1, seed=0)
plots.sample_grid([x[:8], view(x[:8]), view(x[:8])], rows=["image", "a view", "another"])
plt.show()

# %% [markdown]
# Encoder and a small head turn the $2N$ views into $z\;(2N, M)$: first one view of each image, then the second ones, so
# the partner of row $i$ is $j(i) = i \pm N$. The loss, **NT-Xent**, is a softmax cross-entropy: row $i$ has to pick its
# partner among the $2N - 1$ *other* rows, by the cosine of the angle between them:
#
# $$ u_i = \frac{z_i}{\lVert z_i \rVert}, \qquad s_{ik} = \frac{u_i^\top u_k}{\tau}, \qquad
# L = -\frac{1}{2N} \sum_i \ln \frac{e^{s_{i\,j(i)}}}{\sum_{k \ne i} e^{s_{ik}}} $$
#
# The temperature $\tau$ says how much the most similar wrong rows count. By hand: two images, partners that point the same
# way, all others at right angles, $\tau = 1$. Each row sees similarities $1, 0, 0$: $L = \ln(1 + 2/e)$.


# %%
def nt_xent(z, tau):
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    S = u @ u.T / tau
    np.fill_diagonal(S, -np.inf)  # nobody is asked about itself
    P = np.exp(S - S.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    partner = np.roll(np.arange(len(z)), len(z) // 2)
    return -np.log(P[np.arange(len(z)), partner]).mean(), (u, P, partner)


z = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 3.0]])
print(f"by hand: ln(1 + 2/e) = {np.log(1 + 2 / np.e):.6f}, computed {nt_xent(z, 1.0)[0]:.6f}")
z = rng.standard_normal((200, 64))
print(f"guessing among 199: ln 199 = {np.log(199):.3f}, random z: {nt_xent(z, 0.5)[0]:.3f}")

# %% [markdown]
# **Backward.** With $P$ the softmax and $Y$ the one-hot partners, it is lesson 02 again. Every $u_i$ stands on both sides
# of the dot product, hence $dS + dS^\top$; and a longer $z_i$ changes nothing, so what lies along $u_i$ is taken out:
#
# $$ dS = \frac{P - Y}{2N}, \qquad dU = \frac{1}{\tau}(dS + dS^\top)\,U, \qquad
# dz_i = \frac{du_i - (u_i^\top du_i)\,u_i}{\lVert z_i \rVert} $$
#
# After this check, the next cell trains an encoder with the loss: of the same architecture as the one that mended, from
# the same initial weights.


# %%
def nt_xent_backward(z, tau):
    _, (u, P, partner) = nt_xent(z, tau)
    dS = (P - np.eye(len(z))[partner]) / len(z)
    du = (dS + dS.T) @ u / tau
    return (du - (du * u).sum(axis=1, keepdims=True) * u) / np.linalg.norm(z, axis=1, keepdims=True)


z = tf.Variable(rng.standard_normal((12, 5)))
with tf.GradientTape() as tape:
    loss = unlabelled.nt_xent(z, 0.2)
dz, keras_dz = nt_xent_backward(z.numpy(), 0.2), tape.gradient(loss, z).numpy()
numeric = scratch.numerical_gradient(lambda v: nt_xent(v, 0.2)[0], z.numpy())
print(f"against finite differences: relative error {scratch.compare_gradients(dz, numeric):.0e}")
gap = abs(nt_xent(z.numpy(), 0.2)[0] - loss.numpy())
print(f"NumPy − TensorFlow: loss {gap:.0e}, dz {abs(dz - keras_dz).max():.0e}")
assert abs(dz - keras_dz).max() < 1e-10

# %% alt="The contrastive loss falls over the epochs, far below that of guessing"
encoders["contrast"] = unlabelled.image_encoder(seed=0)
simclr = unlabelled.SimCLR(encoders["contrast"], unlabelled.projection_head(seed=0), view, temperature=0.2)
simclr.compile(keras.optimizers.Adam(0.002))
history = training.fit(simclr, x, epochs=30 if long else 8, batch_size=256, verbose=False)
ax = plots.curves({"NT-Xent": history.history["loss"]}, title="256 images, 512 views: who belongs to whom?")
ax.axhline(np.log(511), color="grey", ls=":", label="guessing: ln 511")
ax.legend(loc="right")
ax.figure.set_size_inches(6, 2.6)
plt.show()

# %% [markdown]
# ## 4 · What was it worth?
#
# The head is thrown away: it may forget what the views differ in, and the features $h$ need not. Now the same probe, with
# the same labels, on pixels and on the features of three encoders: untrained, mending, contrast. None has seen a label.
#
# Each row comes with a 95 % interval over the five draws of labelled images. But the draws are the *same* for every row,
# and a lucky one helps all of them. So a difference is computed draw by draw, as in lesson 10, before its interval is
# taken. That is the last row.

# %% alt="Linear-probe accuracy against labels of each class: from 5 on, contrast, mending, pixels, random from the top"
for name, encoder in encoders.items():
    h, h_test = (encoder.predict(part, batch_size=500, verbose=0) for part in (x, x_test))
    worth[name] = probe(h, h_test)

_, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for (name, result), line in zip(worth.items(), ("s:", "x-.", "^--", "o-"), strict=True):
    ax.errorbar(PER_CLASS, 100 * result.mean, 100 * result.half_width, fmt=line, capsize=3, label=name)
ax.set(xscale="log", ylim=(0, 100), xlabel="labels of each class", ylabel="linear probe: test accuracy in %")
ax.set_xticks(PER_CLASS, PER_CLASS)
ax.grid(alpha=0.3)
ax.legend()
plt.show()
rows = {name: (result.mean, result.half_width) for name, result in worth.items()}
table(rows | {"**contrast − pixels, paired**": worth["contrast"].difference(worth["pixels"])})

# %% [markdown]
# **What to see:** read the last row, and ask of each figure whether its interval leaves out 0. From five labels of each
# digit on it does by far: the same labels are worth more on the features of contrast, and the lead shrinks as labels get
# more. With one label the rows by themselves swing most; look at how the paired interval compares with those of its two
# rows. Untrained features *lose* against pixels, so it is the training that helped. But it had help: the views are prior
# knowledge in disguise, we told the network that a turned digit is the same digit. (Each encoder was trained once. What
# another training would give is not in the intervals.)
#
# ## 5 · Two networks against each other
#
# A **generator** $G$ turns noise $z$ into samples; a **discriminator** $D$ says how likely a sample is to be real. One
# wants to tell them apart, the other does not want to be told apart:
#
# $$ \min_G \max_D\; V(D, G) = \mathbb E_{x \sim p} \ln D(x) + \mathbb E_{x \sim q} \ln(1 - D(x)), $$
#
# with $p$ the density of the data, $q$ that of what $G$ makes, and $\mathbb E$ the mean over samples of it. **The best D**
# for a fixed $G$: at each $x$ the term $p \ln D + q \ln(1 - D)$ is largest where its derivative $p/D - q/(1 - D)$ is 0,
#
# $$ D^*(x) = \frac{p(x)}{p(x) + q(x)} . $$
#
# **What is $V$ then?** How far apart $p$ and $q$ are is measured by the **Jensen-Shannon divergence**, which compares both
# with their mean $m$ (for densities the sums are integrals). It is 0 only where $q = p$:
#
# $$ \mathrm{JSD}(p, q) = \frac12 \sum_x p \ln \frac pm + \frac12 \sum_x q \ln \frac qm, \qquad m = \frac{p + q}2 . $$
#
# Put $D^*$ into $V$: $\ln D^* = \ln \frac{p}{p + q} = \ln \frac pm - \ln 2$ and $\ln(1 - D^*) = \ln \frac qm - \ln 2$, so
#
# $$ V(D^*, G) = 2\,\mathrm{JSD}(p, q) - \ln 4 . $$
#
# Against the best $D$ the generator makes the divergence small; at its end $q = p$ and $D^* = \tfrac12$ everywhere. By hand:
# $p = (\tfrac12, \tfrac12, 0)$, $q = (0, \tfrac12, \tfrac12)$ gives $D^* = (1, \tfrac12, 0)$ and
# $V = 2 \cdot \tfrac12 \ln \tfrac12 = -\ln 2$. Then a network learns to tell apart samples of two bell curves.

# %%
p, q = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.5, 0.5])
m = (p + q) / 2
jsd = sum((a[a > 0] * np.log(a[a > 0] / m[a > 0])).sum() / 2 for a in (p, q))  # 0 ln 0 is 0
print(f"D* = {p / (p + q)}, 2 JSD − ln 4 = {2 * jsd - np.log(4):.6f}, −ln 2 = {-np.log(2):.6f}")

# %% alt="Left: two bell curves. Right: the trained discriminator follows D* = p/(p + q) where there are points"
real, generated = rng.normal(0, 1, (5000, 1)), rng.normal(1.5, 0.6, (5000, 1))
points, is_real = np.concatenate([real, generated]), np.repeat([1.0, 0.0], 5000)[:, None]
D = unlabelled.dense_network(1, 1, hidden=(32,), seed=0)
D.compile(keras.optimizers.Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
training.fit(D, points, is_real, epochs=15, batch_size=100, verbose=False)

grid = np.linspace(-3, 3.5, 200)[:, None]
p, q = (np.exp(-(((grid - mean) / s) ** 2) / 2) / s for mean, s in ((0, 1), (1.5, 0.6)))
_, (left, right) = plt.subplots(1, 2, figsize=(8, 2.4), layout="constrained")
left.plot(grid, p, "-", grid, q, "--")
left.legend(["data p", "generated q"])
left.set(xlabel="x", ylabel="density, up to a factor")
right.plot(grid, p / (p + q), "k-", lw=4, alpha=0.3)
right.plot(grid, tf.sigmoid(D(grid)), "C1--")
right.legend(["p/(p + q)", "a trained network"])
right.set(xlabel="x", ylabel="D(x)")
plt.show()
print(f"of 10,000 points only {(points > 3).sum()} lie beyond x = 3: few to learn from, there it misses the formula")

# %% [markdown]
# ## 6 · Two losses for the generator
#
# $D = \sigma(s)$ with the logit $s$. $G$ sees only the second half of $V$, on its samples. Goodfellow's paper gives it two
# losses, both smallest at $D = 1$; with $\sigma' = D(1 - D)$ their gradients are
#
# $$ L_\text{minimax} = \ln(1 - D),\quad \frac{dL}{ds} = -D; \qquad\qquad
# L_\text{non-saturating} = -\ln D,\quad \frac{dL}{ds} = -(1 - D) . $$
#
# Early on $G$ makes rubbish, $D \approx 0$. Which of the two still learns?

# %% alt="Size of both gradients over the logit s: minimax is 0 on the left, non-saturating on the right"
s = np.linspace(-8, 8, 81)[:, None]
fakes = np.zeros_like(s)
pairs = {"minimax": scratch.GeneratorLoss(saturating=True), "non-saturating": scratch.GeneratorLoss()}
_, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
for (name, loss), line in zip(pairs.items(), ("--", "-"), strict=True):
    loss.forward(fakes, s)
    ours = loss.backward()
    ax.plot(s, len(s) * np.abs(ours), line, label=name)
    with tf.GradientTape() as tape:
        variable = tf.Variable(s)
        theirs = unlabelled.generator_loss(variable, saturating=loss.saturating)
    gap = np.abs(ours - tape.gradient(theirs, variable).numpy()).max()
    numeric = scratch.numerical_gradient(lambda v, loss=loss: loss.forward(fakes, v), s)
    print(f"{name}: NumPy − TensorFlow {gap:.0e}, against differences {scratch.compare_gradients(ours, numeric):.0e}")
ax.set(xlabel="logit s: ← seen through · taken for real →", ylabel="|dL/ds|")
ax.legend()
plt.show()

# %% [markdown]
# ## 7 · Digits that nobody wrote
#
# A small DCGAN: dense and transposed convolutions from 32 random numbers to an image; convolutions back to one logit. They
# take turns: a step of $D$ on real and generated images, then a step of $G$ through $D$, which stands still. The digits
# are made smaller first, to save time.
#
# And what does $D$ tell $G$? Put one behind the other and let `toolkit.xray` open the generator's turn: six samples, all
# labelled *real*, so that the loss is $-\ln D$. At the border between the two the gradient is an image: what $G$ should
# change.

# %% alt="A grid of generated images: each row is a later epoch, noise turns into digits"
size, last = (28, 40) if long else (16, 7)
digits = np.clip(keras.ops.image.resize(x[:4000], (size, size), antialias=True), 0, 1)
generator = unlabelled.image_generator((size, size, 1), latent=32, seed=0)
discriminator = unlabelled.image_discriminator((size, size, 1), seed=0)
gan = unlabelled.GAN(generator, discriminator, seed=0)
gan.compile(keras.optimizers.Adam(0.002, beta_1=0.5), keras.optimizers.Adam(0.001, beta_1=0.5))
record = unlabelled.SampleRecord(n=10, epochs=(0, 1, 3, 5, last))
run = training.fit(gan, digits, epochs=last, batch_size=64, callbacks=[record], verbose=False)
plots.sample_grid(record.samples, rows=[f"epoch {k}" for k in record.times])
plt.show()
right = run.history["discriminator_accuracy"]
print(f"samples that D told right: in its best epoch {max(right):.0%}, in the last {right[-1]:.0%}; by guessing 50%")

# %% alt="Above, six generated digits; below, for each pixel whether it should be lighter or darker to look real"
from toolkit import xray

both = keras.Sequential([generator, discriminator])
latent = np.random.default_rng(1).standard_normal((6, 32)).astype("float32")
both(latent)  # which builds it
t = xray.trace(both, latent, np.ones((6, 1)), loss=keras.losses.BinaryCrossentropy(from_logits=True))
proof = t.verify()
error = max(row.error for row in proof.rows)
print(f"{len(proof.rows)} tensors compared with TensorFlow's, largest relative error {error:.0e}")

border = next(step.tensors for step in t.steps if step.phase == "backward" and step.layer == "discriminator")
made, dx = border["x"].value, border["dx"].value
eta = 0.001 * np.linalg.norm(made) / np.linalg.norm(dx)
change = float(unlabelled.generator_loss(discriminator(made - eta * dx))) - t.loss
print(f"a small step along −∂L/∂x̂ changes L by {change:+.4f}; predicted −η‖∂L/∂x̂‖² = {-eta * np.sum(dx**2):+.4f}")

_, (top, bottom) = plt.subplots(2, figsize=(7, 2.7), layout="constrained")
top.imshow(np.hstack(made), cmap="gray")
bottom.imshow(-np.hstack(dx), cmap="RdBu_r", vmin=-np.abs(dx).max(), vmax=np.abs(dx).max())
top.set(xticks=[], yticks=[], title="samples x̂")
bottom.set(xticks=[], yticks=[], title="−∂L/∂x̂: red lighter, blue darker")
plt.show()
t.widget()

# %% [markdown]
# **What to see:** blots first, then strokes, then digits. The advice of $D$ differs from sample to sample and from pixel to
# pixel; nobody has a target image for $G$. The loss falls by what the gradient foretells. From the border the gradient goes
# on through $G$ to its weights. The widget shows gradients of $D$'s weights, too: in this turn they are thrown away.
#
# How good are the samples? No loss says it: each network is measured against another that changes, too, and how often $D$
# tells right only says who is ahead. So ask someone else: a judge, a classifier trained *with* labels. First, may we
# trust it? Then, which digits does it see, and how often?

# %%
from toolkit import models

judge = models.image_classifier((size, size, 1), filters=(16, 32), dropout=0.3, seed=0)
judge.compile(keras.optimizers.Adam(0.004), "sparse_categorical_crossentropy", metrics=["accuracy"])
training.fit(judge, digits[:3500], images.y_train[:3500], epochs=5, batch_size=64, verbose=False)
real, made = (judge.predict(part, verbose=0) for part in (digits[3500:], gan.sample(1000)))
right_on = (real.argmax(axis=1) == images.y_train[3500:4000]).mean()
print(f"the judge is right on {right_on:.1%} of real digits that it has not seen")
print(f"its mean confidence: real {real.max(axis=1).mean():.2f}, generated {made.max(axis=1).mean():.2f}")

# %% alt="Share of each digit among the samples, with that among the real ones: some come too often, others too seldom"
shares = np.bincount(made.argmax(axis=1), minlength=10) / 1000
true_shares = np.bincount(images.y_train[:4000], minlength=10) / 4000
_, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
ax.bar(range(10), shares, tick_label=range(10), label="generated")
ax.plot(range(10), true_shares, "k_", ms=20, mew=2, label="real")
ax.set(xlabel="digit, says the judge", ylabel="share")
ax.legend()
plt.show()
for word, k in (("rarest", shares.argmin()), ("most frequent", shares.argmax())):
    print(f"{word}: {k}, {shares[k]:.1%} of the generated and {true_shares[k]:.1%} of the real digits")

# %% [markdown]
# **What to see:** the judge is less sure of the generated ones: a part of what was made is no digit at all. And all ten
# appear, but not as often as they should: $G$ makes some too often and others too seldom. That is a little mode collapse
# already.
#
# ## 8 · Three ways to fail
#
# Too little gradient, too little variety, no rest. The first two are here, the third, *oscillation*, is your experiment in
# section 9.
#
# **Vanishing gradient.** Let the generator stand still, so that the discriminator is a classifier like any other, and train
# that. How much gradient arrives at the generator's weights?

# %% alt="Norm of the generator's gradient over steps of the discriminator: minimax falls by orders of magnitude"
shape = (size, size, 1)
G, D = unlabelled.image_generator(shape, seed=1), unlabelled.image_discriminator(shape, seed=1)
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
told_right = keras.metrics.BinaryAccuracy(threshold=0)  # of logits
D.compile(keras.optimizers.Adam(0.001, beta_1=0.5), cross_entropy, metrics=[told_right])
latent = rng.standard_normal((1280, 32)).astype("float32")
both, is_real = np.concatenate([digits[:1280], G(latent)]), np.repeat([1.0, 0.0], 1280)[:, None]
norms = {"minimax": [], "non-saturating": []}
for round_of_D in range(7):
    with tf.GradientTape(persistent=True) as tape:
        logits = D(G(latent[:64]))
        losses = [unlabelled.generator_loss(logits, saturating=way) for way in (True, False)]
    for values, loss in zip(norms.values(), losses, strict=True):
        gradients = tape.gradient(loss, [w.value for w in G.trainable_weights])
        values.append(float(tf.linalg.global_norm(gradients)))
    training.fit(D, both, is_real, batch_size=128, seed=round_of_D, verbose=False)  # twenty steps
_, ax = plt.subplots(figsize=(6, 2.4), layout="constrained")
for (name, values), line in zip(norms.items(), ("o--", "s-"), strict=True):
    ax.semilogy(20 * np.arange(7), values, line, label=name)
ax.set(xlabel="steps of D", ylabel="‖gradient at G‖")
ax.legend()
plt.show()
print("D's accuracy at the end:", f"{D.history.history['binary_accuracy'][-1]:.1%}")

# %% [markdown]
# **What to see:** both losses start with about the same gradient. The better $D$ sees through the samples, the less is left of
# that of $\ln(1 - D)$, in the end a small part of what it was, while that of $-\ln D$ grows many times over. It is the
# figure of section 6, read from the middle to the left.
#
# **Mode collapse.** Nothing in $V$ asks *one batch* to be varied. Eight Gaussians on a circle show it exactly, because we
# know all of them. We say that $G$ **hits** one if at least a fifth of what it should get, an eighth of the samples, lies
# within $3\sigma$ of its centre. Below the plain GAN stands a remedy, *packing*: $D$ judges four samples side by side, all
# real or all generated, and sees when they are too much alike.

# %% alt="Generated points at four times for two GANs: the plain one sits on few of eight Gaussians"
ring = unlabelled.GaussianRing(modes=8, radius=1.0, deviation=0.05)
points = ring.draw(5120)


def told(samples):
    return f"{ring.modes_hit(samples)} of 8 hit, {ring.hits(samples).sum() / len(samples):.0%} near a centre"


print("the data:", told(points))
_, axes = plt.subplots(2, 4, figsize=(8, 4.2), layout="constrained", sharex=True, sharey=True)
for row, pack in zip(axes, (1, 4), strict=True):
    G = unlabelled.dense_network(8, 2, hidden=(128, 128), seed=1)
    D = unlabelled.dense_network(2 * pack, 1, hidden=(128, 128), seed=2)
    pair = unlabelled.GAN(G, D, pack=pack, seed=1)
    pair.compile(keras.optimizers.Adam(0.002, beta_1=0.5), keras.optimizers.Adam(0.002, beta_1=0.5))
    record = unlabelled.SampleRecord(1000, epochs=(5, 10, 20, 30))
    training.fit(pair, points, epochs=30, batch_size=128, callbacks=[record], verbose=False)
    for ax, samples, epoch in zip(row, record.samples, record.times, strict=True):
        ax.plot(*ring.centres.T, "k+")
        ax.plot(*samples[:200].T, ".", ms=2)
        ax.set(aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
        ax.set_title(f"pack {pack}, epoch {epoch}: {ring.modes_hit(samples)} of 8", fontsize=9)
    print(f"pack {pack}:", told(samples))
plt.show()

# %% [markdown]
# **What to see:** each Gaussian that $G$ leaves out costs it nothing as long as its samples look real. The packed pair
# leaves out fewer. But *8 of 8* means that none is left out, not that all is well: its samples lie round the whole circle,
# and far fewer of them near a centre than of the data. In packs of four, $D$ sees four times fewer examples an epoch. Give
# the packed pair 120 epochs, and other seeds to both: one run of each is no proof.
#
# ## 9 · Your experiment: oscillation
#
# The third way to fail, shown by the smallest GAN there is. The data are all 0, the generator makes $\theta$, the
# discriminator's logit is $\psi x$. Then only $V = \ln(1 - \sigma(\psi\theta))$ moves, and both step at once:
#
# $$ \theta \leftarrow \theta + \alpha D \psi, \qquad \psi \leftarrow \psi - \alpha D \theta, \qquad D = \sigma(\psi\theta) $$
#
# Square and add: $\theta^2 + \psi^2$ is multiplied by $1 + \alpha^2 D^2$ *in each step*. However small $\alpha$, the pair
# circles the solution $(0, 0)$ and drifts away from it. A penalty $\frac{\gamma}{2}\psi^2$ on $D$'s slope adds
# $-\alpha\gamma\psi$. From which $\gamma$ on does it come to rest?


# %% alt="Path of generator and discriminator: a spiral around the solution"
def experiment(alpha, gamma):
    path = [(1.0, 0.0)]
    for _ in range(400):
        theta, psi = path[-1]
        D = 1 / (1 + np.exp(-psi * theta))
        path.append((theta + alpha * D * psi, psi - alpha * D * theta - alpha * gamma * psi))
    distance = np.linalg.norm(path, axis=1)
    _, (left, right) = plt.subplots(1, 2, figsize=(7, 2.5), layout="constrained")
    left.plot(*np.transpose(path), lw=0.8)
    left.plot(0, 0, "k*")
    left.set(xlabel="θ (generator)", ylabel="ψ (discriminator)", aspect="equal")
    right.plot(distance)
    right.set(xlabel="step", ylabel="distance from the solution", ylim=(0, None))
    plt.show()
    print(f"distance after 400 steps: {distance[-1]:.3f} (it began at 1)")


alpha = widgets.FloatSlider(value=0.1, min=0.01, max=0.5, step=0.01, description="rate α")
gamma = widgets.FloatSlider(value=0.0, min=0, max=1, step=0.02, description="penalty γ")
display(widgets.interactive(experiment, alpha=alpha, gamma=gamma))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **12.1 · Find the bug: what is to be mended.** `x` $(N, D)$ are images, `m` $(N, D)$ masks of 0 and 1, and the whole
# network is one matrix `W` $(D, D)$. The loss is the mean squared error. This one is 0 for a network that does nothing:


# %%
def copying(x, m, W):
    return ((m * x - (m * x) @ W) ** 2).mean()


print("loss of W = I:", copying(np.ones((1, 3)), np.array([[1, 0, 1]]), np.eye(3)))


def mending(x, m, W):
    # BEGIN SOLUTION: return ...
    return ((x - (m * x) @ W) ** 2).mean()
    # END SOLUTION


check("12.1", mending)

# %% [markdown]
# **12.2 · Find the bug: who wins against itself?** `z` $(2N, M)$, first views then second views. Partners that are equal
# and all others opposite: the loss ought to be almost 0.


# %%
def contrast(z, tau):
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    e = np.exp(u @ u.T / tau)
    partner = np.roll(np.arange(len(z)), len(z) // 2)
    return -np.log(e[np.arange(len(z)), partner] / e.sum(axis=1)).mean()


print("loss:", contrast(np.array([[1.0], [-1.0], [1.0], [-1.0]]), 0.1).round(3), "= ln 2")


def contrast_mended(z, tau):
    # BEGIN SOLUTION: return ...
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    e = np.exp(u @ u.T / tau) * (1 - np.eye(len(z)))
    partner = np.roll(np.arange(len(z)), len(z) // 2)
    return -np.log(e[np.arange(len(z)), partner] / e.sum(axis=1)).mean()
    # END SOLUTION


check("12.2", contrast_mended)

# %% [markdown]
# **12.3 · What the game is worth.** `p` and `q` $(K,)$ are the probabilities of $K$ values in the data and among what the
# generator makes, none of them 0. Return $V(D^*, G)$, the value against the best discriminator.


# %%
def value_of_the_game(p, q):
    # BEGIN SOLUTION: return ...
    D = p / (p + q)
    return (p * np.log(D) + q * np.log(1 - D)).sum()
    # END SOLUTION


check("12.3", value_of_the_game)

# %% [markdown]
# **12.4 · The generator's turn.** Noise `z` $(M, Z)$ becomes samples $\hat x = zW$ with `W` $(Z, D)$, and the discriminator
# gives them the logits $s = \hat x \psi$ with `psi` $(D,)$. Take one step of gradient descent with `rate` on
# $L = -\frac1M \sum_m \ln \sigma(s_m)$, and return `W` and `psi` as they are after it.


# %%
def generators_turn(W, psi, z, rate):
    # BEGIN SOLUTION: return ..., ...
    ds = -(1 - 1 / (1 + np.exp(-z @ W @ psi))) / len(z)
    return W - rate * z.T @ np.outer(ds, psi), psi
    # END SOLUTION


check("12.4", generators_turn)

# %% [markdown]
# ## Recap
#
# - Images pose tasks of their own: mend what was spoiled, find what belongs together. The target is the clean image; a row
#   is not compared with itself.
# - NT-Xent is a softmax cross-entropy over the batch; its backward pass is $P - Y$ and a projection.
# - A linear probe says what features are worth against the labels used. Differences are paired by draw.
# - The best discriminator is $p/(p + q)$; against it, $G$ makes the Jensen-Shannon divergence small.
# - GANs fail by vanishing gradients (so $-\ln D$), by mode collapse, and by going in circles. No loss says how good they
#   are, and "all modes hit" does not either.
#
# **Read on.** Vincent et al.: *Extracting and composing robust features with denoising autoencoders*, 2008. Chen et al.:
# *A simple framework for contrastive learning of visual representations*, arXiv:2002.05709 (2020). Goodfellow et al.:
# *Generative adversarial nets*, arXiv:1406.2661 (2014). Radford, Metz, Chintala: *Unsupervised representation learning
# with deep convolutional generative adversarial networks*, the DCGAN, arXiv:1511.06434 (2016). Arjovsky, Bottou: *Towards
# principled methods for training generative adversarial networks*, arXiv:1701.04862 (2017). Lin et al.: *PacGAN: the power
# of two samples in generative adversarial networks*, arXiv:1712.04086 (2018). Mescheder, Geiger, Nowozin: *Which training
# methods for GANs do actually converge?*, arXiv:1801.04406 (2018).
#
# **Next:** lesson 13 asks of any model: is it any good?
