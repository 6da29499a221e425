# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "09"
#     title: "Sequence to sequence: writing summaries"
#     goal: Train a network that reads one sequence and writes another, see why it needs attention, and search for what it should write
#     minutes: 80
#     prerequisites: ["01", "02", "03", "04", "06", "07", "08"]
# ---

# %% [markdown]
# # 09 · Sequence to sequence: writing summaries
#
# **After this lesson** you can say how a network writes, what teacher forcing is and what must be masked, train one that
# rewrites dates and one that writes summaries, say why one vector fails on long inputs and attention does not, and search
# for a better sequence than the greedy one.
#
# **You need** embeddings and masks (06), the LSTM and its states (07), attention (08).
#
# **The way.** two LSTMs → the equation → the loss by hand → attention between them → the proof that Keras agrees → dates
# → long inputs → greedy and beam → summaries → your experiment

# %%
import os

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots
from toolkit.classroom import check

rng = np.random.default_rng(0)
FULL = os.environ.get("TOOLKIT_PROFILE") == "full"  # toolkit lessons run 09 --profile full

# %% [markdown]
# ## 1 · The picture: one reads, one writes
#
# So far a network answered with *one* class. A summary, a translation, a sum is a **sequence**, and its length is not
# known before. Two LSTMs do it: the **encoder** reads, and its last states go to the **decoder**, which writes one token
# at a time. Each token that it has written is its next input. `[START]` begins, `[END]` says that it is done.


# %% alt="A row of boxes reads 1+12, an arrow hands the states over, a second row writes 13 and END, each token fed back"
def draw_network(read, written):
    _, ax = plt.subplots(figsize=(9.5, 2.7), layout="constrained", dpi=80)
    places = [*range(len(read)), *(len(read) + 0.6 + k for k in range(len(written)))]
    inputs = [*read, "[START]", *written[:-1]]
    for k, (x, token) in enumerate(zip(places, inputs, strict=True)):
        side = "#0072B2" if k < len(read) else "#D55E00"
        ax.add_patch(plt.Rectangle((x - 0.33, 0), 0.66, 0.6, facecolor=side, alpha=0.85))
        ax.text(x, 0.3, "LSTM", ha="center", va="center", color="white", fontsize=9)
        ax.annotate(token, (x, 0), (x, -0.5), ha="center", arrowprops={"arrowstyle": "->"})
        if k >= len(read):
            ax.annotate("", (x, 1.0), (x, 0.6), arrowprops={"arrowstyle": "->"})
            ax.text(x, 1.05, written[k - len(read)], ha="center", weight="bold")
        if k:
            ax.annotate("", (x - 0.33, 0.3), (places[k - 1] + 0.33, 0.3), arrowprops={"arrowstyle": "->"})
    ax.text(len(read) - 0.2, 0.38, "h, c", ha="center")
    ax.text((len(read) - 1) / 2, 1.4, "the encoder reads", ha="center", color="#0072B2")
    ax.text(np.mean(places[len(read) :]), 1.4, "the decoder writes", ha="center", color="#D55E00")
    ax.set(xlim=(-0.6, places[-1] + 0.6), ylim=(-0.65, 1.6))
    ax.set_axis_off()
    plt.show()


draw_network(list("1+12"), ["1", "3", "[END]"])

# %% [markdown]
# ## 2 · The equation
#
# The probability of a whole sequence is a product: each token given the source $x$ and the tokens before it.
#
# $$ P(y \mid x) = \prod_{t=1}^{T} P(y_t \mid y_1, \dots, y_{t-1}, x), \qquad
# L = -\frac1T \sum_{t=1}^{T} \ln P(y_t \mid y_1, \dots, y_{t-1}, x) $$
#
# In training $y$ is known. So the decoder reads the *true* token before, not its own: **teacher forcing**. Its input is the
# target, shifted by one place, and all steps can be computed at once.
#
# Targets of different lengths are padded with 0. Where the target is padding, there is nothing to learn: such places must
# not count in the loss, nor in its mean. Nothing is read after `[END]`, so there stands padding, too, and input and target
# have it in the same places. Suppose that the network gives the true tokens the probabilities `p`:

