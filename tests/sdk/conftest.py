"""The SDK suite runs on every backend, with bodies kept alive and with bodies replayed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sdk.backends import BACKENDS, Backend, opened

CACHES = {"cached": 10_000, "cached-1": 1, "uncached": 0}


@pytest.fixture(params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=CACHES)
def max_cached(request: pytest.FixtureRequest) -> int:
    return CACHES[request.param]


@pytest.fixture
async def backend(
    request: pytest.FixtureRequest, backend_name: str, max_cached: int, tmp_path: Path
) -> AsyncIterator[Backend]:
    """A running backend that serves the module's `SERVICES`."""
    services = request.module.SERVICES
    async with opened(backend_name, tmp_path, services, max_cached) as backend:
        yield backend
