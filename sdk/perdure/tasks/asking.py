"""One operation on one task, and the task as it is: what all methods of `Tasks` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from perdure.client.client import Client
from perdure.client.control import check_result
from perdure.tasks.failures import failure_of
from perdure.tasks.reading import task_of
from perdure.tasks.values import Task
from perdure_runtime.core.client import (
    ControlResult,
    TaskOperation,
    TaskRequest,
)
from perdure_runtime.core.client import (
    TaskResult as OperationResult,
)
from perdure_runtime.core.errors import (
    ClaimLostError,
    InvalidTransitionError,
    NotFoundError,
)
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.tasks import TaskStatus

_GOALS: Final = {
    TaskOperation.START: TaskStatus.IN_PROGRESS,
    TaskOperation.PROGRESS: TaskStatus.IN_PROGRESS,
    TaskOperation.RELEASE: TaskStatus.QUEUED,
    TaskOperation.RETRY: TaskStatus.QUEUED,
}


class Asking:
    """Tasks of one client's namespace, one at a time."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def get_task(self, id: str) -> Task | None:
        """A task with its whole history; None: there is no task of this id."""
        transport, space = self.client.transport, self.client.namespace
        check_name("task id", id)
        try:
            description = await transport.describe(space, id)
            journal = [each async for each in transport.history(space, id, 0, False)]
        except NotFoundError:
            return None
        if description.task_status is None:
            return None
        return task_of(description, journal, self.client.serializers)

    # --- for all of these ----------------------------------------------------------------------

    async def operate(self, operation: TaskOperation, id: str, **fields: Any) -> OperationResult:
        """One operation on one task. Raises what its result carries."""
        check_name("task id", id)
        (result,) = await self._update(operation, (id,), **fields)
        if result.error_code in ("InvalidTransitionError", "ClaimLostError"):
            lost = result.error_code == "ClaimLostError"
            kind = ClaimLostError if lost else InvalidTransitionError
            after = fields.get("status")
            raise kind(
                result.error_message,
                from_status=result.before or "",
                to_status=str(after or _GOALS.get(operation, "")),
            )
        check_result(ControlResult(id, True, result.error_code, result.error_message))
        return result

    async def _update(
        self, operation: TaskOperation, ids: tuple[str, ...], **fields: Any
    ) -> Sequence[OperationResult]:
        request = TaskRequest(self.client.namespace, uuid4().hex, operation, ids, **fields)
        return (await self.client.transport.update_tasks(request)).results

    async def _moved(self, id: str, status: TaskStatus, **fields: Any) -> Task:
        await self.operate(TaskOperation.MOVE, id, status=status, **fields)
        return await self._task(id)

    async def _task(self, id: str) -> Task:
        task = await self.get_task(id)
        if task is None:
            raise NotFoundError(f"no task {id!r} in namespace {self.client.namespace!r}")
        return task

    def encoded(self, value: Any, what: str) -> Payload:
        """A value as it travels. Raises `SerializationError`."""
        return self.client.serializers.encode(value, what=what)

    def failure(self, error: object) -> Failure:
        """Whatever tells of a failure, as it travels."""
        return failure_of(error, self.client.serializers)