# %%
PADDING, START, END = 0, 2, 3
targets = np.array([[4, 5, END], [6, END, PADDING]])  # "13" and "7", where "1" has the id 4, "3" 5 and "7" 6
inputs = np.array([[START, 4, 5], [START, 6, PADDING]])
print("read   ", inputs.tolist(), "\nwritten", targets.tolist())

p = np.array([[0.5, 0.25, 0.8], [0.5, 0.8, 0.99]])
real = targets != PADDING
print(f"five real tokens: {-np.log(p[real]).mean():.4f}")
print(f"by hand: −ln(0.5 · 0.25 · 0.8 · 0.5 · 0.8) / 5 = −ln(0.04) / 5 = {-np.log(0.04) / 5:.4f}")
print(f"padding counted:  {-np.log(p).mean():.4f}  ← smaller, and nothing was learned")

# %% [markdown]
# ## 3 · Attention between the two
#
# All that the decoder knows of the source is $h$ and $c$: a fixed number of numbers, however long the text is. With
# **attention** it asks the encoder's outputs $h_1, \dots, h_S$ again at *every* step. Its state $s_t$ is the query:
#
# $$ e_{ti} = (s_t W_q)\, h_i^\top, \qquad a_t = \operatorname{softmax}(e_t), \qquad
# \bar h_t = \sum_i a_{ti} h_i = a_t H, \qquad \tilde s_t = \tanh([s_t, \bar h_t]\, W_c + b_c) $$
#
# and $P(y_t \mid \dots) = \operatorname{softmax}(\tilde s_t W_o + b_o)$, with the rows $s_t, h_i\;(M,)$ and
# $W_q\;(M, M)$, $W_c\;(2M, M)$, $W_o\;(M, V)$. This score is Luong's; Bahdanau's is
# $e_{ti} = \tanh(s_t W_q + h_i W_k)\, v^\top$ with $v\;(M,)$. One step by hand, with three memories:

# %%
H = np.array([[0.0, 1.0], [np.log(3), 0.0], [0.0, -1.0]])
s = np.array([1.0, 0.0])  # and W_q the identity
e = s @ H.T
a = np.exp(e) / np.exp(e).sum()
print("scores (0, ln 3, 0), so exp gives (1, 3, 1) and the weights are (1/5, 3/5, 1/5)")
print("weights", a, "  context", (a @ H).round(4), f"  by hand [0.6 · ln 3, 0] = [{0.6 * np.log(3):.4f}, 0]")

# %% [markdown]
# ## 4 · The proof that Keras agrees
#
# `models.encoder_decoder` builds the network in Keras. `bridge.to_scratch` makes its NumPy twin out of the layers that
# you know: `Embedding`, `LSTM` with states, `Attention`, `Concatenate`, `Dense`. Same loss, same gradients, padding and
# all?

# %%
import keras
import tensorflow as tf

from toolkit import bridge, models

small = models.encoder_decoder(7, embedding_dim=3, units=4, attention="luong", dtype="float64", seed=0)
twin = bridge.to_scratch(small)
twin.compile("sgd", "sparse_categorical_crossentropy")
source = np.array([[4, 6, 5, 6], [6, 5, PADDING, PADDING]])
loss, gradients = twin.loss_and_gradients([source, inputs], targets)
with tf.GradientTape() as tape:
    keras_loss = keras.losses.SparseCategoricalCrossentropy(dtype="float64")(targets, small([source, inputs]))
keras_gradients = tape.gradient(keras_loss, [w.value for w in small.trainable_weights])

print(f"loss {loss:.12f}, Keras {float(keras_loss):.12f}\n\ngradient              shape    relative error")
for (name, ours), theirs in zip(gradients.items(), keras_gradients, strict=True):
    ours, theirs = np.asarray(ours), tf.convert_to_tensor(theirs).numpy()  # of E both keep the rows that were read
    error = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print(f"{name:<21} {ours.shape!s:<9} {error:.0e}")
    assert error < 1e-8

