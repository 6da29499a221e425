"""A registry of exercises of the tests' own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from toolkit.classroom import Exercise, Verdict, _registry, check, register


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a test registers outlives it."""
    monkeypatch.setattr(_registry, "_registered", {})


@pytest.fixture
def verdict_on(registry: None) -> Callable[..., Verdict]:
    """Check an answer against a reference without giving the exercise a name."""

    def judge(answer: object, reference: object, **options: object) -> Verdict:
        _registry._registered.clear()
        given = reference if callable(reference) else (lambda: reference)
        register(Exercise(id="99.1", title="A title", reference=given, **options))
        return check("99.1", answer)

    return judge
