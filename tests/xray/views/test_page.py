"""The page from disk in a real browser, with the network blocked: what it shows are the trace's numbers."""

from __future__ import annotations

import base64
import os
import shutil

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from toolkit.errors import DataError
from toolkit.xray.views._page import page, write_page
from toolkit.xray.views._payload import Payload
from toolkit.xray.views._table import text

CHROMIUM = os.environ.get("TOOLKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (apt install chromium, or TOOLKIT_CHROMIUM)"
)


@pytest.fixture
def browser_page(trace, tmp_path):
    path = write_page(trace, tmp_path / "page.html")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(offline=True, viewport={"width": 1100, "height": 900})
        opened = context.new_page()
        faults = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda message: message.type == "error" and faults.append(message.text))
        opened.on("request", lambda request: request.url.startswith("file:") or faults.append(request.url))
        opened.goto(path.as_uri())
        yield opened
        assert faults == []
        browser.close()


def shown(value):
    """A number as the page writes it."""
    return f"{value:#.4g}".replace("-", "−")


def numbers(opened, name):
    """The numbers in the table of a tensor."""
    cells = opened.locator(f'figure[data-name="{name}"] td')
    return [float(cell.replace("−", "-")) for cell in cells.all_inner_texts()]


@needs_chromium
@pytest.mark.browser
def test_step_scrub_sample_and_substeps_show_the_numbers_of_the_trace(browser_page, trace):
    opened = browser_page
    expect(opened.locator(".count")).to_have_text("1 / 5")
    opened.click(".next")
    expect(opened.locator(".count")).to_have_text("2 / 5")
    expect(opened.locator(".layer")).to_have_text("dense")
    tensors = trace.steps[1].tensors
    np.testing.assert_allclose(numbers(opened, "W"), tensors["W"].value.ravel(), rtol=6e-4)
    np.testing.assert_allclose(numbers(opened, "z"), tensors["z"].value[0], rtol=6e-4)

    opened.select_option(".sample", "2")
    expect(opened.locator('figure[data-name="z"] td').first).to_have_text(shown(tensors["z"].value[2, 0]))
    np.testing.assert_allclose(numbers(opened, "x"), tensors["x"].value[2], rtol=6e-4)

    opened.locator(".scrub").evaluate("s => { s.value = 3; s.dispatchEvent(new Event('input')); }")
    expect(opened.locator(".phase")).to_have_text("backward")
    np.testing.assert_allclose(numbers(opened, "dW"), trace.steps[3].tensors["dW"].value.ravel(), rtol=6e-4)

    opened.check(".open")
    expect(opened.locator(".count")).to_have_text("6 / 7")
    opened.locator(".xray").press("Home")
    for _ in range(2):
        opened.locator(".xray").press("ArrowRight")
    expect(opened.locator(".title")).to_have_text("product")
    np.testing.assert_allclose(numbers(opened, "p"), trace.steps[1].tensors["z"].value[2], rtol=6e-4)


@needs_chromium
@pytest.mark.browser
def test_keys_network_heat_map_and_play(browser_page, trace):
    opened = browser_page
    expect(opened.locator(".layer")).to_have_text("<conv>")
    canvas = opened.locator("canvas.matrix")
    assert "heat map of 12 × 12 numbers" in canvas.get_attribute("aria-label")
    canvas.press("ArrowRight")
    value = trace.steps[0].tensors["x"].value[0, 0, 1, 0]
    expect(opened.locator("figure output.partly")).to_have_text(f"[0, 1] = {shown(value)}")
    opened.locator(".chooser input").evaluate("s => { s.value = 2; s.dispatchEvent(new Event('change')); }")
    expect(opened.locator(".chooser output")).to_have_text("channel 2 of 3")

    opened.locator('[data-node="dense#0"]').press("Enter")
    expect(opened.locator(".count")).to_have_text("2 / 5")
    opened.locator(".xray").press("End")
    expect(opened.locator(".phase")).to_have_text("update")
    opened.click(".play")
    expect(opened.locator(".count")).to_have_text("2 / 5", timeout=5000)
    assert opened.locator(".play").get_attribute("aria-pressed") == "true"


def test_page_is_one_file_that_loads_nothing_and_escapes_names(trace):
    html = page(trace)
    assert "toy &lt;network&gt;" in html
    assert "<network>" not in html.replace("&lt;network&gt;", "")
    content = html.split('id="content">')[1].split("</script>")[0]
    assert "<" not in content
    assert not [
        word for word in ("http://", "https://", "src=", "import ") if word in html.replace("http://www.w3.org", "")
    ]


def test_page_keeps_to_its_size(trace):
    assert len(page(trace, most_bytes=75_000)) < 80_000 < len(page(trace)) + 60_000


def test_page_that_cannot_be_written_errors(trace, tmp_path):
    with pytest.raises(DataError, match="a place that can be written to"):
        write_page(trace, tmp_path / "nowhere" / "page.html")


def test_numbers_are_those_of_the_tensor(trace):
    payload = Payload(trace)
    payload.content(substeps=True)
    for k, tensor in enumerate(payload.tensors):
        sent = payload.numbers(k, [1], side=100, depth=100)
        values = np.frombuffer(base64.b64decode(sent["data"][0]), "<f4").reshape(sent["shape"])
        batch = tensor.axes[:1] == ("N",)
        np.testing.assert_array_equal(values, tensor.value[1] if batch else tensor.value)


def test_a_tensor_that_several_steps_show_is_sent_once(trace):
    payload = Payload(trace)
    content = payload.content(substeps=True)
    assert len({id(tensor.value) for tensor in payload.tensors}) == len(payload.tensors)
    assert len(content["formulas"]) == len(set(content["formulas"]))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_table_fits_its_width(trace, width):
    lines = text(trace, width).splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) >= len(trace.steps) + 3
    assert any("dense" in line and "backward" in line for line in lines)
