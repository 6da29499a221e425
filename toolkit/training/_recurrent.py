r"""The LSTM over a whole sequence as one operation.

Keras computes an LSTM on the CPU as a loop of some twenty small operations a time step, and as many again in the
backward pass. TensorFlow also has the whole sequence as one operation with a gradient of its own, ``BlockLSTM``:

.. math:: (i, f, g, o)_t = x_t W + h_{t-1} R + b, \quad
          c_t = \sigma(f_t) \odot c_{t-1} + \sigma(i_t) \odot \tanh(g_t), \quad h_t = \sigma(o_t) \odot \tanh(c_t)

It computes the same numbers to rounding and knows nothing of masks, but a mask only says which steps to leave out. So
the steps that count are moved to the front, and the state at step ``t`` is the one after as many of them as the mask
has let through by then. What comes behind is never computed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import partial

import keras
import tensorflow as tf


def fusible(layer: keras.Layer) -> bool:
    """Whether ``layer`` is an LSTM that ``BlockLSTM`` computes on this machine."""
    return (
        type(layer) is keras.layers.LSTM
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and not layer.recurrent_dropout
        and not layer.unroll
        and layer.cell.dtype_policy.name == "float32"
        and not tf.config.list_physical_devices("GPU")  # where Keras has cuDNN
    )


@contextlib.contextmanager
def fused(layers: Iterable[keras.Layer]) -> Iterator[None]:
    """While it is open, these LSTM layers trace as one operation; afterwards they are as before."""
    chosen = [layer for layer in layers if "inner_loop" not in vars(layer)]
    try:
        for layer in chosen:
            vars(layer)["inner_loop"] = partial(_inner_loop, layer)
        yield
    finally:
        for layer in chosen:
            del vars(layer)["inner_loop"]


def _inner_loop(
    layer: keras.layers.LSTM,
    sequences: tf.Tensor,
    initial_state: list[tf.Tensor],
    mask: tf.Tensor | None,
    training: bool = False,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """``keras.layers.LSTM.inner_loop``: x (N, T, D) → last output (N, M), outputs (N, T, M), states [h, c]."""
    x, (h0, c0) = sequences, initial_state
    mask = keras.tree.flatten(mask)[0] if mask is not None else None
    if training and layer.dropout:
        x *= layer.cell.get_dropout_mask(x[:, 0])[:, tf.newaxis]
    if layer.go_backwards:
        x = tf.reverse(x, [1])
        mask = tf.reverse(mask, [1]) if mask is not None else None
    if mask is None:
        h, c = _block_lstm(layer.cell, x, h0, c0, tf.shape(x)[1])
        return h[:, -1], h, [h[:, -1], c[:, -1]]
    counts = tf.cast(mask, tf.int32)
    seen = tf.cumsum(counts, axis=1)  # (N, T): steps that counted so far
    front = tf.argsort(counts, axis=1, direction="DESCENDING", stable=True)
    h, c = _block_lstm(layer.cell, tf.gather(x, front, batch_dims=1), h0, c0, tf.reduce_max(seen))
    # Before the first step that counts, Keras's output is zero and its state the initial one.
    outputs = tf.gather(_preceded(tf.zeros_like(h0), h), seen, batch_dims=1)
    if layer.zero_output_for_mask:  # as in a Bidirectional layer
        outputs = tf.where(mask[:, :, tf.newaxis], outputs, 0.0)
    states = [tf.gather(_preceded(s0, s), seen[:, -1], batch_dims=1) for s0, s in ((h0, h), (c0, c))]
    return outputs[:, -1], outputs, states


def _preceded(first: tf.Tensor, rest: tf.Tensor) -> tf.Tensor:
    """(N, M) and (N, T, M) → (N, 1 + T, M)."""
    return tf.concat([first[:, tf.newaxis], rest], axis=1)


def _block_lstm(
    cell: keras.Layer, x: tf.Tensor, h0: tf.Tensor, c0: tf.Tensor, steps: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """States h and c (N, T, M) of the first ``steps`` time steps, zero afterwards."""
    b = cell.bias if cell.use_bias else tf.zeros(4 * cell.units)
    peephole = tf.zeros(cell.units)  # which Keras's LSTM does not have
    _, c, _, _, _, _, h = tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(steps, tf.int64),
        x=tf.transpose(x, [1, 0, 2]),
        cs_prev=c0,
        h_prev=h0,
        w=_reordered(tf.concat([cell.kernel, cell.recurrent_kernel], axis=0)),
        b=_reordered(tf.convert_to_tensor(b)),
        wci=peephole,
        wcf=peephole,
        wco=peephole,
        forget_bias=0.0,
        cell_clip=-1.0,
        use_peephole=False,
    )
    return tf.transpose(h, [1, 0, 2]), tf.transpose(c, [1, 0, 2])


def _reordered(w: tf.Tensor) -> tf.Tensor:
    """The gates' columns from Keras's order i, f, g, o to i, g, f, o."""
    # BlockLSTMV2 takes Keras's order, but TensorFlow registers the gradient of the other order for it.
    i, f, g, o = tf.split(w, 4, axis=-1)
    return tf.concat([i, g, f, o], axis=-1)
