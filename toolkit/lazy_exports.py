"""Names that a package loads at first use (PEP 562), so that importing the package itself stays light."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_exports(
    package: str, homes: Mapping[str, str | None], names: Sequence[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of a package.

        __getattr__, __dir__ = lazy_exports(__name__, {"load": "_load", "layerwise": None}, __all__)

    Args:
        package: its ``__name__``.
        homes: name → the module of the package that it is taken from; None where it is a module itself.
        names: all that the package exports, for ``dir`` and for the error.

    Returns:
        ``__getattr__``, which raises AttributeError for a name without a home, and ``__dir__``.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(names)}")
        home = homes[name]
        module = importlib.import_module(f"{package}.{home or name}")
        return module if home is None else getattr(module, name)

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *names})

    return get, listed
