"""A trained encoder-decoder, one token at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from toolkit.errors import UnsupportedError


class Memory(NamedTuple):
    """What is known of N sources while their targets are written; computed once.

    Attributes:
        source: ids ``(N, S)``.
        mask: where they are no padding, ``(N, S)`` bool.
        states: the encoder's outputs ``(N, S, M)``, which attention takes its averages of; empty without attention.
        keys: what the queries are compared with, ``(N, S, M)``; empty without attention.
    """

    source: tf.Tensor
    mask: tf.Tensor
    states: tf.Tensor
    keys: tf.Tensor

    def repeated(self, times: int) -> Memory:
        """Each source so many times in a row."""
        return Memory(*(tf.repeat(tensor, times, axis=0) for tensor in self))


class State(NamedTuple):
    """What the decoder carries from token to token: h and c, ``(N, M)``."""

    h: tf.Tensor
    c: tf.Tensor

    def repeated(self, times: int) -> State:
        """Each state so many times in a row."""
        return State(*(tf.repeat(tensor, times, axis=0) for tensor in self))


class Decoder:
    """Runs the layers of an ``encoder_decoder`` model so that each new token costs one step, however long the prefix.

    In training all steps of the decoder are one call, since the true tokens are known. Here every token waits for the
    one before. The states carry all that matters of the prefix, so nothing of it is computed again.

    Args:
        model: made by ``encoder_decoder``, or loaded from a file.

    Attributes:
        tokens: how many ids can be read and written: V, with a pointer V + K.

    Raises:
        UnsupportedError: the model has not the layers of one.
    """

    def __init__(self, model: keras.Model) -> None:
        layers = {layer.name: layer for layer in getattr(model, "layers", ())}
        missing = {"embedding", "encoder", "decoder", "probabilities"} - layers.keys()
        if missing:
            received = f"{getattr(model, 'name', model)!r} without {', '.join(sorted(missing))}"
            raise UnsupportedError("a search", "a model made by encoder_decoder", received)
        self._known = layers.get("known_tokens", lambda ids: ids)
        self._embedding, self._encoder, self._decoder = (layers[n] for n in ("embedding", "encoder", "decoder"))
        self._attention, self._query = layers.get("attention"), layers.get("attention_query")
        self._key = layers.get("attention_key", lambda memory: memory)
        self._attentional, self._probabilities = layers.get("attentional_state"), layers["probabilities"]
        self._gate, self._mixture = layers.get("gate"), layers.get("mixture")
        self.tokens = self._embedding.input_dim + (self._mixture.copied_words if self._mixture else 0)

    def encode(self, source: tf.Tensor) -> tuple[Memory, State]:
        """Reads sources ``(N, S)``: the memory, and the state that the decoder begins with."""
        ids = self._known(source)
        mask = tf.not_equal(ids, 0)
        read, *states = self._encoder(self._embedding(ids), mask=mask, training=False)
        if len(states) == 4:  # h and c of both directions
            states = [tf.concat(pair, axis=1) for pair in (states[::2], states[1::2])]
        if self._attention is None:
            read = keys = tf.zeros([tf.shape(source)[0], 0, 0], read.dtype)
        else:
            keys = self._key(read)
        return Memory(source, mask, read, keys), State(*states)

    def step(self, memory: Memory, state: State, token: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, State]:
        """One token further.

        Args:
            memory: of N sources.
            state: after the tokens before.
            token: ``(N,)``, the last token written, at first the start.

        Returns:
            The probabilities of the next token ``(N, V)``, the weights of attention ``(N, S)``, zero without
            attention, and the new state.
        """
        x = self._embedding(self._known(token[:, tf.newaxis]))[:, 0]
        s, (h, c) = self._decoder.cell(x, list(state), training=False)
        s, x = s[:, tf.newaxis], x[:, tf.newaxis]
        if self._attention is None:
            weights = tf.zeros(tf.shape(memory.source), s.dtype)
            return self._probabilities(s)[:, 0], weights, State(h, c)
        context, weights = self._attention(
            [self._query(s), memory.states, memory.keys],
            mask=[None, memory.mask, memory.mask],
            return_attention_scores=True,
        )
        p = self._probabilities(self._attentional(tf.concat([s, context], axis=-1)))
        if self._mixture is not None:
            gate = self._gate(tf.concat([context, s, x], axis=-1))
            p = self._mixture([p, gate, weights, memory.source])
        return p[:, 0], weights[:, 0], State(h, c)


def kept_with(model: keras.Model, name: str, make: Any) -> Any:
    """What ``make()`` returns, made once for the model and kept as long as it lives."""
    kept = vars(model).setdefault("_decoding", {})  # past Keras, which would track it
    if name not in kept:
        kept[name] = make()
    return kept[name]
