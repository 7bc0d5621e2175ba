"""One operation on one task, as clients ask for it: checked by the table, then carried out."""

from __future__ import annotations

import math

import msgspec

from perdure_runtime.core.client import TaskOperation, TaskRequest
from perdure_runtime.core.effects import ClearTimer, Decision, Enqueue, SetTimer
from perdure_runtime.core.entries import ExecutionEnded, TaskMoved, TaskReported
from perdure_runtime.core.errors import InvalidArgumentError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.limits import MAX_DUE_MS, due_after
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.payload import NULL, Failure
from perdure_runtime.core.progress import encode_progress
from perdure_runtime.core.requests.control import cancel, resume, retry
from perdure_runtime.core.requests.dependency import add_dependency, remove_dependency
from perdure_runtime.core.requests.task import (
    T,
    assign,
    begin_work,
    check_claim,
    let_go,
    release,
    renew,
    state_of,
)
from perdure_runtime.core.requests.wake import end, enqueue, move, news
from perdure_runtime.core.retry import retry_delay_ms
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.tasks import TaskStatus, WorkerRef, cannot, check_task_move


def operate(execution: Execution, request: TaskRequest, now_ms: int, draw: float) -> Decision:
    """Carry out what a request asks of a task.

    Args:
        draw: a random number in [0, 1), for the back-off of a task that is tried again.

    Raises:
        InvalidTransitionError: its status does not allow it; ClaimLostError: the claim is over.
        InvalidArgumentError: something is missing, or it is no task.
    """
    if request.operation is TaskOperation.DEPEND:
        if request.dependency is None:
            raise InvalidArgumentError("say which execution to depend on")
        return add_dependency(execution, request.dependency, now_ms)
    if request.operation is TaskOperation.UNDEPEND:
        if request.dependency is None:
            raise InvalidArgumentError("say which execution to depend on no longer")
        return remove_dependency(execution, request.dependency.id, now_ms)
    if request.operation is TaskOperation.COMMENT:
        return _comment(execution, request)
    check_claim(execution, request.token)
    match request.operation:
        case TaskOperation.MOVE:
            return _move(execution, request, now_ms, draw)
        case TaskOperation.START:
            return _start(execution, request.worker, now_ms)
        case TaskOperation.PROGRESS:
            return _progress(execution, request, now_ms)
        case TaskOperation.HEARTBEAT:
            return renew(execution, request.token, request.lease_ms, now_ms)
        case TaskOperation.RELEASE:
            return release(execution, request.message)
        case TaskOperation.RETRY:
            return retry(execution, request.input, now_ms)
        case _:
            return _update(execution, request)


def _move(execution: Execution, request: TaskRequest, now_ms: int, draw: float) -> Decision:
    _, status = state_of(execution)
    after = request.status
    if after is None:
        raise InvalidArgumentError("say which status the task is to have")
    check_task_move(execution.key.id, status, after)
    decision = Decision()
    match after:
        case T.QUEUED:
            return _queue(execution, status, request, now_ms)
        case T.SCHEDULED:
            _schedule(execution, decision, request, now_ms)
        case T.ASSIGNED:
            _assign(execution, decision, request.worker)
        case T.IN_PROGRESS:
            event = "reopened" if status is T.REVIEW else "started"
            begin_work(execution, decision, request.worker, now_ms, event)
        case T.BLOCKED:
            task, _ = state_of(execution)
            decision.entries.append(TaskMoved(after, "blocked", request.worker, 0, request.message))
            task = msgspec.structs.replace(task, is_held_back=True)
            move(execution, decision, Status.SCHEDULED, task=task)
        case T.REVIEW:
            decision.entries.append(TaskMoved(after, "review", request.worker, 0, request.message))
            let_go(execution, decision)
            move(execution, decision, Status.SUSPENDED)
        case T.COMPLETED:
            if status is T.REVIEW:
                move(execution, decision, Status.RUNNING)
            ended = ExecutionEnded(Status.COMPLETED, request.result or NULL)
            end(execution, decision, ended, now_ms)
        case T.FAILED:
            _fail(execution, decision, request, now_ms, draw)
        case _:
            return cancel(execution, request.message, now_ms, 0)
    return decision


def _queue(execution: Execution, status: TaskStatus, request: TaskRequest, now_ms: int) -> Decision:
    if status is T.ASSIGNED:
        return release(execution, request.message)
    if status is T.PENDING:
        return resume(execution, now_ms)
    task, _ = state_of(execution)
    decision = Decision()
    if execution.dependencies:
        raise InvalidArgumentError(
            f"task {execution.key.id!r} waits for {', '.join(execution.dependencies)}: remove the "
            "dependency, or let it go on by itself"
        )
    decision.changes["task"] = msgspec.structs.replace(task, is_held_back=False)
    decision.effects.append(ClearTimer(TimerKind.START))
    enqueue(execution, decision, due_ms=min(execution.row.due_ms, now_ms))
    return decision


