"""The kit serves everything that its process has defined: here, what is meant for its tests."""

import pytest

from perdure.registry import REGISTRY

_OURS = ("tests.kit.", "tests.seeds.")
_OTHERS = ("tests.", "examples.")


def _is_others(code: str) -> bool:
    return code.startswith(_OTHERS) and not code.startswith(_OURS)


@pytest.fixture(autouse=True)
def without_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Definitions of other tests in the same run share names with each other."""
    ours = {
        code: definition for code, definition in REGISTRY._decorated.items() if not _is_others(code)
    }
    services = {}
    for name, service in REGISTRY.services.items():
        kept = {each: of for each, of in service.methods.items() if not _is_others(of.code)}
        if kept or not service.methods:
            services[name] = service
            monkeypatch.setattr(service, "_methods", kept)
    monkeypatch.setattr(REGISTRY, "_decorated", ours)
    monkeypatch.setattr(REGISTRY, "services", services)
    # What a test's runtime puts into `default` is in it for that test only.
    homes = {identity: dict(places) for identity, places in REGISTRY._homes.items()}
    monkeypatch.setattr(REGISTRY, "_homes", homes)
