"""Draws ``end_to_end_and_layered.png`` of lesson 10: three blocks under one loss, and each under a loss of its own.

.venv/bin/python notebooks/pictures/end_to_end_and_layered.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from PIL import Image

BLOCK, HEAD, GRADIENT = "#cfe3f2", "#f7d9c4", "#D55E00"


def box(ax: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A word or symbol in a rounded box."""
    ax.text(x, y, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.45", "fc": colour}, size=14)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], **look: object) -> None:
    """Black for outputs on their way forward; ``**look`` for gradients."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", **look})


def chain(ax: Axes, title: str) -> None:
    """x and three blocks, with arrows."""
    ax.text(-1.9, 0, "$x$", ha="center", va="center", size=14)
    for k in range(3):
        arrow(ax, (2 * k - 1.6, 0), (2 * k - 0.45, 0))
        box(ax, 2 * k, 0, f"$f_{k + 1}$", BLOCK)
    ax.set(xlim=(-2.2, 6.9), ylim=(-1.5, 1.7), title=title)
    ax.axis("off")


def draw(path: Path) -> None:
    """Both, side by side."""
    pulls = {"color": GRADIENT, "lw": 2}
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.9), layout="constrained", dpi=110)
    chain(left, "end to end: one loss")
    arrow(left, (4.45, 0), (5.5, 0))
    box(left, 6.1, 0, "$g, L$", HEAD)
    arrow(left, (6.1, -0.8), (-0.1, -0.8), **pulls)
    left.text(3, -1.25, "gradient", ha="center", color=GRADIENT, size=12)
    chain(right, "layered: a loss for each block")
    for k in range(3):
        box(right, 2 * k, 1.15, f"$g_{k + 1}, L_{k + 1}$", HEAD)
        arrow(right, (2 * k, 0.8), (2 * k, 0.35), **pulls)
        if k < 2:
            right.plot([2 * k + 1] * 2, [-0.35, 0.35], color="grey", lw=1.2, ls=":")
    right.text(2, -1.25, "no gradient passes the dotted lines", ha="center", color="grey", size=12)
    figure.savefig(path)
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
