"""Workers: sessions come, go and come back; leases are granted, adopted and lost."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import count
from typing import Any, Final

from perdure_coordinator.engine.adoption import intact, lost
from perdure_coordinator.engine.catalog import Catalog
from perdure_coordinator.engine.dispatcher import Granted
from perdure_coordinator.engine.sessions import Session, SessionPort
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.unblocking import resume_blocked
from perdure_runtime.core import requests
from perdure_runtime.core.effects import Decision, Enqueue
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    InvalidTransitionError,
    ProtocolError,
    SerializationError,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, make_epoch
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import (
    Activate,
    Adopt,
    Append,
    Cached,
    DrainWorker,
    Evict,
    Finish,
    Heartbeat,
    Hello,
    Journal,
    MethodSpec,
    Mismatch,
    Release,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.core.rows import last_progress
from perdure_runtime.core.version import negotiate
from perdure_runtime.failpoints import failpoint
from perdure_runtime.integrity import JournalCheck
from perdure_runtime.storage import StoredEntry
from perdure_runtime.wire.v1.entries import decode_entry
from perdure_runtime.wire.v1.pages import StoredPage

_LOG = logging.getLogger("perdure.coordinator")

ADOPT_BYTES: Final = 16 * 1024 * 1024
FREE_RELEASES: Final = 3  # at one place of the journal, before the first delay
RELEASE_DELAY_S: Final = 0.1
MAX_RELEASE_DELAY_S: Final = 5.0
MAX_RELEASES: Final = 10_000


class Workers:
    """The engine's side of every worker session."""

    def __init__(self, shard: Shard, coordinator_id: str) -> None:
        self._shard = shard
        self._coordinator_id = coordinator_id
        self._counter = count(1)
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._expired: dict[str, Session] = {}  # silent too long; their streams are still open
        self._adopting: Counter[ExecutionKey] = Counter()  # whether a worker keeps it is undecided
        self._releases: dict[ExecutionKey, tuple[int, int]] = {}  # journal length, how often
        self.catalog = Catalog()
        shard.release_slot = self._count_slot
        shard.objects.spec_of = self.catalog.spec_of
        self.catalog.on_changed = self._learn_limits
        shard.timers.sources.append(shard.places.near)

    # --- sessions ------------------------------------------------------------------------------

    def connect(self, port: SessionPort, hello: Hello) -> str:
        """Register a worker and queue its `Welcome`.

        Raises:
            ProtocolError: no common protocol version.
            InvalidArgumentError: a bad name, or the same method twice.
        """
        protocol = negotiate(hello.protocol_min, hello.protocol_max)
        self.catalog.check(hello)
        shard, now_s = self._shard, time.monotonic()
        session = Session(uuid.uuid4().hex, port, hello, now_s)
        earlier = shard.sessions.of_worker(hello.namespace, hello.worker_id)
        shard.sessions.add(session, now_s)
        config = shard.config
        welcome = Welcome(
            session.id,
            protocol,
            self._coordinator_id,
            config.lease_ms,
            config.resume_ms,
            shard.clock.now_ms(),
        )
        shard.pending.message(session.id, welcome)
        shard.pending.batch.catalog += self.catalog.register(hello)
        for cached in hello.cached:
            self._adopting[cached.key] += 1
            self._spawn(self._adopt(session, cached))
        kept = {cached.key for cached in hello.cached}
        for old in earlier:
            self._hand_over(old, kept)
        shard.stats.sessions_opened += 1
        shard.stats.reconnects += bool(earlier or hello.cached)
        if not earlier:
            self._spawn(resume_blocked(shard, session))
        shard.committer.kick()
        return session.id

    def receive(self, session_id: str, messages: Sequence[WorkerMessage]) -> None:
        """Apply what a worker sent."""
        failpoint("after-receive")
        session = self._shard.sessions.by_id.get(session_id)
        if session is None:
            self._stale(session_id, messages)
            return
        session.seen_s = time.monotonic()
        try:
            for message in messages:
                self._message(session, message)
        finally:
            self._shard.committer.kick()

    def disconnect(self, session_id: str) -> None:
        """The stream broke: the worker may come back within `resume_ms`."""
        self._expired.pop(session_id, None)
        session = self._shard.sessions.by_id.get(session_id)
        if session is None or not session.connected:
            return
        session.connected = False
        if not session.leases:
            self._lost(session)
            return
        self._lose_later(session)

    def expire(self, now_s: float) -> None:
        """Take the leases of workers that have been silent for longer than one.

        Their streams stay open, so that what such a worker still appends is seen and rejected; it
        is told to connect again when it is heard.
        """
        lease_s = self._shard.config.lease_ms / 1000
        for session in list(self._shard.sessions.by_id.values()):
            if session.connected and now_s - session.seen_s > lease_s:
                _LOG.warning("worker %s is silent: its leases end", session.worker_id)
                self._lost(session)
                self._expired[session.id] = session

    def _stale(self, session_id: str, messages: Sequence[WorkerMessage]) -> None:
        """A session that is over speaks: nothing of it counts.

        A worker that was stopped and goes on beats first: what it has to append comes next, and is
        to be seen and counted. Its second beat ends the stream, and it connects again.
        """
        for message in messages:
            self._count_stale(message)
        woken = self._expired.pop(session_id, None) is not None
        if not woken or not all(isinstance(message, Heartbeat) for message in messages):
            raise CoordinatorUnavailableError("this session is over; connect again")

    def _hand_over(self, old: Session, kept: set[ExecutionKey]) -> None:
        """The worker is back on a new stream: what it no longer holds is lost now.

        By key: it may not have heard of the epoch that an adoption gave to what it holds.
        """
        for epoch, key in list(old.leases.items()):
            if key not in kept:
                old.leases.pop(epoch)
                self._lease_lost(key, epoch)
        old.connected = False
        old.port.close("the worker connected again")
        if old.leases:
            self._lose_later(old)  # adoption takes them over meanwhile
        else:
            self._remove(old)

    def later(self, name: str, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a while, unless it is cancelled under this name or all stops."""
        if name not in self._later:
            self._later[name] = asyncio.get_running_loop().call_later(delay_s, action)

    def _lose_later(self, session: Session) -> None:
        delay_s = self._shard.config.resume_ms / 1000
        self.later(session.id, delay_s, lambda: self._lost(session))

    def _lost(self, session: Session) -> None:
        if session.leases:
            self._shard.stats.sessions_lost += 1
        for epoch, key in list(session.leases.items()):
            self._lease_lost(key, epoch)
        session.leases.clear()
        session.active.clear()
        self._remove(session)
        self._shard.committer.kick()

    def _remove(self, session: Session) -> None:
        handle = self._later.pop(session.id, None)
        if handle is not None:
            handle.cancel()
        session.connected = False
        self._shard.sessions.remove(session, time.monotonic())

    def _lease_lost(self, key: ExecutionKey, epoch: int) -> None:
        execution = self._shard.executions.get(key)
        if execution is None or execution.epoch != epoch:
            return
        execution.epoch = 0
        execution.session_id = ""
        config = self._shard.config
        decision = requests.lease_lost(execution, config.max_crashes, self._shard.clock.now_ms())
        self._shard.decided(execution, decision)

    def _learn_limits(self, namespace: str, spec: MethodSpec) -> None:
        self._shard.places.learn(namespace, spec)
        self._shard.dispatcher.sort_anew((namespace, spec.service, spec.method))

    # --- messages ------------------------------------------------------------------------------

    def _message(self, session: Session, message: WorkerMessage) -> None:
        match message:
            case Append() | Finish() | Mismatch() | Release():
                execution = self._holder(session, message.epoch)
                if execution is None:
                    self._count_stale(message)
                    self._shard.pending.message(session.id, Evict(message.epoch, "stale epoch"))
                else:
                    self._for_execution(execution, message)
            case Heartbeat():
                pass
            case DrainWorker():
                session.draining = True
            case Hello():
                raise ProtocolError("a session starts with one Hello; this is the second")

    def _for_execution(
        self, execution: Execution, message: Append | Finish | Mismatch | Release
    ) -> None:
        shard = self._shard
        now_ms = shard.clock.now_ms()
        try:
            match message:
                case Append():
                    decision = requests.append(execution, message, now_ms, random.random())
                case Finish():
                    sequence = shard.mailboxes.last_sequence
                    decision = requests.finish(
                        execution, message, now_ms, random.random(), sequence
                    )
                case Mismatch():
                    shard.stats.mismatches += 1
                    decision = requests.mismatch(execution, message.diff, now_ms)
                case Release():
                    decision = self._released(execution)
            shard.decided(execution, decision)
        except (ProtocolError, SerializationError, InvalidTransitionError) as error:
            # Nothing was changed. It counts as a crash, so that a broken worker is not given the
            # same execution for ever.
            _LOG.warning("%s; the execution is taken from this worker", error)
            max_crashes = shard.config.max_crashes
            shard.decided(
                execution, requests.lease_lost(execution, max_crashes, now_ms, str(error))
            )

    def _released(self, execution: Execution) -> Decision:
        """A worker gives an execution back; one that does so again and again waits in between."""
        key, length, was_running = execution.key, execution.length, _is_running(execution)
        decision = requests.release(execution)
        if not was_running:
            return decision
        before, times = self._releases.get(key, (length, 0))
        times = times + 1 if before == length else 1
        if len(self._releases) > MAX_RELEASES:
            self._releases.clear()
        self._releases[key] = (length, times)
        if times <= FREE_RELEASES:
            return decision
        decision.effects = [e for e in decision.effects if not isinstance(e, Enqueue)]
        delay_s = min(RELEASE_DELAY_S * 2 ** (times - FREE_RELEASES - 1), MAX_RELEASE_DELAY_S)
        name = f"release {key.namespace} {key.id}"
        self.later(name, delay_s, lambda: self._enqueue_released(name, key))
        return decision

    def _enqueue_released(self, name: str, key: ExecutionKey) -> None:
        self._later.pop(name, None)
        self._shard.submit(key, self._enqueue)
        self._shard.committer.kick()

    def _enqueue(self, execution: Execution | None) -> None:
        if execution is not None and execution.row.status is Status.QUEUED:
            self._shard.objects.enqueue(execution)

    def _holder(self, session: Session, epoch: int) -> Execution | None:
        key = session.leases.get(epoch)
        execution = self._shard.executions.get(key) if key is not None else None
        return execution if execution is not None and execution.epoch == epoch else None

    def _count_stale(self, message: WorkerMessage) -> None:
        if isinstance(message, Heartbeat):
            return
        self._shard.stats.stale_messages += 1
        if isinstance(message, Append):
            self._shard.stats.stale_commands += len(message.commands)

    # --- leases --------------------------------------------------------------------------------

    def grant(self, key: ExecutionKey, session: Session) -> Granted:
        """Hand a queued execution to a session; the dispatcher calls it."""
        shard = self._shard
        execution = shard.executions.get(key)
        if key in shard.quarantine:
            return Granted.GONE
        if execution is None:
            arrived = partial(shard.dispatcher.loaded, key)
            shard.submit(key, lambda _: arrived(), lambda _: arrived())
            return Granted.LOADING
        target = execution.row.target
        spec = session.methods.get((target.service, target.method))
        if execution.row.status is not Status.QUEUED or spec is None or key in self._adopting:
            return Granted.GONE  # what no worker keeps is queued again
        if execution.attempt_open and execution.row.build_id not in ("", session.build_id):
            same = self._of_its_build(execution)
            if same is not None and not same.free_slots:
                return Granted.LATER
            session = same or session
            spec = session.methods[target.service, target.method]
        object_state = None
        if not execution.attempt_open:
            not_now = shard.objects.may_begin(execution, spec)
            if not_now is not None:
                return not_now
            object_state = shard.objects.state_for(execution, spec)
        now_ms = shard.clock.now_ms()
        decision = requests.grant(execution, spec, session.build_id, now_ms, object_state)
        if shard.places.take(execution.row):
            decision.changes["has_place"] = True
        self._count_activation(execution, attempt_starts=bool(decision.entries))
        epoch = self._lease(execution, session)
        shard.decided(execution, decision)
        fresh = shard.fresh.pop(key, None)
        if fresh is not None:
            shard.pending.message(
                session.id, self._activate(execution, spec, epoch, tuple(fresh), more=False)
            )
        else:
            shard.paging[epoch] = []
            self._spawn(self._send_journal(session, execution, spec, epoch, execution.length))
        return Granted.TAKEN

    def _of_its_build(self, execution: Execution) -> Session | None:
        """The least busy live worker of the build that an open attempt began on: code that differs
        may not fit its journal. None: no such worker is left, any other may have it."""
        target, namespace = execution.row.target, execution.key.namespace
        same = [
            session
            for session in self._shard.sessions.offering(namespace, target.service, target.method)
            if session.build_id == execution.row.build_id
            and session.connected
            and not session.draining
        ]
        return max(same, key=lambda session: session.free_slots, default=None)

    def _count_activation(self, execution: Execution, attempt_starts: bool) -> None:
        stats, row = self._shard.stats, execution.row
        stats.activations += 1
        if attempt_starts:
            queued_ms = max(row.updated_ms, row.created_ms, row.due_ms)
            waited_ms = max(0, self._shard.clock.now_ms() - queued_ms)
            stats.schedule_to_start_seconds.observe(waited_ms / 1000)
        else:
            stats.replays += 1
            stats.replayed_entries += execution.length

    def _lease(self, execution: Execution, session: Session) -> int:
        epoch = make_epoch(self._shard.epoch, next(self._counter))
        execution.epoch = epoch
        execution.session_id = session.id
        session.leases[epoch] = execution.key
        return epoch

    def _activate(
        self,
        execution: Execution,
        spec: MethodSpec,
        epoch: int,
        entries: tuple[Recorded, ...],
        more: bool,
    ) -> Activate:
        row = execution.row
        return Activate(
            epoch,
            row.key,
            row.run,
            row.attempt,
            row.target,
            spec.kind,
            entries,
            more,
            execution.patches,
            last_progress(row),
        )

    async def _send_journal(
        self,
        session: Session,
        execution: Execution,
        spec: MethodSpec,
        epoch: int,
        upto: int,
    ) -> None:
        """Send the journal from the store page by page; news in the meantime waits for its end."""
        shard, first = self._shard, execution.row.run_index
        check = JournalCheck(first)
        await shard.committer.flushed()
        while check.index < upto:
            page = min(shard.config.page_entries, upto - check.index)
            index = max(first, check.index)
            entries = await intact(shard.store, execution.key, check, page, shard.config.page_bytes)
            if execution.epoch != epoch:
                break
            if check.problem:
                shard.quarantine.take(execution, check.problem)
                break
            if not entries:
                continue  # it held what stands before the run
            more = check.index < upto
            head: Activate | Journal = (
                self._activate(execution, spec, epoch, (), more)
                if index == first
                else Journal(epoch, (), more)
            )
            shard.send_page(session, StoredPage(head, entries))
        held = shard.paging.pop(epoch, [])
        if held and execution.epoch == epoch:
            shard.send(session, held)

    async def _adopt(self, session: Session, cached: Cached) -> None:
        """Let a reconnected worker keep an execution, or have it dispatched as any other.

        Until that is decided nobody is granted it: the worker would run its steps twice.
        """
        await self._try_to_adopt(session, cached)
        self._adopting[cached.key] -= 1
        if not self._adopting[cached.key]:
            del self._adopting[cached.key]
        self._shard.submit(cached.key, self._enqueue)  # it may have left the memory meanwhile
        self._shard.committer.kick()

    async def _try_to_adopt(self, session: Session, cached: Cached) -> None:
        """Adopt it if nobody else has got it meanwhile, otherwise evict it."""
        shard = self._shard
        execution = await self._loaded(cached.key)
        if execution is not None:
            await shard.committer.flushed()
            problem = await lost(shard, execution, cached)
            if problem and shard.executions.get(cached.key) is execution:
                shard.quarantine.take(execution, problem)
                execution = None
        while execution is not None and self._may_adopt(session, execution, cached):
            await shard.committer.flushed()
            length, check = execution.length, JournalCheck(cached.last_index + 1)
            entries = await intact(shard.store, cached.key, check, None, ADOPT_BYTES)
            if shard.executions.get(cached.key) is not execution:  # forgotten meanwhile
                execution = await self._loaded(cached.key)
            elif execution.length == length and check.problem:
                shard.quarantine.take(execution, check.problem)
                execution = None
            elif execution.length == length:
                whole = cached.last_index + 1 + len(entries) >= length
                if not whole or not self._may_adopt(session, execution, cached):
                    break  # what it missed is too much for one message: it is replayed by pages
                self._take_over(session, execution, cached, _decode(entries))
                return
        if execution is not None and execution.epoch == cached.epoch:
            # The worker and the journal do not fit: nobody holds it now.
            holder = shard.sessions.by_id.get(execution.session_id)
            if holder is not None:
                self._leave(holder, execution)
            self._lease_lost(cached.key, cached.epoch)
        shard.pending.message(session.id, Evict(cached.epoch, "another worker has it"))

    async def _loaded(self, key: ExecutionKey) -> Execution | None:
        future: asyncio.Future[Execution | None] = self._shard.future()

        def found(execution: Execution | None) -> None:
            if not future.done():
                future.set_result(execution)

        self._shard.submit(key, found, lambda _: found(None))
        return await future

    def _leave(self, holder: Session, execution: Execution) -> None:
        holder.leases.pop(execution.epoch, None)
        holder.active.discard(execution.epoch)
        if not holder.connected and not holder.leases:
            self._remove(holder)

    def _may_adopt(self, session: Session, execution: Execution, cached: Cached) -> bool:
        holder = self._shard.sessions.by_id.get(execution.session_id)
        free = not execution.epoch or (holder is not None and holder.worker_id == session.worker_id)
        return (
            free
            and session.id in self._shard.sessions.by_id
            and execution.attempt_open
            and execution.attempt == cached.attempt
            and execution.row.run == cached.run
            and cached.last_index < execution.length
            and execution.row.status in (Status.QUEUED, Status.RUNNING, Status.SUSPENDED)
        )

    def _take_over(
        self,
        session: Session,
        execution: Execution,
        cached: Cached,
        missed: tuple[Recorded, ...],
    ) -> None:
        """Commands among what was missed are sent as entries, not as acknowledgements: another
        worker may have recorded them in between, in another order and with other results."""
        shard = self._shard
        holder = shard.sessions.by_id.get(execution.session_id)
        if holder is not None:
            self._leave(holder, execution)
        epoch = self._lease(execution, session)
        shard.stats.adoptions += 1
        shard.decided(execution, requests.adopt(execution))
        self._count_slot(execution)
        shard.pending.message(session.id, Adopt(cached.epoch, epoch, missed))
        shard.fresh.pop(execution.key, None)

    def _count_slot(self, execution: Execution) -> None:
        session = self._shard.sessions.by_id.get(execution.session_id)
        if session is None or not execution.epoch:
            return
        if execution.row.status is Status.RUNNING:
            session.active.add(execution.epoch)
        else:
            session.active.discard(execution.epoch)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._shard.fail(error)

    @property
    def busy(self) -> bool:
        """Whether something is under way that is not in any batch yet."""
        return bool(self._tasks)

    async def stop(self) -> None:
        """Cancel what is under way."""
        for handle in self._later.values():
            handle.cancel()
        self._later.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _decode(stored: Sequence[StoredEntry]) -> tuple[Recorded, ...]:
    return tuple(Recorded(e.index, e.time_ms, decode_entry(e.data)) for e in stored)


def _is_running(execution: Execution) -> bool:
    return execution.row.status is Status.RUNNING
