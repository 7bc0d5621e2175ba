"""Fixtures of the tests with real processes."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from perdure.client.grpc_transport import GrpcTransport
from perdure_runtime.core.client import StartRequest
from perdure_runtime.core.entries import Target
from perdure_runtime.core.payload import Payload
from tests.integration.processes import CoordinatorProcess, started_coordinator

MakeRequest = Callable[..., StartRequest]


@pytest.fixture
async def coordinator(tmp_path: Path) -> AsyncIterator[CoordinatorProcess]:
    """A coordinator with quick leases' ends for broken streams."""
    async with started_coordinator(tmp_path, settings={"resume_ms": 200}) as process:
        yield process


@pytest.fixture
async def transport(coordinator: CoordinatorProcess) -> AsyncIterator[GrpcTransport]:
    """A client of it."""
    transport = GrpcTransport(coordinator.endpoint)
    yield transport
    await transport.close()


@pytest.fixture
def request_for() -> MakeRequest:
    """Makes start requests of the handler `greeter/hello`."""

    def make(id: str = "", data: bytes = b'"Ada"', **fields: Any) -> StartRequest:
        target = fields.pop("target", Target("greeter", "hello"))
        body = Payload(data, digest=data[:16].ljust(16, b"."))
        return StartRequest("default", uuid.uuid4().hex, id or uuid.uuid4().hex, target, body)

    return make
