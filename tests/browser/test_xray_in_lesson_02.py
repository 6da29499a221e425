"""Lesson 02 itself in JupyterLab: run all, step, scrub, change the sample; numbers are the trace's, in both themes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from playwright.sync_api import expect

# Behind the lesson's widget: what its trace holds, digit for digit. The browser gets float32.
TELL = """
import json
print("TRACE", json.dumps([
    {"phase": step.phase, "layer": step.layer, "tensors": {
        name: [tensor.role, len(tensor.shape), tensor.value.astype("float32").tolist()]
        for name, tensor in step.tensors.items()
    }} for step in t.steps
]))
"""


def told(page) -> list[dict]:
    text = page.locator(".jp-OutputArea-output pre", has_text="TRACE").inner_text()
    return json.loads(text.removeprefix("TRACE"))


def matrix_of(tensor, sample):
    """What is to be seen of a tensor, and whether it has a row for each of the four samples."""
    role, axes, value = tensor
    value = np.array(value)
    of_sample = axes > 0 and len(value) == 4 and role not in ("parameter", "state")
    return value[sample] if of_sample else value


def test_step_scrub_and_change_the_sample(open_in_jupyterlab, fresh_copy, run_all, stepper):
    page = open_in_jupyterlab(fresh_copy("02", {"t.widget()": TELL}))
    run_all(page)
    steps = told(page)
    xray = stepper(page)
    assert [step["phase"] for step in steps].count("backward") == 2
    expect(xray.widget.locator(".count")).to_have_text(f"1 / {len(steps)}")

    def numbers_are_the_trace_s(number, sample):
        step = steps[number]
        xray.shows_step(number)
        expect(xray.widget.locator(".phase")).to_have_text(step["phase"])
        expect(xray.widget.locator(".layer")).to_have_text(step["layer"])
        for name, tensor in step["tensors"].items():
            shown = np.ravel(matrix_of(tensor, sample))
            xray.shows_number(name, float(shown[0]))
            np.testing.assert_allclose(xray.numbers(name), shown, rtol=6e-4, err_msg=f"step {number}, {name}")

    numbers_are_the_trace_s(0, sample=0)
    xray.step()
    numbers_are_the_trace_s(1, sample=0)
    for sample in (3, 1):
        xray.choose_sample(sample)
        numbers_are_the_trace_s(1, sample)
    for number in (5, 4, len(steps) - 1, 0):
        xray.scrub(number)
        numbers_are_the_trace_s(number, sample=1)

    papers = {}
    xray.scrub(5)
    numbers_are_the_trace_s(5, sample=1)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        if theme != "JupyterLab Light":  # in which it opens; to choose that again would race with the next choice
            page.get_by_role("menuitem", name="Settings", exact=True).click()
            for label in ("Theme", theme):
                page.locator(".lm-Menu-itemLabel").get_by_text(label, exact=True).click()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme, timeout=60_000)
        page.wait_for_timeout(500)
        papers[theme] = xray.widget.evaluate("e => getComputedStyle(e).backgroundColor + getComputedStyle(e).color")
        if folder := os.environ.get("TOOLKIT_SCREENSHOTS"):
            xray.widget.screenshot(path=str(Path(folder) / f"lesson_02_xray_{theme.split()[1].lower()}.png"))
    assert len(set(papers.values())) == 2, papers
