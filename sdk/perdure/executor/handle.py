"""`TaskHandle`: one execution of a task, seen from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast

from perdure.client.client import Client
from perdure.executor.errors import DurableTaskCancelledError, refusal
from perdure.executor.flows import Names
from perdure.executor.reading import read_execution
from perdure.executor.record import TaskExecution
from perdure.executor.signals import Signal
from perdure.executor.task import DurableTask
from perdure.executor.tasks import Tasks
from perdure_runtime.core.errors import NotFoundError

O = TypeVar("O")  # noqa: E741 - output


class TaskHandle(Generic[O]):
    """Made by `enqueue_task` and `get_task_handle`. It holds nothing open.

    Args:
        connect: gives the client, also after the executor was opened anew.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Client]],
        names: Names,
        tasks: Tasks,
        task: DurableTask[Any, O],
        execution_id: str,
    ) -> None:
        self.task_id = task.id
        self.execution_id = execution_id
        self._connect = connect
        self._names = names
        self._tasks = tasks
        self._task = task

    def __repr__(self) -> str:
        return f"TaskHandle({self.task_id!r}, {self.execution_id!r})"

    def get_task_id(self) -> str:
        """The id of the task."""
        return self.task_id

    def get_execution_id(self) -> str:
        """The id of the execution."""
        return self.execution_id

    async def get_execution(self) -> TaskExecution[O]:
        """What is known of it now.

        Raises:
            DurableTaskError: there is no such execution of this task.
        """
        found = await read_execution(
            await self._connect(), self._names, self._tasks, self._task, self.execution_id
        )
        return cast("TaskExecution[O]", found)

    async def wait_and_get_execution(
        self,
        *,
        signal: Signal | None = None,
        timeout_ms: int | None = None,
        polling_interval_ms: int | None = None,
    ) -> TaskExecution[O]:
        """Wait for its end, whatever it is, and give what is known of it.

        Args:
            signal: ends the wait; the execution goes on.
            timeout_ms: of the wait; the execution goes on.
            polling_interval_ms: taken and not needed: ends are pushed.

        Raises:
            DurableTaskError: there is no such execution.
            DurableTaskCancelledError: the signal was given.
            TimeoutError: the time is over.
        """
        client = await self._connect()
        waiting = asyncio.ensure_future(client.transport.wait(client.namespace, self.execution_id))
        given = asyncio.ensure_future((signal or Signal()).wait())
        try:
            timeout_s = None if timeout_ms is None else timeout_ms / 1000
            await asyncio.wait(
                (waiting, given), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if waiting.done():
                await waiting
            elif given.done():
                raise DurableTaskCancelledError(f"The wait for {self.execution_id} was cancelled")
            else:
                raise TimeoutError(
                    f"execution {self.execution_id} has not ended within {timeout_ms} ms; "
                    "it goes on"
                )
        except NotFoundError:
            raise refusal(f"Execution {self.execution_id} not found") from None
        finally:
            waiting.cancel()
            given.cancel()
        return await self.get_execution()

    async def cancel(self, reason: str = "") -> bool:
        """Cancel it, and its children; nothing happens when it has ended.

        Returns:
            whether it took effect.

        Raises:
            DurableTaskError: there is no such execution.
        """
        client = await self._connect()
        try:
            return await client.cancel(self.execution_id, reason)
        except NotFoundError:
            raise refusal(f"Execution {self.execution_id} not found") from None

    # The names of other versions.
    get_task_execution = get_execution
    get_task_execution_id = get_execution_id
    wait_and_get_finished_execution = wait_and_get_execution
    wait_and_get_task_finished_execution = wait_and_get_execution
