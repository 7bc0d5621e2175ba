"""Reads the record of an execution: its description, its journal, and who made it."""

from __future__ import annotations

from typing import Any

from perdure.client.client import Client
from perdure.client.query import time_of
from perdure.executor.errors import refusal, task_error
from perdure.executor.flows import Names
from perdure.executor.record import (
    Phase,
    Story,
    TaskExecution,
    TaskReference,
    TaskStatus,
    children_errors,
    status_of,
)
from perdure.executor.task import DurableTask, TaskKind
from perdure.executor.tasks import Tasks
from perdure_runtime.core.client import Description
from perdure_runtime.core.errors import NotFoundError
from perdure_runtime.core.payload import Payload
from perdure_runtime.serde import Serializer


async def read_execution(
    client: Client, names: Names, tasks: Tasks, task: DurableTask[Any, Any], id: str
) -> TaskExecution[Any]:
    """The record of an execution of `task`.

    Raises:
        DurableTaskError: there is none, or it runs another task.
    """
    transport, namespace = client.transport, client.namespace
    try:
        seen = await transport.describe(namespace, id)
        story = Story()
        async for recorded in transport.history(namespace, id, 0, False):
            story.tell(recorded, names)
    except NotFoundError:
        raise refusal(f"Execution {id} not found") from None
    if (seen.target.service, seen.target.method) != (names.tasks, task.id):
        raise refusal(f"Execution {id} is one of {seen.target.name()}, not of task {task.id}")
    line = await _ancestors(client, seen)
    attempt = seen.attempt
    if story.run is not None:
        attempt = await _attempt(client, story.run.execution_id)
    return _Reader(client.serializers, tasks, task).record(seen, story, line, attempt)


class _Reader:
    """Makes the record of one execution of what was read of it."""

    def __init__(self, serializer: Serializer, tasks: Tasks, task: DurableTask[Any, Any]) -> None:
        self._serializer = serializer
        self._tasks = tasks
        self._task = task

    def record(
        self, seen: Description, story: Story, line: list[TaskReference], attempt: int
    ) -> TaskExecution[Any]:
        """The record.

        Args:
            line: the executions that made this one, the nearest first.
            attempt: of the user's code.
        """
        run: dict[str, Any] = {}
        if story.run is not None and story.run.result is not None:
            run = self._shape(story.run.result)
        expected = len(run["children"]) if run else len(story.others)
        phase = story.phase(expected, seen.status)
        status = status_of(story, seen.status, phase)
        output = run_output = None
        if status is TaskStatus.COMPLETED and story.ended is not None:
            output = run_output = self._tasks.output_of(self._task, self._shape(story.ended.result))
        if self._task.kind is TaskKind.PARENT:
            what = f"output of run_parent of task {self._task.id}"
            run_output = (
                self._tasks.values.value(run["output"], self._task.run_hint, what) if run else None
            )
        parts, finalizer = story.others[:expected], story.others[expected:]
        ended = finalizer[0].failure if finalizer else None
        return TaskExecution(
            root_task=line[-1] if line else None,
            parent_task=line[0] if line else None,
            task_id=self._task.id,
            execution_id=seen.id,
            run_input=self._tasks.input_of(self._task, self._shape(story.input)),
            run_output=run_output,
            output=output,
            children=tuple(TaskReference(each.task_id, each.execution_id) for each in parts),
            children_errors=(
                children_errors(parts) if status is TaskStatus.CHILDREN_FAILED else ()
            ),
            on_run_and_children_complete=(
                TaskReference(finalizer[0].task_id, finalizer[0].execution_id)
                if finalizer
                else None
            ),
            on_run_and_children_complete_error=(
                None if ended is None or phase is not Phase.FINALIZER else task_error(ended)
            ),
            error=None if status is TaskStatus.COMPLETED else story.error,
            status=status,
            retry_attempts=max(0, attempt - 1),
            created_at=time_of(seen.created_ms),
            started_at=time_of(seen.started_ms) if seen.started_ms else None,
            finished_at=time_of(seen.ended_ms) if seen.ended_ms else None,
            updated_at=time_of(max(story.updated_ms, seen.ended_ms)),
            engine_status=str(seen.status),
            detail=seen.detail,
        )

    def _shape(self, payload: Payload | None) -> Any:
        return None if payload is None else self._serializer.decode(payload)


async def _ancestors(client: Client, seen: Description) -> list[TaskReference]:
    """The executions that made this one, the nearest first; as far as they are kept."""
    line: list[TaskReference] = []
    parent_id = seen.parent_id
    while parent_id:
        try:
            parent = await client.transport.describe(client.namespace, parent_id)
        except NotFoundError:
            break
        line.append(TaskReference(parent.target.method, parent.id))
        parent_id = parent.parent_id
    return line


async def _attempt(client: Client, id: str) -> int:
    try:
        return (await client.transport.describe(client.namespace, id)).attempt
    except NotFoundError:  # not made yet, or forgotten
        return 0
