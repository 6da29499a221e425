"""One HTML file that steps through a trace: opens from disk, without a network, a server or a library."""

from __future__ import annotations

import base64
import gzip
import json
import os
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.atomic_write import atomic_write
from toolkit.xray.views._payload import Payload

if TYPE_CHECKING:
    from toolkit.xray._trace import Trace

_MOST_BYTES = 2_900_000
_MOST_TIMES = (64, 32, 16, 8, 4)
# (samples, numbers of each tensor): how much a page holds; the first choice that fits its size is taken.
_CHOICES = (
    *((8, 16384), (8, 8192), (4, 8192), (4, 4096), (2, 4096), (2, 2048), (2, 1024)),
    *((1, 2048), (1, 1024), (1, 512), (1, 256), (1, 64), (1, 16)),
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>body {{ margin: 0; padding: 12px; background: #fff; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #101214; }} }}
{style}</style>
</head>
<body>
<main id="xray"></main>
<noscript><p>To step, this page needs JavaScript; it loads nothing from elsewhere. The steps as a table:</p>{table}
</noscript>
<script type="text/plain" id="content">{content}</script>
<script type="module">{script}
const content = await unpacked(document.getElementById("content").textContent);
window.xray = mount(document.getElementById("xray"), content, pageSource(content));
</script>
</body>
</html>
"""


def write_page(trace: Trace, path: str | os.PathLike[str]) -> Path:
    """Writes the page to ``path``, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(path)
    with atomic_write(path, f"file {path.name!r}") as file:
        file.write(page(trace).encode())
    return path


def page(trace: Trace, *, most_bytes: int = _MOST_BYTES) -> str:
    """The page as text, of at most ``most_bytes`` where the numbers of one sample can be cut to that."""
    frame = _filled(trace, "")
    room = most_bytes - len(frame.encode())
    # Long loops over time have thousands of sub-steps; a page keeps fewer time steps before it keeps fewer numbers.
    for most_times in _MOST_TIMES:
        payload = Payload(trace, most_times=most_times)
        content = payload.content(substeps=True)
        described = len(_packed(content))
        if described < room // 2:
            break
    for samples, cells in _CHOICES:
        samples = min(samples, trace.samples)
        last = (samples, cells) == (1, _CHOICES[-1][1])
        if last or payload.size(samples, cells) < 1.5 * (room - described):  # where many are 0, more of them fit
            content |= {"shown_samples": samples, "numbers": payload.all_numbers(samples, cells)}
            packed = _packed(content)
            if last or len(packed) <= room:
                break
    return _filled(trace, packed)


def _filled(trace: Trace, packed: str) -> str:
    return _PAGE.format(
        title=escape(f"{trace.name}: xray"),
        style=_asset("xray.css"),
        script=_asset("xray.js"),
        content=packed,
        table=_static_table(trace),
    )


def _packed(content: dict[str, Any]) -> str:
    """As JSON, compressed, in base64: hundreds of formulas of time steps differ in their index alone."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode("ascii")


def _static_table(trace: Trace) -> str:
    rows = "".join(
        f"<tr><td>{escape(step.phase)}</td><td>{escape(step.layer)}</td><td>{escape(step.title)}</td>"
        f"<td>{escape(', '.join(f'{name} {tensor.shape}' for name, tensor in step.tensors.items()))}</td></tr>"
        for step in trace.steps
    )
    return f"<table><tr><th>phase</th><th>layer</th><th>step</th><th>tensors</th></tr>{rows}</table>"


def _asset(name: str) -> str:
    return files("toolkit.xray.views").joinpath(name).read_text(encoding="utf-8")