# %% [markdown]
# The gradient reaches the *encoder*, too: through the states, and through the attention. One loss, at the far end of the
# decoder, trains both.
#
# ## 5 · Dates: a task to learn in seconds
#
# People write dates in many ways; a program wants `2019-03-03`. No rule is given, only pairs, and no day is in the
# training part and in the test, in whatever form. `Summarizer` is the encoder-decoder with all around it, for words or for
# characters. Here its encoder reads from both ends, with two LSTMs whose outputs are joined: so each $h_i$ knows what is
# around its character, on both sides.
#
# Then it shows where it looks while it writes: `alignment` gives the weights of attention, a row for each character that
# it writes, a column for each that it reads.

# %% alt="Loss of the date task over the epochs, falling to nearly zero"
dates = data.load("dates")
for text, iso in zip(dates.x_train[:6], dates.y_train[:6], strict=True):
    print(f"{text:<28} → {iso}")
print(f"{len({*dates.y_train} & {*dates.y_test})} days are in both parts")
writer = models.Summarizer(
    "luong", level="characters", units=48, embedding_dim=16,
    batch_size=96, epochs=5, learning_rate=0.04, verbose=False,
)  # fmt: skip
writer.fit(dates.x_train[:6000], dates.y_train[:6000])
plots.curves({"loss of a character": writer.history_.history["loss"]}, log=True, xlabel="epoch")
plt.show()
written, true = writer.summarize(dates.x_test[:500]), dates.y_test[:500]
print(f"wholly right: {np.mean(written == true):.1%} of 500 dates of days it has never seen")
for n in np.flatnonzero(written != true)[:4]:
    print(f"  wrong: {dates.x_test[n]} → {written[n]}, not {true[n]}")


# %% alt="Heat map: each written character of the ISO date attends to the matching part of 3rd of March 2019"
def show_attention(text):
    weights, said, read = writer.alignment(text)
    read = ["·" if character == " " else character for character in read]
    title = "writing " + "".join(said).removesuffix("[END]")
    plots.attention(weights, said, read, unit="character", title=title)
    plt.show()


show_attention("3rd of March 2019")

# %% [markdown]
# **What to see:** nobody has told it that the year comes last in the text and first in the answer. The weights are not
# always on the very character: the encoder's outputs have read what is around it, on both sides.
#
# ## 6 · Why one vector fails on long inputs
#
# The plainest task: **copy** a string of letters. One network with attention, one without; the same data, the same few
# epochs and learning rate. Then their answers are counted by the length of the string.
#
# Then the same two *before* they learn: `toolkit.xray` opens one step of each on strings of 14 letters. How much gradient
# reaches the vector of each letter that was read?


# %%
def strings(n, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(LETTERS, length)) for length in rng.integers(2, LONGEST + 1, n)]


LETTERS, LONGEST, UNITS = list("abcdefgh"), 14, 64
train, test, copied = strings(4000, 1), strings(800, 2), {}
runs = {"with attention": ("luong", 3), "without": (None, 3)}  # attention and epochs of each
if FULL:
    runs["without, 12 epochs"] = (None, 12)
for name, (attention, epochs) in runs.items():
    copier = models.Summarizer(
        attention, level="characters", units=UNITS, embedding_dim=16, bidirectional=False,
        beam_width=1, batch_size=32, epochs=epochs, learning_rate=0.015, verbose=False,
    )  # fmt: skip
    copied[name] = copier.fit(train, train).summarize(test) == np.array(test)
    print(f"{name}: {copied[name].mean():.1%} of {len(test)} strings without a fault")
bits = LONGEST * np.log2(len(LETTERS))
print(f"{LONGEST} letters of {len(LETTERS)} kinds are {bits:.0f} bits; h and c are {2 * UNITS} numbers")

# %% alt="Share of strings copied without a fault by length: with attention near 1 throughout, without it falls to 0"
groups, lengths = [(2, 4), (5, 7), (8, 10), (11, 14)], np.array([len(text) for text in test])
_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained", dpi=80)
for (name, right), line in zip(copied.items(), ("o-", "s--", "^:"), strict=False):
    shares = [right[(lengths >= low) & (lengths <= high)].mean() for low, high in groups]
    ax.plot([f"{low} to {high}" for low, high in groups], shares, line, label=name)
ax.set(xlabel="letters", ylabel="share copied", ylim=(-0.05, 1.05))
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %% alt="Length of the gradient at each letter read: level with attention; without, the first gets a tenth of the last"
from toolkit import xray
from toolkit.models.summarizer import shifted

