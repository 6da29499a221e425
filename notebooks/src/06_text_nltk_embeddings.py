# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3 (ipykernel)
#   lesson:
#     number: "06"
#     title: "Text: NLTK, embeddings"
#     goal: Turn texts into numbers, learn word vectors by hand and in Keras, and beat or not beat a simple baseline
#     minutes: 60
#     prerequisites: ["01", "02", "03", "04"]
# ---

# %% [markdown]
# # 06 · Text: NLTK, embeddings
#
# **After this lesson** you can turn raw text into token ids, explain and differentiate an embedding, train a text
# classifier in NumPy and in Keras, and say honestly whether it is better than a simple baseline.
#
# **You need** the forward and the backward pass (01, 02), cross-entropy and Adam (03).
#
# **The way.** a corpus → tokens, stop words, stems → a vocabulary → ids and padding → the embedding and its gradient → the
# proof that Keras agrees → training, against a baseline → what the vectors have learned → your experiment
#
# **The corpus** lies on your machine already: the docstrings of the libraries that this toolkit uses. Each is a short
# text, written with care, and the question is *which library is it from?* (The libraries' own names are masked, or it
# would be too easy.)

# %%
from collections import Counter

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown, display

from toolkit import data, plots, scratch
from toolkit.classroom import check

corpus = data.load("docstrings")
texts, labels = corpus.x_train, corpus.y_train
print(f"{len(texts):,} texts to train on, {len(corpus.x_test):,} to test; {len(corpus.classes)} classes")
for label, name in enumerate(corpus.classes):
    print(f"{name:>12}: {texts[labels == label][1][:90]} …")

# %% [markdown]
# ## 1 · From a text to tokens
#
# Four steps bring a text to its words' stems. NLTK, the *Natural Language Toolkit*, has them all:
#
# 1. **tokenise**: cut into words and punctuation; `don't` becomes `do` and `n't`;
# 2. **lower-case**: `The` and `the` are one word;
# 3. **stop words**: drop what stands in every text, `the, of, is`;
# 4. **stem**: `returns, returned, returning` all become `return`; the Porter stemmer cuts endings off by rules.

# %%
from nltk import PorterStemmer, word_tokenize

from toolkit.text import TextPreprocessor

preprocessor = TextPreprocessor(max_tokens=5000, sequence_length=100).fit(texts)
stop_words = set(preprocessor.resources_.stop_words.words)
stem = PorterStemmer().stem
sentence = "The returned arrays aren't copies: changing THE arrays changes the original."

tokens = word_tokenize(sentence, preserve_line=True)
lowered = [token.lower() for token in tokens]
kept = [token for token in lowered if token not in stop_words]
stems = [stem(token) for token in kept]
for name, stage in (("tokens", tokens), ("lower case", lowered), ("kept", kept), ("stems", stems)):
    print(f"{name:>10} {len(stage):>3}  {' · '.join(stage)}")

print("\nin the wrong order, stop words before lower case:")
wrong = [token.lower() for token in tokens if token not in stop_words]
print(f"{len(wrong):>14}  {' · '.join(wrong)}")

# %% [markdown]
# **What to see:** fourteen tokens shrink to the ten that carry the meaning, `n't` among them: it turns the rest round. In
# the wrong order `The` and `THE` slip through, since the list of stop words is in lower case. And a stem need not be a
# word: it only has to be the same for all forms.
#
# `TextPreprocessor` takes the same steps. `preprocess` shows them for any text.

# %%
stages = preprocessor.preprocess(sentence)
print(stages)
assert list(stages.stems) == stems

# %% [markdown]
# ## 2 · The vocabulary
#
# A network needs numbers, so every token gets one: its place in the **vocabulary**, the list of known tokens, the most
# frequent first. Two places are reserved: 0 for padding, 1 for unknown tokens. How many tokens are worth a place?

# %% alt="Left: token counts by rank, nearly a straight line on logarithmic axes. Right: coverage against vocabulary size"
counts = Counter(token for text in texts for token in preprocessor.tokens(text))
ranked = np.array([count for _, count in counts.most_common()])
coverage = ranked.cumsum() / ranked.sum()
print(f"{ranked.sum():,} tokens, {len(ranked):,} different; {np.mean(ranked == 1):.0%} of these occur once")
print("most frequent:", ", ".join(f"{token} {count:,}" for token, count in counts.most_common(8)))

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", dpi=80)
left.loglog(np.arange(1, len(ranked) + 1), ranked, ".", ms=3)
left.set(xlabel="rank", ylabel="how often", title="Few tokens are frequent, most are rare")
right.semilogx(np.arange(1, len(ranked) + 1), coverage)
right.set(xlabel="size of the vocabulary", ylabel="share of the text covered", title="5,000 tokens cover …")
right.axvline(5000, ls="--", color="grey")
for ax in (left, right):
    ax.grid(alpha=0.3)
