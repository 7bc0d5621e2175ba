"""Executions that wait for the ends of others before they begin."""

from __future__ import annotations

from perdure_runtime.core.dependencies import Dependency, OnDependency, consequence
from perdure_runtime.core.effects import AwaitEnds, ClearTimer, Decision
from perdure_runtime.core.entries import (
    CancelRequested,
    DependencyChange,
    DependencyChanged,
    ExecutionEnded,
    TaskMoved,
)
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.requests.finish import end_cancelled
from perdure_runtime.core.requests.wake import end, enqueue, move
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.tasks import TaskStatus

_WAITING = (Status.SCHEDULED, Status.QUEUED, Status.PAUSED)


def dependency_ended(execution: Execution, id: str, status: Status | None, now_ms: int) -> Decision:
    """One that this execution waits for has ended; an end that it does not wait for is nothing.

    Args:
        status: the other's, None: it was deleted.
    """
    decision = Decision()
    dependency = execution.dependencies.get(id)
    if dependency is None or is_end(execution.row.status):
        return decision
    meaning = consequence(dependency, status)
    if meaning is OnDependency.BLOCK:
        return decision
    settled = DependencyChanged(DependencyChange.SETTLED, dependency, status)
    decision.entries.append(settled)
    if meaning is OnDependency.IGNORE:
        _no_longer(execution, decision, id, now_ms)
        return decision
    ended = "is gone" if status is None else f"is {status.value}"
    why = f"execution {id!r}, which it depends on, {ended}"
    if meaning is OnDependency.FAIL and execution.row.task is None:
        failure = Failure("DependencyFailed", why, FailureCode.APPLICATION, retryable=False)
        end(execution, decision, ExecutionEnded(Status.FAILED, None, failure), now_ms)
        return decision
    request = CancelRequested(why)
    decision.entries.append(request)
    end_cancelled(execution, decision, request, now_ms)
    return decision


def add_dependency(execution: Execution, dependency: Dependency, now_ms: int) -> Decision:
    """From now on the execution waits for another one as well. The caller has checked that the
    other exists and does not wait for this one.

    Raises:
        InvalidTransitionError: it has begun, or ended.
    """
    row = execution.row
    _check_waiting(execution)
    decision = Decision(reply=True)
    if dependency == execution.dependencies.get(dependency.id):
        return decision
    decision.entries.append(DependencyChanged(DependencyChange.ADDED, dependency))
    decision.changes["after"] = tuple(dict.fromkeys((*row.after, dependency.id)))
    decision.effects.append(AwaitEnds((dependency.id,)))
    if row.status is Status.QUEUED:
        move(execution, decision, Status.SCHEDULED)
    if row.task is not None and row.status in (Status.QUEUED, Status.SCHEDULED):
        decision.entries.append(TaskMoved(TaskStatus.BLOCKED, "blocked"))
    return decision


def remove_dependency(execution: Execution, id: str, now_ms: int) -> Decision:
    """The execution waits for another one no longer. The reply tells whether it did.

    Raises:
        InvalidTransitionError: it has begun, or ended.
    """
    _check_waiting(execution)
    dependency = execution.dependencies.get(id)
    decision = Decision(reply=dependency is not None)
    if dependency is not None:
        decision.entries.append(DependencyChanged(DependencyChange.REMOVED, dependency))
        _no_longer(execution, decision, id, now_ms)
    return decision


def _check_waiting(execution: Execution) -> None:
    if execution.row.status not in _WAITING or execution.attempt_open or execution.calls:
        raise InvalidTransitionError(
            f"execution {execution.key.id!r} is {execution.row.status.value}: only one that has "
            "not begun can wait for others"
        )


def _no_longer(execution: Execution, decision: Decision, id: str, now_ms: int) -> None:
    row = execution.row
    decision.changes["after"] = tuple(other for other in row.after if other != id)
    held_back = row.task is not None and row.task.is_held_back
    if len(execution.dependencies) > 1 or row.status is not Status.SCHEDULED or held_back:
        return
    if row.due_ms <= now_ms and not execution.calls:
        decision.effects.append(ClearTimer(TimerKind.START))
        enqueue(execution, decision)
    elif row.task is not None:
        decision.entries.append(TaskMoved(TaskStatus.SCHEDULED, "scheduled", due_ms=row.due_ms))
