"""What became of one image, stage by stage: as a table, and in a notebook with pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

_SHOWN = 112  # pixels of the longer side of a picture in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class Stage:
    """One stage: its name, the image after it, and what was done.

    Attributes:
        name: "decode", "colour", "resize", "augment" or "normalise".
        image: (H, W, C).
        note: what was done, in a few words.
    """

    name: str
    image: np.ndarray
    note: str

    @property
    def range(self) -> str:
        """The smallest and the largest value."""
        low, high = self.image.min(), self.image.max()
        return f"{low:.3f} … {high:.3f}" if self.image.dtype.kind == "f" else f"{int(low)} … {int(high)}"

    @property
    def columns(self) -> tuple[str, str, str, str, str]:
        """Name, shape, dtype, range and note."""
        return self.name, str(self.image.shape), str(self.image.dtype), self.range, self.note

    def __repr__(self) -> str:
        return "  ".join(self.columns)


@dataclass(frozen=True, eq=False, repr=False)
class Stages:
    """The stages of one image, in order; ``stages["resize"].image`` is the image after one of them.

    Attributes:
        name: the image's path, or what kind of thing it was.
        stages: from the decoded image to what the network receives.
    """

    name: str
    stages: tuple[Stage, ...]

    def __getitem__(self, key: str | int) -> Stage:
        if isinstance(key, str):
            names = [stage.name for stage in self.stages]
            if key not in names:
                raise KeyError(f"{key!r}; the stages are {', '.join(names)}")
            return self.stages[names.index(key)]
        return self.stages[key]

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __repr__(self) -> str:
        rows = [stage.columns for stage in self.stages]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([self.name, *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<td style="text-align:center;vertical-align:top;padding:0 0.8em"><b>{stage.name}</b><br>'
            f'<img alt="the image after {stage.name}" src="data:image/png;base64,{_picture(stage.image)}"><br>'
            f"{stage.image.shape} {stage.image.dtype}<br>{stage.range}<br>"
            f'<div style="max-width:15em;margin:auto">{html.escape(stage.note)}</div></td>'
            for stage in self.stages
        )
        return f"<table><caption>{html.escape(self.name)}</caption><tr>{cells}</tr></table>"


def _picture(image: np.ndarray) -> str:
    """A small PNG, base64. The channels are shown as if they were R, G, B, which tells BGR by its colours."""
    if image.dtype.kind in "bf":
        low, high = image.min(), image.max()
        # [0, 1] and [−1, 1] are shown by their scale, other floats from their darkest to their brightest value.
        low, high = next(((a, b) for a, b in ((0, 1), (-1, 1)) if a <= low and high <= b), (low, high))
        image = 255 * (image.astype(np.float64) - low) / ((high - low) or 1)
    elif image.dtype == np.uint16:
        image = image / 257
    image = np.clip(image, 0, 255).astype(np.uint8)
    factor = _SHOWN / max(image.shape[:2])
    size = tuple(max(1, round(factor * side)) for side in image.shape[1::-1])
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
    if image.ndim == 3 and image.shape[2] >= 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    elif image.ndim == 3:
        image = image[..., 0]
    return base64.b64encode(cv2.imencode(".png", np.ascontiguousarray(image))[1].tobytes()).decode()
