"""The equations of a class, kept as data: docs, lessons and the stepper read them from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Equations:
    r"""What a layer, loss or optimiser computes, in LaTeX.

    Attributes:
        forward: the equations of the forward pass (of an optimiser: of one update), in the order
            in which they are computed.
        backward: the equations of the backward pass; empty for optimisers and initialisers.
        symbols: each symbol with the space it lives in, e.g. ``{"x": r"\mathbb{R}^{N \times D}"}``.
        source: where the method was published, if it has one source.
    """

    forward: tuple[str, ...]
    backward: tuple[str, ...] = ()
    symbols: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def _repr_markdown_(self) -> str:
        parts = []
        for title, lines in (("Forward", self.forward), ("Backward", self.backward)):
            if lines:
                parts += [f"**{title}**", *(f"$$ {line} $$" for line in lines)]
        if self.symbols:
            parts.append(", ".join(rf"${symbol} \in {space}$" for symbol, space in self.symbols.items()))
        if self.source:
            parts.append(f"*{self.source}*")
        return "\n\n".join(parts)
