"""What clients ask about tasks: claims, and operations on many with a result for each.

A claim is remembered under its request id, in the commit that records it, without the task's input:
who asks again because the answer was lost gets the same task under the same token.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Final

from perdure_coordinator.engine.asking import Asking, checked_key, not_found
from perdure_coordinator.engine.checks import check_claim_request, check_task_request
from perdure_coordinator.engine.shard import Shard
from perdure_coordinator.engine.work_queues import Claimant
from perdure_runtime.core import requests
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    TaskOperation,
    TaskReply,
    TaskRequest,
    TaskResult,
)
from perdure_runtime.core.errors import (
    DataLossError,
    InvalidArgumentError,
    InvalidTransitionError,
    NotFoundError,
    PerdureError,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.tasks import TaskStatus
from perdure_runtime.failpoints import failpoint

LOADING_S: Final = 0.02
_OF_ONE: Final = (NotFoundError, InvalidTransitionError, InvalidArgumentError, DataLossError)


class Tasks:
    """The engine's side of `UpdateTasks` and `ClaimTask`."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._asking = Asking(shard)

    # --- operations ----------------------------------------------------------------------------

    async def update(self, request: TaskRequest) -> TaskReply:
        """Carry out one operation on each task; one that cannot is no error of the whole.

        Raises:
            InvalidArgumentError: the request makes no sense, whatever the tasks are.
        """
        check_task_request(request)
        numbered = enumerate(request.ids)
        results = await asyncio.gather(*(self._one(request, n, id) for n, id in numbered))
        return TaskReply(tuple(results))

    async def _one(self, request: TaskRequest, number: int, id: str) -> TaskResult:
        """Each task's result is remembered in the commit of its operation: a request whose answer
        was lost, or that was interrupted half-way, is asked again and does nothing twice."""
        name = (request.namespace, f"{request.request_id}#{number}")
        before: list[TaskStatus | None] = [None]
        try:
            key = checked_key(request.namespace, id)
            if request.operation is TaskOperation.DEPEND:
                await self._check_dependency(request, key)
            operate = partial(self._operate, request, key, before)
            if request.operation is TaskOperation.HEARTBEAT:
                beaten: TaskResult = await self._asking.ask(key, operate)
                return beaten
            carry_out = partial(self._asking.ask, key, operate, name)
            return await self._asking.once(name, TaskResult, carry_out)
        except PerdureError as error:
            if not isinstance(error, _OF_ONE):
                raise
            return TaskResult(id, before[0], None, type(error).__name__, str(error))

    def _operate(
        self,
        request: TaskRequest,
        key: ExecutionKey,
        before: list[TaskStatus | None],
        execution: Execution | None,
    ) -> TaskResult:
        if execution is None:
            raise not_found(key)
        failpoint("task-operation")
        before[0] = execution.row.task_status
        if request.operation is TaskOperation.DEPEND and request.dependency is not None:
            other = ExecutionKey(key.namespace, request.dependency.id)
            if self._shard.dependants.path(key, other):
                raise InvalidArgumentError(
                    f"{key.id!r} cannot wait for {other.id!r}, which waits for it: "
                    "neither would ever begin"
                )
        decision = requests.operate_task(
            execution, request, self._shard.clock.now_ms(), random.random()
        )
        self._shard.decided(execution, decision)
        return TaskResult(key.id, before[0], execution.row.task_status)

    async def _check_dependency(self, request: TaskRequest, key: ExecutionKey) -> None:
        if request.dependency is None:
            return

        def look(execution: Execution | None) -> bool:
            return execution is not None

        other = checked_key(key.namespace, request.dependency.id)
        if not await self._asking.ask(other, look):
            raise not_found(other)

    # --- claims --------------------------------------------------------------------------------

    async def claim(self, request: ClaimRequest) -> ClaimReply:
        """Take a task; waits for one as long as the request says.

        Raises:
            InvalidArgumentError: a bad name, or queues and an id.
            NotFoundError, InvalidTransitionError: the task of this id cannot be had.
        """
        check_claim_request(request)
        name = (request.namespace, request.request_id)
        carry_out = partial(self._claim_one if request.id else self._claim_next, request)
        reply = await self._asking.once(name, ClaimReply, carry_out)
        if reply.id and reply.target is None:  # remembered: without what the task is about
            key = ExecutionKey(request.namespace, reply.id)
            reply = await self._asking.ask(key, partial(_told, key, reply.token))
        return reply

    async def _claim_one(self, request: ClaimRequest) -> ClaimReply:
        key = checked_key(request.namespace, request.id)

        def claim(execution: Execution | None) -> ClaimReply:
            return self._claim(request, key, execution)

        reply: ClaimReply = await self._asking.ask(key, claim)
        return reply

    async def _claim_next(self, request: ClaimRequest) -> ClaimReply:
        shard = self._shard
        future = shard.future()

        def grant(execution: Execution) -> bool:
            try:
                reply = self._claim(request, execution.key, execution)
            except PerdureError:
                return False  # it is not to be had after all
            claimant.done.set_result(None)
            shard.reply(future, reply)
            return True

        claimant = Claimant(request, grant, asyncio.get_running_loop().create_future())
        shard.work_queues.add(claimant)
        shard.committer.kick()
        try:
            if request.wait_ms is None:
                reply: ClaimReply = await future
                return reply
            await asyncio.wait((claimant.done, future), timeout=max(0, request.wait_ms) / 1000)
            while claimant.is_loading and not (claimant.done.done() or future.done()):
                await asyncio.wait((claimant.done, future), timeout=LOADING_S)  # it is there
            if not claimant.done.done() and not future.done():
                return ClaimReply()
            late: ClaimReply = await future
            return late
        finally:
            if not claimant.done.done():
                claimant.done.cancel()
                shard.work_queues.remove(claimant)
            future.cancel()

    def _claim(
        self, request: ClaimRequest, key: ExecutionKey, execution: Execution | None
    ) -> ClaimReply:
        if execution is None:
            raise not_found(key)
        failpoint("task-claim")
        shard = self._shard
        decision = requests.claim_task(
            execution, request.worker, request.lease_ms, request.begin, shard.clock.now_ms()
        )
        shard.decided(execution, decision)
        token: int = decision.reply
        name = (request.namespace, request.request_id)
        self._asking.remember(name, ClaimReply(key.id, token))
        return _told(key, token, execution)


def _told(key: ExecutionKey, token: int, execution: Execution | None) -> ClaimReply:
    """What whoever has claimed a task gets to know of it."""
    if execution is None:
        raise not_found(key)
    created, row = execution.created, execution.row
    assert created is not None
    return ClaimReply(
        id=key.id,
        token=token,
        target=row.target,
        input=execution.input or created.input,
        definition=execution.definition,
        priority=row.priority,
        starts=row.task.starts if row.task is not None else 0,
        created_ms=row.created_ms,
        metadata=created.options.metadata,
    )
