"""What is done to tasks: claimed, moved, reported on, given back (core.tasks has the table)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perdure_runtime.core.effects import ClearTimer, Decision, Enqueue, SetTimer
from perdure_runtime.core.entries import TaskMoved
from perdure_runtime.core.errors import ClaimLostError, InvalidArgumentError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.requests.wake import move
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.tasks import (
    ANYONE,
    TaskState,
    TaskStatus,
    WorkerRef,
    cannot,
    check_task_move,
)

T: Final = TaskStatus


def state_of(execution: Execution) -> tuple[TaskState, TaskStatus]:
    """What the row knows of a task.

    Raises:
        InvalidArgumentError: the execution is none.
    """
    row = execution.row
    if row.task is None or row.task_status is None:
        raise InvalidArgumentError(
            f"execution {execution.key.id!r} of {row.target.name()} is no task: workers run it"
        )
    return row.task, row.task_status


def check_claim(execution: Execution, token: int) -> None:
    """Check that a claim still holds the task; token 0 is an operator's, who needs none.

    Raises:
        ClaimLostError: it does not.
    """
    task, status = state_of(execution)
    if token and token != task.claim:
        now = "nobody" if task.worker is None else task.worker.id
        has = "had by" if not task.claim else "claimed by"
        raise ClaimLostError(
            f"claim {token} does not hold task {execution.key.id!r}: it is {status.value}, {has} "
            f"{now}; stop working on it",
            from_status=status.value,
        )


def claim_task(
    execution: Execution, worker: WorkerRef, lease_ms: int, begin: bool, now_ms: int
) -> Decision:
    """Give a queued task to whoever claims it. The reply is the token of the claim.

    Raises:
        InvalidTransitionError: it is not queued.
        InvalidArgumentError: it is for another type of worker.
    """
    task, status = state_of(execution)
    check_task_move(execution.key.id, status, T.ASSIGNED, "claim")
    _check_allowed(execution, task, worker)
    token = task.claims + 1
    decision = Decision(reply=token)
    lease_due_ms = due_after(now_ms, lease_ms) if lease_ms else 0
    task = msgspec.structs.replace(
        task, claim=token, claims=token, lease_ms=lease_ms, lease_due_ms=lease_due_ms
    )
    if lease_ms:
        decision.effects.append(SetTimer(TimerKind.CLAIM, "", lease_due_ms))
    assign(execution, decision, task, worker, token)
    if begin:
        begin_work(execution, decision, worker, now_ms)
    return decision


def assign(
    execution: Execution, decision: Decision, task: TaskState, worker: WorkerRef, token: int = 0
) -> None:
    """A queued task has somebody."""
    decision.entries.append(TaskMoved(T.ASSIGNED, "assigned", worker, token))
    task = msgspec.structs.replace(task, worker=worker, has_begun=False)
    move(execution, decision, Status.RUNNING, task=task, progress=b"")


def begin_work(
    execution: Execution,
    decision: Decision,
    worker: WorkerRef | None,
    now_ms: int,
    event: str = "started",
) -> None:
    """The work on a task begins, or goes on after a review."""
    task = state_of(execution)[0] if "task" not in decision.changes else decision.changes["task"]
    worker = worker or task.worker
    again = event != "started"
    task = msgspec.structs.replace(
        task,
        worker=worker,
        has_begun=True,
        begun_ms=now_ms,
        starts=task.starts if again else task.starts + 1,
    )
    decision.entries.append(TaskMoved(T.IN_PROGRESS, event, worker))
    move(execution, decision, Status.RUNNING, task=task, attempt=task.starts)
    if not execution.row.started_ms:
        decision.changes["started_ms"] = now_ms


def give_back(execution: Execution, decision: Decision, message: str) -> None:
    """A task loses its worker and is next in its queue again, at its old place."""
    decision.entries.append(TaskMoved(T.QUEUED, "released", message=message))
    let_go(execution, decision, worker=None, has_begun=False)
    move(execution, decision, Status.QUEUED, progress=b"")
    decision.effects.append(Enqueue())


def let_go(execution: Execution, decision: Decision, **changes: Any) -> None:
    """No claim holds the task any more."""
    task = state_of(execution)[0] if "task" not in decision.changes else decision.changes["task"]
    if task.claim:
        decision.effects.append(ClearTimer(TimerKind.CLAIM))
    decision.changes["task"] = msgspec.structs.replace(task, claim=0, lease_due_ms=0, **changes)


def renew(execution: Execution, token: int, lease_ms: int | None, now_ms: int) -> Decision:
    """A claim's lease begins anew.

    Raises:
        ClaimLostError: the claim does not hold the task.
    """
    task, status = state_of(execution)
    if not task.claim:
        raise ClaimLostError(
            f"nobody has claimed task {execution.key.id!r}: it is {status.value}",
            from_status=status.value,
        )
    decision = Decision()
    lease_ms = task.lease_ms if lease_ms is None else lease_ms
    due_ms = due_after(now_ms, lease_ms) if lease_ms else 0
    task = msgspec.structs.replace(task, lease_ms=lease_ms, lease_due_ms=due_ms)
    decision.changes["task"] = task
    effect = SetTimer(TimerKind.CLAIM, "", due_ms) if lease_ms else ClearTimer(TimerKind.CLAIM)
    decision.effects.append(effect)
    return decision


def claim_due_ms(execution: Execution, since_ms: int) -> int:
    """When the lease on a task ends: those who hold it must have had the time to say so.

    Args:
        since_ms: when this coordinator began to listen.
    """
    task = execution.row.task
    if task is None or not task.claim:
        return 0
    return max(task.lease_due_ms, since_ms + task.lease_ms)


def claim_expired(execution: Execution, decision: Decision) -> None:
    """Whoever had the task gave no sign of life: the next one gets it. What waits for a review
    stays where it is; only the claim is over."""
    task, status = execution.row.task, execution.row.task_status
    if task is None or not task.claim:
        return
    if status in (T.ASSIGNED, T.IN_PROGRESS):
        who = task.worker.id if task.worker else "its worker"
        give_back(execution, decision, f"no sign of life of {who} for {task.lease_ms / 1000:g} s")
    else:
        let_go(execution, decision)


def release(execution: Execution, message: str) -> Decision:
    """Give a task back to its queue.

    Raises:
        InvalidTransitionError: nobody has it.
    """
    _, status = state_of(execution)
    if status not in (T.ASSIGNED, T.IN_PROGRESS):
        raise cannot(execution.key.id, status, T.QUEUED, "release")
    decision = Decision()
    give_back(execution, decision, message)
    return decision


def _check_allowed(execution: Execution, task: TaskState, worker: WorkerRef) -> None:
    if task.allowed and worker.type not in (task.allowed, ANYONE):
        raise InvalidArgumentError(
            f"task {execution.key.id!r} is for workers of type {task.allowed!r}, not "
            f"{worker.type!r}"
        )
