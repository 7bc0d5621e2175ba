"""Where an executor's work is kept: a file that processes share, a coordinator, an open client.

This is the only part of the executor that knows how any of these is reached.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, Final

from perdure.client.client import Client
from perdure.executor.errors import refusal
from perdure.service import Service
from perdure_runtime.grpc_loading import load_grpc

if TYPE_CHECKING:
    from perdure.worker.worker import Worker

Storage = str | PathLike[str] | Client | Callable[[], Client]
MAX_CACHED: Final = 10_000
_SCHEMES: Final = ("http://", "https://")


@dataclass(slots=True)
class Place:
    """An opened storage.

    Args:
        client: gives the client; always the same, unless the user's own callable decides.
        work: begins to run what `services` holds; returns when that is registered.
        worker: None where another one runs the services: that of the client's own runtime.
    """

    client: Callable[[], Client]
    work: Callable[[], Awaitable[None]]
    worker: Worker | None


def check_storage(storage: object) -> Storage:
    """Return what an executor can use. Raises `DurableTaskError`."""
    if isinstance(storage, str) and storage:
        return storage
    if isinstance(storage, (Client, os.PathLike)) or callable(storage):
        return storage
    raise refusal(
        "storage is a path of a SQLite file, an endpoint http://host:port, a client, or a callable "
        f"that gives one, not {storage!r}"
    )


async def open_storage(
    stack: AsyncExitStack,
    storage: Storage,
    services: list[Service],
    slots: int,
    options: dict[str, Any],
) -> Place:
    """Open a storage until the stack is closed.

    Args:
        services: filled before `work` is called.
        slots: how much runs here at a time.
        options: `namespace`, `token` and `tls`, None for what the settings say.
    """
    if isinstance(storage, Client):
        return Place(lambda: storage, _nothing, None)
    if callable(storage):
        return Place(storage, _nothing, None)
    if isinstance(storage, str) and storage.startswith(_SCHEMES):
        return await _connect(stack, storage, services, slots, options)
    return await _share(stack, fspath(storage), services, slots, options["namespace"] or "default")


async def _connect(
    stack: AsyncExitStack,
    endpoint: str,
    services: list[Service],
    slots: int,
    options: dict[str, Any],
) -> Place:
    load_grpc()
    from perdure.client.connection import connect
    from perdure.settings import load_settings
    from perdure.worker.session import GrpcLink
    from perdure.worker.worker import Worker

    client = await stack.enter_async_context(connect(endpoint, **options, ambient=False))
    settings = load_settings(endpoint=endpoint, token=options["token"])
    worker = Worker(
        lambda: services,
        lambda: GrpcLink(endpoint, token=settings.token, tls=options["tls"] or settings.tls()),
        namespace=client.namespace,
        slots=slots,
        max_cached=MAX_CACHED,
    )
    stack.push_async_callback(worker.stop, 0.0)
    return Place(lambda: client, worker.start, worker)


async def _share(
    stack: AsyncExitStack, path: str, services: list[Service], slots: int, namespace: str
) -> Place:
    from perdure._compose.runtime import open_embedded

    offered: list[Service] = []  # nothing before `work`: the file is open for its client at first
    runtime = await stack.enter_async_context(
        open_embedded(
            path, services=offered, namespace=namespace, slots=slots, max_cached=MAX_CACHED
        )
    )

    async def work() -> None:
        offered.extend(services)
        await runtime.worker.offer_again()

    return Place(lambda: runtime.client, work, runtime.worker)


async def _nothing() -> None:
    """The runtime of the client runs the services."""
