"""What has been decided and is not on disk yet: one batch of writes and the effects it holds back.

Nothing leaves the coordinator before the commit that covers it: acknowledgements, activations,
replies, refusals and answers read from memory all wait here (architecture, section 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import Ack, CoordinatorMessage, Entries
from perdure_runtime.core.rows import ExecutionRow, Timer, TimerKey
from perdure_runtime.core.spans import Span
from perdure_runtime.storage import (
    EventName,
    EventRow,
    ObjectRow,
    OutboxRow,
    RequestRow,
    ScheduleRow,
    StoredEntry,
    WaitRow,
    WriteBatch,
)


class Pending:
    """One batch in the making."""

    def __init__(self, shard_epoch: int, serial: int) -> None:
        self.batch = WriteBatch(shard_epoch)
        self.serial = serial
        self.size_bytes = 0
        self.messages: dict[str, list[CoordinatorMessage]] = {}
        self.items: dict[str, dict[int, list[Ack | Recorded]]] = {}
        self.replies: list[tuple[asyncio.Future[Any], Any]] = []
        self.after: list[Callable[[], None]] = []
        self.spans: list[Span] = []
        self.written: set[ExecutionKey] = set()
        self._letters: dict[int, OutboxRow] = {}
        self._timers_of: dict[ExecutionKey, list[TimerKey]] = {}

    def entry(self, stored: StoredEntry) -> None:
        """A journal entry to write."""
        self.batch.entries.append(stored)
        self.written.add(stored.key)
        self.size_bytes += len(stored.data) + 64

    def row(self, row: ExecutionRow) -> None:
        """A row that changed; copied when the batch is sealed."""
        self.batch.rows[row.key] = row

    def set_timer(self, timer: Timer) -> None:
        """A timer to write, replacing the one of the same identity."""
        key = TimerKey(timer.key, timer.kind, timer.path)
        self.batch.timers_set[key] = timer
        self._timers_of.setdefault(timer.key, []).append(key)

    def clear_timer(self, key: TimerKey) -> None:
        """A timer to remove."""
        if self.batch.timers_set.pop(key, None) is None or key.path == "":
            self.batch.timers_cleared.append(key)

    def clear_timers(self, key: ExecutionKey) -> None:
        """Every timer of an execution to remove."""
        for timer in self._timers_of.pop(key, ()):
            self.batch.timers_set.pop(timer, None)
        self.batch.timers_all_cleared.append(key)

    def letter(self, row: OutboxRow) -> None:
        """A letter for an execution that is not in memory."""
        self._letters[row.id] = row
        self.size_bytes += len(row.body) + 64

    def delivered(self, outbox_id: int) -> None:
        """A letter that this batch applies. One that it was to write too is never written: stores
        remove before they add."""
        if self._letters.pop(outbox_id, None) is None:
            self.batch.outbox_removed.append(outbox_id)

    def request(self, row: RequestRow) -> None:
        """A request that was carried out, with its answer."""
        self.batch.requests.append(row)
        self.size_bytes += len(row.reply) + 64

    def event(self, row: EventRow) -> None:
        """An event for a mailbox."""
        self.batch.events.append(row)
        self.size_bytes += len(row.data) + 128

    def wait(self, name: EventName, execution_id: str, row: WaitRow | None) -> None:
        """What an execution waits for in a mailbox; None: nothing any more."""
        if row is not None:
            self.batch.waits_set[name, execution_id] = row
        else:
            self.batch.waits_set.pop((name, execution_id), None)
            self.batch.waits_cleared.add((name, execution_id))

    def schedule(self, name: tuple[str, str], row: ScheduleRow | None) -> None:
        """A schedule that changed, or None: it is removed."""
        self.batch.schedules[name] = row
        self.size_bytes += len(row.data) if row is not None else 64

    def saved_object(self, row: ObjectRow) -> None:
        """The new state of an object; the last one of a batch counts."""
        self.batch.objects[row.key] = row
        self.size_bytes += len(row.state.data) + 64

    def message(self, session_id: str, message: CoordinatorMessage) -> None:
        """A message for a worker, held until the commit."""
        self.messages.setdefault(session_id, []).append(message)

    def drop_news(self, session_id: str, epoch: int) -> None:
        """Nobody is to hear the news of a lease that is in this batch."""
        self.items.get(session_id, {}).pop(epoch, None)

    def item(self, session_id: str, epoch: int, item: Ack | Recorded) -> None:
        """News of one execution for its worker, held until the commit."""
        self.items.setdefault(session_id, {}).setdefault(epoch, []).append(item)

    def reply(self, future: asyncio.Future[Any], value: Any) -> None:
        """An answer (or an exception) for a client, held until the commit."""
        self.replies.append((future, value))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write and nothing to release."""
        return not (self.has_writes or self.messages or self.items or self.replies or self.after)

    @property
    def has_writes(self) -> bool:
        """Whether the store has to be asked."""
        batch = self.batch
        return bool(
            batch.entries
            or batch.rows
            or batch.timers_set
            or batch.timers_cleared
            or batch.timers_all_cleared
            or self._letters
            or batch.outbox_removed
            or batch.requests
            or batch.catalog
            or batch.events
            or batch.waits_set
            or batch.waits_cleared
            or batch.schedules
            or batch.objects
        )

    def seal(self, clock_ms: int) -> WriteBatch:
        """The batch as it is now: rows are copied, the live ones may change while it is written."""
        self.batch.clock_ms = clock_ms
        self.batch.outbox_added = list(self._letters.values())
        self.batch.rows = {key: replace(row) for key, row in self.batch.rows.items()}
        return self.batch

    def frames(self) -> dict[str, list[CoordinatorMessage]]:
        """What each session gets, as one list: messages first, then the news of each execution."""
        for session_id, by_epoch in self.items.items():
            messages = self.messages.setdefault(session_id, [])
            messages.extend(Entries(epoch, tuple(items)) for epoch, items in by_epoch.items())
        return self.messages
