"""Executions that wait to be woken up: found by a unique id, woken by a durable event."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from perdure.client.client import Client
from perdure.executor.errors import refusal
from perdure.executor.flows import WAKEUP
from perdure.executor.handle import TaskHandle
from perdure.executor.task import DurableTask, TaskKind
from perdure.executor.values import Values


def sleeping_id(task: DurableTask[Any, Any], unique_id: object) -> str:
    """The id of the execution of a sleeping task that a unique id names.

    Raises:
        DurableTaskError: the task is none that sleeps, or the id is none.
    """
    if task.kind is not TaskKind.SLEEP:
        raise refusal(f"Task {task.id} is not a sleeping task")
    if not isinstance(unique_id, str) or not 1 <= len(unique_id) <= 255:
        raise refusal(
            f"Invalid input to task {task.id}: a unique id has 1 to 255 characters, not "
            f"{unique_id!r}"
        )
    named = f"{len(task.id)} {task.id} {unique_id}"
    return f"te_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


async def wake_up(
    client: Client, values: Values, handle: TaskHandle[Any], outcome: Mapping[str, Any]
) -> None:
    """Send the wake-up, unless the execution has ended.

    Raises:
        DurableTaskError: there is no such execution, or the outcome is none.
    """
    match outcome:
        case {"status": "completed", **rest} if rest.keys() <= {"output"}:
            output = values.shape(rest.get("output"), f"output of task {handle.task_id}")
            told = {"status": "completed", "output": output}
        case {"status": "failed", "error": Exception() | str() as error}:
            told = {"status": "failed", "error": str(error)}
        case _:
            raise refusal(
                f"wake-up of task {handle.task_id}: an outcome has status completed and output, "
                f"or status failed and error; got {outcome!r}"
            )
    if not (await handle.get_execution()).is_finished:
        await client.send_event(WAKEUP, told, "wakeup", execution=handle.execution_id)