letters = rng.integers(4, 12, (8, LONGEST))  # ids of the letters a to h
target = np.concatenate([letters, np.full((8, 1), END)], axis=1)
arriving = {}
for name, attention in (("with attention", "luong"), ("without", None)):
    untrained = models.encoder_decoder(12, embedding_dim=16, units=UNITS, attention=attention, seed=0)
    t = xray.trace(untrained, [letters, shifted(target)], target, loss="sparse_categorical_crossentropy")
    errors = [row.error for row in t.verify().rows]
    back = [step.tensors for step in t.steps if step.phase == "backward" and step.layer == "embedding"]
    (dy,) = [tensors["dy"].value for tensors in back if tensors["x"].value.shape[1] == LONGEST]  # (8, 14, 16)
    arriving[name] = np.linalg.norm(dy, axis=-1).mean(axis=0)
    print(f"{name}: first letter / last letter {arriving[name][0] / arriving[name][-1]:.2f}")
    print(f"  ({len(errors)} tensors compared with TensorFlow's, largest relative error {max(errors):.0e})")
ax = plots.curves(arriving, log=True, xlabel="letter read", ylabel="length of the gradient")
ax.figure.set_size_inches(6, 2.6)
plt.show()
t.widget()

# %% [markdown]
# **What to see:** after the same few epochs the network with attention copies long strings, and the one without fails on
# them. That does not prove that $h$ and $c$ have no room: the bits are fewer than the numbers, and three epochs are no
# limit. But what it needs is *learned far more slowly*: to pack all letters into one vector, and to unpack them in order.
# With attention nothing is packed: the decoder reads each letter where it stands.
#
# The way back shows why: without attention all that the first letter can learn comes through the whole encoder, and loses
# on each step (lesson 07). It is the very letter that has to be written first. Attention is a short way to each.
#
# **Try it:** room or time? Add `"without, 12 epochs": (None, 12)` to `runs`; it takes some ten seconds.
#
# ## 7 · Greedy is not best
#
# Alone, the network has to choose. **Greedy** takes the most probable token at each step and never looks back. But the
# most probable *sequence* can begin with a token that is not the most probable. Below, greedy writes *the list*, and
# *a list* is more probable.
#
# To try all sequences is out of the question: of $V$ tokens there are $V^T$. **Beam search** keeps the $B$ best beginnings
# at every step. With $B = 2$ both *the* and *a* are still there when it matters. With $B = 1$ it is greedy.
#
# Longer sequences have smaller probabilities, since they have more factors. So beams can be compared by
# $\ln P(y \mid x) / T^{\alpha}$: with $\alpha = 1$ that is the mean for each token.

# %%
first = {"the": 0.6, "a": 0.4}
then = {"the": {"list": 0.35, "table": 0.33, "value": 0.32}, "a": {"list": 0.9, "table": 0.06, "value": 0.04}}
ways = [(first[word] * then[word][second], word, second) for word in first for second in then[word]]
for k, (p_both, word, second) in enumerate(sorted(ways, reverse=True)):
    product = f"{first[word]:.2f} · {then[word][second]:.2f} = {p_both:.3f}"
    print(f"{word:>4} {second:<6} {product}", "  kept" if k < 2 else "")

# %% [markdown]
# ## 8 · Summaries
#
# A docstring has a summary line and a body. Take the line away, and let the network write it from the body. No module of
# the test is in the training part. (`toolkit lessons run 09 --profile full` does the same with news and their titles, and
# a larger network, in minutes.)
#
# Two baselines have to be beaten: the **first words** of the body, and **random words** of it. **ROUGE** counts what a
# summary has in common with the true one: words (ROUGE-1), pairs of neighbours (ROUGE-2), the longest common subsequence
# (ROUGE-L), each as F₁, from 0 to 1. The network writes with beam 4 and $\alpha = 1$. Of each difference stands its 95 %
# interval, over the texts.

