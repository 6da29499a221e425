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
# rewrites dates and one that writes summaries, show why one vector is not enough for a long text, and search for a better
# sequence than the greedy one.
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
# target, shifted by one place, and all steps can be computed at once. Two targets of different lengths, padded with 0:

# %%
PADDING, START, END = 0, 2, 3
targets = np.array([[4, 5, END], [6, END, PADDING]])  # "13" and "7", where "1" has the id 4, "3" 5 and "7" 6
inputs = np.array([[START, 4, 5], [START, 6, PADDING]])
print("read   ", inputs.tolist(), "\nwritten", targets.tolist())

# %% [markdown]
# Where the target is padding, there is nothing to learn: such places must not count in the loss, nor in its mean. Suppose
# that the network gives the true tokens these probabilities:

# %%
p = np.array([[0.5, 0.25, 0.8], [0.5, 0.8, 0.99]])
real = targets != PADDING
print("by hand: −(ln 0.5 + ln 0.25 + ln 0.8 + ln 0.5 + ln 0.8) / 5 = −ln(0.04) / 5")
print(f"five real tokens: {-np.log(p[real]).mean():.4f}   by hand {-np.log(0.04) / 5:.4f}")
print(f"padding counted:  {-np.log(p).mean():.4f}  ← smaller, and nothing was learned")

# %% [markdown]
# ## 3 · Attention between the two
#
# All that the decoder knows of the source is $h$ and $c$: a fixed number of numbers, however long the text is. With
# **attention** it asks the encoder's outputs $h_1, \dots, h_S$ again at *every* step. Its state $s_t$ is the query:
#
# $$ e_{ti} = (W_q s_t)^\top h_i, \qquad a_t = \operatorname{softmax}(e_t), \qquad
# \bar h_t = \sum_i a_{ti} h_i, \qquad \tilde s_t = \tanh(W_c [s_t; \bar h_t] + b_c) $$
#
# and $P(y_t \mid \dots) = \operatorname{softmax}(W_o \tilde s_t + b_o)$. This score is Luong's; Bahdanau's is
# $e_{ti} = v^\top \tanh(W_q s_t + W_k h_i)$. One step by hand, with three memories:

# %%
H = np.array([[0.0, 1.0], [np.log(3), 0.0], [0.0, -1.0]])
s = np.array([1.0, 0.0])  # and W_q the identity
e = H @ s
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
theirs = tape.gradient(keras_loss, [w.value for w in small.trainable_weights])

table = "| gradient | shape | NumPy − Keras, relative |\n|:--|:--|--:|\n"
for (name, ours), theirs_ in zip(gradients.items(), theirs, strict=True):
    theirs_, ours = (
        tf.convert_to_tensor(theirs_).numpy(),
        np.asarray(getattr(ours, "to_dense", lambda ours=ours: ours)()),
    )
    error = np.abs(ours - theirs_).max() / np.abs(theirs_).max()
    table += f"| {name} | {ours.shape} | {error:.0e} |\n"
    assert error < 1e-8
display(Markdown(table))
print(f"loss {loss:.12f}, Keras {float(keras_loss):.12f}")

# %% [markdown]
# The gradient reaches the *encoder*, too: through the states, and through the attention. One loss, at the far end of the
# decoder, trains both.
#
# ## 5 · Dates: a task to learn in seconds
#
# People write dates in many ways; a program wants `2019-03-03`. No rule is given, only pairs. No day of the test is in the
# training part, in whatever form. `Summarizer` is the encoder-decoder with all around it, for words or for characters.

# %% alt="Loss of the date task over the epochs, falling to nearly zero"
dates = data.load("dates")
for text, iso in zip(dates.x_train[:6], dates.y_train[:6], strict=True):
    print(f"{text:<28} → {iso}")
