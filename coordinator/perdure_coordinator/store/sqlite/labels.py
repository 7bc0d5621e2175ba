"""Table `labels`: what lists filter executions by, beside the copy that each row carries.

Labels never change, so a row that is written again adds nothing. Rows without labels cost nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import msgspec

from perdure_coordinator.store.sqlite.rows import SELECT_ROW
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.storage import ExecutionRow

# The labels lead: they stand in the order of the page, and a page stops at its limit.
SELECT_LABELLED: Final = SELECT_ROW.replace(
    "FROM executions ",
    "FROM labels CROSS JOIN executions ON namespace = label_namespace AND id = execution_id ",
)
_HAS: Final = (
    "EXISTS (SELECT 1 FROM labels AS other WHERE other.label_namespace = namespace"
    " AND other.label = ? AND other.value = ? AND other.since_ms = created_ms"
    " AND other.execution_id = id)"
)


def write_labels(connection: sqlite3.Connection, rows: Iterable[ExecutionRow]) -> None:
    """Add the labels of rows that are new; those of known rows are there."""
    added = [
        (row.key.namespace, label, value, row.created_ms, row.key.id)
        for row in rows
        if row.labels
        for label, value in row.labels.items()
    ]
    if added:
        connection.executemany("INSERT OR IGNORE INTO labels VALUES (?, ?, ?, ?, ?)", added)


def remove_labels(
    connection: sqlite3.Connection, key: ExecutionKey, labels: str, created_ms: int
) -> None:
    """Remove the labels of a row that was deleted; `labels` is its column."""
    if labels:
        connection.executemany(
            "DELETE FROM labels WHERE label_namespace = ? AND label = ? AND value = ?"
            " AND since_ms = ? AND execution_id = ?",
            [
                (key.namespace, label, value, created_ms, key.id)
                for label, value in msgspec.json.decode(labels).items()
            ],
        )


def leading_label(namespace: str, labels: dict[str, str]) -> tuple[str, list[Any]]:
    """The condition on the label that the statement walks, with its parameters."""
    label, value = next(iter(labels.items()))
    return "label_namespace = ? AND label = ? AND value = ?", [namespace, label, value]


def other_labels(labels: dict[str, str]) -> list[tuple[str, str, str]]:
    """A condition with its two parameters for each label but the leading one."""
    return [(_HAS, label, value) for label, value in islice(labels.items(), 1, None)]
