"""What holds for every picture."""

from __future__ import annotations

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from toolkit import plots
from toolkit.plots._style import COLOURS, text_colour, tint

DRAW = {
    "attention": lambda ax: plots.attention(np.eye(2), ["a", "b"], ax=ax, title="T"),
    "attention_text": lambda ax: plots.attention_text(["a", "b"], [0.25, 0.75], ax=ax, title="T"),
    "confusion_matrix": lambda ax: plots.confusion_matrix([0, 1, 1], [0, 1, 0], ax=ax, title="T"),
    "curves": lambda ax: plots.curves({"a": [1, 2]}, ax=ax, title="T"),
    "decision_regions": lambda ax: plots.decision_regions(lambda x: x[:, 0] > 0, np.eye(2), [1, 0], ax=ax, title="T"),
    "embedding": lambda ax: plots.embedding(np.eye(3), ["a", "b", "c"], ax=ax, title="T"),
    "feature_maps": lambda ax: plots.feature_maps(np.ones((4, 4, 3)), ax=ax, title="T"),
    "filters": lambda ax: plots.filters(np.ones((3, 3, 1, 4)), ax=ax, title="T"),
    "filters, many channels": lambda ax: plots.filters(np.ones((3, 3, 4, 4)), ax=ax, title="T"),
    "gates": lambda ax: plots.gates({"i": np.ones((3, 2))}, ax=ax, title="T"),
    "history": lambda ax: plots.history({"loss": [2, 1], "accuracy": [0, 1]}, ax=ax, title="T"),
    "images": lambda ax: plots.images(np.zeros((2, 4, 4)), ax=ax, title="T"),
    "matrix": lambda ax: plots.matrix([[1, 2]], ax=ax, title="T"),
    "network": lambda ax: plots.network([2, 1], ax=ax, title="T"),
    "sample_grid": lambda ax: plots.sample_grid(np.zeros((2, 3, 4, 4)), rows=["a", "b"], ax=ax, title="T"),
}


def test_every_picture_is_drawn_here():
    assert {name.split(",")[0] for name in DRAW} == set(plots.__all__)


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_draws_into_the_given_axes_or_a_new_figure(draw):
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert ax.get_title() == "T"
    new = draw(None)
    assert new.figure is not ax.figure
    new.figure.canvas.draw()
    assert new.figure.get_size_inches()[0] <= 8


def test_text_stands_out_from_its_background():
    """The contrast of WCAG 2 for small text, 4.5, on every tint and on every colour of a heat map."""
    blues = plt.get_cmap("Blues")(np.linspace(0, 1, 50))[:, :3]
    tints = [tint(colour, share) for colour in COLOURS[:2] for share in np.linspace(0, 1, 20)]
    for background in [*blues, *tints]:
        text, other = (1.0, luminance(background)) if text_colour(background) == "white" else (luminance(background), 0)
        assert (text + 0.05) / (other + 0.05) >= 4.5


def luminance(rgb):
    rgb = np.where(np.asarray(rgb) <= 0.04045, np.asarray(rgb) / 12.92, ((np.asarray(rgb) + 0.055) / 1.055) ** 2.4)
    return rgb @ [0.2126, 0.7152, 0.0722]


def test_importing_the_package_does_not_import_matplotlib(root):
    code = (
        "import sys, toolkit; assert 'matplotlib' not in sys.modules; "
        "toolkit.plots.curves; assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