# %%
docs = data.load("ag_news", target="title") if FULL else data.load("docstrings", target="summary")
READ, WRITE, COPIED = (50, 16, 30) if FULL else (25, 11, 5)  # tokens; unknown words that can be copied
SIZE = (
    {"units": 128, "embedding_dim": 64, "max_tokens": 3000, "dropout": 0.5, "epochs": 12, "learning_rate": 0.005}
    if FULL
    else {"units": 48, "embedding_dim": 32, "max_tokens": 1000, "epochs": 2, "learning_rate": 0.014}
)
summarizer = models.Summarizer(
    "luong", **SIZE, bidirectional=FULL, copied_words=COPIED, source_length=READ, summary_length=WRITE,
    batch_size=32, beam_width=4, length_penalty=1.0, verbose=False,
)  # fmt: skip
rows = slice(None if FULL else 5000)
summarizer.fit(docs.x_train[rows], docs.y_train[rows])
bodies, lines = docs.x_test[:400], docs.y_test[:400]
summaries = summarizer.summarize(bodies)
for true, said in zip(lines[:6], summaries, strict=False):
    print(f"true   {true}\nwrites {said}\n")
for name, texts in {"true": lines, "written": summaries}.items():
    words = np.mean([len(text.split()) for text in texts])
    print(f"{name:<8} {words:.1f} words, {np.mean([text.endswith('.') for text in texts]):.0%} end with a full stop")

# %%
from toolkit.models.summarizer import lead, random_words, rouge

print("summary: the cat sat        true: the cat lay there")
print("2 words in common, 3 and 4 words in all: F₁ = 2 · 2 / (3 + 4) =", round(4 / 7, 4))
print("rouge says", [round(value, 4) for value in rouge(["the cat sat"], ["the cat lay there"])])

# %%
n = round(np.mean([len(line.split()) for line in docs.y_train]))
first_n, random_n = f"first {n} words", f"{n} random words"
candidates = {first_n: lead(bodies, n), random_n: random_words(bodies, n), "network": summaries}
scores = {
    name: 100 * np.array([rouge([text], [line]) for text, line in zip(texts, lines, strict=True)])
    for name, texts in candidates.items()
}  # (400, 3) each
table = "| | ROUGE-1 | ROUGE-2 | ROUGE-L |\n|:--|--:|--:|--:|\n"
for name, values in scores.items():
    table += f"| {name} | " + " | ".join(f"{mean:.1f}" for mean in values.mean(axis=0)) + " |\n"
for name in (first_n, random_n):
    gains = scores["network"] - scores[name]  # text by text
    halves = 1.96 * gains.std(axis=0) / np.sqrt(len(gains))
    cells = [f"{mean:+.1f} ± {half:.1f}" for mean, half in zip(gains.mean(axis=0), halves, strict=True)]
    table += f"| network − {name} | {' | '.join(cells)} |\n"
display(Markdown(table))

# %% [markdown]
# **What to see:** after two looks at each pair it has learned what a summary line *is*; what it says is often wrong. Does it
# beat the first words? Look at all three differences: where an interval holds 0, these texts cannot tell. And then read
# the six lines. `benchmarks/seq2seq.py` trains a larger one for minutes and measures it, on news and on scientific papers,
# too.
#
# What did greedy miss? All searches on the same network; the last row is the network of the table.

# %% alt="Histogram of how much more probable the sequence of the beam is than the greedy one, where they differ"
from toolkit.models.summarizer import beam_search, greedy_search

vocabulary = summarizer.vocabulary_
source = vocabulary.encode(list(bodies), READ, copied=COPIED)
options = {"max_length": WRITE, "forbidden": (0, 1, 2)}  # padding, unknown, start
greedy = greedy_search(summarizer.model_, source.ids, **options)
gains = {}
print("beam   α   P more than greedy   P less   words")
for width, alpha in ((1, 0.0), (4, 0.0), (4, 1.0)):
    beam = beam_search(summarizer.model_, source.ids, width=width, length_penalty=alpha, **options)
    gains[width, alpha] = gain = beam.log_probability - greedy.log_probability
    texts = [vocabulary.join(vocabulary.decode(*pair)) for pair in zip(beam.tokens, source.unknown, strict=True)]
    words = np.mean([len(text.split()) for text in texts])
    print(f"{width:<6} {alpha:.0f} {np.mean(gain > 1e-6):>20.0%} {np.mean(gain < -1e-6):>8.0%}", end="")
    print(f"{words:>8.1f}   {rouge(texts, lines)}")
