"""MemoryStore: the readable reference model of the store contract.

Every other store is compared with it, operation by operation. It is exact, not fast: a batch is
checked whole, then applied whole; queries look at every row. It is not durable: what a `MemoryDisk`
holds outlives the store that wrote it, so tests can close, crash and reopen one, but it dies with
the process.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from perdure_runtime.core.ids import CHAIN_START, ExecutionKey, ObjectKey
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.storage import (
    BadRow,
    CatalogRow,
    EventName,
    EventRow,
    ExecutionRow,
    Fenced,
    Filter,
    ObjectRow,
    OutboxRow,
    Ownership,
    Page,
    RequestRow,
    ScheduleRow,
    StoredEntry,
    StoredExecution,
    StoreError,
    Timer,
    TimerKey,
    WaitRow,
    WriteBatch,
    check_sequences,
    cut_page,
    page_cursor,
    parse_cursor,
)


class End(NamedTuple):
    """Where a journal ends, and what was trimmed of it; see `StoredExecution`."""

    length: int
    chain: bytes
    first: int = 0
    base: bytes = CHAIN_START


NO_ENTRIES: Final = End(0, CHAIN_START)


@dataclass(slots=True)
class MemoryDisk:
    """What a MemoryStore has written. Hand it to the next store to reopen it."""

    epoch: int = 0
    owner: str = ""
    clock_ms: int = 0
    next_outbox_id: int = 0
    rows: dict[ExecutionKey, ExecutionRow] = field(default_factory=dict)
    journals: dict[ExecutionKey, list[StoredEntry]] = field(default_factory=dict)
    ends: dict[ExecutionKey, End] = field(default_factory=dict)
    timers: dict[TimerKey, Timer] = field(default_factory=dict)  # in insertion order
    outbox: dict[int, OutboxRow] = field(default_factory=dict)
    requests: dict[tuple[str, str], RequestRow] = field(default_factory=dict)
    catalog: dict[tuple[str, str, str], CatalogRow] = field(default_factory=dict)
    objects: dict[ObjectKey, ObjectRow] = field(default_factory=dict)
    events: dict[int, EventRow] = field(default_factory=dict)  # by sequence, ascending
    waits: dict[tuple[EventName, str], WaitRow] = field(default_factory=dict)
    next_event: int = 1
    schedules: dict[tuple[str, str], ScheduleRow] = field(default_factory=dict)


class MemoryStore:
    """A `Store` in dictionaries."""

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk if disk is not None else MemoryDisk()
        self._open = True

    async def acquire(self, owner: str, floor: int = 0) -> Ownership:
        """Become the owner: the epoch goes up, for ever."""
        disk = self._disk()
        disk.epoch = max(disk.epoch + 1, floor)
        disk.owner = owner
        return Ownership(
            epoch=disk.epoch,
            clock_ms=disk.clock_ms,
            next_outbox_id=disk.next_outbox_id,
            next_event=disk.next_event,
        )

    async def commit(self, batch: WriteBatch) -> None:
        """Check everything, then apply everything.

        Raises:
            Fenced: the epoch is not the owner's.
            BadRow: one row cannot be stored.
        """
        disk = self._disk()
        if batch.shard_epoch != disk.epoch:
            raise Fenced(f"epoch {batch.shard_epoch} has been superseded by {disk.epoch}")
        _check(disk, batch)
        _apply(disk, batch)

    async def load_rows(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, ExecutionRow]:
        """The rows that exist among `keys`."""
        rows = self._disk().rows
        return {key: _copy(rows[key]) for key in keys if key in rows}

    async def callers_runs(self, keys: Sequence[ExecutionKey]) -> dict[ExecutionKey, int]:
        """The highest run of each caller that executions name."""
        runs: dict[ExecutionKey, int] = {}
        for row in self._disk().rows.values():
            if row.parent is not None and row.parent.key in keys:
                runs[row.parent.key] = max(row.parent.run, runs.get(row.parent.key, 0))
        return runs

    async def load(
        self,
        key: ExecutionKey,
        from_index: int = 0,
        limit: int | None = None,
        limit_bytes: int | None = None,
    ) -> StoredExecution | None:
        """A row with a page of its journal."""
        disk = self._disk()
        if key not in disk.rows:
            return None
        journal = disk.journals.get(key, [])
        start = bisect_left(journal, from_index, key=attrgetter("index"))
        found = journal[start:] if limit is None else journal[start : start + limit]
        page = cut_page(found, limit_bytes)
        return StoredExecution(_copy(disk.rows[key]), page, *disk.ends.get(key, NO_ENTRIES))

    async def scan_unfinished(
        self, after: ExecutionKey | None, limit: int, statuses: Sequence[Status]
    ) -> list[ExecutionRow]:
        """Rows with one of the statuses in key order."""
        rows = sorted(self._disk().rows.values(), key=attrgetter("key"))
        wanted = [r for r in rows if r.status in statuses and (after is None or r.key > after)]
        return [_copy(row) for row in wanted[:limit]]

    async def scan_lanes(self, after: int, limit: int) -> list[ExecutionRow]:
        """Rows that stand in a lane, in that order."""
        rows = [row for row in self._disk().rows.values() if row.lane_order > max(after, 0)]
        return [_copy(row) for row in sorted(rows, key=_place)[:limit]]

    async def scan_places(self, after: ExecutionKey | None, limit: int) -> list[ExecutionRow]:
        """Rows with a place, in key order."""
        rows = sorted(self._disk().rows.values(), key=attrgetter("key"))
        wanted = [row for row in rows if row.has_place and (after is None or row.key > after)]
        return [_copy(row) for row in wanted[:limit]]

    async def scan_awaiting(self, after: ExecutionKey | None, limit: int) -> list[ExecutionRow]:
        """Rows that wait for the ends of others, in key order."""
        rows = sorted(self._disk().rows.values(), key=attrgetter("key"))
        wanted = [row for row in rows if row.after and (after is None or row.key > after)]
        return [_copy(row) for row in wanted[:limit]]

    async def load_objects(self, keys: Sequence[ObjectKey]) -> dict[ObjectKey, ObjectRow]:
        """The objects that exist among `keys`."""
        objects = self._disk().objects
        return {key: objects[key] for key in keys if key in objects}

    async def timers_due(self, until_ms: int, limit: int) -> list[Timer]:
        """The earliest timers; the sort is stable, so equal times stay in insertion order."""
        due = [timer for timer in self._disk().timers.values() if timer.due_ms <= until_ms]
        return sorted(due, key=attrgetter("due_ms"))[:limit]

    async def outbox(self, limit: int, after_id: int = -1) -> list[OutboxRow]:
        """Undelivered messages in id order."""
        outbox = self._disk().outbox
        return [outbox[id] for id in sorted(outbox) if id > after_id][:limit]

    async def find_request(self, namespace: str, request_id: str) -> RequestRow | None:
        """A remembered request that `expire_requests` has not forgotten."""
        return self._disk().requests.get((namespace, request_id))

    async def catalog(self) -> list[CatalogRow]:
        """Every registered method, in key order."""
        catalog = self._disk().catalog
        return [catalog[key] for key in sorted(catalog)]

    async def schedules(self) -> list[ScheduleRow]:
        """Every schedule, in key order."""
        schedules = self._disk().schedules
        return [schedules[key] for key in sorted(schedules)]

    async def ended_before(self, until_ms: int, limit: int) -> list[ExecutionKey]:
        """Finished executions that ended by then, those that ended first."""
        rows = [r for r in self._disk().rows.values() if is_end(r.status) and not r.damage]
        old = sorted((r for r in rows if r.ended_ms <= until_ms), key=attrgetter("ended_ms"))
        return [row.key for row in old[:limit]]

    async def query(self, filter: Filter, limit: int, after: str = "") -> Page:
        """Rows that match, newest first."""
        rows = sorted(self._disk().rows.values(), key=_age, reverse=True)
        matching = [row for row in rows if _matches(row, filter)]
        if after:
            cursor = parse_cursor(after)
            matching = [row for row in matching if _age(row) < cursor]
        page = [_copy(row) for row in matching[:limit]]
        more = len(matching) > limit
        return Page(rows=page, next_cursor=page_cursor(page[-1]) if more and page else "")

    async def events(
        self,
        name: EventName,
        after: int,
        now_ms: int,
        limit: int,
        limit_bytes: int | None = None,
    ) -> list[EventRow]:
        """Events of a mailbox above a sequence that have not expired."""
        events = self._disk().events
        found = (events[sequence] for sequence in sorted(events) if sequence > after)
        wanted = [e for e in found if _mailbox(e) == name and e.expires_ms > now_ms]
        return cut_page(wanted[:limit], limit_bytes)

    async def waiting(self, name: EventName, after_id: str, limit: int) -> list[WaitRow]:
        """Who waits for the events of a mailbox, by execution id."""
        rows = self._disk().waits.values()
        found = [row for row in rows if row.name == name and row.execution_id > after_id]
        return sorted(found, key=attrgetter("execution_id"))[:limit]

    async def deliverable(self, now_ms: int) -> list[EventName]:
        """Mailboxes with an event that somebody waits for."""
        disk = self._disk()
        found = {
            wait.name
            for wait in disk.waits.values()
            for event in disk.events.values()
            if _mailbox(event) == wait.name
            and event.sequence > wait.after
            and event.execution_id in ("", wait.execution_id)
            and event.expires_ms > now_ms
        }
        return sorted(found)

    async def expire_events(self, now_ms: int, limit: int) -> int:
        """Remove at most `limit` events that have expired, the oldest first."""
        events = self._disk().events
        expired = sorted((e.expires_ms, s) for s, e in events.items() if e.expires_ms <= now_ms)
        for _, sequence in expired[:limit]:
            del events[sequence]
        return len(expired[:limit])

    async def expire_requests(self, now_ms: int) -> int:
        """Forget requests with `expires_ms <= now_ms`."""
        requests = self._disk().requests
        expired = [key for key, request in requests.items() if request.expires_ms <= now_ms]
        for key in expired:
            del requests[key]
        return len(expired)

    async def delete(
        self, keys: Sequence[ExecutionKey], requests: Sequence[RequestRow] = ()
    ) -> None:
        """Remove executions with their journals and timers; messages to them stay."""
        disk = self._disk()
        disk.requests.update({(row.namespace, row.request_id): row for row in requests})
        gone = set(keys)
        for key in gone:
            disk.rows.pop(key, None)
            disk.journals.pop(key, None)
            disk.ends.pop(key, None)
        disk.timers = {name: timer for name, timer in disk.timers.items() if name.key not in gone}
        for name, id in list(disk.waits):
            if ExecutionKey(name.namespace, id) in gone:
                del disk.waits[name, id]

    async def trim(self, key: ExecutionKey, before: int, limit: int) -> int:
        """Remove the first entries of a journal, none of the current run."""
        disk = self._disk()
        if key not in disk.rows:
            return 0
        journal, end = disk.journals.get(key, []), min(before, disk.rows[key].run_index)
        gone = sum(1 for entry in journal[:-1][:limit] if entry.index < end)
        if gone:
            last = journal[gone - 1]
            disk.ends[key] = disk.ends[key]._replace(first=last.index + 1, base=last.chain)
        del journal[:gone]
        return gone

    async def checkpoint(self) -> None:
        """There is no log."""

    async def close(self) -> None:
        """Refuse every later call; the disk keeps what was written."""
        self._open = False

    def _disk(self) -> MemoryDisk:
        if not self._open:
            raise StoreError("the store is closed")
        return self.disk


def _check(disk: MemoryDisk, batch: WriteBatch) -> None:
    lengths: dict[ExecutionKey, int] = {}
    outbox_ids = set(disk.outbox) - set(batch.outbox_removed)
    known = disk.rows.keys() | batch.rows.keys()
    for entry in batch.entries:
        if entry.key not in known:
            raise BadRow(f"entry {entry.index} of {entry.key}: there is no such execution")
        length = lengths.get(entry.key, disk.ends.get(entry.key, NO_ENTRIES).length)
        if entry.index != length:
            raise BadRow(f"entry {entry.index} of {entry.key}: the journal's next is {length}")
        lengths[entry.key] = length + 1
    for timer in batch.timers_set.values():
        if timer.key not in known:
            raise BadRow(f"timer {timer.path!r} of {timer.key}: there is no such execution")
    for message in batch.outbox_added:
        if message.id in outbox_ids:
            raise BadRow(f"message {message.id} is already in the outbox")
        outbox_ids.add(message.id)
    check_sequences(batch.events, disk.next_event)
    _check_storable(batch)


def _check_storable(batch: WriteBatch) -> None:
    """Databases hold UTF-8 text and 64-bit integers, and so does MessagePack."""
    parts = (batch.clock_ms, [*batch.rows.values()], batch.entries, [*batch.timers_set.values()])
    messages = (batch.outbox_added, batch.requests, batch.catalog, [*batch.objects.values()])
    mail = (batch.events, [*batch.waits_set.values()])
    schedules = ([*batch.schedules], [*batch.schedules.values()])
    try:
        msgspec.msgpack.encode((parts, messages, mail, schedules))
    except (UnicodeEncodeError, OverflowError) as error:
        raise BadRow(str(error)) from error


def _apply(disk: MemoryDisk, batch: WriteBatch) -> None:
    disk.clock_ms = max(disk.clock_ms, batch.clock_ms)
    for row in batch.rows.values():
        disk.rows[row.key] = _copy(row)
    for entry in batch.entries:
        disk.journals.setdefault(entry.key, []).append(entry)
        end = disk.ends.get(entry.key, NO_ENTRIES)
        disk.ends[entry.key] = end._replace(length=entry.index + 1, chain=entry.chain)
    for name in batch.timers_cleared:
        disk.timers.pop(name, None)
    cleared = set(batch.timers_all_cleared)
    if cleared:
        disk.timers = {name: t for name, t in disk.timers.items() if name.key not in cleared}
    for timer in batch.timers_set.values():
        name = TimerKey(key=timer.key, kind=timer.kind, path=timer.path)
        disk.timers.pop(name, None)  # a timer that is set again goes to the end
        disk.timers[name] = timer
    for id in batch.outbox_removed:
        disk.outbox.pop(id, None)
    for message in batch.outbox_added:
        disk.outbox[message.id] = message
        disk.next_outbox_id = max(disk.next_outbox_id, message.id + 1)
    for request in batch.requests:
        disk.requests[request.namespace, request.request_id] = request
    for method in batch.catalog:
        disk.catalog[method.namespace, method.service, method.method] = method
    disk.objects.update(batch.objects)
    for scheduled, schedule in batch.schedules.items():
        disk.schedules.pop(scheduled, None)
        if schedule is not None:
            disk.schedules[scheduled] = schedule
    for event in batch.events:
        disk.next_event = max(disk.next_event, event.sequence + 1)
        if not (event.dedupe and any(_same(event, other) for other in disk.events.values())):
            disk.events[event.sequence] = event
    for wait in batch.waits_cleared:
        disk.waits.pop(wait, None)
    disk.waits.update(batch.waits_set)


def _mailbox(event: EventRow) -> EventName:
    return EventName(event.namespace, event.event_id)


def _same(event: EventRow, other: EventRow) -> bool:
    """Whether the second of the two is to be ignored."""
    return (
        event.dedupe == other.dedupe
        and event.execution_id == other.execution_id
        and _mailbox(event) == _mailbox(other)
    )


def _copy(row: ExecutionRow) -> ExecutionRow:
    """Rows are mutable: what is stored must not change with the caller's copy."""
    return msgspec.structs.replace(row)


def _age(row: ExecutionRow) -> tuple[int, str]:
    return row.created_ms, row.key.id


def _place(row: ExecutionRow) -> tuple[int, ExecutionKey]:
    return row.lane_order, row.key


def _matches(row: ExecutionRow, filter: Filter) -> bool:
    target = row.target
    return (
        row.key.namespace == filter.namespace
        and (not filter.statuses or row.status in filter.statuses)
        and (not filter.task_statuses or row.task_status in filter.task_statuses)
        and filter.service in (None, target.service)
        and filter.method in (None, target.method)
        and (filter.parent is None or (row.parent is not None and row.parent.key == filter.parent))
        and (filter.id_prefix is None or row.key.id.startswith(filter.id_prefix))
        and filter.labels.items() <= row.labels.items()
    )
