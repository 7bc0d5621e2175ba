"""Where the blocks run: in the testing kit, on a SQLite file, over gRPC on a SQLite file.

All are the kit's runtime, which counts journal writes, crashes at them, and skips time. With a
file, the store is the real one: each write is a transaction with its sync, a crash closes the file
and opens it anew, and at the end it must hold what was committed. What is committed is kept in
memory beside it, only so that the kit sees when everything waits. Over gRPC, a real server on a
port, a real worker session and a real client are between the engine and the rest.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, cast

from perdure._compose.kit import CrashPoint, KitCoordinator, KitLink, KitTransport
from perdure.client.grpc_transport import GrpcTransport
from perdure.client.transport import Transport
from perdure.testing import MemoryRuntime
from perdure.worker.session import GrpcLink
from perdure_coordinator.server import Server
from perdure_coordinator.store.sqlite import open_file
from perdure_runtime.core.client import Outcome, StartRequest
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.memory import MemoryDisk, MemoryStore
from perdure_runtime.storage import Ownership, Store, WriteBatch
from tests.blocks.app import SERVICES
from tests.blocks.journals import decoded, finished
from tests.integration.apps.witness import WITNESS, Seen, seen

WORLDS: Final = ("memory", "embedded", "grpc")
BOTH: Final = "coordinator and worker"
COORDINATOR: Final = "coordinator"
WORKER: Final = "worker"
PATIENCE_S: Final = 30.0


class World(MemoryRuntime):
    """The blocks in memory; a `Place` for cases.

    Attributes:
        dying: who dies at the crash. A coordinator alone, or a worker alone, only over gRPC.
        lost: the runs of bodies that had not been recorded when the worker died.
    """

    def __init__(self, *, always_suspend: bool, skips_time: bool) -> None:
        super().__init__(
            services=SERVICES,
            always_suspend=always_suspend,
            auto_advance=skips_time,
            patience_s=PATIENCE_S,
        )
        self.dying = BOTH
        self.lost: set[Seen] | None = None

    @property
    def coordinator(self) -> KitCoordinator:
        """The one that runs."""
        return self._opened()

    async def at(self, seconds: float) -> None:
        """Let virtual time go on until so many seconds after the start."""
        passed_s = (self.clock.now_ms() - self.clock.start_ms) / 1000
        await self.clock.advance(max(0.0, seconds - passed_s))

    async def until(self, id: str, kind: str) -> None:
        """Wait until the journal of an execution has an entry of this kind."""
        async for entry in self.client.get(id).history(follow=True):
            if entry.kind == kind:
                return
        raise AssertionError(f"{id} ended without {kind}")

    async def verify(self) -> MemoryDisk:
        """What is on the disk, once all is done."""
        return self.coordinator.disk

    def _make_coordinator(self, crash: CrashPoint | None) -> KitCoordinator:
        made = self._coordinator_like(crash)
        if self.dying == COORDINATOR:
            made._killed, made._crashed, made._reopened = (
                _nothing,
                self._count_lost,
                self._find_again,
            )
        return made

    def _coordinator_like(self, crash: CrashPoint | None) -> KitCoordinator:
        return KitCoordinator(
            self.clock,
            crash,
            killed=lambda: self._link.cut(),
            crashed=self._abandon,
            reopened=self._start_worker,
            reconnect=lambda: self._link.find_again(),
        )

    async def _find_again(self) -> None:
        self._link.find_again()

    async def _abandon(self) -> None:
        self._link.hang_up()
        await self._worker.abandon()
        await self._count_lost()

    async def _count_lost(self) -> None:
        ended, steps = finished(self.coordinator.disk)
        lines = seen(Path(os.environ[WITNESS]))
        self.lost = {
            line for line in lines if line.execution not in ended and line.key not in steps
        }


class FileStore:
    """A SQLite file whose commits go through the coordinator's hands."""

    def __init__(self, coordinator: KitCoordinator, file: Any) -> None:
        self._coordinator = coordinator
        self._file = file
        self._beside = MemoryStore(coordinator.disk)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    async def acquire(self, owner: str, floor: int = 0) -> Ownership:
        """See `Store`."""
        ownership: Ownership = await self._file.acquire(owner, floor)
        self._coordinator.disk.epoch = ownership.epoch
        return ownership

    async def commit(self, batch: WriteBatch) -> None:
        """See `Store`."""
        await self._coordinator.carry_out(batch, self._write)

    async def _write(self, batch: WriteBatch) -> None:
        await self._file.commit(batch)
        await self._beside.commit(batch)


class FileCoordinator(KitCoordinator):
    """An engine on a SQLite file."""

    path: Path
    worker_dies: Callable[[], None] | None = None

    async def carry_out(
        self, batch: WriteBatch, write: Callable[[WriteBatch], Awaitable[None]]
    ) -> None:
        """See `KitCoordinator`; if only the worker is to die, it does so before or after."""
        if self.worker_dies is None:
            await super().carry_out(batch, write)
            return
        crash = None
        if batch.entries:
            self.writes += 1
            crash = self.crash_at(self.writes)
        if crash is not None and not crash.recorded:
            self.worker_dies()
        await write(batch)
        if crash is not None and crash.recorded:
            self.worker_dies()

    async def _store(self) -> Store:
        return cast("Store", FileStore(self, await open_file(self.path)))

    def _refuse_unserved(self) -> None:
        """What nobody offers now waits, as it does outside of the kit."""