_, ax = plt.subplots(figsize=(6, 2.4), layout="constrained", dpi=80)
gain = gains[4, 0.0] / np.log(10)
ax.hist(gain[np.abs(gain) > 1e-6], bins=40, color="#0072B2")
ax.axvline(0, color="black", linewidth=1)
ax.set(xlabel="log₁₀ of P of beam 4 / P of greedy", ylabel="texts", title="where they differ")
plt.show()

# %% [markdown]
# **What to see:** a beam of 1 *is* greedy. A wider beam finds a more probable sequence for many texts, and a less probable
# one for some: the greedy beginning was thrown out half-way by beginnings that looked better and ended worse. Beam search
# is a search, not a proof. With $\alpha = 0$ its lines are shorter than the greedy ones; $\alpha = 1$ gives up probability
# of the whole for longer lines. Look at ROUGE before you call the more probable line the better one.
#
# And rare names? They are not in a small vocabulary. The **pointer** can copy what the vocabulary does not know: a gate
# $g_t$ decides between writing and copying, and the weights of attention say *what* is copied,
# $P_t(w) = g_t\, p_t(w) + (1 - g_t) \sum_{i:\, x_i = w} a_{ti}$. One step by hand: the vocabulary is *return* and *list*,
# the source is *voxels list voxels*. Then the line into which most was copied:

# %% alt="Attention of a written summary line over the words of a docstring; copied words look at themselves"
g, p = np.array([0.25]), np.array([0.9, 0.1])  # p of return and list
x, a = np.array([2, 1, 2]), np.array([0.5, 0.2, 0.3])  # the source: ids and weights
print("P(voxels) = 0.25 · 0 + 0.75 · (0.5 + 0.3) = 0.6")
print("in NumPy ", g * np.append(p, 0) + (1 - g) * np.bincount(x, weights=a))
mixture = models.summarizer.PointerMixture(copied_words=1)
print("the layer", mixture([p[None, None], g[None, None], a[None, None], x[None]]).numpy().ravel().round(4))

copies = (beam.tokens >= len(vocabulary)).sum(axis=1)
print(f"{copies.sum()} of {(beam.tokens > END).sum()} written tokens are not in the vocabulary, but copied;", end=" ")
print(f"{np.mean(copies > 0):.0%} of the lines have one")
k = copies.argmax()
plots.attention(*summarizer.alignment(bodies[k]), title="where the summary looks")
plt.show()
print("true   ", lines[k], "\nwrites ", summaries[k])
written = vocabulary.decode(beam.tokens[k], source.unknown[k])
print("copied ", *(word for word in written if word in source.unknown[k]))

# %% [markdown]
# ## 9 · Your experiment
#
# Write a date as you would, or one that cannot be: a 31st of February, a month that does not exist, a date in another
# form. The network always answers. What does it do with what it has never seen? And where does it look?

# %% alt="Attention of the date writer for the text that was typed, and its answer"
box = widgets.Text(value="Sunday, 31 February 1999", description="a date", continuous_update=False)
display(widgets.interactive(lambda text: show_attention(text.strip() or "?"), text=box))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **09.1 · What the decoder reads and writes.** `texts` are N lists of token ids, without start and end. Return the two
# arrays of teacher forcing, what is read and what is written, each $(N, T)$ with $T$ the longest and one more, padded with
# 0. `[START]` is 2, `[END]` is 3, and nothing is read after the end: `[[4, 5], [6]]` gives the two arrays of § 2.


# %%
def teacher_forcing(texts):
    # BEGIN SOLUTION: return ...
    read, written = np.zeros((2, len(texts), max(map(len, texts)) + 1), int)
    for n, text in enumerate(texts):
        read[n, : len(text) + 1] = [2, *text]
        written[n, : len(text) + 1] = [*text, 3]
    return read, written
    # END SOLUTION


check("09.1", teacher_forcing)

# %% [markdown]
# **09.2 · Find the bug: one loss for many batches.** `batches` are pairs of `p` $(N, T)$, the probabilities of the true
# tokens, and `targets` $(N, T)$, padded with 0. The loss is the mean over the real tokens of *all* batches. Padding is left
# out here, and still the loss depends on how the texts were put into batches. Mend it.