plt.show()
print(f"the 5,000 most frequent tokens cover {coverage[4999]:.1%} of the text")

# %% [markdown]
# **What to see:** on logarithmic axes the counts fall almost along a line, *Zipf's law*. So a short vocabulary covers
# nearly everything, and a token that occurs once could not be learned anyway.
#
# ## 3 · Ids and padding
#
# Texts differ in length, arrays do not. Short ones are filled with 0, long ones cut off: each becomes a row of $T = 100$
# ids. By hand it is a dictionary and a slice; the preprocessor must give the same.


# %%
T = 100
place = {token: index for index, token in enumerate(preprocessor.vocabulary_)}


def to_ids(tokens):
    ids = [place.get(token, 1) for token in tokens][:T]
    return ids + [0] * (T - len(ids))


by_hand = np.array([to_ids(preprocessor.tokens(text)) for text in texts[:200]])
x_train, x_test = preprocessor.transform(texts), preprocessor.transform(corpus.x_test)
assert (by_hand == x_train[:200]).all()
print(f"x_train {x_train.shape} {x_train.dtype}; the first 200 rows are those made by hand")
print("a text:   ", texts[2][:80], "…")
print("its ids:  ", x_train[2][:12], "…")
print("and back: ", preprocessor.inverse_transform(x_train[2:3])[0][:80], "…")
print(f"padding: {np.mean(x_train == 0):.0%} of all places; unknown: {np.mean(x_train == 1):.1%}")

# %% [markdown]
# ## 4 · The embedding
#
# Ids are names, not quantities: token 7 is not "more" than token 3. So each token gets a **vector** of its own, a row of
# the table $E \in \mathbb{R}^{V \times D}$, which is *learned*. A text becomes the average of its vectors, without the
# padding, and then follows what you know: dense layers and softmax.
#
# $$ e_{nt} = E_{x_{nt}} \in \mathbb{R}^{D}, \qquad m_{nt} = [x_{nt} \ne 0], \qquad
# \bar e_n = \frac{1}{\sum_t m_{nt}} \sum_t m_{nt}\, e_{nt} $$
#
# To look a row up is the same as to multiply with a row of zeros and one 1 (*one-hot*): $E_{x} = \text{onehot}(x)\, E$.
# So the embedding is a dense layer without bias, only that nobody multiplies by all those zeros.

