"""The pointer of See et al. (2017): words that the vocabulary does not know are copied from the source."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

UNKNOWN_ID = 1


@keras.saving.register_keras_serializable("toolkit")
class KnownTokens(keras.Layer):
    """Ids ``(N, T)`` → the same, where those from V on, which stand for words of the source, are unknown (1).

    Args:
        vocabulary_size: V.
        options: those of ``keras.Layer``.
    """

    def __init__(self, vocabulary_size: int, **options: Any) -> None:
        super().__init__(**options)
        self.vocabulary_size = vocabulary_size

    def call(self, ids: Any) -> Any:
        """Returns int32 ``(N, T)``."""
        ids = ops.cast(ids, "int32")
        return ops.where(ids < self.vocabulary_size, ids, UNKNOWN_ID)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        """Ids of the same shape."""
        return keras.KerasTensor(ids.shape, "int32")

    def get_config(self) -> dict[str, Any]:
        """What the layer is made from."""
        return super().get_config() | {"vocabulary_size": self.vocabulary_size}


@keras.saving.register_keras_serializable("toolkit")
class PointerMixture(keras.Layer):
    r"""Writes or copies: :math:`P_t(w) = g_t\, p_t(w) + (1 - g_t) \sum_{i: x_i = w} a_{ti}`.

    Takes the list of p ``(N, T, V)``, g ``(N, T, 1)``, a ``(N, T, S)`` and the source's ids x ``(N, S)``, each below
    V + K; returns P ``(N, T, V + K)``. Every row sums to 1 as those of p and a do.

    Args:
        copied_words: K, the places for unknown words.
        options: those of ``keras.Layer``.
    """

    def __init__(self, copied_words: int, **options: Any) -> None:
        super().__init__(**options)
        self.copied_words = copied_words
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Returns ``(N, T, V + K)``."""
        p, gate, weights, source = inputs
        N, T, V = ops.shape(p)
        size = V + self.copied_words
        # The weights of one word are added up, wherever it stands: a sum over segments, one for each word of each text.
        segments = ops.cast(source, "int32") + size * ops.arange(N, dtype="int32")[:, None]
        by_place = ops.reshape(ops.transpose((1 - gate) * weights, (0, 2, 1)), (-1, T))
        copied = ops.segment_sum(by_place, ops.reshape(segments, (-1,)), num_segments=N * size)
        copied = ops.transpose(ops.reshape(copied, (N, size, T)), (0, 2, 1))
        return ops.pad(gate * p, ((0, 0), (0, 0), (0, self.copied_words))) + copied

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        """``(N, T, V + K)``."""
        *shape, V = inputs[0].shape
        return keras.KerasTensor((*shape, V + self.copied_words), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """That of p: one row for each token to be written."""
        return previous_mask[0] if previous_mask is not None else None

    def get_config(self) -> dict[str, Any]:
        """What the layer is made from."""
        return super().get_config() | {"copied_words": self.copied_words}
