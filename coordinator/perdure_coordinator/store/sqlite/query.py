"""Lists for people: rows that match a filter, newest first, a page at a time.

Runs on a connection of its own, so that a long list never makes an activation wait. One statement
per status: each walks an index in the page's order and stops at its limit, which a single statement
over several statuses cannot.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from perdure_coordinator.store.sqlite.connection import snapshot
from perdure_coordinator.store.sqlite.labels import (
    SELECT_LABELLED,
    leading_label,
    other_labels,
)
from perdure_coordinator.store.sqlite.rows import SELECT_ROW, row_from
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.tasks import TaskStatus
from perdure_runtime.storage import ExecutionRow, Filter, Page, page_cursor, parse_cursor

_LAST_CODE_POINT: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)  # code points that no UTF-8 text holds


def query(connection: sqlite3.Connection, filter: Filter, limit: int, after: str) -> Page:
    """One page and the cursor of the next."""
    statuses: tuple[Status | TaskStatus | None, ...]
    statuses = tuple(dict.fromkeys(filter.task_statuses or filter.statuses)) or (None,)
    rows: list[ExecutionRow] = []
    with snapshot(connection):
        for status in statuses:
            sql, parameters = _statement(filter, status, limit + 1, after)
            rows += map(row_from, connection.execute(sql, parameters))
    if len(statuses) > 1:
        rows.sort(key=lambda row: (row.created_ms, row.key.id), reverse=True)
    page = rows[:limit]
    more = len(rows) > limit and page
    return Page(rows=page, next_cursor=page_cursor(page[-1]) if more else "")


def _statement(
    filter: Filter, status: Status | TaskStatus | None, limit: int, after: str
) -> tuple[str, list[Any]]:
    conditions = ["namespace = ?"]
    parameters: list[Any] = [filter.namespace]

    def where(condition: str, *values: Any) -> None:
        conditions.append(condition)
        parameters.extend(values)

    if isinstance(status, TaskStatus):
        where("task_status != '' AND task_status = ?", status.value)
        if filter.statuses:
            marks = ",".join("?" * len(filter.statuses))
            where(f"status IN ({marks})", *(wanted.value for wanted in filter.statuses))
    elif status is not None:
        where("status = ?", status.value)
    if filter.service is not None:
        where("service = ?", filter.service)
    if filter.method is not None:
        where("method = ?", filter.method)
    if filter.parent is not None:
        where("parent_namespace = ? AND parent_id = ?", *filter.parent)
    if filter.id_prefix is not None:
        where("id >= ?", filter.id_prefix)
        end = prefix_end(filter.id_prefix)
        if end is not None:
            where("id < ?", end)
    select, age = SELECT_ROW, ("created_ms", "id")
    if filter.labels:
        select, age = SELECT_LABELLED, ("since_ms", "execution_id")
        condition, values = leading_label(filter.namespace, filter.labels)
        where(condition, *values)
        for condition, *values in other_labels(filter.labels):
            where(condition, *values)
    if after:
        where(f"({age[0]}, {age[1]}) < (?, ?)", *parse_cursor(after))
    condition = " AND ".join(conditions)  # fixed words; values go in as parameters
    order = f"ORDER BY {age[0]} DESC, {age[1]} DESC LIMIT ?"
    return f"{select} WHERE {condition} {order}", [*parameters, limit]


def prefix_end(prefix: str) -> str | None:
    """The first text after all texts with this prefix; None if there is none."""
    stem = prefix.rstrip(chr(_LAST_CODE_POINT))
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if following in _SURROGATES:
        following = _SURROGATES.stop
    return stem[:-1] + chr(following)
