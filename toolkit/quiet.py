"""Imports TensorFlow without the log lines that its compiled libraries print to standard error.

What TensorFlow 2.21 prints on a processor-only machine, and what stops it (measured; the
variable's documentation promises more):

- ``I0000 … cpu_feature_guard.cc`` and ``E0000 … cuInit``, at the first operation:
  ``TF_CPP_MIN_LOG_LEVEL=3`` stops them.
- ``WARNING: All log messages before absl::InitializeLog() …``, ``I0000 … port.cc`` (oneDNN) and
  ``I0000 … cudart_stub.cc``, while the libraries load: no environment variable stops these. They are
  written to file descriptor 2 from C++, below Python's ``sys.stderr`` and below ``warnings``.

So the descriptor itself is caught for as long as ``import tensorflow`` runs. Everything caught that
is not one of TensorFlow's log lines is printed afterwards; if the import fails, all of it is.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_NOISE = re.compile(r"^(?:[IWE]\d{4} |WARNING: All log messages before absl::InitializeLog)")


def silence_tensorflow() -> None:
    """Make the next ``import tensorflow`` (or ``import keras``) in this process print no log lines.

    Costs nothing by itself: TensorFlow is not imported here. Calling it again, or after TensorFlow
    is loaded, does nothing. Whoever sets ``TF_CPP_MIN_LOG_LEVEL=0`` wants to see the log: then
    everything stays as TensorFlow has it.
    """
    if os.environ.setdefault(_LOG_LEVEL, "3") == "0" or "tensorflow" in sys.modules:
        return
    if not any(isinstance(finder, _TensorFlowFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TensorFlowFinder())


class _TensorFlowFinder:
    """Import hook: finds TensorFlow as usual, and wraps its loader in `_QuietLoader`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)  # once; also keeps find_spec below from coming back here
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader:
    """Loads a module with file descriptor 2 caught; everything else is left to the real loader."""

    def __init__(self, loader: object) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> object:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        with _descriptor_2_caught():
            self._loader.exec_module(module)


@contextlib.contextmanager
def _descriptor_2_caught() -> Iterator[None]:
    """Catch what is written to file descriptor 2; let through what is not TensorFlow's log."""
    try:
        original = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw: nothing to keep quiet
        yield
        return
    import tempfile  # here, because `import toolkit` is to stay light

    failed = True
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            os.dup2(original, 2)
            os.close(original)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines(keepends=True):
                if failed or not _NOISE.match(line):
                    os.write(2, line.encode())
