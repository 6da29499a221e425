"""The network that reads with one LSTM and writes with another."""

from __future__ import annotations

from typing import Any, Literal

import keras

from toolkit.errors import InvalidValueError
from toolkit.models._options import checked_sizes, dropout_layer, embedding, layer_seed, lstm, probabilities
from toolkit.models.summarizer._pointer import KnownTokens, PointerMixture
from toolkit.models.summarizer._sampling import ScheduledSampling

Attention = Literal["bahdanau", "luong"] | None


def encoder_decoder(
    vocabulary_size: int,
    *,
    embedding_dim: int = 64,
    units: int = 128,
    bidirectional: bool = False,
    attention: Attention = "luong",
    copied_words: int = 0,
    scheduled_sampling: bool = False,
    dropout: float = 0.0,
    dtype: str = "float32",
    seed: int | None = None,
    name: str = "encoder_decoder",
) -> keras.Model:
    r"""Source ids ``(N, S)`` and target ids ``(N, T)`` → probabilities of the next token ``(N, T, V)``.

    Shapes: S tokens are read, T are written; the table of word vectors ``E (V, D)`` is shared; states are ``(N, M)``.
    The formulas are those of one text, with vectors as rows: :math:`s_t W_q` is ``s @ W_q`` for the whole batch.

    1. **Encoder**: an LSTM reads :math:`E_{x_1}, \dots, E_{x_S}`; its outputs are the memory
       :math:`H \in \mathbb{R}^{S \times M}`, its last states :math:`h, c \in \mathbb{R}^M` the summary of all that was
       read. If bidirectional, two LSTMs of M/2 units read from both ends, and theirs are joined.
    2. **Decoder**: an LSTM begins with :math:`h, c`. *Teacher forcing*: its input at step t is the true token before,
       :math:`y_{t-1}`, with :math:`y_0` the start token, whatever it would have written itself. So the target that goes
       in is the one to be learned, shifted by one place. Its outputs are :math:`s_1, \dots, s_T \in \mathbb{R}^M`.
    3. **Attention**: scores of each memory for each step, weights
       :math:`a_t = \mathrm{softmax}(e_t) \in \mathbb{R}^S`, context :math:`\bar h_t = \sum_i a_{ti} h_i = a_t H`, and
       :math:`\tilde s_t = \tanh([s_t, \bar h_t] W_c + b_c)`. The scores are

       - ``"luong"``: :math:`e_{ti} = (s_t W_q) h_i^\top` (their *general* score);
       - ``"bahdanau"``: :math:`e_{ti} = \tanh(s_t W_q + h_i W_k) v^\top`;
       - ``None``: no attention, :math:`\tilde s_t = s_t`; all that is known of the source is in :math:`h, c`;

       with :math:`W_q, W_k \in \mathbb{R}^{M \times M}`, :math:`v \in \mathbb{R}^M`,
       :math:`W_c \in \mathbb{R}^{2M \times M}` and :math:`b_c \in \mathbb{R}^M`.
    4. **Output**: :math:`p_t = \mathrm{softmax}(\tilde s_t W_o + b_o) \in \mathbb{R}^V` with
       :math:`W_o \in \mathbb{R}^{M \times V}` and :math:`b_o \in \mathbb{R}^V`.
    5. **Pointer**, with ``copied_words`` K > 0: a gate :math:`g_t = \sigma([\bar h_t, s_t, E_{y_{t-1}}] W_g + b_g)`
       with :math:`W_g \in \mathbb{R}^{(2M + D) \times 1}` decides between writing and copying,
       :math:`P_t(w) = g_t\, p_t(w) + (1 - g_t) \sum_{i: x_i = w} a_{ti}`, over the V known tokens and K places
       V, …, V + K − 1 for unknown words: in the ids of a source and its target, V + k is the source's k-th word that is
       not in the vocabulary.

    With both scores attention comes after the decoder's LSTM, as in Luong's paper, so that teacher forcing computes all
    steps of the LSTM at once. In Bahdanau's paper it comes before: the context is an input of the next step.

    Padding (0) is masked: the encoder's states pass over it, attention gives it the weight 0, and in the loss and the
    metrics it does not count, since the output carries the mask of the target. Pad at the end.

    Args:
        vocabulary_size: V, with the ids 0 for padding, 1 for unknown, and those that say start and end.
        embedding_dim: D.
        units: M; even if bidirectional.
        bidirectional: whether the encoder reads from both ends.
        attention: "luong", "bahdanau" or None.
        copied_words: K, the most unknown words of one source that can be copied; 0 for no pointer.
        scheduled_sampling: whether the model has a ``sampling_rate``; see ``ScheduledSampling``.
        dropout: share of the word vectors, and of :math:`\tilde s_t`, dropped in training.
        dtype: "float32" or "float64".
        seed: fixes the initial weights and the dropout masks; None draws new ones.
        name: the model's name.

    Returns:
        A functional ``keras.Model`` with the inputs ``source`` and ``target`` and the layers ``embedding``,
        ``encoder``, ``decoder``, ``attention``, …, ``probabilities``; not compiled: train it with
        ``sparse_categorical_crossentropy`` on the unshifted targets.

    Raises:
        InvalidValueError: a size is not a positive integer, ``units`` is odd for two directions, ``attention`` is
            unknown, or a pointer is asked for without attention.

    Source: Sutskever, Vinyals, Le (2014), arXiv:1409.3215; Bahdanau, Cho, Bengio (2015), arXiv:1409.0473; Luong, Pham,
    Manning (2015), arXiv:1508.04025; the pointer: See, Liu, Manning (2017), arXiv:1704.04368.
    """
    where = "encoder_decoder"
    vocabulary_size, embedding_dim, units = checked_sizes(where, vocabulary_size, embedding_dim, units)
    if copied_words:
        (copied_words,) = checked_sizes(where, copied_words)
    if bidirectional and units % 2:
        raise InvalidValueError(where, "an even number of units for two directions", f"{units}")
    if attention not in ("luong", "bahdanau", None):
        raise InvalidValueError(where, "attention 'luong', 'bahdanau' or None", repr(attention))
    if copied_words and attention is None:
        remedy = "The pointer points with the weights of attention."
        raise InvalidValueError(where, "attention for copied_words", "attention=None", remedy)

    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    table = embedding(vocabulary_size, embedding_dim, dtype, layer_seed(seed, 0))
    ids = [source, target]
    if copied_words:
        ids = [*map(KnownTokens(vocabulary_size, name="known_tokens"), ids)]
    read, written = (table(x) for x in ids)
    for layer in dropout_layer(dropout, dtype, layer_seed(seed, 101), "dropout_embedding"):
        read, written = layer(read), layer(written)

    memory, *states = _encoder(units, bidirectional, attention is not None, dtype, seed)(read)
    if bidirectional:
        join = [keras.layers.Concatenate(name=f"state_{letter}", dtype=dtype) for letter in "hc"]
        states = [layer(pair) for layer, pair in zip(join, (states[::2], states[1::2]))]
    decoder = lstm(units, dtype, layer_seed(seed, 2), return_sequences=True, name="decoder")
    # A recurrent layer with an initial state looks for no mask by itself.
    s = decoder(written, initial_state=states, mask=table.compute_mask(ids[1]))

    outputs = s
    if attention is not None:
        context, weights = _attend(attention, units, dtype, seed, s, memory, return_weights=bool(copied_words))
        join = keras.layers.Concatenate(name="state_and_context", dtype=dtype)
        outputs = _dense(units, layer_seed(seed, 5), dtype, "attentional_state", "tanh")(join([s, context]))
    for layer in dropout_layer(dropout, dtype, layer_seed(seed, 102), "dropout_output"):
        outputs = layer(outputs)
    p = probabilities(vocabulary_size, dtype, layer_seed(seed, 99))(outputs)
    if copied_words:
        join = keras.layers.Concatenate(name="gate_inputs", dtype=dtype)
        gate = _dense(1, layer_seed(seed, 6), dtype, "gate", "sigmoid")(join([context, s, written]))
        p = PointerMixture(copied_words, dtype=dtype, name="mixture")([p, gate, weights, source])
    kind = ScheduledSampling if scheduled_sampling else keras.Model
    return kind([source, target], p, name=name)


