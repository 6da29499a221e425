"""Carries networks between Keras and ``toolkit.scratch``: structure and weights, both ways.

A network that has crossed the bridge computes the same: outputs, masks, loss, gradients, training steps. Whatever the
other side does not know (a layer, an activation, an option) is refused by name; nothing is left out silently.
Initialisers are not carried, since they have done their work; neither are loss, optimiser and its running averages.

    bridge.to_keras(network)    scratch.Sequential → keras.Sequential, scratch.Model → a functional keras.Model
    bridge.to_scratch(model)    and back; models inside a model are taken apart into their layers
"""

from toolkit.bridge._to_keras import to_keras
from toolkit.bridge._to_scratch import to_scratch

__all__ = ["to_keras", "to_scratch"]
