"""Mailboxes: events kept for whoever waits for them, now or later (semantics, section 7).

An event is written in the commit that accepts it, and so is the row that says who waits. Whenever
one of the two changes, the mailbox is looked at on the disk, and what the look found is offered to
the executions that wait; whether they take it is decided there, from their journals. So there is
one source of truth, nothing is lost when a look is, and looking twice is harmless. What a crash
interrupts, `recover` finds again. Executions that wait are not in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Final

import msgspec

from perdure_runtime.core import requests
from perdure_runtime.core.effects import LookForEvents, StoreEvent, Subscribe
from perdure_runtime.core.errors import DataLossError
from perdure_runtime.core.events import Event
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.payload import Payload
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import EventName, EventRow, WaitRow

if TYPE_CHECKING:
    from perdure_coordinator.engine.shard import Shard

PAGE: Final = 500


class _Look(msgspec.Struct):
    """What is to be looked at in one mailbox: for everyone who waits, or for some."""

    everyone: bool = False
    executions: dict[ExecutionKey, set[str]] = {}  # with the paths of waits whose time is over


class Mailboxes:
    """The mailboxes of one shard."""

    def __init__(self, shard: Shard, next_event: int) -> None:
        self._shard = shard
        self._next_event = next_event
        self._wanted: dict[EventName, _Look] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def last_sequence(self) -> int:
        """Of the last event that was sent; every later one has a higher."""
        return self._next_event - 1

    # --- changes: each is in the commit of the decision that asked for it ----------------------

    def send(
        self, name: EventName, payload: Payload, execution_id: str = "", dedupe: str = ""
    ) -> None:
        """Put an event into its mailbox, with the commit in the making.

        Args:
            dedupe: an earlier event of the same address and this text makes it none.
        """
        shard = self._shard
        now_ms = shard.clock.now_ms()
        row = EventRow(
            self._next_event,
            *name,
            execution_id,
            dedupe,
            msgspec.msgpack.encode(payload),
            now_ms,
            due_after(now_ms, shard.config.event_ttl_ms),
        )
        self._next_event += 1
        shard.pending.event(row)
        shard.stats.events += 1
        if execution_id:
            self._look(name).executions.setdefault(
                ExecutionKey(name.namespace, execution_id), set()
            )
        else:
            self._look(name).everyone = True

    def store_event(self, execution: Execution, effect: StoreEvent, _: object) -> None:
        """A body sent an event."""
        name = EventName(execution.key.namespace, effect.event_id)
        dedupe = f"d{effect.dedupe_id}" if effect.dedupe_id else ""
        self.send(name, effect.payload, effect.execution_id, dedupe)

    def subscribe(self, execution: Execution, effect: Subscribe, _: object) -> None:
        """What an execution waits for has changed."""
        name = EventName(execution.key.namespace, effect.event_id)
        after = requests.subscription(execution, effect.event_id)
        id = execution.key.id
        row = WaitRow(name, id, after) if after is not None else None
        self._shard.pending.wait(name, id, row)

    def look_for(self, execution: Execution, effect: LookForEvents, _: object) -> None:
        """A wait began, or its time is over."""
        name = EventName(execution.key.namespace, effect.event_id)
        paths = self._look(name).executions.setdefault(execution.key, set())
        if effect.expired:
            paths.add(effect.expired)

    async def recover(self) -> None:
        """Look at every mailbox that has something for somebody."""
        for name in await self._shard.store.deliverable(self._shard.clock.now_ms()):
            self._look(name).everyone = True

    # --- looking -------------------------------------------------------------------------------

    def _look(self, name: EventName) -> _Look:
        look = self._wanted.setdefault(name, _Look())
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(), name="perdure-mailboxes")
        return look

    async def _run(self) -> None:
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, {}
                await self._shard.committer.flushed()  # what it looks for is on the disk then
                for name, look in wanted.items():
                    await self._deliver(name, look)
        except Exception as error:
            self._shard.fail(error)

    async def _deliver(self, name: EventName, look: _Look) -> None:
        store, seen = self._shard.store, set[ExecutionKey]()
        after_id = ""
        while look.everyone and (rows := await store.waiting(name, after_id, PAGE)):
            after = {ExecutionKey(name.namespace, row.execution_id): row.after for row in rows}
            seen |= after.keys() & look.executions.keys()
            await self._offer(name, look, after)
            after_id = rows[-1].execution_id
        asked = [key for key in look.executions if key not in seen]
        for start in range(0, len(asked), PAGE):
            found = {key: self._waits(key, name) for key in asked[start : start + PAGE]}
            await asyncio.gather(*found.values())
            after = {key: known.result() for key, known in found.items() if known.result() >= 0}
            await self._offer(name, look, after)

    async def _offer(self, name: EventName, look: _Look, after: dict[ExecutionKey, int]) -> None:
        """Offer some executions what the mailbox holds above these sequences, page by page."""
        sequence, hungry = min(after.values(), default=0), set(after)
        config = self._shard.config
        while hungry:
            now_ms = self._shard.clock.now_ms()
            rows = await self._shard.store.events(name, sequence, now_ms, PAGE, config.page_bytes)
            size_bytes = sum(len(row.data) for row in rows)
            last = len(rows) < PAGE and size_bytes < config.page_bytes
            events = [_event(row) for row in rows]
            answers: dict[ExecutionKey, asyncio.Future[int]] = {}
            for key in hungry:
                expired = look.executions.get(key) if last else None
                answers[key] = self._waits(key, name, events, expired or set())
            await asyncio.gather(*answers.values())
            if last:
                return
            sequence = rows[-1].sequence
            hungry = {key for key, answer in answers.items() if answer.result() >= 0}

    def _waits(
        self,
        key: ExecutionKey,
        name: EventName,
        events: Sequence[Event] = (),
        expired: Set[str] = frozenset(),
    ) -> asyncio.Future[int]:
        """Offer events to one execution.

        The answer is the sequence above which it still waits, -1 if it does not.
        """
        answer: asyncio.Future[int] = self._shard.future()

        def offer(execution: Execution | None) -> None:
            if answer.done():
                return
            after: int | None = None
            if execution is not None:
                if events or expired:
                    failpoint("before-delivery")
                    self._hand_over(execution, name, events, expired)
                after = requests.subscription(execution, name.event_id)
            answer.set_result(-1 if after is None else after)

        def refuse(_: DataLossError) -> None:
            if not answer.done():
                answer.set_result(-1)

        self._shard.submit(key, offer, refuse)
        return answer

    def _hand_over(
        self, execution: Execution, name: EventName, events: Sequence[Event], expired: Set[str]
    ) -> None:
        now_ms = self._shard.clock.now_ms()
        decision = requests.deliver_events(execution, name.event_id, events, expired, now_ms)
        if decision.entries:
            self._shard.decided(execution, decision)

    async def stop(self) -> None:
        """Stop; tolerates never started and twice."""
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._task = None


def _event(row: EventRow) -> Event:
    payload = msgspec.msgpack.decode(row.data, type=Payload)
    return Event(row.sequence, payload, row.execution_id)
