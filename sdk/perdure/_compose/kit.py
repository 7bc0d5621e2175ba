"""The engine of users' tests: the real one over memory, on the test's own event loop.

It can be crashed at any journal write: the commit fails before or after it reached the disk, the
worker is torn down, and both begin anew from what is there, as after `kill -9`. What a client asked
meanwhile is asked again, as a client of a server does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from perdure._compose.coordinator import EmbeddedCoordinator
from perdure._compose.embedded import EmbeddedLink, EmbeddedTransport
from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_coordinator.engine.clock import Clock
from perdure_runtime.core.client import Description, Outcome, StartReply, StartRequest
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    JournalMismatchError,
    ProtocolError,
)
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.messages import CoordinatorMessage, Hello, WorkerMessage
from perdure_runtime.core.objects import object_of
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.memory import MemoryDisk, MemoryStore
from perdure_runtime.storage import Store, StoreError, WriteBatch

T = TypeVar("T")
BUSY: Final = (Status.QUEUED, Status.RUNNING)
DAY_MS: Final = 24 * 3600 * 1000
# A debugger may hold the loop; a test that lets a month pass still wants to look at what ended.
CONFIG: Final = Config(lease_ms=DAY_MS, resume_ms=0, retention_ms=0)


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """Where a run is to crash.

    Args:
        write: which journal write, counted from 1.
        recorded: whether it reaches the disk before the crash.
    """

    write: int
    recorded: bool

    def __str__(self) -> str:
        when = "after" if self.recorded else "before"
        return f"{when} journal write {self.write}"


class Crash(StoreError):
    """The crash of a test; raised to the engine, never to users."""


@dataclass(slots=True)
class _Life:
    """Of one coordinator: one that was killed does not die once more of what that broke."""

    goes_on: bool = True


class KitStore(MemoryStore):
    """Memory whose commits go through the coordinator's hands."""

    def __init__(self, coordinator: KitCoordinator) -> None:
        super().__init__(coordinator.disk)
        self._coordinator = coordinator

    async def commit(self, batch: WriteBatch) -> None:
        """See `Store`."""
        await self._coordinator.carry_out(batch, super().commit)


