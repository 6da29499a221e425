"""JupyterLab as ``toolkit lab`` starts it, in a real browser."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from toolkit import lab, lessons

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("TOOLKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "for-this-test-only"
SECONDS = 1000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs Chromium, takes long and shares one worker with the lessons."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("lessons"))
            if CHROMIUM is None:
                reason = "needs Chromium (apt install chromium, or TOOLKIT_CHROMIUM)"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def fresh_copy(tmp_path) -> Callable[..., Path]:
    """Copies a lesson without outputs of an earlier run to be taken for this one's; with more code, if wanted.

    ``fresh_copy("02", {"t.widget()": "print(t)"})`` puts a cell behind the one whose source ends in ``t.widget()``.
    """

    def copied(number: str, behind: dict[str, str] | None = None) -> Path:
        (lesson,) = lessons.find([number], lessons.catalogue(ROOT))
        page = nbformat.read(lesson.notebook, as_version=4)
        for cell in list(page.cells):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            for ending, code in (behind or {}).items():
                if cell.source.endswith(ending):
                    page.cells.insert(page.cells.index(cell) + 1, nbformat.v4.new_code_cell(code))
        path = tmp_path / "notebooks" / lesson.notebook.name
        path.parent.mkdir()
        nbformat.write(page, path)
        return path

    return copied


@pytest.fixture
def open_in_jupyterlab(tmp_path) -> Iterator[Callable[[Path], Page]]:
    """Opens a notebook and returns its page, which is idle; server and browser end with the test."""
    with ExitStack() as stack:

        def opened(notebook: Path) -> Page:
            address = stack.enter_context(_server(notebook, tmp_path))
            return stack.enter_context(_page(address, notebook.stem))

        yield opened


@contextmanager
def _server(notebook: Path, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lesson = dataclasses.replace(lessons.catalogue(ROOT)[0], notebook=notebook)
    extra = [f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    line = lab.command(lesson, browser=False, port=port, extra=extra)
    # All cells stay in the document, so that none is missing because it is out of view.
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}', encoding="utf-8")
    variables = lessons.kernel.environment() | {
        "HOME": str(tmp_path),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "OPENBLAS_NUM_THREADS": "1",  # other tests are running beside this one
    }
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen(line, env=variables, stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert process.poll() is None, (tmp_path / "server.log").read_text()
            try:
                urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=1).close()
                break
            except OSError:
                time.sleep(0.25)
        yield f"{address}/lab/tree/{lesson.notebook.name}?token={TOKEN}"
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@contextmanager
def _page(address: str, name: str) -> Iterator[Page]:
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60 * SECONDS)
        page.goto(address)
        yield page
        if folder := os.environ.get("TOOLKIT_SCREENSHOTS"):
            page.screenshot(path=str(Path(folder) / f"{name}_in_jupyterlab.png"))
        browser.close()


@pytest.fixture
def idle() -> Callable[[Page], None]:
    """Waits until the start screen is gone and the kernel says Idle."""
    return _idle


def _idle(page: Page) -> None:
    expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=120 * SECONDS)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=120 * SECONDS)


@pytest.fixture
def run_all() -> Callable[[Page], None]:
    """Runs all cells, and fails where one of them does."""
    return _run_all


def _run_all(page: Page) -> None:
    _idle(page)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    errors = page.locator("[data-mime-type='application/vnd.jupyter.error']")
    # The last cell that has code to run has got its number.
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent);
            return prompts.length > 0 && prompts.every(text => /\\[\\d+\\]/.test(text));
        }""",
        timeout=180 * SECONDS,
    )
    _idle(page)
    assert errors.count() == 0, errors.first.inner_text()


@dataclasses.dataclass(frozen=True)
class Stepper:
    """The xray widget of a page, as a learner uses it."""

    page: Page

    @property
    def widget(self) -> Locator:
        return self.page.locator(".xray")

    def step(self) -> None:
        self.widget.locator(".next").click()

    def scrub(self, to: int) -> None:
        self.widget.locator(".scrub").evaluate(f"s => {{ s.value = {to}; s.dispatchEvent(new Event('input')); }}")

    def choose_sample(self, number: int) -> None:
        self.widget.locator(".sample").select_option(str(number))

    def shows_step(self, number: int) -> None:
        """Waits until it is there; steps are counted from 0 in Python, from 1 on the screen."""
        expect(self.widget.locator(".count")).to_contain_text(f"{number + 1} / ")

    def shows_number(self, name: str, first: float) -> None:
        """Waits until the first number of a tensor is ``first``: numbers come from Python, later than words."""
        self.page.wait_for_function(
            "([cell, first]) => Number(document.querySelector(cell)?.title) === first",
            arg=[f'.xray figure[data-name="{name}"] td', first],
        )

    def numbers(self, name: str) -> list[float]:
        """What stands in the cells of a tensor's matrix, row by row."""
        cells = self.widget.locator(f'figure[data-name="{name}"] td').all_inner_texts()
        return [float(cell.replace("−", "-")) for cell in cells]


@pytest.fixture
def stepper() -> Callable[[Page], Stepper]:
    """The xray widget of a page, to be stepped through."""
    return Stepper
