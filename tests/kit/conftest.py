"""The kit serves everything that its process has defined: here, what is meant for its tests."""

import pytest

from perdure.registry import REGISTRY

_OTHERS = (
    "tests.sdk.",
    "tests.crashpoints.",
    "tests.blocks.",
    "tests.unit.",
    "tests.integration.",
    "examples.",
)


@pytest.fixture(autouse=True)
def without_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions of other tests in the same run share names with each other."""
    ours = {
        code: definition
        for code, definition in REGISTRY._decorated.items()
        if not code.startswith(_OTHERS)
    }
    services = {
        name: service
        for name, service in REGISTRY.services.items()
        if name == "default"
        or not any(each.code.startswith("examples.") for each in service.methods.values())
    }
    monkeypatch.setattr(REGISTRY, "_decorated", ours)
    monkeypatch.setattr(REGISTRY, "services", services)
    # What a test's runtime puts into `default` is in it for that test only.
    homes = {identity: dict(places) for identity, places in REGISTRY._homes.items()}
    monkeypatch.setattr(REGISTRY, "_homes", homes)
