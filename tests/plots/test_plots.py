"""What holds for every picture."""

from __future__ import annotations

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest

from toolkit import plots

DRAW = {
    "curves": lambda ax: plots.curves({"a": [1, 2]}, ax=ax, title="T"),
    "matrix": lambda ax: plots.matrix([[1, 2]], ax=ax, title="T"),
    "images": lambda ax: plots.images(np.zeros((2, 4, 4)), ax=ax, title="T"),
    "network": lambda ax: plots.network([2, 1], ax=ax, title="T"),
}


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_draws_into_the_given_axes_or_a_new_figure(draw):
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert ax.get_title() == "T"
    new = draw(None)
    assert new.figure is not ax.figure
    new.figure.canvas.draw()


def test_importing_the_package_does_not_import_matplotlib(root):
    code = (
        "import sys, toolkit; assert 'matplotlib' not in sys.modules; "
        "toolkit.plots.curves; assert 'matplotlib' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
