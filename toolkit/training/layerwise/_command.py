"""What ``toolkit compare`` trains, and what it prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from toolkit import data
from toolkit.atomic_write import atomic_write
from toolkit.data import Dataset
from toolkit.errors import DataError, InvalidValueError, UnsupportedError
from toolkit.training.layerwise._comparison import Comparison

if TYPE_CHECKING:
    import pandas
    from rich.table import Table


def load_images(name: str) -> Dataset:
    """A set of labelled images, each a row of numbers in [0, 1].

    Raises:
        DataError: there is no such set, or it is not on this machine.
        UnsupportedError: texts, sequences or a series.
    """
    info = data.catalogue().get(name)
    if info is not None and info.kind != "images":
        images = ", ".join(key for key, other in data.catalogue().items() if other.kind == "images")
        raise UnsupportedError("toolkit compare", f"a set of images: {images}", f"{name!r}, which is {info.kind}")
    return data.load(name, flatten=True)


def builder(dataset: Dataset, units: int, depth: int, activation: str, learning_rate: float) -> Callable:
    """``build(seed, depth)`` for ``compare``: equal dense layers and a softmax over the classes.

    Raises:
        InvalidValueError: there is no such activation, or the learning rate is not above 0.
    """
    try:
        keras.activations.get(activation)
    except ValueError as error:
        expected = "a Keras activation such as relu, tanh or sigmoid"
        raise InvalidValueError("toolkit compare --activation", expected, repr(activation)) from error
    if not 0 < learning_rate < np.inf:
        raise InvalidValueError("toolkit compare --learning-rate", "a number above 0", repr(learning_rate))
    inputs, classes = dataset.x_train.shape[1], len(dataset.classes)
    start = "he_uniform" if activation == "relu" else "glorot_uniform"

    def build(seed: int, depth: int = depth) -> keras.Sequential:
        keras.utils.set_random_seed(seed)
        hidden = [
            keras.layers.Dense(units, activation, kernel_initializer=start, name=f"hidden_{k}")
            for k in range(1, depth + 1)
        ]
        output = keras.layers.Dense(classes, "softmax", name="probabilities")
        model = keras.Sequential([keras.Input((inputs,)), *hidden, output], name="mlp")
        model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return build


def numbers(option: str, text: str | None, kind: type) -> list:
    """The numbers of an option such as ``1,5,20``.

    Raises:
        InvalidValueError: it holds something else.
    """
    try:
        return [kind(part) for part in (text or "").split(",") if part.strip()]
    except ValueError as error:
        expected = f"{option} as numbers with commas between them, such as {'0.2,0.4' if kind is float else '2,8'}"
        raise InvalidValueError("toolkit compare", expected, repr(text)) from error


def tables(found: Comparison) -> list[tuple[str, pandas.DataFrame]]:
    """Title and content of each table that there is something to fill with."""
    seeds = len({run["seed"] for run in found.runs})
    result = [(f"Test accuracy, mean ± 95 % over {seeds} seeds; cost", found.table())]
    if len(found.methods) > 1 and seeds > 1:
        baseline = "end-to-end" if "end-to-end" in found.methods else found.methods[0]
        result.append((f"Accuracy minus that of {baseline}, by seed", found.differences(baseline=baseline)))
    result.append(("Each block", found.layers()))
    result += [(f"Accuracy over {name}", found.series(name)) for name in found.series_names]
    return result


def rich_table(title: str, frame: pandas.DataFrame) -> Table:
    """A data frame for the terminal, its index as the first columns."""
    from pandas.api.types import is_numeric_dtype
    from rich.table import Table
    from rich.text import Text

    table, levels, frame = Table(title=title, title_justify="left"), frame.index.nlevels, frame.reset_index()
    for name, values in frame.items():
        table.add_column(Text(str(name)), justify="right" if is_numeric_dtype(values) else "left")
    last = None
    for row in frame.itertuples(index=False):
        cells = [*map(_label, row[:levels]), *map(_cell, row[levels:])]
        table.add_row(*("" if k == 0 and cell == last else cell for k, cell in enumerate(cells)))
        last = cells[0]
    return table


def _label(value: object) -> str:
    """What a row is about: a method, a block, a number of labels (infinite: all), a share."""
    return str(value) if isinstance(value, str) else "all" if np.isinf(value) else f"{value:g}"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "–" if np.isnan(value) else f"{value:.4f}" if abs(value) < 1 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def check_targets(csv: Path | None, plot: Path | None) -> None:
    """Before minutes of training: whether what they give can be written.

    Raises:
        DataError: there is no such folder.
        InvalidValueError: pictures are not written in the format that the suffix of ``plot`` names.
    """
    for option, path in (("--csv", csv), ("--plot", plot)):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            raise DataError(f"toolkit compare {option}", "a file in a folder that exists", str(path))
    if plot is not None:
        _picture_format(plot)


def _picture_format(path: Path) -> str:
    """``svg`` for ``comparison.svg``; PNG without a suffix."""
    from matplotlib.backend_bases import FigureCanvasBase

    name, known = path.suffix[1:].lower() or "png", FigureCanvasBase.get_supported_filetypes()
    if name not in known:
        raise InvalidValueError("toolkit compare --plot", f"a suffix among {', '.join(sorted(known))}", repr(name))
    return name


def draw(found: Comparison, path: Path) -> None:
    """One figure of all that was measured, in the format that the suffix of ``path`` names; whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawings: Sequence[Callable] = [
        found.plot,
        *([lambda ax: found.plot_layers("linear probe", ax)] if "linear probe" in found.layers() else []),
        lambda ax: found.plot_layers("first gradient", ax),
        *(lambda ax, name=name: found.plot_series(name, ax) for name in found.series_names),
    ]
    rows = -(-len(drawings) // 2)
    figure, axes = plt.subplots(rows, 2, figsize=(13, 4 * rows), layout="constrained", squeeze=False)
    for k, ax in enumerate(axes.flat):
        drawings[k](ax=ax) if k < len(drawings) else ax.set_axis_off()
    with atomic_write(path, "toolkit compare --plot") as file:
        figure.savefig(file, format=_picture_format(path))
    plt.close(figure)
