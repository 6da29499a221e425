"""The page from disk in a real browser, with the network blocked: what it shows are the trace's numbers."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
from contextlib import contextmanager

import keras
import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from toolkit import xray
from toolkit.errors import DataError, InvalidValueError
from toolkit.xray.views._page import page, write_page
from toolkit.xray.views._payload import Payload
from toolkit.xray.views._table import text

CHROMIUM = os.environ.get("TOOLKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs Chromium (apt install chromium, or TOOLKIT_CHROMIUM)"
)


@contextmanager
def opened_page(trace, folder):
    """The page in a browser without a network; ends with the browser, and fails where the page had a fault."""
    path = write_page(trace, folder / "page.html")
    assert [file.name for file in folder.iterdir()] == ["page.html"]
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


@pytest.fixture
def browser_page(trace, tmp_path):
    with opened_page(trace, tmp_path) as opened:
        yield opened


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
    packed = html.split('id="content">')[1].split("</script>")[0]
    assert "<" not in packed
    assert json.loads(gzip.decompress(base64.b64decode(packed)))["title"] == "toy <network>"
    assert not [
        word for word in ("http://", "https://", "src=", "import ") if word in html.replace("http://www.w3.org", "")
    ]


def test_page_keeps_to_its_size(trace):
    whole, least = len(page(trace)), len(page(trace, most_bytes=1))
    assert least < 0.9 * whole
    for limit in (whole, (whole + least) // 2):
        assert len(page(trace, most_bytes=limit)) <= limit


def test_page_that_cannot_be_written_errors(trace, tmp_path):
    with pytest.raises(DataError, match="a place that can be written to"):
        write_page(trace, tmp_path / "nowhere" / "page.html")


def test_numbers_are_those_of_the_tensor(trace):
    payload = Payload(trace)
    payload.content(substeps=True)
    for k, tensor in enumerate(payload.tensors):
        sent = payload.numbers(k, [1], side=100, cells=10_000)
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


@pytest.fixture(scope="module")
def recurrent():
    """A trace of two LSTMs over 20 steps."""
    keras.utils.set_random_seed(0)
    stack = [keras.layers.LSTM(12, return_sequences=True, name="below"), keras.layers.LSTM(8, name="above")]
    model = keras.Sequential([keras.Input((20, 5)), *stack, keras.layers.Dense(3, "softmax")])
    x = np.random.default_rng(0).normal(size=(4, 20, 5)).astype("float32")
    return xray.trace(model, x, [0, 1, 2, 0], loss="sparse_categorical_crossentropy")


def content_of(html):
    return json.loads(gzip.decompress(base64.b64decode(html.split('id="content">')[1].split("</script>")[0])))


def test_page_of_a_recurrent_model_keeps_to_its_size_by_fewer_samples_then_time_steps(recurrent):
    whole = page(recurrent)
    assert len(whole) < 3_000_000
    assert [step["times_left_out"] for step in content_of(whole)["steps"] if step["times"]] == [0] * 4
    small = page(recurrent, most_bytes=250_000)
    assert len(small) <= 250_000
    content = content_of(small)
    assert content["shown_samples"] < 4
    for step in content["steps"]:
        times = {child["time"] for child in step["substeps"]} - {None}
        assert times == set(step["times"])
        assert not times or len(times) + step["times_left_out"] == 20


def test_widget_sends_the_sub_steps_of_one_time_step(recurrent):
    payload = Payload(recurrent)
    assert not payload.content(substeps=False)["steps"][0]["times"]
    sent = payload.opened(0, 3)
    assert [*sent["times"]] == [*range(1, 21)]
    assert {step["time"] for step in sent["steps"]} == {None, 3}
    assert sum(step["time"] == 3 for step in sent["steps"]) == 11
    assert {step["time"] for step in payload.opened(0, 99)["steps"]} == {None, 20}


def test_printed_step_shows_its_formula_tensors_and_one_time_step_at_a_time(recurrent):
    step = recurrent.steps[0]
    lines = str(step).splitlines()
    assert lines[0] == "forward, below (LSTM): output"
    assert "  i_t = σ(x_t W_i + h_(t-1) U_i + b_i)" in lines
    assert any("W by gates" in line for line in lines)
    assert not any("t = 3" in line for line in lines)
    assert lines[-1] == "t = 1 … 20: up to 11 sub-steps each; step.at(1) has those of t = 1."
    third = str(step.at(3))
    assert "c_3 = f_3 ⊙ c_2 + i_3 ⊙ g_3" in third
    assert "c_4" not in third
    backward = next(step for step in recurrent.steps if step.phase == "backward" and step.layer == "above")
    titles = [child.title for child in backward.at(20).substeps]
    assert "cell, t = 20" in titles
    assert "dx_20 adds up" in titles
    with pytest.raises(InvalidValueError, match="a time step from 1 to 20, received 21"):
        step.at(21)
    with pytest.raises(InvalidValueError, match="received Dense, whose sub-steps have none"):
        recurrent.steps[2].at(1)


@needs_chromium
@pytest.mark.browser
def test_time_step_is_chosen_and_the_gate_stays(recurrent, tmp_path):
    with opened_page(recurrent, tmp_path) as opened:
        opened.check(".open")
        for _ in range(6):
            opened.click(".next")
        expect(opened.locator(".title")).to_have_text("input gate, t = 1")
        chooser = opened.locator(".time-step")
        chooser.press("ArrowRight")
        chooser.press("ArrowRight")
        expect(opened.locator(".title")).to_have_text("input gate, t = 3")
        assert chooser.get_attribute("aria-valuetext") == "t = 3 of 20"
        gate = recurrent.steps[0].at(3).substeps[1].tensors["i_3"].value
        np.testing.assert_allclose(numbers(opened, "i_3"), gate[0], rtol=6e-4)
        sample = opened.locator(".sample")
        sample.focus()
        sample.press("ArrowDown")
        expect(opened.locator('figure[data-name="i_3"] td').first).to_have_text(shown(gate[1, 0]))
        opened.locator('[data-node^="dense"]').press("Enter")
        expect(chooser).to_be_hidden()


@needs_chromium
@pytest.mark.browser
def test_all_that_can_be_operated_has_a_name_and_a_place_among_the_keys(trace, tmp_path):
    with opened_page(trace, tmp_path) as opened:
        for control in opened.locator("button, input:visible, select, canvas, [role=button]").all():
            name = control.evaluate("c => c.getAttribute('aria-label') || c.labels?.[0]?.textContent || c.textContent")
            assert name.strip()
            assert control.evaluate("c => c.tabIndex") == 0
        assert opened.locator("svg").get_attribute("aria-label") == "the network"
        opened.locator(".xray").press("ArrowRight")
        expect(opened.locator(".live")).to_have_text("Step 2 of 5: forward, dense, Dense.")
