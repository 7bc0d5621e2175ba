"""What happens to a task between its creation and its outcome."""

from __future__ import annotations

from msgspec import Struct

from perdure_runtime.core.payload import Failure, Payload
from perdure_runtime.core.tasks import TaskStatus, WorkerRef


class TaskMoved(Struct, frozen=True):
    """The task is now in `status`, by the `event` ("queued", "assigned", "released", ...).

    Args:
        actor: who did it, None: the engine.
        claim: the token of the claim that begins, 0: none does.
        failure: of a try that is followed by another.
        due_ms: when a scheduled one becomes queued.
    """

    status: TaskStatus
    event: str
    actor: WorkerRef | None = None
    claim: int = 0
    message: str = ""
    failure: Failure | None = None
    due_ms: int = 0


class TaskReported(Struct, frozen=True):
    """Something to know of a task that moves it nowhere: "progress", "comment", "updated".

    Args:
        percent: progress, 0..100.
        remaining_ms: what is left of the work, as its pace so far lets expect; -1: unknown.
        priority: the new one.
        definition: the new description of what is to be done.
    """

    event: str
    actor: WorkerRef | None = None
    message: str = ""
    percent: float | None = None
    remaining_ms: int = -1
    priority: int | None = None
    definition: Payload | None = None
