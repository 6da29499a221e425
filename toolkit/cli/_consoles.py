"""Where the commands write: results to standard output, all else to standard error."""

from __future__ import annotations

from rich.console import Console

out = Console()
err = Console(stderr=True)