writer = models.Summarizer(
    "luong", level="characters", units=64, embedding_dim=16,
    batch_size=128, epochs=6, learning_rate=0.04, verbose=False,
)  # fmt: skip
writer.fit(dates.x_train[:6000], dates.y_train[:6000])
plots.curves({"loss of a character": writer.history_.history["loss"]}, log=True, xlabel="epoch")
plt.show()
written, true = writer.summarize(dates.x_test[:500]), dates.y_test[:500]
print(f"wholly right: {np.mean(written == true):.1%} of 500 dates of days it has never seen")
for n in np.flatnonzero(written != true)[:4]:
    print(f"  wrong: {dates.x_test[n]} → {written[n]}, not {true[n]}")

# %% [markdown]
# Where does it look while it writes? `alignment` gives the weights of attention: a row for each character that it writes,
# a column for each that it reads.

# %% alt="Heat map: each written character of the ISO date attends to the matching part of 3rd of March 2019"
weights, said, read = writer.alignment("3rd of March 2019")
ax = plots.attention(weights, said, [c if c != " " else "␣" for c in read], title="writing 2019-03-03")
plt.show()
print("written:", "".join(said[:-1]))

# %% [markdown]
# **What to see:** nobody has told it that the year comes last in the text and first in the answer. The weights are not
# always on the very character: the encoder's outputs have read what is around it.
#
# ## 6 · Why one vector is not enough
#
# The plainest task: **copy** a string of letters. One network with attention, one without, the same data, the same
# epochs. Then their answers are counted by the length of the string.
#
# Then the same two *before* they learn: `toolkit.xray` opens one step of each on strings of 14 letters. How much gradient
# reaches the vector of each letter that was read?

# %% alt="Share of strings copied without a fault by length: with attention near 1 throughout, without it falls to 0"
LETTERS, LONGEST = list("abcdefgh"), 14


def strings(n, seed):
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(LETTERS, length)) for length in rng.integers(2, LONGEST + 1, n)]


train, test = strings(4000, 1), strings(800, 2)
lengths, copied = np.array([len(text) for text in test]), {}
for name, attention in (("with attention", "luong"), ("without", None)):
    copier = models.Summarizer(
        attention, level="characters", units=64, embedding_dim=16, bidirectional=False,
        beam_width=1, batch_size=32, epochs=3, learning_rate=0.015, verbose=False,
    )  # fmt: skip
    copied[name] = copier.fit(train, train).summarize(test) == np.array(test)
    print(f"{name}: {copied[name].mean():.1%} of {len(test)} strings without a fault")

groups = [(2, 4), (5, 7), (8, 10), (11, 14)]
members = [(lengths >= low) & (lengths <= high) for low, high in groups]
shares = {name: [right[group].mean() for group in members] for name, right in copied.items()}
_, ax = plt.subplots(figsize=(6, 2.8), layout="constrained", dpi=80)
for (name, values), line in zip(shares.items(), ("o-", "s--"), strict=True):
    ax.plot([f"{low} to {high}" for low, high in groups], values, line, label=name)
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
    untrained = models.encoder_decoder(12, embedding_dim=16, units=64, attention=attention, seed=0)
    t = xray.trace(untrained, [letters, shifted(target)], target, loss="sparse_categorical_crossentropy")
    proof = t.verify()
    back = [step.tensors for step in t.steps if step.phase == "backward" and step.layer == "embedding"]
    (dy,) = [tensors["dy"].value for tensors in back if tensors["x"].value.shape[1] == LONGEST]  # (8, 14, 16)
    arriving[name] = np.linalg.norm(dy, axis=-1).mean(axis=0)
    print(f"{name}: first letter / last letter {arriving[name][0] / arriving[name][-1]:.2f}", end="; ")
    print(f"{len(proof.rows)} tensors are TensorFlow's, the worst to {proof.worst.error:.0e}")
ax = plots.curves(arriving, log=True, xlabel="letter read", ylabel="length of the gradient")
ax.figure.set_size_inches(6, 2.6)
plt.show()
t.widget()