def _schedule(execution: Execution, decision: Decision, request: TaskRequest, now_ms: int) -> None:
    at_ms = request.at_ms if request.at_ms is not None else execution.row.due_ms
    if at_ms <= now_ms:
        raise InvalidArgumentError(f"say when task {execution.key.id!r} is to be queued")
    at_ms = min(at_ms, MAX_DUE_MS)
    decision.entries.append(TaskMoved(T.SCHEDULED, "scheduled", request.worker, due_ms=at_ms))
    move(execution, decision, Status.SCHEDULED, due_ms=at_ms, detail="")
    decision.effects.append(SetTimer(TimerKind.START, "", at_ms))


def _assign(execution: Execution, decision: Decision, worker: WorkerRef | None) -> None:
    task, _ = state_of(execution)
    if worker is None:
        raise InvalidArgumentError(f"say who gets task {execution.key.id!r}")
    assign(execution, decision, task, worker)


def _start(execution: Execution, worker: WorkerRef | None, now_ms: int) -> Decision:
    """Begin the work; of a queued one, whoever starts it gets it first."""
    _, status = state_of(execution)
    decision = Decision()
    if status not in (T.QUEUED, T.ASSIGNED):
        raise cannot(execution.key.id, status, T.IN_PROGRESS)
    if status is T.QUEUED:
        _assign(execution, decision, worker)
    begin_work(execution, decision, worker, now_ms)
    return decision


def _fail(
    execution: Execution, decision: Decision, request: TaskRequest, now_ms: int, draw: float
) -> None:
    """The end, unless retries are left: then the task is queued again after its back-off."""
    task, _ = state_of(execution)
    created = execution.created
    assert created is not None
    failure = request.failure or Failure("TASK_FAILED", request.message)
    policy, failures = created.options.retry, task.failures + 1
    again = policy is not None and failure.retryable and failures <= policy.max_retries
    if policy is None or not again:
        end(execution, decision, ExecutionEnded(Status.FAILED, None, failure), now_ms)
        return
    delay_ms = retry_delay_ms(policy, failures, draw, failure.retry_after_ms)
    due_ms = due_after(now_ms, delay_ms)
    failed = TaskMoved(T.FAILED, "failed", task.worker, 0, request.message, failure, due_ms)
    decision.entries.append(failed)
    let_go(
        execution,
        decision,
        worker=None,
        has_begun=False,
        failures=failures,
        retries=task.retries + 1,
    )
    error = f"{failure.type_name}: {failure.message}"[:1000]
    decision.entries.append(TaskMoved(T.SCHEDULED, "retried", due_ms=due_ms))
    if due_ms > now_ms:
        move(execution, decision, Status.SCHEDULED, due_ms=due_ms, error=error, progress=b"")
        decision.effects.append(SetTimer(TimerKind.START, "", due_ms))
    else:
        enqueue(execution, decision, error=error, progress=b"")


def _progress(execution: Execution, request: TaskRequest, now_ms: int) -> Decision:
    """Record how far the work is; what is left of it follows from its pace so far."""
    task, status = state_of(execution)
    percent = request.percent
    if percent is None or not math.isfinite(percent) or not 0 <= percent <= 100:
        raise InvalidArgumentError(f"progress is a number from 0 to 100, not {percent}")
    if status is not T.IN_PROGRESS:
        raise cannot(execution.key.id, status, T.IN_PROGRESS, "update the progress of a")
    worked_ms = max(0, now_ms - task.begun_ms)
    remaining_ms = round(worked_ms * (100 - percent) / percent) if percent else -1
    reported = TaskReported(
        "progress", request.worker or task.worker, request.message, percent, remaining_ms
    )
    decision = Decision(entries=[reported])
    progress = Progress(percent, 100, request.message)
    decision.changes["progress"] = encode_progress(progress)
    if request.token:
        renewed = renew(execution, request.token, None, now_ms)
        decision.changes.update(renewed.changes)
        decision.effects.extend(renewed.effects)
    return decision


def _comment(execution: Execution, request: TaskRequest) -> Decision:
    """A remark on any execution, whatever its status. A worker that holds it gets the entry, as it
    gets every entry in order, and passes it."""
    if request.token:
        check_claim(execution, request.token)
    decision, entry = Decision(), TaskReported("comment", request.worker, request.message)
    if execution.epoch:
        news(execution, decision, entry)
    else:
        decision.entries.append(entry)
    return decision


def _update(execution: Execution, request: TaskRequest) -> Decision:
    """Change the priority, and with it the place in the queue, or what the task is about."""
    task, status = state_of(execution)
    if is_end(execution.row.status):
        raise cannot(execution.key.id, status, status, "update")
    updated = TaskReported(
        "updated",
        request.worker,
        request.message,
        priority=request.priority,
        definition=request.definition,
    )
    decision = Decision(entries=[updated])
    if request.priority is not None and request.priority != execution.row.priority:
        decision.changes["priority"] = request.priority
        if status is T.QUEUED:
            decision.changes["task"] = msgspec.structs.replace(task, order=0)
            decision.effects.append(Enqueue())
    return decision
