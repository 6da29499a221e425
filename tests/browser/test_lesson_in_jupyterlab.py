"""A learner opens JupyterLab, runs a lesson and moves a slider: the number and the picture beside it change."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def shown(experiment) -> tuple[str, str]:
    """The number and the picture that are bound to the sliders."""
    text = experiment.locator(".jp-OutputArea-output pre").first.inner_text()
    picture = experiment.locator(".jp-OutputArea-output img").first.get_attribute("src")
    return text, picture


def test_run_all_and_move_a_slider(open_in_jupyterlab, fresh_copy, run_all, idle):
    page = open_in_jupyterlab(fresh_copy("00"))
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
    page.wait_for_timeout(1000)
    new_number, new_picture = shown(experiment)
    assert new_number != number
    assert new_picture != picture
