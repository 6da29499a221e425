"""The command ``toolkit``: thin, each command calls one part of the package and prints what came.

Parts are imported inside the commands, so that ``toolkit --help`` is there at once and no command
loads TensorFlow that does not need it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

import toolkit
from toolkit.cli._compare import COMPARE_EXAMPLES, compare
from toolkit.cli._consoles import err, out
from toolkit.cli._xray import XRAY_EXAMPLES, xray
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.doctor import Finding
    from toolkit.lessons import Lesson


class ReportingGroup(TyperGroup):
    """Shows an error that the toolkit raises on purpose as one panel, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Invoke the command; exit with 1 after a `ToolkitError`."""
        try:
            return super().invoke(ctx)
        except ToolkitError as error:
            if ctx.params.get("debug"):
                raise
            err.print(Panel(Text(str(error)), title="error", title_align="left", border_style="red"))
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Deep learning you can step through: lessons, data and checks of *Layer by Layer*.",
    epilog="Start with `toolkit lab`. If something does not work: `toolkit doctor`.",
)
lessons_app = typer.Typer(
    invoke_without_command=True,
    help="List, run, build and compare the lessons.",
    epilog="Examples: `toolkit lessons` · `toolkit lessons run 02 mlp` · `toolkit lessons build 2`",
)
data_app = typer.Typer(
    invoke_without_command=True,
    help="List the data sets, and fetch those that do not come with the installation.",
    epilog="Examples: `toolkit data` · `toolkit data fetch mnist` · `toolkit data fetch mnist --from ~/Downloads`",
)
app.add_typer(lessons_app, name="lessons")
app.add_typer(data_app, name="data")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Numbers or names: `2`, `02`, `backward`. None means all."),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Lessons at a time; the number of cores by default.")
]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds that one lesson may take.")]
Profile = Annotated[
    Literal["short", "full"],
    typer.Option("--profile", help="`full`: more data and epochs, in lessons that have a longer way; see `--timeout`."),
]
Pages = Annotated[
    Path | None, typer.Option("--pages", help="A folder in which the executed pages are kept, with their figures.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"Layer by Layer {toolkit.__version__}")
        raise typer.Exit()


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="TOOLKIT_DEBUG", help="Show the traceback of an error.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""


@app.command(epilog="Examples: `toolkit lab` · `toolkit lab --lesson 02` · `toolkit lab --no-browser -- --debug`")
def lab(
    extra: Annotated[
        list[str] | None, typer.Argument(metavar="[-- JUPYTER-OPTION]...", help="Passed on to `jupyter lab`.")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the web browser, or only print the address.")
    ] = True,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Jupyter chooses by default.")] = None,
    lesson: Annotated[str | None, typer.Option(help="Which lesson to open; the first by default.")] = None,
) -> None:
    """Open JupyterLab on the lessons.

    It listens on this machine only (127.0.0.1), and notebooks run in this environment's own Python.
    """
    from toolkit import lab as jupyter

    opened = jupyter.lesson_to_open(lesson)
    raise typer.Exit(jupyter.start(opened, browser=browser, port=port, extra=extra or ()))


@lessons_app.callback()
def lessons(ctx: typer.Context) -> None:
    """List, run, build and compare the lessons; alone: list them with goals and prerequisites."""
    if ctx.invoked_subcommand is None:
        from toolkit.lessons import catalogue, tables

        out.print(tables.listing(catalogue()))


@lessons_app.command(
    "run",
    epilog="Examples: `toolkit lessons run` · `toolkit lessons run 02 mlp --jobs 1` · "
    "`toolkit lessons run 12 --profile full --timeout 900 --pages full`",
)
def lessons_run(
    names: Names = None, jobs: Jobs = None, timeout: Timeout = 60.0, profile: Profile = "short", pages: Pages = None
) -> None:
    """Execute lessons with their solutions, each in a kernel of its own.

    Nothing is written, unless `--pages` asks for it. The exit status is 1 if a lesson fails, a check is
    not right, or one takes longer than the timeout (it is stopped after three times as long).
    """
    from toolkit.lessons import run_all, tables

    chosen = _chosen(names)
    with _progress("Running", chosen) as (begun, done):
        results = run_all(
            chosen,
            jobs=jobs,
            time_limit=timeout,
            profile=profile,
            pages=pages,
            on_start=begun,
            on_result=lambda result: done(result.lesson, result.verdict),
        )
    out.print(tables.results(results))
    for result in results:
        if (panel := tables.failure(result)) is not None:
            err.print(panel)
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@lessons_app.command("build", epilog="Examples: `toolkit lessons build` · `toolkit lessons build 02`")
def lessons_build(names: Names = None, jobs: Jobs = None, timeout: Timeout = 60.0) -> None:
    """Write the learners' pages `notebooks/NN_*.ipynb` from `notebooks/src/NN_*.py`, executed.

    A lesson that fails leaves its old page as it was; the others are built all the same.
    """
    from toolkit.lessons import build_all

    chosen = _chosen(names)
    with _progress("Building", chosen) as (begun, done):
        pages = build_all(
            chosen,
            jobs=jobs,
            time_limit=timeout,
            on_start=begun,
            on_result=lambda page: done(page.lesson, "failed" if page.error else "built"),
        )
    for page in pages:
        if page.error is None:
            size = page.lesson.notebook.stat().st_size
            out.print(Text(f"✓ {page.lesson.notebook.name}, {size / 1000:.0f} KB", style="green"))
    failed = [page for page in pages if page.error is not None]
    for page in failed:
        err.print(Panel(Text(str(page.error)), title="not built", title_align="left", border_style="red"))
    if failed:
        raise typer.Exit(1)


@lessons_app.command("check")
def lessons_check(names: Names = None) -> None:
    """Compare the committed pages with their sources; nothing is executed."""
    from toolkit.lessons import differences

    clean = True
    for lesson in _chosen(names):
        found = differences(lesson)
        clean = clean and not found
        for line in found:
            err.print(Text(f"✗ {lesson.name}: {line}", style="red"))
        if not found:
            out.print(Text(f"✓ {lesson.name}", style="green"))
    if not clean:
        err.print("`toolkit lessons build` writes the pages anew.")
        raise typer.Exit(1)


@data_app.callback()
def data(ctx: typer.Context) -> None:
    """List the data sets and fetch them; alone: which there are and where they lie."""
    if ctx.invoked_subcommand is not None:
        return
    from toolkit import data as datasets

    table = Table(caption=f"cache: {datasets.cache_dir()}", caption_justify="left")
    for heading in ("Name", "Title", "State", "MB", "Note"):
        table.add_column(heading, justify="right" if heading == "MB" else "left")
    kind = None
    for name, info in datasets.catalogue().items():
        if info.kind != kind:
            kind = info.kind
            table.add_section()
            table.add_row(Text(kind, style="bold"))
        status = datasets.status(name)
        note = status.note or (f"toolkit data fetch {name}" if status.state in ("missing", "damaged") else "")
        style = {"missing": "yellow", "damaged": "red"}.get(status.state, "green")
        megabytes = (status.size_bytes or info.size_bytes) / 1e6
        size = f"{megabytes:.1f}" if megabytes >= 0.05 else "< 0.1" if megabytes else "–"
        table.add_row(name, Text(info.title), Text(status.state, style=style), size, Text(note))
    out.print(table)


@data_app.command(
    "fetch",
    epilog="Examples: `toolkit data fetch mnist` · `toolkit data fetch mnist --from ~/Downloads`",
)
def data_fetch(
    name: Annotated[str, typer.Argument(help="A name from `toolkit data`.")],
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="Take the files from here, not from the web.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch even what is there already.")] = False,
) -> None:
    """Store a data set in the cache, verified by its checksum."""
    from toolkit import data as datasets

    for path in datasets.fetch(name, source=source, force=force):
        out.print(Text(f"✓ {path}", style="green"), soft_wrap=True)


@app.command(epilog="Examples: `toolkit doctor` · `toolkit doctor --json`")
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the installation; each line says what is wrong and how to mend it.

    The exit status is 1 if a line says *fail*. Warnings do not count.
    """
    from toolkit.doctor import examine

    with err.status("Examining; importing TensorFlow takes a few seconds …"):
        findings = examine()
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        out.print(_findings_table(findings))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)


