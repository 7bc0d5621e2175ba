"""One file, many processes: this process as host of a database or as guest of the one that is.

Whoever gets the file's lock hosts the coordinator, the others reach it at its door. When the host
dies or leaves, the guests hear it at once and try for the lock; one becomes the host, recovers from
the disk and serves on, the others follow it. `SharedFile` keeps track of where the coordinator is;
links and transports move along with it (architecture, section 7).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from perdure._compose.coordinator import EmbeddedCoordinator, check_not_forked, use_grpc
from perdure._compose.door import NoAnswer, Visit, knock
from perdure._compose.embedded import EmbeddedLink, EmbeddedTransport
from perdure._compose.hosts import host, leave
from perdure.client.transport import Transport
from perdure.worker.link import WorkerLink
from perdure_coordinator.config import Config
from perdure_coordinator.store.sqlite.lock import Holder, read_holder
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    DatabaseInUseError,
    PerdureError,
)
from perdure_runtime.grpc_loading import load_grpc

_LOG = logging.getLogger("perdure.embedded")
UNIX: Final = "unix:"
PATIENCE_S: Final = 10.0
FIRST_DELAY_S: Final = 0.01
DELAY_S: Final = 0.2
MOVE_S: Final = 60.0
AGAIN_S: Final = 1.0


class Place(Protocol):
    """Where the coordinator is, as this process reaches it."""

    transport: Transport
    pid: int

    @property
    def gone(self) -> asyncio.Future[None] | None:
        """Done when the host has gone; None when it is this process itself."""
        ...

    def link(self) -> WorkerLink:
        """A worker link to it."""
        ...

    async def leave(self) -> None:
        """Give it up."""
        ...


class HostPlace:
    """The coordinator is in this process."""

    gone = None

    def __init__(self, coordinator: EmbeddedCoordinator, path: Path | None) -> None:
        self.transport: Transport = EmbeddedTransport(coordinator)
        self.pid = os.getpid()
        self._coordinator = coordinator
        self._path = path

    def link(self) -> WorkerLink:
        """See `Place`."""
        return EmbeddedLink(self._coordinator)

    async def leave(self) -> None:
        """See `Place`."""
        if self._path is None:
            await self._coordinator.close()
        else:
            await leave(self._coordinator, self._path)


class GuestPlace:
    """The coordinator is in another process."""

    def __init__(self, visit: Visit) -> None:
        from perdure.client.grpc_transport import GrpcTransport

        self._visit = visit
        self._endpoint = f"{UNIX}{visit.served}"
        self.transport: Transport = GrpcTransport(self._endpoint, retry_s=MOVE_S)
        self.pid = visit.pid
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._watching = asyncio.create_task(self._watch(), name="perdure-door")

    def link(self) -> WorkerLink:
        """See `Place`."""
        from perdure.worker.session import GrpcLink

        return GrpcLink(self._endpoint)

    async def leave(self) -> None:
        """See `Place`."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        self._visit.end()
        await self.transport.close()

    async def _watch(self) -> None:
        await self._visit.until_gone()
        if not self.gone.done():
            self.gone.set_result(None)


