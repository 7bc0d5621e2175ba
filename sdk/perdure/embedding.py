"""`perdure.embedded`: coordinator, store, worker and client in this process, without a server.

Only the door: the runtime itself is composed in `perdure._compose`, the one place where SDK and
coordinator meet (architecture, section 7).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from os import PathLike, fspath
from typing import Final, Protocol

from perdure.client.ambient import check_no_other, made_ambient
from perdure.client.client import Client
from perdure.option_checks import check_seconds, milliseconds
from perdure.service import Service
from perdure.settings import load_settings

RETENTION_S: Final = 7 * 24 * 3600.0


class EmbeddedRuntime(Protocol):
    """What `async with perdure.embedded(...)` gives."""

    @property
    def client(self) -> Client:
        """Starts and finds executions in this file."""
        ...

    async def drain(self) -> None:
        """Wait until nothing runs any more; what waits for timers or signals stays."""
        ...


@asynccontextmanager
async def embedded(
    path: str | PathLike[str] | None = None,
    *,
    services: Sequence[Service] | None = None,
    namespace: str = "default",
    slots: int = 200,
    max_cached: int = 10_000,
    ambient: bool = True,
    retention: float = RETENTION_S,
) -> AsyncIterator[EmbeddedRuntime]:
    """The embedded runtime for the duration of an `async with` block.

    Unfinished executions in the file go on at once.

    Args:
        path: of the SQLite file; `PERDURE_DB` or `perdure.db` when None.
        services: what it runs; everything that this process has defined when None.
        slots: executions with a slice or step in progress at a time.
        max_cached: suspended executions kept alive in memory.
        ambient: whether direct calls in this event loop use it.
        retention: seconds for which finished executions are kept, with their journals; 0 keeps them
            for ever. Of several processes that share the file, the host's counts.

    Raises:
        DatabaseInUseError: another process has the file open.
        SchemaVersionError: a newer Perdure wrote it.
        InvalidArgumentError: another ambient block is open.
    """
    from perdure._compose.runtime import open_embedded

    check_no_other(ambient)
    retention_ms = milliseconds(check_seconds("embedded()", "retention", retention, zero=True))
    place = load_settings(db=None if path is None else fspath(path)).db
    async with open_embedded(
        place,
        services=services,
        namespace=namespace,
        slots=slots,
        max_cached=max_cached,
        retention_ms=retention_ms,
    ) as runtime:
        with made_ambient(runtime.client, ambient):
            yield runtime
