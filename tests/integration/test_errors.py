"""What goes wrong over real processes is a typed error, and the same server goes on.

Versions, garbage, limits of frames and second servers are tested beside the gRPC shells.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import perdure
from perdure import Client
from perdure_runtime.core.errors import (
    AlreadyExistsError,
    ExecutionCancelledError,
    ExecutionFailed,
    ExecutionTimedOut,
    InvalidArgumentError,
    InvalidTransitionError,
    LimitExceededError,
    NotFoundError,
    PerdureError,
    SerializationError,
)
from tests.integration.apps.faulty import MIB, sound
from tests.integration.blocks import check_gapless
from tests.integration.processes import started_coordinator
from tests.integration.workers import WorkerProcess, killed_at_the_end

APP = "tests.integration.apps.faulty"
PATIENCE_S = 30.0

pytestmark = pytest.mark.processes


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Client]:
    """A client of a coordinator with one worker."""
    async with (
        started_coordinator(folder, settings={"lease_ms": 1_000}) as coordinator,
        perdure.connect(coordinator.endpoint, ambient=False) as client,
    ):
        worker = WorkerProcess(coordinator.endpoint, APP, folder / "witness")
        async with killed_at_the_end(worker):
            await worker.start()
            yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """One server and one worker for the whole table."""
    async with site(tmp_path_factory.mktemp("errors")) as made:
        yield made


async def fails(client: Client, method: str, **options: Any) -> None:
    """Run a method of the service by name; raises how it ended."""
    handle = await client.start("faulty", method, **options)
    try:
        await handle.result(PATIENCE_S)
    finally:
        check_gapless([entry async for entry in handle.history()])


async def cancelled(client: Client) -> None:
    handle = await client.start("faulty", "sleepy")
    assert await handle.cancel("enough")
    await handle.result(PATIENCE_S)


async def retried(client: Client) -> None:
    handle = await client.start("faulty", "stubborn")
    try:
        await handle.result(PATIENCE_S)
    finally:
        entries = [entry async for entry in handle.history()]
        starts = [entry.time for entry in entries if entry.kind == "attempt_started"]
        ends = [entry.time for entry in entries if entry.kind == "attempt_ended"]
        waits = [(a - b).total_seconds() for a, b in zip(starts[1:], ends, strict=False)]
        assert 3 == len(starts)
        assert waits[0] >= 0.1
        assert waits[1] >= 0.3


async def taken(client: Client) -> None:
    await client.start(sound, 1, id="taken")
    await client.start(sound, 2, id="taken")


async def retried_too_late(client: Client) -> None:
    handle = await client.start(sound, 1)
    await handle.result(PATIENCE_S)
    await client.retry(handle.id)


Provocation = Callable[[Client], Awaitable[object]]

TABLE: dict[str, tuple[Provocation, type[PerdureError], str]] = {
    "cancel": (cancelled, ExecutionCancelledError, "enough"),
    "execution timeout": (
        lambda client: fails(client, "sleepy", timeout=0.2),
        ExecutionTimedOut,
        "",
    ),
    "attempt timeout": (lambda client: fails(client, "slow"), ExecutionTimedOut, ""),
    "call timeout": (lambda client: fails(client, "impatient"), ExecutionFailed, "CallTimeout"),
    "retries": (retried, ExecutionFailed, "ConnectionError"),
    "no retries": (lambda client: fails(client, "decided"), ExecutionFailed, "NonRetryableError"),
    "unknown service": (
        lambda client: fails(client, "misdirected"),
        ExecutionFailed,
        "ServiceUnavailableError",
    ),
    "unknown function": (
        lambda client: fails(client, "nothing"),
        ExecutionFailed,
        "MethodNotFoundError",
    ),
    "unknown method in a call": (
        lambda client: fails(client, "mistaken"),
        ExecutionFailed,
        "MethodNotFoundError",
    ),
    "oversized input": (
        lambda client: client.start("faulty", "sound", "x" * 5 * MIB),
        LimitExceededError,
        "",
    ),
    "oversized result": (
        lambda client: fails(client, "huge"),
        ExecutionFailed,
        "LimitExceededError",
    ),
    "unserializable input": (
        lambda client: client.start("faulty", "sound", object()),
        SerializationError,
        "",
    ),
    "unserializable result": (
        lambda client: fails(client, "opaque"),
        ExecutionFailed,
        "SerializationError",
    ),
    "empty id": (lambda client: client.start(sound, 1, id=""), InvalidArgumentError, ""),
    "long id": (lambda client: client.start(sound, 1, id="x" * 256), LimitExceededError, ""),
    "control characters": (
        lambda client: client.start(sound, 1, id="a\x00b"),
        InvalidArgumentError,
        "",
    ),
    "surrogates": (
        lambda client: client.start(sound, 1, id="\ud800"),
        InvalidArgumentError,
        "",
    ),
    "taken id": (taken, AlreadyExistsError, ""),
    "unknown id": (lambda client: client.get("nobody").describe(), NotFoundError, ""),
    "bad transition": (retried_too_late, InvalidTransitionError, ""),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", TABLE)
async def test_a_typed_error_and_the_server_goes_on(client: Client, name: str) -> None:
    provoke, expected, told = TABLE[name]
    with pytest.raises(expected) as caught:
        await provoke(client)
    assert expected is type(caught.value)
    said = f"{caught.value} {getattr(caught.value, 'type_name', '')}"
    assert told in said
    assert 42 == await (await client.start(sound, 21)).result(PATIENCE_S)