# %%
def loss_of_batches(batches):
    return np.mean([-np.log(p[targets != 0]).mean() for p, targets in batches])


long = np.array([[0.5, 0.5, 0.5, 0.5]]), np.array([[4, 5, 6, 3]])
short = np.array([[0.9, 0.99, 0.99, 0.99]]), np.array([[3, 0, 0, 0]])
both = tuple(np.concatenate(pair) for pair in zip(long, short, strict=True))
print("one batch of two texts  ", loss_of_batches([both]).round(3))
print("two batches of one text ", loss_of_batches([long, short]).round(3))


def loss_of_batches_mended(batches):
    # BEGIN SOLUTION: return ...
    return -np.log(np.concatenate([p[targets != 0] for p, targets in batches])).mean()
    # END SOLUTION


check("09.2", loss_of_batches_mended)

# %% [markdown]
# **09.3 · Find the bug: a decoder without memory.** `step(token, state)` returns the next token and the next state.
# Return the T tokens that are written after `start`. This one forgets something; what does it write?


# %%
def write(step, state, start, T):
    tokens, token = [], start
    for _ in range(T):
        token, _ = step(token, state)
        tokens.append(token)
    return np.array(tokens)


def counting(token, state):
    """A machine that writes 1, 2, 3, …: its state is what it has counted to."""
    return int(state[0]) + 1, state + 1


print("a machine that counts writes", write(counting, np.zeros(1), 0, 5))


def write_mended(step, state, start, T):
    # BEGIN SOLUTION: return ...
    tokens, token = [], start
    for _ in range(T):
        token, state = step(token, state)
        tokens.append(token)
    return np.array(tokens)
    # END SOLUTION


check("09.3", write_mended)

# %% [markdown]
# **09.4 · One step of beam search.** `sequences` $(B, t)$ are the B beginnings, `total` $(B,)$ their log-probabilities,
# `log_p` $(B, V)$ those of their next tokens. Return the B best sequences $(B, t + 1)$, the most probable first, and their
# log-probabilities $(B,)$. (`np.unravel_index` says in which row and column a place of a matrix is.)


# %%
def extend(sequences, total, log_p):
    # BEGIN SOLUTION: return ...
    scores = total[:, None] + log_p
    best = np.argsort(-scores, axis=None)[: len(total)]
    beginning, token = np.unravel_index(best, scores.shape)
    return np.column_stack([sequences[beginning], token]), scores[beginning, token]
    # END SOLUTION


check("09.4", extend)

# %% [markdown]
# **09.5 · ROUGE-1.** The F₁ of the words that `summary` and `reference` have in common, a word as often as it is in both.


# %%
from collections import Counter


def rouge1(summary, reference):
    # BEGIN SOLUTION: return ...
    ours, theirs = Counter(summary.split()), Counter(reference.split())
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())
    # END SOLUTION


check("09.5", rouge1)

# %% [markdown]
# ## Recap
#
# - An encoder reads, a decoder writes one token at a time; each token is its next input.
# - Teacher forcing: in training it reads the target, shifted by one place. Padding does not count.
# - After the same few epochs one vector fails on long inputs. That proves no want of room: what it needs is learned far
#   more slowly, over the whole way back. Attention reads each token again where it stands, at every step.
# - Greedy can miss the most probable sequence; a beam of B beginnings finds it more often.
# - ROUGE counts common words. Beat the first words of the text before you speak of a summary.
#
# **Read on.** Sutskever, Vinyals, Le: *Sequence to sequence learning with neural networks*, arXiv:1409.3215 (2014).
# Bahdanau, Cho, Bengio: *Neural machine translation by jointly learning to align and translate*, arXiv:1409.0473 (2015).
# Luong, Pham, Manning: *Effective approaches to attention-based neural machine translation*, arXiv:1508.04025 (2015). See,
# Liu, Manning: *Get to the point*, arXiv:1704.04368 (2017), the pointer. Bengio et al.: *Scheduled sampling*,
# arXiv:1506.03099 (2015), for what teacher forcing does not teach; it is an option of `Summarizer`. Lin: *ROUGE* (2004).
#
# **Next:** lesson 10 asks whether a network has to be trained in one go.
