"""Draws ``read_an_xray.png`` of page 90: a step of its xray, with numbered places. Run it when the stepper looks new.

.venv/bin/python notebooks/pictures/read_an_xray.py
"""

import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from toolkit import data, models, xray

# Where each number stands: the element that it is about.
PLACES = (".network", ".controls", ".time", ".step h3", ".formula", ".with-numbers", ".spaces", ".tensors")
BADGES = """places => places.forEach((place, k) => {
  const badge = document.createElement("b"), at = document.querySelector(".xray " + place);
  badge.textContent = k + 1;
  badge.style = "position:absolute;left:-34px;top:0;width:24px;height:24px;border-radius:50%;background:#1a1a1a;color:#fff;"
    + "font:bold 15px/24px system-ui;text-align:center";
  at.style.position = "relative";
  at.style.overflow = "visible";
  at.append(badge);
}) || (document.querySelector(".xray").style.padding = "12px 16px 12px 46px")"""


def draw(path: Path) -> None:
    """The page of the lesson's own trace, on the way back through the last layer."""
    digits = data.load("mnist5k")
    model = models.image_classifier(filters=(4,), hidden=(6,), seed=0)
    x, y = digits.x_train[:8], digits.y_train[:8]
    t = xray.trace(model, x, y, loss="sparse_categorical_crossentropy", optimizer="adam")
    number = next(k for k, step in enumerate(t.steps) if step.phase == "backward")
    chromium = os.environ.get("TOOLKIT_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = t.to_html(Path(folder) / "page.html")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1140, "height": 900}, color_scheme="light")
        page.goto(page_file.as_uri())
        page.wait_for_function("window.xray.state.steps.length > 0")
        page.evaluate(f"window.xray.go({number})")
        page.wait_for_timeout(500)
        page.evaluate(BADGES, list(PLACES))
        page.locator(".xray").screenshot(path=str(path))
        browser.close()
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
