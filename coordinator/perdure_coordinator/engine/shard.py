"""A shard: the executions in memory, and the one way to change them.

`decided` records a decision: entries get their places, the state evolves, the row and the effects
join the pending batch. An effect on another execution is applied in the same batch when that one
is in memory; otherwise it is written to the outbox in the same transaction and delivered after the
load (see ARCHITECTURE.md: nothing is lost between two executions).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from perdure_coordinator.config import Config
from perdure_coordinator.engine.clock import Clock
from perdure_coordinator.engine.committer import Committer
from perdure_coordinator.engine.dispatcher import Dispatcher
from perdure_coordinator.engine.letters import Letter, decode_letter, encode_letter
from perdure_coordinator.engine.loader import Loader
from perdure_coordinator.engine.pending import Pending
from perdure_coordinator.engine.sessions import Sessions
from perdure_coordinator.engine.stats import Stats
from perdure_coordinator.engine.timers import Timers
from perdure_runtime.core import effects as fx
from perdure_runtime.core import requests
from perdure_runtime.core.client import IdPolicy, Outcome
from perdure_runtime.core.entries import Recorded, StartOptions
from perdure_runtime.core.errors import AlreadyExistsError
from perdure_runtime.core.execution import Execution, apply
from perdure_runtime.core.ids import ExecutionKey, next_chain, shard_of
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.limits import RESERVED_ID_PREFIX
from perdure_runtime.core.messages import CoordinatorMessage, Entries, Evict
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.requests.wake import outcome_of
from perdure_runtime.core.rows import Timer, TimerKey, TimerKind
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import OutboxRow, Ownership, Store, StoredEntry
from perdure_runtime.wire.v1.entries import encode_entry

Action = Callable[[Execution | None], None]


class Shard:
    """State and effects; the callers are `Workers`, `Clients`, timers and recovery."""

    def __init__(
        self,
        store: Store,
        config: Config,
        ownership: Ownership,
        failed: Callable[[Pending, BaseException], None],
    ) -> None:
        self.store = store
        self.config = config
        self.epoch = ownership.epoch
        self.clock = Clock(ownership.clock_ms)
        self.stats = Stats()
        self.sessions = Sessions()
        self.executions: dict[ExecutionKey, Execution] = {}
        self.fresh: dict[ExecutionKey, list[Recorded]] = {}
        self.touched: dict[ExecutionKey, int] = {}  # serial of the last batch with the execution
        self.waiters: dict[ExecutionKey, list[asyncio.Future[Outcome]]] = {}
        self.followers: dict[ExecutionKey, list[asyncio.Event]] = {}
        self.attached: dict[ExecutionKey, list[tuple[fx.StartChild, int]]] = {}
        self.paging: dict[int, list[CoordinatorMessage]] = {}  # epochs whose journal is being sent
        self.release_slot: Callable[[Execution], None] = lambda execution: None
        self.loader = Loader(self)
        self.timers = Timers(store, self.clock, config.timer_horizon_ms, self._timers_due)
        self.dispatcher: Dispatcher
        self.committer = Committer(
            store,
            self.epoch,
            self.clock,
            self.stats,
            config.pending_limit_bytes,
            before=lambda: self.dispatcher.pump(),
            release=self._release,
            failed=failed,
        )
        self._next_outbox_id = ownership.next_outbox_id
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
            fx.Ended: self._ended,
        }

    # --- the way in ----------------------------------------------------------------------------

    @property
    def pending(self) -> Pending:
        """The batch in the making."""
        return self.committer.pending

    def submit(self, key: ExecutionKey, action: Action) -> None:
        """Run an action on an execution: now if it is in memory, else when it has been loaded."""
        execution = self.executions.get(key)
        if execution is not None:
            action(execution)
            self.committer.kick()
        else:
            self.loader.load(key, action)

    def create(self, execution: Execution, decision: fx.Decision) -> None:
        """A new execution enters the memory with its first decision."""
        self.executions[execution.key] = execution
        self.fresh[execution.key] = []
        self.pending.row(execution.row)
        self.decided(execution, decision)

    def decided(self, execution: Execution, decision: fx.Decision) -> None:
        """Record a decision and carry out its effects."""
        pending = self.pending
        recorded = self._record(execution, decision, pending) if decision.entries else []
        if decision.changes:
            self._change_row(execution, decision, recorded)
        elif recorded:
            apply(execution, decision, recorded)
        self.touched[execution.key] = pending.serial
        for effect in decision.effects:
            self._effects[type(effect)](execution, effect, recorded)

    def _change_row(
        self, execution: Execution, decision: fx.Decision, recorded: list[Recorded]
    ) -> None:
        before = execution.row.status
        apply(execution, decision, recorded)
        execution.row.updated_ms = self.clock.now_ms()
        self.pending.row(execution.row)
        if before is Status.RUNNING or execution.row.status is Status.RUNNING:
            self.release_slot(execution)

    def _record(
        self, execution: Execution, decision: fx.Decision, pending: Pending
    ) -> list[Recorded]:
        index, chain = execution.length, execution.chain
        now_ms = max(self.clock.now_ms(), execution.time_ms)
        key = execution.key
        recorded: list[Recorded] = []
        for entry in decision.entries:
            data = encode_entry(entry)
            chain = next_chain(chain, data)
            recorded.append(Recorded(index, now_ms, entry))
            pending.entry(StoredEntry(key, index, now_ms, chain, data))
            index += 1
        execution.chain = chain
        fresh = self.fresh.get(key)
        if fresh is not None:
            fresh.extend(recorded)
        return recorded

    # --- effects -------------------------------------------------------------------------------

    def _acknowledge(self, execution: Execution, effect: fx.Acknowledge, _: object) -> None:
        execution.wake_index = max(execution.wake_index, effect.ack.first_index - 1)
        self.pending.item(execution.session_id, execution.epoch, effect.ack)

    def _deliver(self, execution: Execution, effect: fx.Deliver, recorded: list[Recorded]) -> None:
        item = recorded[effect.position]
        execution.wake_index = item.index
        self.pending.item(execution.session_id, execution.epoch, item)

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

    def _end_lease(self, execution: Execution, effect: fx.EndLease, _: object) -> None:
        session = self.sessions.by_id.get(execution.session_id)
        if session is not None:
            session.leases.pop(effect.epoch, None)
            session.active.discard(effect.epoch)
            self.pending.message(session.id, Evict(effect.epoch, effect.reason))
        execution.epoch = 0
        execution.session_id = ""
        execution.wake_index = -1

    def _enqueue(self, execution: Execution, effect: fx.Enqueue, _: object) -> None:
        row = execution.row
        self.dispatcher.enqueue(row.key, row.target, row.priority)

    def _ended(self, execution: Execution, effect: fx.Ended, _: object) -> None:
        key = execution.key
        assert execution.ended is not None
        outcome = outcome_of(execution, execution.ended)
        for future in self.waiters.pop(key, ()):
            self.pending.reply(future, outcome)
        for start, outbox_id in self.attached.pop(key, ()):
            self._attach_ended(start, outcome)
            self.pending.batch.outbox_removed.append(outbox_id)

    # --- between executions --------------------------------------------------------------------

    def _send(self, _execution: object, letter: Letter, _: object) -> None:
        """Apply an effect on another execution in this batch, or put it into the outbox."""
        key = destination(letter)
        derived = isinstance(letter, fx.StartChild) and key.id.startswith(RESERVED_ID_PREFIX)
        target = self.executions.get(key)
        if target is not None or derived:
            self._receive(target, letter, None)
            return
        outbox_id = self._next_outbox_id
        self._next_outbox_id += 1
        body = encode_letter(letter)
        self.pending.batch.outbox_added.append(OutboxRow(outbox_id, shard_of(key), key, body))
        self.deliver_later(outbox_id, key, letter)

    def deliver_later(self, outbox_id: int, key: ExecutionKey, letter: Letter) -> None:
        """Deliver a written letter once its destination has been loaded."""
        self.submit(key, lambda execution: self._receive(execution, letter, outbox_id))

    def redeliver(self, row: OutboxRow) -> None:
        """Deliver a letter that an earlier owner wrote and did not deliver."""
        self._next_outbox_id = max(self._next_outbox_id, row.id + 1)
        self.deliver_later(row.id, row.destination, decode_letter(row.body))

    def _receive(self, execution: Execution | None, letter: Letter, outbox_id: int | None) -> None:
        now_ms = self.clock.now_ms()
        keep = False
        match letter:
            case fx.StartChild():
                keep = self._start_child(execution, letter, now_ms, outbox_id)
            case fx.CancelChild() if execution is not None:
                grace_ms = self.config.cancel_grace_ms
                self.decided(execution, requests.cancel(execution, letter.reason, now_ms, grace_ms))
            case fx.CompleteCall() if execution is not None:
                self.decided(
                    execution,
                    requests.call_completed(
                        execution, letter.parent, letter.result, letter.failure, now_ms
                    ),
                )
            case _:
                pass
        if outbox_id is not None and not keep:
            self.pending.batch.outbox_removed.append(outbox_id)
            self.committer.kick()

    def _start_child(
        self,
        existing: Execution | None,
        start: fx.StartChild,
        now_ms: int,
        outbox_id: int | None,
    ) -> bool:
        """Create the child of a call, or attach to it. Returns whether the letter must be kept."""
        call = start.call
        if existing is None:
            start_at_ms = now_ms + call.delay_ms if call.delay_ms else None
            options = StartOptions(
                start_at_ms=start_at_ms,
                execution_timeout_ms=call.timeout_ms,
                retry=call.retry,
                handler_retry=call.handler_retry,
            )
            key = destination(start)
            self.create(
                *requests.create(
                    key,
                    call.target,
                    call.input,
                    options,
                    now_ms,
                    key_base=call.key,
                    parent=start.parent,
                )
            )
            return False
        if existing.row.parent == start.parent:
            return False
        try:
            requests.check_attach(existing.row, call.target, call.input, IdPolicy.ATTACH)
        except AlreadyExistsError as error:
            failure = Failure(
                "AlreadyExistsError", str(error), FailureCode.ALREADY_EXISTS, retryable=False
            )
            self._send(existing, fx.CompleteCall(start.parent, None, failure), None)
            return False
        if start.parent.detached:
            return False
        if existing.ended is not None:
            self._attach_ended(start, outcome_of(existing, existing.ended))
            return False
        if outbox_id is None:
            outbox_id = self._next_outbox_id
            self._next_outbox_id += 1
            row = OutboxRow(outbox_id, existing.row.shard, existing.key, encode_letter(start))
            self.pending.batch.outbox_added.append(row)
        self.attached.setdefault(existing.key, []).append((start, outbox_id))
        return True

    def _attach_ended(self, start: fx.StartChild, outcome: Outcome) -> None:
        self._send(None, fx.CompleteCall(start.parent, outcome.result, outcome.failure), None)

    # --- time and disk -------------------------------------------------------------------------

    def _timers_due(self, timers: list[Timer]) -> None:
        for timer in timers:
            self.submit(timer.key, partial(self._timer, timer))

    def _timer(self, timer: Timer, execution: Execution | None) -> None:
        failpoint("timer-fired")
        if execution is None or execution.row.run != timer.run:
            self.pending.clear_timer(TimerKey(timer.key, timer.kind, timer.path))
            return
        self.stats.timers_fired += 1
        now_ms = self.clock.now_ms()
        grace_ms = self.config.cancel_grace_ms
        self.decided(
            execution, requests.timer_due(execution, timer, now_ms, random.random(), grace_ms)
        )

    def _release(self, pending: Pending) -> None:
        """The batch is on disk: let out what it held back, then forget what is idle."""
        for session_id, messages in pending.frames().items():
            session = self.sessions.by_id.get(session_id)
            if session is not None:
                session.port.send(self._hold_back(messages) if self.paging else messages)
        for future, value in pending.replies:
            if future.done():
                continue
            if isinstance(value, BaseException):
                future.set_exception(value)
            else:
                future.set_result(value)
        for action in pending.after:
            action()
        if self.followers:
            for key in pending.written & self.followers.keys():
                for event in self.followers[key]:
                    event.set()
        if len(self.executions) > self.config.max_resident:
            self._forget_idle()

    def _hold_back(self, messages: list[CoordinatorMessage]) -> list[CoordinatorMessage]:
        """News of an execution whose journal is still being sent waits for its last page."""
        out: list[CoordinatorMessage] = []
        for message in messages:
            if isinstance(message, Entries) and message.epoch in self.paging:
                self.paging[message.epoch].append(message)
            else:
                out.append(message)
        return out

    def _forget_idle(self) -> None:
        """Drop executions that only wait: their rows and journals are on disk."""
        surplus = len(self.executions) - self.config.max_resident * 9 // 10
        for key, execution in list(self.executions.items()):
            if surplus <= 0:
                return
            idle = is_end(execution.row.status) or execution.row.status in (
                Status.SUSPENDED,
                Status.SCHEDULED,
                Status.PAUSED,
                Status.BLOCKED,
            )
            if (
                idle
                and not execution.epoch
                and self.touched.get(key, 0) <= self.committer.committed
            ):
                del self.executions[key]
                self.touched.pop(key, None)
                self.fresh.pop(key, None)
                surplus -= 1

    def reply(self, future: asyncio.Future[Any], value: Any) -> None:
        """Answer a client after the commit that covers what the answer was read from."""
        self.pending.reply(future, value)
        self.committer.kick()


def destination(letter: Letter) -> ExecutionKey:
    """The execution that a letter is for."""
    match letter:
        case fx.StartChild():
            return ExecutionKey(letter.parent.key.namespace, letter.call.child_id)
        case fx.CancelChild():
            return letter.child
        case fx.CompleteCall():
            return letter.parent.key
