"""Waiting for what processes do: lines in a witness, counters of a coordinator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from perdure.client.grpc_transport import GrpcTransport
from tests.integration.apps.witness import Seen, seen

POLL_S = 0.02


async def until(condition: Callable[[], Awaitable[bool]], patience_s: float = 30.0) -> None:
    """Wait until something is so; TimeoutError if it never is."""
    async with asyncio.timeout(patience_s):
        while not await condition():
            await asyncio.sleep(POLL_S)


async def witnessed(path: Path, name: str, count: int = 1) -> list[Seen]:
    """Wait until so many bodies of a name have run; returns their lines."""

    async def there() -> bool:
        return len([line for line in seen(path) if line.name == name]) >= count

    await until(there)
    return [line for line in seen(path) if line.name == name]


async def stats_of(endpoint: str) -> dict[str, float]:
    """The counters of a coordinator."""
    transport = GrpcTransport(endpoint)
    try:
        return await transport.stats()
    finally:
        await transport.close()
