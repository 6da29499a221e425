"""What all pictures share: where they are drawn, colours, lines, markers, and how numbers and words are written."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.text import Text

# Okabe and Ito's colours, which people with a colour vision deficiency can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
MARKERS = "osD^vXP"


def axes(ax: Axes | None, width: float, height: float) -> Axes:
    """``ax`` itself, or the Axes of a new figure of ``width × height`` inches."""
    return ax if ax is not None else plt.subplots(figsize=(width, height), layout="constrained")[1]


def short(number: float) -> str:
    """Three significant digits with a true minus sign: ``−0.25``."""
    return f"{number:.3g}".replace("-", "−")


def tint(colour: str, share: np.ndarray | float) -> np.ndarray:
    """``colour`` mixed into white, as RGB ``(…, 3)``: 0 is white, 1 the colour itself."""
    share = np.asarray(share, dtype=float)[..., np.newaxis]
    return 1 - share * (1 - np.array(to_rgb(colour)))


def text_colour(background: Sequence[float]) -> str:
    """Black or white, whichever stands out more from an RGB ``background`` (contrast as in WCAG 2)."""
    rgb = np.asarray(background[:3], dtype=float)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    # The contrasts (L + 0.05) / 0.05 with black and 1.05 / (L + 0.05) with white are equal at L = 0.179.
    return "black" if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else "white"


def take_literally(texts: Sequence[Text]) -> None:
    """Words are no formulas: what stands between two dollar signs stays as it is."""
    for text in texts:
        text.set_parse_math(False)