class KitCoordinator(EmbeddedCoordinator):
    """An engine over memory, on the loop that opens it; it survives its own crashes.

    Args:
        killed: nothing that the worker says or hears arrives from now on.
        crashed: tears the worker down; awaited before the engine opens again.
        reopened: starts the worker again; awaited before clients are served again.
        reconnect: the worker lives and is to find the engine that was opened anew.
    """

    def __init__(
        self,
        clock: Clock,
        crash: CrashPoint | None,
        *,
        killed: Callable[[], None],
        crashed: Callable[[], Awaitable[None]],
        reopened: Callable[[], Awaitable[None]],
        reconnect: Callable[[], None],
    ) -> None:
        super().__init__("memory")
        self.config = CONFIG
        self.disk = MemoryDisk()
        self.crash = crash
        self.writes = 0
        self.crashes = 0
        self._clock = clock
        self._killed = killed
        self._crashed = crashed
        self._reopened = reopened
        self._reconnect = reconnect
        self._life = _Life()
        self._dead_epoch = 0  # nothing of this shard epoch reaches the disk any more
        self._serving = asyncio.Event()
        self._reopening: asyncio.Task[None] | None = None
        self._returning: asyncio.Future[None] | None = None  # the worker
        self._coordinator_gone = False
        self._worker_gone = False
        self._closed = False

    async def open(self) -> None:
        """Open the engine."""
        self.loop = asyncio.get_running_loop()
        self.engine = await self._engine()
        self._serving.set()

    async def close(self) -> None:
        """Close the engine. Twice is once."""
        if not self._closed:
            self._closed = True
            if self._reopening is not None:
                await asyncio.wait([self._reopening])
            await self.engine.stop()

    async def call(self, make: Callable[[Engine], Coroutine[Any, Any, T]]) -> T:
        """Ask the engine, and ask again after a crash."""
        while True:
            crashes = await self.serving()
            try:
                return await make(self.engine)
            except CoordinatorUnavailableError:
                if crashes == self.crashes:
                    raise

    async def serving(self) -> int:
        """Wait until clients are served; returns how many crashes there were."""
        while not self._serving.is_set():  # it may be cleared before the waiter has its turn
            await self._serving.wait()
        return self.crashes

    def die(self, error: BaseException) -> None:
        """The process is gone, that of the worker too; another one begins."""
        self.kill(coordinator=True, worker=True)

    def kill(self, *, coordinator: bool, worker: bool) -> None:
        """End one of the processes here and now, or both; whoever is gone begins anew."""
        self.crashes += 1
        self._serving.clear()
        if self._returning is not None:
            self._returning.cancel()  # it may wait for a coordinator that is gone now
            worker = True
        if worker:
            self._killed()
        if coordinator:
            self._life.goes_on = False
            self._dead_epoch = self.engine.epoch
        self._coordinator_gone |= coordinator
        self._worker_gone |= worker
        self._reopening = self.loop.create_task(
            self._begin_anew(self._reopening), name="perdure-crash"
        )

    @property
    def serves(self) -> bool:
        """Whether clients and workers are served now."""
        return self._serving.is_set()

    async def carry_out(
        self, batch: WriteBatch, write: Callable[[WriteBatch], Awaitable[None]]
    ) -> None:
        """A commit of the store: it counts, and fails where it is told to."""
        crash = None
        if batch.shard_epoch <= self._dead_epoch:
            raise Crash("this coordinator has crashed")
        if batch.entries:
            self.writes += 1
            crash = self.crash_at(self.writes)
        if crash is None or crash.recorded:
            await write(batch)
            self.written()
        if crash is not None:
            raise Crash(f"a crash {crash}")

    def crash_at(self, write: int) -> CrashPoint | None:
        """Whether and how to crash at this journal write."""
        return self.crash if self.crash is not None and self.crash.write == write else None

    def written(self) -> None:
        """Something reached the disk."""
        self.loop.call_soon(self._refuse_unserved)

    @property
    def settled(self) -> bool:
        """Whether everything waits for time, for an event, or for nothing any more."""
        now_ms, disk = self._clock.now_ms(), self.disk
        tick_ms = self.engine.next_tick_ms()
        return (
            self._serving.is_set()
            and (tick_ms is None or tick_ms > now_ms)
            and at_rest(self.engine, disk)
            and not any(timer.due_ms <= now_ms for timer in disk.timers.values())
        )

    def ended(self, key: ExecutionKey) -> bool:
        """Whether an execution has its outcome."""
        row = self.disk.rows.get(key)
        return row is not None and is_end(row.status)

    def blocked(self, key: ExecutionKey) -> str:
        """The diff of an execution, or of one that it called, that is blocked; "" for none."""
        rows = self.disk.rows
        for row in rows.values():
            if row.status is Status.BLOCKED:
                found = row
                while found.key != key and found.parent is not None and found.parent.key in rows:
                    found = rows[found.parent.key]
                if found.key == key:
                    return f"execution {row.key.id} is blocked: {row.detail}"
        return ""

    def next_due_ms(self) -> int | None:
        """When the next timer is due that is not due yet."""
        now_ms = self._clock.now_ms()
        due = [timer.due_ms for timer in self.disk.timers.values()]
        tick_ms = self.engine.next_tick_ms()
        if tick_ms is not None:
            due.append(tick_ms)
        return min((due_ms for due_ms in due if due_ms > now_ms), default=None)

    async def _engine(self) -> Engine:
        life = self._life = _Life()

        def ended(error: BaseException) -> None:
            if life.goes_on:
                self.die(error)

        store = await self._store()
        return await Engine.open(store, self.config, ended, lambda _: self._clock)

    async def _store(self) -> Store:
        return KitStore(self)

    async def _begin_anew(self, before: asyncio.Task[None] | None) -> None:
        """Bring back who is gone, unless another kill comes meanwhile: then its task does that."""
        if before is not None:
            await asyncio.gather(before, return_exceptions=True)
        if self._worker_gone:
            await self._crashed()
        if self._coordinator_gone:
            self._coordinator_gone = False
            await self.engine.stop()
            self.engine = await self._engine()
        if self._reopening is not asyncio.current_task():
            return
        if self._worker_gone:
            self._returning = asyncio.ensure_future(self._reopened())
            await asyncio.wait([self._returning])
            returned, self._returning = self._returning, None
            if self._reopening is not asyncio.current_task():
                return
            returned.result()
            self._worker_gone = False
        else:
            self._reconnect()
        self._serving.set()

    def _refuse_unserved(self) -> None:
        if self._serving.is_set():
            self.engine.refuse_unserved()


def at_rest(engine: Engine, disk: MemoryDisk) -> bool:
    """Whether nothing goes on before a timer is due or somebody asks for something."""
    return (
        engine.quiet
        and len(disk.outbox) == engine.resting_letters
        and not any(
            row.status in BUSY
            and row.task is None  # it waits for somebody outside
            and not stands_behind(disk.rows, row)
            and not (row.status is Status.QUEUED and engine.held_back(row))
            for row in disk.rows.values()
        )
    )


def stands_behind(rows: Mapping[ExecutionKey, ExecutionRow], row: ExecutionRow) -> bool:
    """Whether an object's method waits for another one of that object."""
    if not row.lane_order or row.status is not Status.QUEUED:
        return False
    lane = object_of(row.key.namespace, row.target)
    return any(
        0 < other.lane_order < row.lane_order
        and not is_end(other.status)
        and object_of(other.key.namespace, other.target) == lane
        for other in rows.values()
    )


