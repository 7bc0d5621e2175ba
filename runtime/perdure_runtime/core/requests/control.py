"""What operators and callers do to an execution: cancel, pause, resume, retry."""

from __future__ import annotations

from perdure_runtime.core.effects import ClearTimers, Decision, Enqueue, SetTimer
from perdure_runtime.core.entries import CancelRequested, ExecutionRetried, Paused, Resumed
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests.wake import (
    end_lease,
    hold_timeouts,
    move,
    news,
    release_timeouts,
)
from perdure_runtime.core.rows import TimerKind

RETRYABLE = (Status.FAILED, Status.TIMED_OUT, Status.PAUSED, Status.BLOCKED)


def cancel(
    execution: Execution,
    reason: str,
    now_ms: int,
    grace_ms: int,
    *,
    timed_out: bool = False,
) -> Decision:
    """Ask for cancellation. The reply tells whether it took effect.

    An execution whose body is not in the middle of an attempt ends at once, as does a parked one;
    otherwise the body sees the cancel and has `grace_ms` for its `finally` blocks.
    """
    # Imported here: finish needs the rules of this module's neighbours, not the other way round.
    from perdure_runtime.core.requests.finish import end_cancelled

    if is_end(execution.row.status):
        return Decision(reply=False)
    decision = Decision(reply=True)
    if execution.cancel is not None:
        return decision
    request = CancelRequested(reason, timed_out)
    status = execution.row.status
    if not execution.attempt_open or status in (Status.PAUSED, Status.BLOCKED):
        decision.entries.append(request)
        end_cancelled(execution, decision, request, now_ms)
        return decision
    news(execution, decision, request)
    decision.effects.append(SetTimer(TimerKind.GRACE, "", now_ms + grace_ms))
    return decision


def pause(execution: Execution, reason: str, now_ms: int) -> Decision:
    """Park the execution; its worker loses it. Completions go on being recorded."""
    decision = Decision(reply=True)
    if execution.row.status is Status.PAUSED:
        return decision
    move(execution, decision, Status.PAUSED, detail=reason)
    decision.entries.append(Paused(reason))
    hold_timeouts(execution, decision, now_ms)
    end_lease(execution, decision, "paused")
    return decision


def resume(execution: Execution, now_ms: int) -> Decision:
    """Go on: replay the open attempt, or wait for the next one's start."""
    if execution.row.status not in (Status.PAUSED, Status.BLOCKED):
        raise InvalidTransitionError(
            f"execution {execution.key.id!r} is {execution.row.status.value}: "
            "only a paused or blocked one can be resumed"
        )
    decision = Decision(reply=True)
    if execution.row.status is Status.PAUSED:
        decision.entries.append(Resumed())
    if not execution.attempt_open and execution.row.due_ms > now_ms:
        move(execution, decision, Status.SCHEDULED, detail="")
        decision.effects.append(SetTimer(TimerKind.START, "", execution.row.due_ms))
    else:
        move(execution, decision, Status.QUEUED, detail="")
        decision.effects.append(Enqueue())
    release_timeouts(execution, decision, now_ms)
    return decision


def retry(execution: Execution, input: Payload | None, now_ms: int) -> Decision:
    """A new attempt under R2, with the retries counted anew, maybe with new input."""
    if execution.row.status not in RETRYABLE:
        raise InvalidTransitionError(
            f"execution {execution.key.id!r} is {execution.row.status.value}: "
            "only a failed, timed_out, paused or blocked one can be retried"
        )
    decision = Decision(reply=True, entries=[ExecutionRetried(input)])
    changes = {"input_digest": input.digest} if input is not None else {}
    move(execution, decision, Status.QUEUED, detail="", error="", ended_ms=0, held=b"", **changes)
    decision.effects.append(ClearTimers())
    decision.effects.append(Enqueue())
    return decision
