"""A shard: the executions in memory, and the one way to change them.

`decided` records a decision: entries get their places, the state evolves, the row and the effects
join the pending batch. An effect on another execution is applied in the same batch when that one
is in memory; otherwise it is written to the outbox in the same transaction and delivered after the
load (see ARCHITECTURE.md: nothing is lost between two executions).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from perdure_coordinator.config import Config
from perdure_coordinator.engine.clock import Clock
from perdure_coordinator.engine.committer import Committer
from perdure_coordinator.engine.dependants import Dependants
from perdure_coordinator.engine.dispatcher import Dispatcher
from perdure_coordinator.engine.letters import Letter
from perdure_coordinator.engine.loader import Loader
from perdure_coordinator.engine.mail import Mail
from perdure_coordinator.engine.mailboxes import Mailboxes
from perdure_coordinator.engine.objects import Objects
from perdure_coordinator.engine.pending import Pending
from perdure_coordinator.engine.places import Places
from perdure_coordinator.engine.quarantine import Quarantine
from perdure_coordinator.engine.sessions import Session, Sessions
from perdure_coordinator.engine.spans import tell
from perdure_coordinator.engine.stats import Stats
from perdure_coordinator.engine.timers import Timers
from perdure_coordinator.engine.work_queues import WorkQueues
from perdure_runtime.core import effects as fx
from perdure_runtime.core import requests
from perdure_runtime.core.client import Outcome
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import DataLossError, SerializationError
from perdure_runtime.core.execution import Execution, apply, evolve
from perdure_runtime.core.ids import ExecutionKey, next_chain
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.messages import Ack, CoordinatorMessage, Entries, Evict
from perdure_runtime.core.requests.wake import outcome_of
from perdure_runtime.core.rows import Timer, TimerKey, TimerKind
from perdure_runtime.core.spans import spans_of
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import Ownership, Store, StoredEntry
from perdure_runtime.wire.v1.entries import encode_entry
from perdure_runtime.wire.v1.pages import StoredPage

_LOG = logging.getLogger("perdure.coordinator")


PLACELESS: Final = frozenset({*filter(is_end, Status), Status.PAUSED, Status.BLOCKED})
Action = Callable[[Execution | None], None]
Refusal = Callable[[DataLossError], None]


class Shard:
    """State and effects; the callers are `Workers`, `Clients`, timers and recovery."""

    _abandoned: BaseException | None = None

    def __init__(
        self,
        store: Store,
        config: Config,
        ownership: Ownership,
        stats: Stats,
        clock: Clock,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.store = store
        self.config = config
        self.epoch = ownership.epoch
        self.clock = clock
        self.stats = stats
        self.fail = fail  # what is in memory cannot be relied on any more
        self.sessions = Sessions()
        self.executions: dict[ExecutionKey, Execution] = {}
        self.fresh: dict[ExecutionKey, list[Recorded]] = {}
        self.touched: dict[ExecutionKey, int] = {}  # serial of the last batch with the execution
        self.waiters: dict[ExecutionKey, list[asyncio.Future[Outcome]]] = {}
        self.followers: dict[ExecutionKey, list[asyncio.Event]] = {}
        self.watchers: dict[ExecutionKey, list[asyncio.Event]] = {}
        self.paging: dict[int, list[CoordinatorMessage]] = {}  # epochs whose journal is being sent
        self.release_slot: Callable[[Execution], None] = lambda execution: None
        self.on_ended: Callable[[ExecutionKey], None] = lambda key: None
        self.on_schedule: Callable[[Timer], None] = lambda timer: None
        self._asked: set[asyncio.Future[Any]] = set()
        self.finished: deque[ExecutionKey] = deque()  # with an outcome and in memory; oldest first
        self.runs_over: dict[ExecutionKey, int] = {}  # journals to trim, and before which index
        self._forget_above = config.max_resident
        self.loader = Loader(self)
        self.quarantine = Quarantine(self)
        self.objects = Objects(self)
        self.work_queues = WorkQueues(self)
        self.dependants = Dependants(self)
        self.opened_ms = clock.now_ms()
        self.mail = Mail(self, ownership.next_outbox_id)
        self.mailboxes = Mailboxes(self, ownership.next_event)
        self.timers = Timers(store, self.clock, config.timer_horizon_ms, self._timers_due, fail)
        self.places = Places(self.clock, self.timers.set)
        self.dispatcher: Dispatcher
        self.committer = Committer(
            store,
            self.epoch,
            self.clock,
            self.stats,
            config.pending_limit_bytes,
            before=lambda: self.dispatcher.pump(),
            release=self._release,
            failed=fail,
        )
        self._effects: dict[type[fx.Effect], Callable[..., None]] = {
            fx.Acknowledge: self._acknowledge,
            fx.Deliver: self._deliver,
            fx.SetTimer: self._set_timer,
            fx.ClearTimer: self._clear_timer,
            fx.ClearTimers: self._clear_timers,
            fx.StartChild: self._send,
            fx.CancelChild: self._send,
            fx.CompleteCall: self._send,
            fx.EndLease: self._end_lease,
            fx.Enqueue: self._enqueue,
            fx.Subscribe: self.mailboxes.subscribe,
            fx.LookForEvents: self.mailboxes.look_for,
            fx.StoreEvent: self.mailboxes.store_event,
            fx.SaveObject: self._save_object,
            fx.EndRuns: self._end_runs,
            fx.AwaitEnds: self.dependants.watch,
            fx.Ended: self._ended,
        }

    # --- the way in ----------------------------------------------------------------------------

    @property
    def pending(self) -> Pending:
        """The batch in the making."""
        return self.committer.pending

    @property
    def quiet(self) -> bool:
        """Whether nothing is to be written, released or loaded."""
        return self.pending.empty and not self.loader.waiting

    def submit(self, key: ExecutionKey, action: Action, damaged: Refusal | None = None) -> None:
        """Run an action on an execution: now if it is in memory, else when it has been loaded.

        Args:
            damaged: run instead if it is in quarantine; without it nothing is done then.
        """
        execution = self.executions.get(key)
        if execution is not None:
            action(execution)
            self.committer.kick()
        elif key in self.quarantine:
            if damaged is not None:
                damaged(self.quarantine.error(key))
                self.committer.kick()
        else:
            self.loader.load(key, action, damaged)

    def create(self, execution: Execution, decision: fx.Decision) -> None:
        """A new execution enters the memory with its first decision."""
        key, began = execution.key, execution.row.status
        self.executions[key] = execution
        self.fresh[key] = []
        try:
            self.decided(execution, decision)
        except SerializationError:  # of its first entries: nothing is to be left of it
            del self.executions[key], self.fresh[key]
            raise
        self.pending.row(execution.row)
        self.stats.moved(execution.row.target, began)

    def copy(self, execution: Execution, journal: list[Recorded]) -> None:
        """A new execution enters the memory with entries of another's, as old as they are."""
        key, chain = execution.key, execution.chain
        self.executions[key] = execution
        self.pending.row(execution.row)
        for item in journal:
            data = encode_entry(item.entry)
            chain = next_chain(chain, data, item.time_ms)
            self.pending.entry(StoredEntry(key, item.index, item.time_ms, chain, data))
            evolve(execution, item)
        execution.chain = chain
        self.touched[key] = self.pending.serial

    def decided(self, execution: Execution, decision: fx.Decision) -> None:
        """Record a decision and carry out its effects."""
        pending = self.pending
        recorded = self._record(execution, decision, pending) if decision.entries else []
        if recorded and execution.has_spans:
            pending.spans += spans_of(execution, recorded)
        if decision.changes:
            self._change_row(execution, decision, recorded)
        elif recorded:
            apply(execution, decision, recorded)
        self.touched[execution.key] = pending.serial
        # Its own news first: an effect on another execution may come back as the next entry.
        for effect in sorted(decision.effects, key=_is_no_news):
            self._effects[type(effect)](execution, effect, recorded)
        self.objects.end_deadlocks()

    def _change_row(
        self, execution: Execution, decision: fx.Decision, recorded: list[Recorded]
    ) -> None:
        before, place = execution.row.status, execution.row.lane_order
        awaited = execution.row.after
        apply(execution, decision, recorded)
        if before is Status.QUEUED and execution.row.status is not Status.QUEUED:
            self.dispatcher.dequeue(execution.key)
            self.work_queues.dequeue(execution.key)
        if place and not execution.row.lane_order:
            self.objects.left(execution.key)
        if execution.row.has_place and execution.row.status in PLACELESS:
            execution.row.has_place = False
            self.places.give_back(execution.row)
        if awaited and awaited != execution.row.after:
            self.dependants.left(execution, awaited)
        execution.row.updated_ms = self.clock.now_ms()
        self.pending.row(execution.row)
        if before is not execution.row.status:
            self.stats.moved(execution.row.target, execution.row.status)
        if before is Status.RUNNING or execution.row.status is Status.RUNNING:
            self.release_slot(execution)

    def _record(
        self, execution: Execution, decision: fx.Decision, pending: Pending
    ) -> list[Recorded]:
        index, chain = execution.length, execution.chain
        now_ms = max(self.clock.now_ms(), execution.time_ms)
        key = execution.key
        recorded: list[Recorded] = []
        stored: list[StoredEntry] = []
        for entry in decision.entries:
            data = encode_entry(entry)  # may raise: nothing has changed yet
            chain = next_chain(chain, data, now_ms)
            recorded.append(Recorded(index, now_ms, entry))
            stored.append(StoredEntry(key, index, now_ms, chain, data))
            index += 1
        for written in stored:
            pending.entry(written)
        execution.chain = chain
        fresh = self.fresh.get(key)
        if fresh is not None:
            fresh.extend(recorded)
        return recorded

    # --- effects -------------------------------------------------------------------------------

    def _acknowledge(
        self, execution: Execution, effect: fx.Acknowledge, recorded: list[Recorded]
    ) -> None:
        first = recorded[0]  # its time is what a replay will see: the worker must see no other
        ack = Ack(first.index, effect.count, first.time_ms)
        self.pending.item(execution.session_id, execution.epoch, ack)

    def _deliver(self, execution: Execution, effect: fx.Deliver, recorded: list[Recorded]) -> None:
        self.pending.item(execution.session_id, execution.epoch, recorded[effect.position])

    def _send(self, _execution: Execution, letter: Letter, _: object) -> None:
        self.mail.send(letter)

    def _set_timer(self, execution: Execution, effect: fx.SetTimer, _: object) -> None:
        timer = Timer(
            execution.key,
            execution.row.shard,
            effect.kind,
            effect.path,
            effect.due_ms,
            execution.row.run,
            execution.attempt,
        )
        if effect.kind is TimerKind.HEARTBEAT:
            execution.heartbeats[effect.path] = effect.due_ms
        self.pending.set_timer(timer)
        self.timers.set(timer)

    def _clear_timer(self, execution: Execution, effect: fx.ClearTimer, _: object) -> None:
        key = TimerKey(execution.key, effect.kind, effect.path)
        self.pending.clear_timer(key)
        self.timers.clear(key)

    def _clear_timers(self, execution: Execution, effect: fx.ClearTimers, _: object) -> None:
        self.pending.clear_timers(execution.key)
        for kind in TimerKind:
            self.timers.clear(TimerKey(execution.key, kind, ""))
        for path in effect.paths:
            self.timers.clear(TimerKey(execution.key, TimerKind.TIMER, path))

    def _end_lease(self, execution: Execution, effect: fx.EndLease, _: object) -> None:
        session = self.sessions.by_id.get(execution.session_id)
        if session is not None:
            session.leases.pop(effect.epoch, None)
            session.active.discard(effect.epoch)
            self.pending.message(session.id, Evict(effect.epoch, effect.reason))
            if effect.epoch in self.paging:  # its last page is not sent: news would leave a gap
                self.pending.drop_news(session.id, effect.epoch)
        execution.epoch = 0
        execution.session_id = ""

    def _enqueue(self, execution: Execution, effect: fx.Enqueue, _: object) -> None:
        if execution.row.task is not None:
            self.work_queues.enqueue(execution)
        else:
            self.objects.enqueue(execution)

    def _end_runs(self, execution: Execution, effect: fx.EndRuns, _: object) -> None:
        self.runs_over[execution.key] = effect.before

    def _save_object(self, execution: Execution, effect: fx.SaveObject, _: object) -> None:
        self.objects.save(execution, effect.state)

    def _ended(self, execution: Execution, effect: fx.Ended, _: object) -> None:
        key = execution.key
        assert execution.ended is not None
        outcome = outcome_of(execution, execution.ended)
        for future in self.waiters.pop(key, ()):
            self.pending.reply(future, outcome)
        self.fresh.pop(key, None)
        self.finished.append(key)
        self.mail.ended(key, outcome)
        self.on_ended(key)
        self.dependants.ended(key, execution.row.status)

    # --- time and disk -------------------------------------------------------------------------

    def _timers_due(self, timers: list[Timer]) -> None:
        for timer in timers:
            if timer.kind == TimerKind.SCHEDULE:
                self.on_schedule(timer)
                continue
            if timer.kind == TimerKind.RATE:
                self.places.due(timer)
                self.committer.kick()
                continue
            self.submit(timer.key, partial(self._timer, timer))

    def _timer(self, timer: Timer, execution: Execution | None) -> None:
        failpoint("timer-fired")
        if execution is None or execution.row.run != timer.run:
            self.pending.clear_timer(TimerKey(timer.key, timer.kind, timer.path))
            return
        self.stats.timers_fired += 1
        now_ms = self.clock.now_ms()
        self.stats.timer_lateness_seconds.observe((now_ms - timer.due_ms) / 1000)
        grace_ms = self.config.cancel_grace_ms
        draw, since_ms = random.random(), self.opened_ms
        waiting_for = self.objects.waiting_for(execution.row)
        decision = requests.timer_due(
            execution, timer, now_ms, draw, grace_ms, since_ms, waiting_for=waiting_for
        )
        self.decided(execution, decision)

    def _release(self, pending: Pending) -> None:
        """The batch is on disk: let out what it held back, then forget what is idle."""
        for session_id, messages in pending.frames().items():
            session = self.sessions.by_id.get(session_id)
            if session is not None:
                self.send(session, self._hold_back(messages) if self.paging else messages)
        for future, value in pending.replies:
            if future.done():
                continue
            if isinstance(value, BaseException):
                future.set_exception(value)
            else:
                future.set_result(value)
        for action in pending.after:
            action()
        if pending.spans:
            tell(pending.spans)
        if self.followers:
            for key in pending.written & self.followers.keys():
                for event in self.followers[key]:
                    event.set()
        if self.watchers:
            changed = pending.written | pending.batch.rows.keys()
            for key in changed & self.watchers.keys():
                for event in self.watchers[key]:
                    event.set()
        self._forget()

    def send(self, session: Session, messages: list[CoordinatorMessage]) -> None:
        """Hand messages to a session. A stream that cannot take them does not stop the others."""
        with _ending_stream(session):
            session.port.send(messages)

    def send_page(self, session: Session, page: StoredPage) -> None:
        """Hand a page of a journal to a session."""
        with _ending_stream(session):
            session.port.send_page(page)

    def _hold_back(self, messages: list[CoordinatorMessage]) -> list[CoordinatorMessage]:
        """News of an execution whose journal is still being sent waits for its last page."""
        out: list[CoordinatorMessage] = []
        for message in messages:
            if isinstance(message, Entries) and message.epoch in self.paging:
                self.paging[message.epoch].append(message)
            else:
                out.append(message)
        return out

    def _forget(self) -> None:
        """Drop executions that only wait or have long ended: their journals are on disk."""
        finished = self.finished
        while len(finished) > self.config.max_finished:
            execution = self.executions.get(finished[0])
            if execution is not None and is_end(execution.row.status):
                if not self._clean(execution):
                    break
                self.drop(execution.key)
            finished.popleft()
        if len(self.executions) <= self._forget_above:
            return
        surplus = len(self.executions) - self.config.max_resident * 9 // 10
        for execution in list(self.executions.values()):
            if surplus <= 0:
                break
            if self._idle(execution):
                self.drop(execution.key)
                surplus -= 1
        # What cannot be dropped now is not looked at again for every commit.
        self._forget_above = max(self.config.max_resident, len(self.executions) * 11 // 10)

    def _idle(self, execution: Execution) -> bool:
        return (
            not execution.epoch
            and (execution.row.status is not Status.RUNNING or execution.row.task is not None)
            and not self.dispatcher.wanted(execution.key)
            and self._clean(execution)
        )

    def _clean(self, execution: Execution) -> bool:
        return self.touched.get(execution.key, 0) <= self.committer.committed

    def drop(self, key: ExecutionKey) -> None:
        """Forget an execution that is wholly on disk, or about to be deleted there."""
        del self.executions[key]
        self.touched.pop(key, None)
        self.fresh.pop(key, None)

    # --- answers -------------------------------------------------------------------------------

    def future(self) -> asyncio.Future[Any]:
        """A future for somebody who asked; it is answered even when this shard is abandoned.

        Raises:
            BaseException: this shard was abandoned before, while who asks waited for the store.
        """
        if self._abandoned is not None:
            raise self._abandoned
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        return future

    async def abandon(self, error: BaseException) -> None:
        """Stop everything without writing; who waits gets the error."""
        self._abandoned = error
        await self.timers.stop()
        await self.mailboxes.stop()
        await self.loader.stop()
        await self.objects.states.stop()
        await self.committer.abandon(error)
        for future in list(self._asked):
            if not future.done():
                future.set_exception(error)
        for events in (*self.followers.values(), *self.watchers.values()):
            for event in events:
                event.set()

    def reply(self, future: asyncio.Future[Any], value: Any) -> None:
        """Answer a client after the commit that covers what the answer was read from."""
        self.pending.reply(future, value)
        self.committer.kick()


def _is_no_news(effect: fx.Effect) -> bool:
    return not isinstance(effect, fx.Acknowledge | fx.Deliver)


@contextmanager
def _ending_stream(session: Session) -> Iterator[None]:
    try:
        yield
    except Exception:
        _LOG.exception("cannot send to worker %s: its stream ends", session.worker_id)
        session.port.close("cannot send")
