"""The write path: one batch, one transaction, one hop to the writer's thread.

Everything here runs on the thread of the one writer connection. `Places` remembers where the
journals of recently written executions end, so that a step costs one insert and no look-up; it
learns from a batch only after that batch is on disk, and forgets everything when one fails.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from perdure_coordinator.store.sqlite.connection import writing
from perdure_coordinator.store.sqlite.labels import remove_labels, write_labels
from perdure_coordinator.store.sqlite.mailboxes import write_mail
from perdure_coordinator.store.sqlite.maintenance import PAGE_BYTES
from perdure_coordinator.store.sqlite.rows import identity_of, object_columns, state_of
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.failpoints import failpoint
from perdure_runtime.storage import (
    BadRow,
    ExecutionRow,
    Fenced,
    OutboxRow,
    Ownership,
    RequestRow,
    ScheduleRow,
    StoredEntry,
    Timer,
    WriteBatch,
)

MAX_PLACES: Final = 50_000  # about 15 MB

_UPSERT_ROW: Final = """
INSERT INTO executions (
    namespace, id,
    shard, service, method, target_key, created_ms, input_digest, kind, parent_namespace,
    parent_id, parent_run, parent_attempt, parent_path, parent_detached,
    status, run, attempt, priority, due_ms, started_ms, ended_ms, updated_ms, crash_count,
    crash_index, build_id, error, detail, progress, held, lane_order, held_objects, run_index,
    labels, has_place, awaited, task, task_status, damage)
