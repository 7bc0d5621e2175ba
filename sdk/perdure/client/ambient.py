"""The client that direct calls use outside of executions (semantics, section 3).

The one open `connect` or `embedded` block of the event loop, else `PERDURE_ENDPOINT`, else the
embedded runtime at `PERDURE_DB`. The last two are opened at the first use, say so in one line on
stderr, and live in a task of their own until it is cancelled, which `asyncio.run` does at its end
before it closes anything else.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from perdure.settings import Settings, load_settings
from perdure_runtime.core.errors import CoordinatorUnavailableError, InvalidArgumentError

if TYPE_CHECKING:
    from perdure.client.client import Client

Loop = asyncio.AbstractEventLoop

_open: Final[WeakKeyDictionary[Loop, Client]] = WeakKeyDictionary()
_implicit: Final[WeakKeyDictionary[Loop, _Implicit]] = WeakKeyDictionary()


class _Implicit:
    """The client that one loop opened by itself."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.lifetime: asyncio.Task[None] | None = None
        self.client: Client | None = None


@contextmanager
def made_ambient(client: Client, wanted: bool = True) -> Iterator[None]:
    """Let direct calls of this event loop use `client` for the duration of a block.

    Raises:
        InvalidArgumentError: another block is open.
    """
    if not wanted:
        yield
        return
    loop = asyncio.get_running_loop()
    check_no_other(wanted)
    _open[loop] = client
    try:
        yield
    finally:
        _open.pop(loop, None)


def check_no_other(wanted: bool = True) -> None:
    """Raise InvalidArgumentError if a second ambient client is wanted."""
    if wanted and asyncio.get_running_loop() in _open:
        raise InvalidArgumentError(
            "a `connect` or `embedded` block is open already, and direct calls use it; pass "
            "ambient=False to the second one and start through its client"
        )


async def ambient_client() -> Client:
    """The client of direct calls in this event loop.

    Raises:
        CoordinatorUnavailableError: no block is open, no endpoint is set, and the embedded runtime
            is forbidden by `PERDURE_EMBEDDED=0`.
    """
    loop = asyncio.get_running_loop()
    client = _open.get(loop)
    if client is not None:
        return client
    implicit = _implicit.get(loop)
    if implicit is None:
        implicit = _implicit[loop] = _Implicit()
    async with implicit.lock:
        if implicit.client is None:
            opened: asyncio.Future[Client] = loop.create_future()
            implicit.lifetime = loop.create_task(_lifetime(implicit, load_settings(), opened))
            implicit.client = await opened
        return implicit.client


async def _lifetime(
    implicit: _Implicit, settings: Settings, opened: asyncio.Future[Client]
) -> None:
    """Opens a client and closes it when this task is cancelled."""
    try:
        async with _choose(settings) as client:
            opened.set_result(client)
            await _loop_end()
    except Exception as error:
        if opened.done():
            raise
        opened.set_exception(error)
    finally:
        implicit.client = implicit.lifetime = None


async def _loop_end() -> None:
    """Wait until the loop cancels what is left."""
    await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def _choose(settings: Settings) -> AsyncIterator[Client]:
    if settings.endpoint is not None:
        from perdure.client.connection import connect

        _tell(f"direct calls go to the coordinator at {settings.endpoint}")
        async with connect(settings.endpoint, ambient=False) as client:
            yield client
    elif settings.embedded:
        from perdure.embedding import embedded

        _tell(f"direct calls use the embedded runtime at {settings.db}")
        namespace = settings.namespace
        async with embedded(settings.db, namespace=namespace, ambient=False) as runtime:
            yield runtime.client
    else:
        raise CoordinatorUnavailableError(
            "this call needs a coordinator: open `perdure.connect(...)` or "
            "`perdure.embedded(...)`, or set PERDURE_ENDPOINT; PERDURE_EMBEDDED=0 forbids to "
            "start the embedded runtime for it"
        )


def _tell(text: str) -> None:
    sys.stderr.write(f"perdure: {text}\n")