@dataclass(slots=True)
class SharedFile:
    """A database as this process has it. Opened, used and closed on one loop.

    Args:
        database: what the user wrote.
        path: of the file, absolute and without symbolic links; None for a database in memory.
        config: of the engine, where this process hosts it.
    """

    database: str
    path: Path | None
    config: Config = field(default_factory=Config)
    moved: Callable[[Place], None] = lambda place: None
    """Told of each new place, after `open`."""
    failed: Callable[[PerdureError], None] = lambda error: None
    """Told when there can be no other place."""
    _pid: int = field(default_factory=os.getpid)
    _place: Place | None = None
    _error: PerdureError | None = None
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _following: asyncio.Task[None] | None = None

    async def open(self) -> Place:
        """Become host or guest.

        Raises:
            DatabaseInUseError: another process has the file and does not share it or does not
                answer; the message names its pid.
            SchemaVersionError, StoreError: as `open_store`.
        """
        place = await self._join()
        self._arrive(place)
        if place.gone is not None:
            self._following = asyncio.create_task(self._follow(place), name="perdure-shared")
        return place

    async def place(self) -> Place:
        """Where the coordinator is now; waits while it moves.

        Raises:
            CoordinatorUnavailableError: it has not moved anywhere in time, or this is closed.
            PerdureError: it cannot move: the file cannot be opened, or this process was forked.
        """
        check_not_forked(self._pid)
        while self._place is None:
            if self._error is not None:
                raise self._error
            try:
                async with asyncio.timeout(MOVE_S):
                    await self._arrived.wait()
            except TimeoutError:
                raise CoordinatorUnavailableError(
                    f"the host of {self.database} has gone, and nobody has taken its place"
                ) from None
        return self._place

    async def close(self) -> None:
        """Leave; another process goes on. Twice is once."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        place, self._place = self._place, None
        self._error = self._error or CoordinatorUnavailableError("the embedded runtime is closed")
        self._arrived.set()
        if place is not None:
            await place.leave()

    def _arrive(self, place: Place) -> None:
        self._place = place
        self._arrived.set()

    async def _follow(self, place: Place) -> None:
        """Go where the coordinator goes, until it is here."""
        while place.gone is not None:
            await place.gone
            self._place = None
            self._arrived.clear()
            _LOG.info("process %d, the host of %s, has gone", place.pid, self.database)
            await place.leave()
            try:
                place = await self._join_somehow()
            except PerdureError as error:
                _LOG.error("%s cannot be taken over: %s", self.database, error)
                self._error = error
                self._arrived.set()
                self.failed(error)
                return
            self._arrive(place)
            self.moved(place)

    async def _join_somehow(self) -> Place:
        """As `_join`, for as long as it takes: executions are under way here."""
        while True:
            try:
                return await self._join()
            except DatabaseInUseError as error:
                _LOG.warning("%s; trying again", error)
                await asyncio.sleep(AGAIN_S)

    async def _join(self) -> Place:
        if self.path is None:
            coordinator = EmbeddedCoordinator(self.database, self.config)
            await coordinator.open()
            return HostPlace(coordinator, None)
        until_s = time.monotonic() + PATIENCE_S
        delay_s = FIRST_DELAY_S
        while True:
            try:
                return HostPlace(await host(self.database, self.path, self.config), self.path)
            except DatabaseInUseError as error:
                holder = read_holder(self.path)
                visit = await self._visit(holder, until_s)
                if visit is not None:
                    return GuestPlace(visit)
                if time.monotonic() > until_s:
                    raise self._no_answer(holder) or error from None
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, DELAY_S)

    async def _visit(self, holder: Holder | None, until_s: float) -> Visit | None:
        """Knock at the holder's door; None when it has none yet, or nobody opens."""
        if holder is None or not holder.place:
            return None
        if not holder.place.startswith(UNIX):
            raise DatabaseInUseError(
                f"{self.database} is in use by {holder}, a server at {holder.place}; connect to "
                f"it: perdure.connect({holder.place!r}), or PERDURE_ENDPOINT={holder.place}"
            )
        try:
            use_grpc()
            load_grpc()
            import grpc  # noqa: F401 - is it there?
        except ModuleNotFoundError:
            raise DatabaseInUseError(
                f"{self.database} is in use by {holder}, and this process cannot share it with "
                "that one without gRPC: pip install grpcio"
            ) from None
        try:
            patience_s = max(FIRST_DELAY_S, until_s - time.monotonic())
            return await knock(holder.place.removeprefix(UNIX), patience_s)
        except NoAnswer:
            return None

    def _no_answer(self, holder: Holder | None) -> DatabaseInUseError | None:
        if holder is None or not holder.place:
            return None
        return DatabaseInUseError(
            f"{self.database} is in use by {holder}, which does not answer at "
            f"{holder.place.removeprefix(UNIX)}: it is stopped or hangs, or runs where its socket "
            "cannot be seen (another container); end it, and another process takes over"
        )