# %% [markdown]
# **What to see:** both have $h$ and $c$ to hand over, 2 · 64 numbers. For short strings that is nearly enough. For long ones
# the network without attention must squeeze more and more into the same numbers, and the more letters, the more it loses.
# With attention nothing has to be squeezed: the decoder reads each letter where it stands.
#
# The way back says the same: without attention all that the first letter can learn comes through the whole encoder, and
# loses on each step (lesson 07). It is the very letter that has to be written first. Attention is a short way to each.
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
# Longer sequences have smaller probabilities, since they have more factors. So beams are compared by
# $\ln P(y \mid x) / T^{\alpha}$: with $\alpha = 1$ that is the mean for each token.


# %%
def beam_step(total, log_p):
    """``total (B,)``, ``log_p (B, V)`` → the B best pairs of a beginning and a token, and their new totals."""
    scores = total[:, None] + log_p
    best = np.argsort(-scores, axis=None)[: len(total)]
    return np.stack(np.unravel_index(best, scores.shape), axis=1), scores.flat[best]


first = {"the": 0.6, "a": 0.4}
then = {"the": {"list": 0.35, "table": 0.33, "value": 0.32}, "a": {"list": 0.9, "value": 0.05, "table": 0.05}}
for word, p_word in first.items():
    for second, p_second in then[word].items():
        print(f"{word:>4} {second:<6} {p_word:.2f} · {p_second:.2f} = {p_word * p_second:.3f}")

log_p = np.log([[*then[word].values()] for word in first])
pairs, totals = beam_step(np.log([*first.values()]), log_p)
print("two best (beginning, token):", pairs.tolist(), "  probabilities", np.exp(totals).round(3))

# %% [markdown]
# ## 8 · Summaries
#
# A docstring has a summary line and a body. Take the line away, and let the network write it from the body. No module of
# the test is in the training part. Two baselines have to be beaten: the **first words** of the body, and **random words**
# of it.
#
# **ROUGE** counts what a summary has in common with the true one: words (ROUGE-1), pairs of neighbours (ROUGE-2), the
# longest common subsequence (ROUGE-L), each as F₁, from 0 to 1.
#
# Rare names are not in a small vocabulary. The **pointer** can copy what the vocabulary does not know: a gate $g_t$ decides
# between writing and copying, and the weights of attention say *what* is copied:
# $P_t(w) = g_t\, p_t(w) + (1 - g_t) \sum_{i:\, x_i = w} a_{ti}$.
#
# (`toolkit lessons run 09 --profile full` does the same with news and their titles, and a larger network, in minutes.)

# %% alt="ROUGE-1, -2 and -L of the first words, of random words and of the summariser"
from toolkit.models.summarizer import lead, random_words, rouge

print("summary: the cat sat        true: the cat lay there")
print("2 words in common, 3 and 4 words in all: F₁ = 2 · 2 / (3 + 4) =", round(4 / 7, 4))
print("rouge says", [round(value, 4) for value in rouge(["the cat sat"], ["the cat lay there"])])

FULL = os.environ.get("TOOLKIT_PROFILE") == "full"
docs = data.load("ag_news", target="title") if FULL else data.load("docstrings", target="summary")
READ, WRITE, COPIED = (50, 16, 30) if FULL else (25, 11, 5)  # tokens; unknown words that can be copied
SIZE = (
    {"units": 128, "embedding_dim": 64, "max_tokens": 3000, "dropout": 0.5, "epochs": 12, "learning_rate": 0.005}
    if FULL
    else {"units": 48, "embedding_dim": 32, "max_tokens": 1000, "epochs": 2, "learning_rate": 0.012}
)
summarizer = models.Summarizer(
    "luong", **SIZE, bidirectional=FULL, copied_words=COPIED, source_length=READ, summary_length=WRITE,
    batch_size=32, verbose=False,
)  # fmt: skip
rows = slice(None if FULL else 8000)
summarizer.fit(docs.x_train[rows], docs.y_train[rows])
bodies, lines = docs.x_test[:400], docs.y_test[:400]
n = round(np.mean([len(line.split()) for line in docs.y_train]))
candidates = {
    f"first {n} words": lead(bodies, n),
    f"{n} random words": random_words(bodies, n),
    "network": summarizer.summarize(bodies),
}
scores = {name: rouge(texts, lines) for name, texts in candidates.items()}
table = "| | ROUGE-1 | ROUGE-2 | ROUGE-L |\n|:--|--:|--:|--:|\n"
for name, values in scores.items():
    table += f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in values) + " |\n"