# %%
E = np.array([[9.0, 9.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [2.0, 2.0]])  # V = 5 tokens, D = 2 numbers each
x = np.array([[2, 3, 3, 0], [4, 2, 0, 0]])  # two texts of up to T = 4 tokens; 0 is padding

e = E[x]
m = (x != 0)[..., np.newaxis]
average = (m * e).sum(axis=1) / m.sum(axis=1)
print("looked up:", e.shape, " as one-hot product, the same:", np.array_equal(e, np.eye(5)[x] @ E))
print("average by hand: (1,0), (0,1), (0,1) → (1/3, 2/3); (2,2), (1,0) → (3/2, 1)")
print("average computed:", average.round(3).tolist())
print("padding averaged as well:", e.mean(axis=1).round(3).tolist(), "← wrong, E[0] should not matter")

# %% [markdown]
# ### The backward pass
#
# From $d\bar e\;(N, D)$: the average shares its gradient among the tokens of its text, padding gets none; a row of $E$
# that was used several times **adds up** what comes back.
#
# $$ de_{nt} = \frac{m_{nt}}{\sum_t m_{nt}}\, d\bar e_n, \qquad dE_v = \sum_{n,t:\; x_{nt} = v} de_{nt} $$
#
# All rows that no token of the batch has used get no gradient at all: $dE$ is *sparse*. (The ids themselves have no
# gradient; there is nothing between token 3 and token 4.)


# %%
def embedding_backward(x, E, d_average):
    m = (x != 0)[..., np.newaxis]
    de = m * (d_average / m.sum(axis=1))[:, np.newaxis]
    dE = np.zeros_like(E)
    np.add.at(dE, x, de)  # dE[x] += de would forget repeated rows
    return dE


def forward(E):
    m = (x != 0)[..., np.newaxis]
    return (m * E[x]).sum(axis=1) / m.sum(axis=1)


d_average = np.array([[3.0, 0.0], [0.0, 2.0]])
dE = embedding_backward(x, E, d_average)
print("dE =", dE.tolist())
print("token 3 stands twice in the first text: 2 · 3/3 = 2 ✓; padding: 0 ✓; token 1 unused: 0 ✓")

numeric = scratch.numerical_gradient(lambda E: (forward(E) * d_average).sum(), E)
print(f"against finite differences: relative error {scratch.compare_gradients(dE, numeric):.0e}")

lost = np.zeros_like(E)
lost[x] += (x != 0)[..., None] * (d_average / (x != 0).sum(axis=1, keepdims=True))[:, None]
print("with dE[x] += de, token 3 gets", lost[3].tolist(), "instead of", dE[3].tolist())

# %% [markdown]
# ## 5 · The network, in NumPy and in Keras
#
# Embedding → masked average → dense 256 → softmax. `mask_zero=True` says that 0 is padding; the mask travels with the
# data to the average, in `scratch` as in Keras. Outputs and gradients of both, on real texts, in float64:

# %%
from toolkit import bridge
import keras
import tensorflow as tf

V, C = len(preprocessor.vocabulary_), len(corpus.classes)
network = scratch.Sequential(
    [
        scratch.Embedding(V, 64, mask_zero=True),
        scratch.GlobalAveragePooling1D(),
        scratch.Dense(256, "relu", kernel_initializer="he_normal"),
        scratch.Dense(C, "softmax"),
    ],
    input_shape=(T,),
    dtype="float64",
)
network.compile("adam", "sparse_categorical_crossentropy")
model = bridge.to_keras(network)
x, y = x_train[:32], labels[:32]
_, grads = network.loss_and_gradients(x, y)
with tf.GradientTape() as tape:
    y_hat = model(x)
    loss = keras.losses.SparseCategoricalCrossentropy(dtype="float64")(y, y_hat)
keras_grads = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, model.trainable_weights)]

table = "| tensor | shape | rows that are not 0 | NumPy − Keras |\n|:--|:--|--:|--:|\n"
table += f"| output | {y_hat.shape} | {len(y_hat)} | {np.abs(network.last_output - y_hat).max():.0e} |\n"
for (name, ours), theirs in zip(grads.items(), keras_grads, strict=True):
    ours = np.asarray(ours)
    rows = np.any(np.atleast_2d(ours) != 0, axis=-1).sum()
    table += f"| d {name} | {ours.shape} | {rows:,} | {np.abs(ours - theirs).max():.0e} |\n"
    assert np.abs(ours - theirs).max() < 1e-8 * np.abs(theirs).max() + 1e-12
display(Markdown(table))

# %% [markdown]
# **What to see:** they agree. Of the embedding's rows only those of tokens in these 32 texts have a gradient.
#
# Let us look at these rows, for a single text: `toolkit.xray` opens one step of the network, and its widget steps through
# it. Before you look: what can the loss say to *one word*, if the words are averaged?

# %% alt="Rows of the embedding's gradient, one for each token of a text: all with one pattern, some rows stronger"
from toolkit import xray

t = xray.trace(model, x_train[2:3], labels[2:3], loss="sparse_categorical_crossentropy", optimizer="adam")
proof = t.verify()
print(f"{len(proof.rows)} tensors are TensorFlow's, the worst to {proof.worst.error:.0e}")
dE = t.gradients["embedding/embeddings"]
ids, times = np.unique(x_train[2][x_train[2] != 0], return_counts=True)
order = np.argsort(-times)[:12]
words = [f"{preprocessor.vocabulary_[k][:16]} × {n}" for k, n in zip(ids[order], times[order])]
_, ax = plt.subplots(figsize=(8, 3.4), layout="constrained", dpi=70)
plots.matrix(dE[ids[order]], rows=words, ax=ax, title="dE, the rows of twelve tokens of one text")
ax.set(xlabel="the 64 numbers of a word vector")
plt.show()
print(f"{np.any(dE != 0, axis=1).sum()} of {V:,} rows have a gradient")
t.widget()

