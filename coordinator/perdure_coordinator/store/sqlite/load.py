"""What the engine reads: rows, journals, timers, messages, requests, the catalog.

Plain functions over a read connection; each is one unit of work. Reads that need several statements
see one state of the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from perdure_coordinator.store.sqlite.connection import snapshot
from perdure_coordinator.store.sqlite.errors import READ_ERRORS, is_damage
from perdure_coordinator.store.sqlite.rows import (
    NUMBER,
    SELECT_OBJECT,
    SELECT_ROW,
    object_from,
    row_from,
)
from perdure_runtime.core.ids import CHAIN_START, ExecutionKey, ObjectKey
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.integrity import unreadable_object
from perdure_runtime.storage import (
    CatalogRow,
    ExecutionRow,
    ObjectRow,
    OutboxRow,
    RequestRow,
    ScheduleRow,
    StoredEntry,
    StoredExecution,
    Timer,
    cut_page,
)

_BY_KEY: Final = SELECT_ROW + "WHERE namespace = ? AND id = ?"
_OBJECT_BY_KEY: Final = SELECT_OBJECT + "WHERE namespace = ? AND class_name = ? AND key = ?"
_UNFINISHED: Final = (  # the words of the partial index `executions_unfinished`, for the planner
    "AND status NOT IN ('completed', 'failed', 'cancelled', 'timed_out') "
)
_EVERY_ROW: Final = -1  # LIMIT -1


def load_rows(
    connection: sqlite3.Connection, keys: Sequence[ExecutionKey]
) -> dict[ExecutionKey, ExecutionRow]:
    """The rows that exist among the keys: one prepared look-up each, about 10 us a row."""
    found = {}
    with snapshot(connection):
        for key in keys:
            columns = connection.execute(_BY_KEY, key).fetchone()
            if columns is not None:
                found[key] = row_from(columns)
    return found


def callers_runs(
    connection: sqlite3.Connection, keys: Sequence[ExecutionKey]
) -> dict[ExecutionKey, int]:
    """The highest run of each caller that executions name."""
    runs = {}
    with snapshot(connection):
        for key in keys:
            (run,) = connection.execute(
                "SELECT max(parent_run) FROM executions"
                " WHERE parent_namespace = ? AND parent_id = ?",
                key,
            ).fetchone()
            if run is not None:
                runs[key] = run
    return runs


def load(
    connection: sqlite3.Connection,
    key: ExecutionKey,
    from_index: int,
    limit: int | None,
    limit_bytes: int | None,
) -> StoredExecution | None:
    """A row and a page of its journal, of one moment."""
    with snapshot(connection):
        columns = connection.execute(_BY_KEY, key).fetchone()
        if columns is None:
            return None
        number = columns[NUMBER]
        end = connection.execute(
            "SELECT length, chain, first, base FROM journals WHERE execution = ?", (number,)
        ).fetchone()
        row = row_from(columns)
        journal = connection.execute(
            "SELECT position, time_ms, chain, data FROM journal"
            " WHERE execution = ? AND position >= ? ORDER BY position LIMIT ?",
            (number, from_index, _EVERY_ROW if limit is None else limit),
        )
        page = cut_page((StoredEntry(row.key, *entry) for entry in journal), limit_bytes)
    return StoredExecution(row, page, *(end or (0, CHAIN_START)))


def scan_unfinished(
    connection: sqlite3.Connection,
    after: ExecutionKey | None,
    limit: int,
    statuses: Sequence[Status],
) -> list[ExecutionRow]:
    """Rows with one of the statuses in key order."""
    wanted = ",".join("?" * len(statuses))
    sql = SELECT_ROW + "WHERE (namespace, id) > (?, ?) "
    if after is None:
        sql = SELECT_ROW + "WHERE (namespace, id) >= (?, ?) "
    if not any(is_end(status) for status in statuses):
        sql += _UNFINISHED
    sql += f"AND status IN ({wanted}) ORDER BY namespace, id LIMIT ?"
    start = after if after is not None else ("", "")
    parameters = (*start, *(status.value for status in statuses), limit)
    return [row_from(columns) for columns in connection.execute(sql, parameters)]


def scan_lanes(connection: sqlite3.Connection, after: int, limit: int) -> list[ExecutionRow]:
    """Rows that stand in a lane, in that order."""
    sql = SELECT_ROW + (
        "WHERE lane_order > 0 AND lane_order > ? ORDER BY lane_order, namespace, id LIMIT ?"
    )
    return [row_from(columns) for columns in connection.execute(sql, (after, limit))]


def scan_places(
    connection: sqlite3.Connection, after: ExecutionKey | None, limit: int
) -> list[ExecutionRow]:
    """Rows that count for the limit of their method; walks the index `executions_in_places`."""
    start = ">=" if after is None else ">"
    sql = SELECT_ROW + (
        f"WHERE has_place = 1 AND (namespace, id) {start} (?, ?) ORDER BY namespace, id LIMIT ?"
    )
    parameters = (*(after if after is not None else ("", "")), limit)
    return [row_from(columns) for columns in connection.execute(sql, parameters)]


def scan_awaiting(
    connection: sqlite3.Connection, after: ExecutionKey | None, limit: int
) -> list[ExecutionRow]:
    """Rows that wait for the ends of others, in key order."""
    sql = SELECT_ROW + "WHERE awaited != '' AND (namespace, id) > (?, ?) "
    sql += "ORDER BY namespace, id LIMIT ?"
    return [row_from(columns) for columns in connection.execute(sql, (*(after or ("", "")), limit))]


def load_objects(
    connection: sqlite3.Connection, keys: Sequence[ObjectKey]
) -> dict[ObjectKey, ObjectRow]:
    """The objects that exist among the keys; one that cannot be read stands there as damaged."""
    found = {}
    with snapshot(connection):
        for key in keys:
            row = _load_object(connection, key)
            if row is not None:
                found[key] = row
    return found


def _load_object(connection: sqlite3.Connection, key: ObjectKey) -> ObjectRow | None:
    try:
        columns = connection.execute(_OBJECT_BY_KEY, key).fetchone()
    except READ_ERRORS as error:
        if not is_damage(error):
            raise
        return unreadable_object(key, f"the database cannot be read there: {error}")
    return None if columns is None else object_from(key, columns)


def timers_due(connection: sqlite3.Connection, until_ms: int, limit: int) -> list[Timer]:
    """The earliest timers, by time and then by the order in which they were set."""
    found = connection.execute(
        "SELECT namespace, id, t.shard, t.kind, path, t.due_ms, t.run, t.attempt"
        " FROM timers t JOIN executions ON number = execution"
        " WHERE t.due_ms <= ? ORDER BY t.due_ms, sequence LIMIT ?",
        (until_ms, limit),
    )
    return [Timer(ExecutionKey(namespace, id), *rest) for namespace, id, *rest in found]


def outbox(connection: sqlite3.Connection, limit: int, after_id: int) -> list[OutboxRow]:
    """Messages in id order."""
    found = connection.execute(
        "SELECT id, shard, namespace, execution, body FROM outbox WHERE id > ? ORDER BY id LIMIT ?",
        (after_id, limit),
    )
    return [
        OutboxRow(id=id, shard=shard, destination=ExecutionKey(namespace, execution), body=body)
        for id, shard, namespace, execution, body in found
    ]


def find_request(
    connection: sqlite3.Connection, namespace: str, request_id: str
) -> RequestRow | None:
    """A remembered request."""
    found = connection.execute(
        "SELECT namespace, request_id, reply, expires_ms FROM requests"
        " WHERE namespace = ? AND request_id = ?",
        (namespace, request_id),
    ).fetchone()
    return None if found is None else RequestRow(*found)


def catalog(connection: sqlite3.Connection) -> list[CatalogRow]:
    """Every registered method in key order."""
    found = connection.execute(
        "SELECT namespace, service, method, spec FROM catalog ORDER BY 1, 2, 3"
    )
    return [CatalogRow(*columns) for columns in found]


def schedules(connection: sqlite3.Connection) -> list[ScheduleRow]:
    """Every schedule in key order."""
    found = connection.execute("SELECT namespace, id, data FROM schedules ORDER BY 1, 2")
    return [ScheduleRow(*columns) for columns in found]


def ended_before(connection: sqlite3.Connection, until_ms: int, limit: int) -> list[ExecutionKey]:
    """Finished executions, those that ended first; walks the index `executions_by_end`."""
    found = connection.execute(
        "SELECT namespace, id FROM executions"
        " WHERE status IN ('completed', 'failed', 'cancelled', 'timed_out') AND ended_ms <= ?"
        " AND damage = ''"
        " ORDER BY ended_ms LIMIT ?",
        (until_ms, limit),
    )
    return [ExecutionKey(*columns) for columns in found]