display(Markdown(table))
for name in list(candidates)[:2]:  # text by text
    pairs = zip(candidates["network"], candidates[name], lines, strict=True)
    gains = [100 * (rouge([ours], [line]).rougeL - rouge([theirs], [line]).rougeL) for ours, theirs, line in pairs]
    half = 1.96 * np.std(gains) / np.sqrt(len(gains))
    print(f"ROUGE-L of the network − {name}: {np.mean(gains):+.1f} ± {half:.1f} (95 %, {len(gains)} texts)")
print()
for k in range(6):
    print(f"true   {lines[k]}\nwrites {candidates['network'][k]}\n")
shape = {"true": lines, "written": candidates["network"]}
for name, texts in shape.items():
    words = np.mean([len(text.split()) for text in texts])
    stops = np.mean([text.endswith(".") for text in texts])
    print(f"{name:<8} {words:.1f} words, {stops:.0%} end with a full stop")
copied_words = [
    {*said.split()} & {*body.lower().split()} for said, body in zip(candidates["network"], bodies, strict=True)
]
print(f"of the words it writes, {np.mean([len(c) for c in copied_words]):.1f} a line are in the body")

# %% [markdown]
# **What to see:** after two looks at each pair it has learned what a summary line *is*; what it says is often wrong. Does it
# beat the first words? Read the paired difference with its interval, and then the six lines.
# `benchmarks/seq2seq.py` trains a larger one for minutes and measures it, on news and on scientific papers, too.
#
# What did greedy miss? All searches on the same network:

# %% alt="Histogram of how much more probable the beam's sequence is than the greedy one"
from toolkit.models.summarizer import beam_search, greedy_search

source = summarizer.vocabulary_.encode(list(bodies), READ, copied=COPIED)
options = {"max_length": WRITE, "forbidden": (0, 1, 2)}  # padding, unknown, start
greedy = greedy_search(summarizer.model_, source.ids, **options)
print("beam   P more than greedy   P less   words")
for width in (1, 4):
    beam = beam_search(summarizer.model_, source.ids, width=width, **options)
    gain = beam.log_probability - greedy.log_probability
    texts = [" ".join(summarizer.vocabulary_.decode(*pair)) for pair in zip(beam.tokens, source.unknown, strict=True)]
    print(f"{width:<6} {np.mean(gain > 1e-6):>9.0%} {np.mean(gain < -1e-6):>17.0%}", end="")
    print(f"{np.mean([len(text.split()) for text in texts]):>8.1f}   {rouge(texts, lines)}")
_, ax = plt.subplots(figsize=(6, 2.4), layout="constrained", dpi=80)
ax.hist(np.clip(gain, -1, 6) / np.log(10), bins=30, color="#0072B2")
ax.set(xlabel="log₁₀ of P of beam 4 / P of greedy, cut at 2.6", ylabel="texts", title="what greedy misses")
plt.show()

# %% [markdown]
# **What to see:** a beam of 1 *is* greedy. A wider beam finds a more probable sequence for many texts, and a less probable
# one for some: the greedy beginning was thrown out half-way by beginnings that looked better and ended worse. Beam search
# is a search, not a proof. And look at ROUGE and at the number of words before you call the more probable line the better
# one; there is no length penalty here, $\alpha = 0$.
#
# Where does the network look while it writes a line? Take the text from whose words it has taken most:

