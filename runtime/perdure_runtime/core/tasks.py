"""Tasks: executions whose work is done outside, by people, agents or code that claims it.

This is the one file of what a task's status may become. The status of the execution (semantics,
section 8) and `TaskState` together say what the task's is: nothing else is kept of it.

| task | execution | and |
|---|---|---|
| pending | paused | |
| scheduled | scheduled | waits for a time |
| blocked | scheduled | waits for other executions, or was blocked by hand |
| queued | queued | |
| assigned | running | the work has not begun |
| in_progress | running | it has |
| review | suspended | |
| completed, failed, cancelled | the same | `timed_out` is read as cancelled |
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.payload import Payload

TASK: Final = "task"
"""`kind` in the row of a task."""

ANYONE: Final = "any"


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "pending"  # created, but not queued
    SCHEDULED = "scheduled"  # waits for a time
    QUEUED = "queued"  # ready to be worked on
    ASSIGNED = "assigned"  # somebody has it
    IN_PROGRESS = "in_progress"  # somebody works on it
    BLOCKED = "blocked"  # waits for what it depends on
    REVIEW = "review"  # waits for an approval
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


T = TaskStatus

TASK_TRANSITIONS: Final[dict[TaskStatus, frozenset[TaskStatus]]] = {
    T.PENDING: frozenset({T.QUEUED, T.SCHEDULED, T.CANCELLED}),
    T.SCHEDULED: frozenset({T.QUEUED, T.CANCELLED}),
    T.QUEUED: frozenset({T.ASSIGNED, T.BLOCKED, T.CANCELLED}),
    T.ASSIGNED: frozenset({T.IN_PROGRESS, T.QUEUED, T.CANCELLED}),
    T.IN_PROGRESS: frozenset({T.COMPLETED, T.FAILED, T.REVIEW, T.CANCELLED}),
    T.BLOCKED: frozenset({T.QUEUED, T.CANCELLED}),
    T.REVIEW: frozenset({T.COMPLETED, T.IN_PROGRESS, T.CANCELLED}),
    T.COMPLETED: frozenset(),
    T.FAILED: frozenset(),
    T.CANCELLED: frozenset(),
}
"""What may be asked for by naming the next status. Beside it, operations with names of their own:
`release` and a lost lease lead from in_progress back to queued, `retry` from failed to queued."""

_VERBS: Final = {
    T.PENDING: "hold",
    T.SCHEDULED: "schedule",
    T.QUEUED: "queue",
    T.ASSIGNED: "assign",
    T.IN_PROGRESS: "start",
    T.BLOCKED: "block",
    T.REVIEW: "submit",
    T.COMPLETED: "complete",
    T.FAILED: "fail",
    T.CANCELLED: "cancel",
}


class WorkerRef(Struct, frozen=True):
    """Who works on a task, or did something to it: a person, an agent, a team, a program."""

    id: str
    type: str = ANYONE
    name: str = ""


class TaskOptions(Struct, frozen=True):
    """Makes an execution a task.

    Args:
        hold: it is pending until somebody queues it.
        allowed: only workers of this type may claim it; "" means any.
        definition: what is to be done, for those who do it; the engine never looks inside.
    """

    hold: bool = False
    allowed: str = ""
    definition: Payload | None = None


class TaskState(Struct, frozen=True):
    """What the row of a task knows beside its status.

    Args:
        order: its place in the queue among those of its priority; kept when it is given back.
        worker: who has it, or had it last.
        claim: fencing token of the claim that holds it, 0 for none; counts up, never repeats.
        claims: how many claims there were.
        lease_ms: how long a claim lasts without a sign of life; 0: for ever.
        lease_due_ms: when it ends.
        has_begun: whether the work has begun.
        is_held_back: it was blocked by hand.
        percent: how much of the work is done, since `begun_ms`.
        starts: how often the work began.
        retries: how often it was tried again.
        failures: of the tries since the last retry by hand.
    """

    allowed: str = ""
    order: int = 0
    worker: WorkerRef | None = None
    claim: int = 0
    claims: int = 0
    lease_ms: int = 0
    lease_due_ms: int = 0
    has_begun: bool = False
    begun_ms: int = 0
    is_held_back: bool = False
    starts: int = 0
    retries: int = 0
    failures: int = 0


_SAME: Final = {
    Status.PAUSED: T.PENDING,
    Status.QUEUED: T.QUEUED,
    Status.SUSPENDED: T.REVIEW,
    Status.COMPLETED: T.COMPLETED,
    Status.FAILED: T.FAILED,
    Status.CANCELLED: T.CANCELLED,
    Status.TIMED_OUT: T.CANCELLED,
    Status.BLOCKED: T.BLOCKED,
}


def task_status(status: Status, task: TaskState, is_dependent: bool) -> TaskStatus:
    """Where a task stands; see the table above.

    Args:
        is_dependent: whether it waits for other executions.
    """
    if status is Status.SCHEDULED:
        return T.BLOCKED if is_dependent or task.is_held_back else T.SCHEDULED
    if status is Status.RUNNING:
        return T.IN_PROGRESS if task.has_begun else T.ASSIGNED
    return _SAME[status]


def check_task_move(id: str, before: TaskStatus, after: TaskStatus, verb: str = "") -> None:
    """Check one line of the table.

    Raises:
        InvalidTransitionError: the table does not have it; the error names both.
    """
    if after not in TASK_TRANSITIONS[before]:
        raise cannot(id, before, after, verb)


def cannot(
    id: str, before: TaskStatus, after: TaskStatus, verb: str = ""
) -> InvalidTransitionError:
    """The error of a change that the table does not have."""
    may = ", ".join(sorted(TASK_TRANSITIONS[before])) or "nothing else"
    if before is T.FAILED:
        may = "queued, by a retry"
    return InvalidTransitionError(
        f"Cannot {verb or _VERBS[after]} {before.value} task: {id!r} is {before.value} and cannot "
        f"become {after.value}; it may become {may}",
        from_status=before.value,
        to_status=after.value,
    )
