"""What operators and callers do to an execution: cancel, pause, resume, retry."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perdure_runtime.core.effects import ClearTimers, Decision
from perdure_runtime.core.entries import CancelRequested, ExecutionRetried, Paused, Resumed
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests.finish import end_cancelled
from perdure_runtime.core.requests.wake import (
    PARKED,
    cancel_calls,
    check_not_cancelling,
    drop_waits,
    end_lease,
    enqueue,
    hold_timeouts,
    move,
    news,
    next_attempt,
    release_timeouts,
    set_timeout,
)
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.tasks import TaskStatus, cannot, check_task_move
from perdure_runtime.core.trace import sender

RETRYABLE: Final = (Status.FAILED, Status.TIMED_OUT, *PARKED)
_UNPARKED: Final[dict[str, Any]] = {"detail": "", "crash_count": 0, "crash_index": -1}


def cancel(
    execution: Execution,
    reason: str,
    now_ms: int,
    grace_ms: int,
    *,
    timed_out: bool = False,
    trace: dict[str, str] | None = None,
    waiting_for: str = "",
) -> Decision:
    """Ask for cancellation. The reply tells whether it took effect.

    An execution whose body is not in the middle of an attempt ends at once, as does a parked one;
    otherwise the body sees the cancel and has `grace_ms` for its `finally` blocks.

    Args:
        waiting_for: the object in whose lane it waits behind others, for the message.
    """
    if is_end(execution.row.status):
        return Decision(reply=False)
    decision = Decision(reply=True)
    if execution.cancel is not None:
        return decision
    request = CancelRequested(reason, timed_out, sender(trace or {}))
    if not execution.attempt_open or execution.row.status in PARKED:
        decision.entries.append(request)
        end_cancelled(execution, decision, request, now_ms, waiting_for=waiting_for)
        return decision
    news(execution, decision, request)
    set_timeout(execution, decision, TimerKind.GRACE, due_after(now_ms, grace_ms))
    return decision


def pause(execution: Execution, reason: str, now_ms: int) -> Decision:
    """Park the execution; its worker loses it. Completions go on being recorded.

    Raises:
        InvalidTransitionError: it has ended, or is being cancelled.
    """
    decision = Decision(reply=True)
    if execution.row.task_status is not None:
        check_task_move(execution.key.id, execution.row.task_status, TaskStatus.PENDING)
    if execution.row.status is Status.PAUSED:
        return decision
    move(execution, decision, Status.PAUSED, detail=reason)
    check_not_cancelling(execution)
    decision.entries.append(Paused(reason))
    if not execution.row.started_ms:
        decision.changes["lane_order"] = 0  # it holds no object yet: those behind it go on
    hold_timeouts(execution, decision, now_ms)
    end_lease(execution, decision, "paused")
    return decision


def resume(execution: Execution, now_ms: int) -> Decision:
    """Go on: replay the open attempt, or wait for the next one's start."""
    if execution.row.status not in PARKED:
        raise InvalidTransitionError(
            f"execution {execution.key.id!r} is {execution.row.status.value}: "
            "only a paused or blocked one can be resumed"
        )
    decision = Decision(reply=True)
    if execution.row.status is Status.PAUSED:
        decision.entries.append(Resumed())
    else:
        decision.changes["build_id"] = ""  # any build may have the fix
    if execution.attempt_open:
        enqueue(execution, decision, **_UNPARKED)
    else:
        next_attempt(execution, decision, execution.row.due_ms, now_ms, **_UNPARKED)
    release_timeouts(execution, decision, now_ms)
    return decision


def retry(execution: Execution, input: Payload | None, now_ms: int) -> Decision:
    """A new attempt under R2, maybe with new input; retries, crashes and timeouts count anew.

    Raises:
        InvalidTransitionError: it has not failed and is not parked.
    """
    if execution.row.task_status is not None and execution.row.status is not Status.FAILED:
        raise cannot(execution.key.id, execution.row.task_status, TaskStatus.QUEUED, "retry")
    if execution.row.status not in RETRYABLE:
        raise InvalidTransitionError(
            f"execution {execution.key.id!r} is {execution.row.status.value}: "
            "only a failed, timed_out, paused or blocked one can be retried"
        )
    assert execution.created is not None
    decision = Decision(reply=True, entries=[ExecutionRetried(input)])
    decision.effects.append(ClearTimers(tuple(execution.timers)))
    drop_waits(execution, decision)
    decision.changes.update(_UNPARKED, error="", ended_ms=0, held=b"")
    if is_end(execution.row.status):
        decision.changes["started_ms"] = 0  # it waits for its start again
    if input is not None:
        decision.changes.update(input_digest=input.digest, progress=b"")
    task = execution.row.task
    if task is not None:
        task = msgspec.structs.replace(task, worker=None, has_begun=False, failures=0, order=0)
        decision.changes["task"] = msgspec.structs.replace(task, retries=task.retries + 1)
        decision.changes["progress"] = b""
    next_attempt(execution, decision, now_ms, now_ms)
    timeout_ms = execution.created.options.execution_timeout_ms
    if timeout_ms is not None:
        set_timeout(execution, decision, TimerKind.EXECUTION, due_after(now_ms, timeout_ms))
    cancel_calls(execution, decision, "the caller is retried")
    return decision