# %% alt="Attention of a written summary line over the words of a docstring"
k = int(np.argmax([len(words) for words in copied_words]))
weights, said, read = summarizer.alignment(bodies[k])
plots.attention(weights, said, read, title="where the summary looks")
plt.show()
print("true   ", lines[k], "\nwrites ", candidates["network"][k])

# %% [markdown]
# ## 9 · Your experiment
#
# Write a date as you would, or one that cannot be: a 31st of February, a month that does not exist, a date in another
# form. The network always answers. What does it do with what it has never seen? And where does it look?


# %% alt="Attention of the date writer for the text that was typed, and its answer"
def experiment(text):
    weights, said, read = writer.alignment(text or "?")
    plots.attention(weights, said, read, title="".join(said[:-1]))
    plt.show()


box = widgets.Text(value="Sunday, 31 February 1999", description="a date", continuous_update=False)
display(widgets.interactive(experiment, text=box))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **09.1 · What the decoder reads.** From `targets` $(N, T)$, each ending in `[END]` (3), make the decoder's inputs
# $(N, T)$ for teacher forcing; `[START]` is 2.


# %%
def decoder_inputs(targets):
    # BEGIN SOLUTION: return ...
    start = np.full_like(targets[:, :1], 2)
    return np.concatenate([start, targets[:, :-1]], axis=1)
    # END SOLUTION


check("09.1", decoder_inputs)

# %% [markdown]
# **09.2 · Find the bug: a loss that counts nothing.** `p` $(N, T)$ are the probabilities of the true tokens, `targets`
# $(N, T)$ the tokens, padded with 0. The more padding a batch has, the better this loss looks. Mend it.


# %%
def sequence_loss(p, targets):
    return -np.log(p).mean()


short, padded = np.array([[0.5, 0.5]]), np.array([[0.5, 0.5, 0.99, 0.99]])
print("without padding", sequence_loss(short, np.array([[4, 3]])).round(3))
print("with padding   ", sequence_loss(padded, np.array([[4, 3, 0, 0]])).round(3))


def sequence_loss_mended(p, targets):
    # BEGIN SOLUTION: return ...
    return -np.log(p[targets != 0]).mean()
    # END SOLUTION


check("09.2", sequence_loss_mended)

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
# **09.4 · One step of beam search.** `total` $(B,)$ are the log-probabilities of B beginnings, `log_p` $(B, V)$ those of
# their next tokens. Return the B best continuations as rows *(beginning, token)*, the most probable first.


# %%
def extend(total, log_p):
    # BEGIN SOLUTION: return ...
    scores = total[:, None] + log_p
    best = np.argsort(-scores, axis=None)[: len(total)]
    return np.stack(np.unravel_index(best, scores.shape), axis=1)
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
# - One vector for a whole text is too little for long texts; attention reads them again at every step.
# - Greedy can miss the most probable sequence; a beam of B beginnings finds it more often.
# - ROUGE counts common words. Beat the first words of the text before you speak of a summary.
#
# **Read on.** Sutskever, Vinyals, Le: *Sequence to sequence learning with neural networks*, arXiv:1409.3215 (2014).
# Bahdanau, Cho, Bengio: arXiv:1409.0473 (2015). Luong, Pham, Manning: *Effective approaches to attention-based neural
# machine translation*, arXiv:1508.04025 (2015). See, Liu, Manning: *Get to the point*, arXiv:1704.04368 (2017), the
# pointer. Bengio et al.: *Scheduled sampling*, arXiv:1506.03099 (2015), for what teacher forcing does not teach; it is an
# option of `Summarizer`. Lin: *ROUGE* (2004).
#
# **Next:** lesson 10 asks whether a network has to be trained in one go.
