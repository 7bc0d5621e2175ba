"""What tests of tasks in the engine share: starts, operations, claims."""

from __future__ import annotations

import uuid
from typing import Any

from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    TaskOperation,
    TaskRequest,
    TaskResult,
)
from perdure_runtime.core.entries import StartOptions, Target, TaskMoved, TaskReported
from perdure_runtime.core.tasks import TaskOptions, TaskStatus, WorkerRef
from tests.unit.engine_world import entries, request

AGENT = WorkerRef("agent_1", "agent", "Worker Agent")
HUMAN = WorkerRef("ada", "human")
FAR_MS = 4_000_000_000_000
OP, T = TaskOperation, TaskStatus


async def create(engine: Engine, id: str = "t", **fields: Any) -> None:
    """A task; `hold`, `allowed` and options of the start."""
    task = TaskOptions(fields.pop("hold", False), fields.pop("allowed", ""))
    options = StartOptions(task=task, **fields)
    await engine.start(request(id, Target("desk", "review"), options=options))


async def ask(engine: Engine, operation: TaskOperation, id: str = "t", **fields: Any) -> TaskResult:
    """One operation on one task."""
    asked = TaskRequest("default", uuid.uuid4().hex, operation, (id,), **fields)
    (result,) = (await engine.update_tasks(asked)).results
    return result


async def done(
    engine: Engine, operation: TaskOperation, id: str = "t", **fields: Any
) -> TaskStatus:
    """One that works."""
    result = await ask(engine, operation, id, **fields)
    assert not result.error_code, result
    assert result.after is not None
    return result.after


async def claim(engine: Engine, *queues: str, **fields: Any) -> ClaimReply:
    """The next task of the queues."""
    fields.setdefault("worker", AGENT)
    fields.setdefault("request_id", uuid.uuid4().hex)
    fields.setdefault("queues", () if fields.get("id") else queues or ("desk",))
    return await engine.claim_task(ClaimRequest("default", **fields))


async def status(engine: Engine, id: str = "t") -> TaskStatus | None:
    """What the task is."""
    return (await engine.describe("default", id)).task_status


async def events(engine: Engine, id: str = "t") -> list[str]:
    """What has happened to it."""
    return [
        entry.event
        for entry in await entries(engine, id)
        if isinstance(entry, TaskMoved | TaskReported)
    ]


async def bring(engine: Engine, goal: TaskStatus, id: str = "t") -> None:
    """A new task with this status."""
    match goal:
        case T.PENDING:
            return await create(engine, id, hold=True)
        case T.SCHEDULED:
            return await create(engine, id, start_at_ms=FAR_MS)
        case T.BLOCKED:
            await create(engine, id)
            await done(engine, OP.MOVE, id, status=T.BLOCKED)
            return None
        case _:
            await create(engine, id)
    way = {
        T.QUEUED: (),
        T.ASSIGNED: (T.ASSIGNED,),
        T.CANCELLED: (T.CANCELLED,),
    }.get(goal, (T.ASSIGNED, T.IN_PROGRESS, goal))
    for step in dict.fromkeys(way):
        await done(engine, OP.MOVE, id, status=step, worker=AGENT)
    return None