VALUES (?,?, ?,?,?,?,?,?,?,?,?,?,?,?,?,?, ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT (namespace, id) DO UPDATE SET
    shard = excluded.shard, service = excluded.service, method = excluded.method,
    target_key = excluded.target_key, created_ms = excluded.created_ms,
    input_digest = excluded.input_digest, kind = excluded.kind,
    parent_namespace = excluded.parent_namespace, parent_id = excluded.parent_id,
    parent_run = excluded.parent_run, parent_attempt = excluded.parent_attempt,
    parent_path = excluded.parent_path, parent_detached = excluded.parent_detached,
    status = excluded.status, run = excluded.run, attempt = excluded.attempt,
    priority = excluded.priority, due_ms = excluded.due_ms, started_ms = excluded.started_ms,
    ended_ms = excluded.ended_ms, updated_ms = excluded.updated_ms,
    crash_count = excluded.crash_count, crash_index = excluded.crash_index,
    build_id = excluded.build_id, error = excluded.error, detail = excluded.detail,
    progress = excluded.progress, held = excluded.held, lane_order = excluded.lane_order,
    held_objects = excluded.held_objects, run_index = excluded.run_index,
    labels = excluded.labels, has_place = excluded.has_place,
    awaited = excluded.awaited, task = excluded.task, task_status = excluded.task_status,
    damage = excluded.damage
"""
_FIND_PLACE: Final = """
SELECT number, coalesce((SELECT length FROM journals WHERE execution = number), 0)
FROM executions WHERE namespace = ? AND id = ?
"""
_WRITE_END: Final = """
INSERT INTO journals VALUES (?, ?, ?, 0, zeroblob(8))
ON CONFLICT (execution) DO UPDATE SET length = excluded.length, chain = excluded.chain
"""


class Place(NamedTuple):
    """The number of an execution and the index of its journal's next entry."""

    number: int
    length: int


class Places:
    """Bounded memory of places; the oldest known half goes when it is full."""

    def __init__(self) -> None:
        self._known: dict[ExecutionKey, Place] = {}

    def find(self, connection: sqlite3.Connection, key: ExecutionKey) -> Place | None:
        """Where the journal ends, remembered or looked up."""
        place = self._known.get(key)
        if place is None:
            found = connection.execute(_FIND_PLACE, key).fetchone()
            if found is None:
                return None
            place = Place(*found)
        return place

    def learn(self, places: dict[ExecutionKey, Place]) -> None:
        """Remember what is on disk now."""
        if len(self._known) + len(places) > MAX_PLACES:
            for key in list(self._known)[: MAX_PLACES // 2]:
                del self._known[key]
        self._known.update(places)

    def forget(self) -> None:
        """Look everything up again."""
        self._known.clear()


def take_ownership(connection: sqlite3.Connection, name: str, floor: int) -> Ownership:
    """Raise the epoch by one, or to the floor, and write the owner's name."""
    with writing(connection):
        connection.execute("UPDATE owner SET epoch = max(epoch + 1, ?), name = ?", (floor, name))
        epoch, clock_ms, next_outbox_id, next_event = connection.execute(
            "SELECT epoch, clock_ms, next_outbox_id, next_event FROM owner"
        ).fetchone()
    return Ownership(epoch, clock_ms, next_outbox_id, next_event)


def write_batch(connection: sqlite3.Connection, batch: WriteBatch, places: Places) -> int:
    """Write the batch, synced, or nothing of it; returns about how many bytes the log grew by."""
    written: dict[ExecutionKey, Place] = {}
    try:
        with writing(connection):
            _check_epoch(connection, batch)
            if batch.rows:
                _write_rows(connection, batch.rows.values())
            if batch.entries:
                rows, ends = _journal_rows(connection, batch.entries, places, written)
                connection.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", rows)
                connection.executemany(_WRITE_END, ends)
            if batch.timers_cleared or batch.timers_all_cleared or batch.timers_set:
                _write_timers(connection, batch, places, written)
            if batch.outbox_removed or batch.outbox_added:
                _write_outbox(connection, batch.outbox_removed, batch.outbox_added)
            if batch.requests or batch.catalog:
                _write_names(connection, batch)
            if batch.objects:
                connection.executemany(
                    "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    map(object_columns, batch.objects.values()),
                )
            if batch.events or batch.waits_cleared or batch.waits_set:
                write_mail(connection, batch)
            if batch.schedules:
                _write_schedules(connection, batch.schedules)
            failpoint("in-commit")
    except BaseException:
        places.forget()
        raise
    places.learn(written)
    return _log_bytes(batch, journals=len(written))


def _log_bytes(batch: WriteBatch, journals: int) -> int:
    """A page for each journal, row, index entry and timer touched, and the data itself."""
    pages = 1 + journals + 4 * len(batch.rows)
    pages += 3 * (len(batch.timers_set) + len(batch.timers_cleared) + len(batch.timers_all_cleared))
    pages += len(batch.outbox_added) + 2 * len(batch.requests) + 4 * len(batch.events)
    pages += 2 * (len(batch.objects) + len(batch.waits_cleared) + len(batch.waits_set))
    pages += 2 * len(batch.schedules)
    data_bytes = sum(len(entry.data) for entry in batch.entries)
    data_bytes += sum(len(row.state.data) for row in batch.objects.values())
    data_bytes += sum(len(event.data) for event in batch.events)
    return pages * PAGE_BYTES + data_bytes


def _check_epoch(connection: sqlite3.Connection, batch: WriteBatch) -> None:
    epoch, clock_ms = connection.execute("SELECT epoch, clock_ms FROM owner").fetchone()
    if epoch != batch.shard_epoch:
        raise Fenced(f"epoch {batch.shard_epoch} has been superseded by {epoch}; nothing written")
    if batch.clock_ms > clock_ms:
        connection.execute("UPDATE owner SET clock_ms = ?", (batch.clock_ms,))


def _write_rows(connection: sqlite3.Connection, rows: Iterable[ExecutionRow]) -> None:
    connection.executemany(
        _UPSERT_ROW, [(*row.key, *identity_of(row), *state_of(row)) for row in rows]
    )
    write_labels(connection, rows)


def _journal_rows(
    connection: sqlite3.Connection,
    entries: Sequence[StoredEntry],
    places: Places,
    written: dict[ExecutionKey, Place],
) -> tuple[list[tuple[int, int, int, bytes, bytes]], list[tuple[int, int, bytes]]]:
    """The rows of the entries, and where the journals end with them."""
    rows: list[tuple[int, int, int, bytes, bytes]] = []
    chains: dict[int, tuple[int, int, bytes]] = {}
    for entry in entries:
        key = entry.key
        place = written.get(key) or places.find(connection, key)
        if place is None:
            raise BadRow(f"entry {entry.index} of {key}: there is no such execution")
        number, length = place
        if entry.index != length:
            raise BadRow(f"entry {entry.index} of {key}: the journal's next is {length}")
        written[key] = Place(number, length + 1)
        rows.append((number, length, entry.time_ms, entry.chain, entry.data))
        chains[number] = number, length + 1, entry.chain
    return rows, list(chains.values())


def _write_timers(
    connection: sqlite3.Connection,
    batch: WriteBatch,
    places: Places,
    written: dict[ExecutionKey, Place],
) -> None:
    connection.executemany(
        "DELETE FROM timers WHERE kind = ? AND path = ? AND execution ="
        " (SELECT number FROM executions WHERE namespace = ? AND id = ?)",
        [(timer.kind, timer.path, *timer.key) for timer in batch.timers_cleared],
    )
    connection.executemany(
        "DELETE FROM timers WHERE execution ="
        " (SELECT number FROM executions WHERE namespace = ? AND id = ?)",
        batch.timers_all_cleared,
    )

    def columns(timer: Timer) -> tuple[Any, ...]:
        place = written.get(timer.key) or places.find(connection, timer.key)
        if place is None:
            raise BadRow(f"timer {timer.path!r} of {timer.key}: there is no such execution")
        written[timer.key] = place
        return (
            place.number,
            timer.kind,
            timer.path,
            timer.shard,
            timer.due_ms,
            timer.run,
            timer.attempt,
        )

    connection.executemany(
        "INSERT OR REPLACE INTO timers (execution, kind, path, shard, due_ms, run, attempt)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [columns(timer) for timer in batch.timers_set.values()],
    )


def _write_outbox(
    connection: sqlite3.Connection, removed: Sequence[int], added: Sequence[OutboxRow]
) -> None:
    connection.executemany("DELETE FROM outbox WHERE id = ?", [(id,) for id in removed])
    if added:
        connection.executemany(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?)",
            [(message.id, message.shard, *message.destination, message.body) for message in added],
        )
        connection.execute(
            "UPDATE owner SET next_outbox_id = max(next_outbox_id, ?)",
            (max(message.id for message in added) + 1,),
        )


def _write_requests(connection: sqlite3.Connection, requests: Iterable[RequestRow]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO requests VALUES (?, ?, ?, ?)",
        [(r.namespace, r.request_id, r.reply, r.expires_ms) for r in requests],
    )


def _write_names(connection: sqlite3.Connection, batch: WriteBatch) -> None:
    _write_requests(connection, batch.requests)
    connection.executemany(
        "INSERT OR REPLACE INTO catalog VALUES (?, ?, ?, ?)",
        [(c.namespace, c.service, c.method, c.spec) for c in batch.catalog],
    )


def _write_schedules(
    connection: sqlite3.Connection, schedules: dict[tuple[str, str], ScheduleRow | None]
) -> None:
    for name, row in schedules.items():
        if row is None:
            connection.execute("DELETE FROM schedules WHERE namespace = ? AND id = ?", name)
        else:
            values = (*name, row.data)
            connection.execute("INSERT OR REPLACE INTO schedules VALUES (?, ?, ?)", values)


def delete_executions(
    connection: sqlite3.Connection,
    keys: Sequence[ExecutionKey],
    requests: Iterable[RequestRow],
    places: Places,
) -> None:
    """Remove executions with their journals, timers and waits; remember the requests."""
    places.forget()  # a number may be given again
    with writing(connection):
        _write_requests(connection, requests)
        for key in keys:
            found = connection.execute(
                "DELETE FROM executions WHERE namespace = ? AND id = ?"
                " RETURNING number, labels, created_ms",
                key,
            ).fetchall()
            for number, labels, created_ms in found:
                connection.execute("DELETE FROM journal WHERE execution = ?", (number,))
                connection.execute("DELETE FROM journals WHERE execution = ?", (number,))
                connection.execute("DELETE FROM timers WHERE execution = ?", (number,))
                remove_labels(connection, key, labels, created_ms)
            connection.execute("DELETE FROM waits WHERE namespace = ? AND execution_id = ?", key)


def trim_journal(connection: sqlite3.Connection, key: ExecutionKey, before: int, limit: int) -> int:
    """Remove the first entries of a journal, none of the current run; returns how many."""
    with writing(connection):
        found = connection.execute(
            "SELECT number, run_index, first, length FROM executions"
            " JOIN journals ON execution = number WHERE namespace = ? AND id = ?",
            key,
        ).fetchone()
        if found is None:
            return 0
        number, run_index, first, length = found
        end = min(before, run_index, length - 1, first + limit)
        base = connection.execute(
            "SELECT chain FROM journal WHERE execution = ? AND position = ?", (number, end - 1)
        ).fetchone()
        if end <= first or base is None:
            return 0
        connection.execute(
            "UPDATE journals SET first = ?, base = ? WHERE execution = ?", (end, *base, number)
        )
        return connection.execute(
            "DELETE FROM journal WHERE execution = ? AND position < ?", (number, end)
        ).rowcount


def forget_requests(connection: sqlite3.Connection, now_ms: int) -> int:
    """Remove expired requests; returns how many."""
    with writing(connection):
        return connection.execute("DELETE FROM requests WHERE expires_ms <= ?", (now_ms,)).rowcount