app.command(epilog=XRAY_EXAMPLES)(xray)
app.command(epilog=COMPARE_EXAMPLES)(compare)


def _findings_table(findings: list[Finding]) -> Table:
    signs = {"ok": Text("✓ ok", "green"), "warn": Text("! warn", "yellow"), "fail": Text("✗ fail", "red")}
    table = Table(show_header=False, show_lines=False)
    for finding in findings:
        text = Text(finding.detail)
        if finding.remedy:
            text.append(f"\n→ {finding.remedy}", style="bold")
        table.add_row(signs[finding.state], finding.subject, text)
    return table


def _chosen(names: list[str] | None) -> list[Lesson]:
    from toolkit.lessons import catalogue, find

    return find(names or [], catalogue())


Callbacks = tuple[Callable[["Lesson"], None], Callable[["Lesson", str], None]]


@contextlib.contextmanager
def _progress(doing: str, lessons: list[Lesson]) -> Iterator[Callbacks]:
    """Show how far the lessons are, on standard error.

    Gives two functions: to call when a lesson begins, and when it is done with what came of it.
    """
    under_way: list[str] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress:
        task = progress.add_task(doing, total=len(lessons))

        def begun(lesson: Lesson) -> None:
            under_way.append(lesson.number)
            progress.update(task, description=f"{doing} {', '.join(under_way)}")

        def done(lesson: Lesson, outcome: str) -> None:
            under_way.remove(lesson.number)
            progress.update(task, advance=1, description=f"{doing} {', '.join(under_way)}")
            if not err.is_terminal:  # a log shows no bar: say it in lines
                err.print(Text(f"{lesson.name}: {outcome}"))

        yield begun, done