def _encoder(units: int, bidirectional: bool, outputs: bool, dtype: str, seed: int | None) -> keras.Layer:
    """Returns ``[memory, h, c]``, if bidirectional ``[memory, h, c, h, c]``; without ``outputs`` the memory is h."""
    options = {"return_sequences": outputs, "return_state": True, "dtype": dtype}
    if not bidirectional:
        return keras.layers.LSTM(units, **options, **_initializers(seed, 1), name="encoder")
    forward, backward = (
        keras.layers.LSTM(units // 2, **options, **_initializers(seed, k), go_backwards=bool(k - 1), name=name)
        for k, name in ((1, "forward"), (2, "backward"))
    )
    return keras.layers.Bidirectional(forward, backward_layer=backward, dtype=dtype, name="encoder")


def _initializers(seed: int | None, index: int) -> dict[str, Any]:
    seed = layer_seed(seed, 10 + index)
    return {
        "kernel_initializer": keras.initializers.GlorotUniform(seed=seed),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=None if seed is None else seed + 50),
    }


def _attend(
    attention: str, units: int, dtype: str, seed: int | None, s: Any, memory: Any, return_weights: bool
) -> tuple[Any, Any]:
    """Context ``(N, T, M)`` and, if asked for, weights ``(N, T, S)``."""
    query = _dense(units, layer_seed(seed, 3), dtype, "attention_query", use_bias=False)(s)
    if attention == "bahdanau":
        key = _dense(units, layer_seed(seed, 4), dtype, "attention_key", use_bias=False)(memory)
        layer, inputs = keras.layers.AdditiveAttention(dtype=dtype, name="attention"), [query, memory, key]
    else:
        layer, inputs = keras.layers.Attention(dtype=dtype, name="attention"), [query, memory]
    context, weights = layer(inputs, return_attention_scores=True) if return_weights else (layer(inputs), None)
    if attention == "bahdanau" and seed is not None:  # Keras lets nobody choose the initialiser of v
        initializer = keras.initializers.GlorotUniform(seed=layer_seed(seed, 7))
        layer.scale.assign(initializer(layer.scale.shape, layer.scale.dtype))
    return context, weights


def _dense(
    units: int, seed: int | None, dtype: str, name: str, activation: str | None = None, use_bias: bool = True
) -> keras.layers.Dense:
    initializer = keras.initializers.GlorotUniform(seed=seed)
    return keras.layers.Dense(units, activation, use_bias, kernel_initializer=initializer, dtype=dtype, name=name)
