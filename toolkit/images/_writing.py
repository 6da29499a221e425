"""Files that are whole or not there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path


def write_beside(path: Path, chunks: Iterable[bytes]) -> None:
    """Write into a new file in the same folder, then rename it: ``path`` holds the old content or all of the new.

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    partial = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with partial.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
