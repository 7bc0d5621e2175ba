"""A task that somebody has claimed: what to do, and what to tell of it.

Everything is asked with the claim's token: when the claim is over (no sign of life in time, given
back, cancelled), nothing is changed and `ClaimLostError` tells to stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from perdure.client.query import time_of
from perdure.tasks.values import TaskFunction, priority_name
from perdure_runtime.core.client import ClaimReply, TaskOperation
from perdure_runtime.core.tasks import TaskStatus, WorkerRef

if TYPE_CHECKING:
    from perdure.tasks.tasks import Tasks


class Claim:
    """A claimed task.

    Attributes:
        id: of the task.
        token: of this claim; counts up with each claim of the task.
        worker: who has it.
        function, input, title, description: what is to be done.
        queue: where it came from.
        execution_count: how often the work has begun, this time included.
        labels: the texts that were given at its creation.
        is_over: whether this claim has completed, failed, released or submitted the task.
    """

    def __init__(self, tasks: Tasks, reply: ClaimReply, worker: WorkerRef, lease_s: float) -> None:
        assert reply.target is not None
        assert reply.input is not None
        decode = tasks.client.serializers.decode
        definition: dict[str, Any] = {} if reply.definition is None else decode(reply.definition)
        self._tasks = tasks
        self.id = reply.id
        self.token = reply.token
        self.worker = worker
        self.lease_s = lease_s
        self.queue = reply.target.service
        self.function = TaskFunction(**definition.get("function", {"name": reply.target.method}))
        self.input: Any = decode(reply.input)
        self.title: str = definition.get("title", "")
        self.description: str = definition.get("description", "")
        self.priority = priority_name(reply.priority)
        self.execution_count = reply.starts
        self.created_at: datetime = time_of(reply.created_ms)
        self.labels: Mapping[str, str] = reply.metadata
        self.is_over = False

    async def start(self) -> None:
        """Begin the work, where the claim did not do so itself."""
        await self._ask(TaskOperation.START, worker=self.worker)
        self.execution_count += 1

    async def progress(self, percent: float, current_step: str = "") -> None:
        """Tell how far the work is, 0 to 100; a sign of life too."""
        await self._ask(TaskOperation.PROGRESS, percent=float(percent), message=current_step)

    async def comment(self, text: str) -> None:
        """Add a comment."""
        await self._ask(TaskOperation.COMMENT, worker=self.worker, message=text)

    async def heartbeat(self) -> None:
        """Say that the work goes on: the lease begins anew."""
        await self._ask(TaskOperation.HEARTBEAT)

    async def complete(self, output: Any = None) -> None:
        """The work is done."""
        result = self._tasks.encoded(output, "the output of the task")
        await self._end(TaskStatus.COMPLETED, result=result)

    async def fail(self, error: object) -> None:
        """The work failed: a text, a mapping with code and message, a `TaskError`, an exception."""
        failure = self._tasks.failure(error)
        await self._end(TaskStatus.FAILED, failure=failure, message=failure.message[:4096])

    async def submit_for_review(self, message: str = "") -> None:
        """The work waits for an approval; this claim is over."""
        await self._end(TaskStatus.REVIEW, worker=self.worker, message=message)

    async def release(self, reason: str = "") -> None:
        """Give the task back to its queue."""
        await self._ask(TaskOperation.RELEASE, message=reason)
        self.is_over = True

    async def _end(self, status: TaskStatus, **fields: Any) -> None:
        await self._ask(TaskOperation.MOVE, status=status, **fields)
        self.is_over = True

    async def _ask(self, operation: TaskOperation, **fields: Any) -> None:
        await self._tasks.operate(operation, self.id, token=self.token, **fields)

    def __repr__(self) -> str:
        return f"<Claim {self.token} of task {self.id} ({self.function.name})>"
