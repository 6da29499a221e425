"""Why some calls are not derived."""

from __future__ import annotations

from collections.abc import Sequence


class NotDerivedError(Exception):
    """Why a layer call has no derivation, in a few words; `derive` makes None out of it."""


def refuse_misplaced_sum(x: Sequence[int], w: Sequence[int]) -> None:
    """Raises where ``x + w``, arrays of these shapes, is not what Keras computes.

    On TensorFlow, ``keras.ops.add`` takes a ``w`` with one long axis for a bias and adds it along the last axis of
    ``x``, or else the second, if the length fits, wherever the long axis of ``w`` stands: (2, 2) + (2, 1) comes out as
    (2, 2) + (1, 2).
    """
    long = [(n, place - len(w)) for place, n in enumerate(w) if n > 1]
    if len(long) == 1 and len(x) > 1:
        n, place = long[0]
        taken = -1 if x[-1] == n else 1 - len(x) if x[1] == n else place
        if taken != place:
            raise NotDerivedError("a sum that Keras adds along another axis than NumPy")
