"""Tasks found, listed, counted and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec

from perdure.tasks.arguments import task_status_of
from perdure.tasks.asking import Asking
from perdure.tasks.reading import PARENT_LABEL, TAG_LABEL, History, task_summary
from perdure.tasks.values import Priority, QueueStats, TaskError, TaskResult, TaskSummary
from perdure_runtime.core.client import ListRequest, Outcome
from perdure_runtime.core.errors import NotFoundError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.tasks import TaskStatus


class Finding(Asking):
    """What reads tasks and changes nothing."""

    async def list_tasks(
        self,
        *,
        status: str | Sequence[str] | None = None,
        queue: str = "",
        function: str = "",
        priority: Priority | None = None,
        assigned_to: str = "",
        tags: Sequence[str] = (),
        parent_id: str = "",
        limit: int | None = None,
    ) -> Sequence[TaskSummary]:
        """Tasks, newest first, that match all that is given.

        Args:
            assigned_to: the id of a worker.
            limit: how many at most; all when None.
        """
        found: list[TaskSummary] = []
        tasks = self._listed(status, queue, function, tags, parent_id)
        async for task in tasks:
            if limit is not None and len(found) >= limit:
                break
            if priority is not None and task.priority != priority:
                continue
            worker = "" if task.assigned_to is None else task.assigned_to.id
            if not assigned_to or worker == assigned_to:
                found.append(task)
        return found

    async def get_subtasks(self, parent_id: str) -> Sequence[TaskSummary]:
        """The parts of a task, newest first."""
        return await self.list_tasks(parent_id=parent_id)

    async def stats(self, queue: str = "") -> QueueStats:
        """Count the tasks of a queue, or all. Reads every one of them."""
        statuses: dict[str, int] = {}
        priorities: dict[str, int] = {}
        waits_ms: list[float] = []
        works_ms: list[float] = []
        async for task in self._listed(None, queue, "", (), ""):
            statuses[task.status] = statuses.get(task.status, 0) + 1
            priorities[task.priority] = priorities.get(task.priority, 0) + 1
            times = task.metadata
            if times.started_at is not None:
                waits_ms.append((times.started_at - times.created_at).total_seconds() * 1000)
            if times.duration_ms is not None:
                works_ms.append(times.duration_ms)
        return QueueStats(
            sum(statuses.values()), statuses, priorities, _average(waits_ms), _average(works_ms)
        )

    async def _listed(
        self,
        status: str | Sequence[str] | None,
        queue: str,
        function: str,
        tags: Sequence[str],
        parent_id: str,
    ) -> AsyncIterator[TaskSummary]:
        words = (status,) if isinstance(status, str) else status or tuple(TaskStatus)
        labels = {f"{TAG_LABEL}{tag}": "1" for tag in tags}
        if parent_id:
            labels[PARENT_LABEL] = parent_id
        request = ListRequest(
            namespace=self.client.namespace,
            service=queue,
            method=function,
            limit=200,
            labels=labels,
            task_statuses=tuple(map(task_status_of, words)),
        )
        while True:
            reply = await self.client.transport.list(request)
            for item in reply.items:
                yield task_summary(item)
            if not reply.next_cursor:
                return
            request = msgspec.structs.replace(request, cursor=reply.next_cursor)

    async def wait_for_task(self, id: str, timeout: float | None = 300.0) -> TaskResult:
        """Wait for what comes of a task; it is pushed, nothing is polled.

        Args:
            timeout: seconds; None waits for ever.

        Returns:
            Success and an output, or an error: the task's own, or one with the code "TIMEOUT",
            "TASK_CANCELLED" or "TASK_NOT_FOUND".
        """
        try:
            async with asyncio.timeout(timeout):
                outcome = await self.client.transport.wait(self.client.namespace, id)
        except NotFoundError as error:
            return TaskResult(False, error=TaskError("TASK_NOT_FOUND", str(error)))
        except TimeoutError:
            message = f"task {id!r} has not ended within {timeout:g} s"
            return TaskResult(False, error=TaskError("TIMEOUT", message))
        return self._result(outcome)

    def _result(self, outcome: Outcome) -> TaskResult:
        if outcome.status is Status.COMPLETED:
            result = outcome.result
            output = None if result is None else self.client.serializers.decode(result)
            return TaskResult(True, output)
        failure = outcome.failure or Failure("TASK_FAILED", "")
        error = History(self.client.serializers).error_of(failure)
        if outcome.status is Status.CANCELLED:
            error = TaskError("TASK_CANCELLED", outcome.reason or error.message)
        return TaskResult(False, error=error)


def _average(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