class FileWorld(World):
    """The blocks on a SQLite file, in one process."""

    coordinator_class: type[FileCoordinator] = FileCoordinator

    def __init__(self, folder: Path, *, always_suspend: bool, skips_time: bool) -> None:
        super().__init__(always_suspend=always_suspend, skips_time=skips_time)
        self.path = folder / "perdure.db"

    def _coordinator_like(self, crash: CrashPoint | None) -> KitCoordinator:
        made = self.coordinator_class(
            self.clock,
            crash,
            killed=lambda: self._link.cut(),
            crashed=self._abandon,
            reopened=self._start_worker,
            reconnect=lambda: self._link.find_again(),
        )
        made.path = self.path
        if self.dying == WORKER:
            made.worker_dies = self._kill_worker
        return made

    def _kill_worker(self) -> None:
        self._link.cut()
        self.coordinator.crashes += 1
        self._replacing = asyncio.create_task(self._replace_worker(), name="test-new-worker")

    async def _replace_worker(self) -> None:
        await self._abandon()
        await self._start_worker()

    async def verify(self) -> MemoryDisk:
        """See `World`; the file has all that was committed to it, and nothing else."""
        disk, store = self.coordinator.disk, self.coordinator.engine._store
        await self.coordinator.engine.flushed()
        assert disk.rows == await store.load_rows([*disk.rows])
        assert disk.objects == await store.load_objects([*disk.objects])
        for key, entries in disk.journals.items():
            stored = await store.load(key)
            assert stored is not None
            assert decoded(entries) == decoded(stored.entries)
        return disk


class GrpcCoordinator(FileCoordinator):
    """An engine on a SQLite file behind a port; a crash breaks every connection."""

    port = 0
    _server: Server | None = None

    async def open(self) -> None:
        """See `KitCoordinator`."""
        await super().open()
        await self.listen()

    async def close(self) -> None:
        """See `KitCoordinator`."""
        if self._reopening is not None:
            await asyncio.wait([self._reopening])
        if self._server is not None:
            await self._server.stop(0.0)
        await super().close()

    async def listen(self) -> None:
        """Serve the engine that runs now, where the one before was served."""
        self._server = Server(self.engine, self.config.lease_ms / 3000, standard=False)
        self.port = self._server.bind("127.0.0.1", self.port)
        await self._server.start()

    async def _begin_anew(self, before: asyncio.Task[None] | None) -> None:
        assert self._server is not None
        await asyncio.gather(self._crashed(), self._server.stop(0.0))
        self.engine = await self._engine()
        await self.listen()
        await self._reopened()
        self._serving.set()


class CutLink(GrpcLink):
    """A link that can be cut at once and for ever."""

    def cut(self) -> None:
        """The worker's process is gone: the connection breaks, nothing is said any more."""
        self._closing.set()
        self._stream = None
        if self._open is not None:
            self._open.cancel()

    def hang_up(self) -> None:
        """The broken connection says it."""

    def find_again(self) -> None:
        """It looks by itself."""

    def connect_again(self) -> None:
        """Its services are fixed."""


class WatchedTransport(GrpcTransport):
    """A client over gRPC; what it waits for is noted for those who skip time."""

    def __init__(self, endpoint: str, kit: KitTransport) -> None:
        super().__init__(endpoint)
        self._kit = kit

    async def wait(self, namespace: str, id: str) -> Outcome:
        """See `Transport`."""
        with self._kit._waiting(ExecutionKey(namespace, id)):
            return await super().wait(namespace, id)

    async def history(
        self, namespace: str, id: str, from_index: int, follow: bool, values_only: bool = False
    ) -> AsyncIterator[Recorded]:
        """See `Transport`."""
        with self._kit._waiting(ExecutionKey(namespace, id)):
            async for recorded in super().history(namespace, id, from_index, follow, values_only):
                yield recorded


class GrpcWorld(FileWorld):
    """The blocks over gRPC."""

    coordinator_class = GrpcCoordinator

    @property
    def endpoint(self) -> str:
        """Where the coordinator listens."""
        return f"http://127.0.0.1:{cast('GrpcCoordinator', self.coordinator).port}"

    def _client_transport(self) -> Transport:
        return WatchedTransport(self.endpoint, self._transport)

    def _make_link(self) -> KitLink:
        return cast("KitLink", CutLink(self.endpoint))

    def _register(self, request: StartRequest) -> None:
        """Its services are fixed."""


def _nothing() -> None:
    """Nobody else dies."""


def make_world(kind: str, folder: Path, *, always_suspend: bool, skips_time: bool) -> World:
    """A world of one of `WORLDS`, in a folder of its own."""
    if kind == "memory":
        return World(always_suspend=always_suspend, skips_time=skips_time)
    made = {"embedded": FileWorld, "grpc": GrpcWorld}[kind]
    return made(folder, always_suspend=always_suspend, skips_time=skips_time)
