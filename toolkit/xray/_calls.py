"""One call of one layer as it was seen in a training step: everything that goes in and comes out, as NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class LayerCall:
    """What capture hands to a derivation.

    Arrays keep the dtype that Keras computed with; they are shared and must not be written to.

    Attributes:
        layer: the layer itself, for its settings (of ``keras.ops`` in a functional model, the operation). Its variables
            have been put back to what they were before the step, so take the numbers from here.
        path: of the layer in the model, by the names on the way: ``"encoder/lstm"``. One layer has one path, that of
            its first call; the model's own is its name.
        index: which call of this layer it is, from 0; a shared layer has several.
        inputs: the tensors that the call got, in the order of its arguments, lists flattened, masks left out. Numbers
            of any type: token ids are integers. The same tensor given twice stands here twice.
        input_names: for each of ``inputs``, the argument that it belongs to: ``("sequences", "initial_state",
            "initial_state")``.
        arguments: every argument of the call by its name, defaults filled in, masks and ``training`` left out. Tensors
            are arrays, in the structure in which they came: ``{"sequences": x, "initial_state": [h, c]}``,
            ``{"query": x, …, "use_causal_mask": True}``.
        masks: what the call got for its ``mask`` or ``…_mask`` arguments, after Keras had filled them in from the
            masks of the inputs: an array, a list with None where there is no mask, or None. ``{}`` for a layer
            whose ``call`` takes no mask.
        outputs: the tensors that came back, flattened.
        output_masks: the mask that each output carries on, or None.
        training: whether the layer worked in training mode.
        weights: the layer's variables by the shortest name that is unique in the layer: ``"kernel"``, for the parts of
            MultiHeadAttention ``"query/kernel"``. As they were before the call: running averages too.
        variables: the variables themselves, by the same names.
        non_trainable: the names in ``weights`` that no gradient is taken of: running averages, frozen weights.
        updated: the running averages after the call, where the call changed them.
        seed: the state of the layer's seed generator before the call, ``(seed, counter)``; None where there is none.
        dy: the gradient of the loss with respect to each output, summed over all who use it; None where there is none.
            ``()`` in a trace without a loss.
        dx: the gradient with respect to each of ``inputs`` through this call alone; None where there is none.
        gradients: the gradient with respect to each trainable weight, by the names in ``weights``: the *total* over all
            calls of the layer, without what weight regularisers add. A weight that the loss does not depend on is left
            out.
        dlogits: the gradient that the loss sends past the output, straight to the numbers ``z`` before the softmax or
            sigmoid that this layer ends in, of the shape of its output; None as a rule. Keras computes a
            cross-entropy of such an output from ``z`` (``dz = (p - y) / N``), so the output's own ``dy`` has no part of
            it, and the gradient at ``z`` is ``dlogits`` plus what ``dy`` brings.
        calls: how many calls of this layer the step made.
        parts: the paths of the layers whose calls were seen inside this one; of a nested model, of a wrapper. Then
            ``weights`` holds what is left: the variables of none of the parts.
    """

    layer: keras.Operation
    path: str
    index: int
    inputs: tuple[np.ndarray, ...]
    input_names: tuple[str, ...]
    arguments: Mapping[str, Any]
    masks: Mapping[str, Any]
    outputs: tuple[np.ndarray, ...]
    output_masks: tuple[np.ndarray | None, ...]
    training: bool
    weights: Arrays
    variables: Mapping[str, keras.Variable] = field(default_factory=dict)
    non_trainable: frozenset[str] = frozenset()
    updated: Arrays = field(default_factory=dict)
    seed: np.ndarray | None = None
    dy: tuple[np.ndarray | None, ...] = ()
    dx: tuple[np.ndarray | None, ...] = ()
    gradients: Arrays = field(default_factory=dict)
    dlogits: np.ndarray | None = None
    calls: int = 1
    parts: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The class of the layer, ``"LSTM"``."""
        return type(self.layer).__name__

    @property
    def only_masks(self) -> bool:
        """Whether this is an operation by which Keras computes a mask: no layer, and only yes and no comes out."""
        layer = hasattr(self.layer, "get_weights")
        return not layer and bool(self.outputs) and all(y.dtype == bool for y in self.outputs)

    @property
    def mask(self) -> Any:
        """The ``mask`` argument that the layer got; None where it got none or takes none."""
        return self.masks.get("mask")
