"""Backends of the SDK suite: the same client calls against an embedded runtime, or over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import perdure
from perdure import Client, durable
from perdure.service import Service

BACKENDS = ["embedded", "grpc"]
PATIENCE_S = 30.0


class Backend:
    """A client, and shortcuts for what nearly every test does."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def run(self, function: Any, *args: Any, **options: Any) -> Any:
        """Start and await."""
        handle = await self.client.start(function, *args, **options)
        return await handle.result(PATIENCE_S)

    async def failure(self, function: Any, *args: Any, **options: Any) -> BaseException:
        """Start, and give what `result()` raises."""
        handle = await self.client.start(function, *args, **options)
        try:
            value = await handle.result(PATIENCE_S)
        except (perdure.PerdureError, TimeoutError) as error:
            return error
        raise AssertionError(f"it did not fail but gave {value!r}")

    async def kinds(self, id: str) -> list[str]:
        """Kinds of the journal's entries; checks that it has no gaps."""
        entries = [entry async for entry in self.client.get(id).history()]
        assert list(range(len(entries))) == [entry.index for entry in entries]
        return [entry.kind for entry in entries]

    async def until(self, id: str, kind: str) -> None:
        """Wait until the journal has an entry of this kind."""
        async with asyncio.timeout(PATIENCE_S):
            async for entry in self.client.get(id).history(follow=True):
                if entry.kind == kind:
                    return
        raise AssertionError(f"{id} ended without {kind}")


@asynccontextmanager
async def opened(
    endpoint: str | None, directory: Path, services: Sequence[Service], max_cached: int
) -> AsyncIterator[Backend]:
    """Open a backend; it is the ambient one of the test.

    Args:
        endpoint: of a coordinator shared with other tests, each in a namespace of its own; None
            for an embedded runtime.
    """
    if endpoint is None:
        async with perdure.embedded(
            directory / "perdure.db", services=services, max_cached=max_cached
        ) as runtime:
            yield Backend(runtime.client)
        return
    namespace = uuid4().hex
    async with perdure.connect(endpoint, namespace=namespace) as client:
        worker = durable.get_worker(
            service_name=services[0].name,
            version=services[0].version,
            coordinator_endpoint=endpoint,
            namespace=namespace,
            max_cached=max_cached,
        )
        for service in services:
            await worker.register_service(service)
        await worker.start()
        try:
            yield Backend(client)
        finally:
            await worker.stop(1.0)
