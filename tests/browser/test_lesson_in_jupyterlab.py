"""A learner opens JupyterLab, runs a lesson and moves a slider: the number and the picture beside it change."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from toolkit import lab, lessons

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("TOOLKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "for-this-test-only"
SECONDS = 1000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("lessons"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (apt install chromium, or TOOLKIT_CHROMIUM)"),
]


@pytest.fixture
def notebooks(tmp_path) -> Path:
    """A fresh copy of the pages, without outputs of an earlier run to be taken for this one's."""
    import nbformat

    folder = tmp_path / "notebooks"
    folder.mkdir()
    for lesson in lessons.catalogue(ROOT)[:1]:
        page = nbformat.read(lesson.notebook, as_version=4)
        for cell in page.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(page, folder / lesson.notebook.name)
    return folder


@pytest.fixture
def server(notebooks, tmp_path):
    """JupyterLab as `toolkit lab` starts it, but for the folder, the port and the token; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lesson = lessons.catalogue(ROOT)[0]
    lesson = dataclasses.replace(lesson, notebook=notebooks / lesson.notebook.name)
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


@pytest.fixture
def page(server, tmp_path):
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    options += ["--disable-component-update", "--disable-sync", "--no-first-run"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(60 * SECONDS)
        page.goto(server)
        yield page
        if folder := os.environ.get("TOOLKIT_SCREENSHOTS"):
            page.screenshot(path=str(Path(folder) / "lesson_in_jupyterlab.png"))
        browser.close()


def idle(page: Page) -> None:
    """Waits until the start screen is gone and the kernel says Idle."""
    expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=120 * SECONDS)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle", timeout=120 * SECONDS)


def run_all(page: Page) -> None:
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    errors = page.locator("[data-mime-type='application/vnd.jupyter.error']")
    # The last cell that has code to run has got its number.
    page.wait_for_function(
        """() => {
            const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent);
            return prompts.length > 5 && prompts.every(text => /\\[\\d+\\]/.test(text));
        }""",
        timeout=180 * SECONDS,
    )
    idle(page)
    assert errors.count() == 0, errors.first.inner_text()


def shown(experiment) -> tuple[str, str]:
    """The number and the picture that are bound to the sliders."""
    text = experiment.locator(".jp-OutputArea-output pre").first.inner_text()
    picture = experiment.locator(".jp-OutputArea-output img").first.get_attribute("src")
    return text, picture


def test_run_all_and_move_a_slider(page):
    idle(page)
    run_all(page)
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0

    slider = page.locator(".widget-slider", has_text="noise").locator(".noUi-handle")
    slider.scroll_into_view_if_needed()
    experiment = page.locator(".widget-vbox", has=page.locator(".widget-slider", has_text="noise")).first
    expect(experiment.locator("img").first).to_be_visible()
    number, picture = shown(experiment)
    assert re.search(r"= 0\.\d+|= 1\.\d+", number), number

    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "([element, before]) => element.querySelector('.jp-OutputArea-output pre')?.innerText !== before",
        arg=[experiment.element_handle(), number],
    )
    idle(page)
    page.wait_for_timeout(1 * SECONDS)
    new_number, new_picture = shown(experiment)
    assert new_number != number
    assert new_picture != picture
