"""Mailboxes in SQLite: events until they expire, and who waits for which.

Plain functions over a connection; each is one unit of work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from perdure_coordinator.store.sqlite.connection import writing
from perdure_runtime.storage import (
    EventName,
    EventRow,
    WaitRow,
    WriteBatch,
    check_sequences,
    cut_page,
)

_INSERT: Final = """
INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (namespace, event_id, execution_id, dedupe) WHERE dedupe != '' DO NOTHING
"""
_DELIVERABLE: Final = """
SELECT DISTINCT namespace, event_id FROM waits w WHERE EXISTS (
    SELECT 1 FROM events e
    WHERE e.namespace = w.namespace AND e.event_id = w.event_id AND e.sequence > w.after
        AND e.execution_id IN ('', w.execution_id) AND e.expires_ms > ?
) ORDER BY namespace, event_id
"""


def write_mail(connection: sqlite3.Connection, batch: WriteBatch) -> None:
    """The events and waits of a batch."""
    if batch.events:
        _write_events(connection, batch.events)
    connection.executemany(
        "DELETE FROM waits WHERE namespace = ? AND event_id = ? AND execution_id = ?",
        [(*name, id) for name, id in batch.waits_cleared],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO waits VALUES (?, ?, ?, ?)",
        [(*wait.name, wait.execution_id, wait.after) for wait in batch.waits_set.values()],
    )


def _write_events(connection: sqlite3.Connection, events: Sequence[EventRow]) -> None:
    check_sequences(events, connection.execute("SELECT next_event FROM owner").fetchone()[0])
    connection.executemany(
        _INSERT,
        [
            (
                event.sequence,
                event.namespace,
                event.event_id,
                event.execution_id,
                event.dedupe,
                event.data,
                event.sent_ms,
                event.expires_ms,
            )
            for event in events
        ],
    )
    connection.execute("UPDATE owner SET next_event = ?", (events[-1].sequence + 1,))


def events(
    connection: sqlite3.Connection,
    name: EventName,
    after: int,
    now_ms: int,
    limit: int,
    limit_bytes: int | None,
) -> list[EventRow]:
    """Events of a mailbox above a sequence that have not expired, in order."""
    found = connection.execute(
        "SELECT * FROM events WHERE namespace = ? AND event_id = ? AND sequence > ?"
        " AND expires_ms > ? ORDER BY sequence LIMIT ?",
        (*name, after, now_ms, limit),
    )
    return cut_page((EventRow(*columns) for columns in found), limit_bytes)


def waiting(
    connection: sqlite3.Connection, name: EventName, after_id: str, limit: int
) -> list[WaitRow]:
    """Who waits for the events of a mailbox, by execution id."""
    found = connection.execute(
        "SELECT execution_id, after FROM waits WHERE namespace = ? AND event_id = ?"
        " AND execution_id > ? ORDER BY execution_id LIMIT ?",
        (*name, after_id, limit),
    )
    return [WaitRow(name, *columns) for columns in found]


def deliverable(connection: sqlite3.Connection, now_ms: int) -> list[EventName]:
    """Mailboxes with an event that somebody waits for."""
    return [EventName(*columns) for columns in connection.execute(_DELIVERABLE, (now_ms,))]


def expire_events(connection: sqlite3.Connection, now_ms: int, limit: int) -> int:
    """Remove expired events, the oldest first, not more than `limit` in one transaction."""
    with writing(connection):
        return connection.execute(
            "DELETE FROM events WHERE sequence IN (SELECT sequence FROM events"
            " WHERE expires_ms <= ? ORDER BY expires_ms, sequence LIMIT ?)",
            (now_ms, limit),
        ).rowcount