# %% [markdown]
# **What to see:** every token of the text gets the *same* gradient, times how often it stands there. An average cannot
# tell words apart: what makes a word special comes only from the other texts that it stands in.
#
# ## 6 · Training, and an honest baseline
#
# Before you believe in a network, ask what a simple method does. **TF-IDF** counts each token of a text, weighs it down
# if it stands in many texts, and a linear classifier does the rest: no word vectors, no hidden layer.

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

baseline = make_pipeline(
    TfidfVectorizer(analyzer=preprocessor.tokens, max_features=5000, sublinear_tf=True),
    LogisticRegression(C=10, max_iter=1000),
)
baseline.fit(texts, labels)
baseline_accuracy = baseline.score(corpus.x_test, corpus.y_test)
print(f"always the same answer: {np.bincount(corpus.y_test).max() / len(corpus.y_test):.1%}")
print(f"TF-IDF with logistic regression: {baseline_accuracy:.1%}")

# %% [markdown]
# Now the network. When to stop? A tenth of the training texts is held out: after two epochs without a better loss on
# these, `training.fit` stops and goes back to the best weights. The test texts are looked at once, at the end.

# %% alt="Training loss falls on, the loss on held-out texts turns; held-out accuracy stays level"
from toolkit import models, training

classifier = models.text_classifier(V, C, dropout=0.4, seed=0)
classifier.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = training.fit(
    classifier,
    x_train,
    labels,
    epochs=12,
    batch_size=32,
    validation_split=0.1,
    patience=2,
    verbose=False,
)
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", dpi=80)
history.plot(measure="loss", ax=left)
history.plot(measure="accuracy", ax=right)
plt.show()
print(f"stopped after {history.epochs} epochs; the weights are those of epoch {history.best_epoch}")
_, accuracy = classifier.evaluate(x_test, corpus.y_test, verbose=0)
error = np.sqrt(accuracy * (1 - accuracy) / len(x_test))
print(f"network: {accuracy:.1%} (± {error:.1%}, one standard error), baseline: {baseline_accuracy:.1%}")

# %% [markdown]
# **What to see:** the network soon knows its training texts by heart, and the loss on others turns.
#
# Why is the accuracy on the held-out texts so much higher than on the test texts? They were drawn at random, so the
# network has read others *from the same modules*. The test texts come from modules of their own. Only their number says
# what happens with new texts.
#
# Compare network and baseline with the standard error before you call one of them better. On a few thousand short texts
# a good baseline is hard to beat: the words themselves say nearly everything. What the network has in addition are
# vectors, and they will be worth more when order counts (lessons 07 and 08).
#
# ## 7 · Which mistakes, and what the vectors have learned

# %% alt="Left: confusion matrix of the libraries. Right: word vectors in two dimensions, words of one library together"
said = classifier.predict(x_test, verbose=0).argmax(axis=1)
table = classifier.get_layer("embedding").get_weights()[0]
# For each class the tokens, of those that occur at least 40 times, whose vector alone speaks most for it.
frequent = np.flatnonzero(preprocessor.counts_ >= 40)[1:]
alone = classifier.predict(frequent[:, None], verbose=0)
tokens, classes = [], []
for label, name in enumerate(corpus.classes):
    for index in frequent[np.argsort(-alone[:, label])[:6]]:
        tokens.append(preprocessor.vocabulary_[index])
        classes.append(label)
    print(f"{name:>12}: {', '.join(tokens[-6:])}")

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", dpi=80)
plots.confusion_matrix(corpus.y_test, said, classes=corpus.classes, ax=left)
vectors = table[[place[token] for token in tokens]]
plots.embedding(vectors, tokens, classes=[corpus.classes[k] for k in classes], ax=right)
plt.show()

# %% [markdown]
# **What to see:** each library has its own words, and the vectors of these words lie together, though nobody has told the
# network what any of them means. It found groups because they help to answer.
#
# ## 8 · Your experiment
#
# Write a text and see what becomes of it. Then: which single word turns the answer round? What does the network say to
# an empty text, or to a language that it has never seen?


# %% alt="Bars: the probability of each library for the text that was typed"
def experiment(text):
    stages = preprocessor.preprocess(text)
    probabilities = classifier.predict(preprocessor.transform([text]), verbose=0)[0]
    _, ax = plt.subplots(figsize=(6, 2.4), layout="constrained", dpi=80)
    ax.barh(corpus.classes, probabilities, color="#0072B2")
    ax.set(xlim=(0, 1), xlabel="probability", title=" · ".join(stages.stems[:10]) or "no token is left")
    ax.invert_yaxis()
    plt.show()
    print(f"most probable: {corpus.classes[probabilities.argmax()]} ({probabilities.max():.0%})")


