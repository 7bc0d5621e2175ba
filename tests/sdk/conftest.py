"""The SDK suite runs on every backend, with bodies kept alive and with bodies replayed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.sdk.backends import BACKENDS, Backend, opened

CACHES = {"cached": 10_000, "cached-1": 1, "uncached": 0}


@pytest.fixture(scope="session")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a real coordinator process that all tests share."""
    database = tmp_path_factory.mktemp("coordinator") / "perdure.db"
    command = [sys.executable, "-m", "perdure", "server", "--db", str(database), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = re.search(r"listening on ([\w.]+:\d+)", process.stdout.readline())
        assert ready is not None
        yield f"http://{ready[1]}"
        process.terminate()


@pytest.fixture(params=BACKENDS)
def endpoint(request: pytest.FixtureRequest) -> str | None:
    if request.param == "embedded":
        return None
    shared: str = request.getfixturevalue("coordinator")
    return shared


@pytest.fixture(params=CACHES)
def max_cached(request: pytest.FixtureRequest) -> int:
    return CACHES[request.param]


@pytest.fixture
async def backend(
    request: pytest.FixtureRequest, endpoint: str | None, max_cached: int, tmp_path: Path
) -> AsyncIterator[Backend]:
    """A running backend that serves the module's `SERVICES`."""
    services = request.module.SERVICES
    async with opened(endpoint, tmp_path, services, max_cached) as backend:
        yield backend
