"""The embedded runtime: coordinator, worker and client of one database file in this process.

Bodies and async steps run on the loop that opened it, the coordinator on a thread of its own
(architecture, section 7). Nothing listens on a port. When another process of this user has the file
open, its coordinator is used, and taken over when it goes away.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from perdure._compose.shared_link import SharedLink
from perdure._compose.shared_transport import SharedTransport
from perdure._compose.sharing import SharedFile
from perdure.client.client import Client
from perdure.client.transport import Transport
from perdure.registry import all_services
from perdure.service import Service
from perdure.worker.worker import Worker
from perdure_coordinator.config import Config
from perdure_coordinator.store import file_of
from perdure_coordinator.store.sqlite.place import real_path
from perdure_runtime.core.client import ListRequest
from perdure_runtime.core.lifecycle import Status, is_end

_BUSY: Final = (Status.QUEUED, Status.RUNNING)
_UNFINISHED: Final = tuple(status for status in Status if not is_end(status))
_DRAIN_PERIOD_S: Final = 0.02
_CLOSE_GRACE_S: Final = 1.0


class Runtime:
    """What `async with perdure.embedded(...)` gives."""

    def __init__(self, client: Client, worker: Worker) -> None:
        self._client = client
        self.worker = worker

    @property
    def client(self) -> Client:
        """Starts and finds executions in this file."""
        return self._client

    async def drain(self) -> None:
        """Wait until nothing runs any more; what waits for timers or signals stays."""
        request = ListRequest(self._client.namespace, statuses=_BUSY, limit=1)
        while (await self._client.transport.list(request)).items:  # noqa: ASYNC110 - no push for it
            await asyncio.sleep(_DRAIN_PERIOD_S)


@asynccontextmanager
async def open_embedded(
    database: str,
    *,
    services: Sequence[Service] | None,
    namespace: str,
    slots: int,
    max_cached: int,
    retention_ms: int | None = None,
    tell: bool = False,
) -> AsyncIterator[Runtime]:
    """Open the file, recover, serve; leave what is unfinished for the next time.

    Args:
        services: what is run; everything that this process has defined, also later, when None.
        retention_ms: if this process comes to host the file; the engine's own when None.
        tell: say on stderr how many executions go on.

    Raises:
        DatabaseInUseError: another process has the file and does not share it or answer.
        SchemaVersionError: a newer Perdure wrote it.
    """
    path = file_of(database)
    config = Config() if retention_ms is None else Config(retention_ms=retention_ms)
    file = SharedFile(database, None if path is None else real_path(path), config)
    place = await file.open()
    try:
        link = SharedLink(place)
        file.moved, file.failed = link.moved, link.failed
        worker = Worker(
            all_services if services is None else lambda: services,
            lambda: link,
            namespace=namespace,
            slots=slots,
            max_cached=max_cached,
        )
        transport = SharedTransport(file, worker, link.connect_again)
        if tell:
            await _tell_of_unfinished(transport, namespace, database)
        await worker.start()
        try:
            yield Runtime(Client(transport, namespace), worker)
        finally:
            await worker.stop(_CLOSE_GRACE_S)
    finally:
        await file.close()


async def _tell_of_unfinished(transport: Transport, namespace: str, database: str) -> None:
    count, cursor = 0, ""
    while True:
        request = ListRequest(namespace, statuses=_UNFINISHED, limit=1000, cursor=cursor)
        page = await transport.list(request)
        count += len(page.items)
        cursor = page.next_cursor
        if not cursor:
            break
    if count:
        sys.stderr.write(f"perdure: resuming {count} unfinished executions from {database}\n")
