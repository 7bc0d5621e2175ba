"""Between rows of the contract and the columns of tables `executions` and `objects`. No I/O."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perdure_runtime.core.entries import Target
from perdure_runtime.core.ids import ExecutionKey, ObjectKey, ParentLink
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.tasks import TaskState, TaskStatus
from perdure_runtime.integrity import object_checksum, unreadable_object, unreadable_row
from perdure_runtime.storage import ExecutionRow, ObjectRow

SELECT_ROW: Final = (
    "SELECT namespace, id, shard, service, method, target_key, status, created_ms, input_digest, "
    "run, attempt, priority, kind, parent_namespace, parent_id, parent_run, parent_attempt, "
    "parent_path, parent_detached, due_ms, started_ms, ended_ms, updated_ms, crash_count, "
    "crash_index, build_id, error, detail, progress, held, lane_order, held_objects, run_index, "
    "labels, has_place, awaited, task, task_status, damage, number "
    "FROM executions "
)
NUMBER: Final = 39  # position of the execution's number in SELECT_ROW

_STATUSES: Final = {status.value: status for status in Status}
_NO_PARENT: Final = (None, None, None, None, None, None)


def row_from(columns: tuple[Any, ...]) -> ExecutionRow:
    """The row that SELECT_ROW read; one that makes no sense stands there as damaged."""
    try:
        return _row(columns)
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        problem = f"its row cannot be read: {type(error).__name__}: {error}"
        return unreadable_row(ExecutionKey(str(columns[0]), str(columns[1])), problem)


def _row(columns: tuple[Any, ...]) -> ExecutionRow:
    parent = None
    if columns[14] is not None:
        parent = ParentLink(
            key=ExecutionKey(columns[13], columns[14]),
            run=columns[15],
            attempt=columns[16],
            path=columns[17],
            detached=bool(columns[18]),
        )
    return ExecutionRow(
        key=ExecutionKey(columns[0], columns[1]),
        shard=columns[2],
        target=Target(service=columns[3], method=columns[4], key=columns[5]),
        status=_STATUSES[columns[6]],
        created_ms=columns[7],
        input_digest=columns[8],
        run=columns[9],
        attempt=columns[10],
        priority=columns[11],
        kind=columns[12],
        parent=parent,
        due_ms=columns[19],
        started_ms=columns[20],
        ended_ms=columns[21],
        updated_ms=columns[22],
        crash_count=columns[23],
        crash_index=columns[24],
        build_id=columns[25],
        error=columns[26],
        detail=columns[27],
        progress=columns[28],
        held=columns[29],
        lane_order=columns[30],
        held_objects=_texts_from(columns[31]) if columns[31] else (),
        run_index=columns[32],
        labels=_metadata_from(columns[33]),
        has_place=bool(columns[34]),
        after=_texts_from(columns[35]) if columns[35] else (),
        task=msgspec.json.decode(columns[36], type=TaskState) if columns[36] else None,
        task_status=TaskStatus(columns[37]) if columns[37] else None,
        damage=columns[38],
    )


def identity_of(row: ExecutionRow) -> tuple[Any, ...]:
    """The columns that are indexed and hardly ever change."""
    parent = row.parent
    return (
        row.shard,
        row.target.service,
        row.target.method,
        row.target.key,
        row.created_ms,
        row.input_digest,
        row.kind,
        *(_NO_PARENT if parent is None else (*parent.key, *parent[1:])),
    )


def state_of(row: ExecutionRow) -> tuple[Any, ...]:
    """The columns that change while an execution lives."""
    return (
        row.status.value,
        row.run,
        row.attempt,
        row.priority,
        row.due_ms,
        row.started_ms,
        row.ended_ms,
        row.updated_ms,
        row.crash_count,
        row.crash_index,
        row.build_id,
        row.error,
        row.detail,
        row.progress,
        row.held,
        row.lane_order,
        msgspec.json.encode(row.held_objects).decode() if row.held_objects else "",
        row.run_index,
        msgspec.json.encode(row.labels).decode() if row.labels else "",
        int(row.has_place),
        msgspec.json.encode(row.after).decode() if row.after else "",
        msgspec.json.encode(row.task).decode() if row.task is not None else "",
        row.task_status.value if row.task_status is not None else "",
        row.damage,
    )


def _texts_from(json: str) -> tuple[str, ...]:
    return msgspec.json.decode(json, type=tuple[str, ...])


SELECT_OBJECT: Final = (
    "SELECT service, updated_ms, encoding, digest, metadata, data, checksum FROM objects "
)


def object_from(key: ObjectKey, columns: tuple[Any, ...]) -> ObjectRow:
    """The object that SELECT_OBJECT read; one that is not as it was written stands as damaged."""
    service, updated_ms, encoding, digest, metadata, data, checksum = columns
    try:
        state = Payload(data, encoding, digest, _metadata_from(metadata))
        row = ObjectRow(key, service, state, updated_ms)
        is_intact = checksum == object_checksum(row)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        return unreadable_object(key, f"it cannot be read: {type(error).__name__}: {error}")
    return row if is_intact else unreadable_object(key, "it is not as it was written")


def object_columns(row: ObjectRow) -> tuple[Any, ...]:
    """All columns of table `objects`."""
    state = row.state
    metadata = msgspec.json.encode(state.metadata).decode() if state.metadata else ""
    return (
        *row.key,
        row.service,
        row.updated_ms,
        state.encoding,
        state.digest,
        metadata,
        state.data,
        object_checksum(row),
    )


def _metadata_from(json: str) -> dict[str, str]:
    return msgspec.json.decode(json, type=dict[str, str]) if json else {}