box = widgets.Textarea(
    "Draw a line plot with markers and a legend on the given axes.", layout={"width": "95%"}, continuous_update=False
)
display(widgets.interactive(experiment, text=box))

# %% [markdown]
# ## Exercises
#
# Replace each `...`, run the cell, and read the verdict.
#
# **06.1 · Pad and cut.** Bring a list of ids to exactly `length` places: cut what is too long at the end, fill what is
# too short with zeros at the end. Return a list.


# %%
def pad(ids, length):
    # BEGIN SOLUTION: return ...
    return ids[:length] + [0] * (length - len(ids))
    # END SOLUTION


check("06.1", pad)

# %% [markdown]
# **06.2 · Find the bug: a vocabulary that counts the wrong thing.** `counts` is to say how often each token occurs in all
# texts together. `texts` is a list of lists of tokens.


# %%
def token_counts(texts):
    counts = Counter()
    for tokens in texts:
        counts.update(set(tokens))
    return dict(counts)


counted = token_counts([["a", "loop", "in", "a", "loop"], ["a", "list"]])
print(f"'a' is counted {counted['a']} times, but it stands there three times")


def token_counts_mended(texts):
    # BEGIN SOLUTION: return ...
    counts = Counter()
    for tokens in texts:
        counts.update(tokens)
    return dict(counts)
    # END SOLUTION


check("06.2", token_counts_mended)

# %% [markdown]
# **06.3 · Find the bug: the stop words that stayed.** `stop` holds stop words in lower case. The result is to hold the
# other tokens, in lower case.


# %%
def content_words(tokens, stop):
    return [token.lower() for token in tokens if token not in stop]


print(content_words(["The", "loss", "is", "The", "mean"], {"the", "is"}))


def content_words_mended(tokens, stop):
    # BEGIN SOLUTION: return ...
    lowered = [token.lower() for token in tokens]
    return [token for token in lowered if token not in stop]
    # END SOLUTION


check("06.3", content_words_mended)

# %% [markdown]
# **06.4 · Find the bug: padding that counts.** The average of the vectors `e` $(N, T, D)$ of a text, for ids `x` $(N, T)$
# where 0 is padding. As it stands, the same text gets another average if more padding is added.


# %%
def text_average(x, e):
    return e.mean(axis=1)


short, long = np.array([[5, 6]]), np.array([[5, 6, 0, 0]])
vectors = np.arange(20.0).reshape(10, 2)
print("the same text twice:", text_average(short, vectors[short]).tolist(), text_average(long, vectors[long]).tolist())


def text_average_mended(x, e):
    # BEGIN SOLUTION: return ...
    m = (x != 0)[..., np.newaxis]
    return (m * e).sum(axis=1) / m.sum(axis=1)
    # END SOLUTION


check("06.4", text_average_mended)

# %% [markdown]
# **06.5 · The gradient of an embedding.** `x` $(N, T)$ are ids, `de` $(N, T, D)$ is what comes back for each looked-up
# vector. Return `dE` $(V, D)$ for a vocabulary of `V` tokens.


# %%
def embedding_gradient(x, de, V):
    # BEGIN SOLUTION: return ...
    dE = np.zeros((V, de.shape[-1]))
    np.add.at(dE, x, de)
    return dE
    # END SOLUTION


check("06.5", embedding_gradient)

# %% [markdown]
# ## Recap
#
# - Tokenise, lower-case, *then* drop stop words, then stem. A vocabulary counts tokens; 0 is padding, 1 is unknown.
# - An embedding is a table of vectors: looked up forward; backward, a row adds up what all of its places send.
# - Padding must be masked, or the same text changes with its length.
# - NumPy and Keras agree. Whether the network is better than a baseline is a question for numbers with error bars.
#
# **Read on.** Porter: *An algorithm for suffix stripping*, Program 14 (1980). Bird, Klein, Loper: *Natural language
# processing with Python* (2009), the NLTK book. Bengio et al.: *A neural probabilistic language model*, JMLR 3 (2003).
# Mikolov et al.: *Efficient estimation of word representations in vector space*, arXiv:1301.3781 (2013). Iyyer et al.: *Deep
# unordered composition rivals syntactic methods for text classification*, ACL (2015). Zipf: *Human behavior and the
# principle of least effort* (1949).
#
# **Next:** lesson 07 reads in order: recurrent networks.
