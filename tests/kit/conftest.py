"""The kit serves everything that its process has defined: here, what is meant for its tests."""

import pytest

from perdure.registry import REGISTRY


@pytest.fixture(autouse=True)
def without_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions of other tests in the same run share names with each other."""
    ours = {
        code: definition
        for code, definition in REGISTRY._decorated.items()
        if not code.startswith(("tests.sdk.", "tests.unit.", "tests.integration."))
    }
    monkeypatch.setattr(REGISTRY, "_decorated", ours)
