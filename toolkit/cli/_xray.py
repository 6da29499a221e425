"""``toolkit xray``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from toolkit.cli._consoles import err, out

XRAY_EXAMPLES = (
    "Examples: `toolkit xray model.keras --sample digits:0-7 --html page.html` · "
    "`toolkit xray model.keras --input x.npy --labels y.npy --loss mse` · "
    "`toolkit xray model.keras --input image=a.npy --input table=b.npy --labels y.npy`"
)


def xray(
    model: Annotated[Path, typer.Argument(metavar="MODEL.KERAS", help="A file of `model.save`.")],
    sample: Annotated[
        str | None, typer.Option(metavar="NAME:INDEX", help="Training samples of a data set: `digits:0`, `digits:0-7`.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="[NAME=]X.NPY", help="Samples from a file instead; once for each input."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(metavar="[NAME=]Y.NPY", help="Labels that belong to --input; once for each output."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="How many samples, from the first one on.")] = None,
    loss: Annotated[str | None, typer.Option(help="By its Keras name; as compiled by default.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="By its Keras name; as compiled by default.")] = None,
    training: Annotated[bool, typer.Option("--training", help="Layers work as in training.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Check every number against TensorFlow and Keras.")
    ] = True,
    html: Annotated[Path | None, typer.Option(metavar="PAGE.HTML", help="Also write a page to step through.")] = None,
) -> None:
    """Show one training step of a model: every layer forward and backward, the loss, the update.

    Then what looks wrong, with a remedy, and how exact the numbers are. The exit status is 1 if they are not.
    """
    with err.status("Importing TensorFlow takes a few seconds …") as status:
        from toolkit.xray import _command, trace

        status.update("Tracing …")
        network = _command.load_model(model)
        batch = _command.read_samples(network, sample, inputs or [], labels or [], samples, loss)
        # Without labels there is no loss, whatever the model was compiled with.
        told = trace(
            network,
            batch.x,
            batch.y,
            loss=loss if batch.y is not None else False,
            optimizer=optimizer,
            training=training,
        )
        page = told.to_html(html) if html is not None else None
    out.print(told)
    out.print(Text(f"Samples: {batch.told}"))
    out.print(told.diagnose())
    if page is not None:
        out.print(Text(f"✓ {page}", style="green"), soft_wrap=True)
    if verify:
        checked = told.verify()
        worst = f"; the largest error is {checked.worst.error:.1e}, {checked.worst.tensor}" if checked.worst else ""
        where = f" of {checked.worst.layer}" if checked.worst else ""
        out.print(Text(f"✓ {len(checked.rows)} tensors agree with TensorFlow and Keras{worst}{where}", style="green"))