class KitLink(EmbeddedLink):
    """A link that can be cut at once and for ever."""

    def __init__(self, coordinator: KitCoordinator) -> None:
        super().__init__(coordinator)
        self._kit = coordinator
        self._cut = False

    def cut(self) -> None:
        """The worker is gone: it hears and says nothing any more."""
        self._closed = self._cut = True
        self._stop_beating_if_cut()

    def hang_up(self) -> None:
        """The engine learns that the worker is gone."""
        self._kit.engine.disconnect(self._session_id)

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """See `EmbeddedLink`; not after the cut. What was sent before arrives."""
        if not self._cut:
            super().send(messages)

    def connect_again(self) -> None:
        """See `EmbeddedLink`; not after the cut."""
        if not self._closed:
            super().connect_again()

    def find_again(self) -> None:
        """The engine crashed and was opened anew; at once, or it would find nobody serve."""
        if not self._closed:
            self._receiver.disconnected(ProtocolError("the coordinator has crashed"))
            self._connect(self._receiver.hello())

    def closed(self, port: Any, reason: str) -> None:
        """See `EmbeddedLink`; after a crash the kit says when there is somebody to connect to."""
        if self._kit.serves:
            super().closed(port, reason)

    def _connect(self, hello: Hello) -> None:
        if not self._cut:
            super()._connect(hello)

    def _beat(self) -> None:
        if not self._cut:
            super()._beat()
            self._stop_beating_if_cut()  # in this very moment, by a fail point

    def _stop_beating_if_cut(self) -> None:
        if self._cut and self._heartbeat is not None:
            self._heartbeat.cancel()

    def _pass_on(self, messages: list[WorkerMessage]) -> None:
        with contextlib.suppress(CoordinatorUnavailableError):  # it has just crashed
            super()._pass_on(messages)

    def _arrive(self, messages: list[CoordinatorMessage]) -> None:
        if not self._cut:
            super()._arrive(messages)


class KitTransport(EmbeddedTransport):
    """A client's way to the engine, which notes what the test waits for."""

    def __init__(
        self, coordinator: KitCoordinator, register: Callable[[StartRequest], None]
    ) -> None:
        super().__init__(coordinator)
        self._kit = coordinator
        self._register = register
        self.awaited: dict[ExecutionKey, int] = {}
        self.alarms: dict[asyncio.Future[None], ExecutionKey] = {}

    async def start(self, request: StartRequest) -> StartReply:
        self._register(request)
        return await super().start(request)

    async def wait(self, namespace: str, id: str) -> Outcome:
        key = ExecutionKey(namespace, id)
        with self._waiting(key):
            waiting = asyncio.ensure_future(super().wait(namespace, id))
            alarm: asyncio.Future[None] = self._kit.loop.create_future()
            self.alarms[alarm] = key
            try:
                await asyncio.wait((waiting, alarm), return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    await alarm
                return await waiting
            finally:
                del self.alarms[alarm]
                waiting.cancel()
                alarm.cancel()

    def raise_alarms(self) -> None:
        """Nobody is about to repair a test's code: who waits for a mismatch hears of it."""
        for alarm, key in self.alarms.items():
            diff = self._kit.blocked(key)
            if diff and not alarm.done():
                alarm.set_exception(JournalMismatchError(diff))

    async def history(
        self, namespace: str, id: str, from_index: int, follow: bool, values_only: bool = False
    ) -> AsyncIterator[Recorded]:
        index = from_index
        with self._waiting(ExecutionKey(namespace, id)) if follow else contextlib.nullcontext():
            while True:
                crashes = await self._kit.serving()
                journal = self._kit.engine.history(namespace, id, index, follow, values_only)
                try:
                    async for recorded in journal:
                        yield recorded
                        index = recorded.index + 1
                    return
                except CoordinatorUnavailableError:
                    if crashes == self._kit.crashes:
                        raise
                finally:
                    await journal.aclose()

    async def watch(self, namespace: str, id: str) -> AsyncIterator[Description]:
        with self._waiting(ExecutionKey(namespace, id)):
            while True:
                crashes = await self._kit.serving()
                states = self._kit.engine.watch(namespace, id)
                try:
                    async for description in states:
                        yield description
                    return
                except CoordinatorUnavailableError:
                    if crashes == self._kit.crashes:
                        raise
                finally:
                    await states.aclose()

    @contextlib.contextmanager
    def _waiting(self, key: ExecutionKey) -> Any:
        self.awaited[key] = self.awaited.get(key, 0) + 1
        try:
            yield
        finally:
            self.awaited[key] -= 1
            if not self.awaited[key]:
                del self.awaited[key]


__all__ = ["CrashPoint", "KitCoordinator", "KitLink", "KitTransport"]
