"""`Tasks`: what people, agents and code do with tasks, over a client.

The rules are the engine's (`perdure_runtime.core.tasks` has the table of statuses): each method is
one request, and what comes back is what is on disk.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import msgspec

from perdure.option_checks import dependencies, optional_milliseconds, start_at_ms
from perdure.options import OnCancelled, OnFailed, RetryPolicy, retry_policy
from perdure.tasks.arguments import (
    as_function,
    claim_milliseconds,
    task_status_of,
)
from perdure.tasks.claim import Claim
from perdure.tasks.finding import Finding
from perdure.tasks.reading import (
    PARENT_LABEL,
    TAG_LABEL,
)
from perdure.tasks.values import (
    ALLOWED_WORKERS,
    BulkResult,
    Priority,
    Task,
    TaskError,
    TaskFunction,
    WorkerLike,
    priority_number,
    worker_ref,
)
from perdure.tasks.working import Handler, work
from perdure_runtime.core.client import (
    ClaimRequest,
    StartRequest,
    TaskOperation,
)
from perdure_runtime.core.client import (
    TaskResult as OperationResult,
)
from perdure_runtime.core.dependencies import Dependency
from perdure_runtime.core.entries import StartOptions, Target
from perdure_runtime.core.limits import check_name
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.tasks import ANYONE, TaskOptions, TaskStatus, WorkerRef

DEFAULT_QUEUE: Final = "tasks"
BULK: Final = 500
LEASE_S: Final = 30.0


class Tasks(Finding):
    """Tasks of one client's namespace."""

    # --- creating ------------------------------------------------------------------------------

    async def create_task(
        self,
        function: TaskFunction | Mapping[str, Any] | str,
        input: Any = None,
        *,
        priority: Priority = "normal",
        scheduled_for: datetime | float | None = None,
        hold: bool = False,
        queue: str = DEFAULT_QUEUE,
        worker_type: str | None = None,
        depends_on: Sequence[str] = (),
        on_dependency_failed: OnFailed = "block",
        on_dependency_cancelled: OnCancelled = "block",
        parent_id: str = "",
        title: str = "",
        description: str = "",
        tags: Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        timeout: float | None = None,
        retry: RetryPolicy | int | None = None,
        id: str | None = None,
    ) -> Task:
        """Create a task; it is queued at once, unless it is held, for later, or has to wait.

        Args:
            function: what is to be done: its name, or all of a `TaskFunction`.
            scheduled_for: when it is queued; a time that has passed is now.
            hold: pending until `bulk_update_status(ids, "queued")`.
            queue: where workers claim it.
            worker_type: who may claim it ("human", "agent", ...); by the type of the function.
            depends_on: ids of tasks, or of any executions, that have to complete before.
            on_dependency_failed: "block" waits on (it may be retried), "fail" cancels this task.
            parent_id: the task that this one is a part of.
            timeout: seconds until it is cancelled, from now on.
            retry: how often it is queued again after failures; never when None.
            id: a second creation with this id and input gives the first task.

        Raises:
            InvalidArgumentError: a bad priority, time, name or policy.
            NotFoundError: a task that it depends on does not exist.
            AlreadyExistsError: the id is taken by another task.
            SerializationError, LimitExceededError: the input cannot be encoded.
        """
        function = as_function(function)
        policy = retry_policy("create_task", retry)
        after = dependencies(depends_on, on_dependency_failed, on_dependency_cancelled)
        definition = self.encoded(_definition(function, title, description), "the definition")
        options = StartOptions(
            priority=priority_number(priority),
            start_at_ms=start_at_ms(scheduled_for),
            execution_timeout_ms=optional_milliseconds("create_task", "timeout", timeout),
            retry=None if policy is None else policy.core(),
            metadata=dict(labels or {}),
            labels=_labels(tags, parent_id),
            task=TaskOptions(hold, _allowed(function, worker_type), definition),
            after=after,
        )
        request = StartRequest(
            namespace=self.client.namespace,
            request_id=uuid4().hex,
            id=id or f"task_{self.client._new_id()}",
            target=Target(check_name("queue", queue), check_name("function", function.name)),
            input=self.encoded(input, "the input of the task"),
            options=options,
        )
        reply = await self.client.transport.start(request)
        return await self._task(reply.id)

    async def create_subtask(
        self, parent_id: str, /, function: TaskFunction | Mapping[str, Any] | str, **options: Any
    ) -> Task:
        """Create a task that is a part of another one; see `create_task`.

        Raises:
            NotFoundError: there is no such parent.
        """
        await self._task(parent_id)
        return await self.create_task(function, parent_id=parent_id, **options)

    # --- working -------------------------------------------------------------------------------

    async def start_task(self, id: str, worker: WorkerLike) -> Task:
        """Give a queued task to a worker, who begins at once; or begin an assigned one.

        Raises:
            InvalidTransitionError: its status does not allow it.
            NotFoundError: there is no such task.
        """
        await self.operate(TaskOperation.START, id, worker=worker_ref(worker))
        return await self._task(id)

    async def assign_task(self, id: str, worker: WorkerLike) -> Task:
        """Give a queued task to a worker, who begins later. Raises as `start_task` does."""
        return await self._moved(id, TaskStatus.ASSIGNED, worker=worker_ref(worker))

    async def update_progress(self, id: str, percent: float, current_step: str = "") -> Task:
        """Tell how far the work is, 0 to 100. Raises as `start_task` does, and
        `InvalidArgumentError` for any other number."""
        await self.operate(TaskOperation.PROGRESS, id, percent=float(percent), message=current_step)
        return await self._task(id)

    async def complete_task(self, id: str, output: Any = None, *, review: bool = False) -> Task:
        """The work is done; with `review`, it waits for an approval. Raises as `start_task`."""
        if review:
            return await self.submit_for_review(id)
        result = self.encoded(output, "the output of the task")
        return await self._moved(id, TaskStatus.COMPLETED, result=result)

    async def fail_task(self, id: str, error: object) -> Task:
        """The work failed. A task with retries left is queued again, after its `retry_after_ms`.

        Args:
            error: a text (its code is "TASK_FAILED"), a mapping with `code`, `message`,
                `retry_after_ms` and `details`, a `TaskError`, or an exception.

        Raises as `start_task` does.
        """
        failure = self.failure(error)
        message = failure.message[:4096]
        return await self._moved(id, TaskStatus.FAILED, failure=failure, message=message)

    async def cancel_task(self, id: str, reason: str = "") -> Task:
        """Cancel a task that has not ended. Raises as `start_task` does."""
        return await self._moved(id, TaskStatus.CANCELLED, message=reason)

    async def retry_task(self, id: str, /, **changed: Any) -> Task:
        """Queue a failed task again.

        Args:
            input: replaces the old one.

        Raises as `start_task` does.
        """
        if changed.keys() - {"input"}:
            raise TypeError("retry_task() takes an id and maybe input=")
        new = self.encoded(changed["input"], "the input") if "input" in changed else None
        await self.operate(TaskOperation.RETRY, id, input=new)
        return await self._task(id)

    async def submit_for_review(self, id: str, message: str = "") -> Task:
        """The work waits for an approval: `complete_task`, or `reject_task`. Raises as
        `start_task` does."""
        return await self._moved(id, TaskStatus.REVIEW, message=message)

    async def reject_task(self, id: str, message: str = "") -> Task:
        """A review found something: the work goes on. Raises as `start_task` does."""
        return await self._moved(id, TaskStatus.IN_PROGRESS, message=message)

    async def release_task(self, id: str, reason: str = "") -> Task:
        """Take a task from its worker, back to the queue. Raises as `start_task` does."""
        await self.operate(TaskOperation.RELEASE, id, message=reason)
        return await self._task(id)

    async def add_comment(self, id: str, text: str, author: WorkerLike | None = None) -> Task:
        """Add a comment to the task's events. Raises `NotFoundError`."""
        await self.operate(TaskOperation.COMMENT, id, message=text, worker=worker_ref(author))
        return await self._task(id)

    async def update_task(
        self,
        id: str,
        *,
        priority: Priority | None = None,
        title: str | None = None,
        description: str | None = None,
        actor: WorkerLike | None = None,
    ) -> Task:
        """Change what a task is about, or its priority: a queued one takes its new place.

        Raises as `start_task` does; a task that has ended cannot be changed.
        """
        new: Payload | None = None
        if title is not None or description is not None:
            task = await self._task(id)
            definition: dict[str, Any] = {
                "function": msgspec.to_builtins(task.function),
                "title": task.title if title is None else title,
                "description": task.description if description is None else description,
            }
            new = self.encoded(definition, "the definition of the task")
        await self.operate(
            TaskOperation.UPDATE,
            id,
            priority=None if priority is None else priority_number(priority),
            definition=new,
            worker=worker_ref(actor),
        )
        return await self._task(id)

    # --- dependencies --------------------------------------------------------------------------

    async def add_dependency(
        self,
        id: str,
        depends_on: str,
        *,
        on_failed: OnFailed = "block",
        on_cancelled: OnCancelled = "block",
    ) -> None:
        """Let a task, or any execution that has not begun, wait for another one.

        Raises:
            InvalidArgumentError: the other waits for this one, be it through others.
            InvalidTransitionError: this one has begun.
            NotFoundError: one of them does not exist.
        """
        (dependency,) = dependencies((depends_on,), on_failed, on_cancelled)
        await self.operate(TaskOperation.DEPEND, id, dependency=dependency)

    async def remove_dependency(self, id: str, depends_on: str) -> None:
        """Let it wait for that one no longer. Raises as `add_dependency` does."""
        await self.operate(TaskOperation.UNDEPEND, id, dependency=Dependency(depends_on))

    # --- many ----------------------------------------------------------------------------------

    async def bulk_update_status(
        self,
        ids: Sequence[str],
        status: str,
        *,
        reason: str = "",
        worker: WorkerLike | None = None,
        scheduled_for: datetime | float | None = None,
    ) -> Sequence[BulkResult]:
        """Move tasks to a status, by the table; each has its own result, in order."""
        return await self._bulk(
            ids,
            status=task_status_of(status),
            message=reason,
            worker=worker_ref(worker),
            at_ms=start_at_ms(scheduled_for),
        )

    async def bulk_cancel(self, ids: Sequence[str], reason: str = "") -> Sequence[BulkResult]:
        """Cancel tasks; each has its own result, in order."""
        return await self._bulk(ids, status=TaskStatus.CANCELLED, message=reason)

    async def _bulk(self, ids: Sequence[str], **fields: Any) -> Sequence[BulkResult]:
        results: list[BulkResult] = []
        for first in range(0, len(ids), BULK):
            part = tuple(ids[first : first + BULK])
            reply = await self._update(TaskOperation.MOVE, part, **fields)
            results += map(_bulk_result, reply)
        return results

    # --- waiting and claiming ------------------------------------------------------------------

    async def claim(
        self,
        queue: str | Sequence[str] = DEFAULT_QUEUE,
        worker: WorkerLike = ANYONE,
        *,
        lease: float = LEASE_S,
        wait: float | None = 0,
        begin: bool = True,
        id: str | None = None,
        request_id: str | None = None,
    ) -> Claim | None:
        """Take the next task of a queue, or of several: the highest priority, then the oldest.

        Args:
            worker: who takes it. Tasks for another type of worker are left alone.
            lease: seconds; without a sign of life for so long the task goes back to its queue.
                0: it never does.
            wait: seconds to wait for a task; None: until there is one. It is pushed.
            begin: the work begins at once; otherwise `claim.start()` begins it.
            id: take this task, or raise.
            request_id: asking again with the same one gives the same claim.

        Returns:
            None when there is no task in time.

        Raises:
            NotFoundError, InvalidTransitionError, InvalidArgumentError: the task of this id cannot
                be had.
        """
        ref = worker_ref(worker)
        assert ref is not None
        queues = (queue,) if isinstance(queue, str) else tuple(queue)
        request = ClaimRequest(
            namespace=self.client.namespace,
            request_id=request_id or uuid4().hex,
            worker=ref,
            queues=() if id else queues,
            lease_ms=claim_milliseconds("lease", lease),
            begin=begin,
            wait_ms=None if wait is None else claim_milliseconds("wait", wait),
            id=id or "",
        )
        reply = await self.client.transport.claim_task(request)
        return Claim(self, reply, ref, lease) if reply.id else None

    async def work(
        self,
        queue: str | Sequence[str],
        handler: Handler,
        *,
        worker: WorkerLike | None = None,
        concurrency: int = 1,
        lease: float = LEASE_S,
        until_empty: bool = False,
    ) -> int:
        """Claim tasks and run a callable on each, until this is cancelled.

        What it returns completes the task, an exception fails it, unless it has released or
        submitted the task itself. A sync one runs in a thread. The claim is kept alive meanwhile;
        when it is lost all the same, the callable is cancelled.

        Args:
            handler: gets the `Claim`.
            worker: who works here; a name of this process when None.
            concurrency: how many tasks at a time.
            lease: seconds after which a worker that gives no sign of life loses its task.
            until_empty: return when no task is queued, instead of waiting for more.

        Returns:
            How many tasks were worked on.
        """
        who = worker or f"{platform.node() or 'worker'}:{os.getpid()}"
        return await work(
            self,
            queue,
            handler,
            worker=who,
            concurrency=concurrency,
            lease=lease,
            until_empty=until_empty,
        )


def _allowed(function: TaskFunction, worker_type: str | None) -> str:
    allowed = ALLOWED_WORKERS.get(function.type, "") if worker_type is None else worker_type
    return "" if allowed == ANYONE else allowed


def _definition(function: TaskFunction, title: str, description: str) -> dict[str, Any]:
    definition = {"function": msgspec.to_builtins(function)}
    texts = {"title": title, "description": description}
    return definition | {name: text for name, text in texts.items() if text}


def _labels(tags: Sequence[str], parent_id: str) -> dict[str, str]:
    labels = {f"{TAG_LABEL}{tag}": "1" for tag in tags}
    if parent_id:
        labels[PARENT_LABEL] = check_name("parent id", parent_id)
    return labels


def _bulk_result(result: OperationResult) -> BulkResult:
    if not result.error_code:
        return BulkResult(result.id, True, result.after)
    return BulkResult(
        result.id, False, result.before, TaskError(result.error_code, result.error_message)
    )


__all__ = ["DEFAULT_QUEUE", "LEASE_S", "Tasks", "WorkerRef"]
