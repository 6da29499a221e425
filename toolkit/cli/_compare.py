"""``toolkit compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.text import Text

from toolkit.cli._consoles import err, out

COMPARE_EXAMPLES = (
    "Examples: `toolkit compare digits --seeds 5` · "
    "`toolkit compare mnist --epochs 5 --labels 10,100 --noise 0.2,0.4 --csv runs.csv --plot comparison.png`"
)


def compare(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Images, by a name from `toolkit data`.")
    ] = "digits",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each method; two or more give intervals.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="The budget, see --budget.")] = 20,
    budget: Annotated[
        Literal["updates", "steps"],
        typer.Option(help="`updates`: every weight learns for so many epochs; `steps`: all stages together do."),
    ] = "updates",
    methods: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME",
            help="Some of: end-to-end, greedy, greedy + fine-tuning, stacked autoencoders, forward-forward.",
        ),
    ] = None,
    units: Annotated[int, typer.Option(min=1, help="Of each hidden layer.")] = 64,
    depth: Annotated[int, typer.Option(min=1, help="Hidden layers.")] = 4,
    activation: Annotated[str, typer.Option(help="By its Keras name.")] = "relu",
    learning_rate: Annotated[float, typer.Option(help="Of Adam, above 0.")] = 1e-3,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 32,
    labels: Annotated[
        str | None, typer.Option(metavar="N,N", help="Also with so few labelled samples of each class.")
    ] = None,
    depths: Annotated[str | None, typer.Option(metavar="K,K", help="Also with so many hidden layers.")] = None,
    noise: Annotated[str | None, typer.Option(metavar="P,P", help="Also with shares of wrong labels.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="RUNS.CSV", help="Write every run.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FIGURE.PNG", help="Draw all that was measured.")] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep finished runs; the same command goes on behind them.")
    ] = None,
) -> None:
    """Learn one network end to end and in layers, from the same seeds and with the same budget.

    Prints accuracies with 95 % intervals over the seeds, seconds, memory, what follows for each method against
    end-to-end, and what each layer holds. The test set is used once a run, after its end.
    """
    with err.status("Importing TensorFlow takes a few seconds …"):
        from toolkit.training import layerwise
        from toolkit.training.layerwise import _command

        _command.check_targets(csv, plot)
        layerwise.count_memory()
        images = _command.load_images(dataset)
    found = layerwise.compare(
        _command.builder(images, units, depth, activation, learning_rate),
        images,
        seeds=seeds,
        epochs=epochs,
        batch_size=batch_size,
        budget=budget,
        methods=None if methods is None else [name.strip() for name in methods.split(",")],
        labels=_command.numbers("--labels", labels, int),
        depths=_command.numbers("--depths", depths, int),
        noise=_command.numbers("--noise", noise, float),
        folder=folder,
    )
    for title, frame in _command.tables(found):
        out.print(_command.rich_table(title, frame))
    if csv is not None:
        out.print(Text(f"✓ {found.to_csv(csv)}", style="green"), soft_wrap=True)
    if plot is not None:
        _command.draw(found, plot)
        out.print(Text(f"✓ {plot}", style="green"), soft_wrap=True)
