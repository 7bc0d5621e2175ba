"""The engine of one coordinator: what services and the embedded link call.

It joins the parts and owns their life: open (acquire, recover, start), tick, reload, stop. Every
method is called on the coordinator's loop.

A commit that the store refuses because it is full leaves the memory ahead of the disk. The engine
then drops everything it has in memory, closes the sessions, and begins anew from the disk as a new
owner, as often as it takes: nothing that was answered is lost, what was not is refused. Any other
failed commit ends the process (`on_fatal`): what is on disk is unknown, or not ours any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import time
from collections.abc import AsyncGenerator, Callable, Sequence

from perdure_coordinator.config import Config
from perdure_coordinator.engine.clients import Clients
from perdure_coordinator.engine.clock import Clock, SystemClock, epoch_floor
from perdure_coordinator.engine.committer import unavailable
from perdure_coordinator.engine.describe import Describer
from perdure_coordinator.engine.dispatcher import Dispatcher
from perdure_coordinator.engine.methods import refuse_unknown_methods, refuse_unserved
from perdure_coordinator.engine.recovery import recover
from perdure_coordinator.engine.retention import Retention
from perdure_coordinator.engine.scheduler import Scheduler
from perdure_coordinator.engine.sessions import SessionPort
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.stats import Stats
from perdure_coordinator.engine.tasks import Tasks
from perdure_coordinator.engine.watching import watch
from perdure_coordinator.engine.workers import Workers
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    MethodInfo,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    TaskReply,
    TaskRequest,
    WorkerInfo,
)
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    OverloadedError,
    PerdureError,
)
from perdure_runtime.core.messages import DrainCoordinator, Hello, WorkerMessage
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.rows import ExecutionRow
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import Store, StoreFull

_LOG = logging.getLogger("perdure.coordinator")
TICK_S = 0.5
HOUSEKEEPING_TICKS = 4
EXPIRY_TICKS = 1_000
FAR_MS = 1 << 53
EVENT_EXPIRY_TICKS = 20
EVENTS_EXPIRED_AT_ONCE = 2_000  # a bound on how long commits wait for it
EXPIRIES_AT_ONCE = 25


class Reloading(OverloadedError):
    """The store was full: what was under way is dropped, and nothing of it was written."""


class Engine:
    """A running coordinator without its servers. Made by `open`."""

    def __init__(
        self,
        store: Store,
        config: Config,
        on_fatal: Callable[[BaseException], None],
        make_clock: Callable[[int], Clock],
    ) -> None:
        self._store = store
        self._make_clock = make_clock
        self._config = config
        self._owner = config.owner or f"{platform.node()}:{os.getpid()}"
        self._on_fatal = on_fatal
        self._stats = Stats()
        self._shard: Shard
        self._workers: Workers
        self._describer: Describer
        self._clients: Clients
        self._scheduler: Scheduler
        self._tasks: Tasks
        self._retention: Retention | None = None
        self._ready = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None
        self._reloader: asyncio.Task[None] | None = None
        self._ticks = 0
        self._broken: BaseException | None = None  # what broke the current shard
        self.failure: BaseException | None = None

    @classmethod
    async def open(
        cls,
        store: Store,
        config: Config | None = None,
        on_fatal: Callable[[BaseException], None] = lambda error: os._exit(70),
        make_clock: Callable[[int], Clock] = SystemClock,
    ) -> Engine:
        """Become the store's owner, recover what an earlier one left, start.

        Args:
            on_fatal: called when what is on disk is unknown or another owner took over; the
                process must end (architecture, section 3). Ends it by default.
            make_clock: gets the persisted maximum in milliseconds; its clock starts there or later.
        """
        engine = cls(store, config or Config(), on_fatal, make_clock)
        try:
            await engine._begin()
        except BaseException:
            if engine._broken is not None:
                await engine._drop(engine._shard, unavailable(engine._broken), "not opened")
            raise
        engine._ticker = asyncio.get_running_loop().create_task(engine._tick(), name="perdure-tick")
        return engine

    # --- workers -------------------------------------------------------------------------------

    def connect(self, port: SessionPort, hello: Hello) -> str:
        """A worker's stream began with this Hello; returns the session's id.

        Raises:
            CoordinatorUnavailableError: the engine reloads or has stopped; connect again.
        """
        if not self._ready.is_set():
            raise CoordinatorUnavailableError("the coordinator is not ready; connect again")
        return self._workers.connect(port, hello)

    def receive(self, session_id: str, messages: Sequence[WorkerMessage]) -> None:
        """A frame of a worker.

        Raises:
            CoordinatorUnavailableError: the session is over; its stream must end.
            ProtocolError: the worker does not keep to the protocol.
        """
        if not self._ready.is_set():
            raise CoordinatorUnavailableError("this session is over; connect again")
        self._workers.receive(session_id, messages)

    def heartbeat(self, session_id: str) -> None:
        """The stream of the session is being read; silence does not count meanwhile."""
        session = self._shard.sessions.by_id.get(session_id)
        if session is not None:
            session.seen_s = time.monotonic()

    def disconnect(self, session_id: str) -> None:
        """A worker's stream broke."""
        if self._ready.is_set():
            self._workers.disconnect(session_id)

    def list_workers(self, namespace: str) -> list[WorkerInfo]:
        """The connected workers of a namespace."""
        return self._describer.workers(namespace)

    def list_methods(self, namespace: str) -> list[MethodInfo]:
        """Every method that was ever registered, with how many workers offer it now."""
        return self._describer.methods(namespace)

    # --- clients: see `Clients` ----------------------------------------------------------------

    async def start(self, request: StartRequest) -> StartReply:
        """Start an execution or attach to it."""
        return await self._asking().start(request)

    async def start_batch(self, batch: list[StartRequest]) -> list[StartReply | PerdureError]:
        """Several starts in one commit; each has its own answer."""
        return await self._asking().start_batch(batch)

    async def wait(self, namespace: str, id: str) -> Outcome:
        """The outcome, as soon as there is one; a reload only delays it."""
        while True:
            try:
                return await self._asking().wait(namespace, id)
            except Reloading:
                await self._ready.wait()

    async def describe(self, namespace: str, id: str) -> Description:
        """What is known of an execution now."""
        return await self._asking().describe(namespace, id)

    async def list(self, request: ListRequest) -> ListReply:
        """A page of executions, newest first."""
        return await self._asking().list(request)

    async def history(
        self,
        namespace: str,
        id: str,
        from_index: int = 0,
        follow: bool = False,
        values_only: bool = False,
    ) -> AsyncGenerator[Recorded, None]:
        """The journal in index order; with `follow`, also what comes until the execution ends."""
        index = max(0, from_index)
        while True:
            try:
                async with contextlib.aclosing(
                    self._asking().history(namespace, id, index, follow, values_only)
                ) as journal:
                    async for recorded in journal:
                        yield recorded
                        index = recorded.index + 1
                return
            except Reloading:
                await self._ready.wait()

    async def watch(self, namespace: str, id: str) -> AsyncGenerator[Description, None]:
        """What `describe` says, now and after each change, until the execution has ended."""
        while True:
            try:
                states = watch(self._shard, self._asking().describe, namespace, id)
                async with contextlib.aclosing(states):
                    async for description in states:
                        yield description
                return
            except Reloading:
                await self._ready.wait()

    async def read_state(self, namespace: str, id: str) -> dict[str, Payload]:
        """`ctx.state` as it is on disk."""
        return await self._asking().read_state(namespace, id)

    async def read_object_state(self, namespace: str, class_name: str, key: str) -> Payload:
        """The last committed state of a durable object."""
        return await self._asking().read_object_state(namespace, class_name, key)

    async def control(self, request: ControlRequest) -> ControlReply:
        """Cancel, retry, pause, resume or delete; one result per id."""
        return await self._asking().control(request)

    async def send_event(self, request: SendEventRequest) -> SendEventReply:
        """Put an event into its mailbox."""
        return await self._asking().send_event(request)

    async def settle_promise(self, request: SettlePromiseRequest) -> SettlePromiseReply:
        """Complete or fail a promise, or keep it alive."""
        return await self._asking().settle_promise(request)

    async def update_tasks(self, request: TaskRequest) -> TaskReply:
        """One operation on several tasks; one result per id."""
        self._asking()
        return await self._tasks.update(request)

    async def claim_task(self, request: ClaimRequest) -> ClaimReply:
        """The next task of some queues, when there is one; a reload only delays it."""
        while True:
            try:
                self._asking()
                return await self._tasks.claim(request)
            except Reloading:
                await self._ready.wait()

    async def schedule(self, request: ScheduleRequest) -> ScheduleReply:
        """Create, describe, list, pause, resume or delete schedules."""
        self._asking()
        return await self._scheduler.request(request)

    def _asking(self) -> Clients:
        if self.failure is not None:
            raise unavailable(self.failure)
        if self._ready.is_set():
            failpoint("after-request")
            return self._clients
        if self._reloader is not None:
            raise Reloading("the store is full: the coordinator refuses work until it has room")
        raise CoordinatorUnavailableError("the coordinator stopped; the execution goes on later")

    # --- pressure and state --------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        """Counters since the start."""
        return self._stats

    @property
    def congested(self) -> bool:
        """Whether services have to stop reading from their streams."""
        return self._shard.committer.congested

    async def room(self) -> None:
        """Wait until the pending queue is below its bound."""
        await self._shard.committer.room()

    async def flushed(self) -> None:
        """Wait until everything decided so far is on disk."""
        await self._shard.committer.flushed()

    def gauges(self) -> dict[str, float]:
        """What is so now, by name. May be called on any thread."""
        shard = self._shard
        sessions = list(shard.sessions.by_id.values())
        return {
            "peak_pending_bytes": self._stats.peak_pending_bytes,
            "pending_bytes": shard.committer.pending_bytes,
            "resident_executions": len(shard.executions),
            "queued_executions": shard.dispatcher.waiting,
            "sessions": sum(session.connected for session in sessions),
            "slots": sum(session.slots for session in sessions if session.connected),
            "slots_used": sum(len(session.active) for session in sessions),
        }

    @property
    def epoch(self) -> int:
        """Of the ownership of the store."""
        return self._shard.epoch

    def resident(self) -> int:
        """How many executions are in memory."""
        return len(self._shard.executions)

    @property
    def quiet(self) -> bool:
        """Whether nothing is being decided, written or loaded: who waits, waits for others."""
        return self._ready.is_set() and self._shard.quiet and not self._workers.busy

    def held_back(self, row: ExecutionRow) -> bool:
        """Whether a queued execution waits for a place, which only others or time can give it."""
        return bool(self._shard.places.waiting_for(row))

    @property
    def resting_letters(self) -> int:
        """Letters that stay in the outbox until the execution ends that a call attached to."""
        attached = self._shard.mail.attached if self._ready.is_set() else {}
        return sum(map(len, attached.values()))

    def next_tick_ms(self) -> int | None:
        """When the next timer is due that no store has: of a schedule, or of a rate."""
        sources = self._shard.timers.sources if self._ready.is_set() else ()
        due = (timer.due_ms for source in sources for timer in source(FAR_MS))
        return min(due, default=None)

    def refuse_unserved(self) -> None:
        """Fail what is queued for services that nobody offers now, instead of waiting for one."""
        if self._ready.is_set():
            refuse_unserved(self._shard, self._workers)

    # --- life ----------------------------------------------------------------------------------

    async def stop(self, grace_s: float = 5.0) -> None:
        """Stop accepting, tell the workers, commit, close the store. Twice is once."""
        if self._ticker is None:
            return
        ticker, self._ticker = self._ticker, None
        ticker.cancel()
        failpoint("shutdown")
        if self._reloader is not None:
            self._reloader.cancel()
            await asyncio.gather(self._reloader, return_exceptions=True)
            self._reloader = None
        shard, was_ready = self._shard, self._ready.is_set()
        self._ready.clear()
        for session in shard.sessions.by_id.values():
            shard.send(session, [DrainCoordinator()])
        if was_ready:
            await shard.timers.stop()
            await shard.mailboxes.stop()
            failpoint("shutdown")
            with contextlib.suppress(Exception):
                async with asyncio.timeout(grace_s):
                    await shard.committer.flushed()
            await self._workers.stop()
            await shard.loader.stop()
            await shard.objects.states.stop()
            await shard.committer.stop()
        error = CoordinatorUnavailableError("the coordinator stopped; the execution goes on later")
        await self._drop(shard, error, "the coordinator stops")
        self._wake_waiting()
        failpoint("shutdown")
        await self._store.close()

    async def _begin(self) -> None:
        """Own the store and take up what is on disk."""
        floor = epoch_floor() if self._make_clock is SystemClock else 0
        ownership = await self._store.acquire(self._owner, floor)
        shard = Shard(
            self._store,
            self._config,
            ownership,
            self._stats,
            self._make_clock(ownership.clock_ms),
            lambda error: self._failed(shard, error),
        )
        workers = Workers(shard, self._owner)
        shard.dispatcher = Dispatcher(shard.sessions, workers.grant, shard.places)
        self._shard, self._workers, self._broken = shard, workers, None
        self._describer = Describer(shard, workers)
        self._clients = Clients(shard, self._describer)
        self._scheduler = Scheduler(shard)
        self._tasks = Tasks(shard)
        shard.committer.start()
        await recover(shard, workers)
        await self._scheduler.recover()
        self._retention = Retention(shard)
        if self._broken is not None:
            raise self._broken
        shard.timers.start()
        self._retention.start()
        self._ready.set()

    def _failed(self, shard: Shard, error: BaseException) -> None:
        """Something of this shard broke: go on from the disk, or end."""
        if shard is not self._shard or self._broken is not None:
            return
        self._broken = error
        if self._ready.is_set() and isinstance(error, StoreFull):
            self._ready.clear()
            _LOG.error("the store is full, the coordinator reloads: %s", error)
            loop = asyncio.get_running_loop()
            self._reloader = loop.create_task(self._reload(error), name="perdure-reload")
        elif self._ready.is_set():
            self._end(error)

    def _end(self, error: BaseException) -> None:
        self.failure = error
        self._wake_waiting()
        _LOG.critical("the coordinator ends: %s: %s", type(error).__name__, error)
        loop = asyncio.get_running_loop()
        dropping = self._drop(self._shard, unavailable(error), "the coordinator ends")
        self._reloader = loop.create_task(dropping, name="perdure-end")
        self._on_fatal(error)

    async def _reload(self, error: BaseException) -> None:
        """Begin anew from the disk, as soon as the store has room again."""
        refused = Reloading(f"nothing was written: {error}")
        await self._drop(self._shard, refused, "the coordinator reloads; connect again")
        while True:
            await asyncio.sleep(self._config.reload_ms / 1000)
            try:
                await self._begin()
            except StoreFull:
                await self._drop(self._shard, refused, "the coordinator reloads; connect again")
            except Exception as fatal:
                self._end(fatal)
                return
            else:
                self._stats.reloads += 1
                self._reloader = None
                return

    def _wake_waiting(self) -> None:
        """Not ready, and not to become so: whoever waits for it looks again and sees why."""
        self._ready.set()
        self._ready.clear()

    async def _drop(self, shard: Shard, error: PerdureError, reason: str) -> None:
        if self._retention is not None:
            await self._retention.stop()
        await self._workers.stop()
        await shard.abandon(error)
        for session in list(shard.sessions.by_id.values()):
            session.port.close(reason)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            if not self._ready.is_set():
                continue
            try:
                self._ticks += 1
                if not self.congested:
                    self._workers.expire(time.monotonic())
                refuse_unknown_methods(self._shard, self._workers)
                self._shard.committer.kick()
                if self._ticks % HOUSEKEEPING_TICKS == 0:
                    await self._store.checkpoint()
                if self._ticks % EXPIRY_TICKS == 0:
                    await self._store.expire_requests(self._shard.clock.now_ms())
                if self._ticks % EVENT_EXPIRY_TICKS == 0:
                    await self._expire_events()
            except Exception:
                _LOG.exception("housekeeping failed; it is tried again")

    async def _expire_events(self) -> None:
        """Remove what mailboxes need not keep, in transactions that commits can pass between."""
        now_ms = self._shard.clock.now_ms()
        for _ in range(EXPIRIES_AT_ONCE):
            removed = await self._store.expire_events(now_ms, EVENTS_EXPIRED_AT_ONCE)
            if removed < EVENTS_EXPIRED_AT_ONCE:
                return
