"""What the coordinator knows about an execution, as users read it: plain fields, zoned times."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from perdure.client.transport import Transport
from perdure_runtime.core.client import Description, ListRequest
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Progress

PAGE = 100


@dataclass(frozen=True, slots=True)
class ExecutionInfo:
    """One execution as `describe` and `list` show it.

    Args:
        target: `service/method`.
        kind: function, flow or handler; "" before a worker has offered the method.
        status: compares equal to its text: `info.status == "running"`.
        task_status: of a task (`perdure.tasks`), "" for all other executions.
        assigned_to: id of who has the task, or had it last.
        waiting_for: what a suspended or queued execution waits for, in words.
        error: of the failure, "" without one.
        detail: why it is paused, blocked or waiting.
        journal_length: entries of the current run.
    """

    id: str
    namespace: str
    target: str
    kind: str
    status: Status
    run: int
    attempt: int
    priority: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    version: str
    worker: str
    journal_length: int
    waiting_for: tuple[str, ...]
    error: str
    detail: str
    progress: Progress | None
    parent_id: str
    labels: Mapping[str, str]
    task_status: str = ""
    assigned_to: str = ""


ExecutionSummary = ExecutionInfo


def execution_info(description: Description) -> ExecutionInfo:
    """A description as users read it."""
    return ExecutionInfo(
        id=description.id,
        namespace=description.namespace,
        target=description.target.name(),
        kind=description.kind,
        status=description.status,
        run=description.run,
        attempt=description.attempt,
        priority=description.priority,
        created=time_of(description.created_ms),
        started=time_of(description.started_ms) if description.started_ms else None,
        finished=time_of(description.ended_ms) if description.ended_ms else None,
        version=description.version,
        worker=description.worker,
        journal_length=description.journal_length,
        waiting_for=description.waiting_for,
        error=description.error,
        detail=description.detail,
        progress=description.progress,
        parent_id=description.parent_id,
        task_status=description.task_status or "",
        assigned_to=_assigned_to(description),
        labels=description.labels,
    )


def _assigned_to(description: Description) -> str:
    task = description.task
    return "" if task is None or task.worker is None else task.worker.id


def time_of(time_ms: int) -> datetime:
    """Milliseconds since the epoch as a datetime in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def statuses_of(status: str | Sequence[str] | None) -> tuple[Status, ...]:
    """One status, several or none. Raises `InvalidArgumentError` for a word that is none."""
    words = () if status is None else (status,) if isinstance(status, str) else tuple(status)
    try:
        return tuple(Status(word) for word in words)
    except ValueError:
        known = ", ".join(Status)
        raise InvalidArgumentError(f"no such status in {words}; there are {known}") from None


async def pages(
    transport: Transport, request: ListRequest, limit: int | None
) -> AsyncIterator[ExecutionInfo]:
    """Executions, newest first, page by page as they are asked for."""
    if limit is not None and limit < 0:
        raise InvalidArgumentError(f"limit must be 0 or more, not {limit}")
    left = limit
    cursor = ""
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        reply = await transport.list(msgspec.structs.replace(request, limit=size, cursor=cursor))
        for item in reply.items:
            yield execution_info(item)
        if left is not None:
            left -= len(reply.items)
        cursor = reply.next_cursor
        if not cursor:
            return
