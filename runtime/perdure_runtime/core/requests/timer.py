"""A durable timer is due. Timers fire late rather than early; a late one may find nothing to do."""

from __future__ import annotations

from perdure_runtime.core.effects import ClearTimer, Decision, LookForEvents, SetTimer
from perdure_runtime.core.entries import AttemptTimedOut, TimerFired
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.requests.control import cancel
from perdure_runtime.core.requests.finish import attempt_timed_out, end_cancelled
from perdure_runtime.core.requests.promise import promise_timed_out
from perdure_runtime.core.requests.task import claim_due_ms, claim_expired
from perdure_runtime.core.requests.wake import (
    PARKED,
    clear_timeout,
    enqueue,
    has_timeout,
    news,
    set_timeout,
    timeout_due_ms,
)
from perdure_runtime.core.rows import Timer, TimerKind


def timer_due(
    execution: Execution,
    timer: Timer,
    now_ms: int,
    draw: float,
    grace_ms: int,
    since_ms: int = 0,
    waiting_for: str = "",
) -> Decision:
    """What a due timer does; clears it. A timer that was set anew meanwhile is not due, and the
    clocks of a parked execution's timeouts stand still.

    Args:
        since_ms: when this coordinator began to listen: nobody could renew a lease before.
        waiting_for: the object in whose lane the execution waits behind others; "": it does not.
    """
    kind = TimerKind(timer.kind)
    if _set_anew(execution, timer, kind, now_ms):
        return Decision()
    if kind is TimerKind.CLAIM and (due_ms := claim_due_ms(execution, since_ms)) > now_ms:
        return Decision(effects=[SetTimer(kind, "", due_ms)])
    wait = execution.waits.get(timer.path) if kind is TimerKind.TIMER else None
    if wait is not None:  # an event that was there first wins: look, then decide
        return Decision(effects=[LookForEvents(wait.event_id, timer.path)])
    decision = Decision(effects=[ClearTimer(kind, timer.path)])
    if is_end(execution.row.status):
        return decision
    match kind:
        case TimerKind.TIMER:
            timed_out = promise_timed_out(execution, decision, timer.path)
            if not timed_out and timer.path in execution.timers:
                news(execution, decision, TimerFired(timer.path, execution.attempt))
        case TimerKind.HEARTBEAT:
            promise_timed_out(execution, decision, timer.path, silent=True)
        case TimerKind.CLAIM:
            claim_expired(execution, decision)
        case TimerKind.START:
            awaits = execution.calls or execution.dependencies
            if execution.row.status is Status.SCHEDULED and not awaits:
                enqueue(execution, decision)
        case TimerKind.ATTEMPT:
            _attempt_timeout(execution, decision, now_ms, grace_ms)
        case TimerKind.EXECUTION if has_timeout(execution, decision, kind):
            why = "execution timeout"
            cancelled = cancel(
                execution, why, now_ms, grace_ms, timed_out=True, waiting_for=waiting_for
            )
            cancelled.effects[:0] = decision.effects
            return cancelled
        case TimerKind.GRACE:
            _grace_over(execution, decision, now_ms, draw)
        case _:
            pass
    return decision


def _set_anew(execution: Execution, timer: Timer, kind: TimerKind, now_ms: int) -> bool:
    match kind:
        case TimerKind.TIMER:
            return execution.timers.get(timer.path, 0) > now_ms
        case TimerKind.HEARTBEAT:
            return execution.heartbeats.get(timer.path, 0) > now_ms
        case TimerKind.CLAIM:
            task = execution.row.task
            return task is not None and task.lease_due_ms > now_ms
        case TimerKind.START:
            return execution.row.status is Status.SCHEDULED and execution.row.due_ms > now_ms
        case _:
            return execution.row.status in PARKED or timeout_due_ms(execution, kind) > now_ms


def _attempt_timeout(execution: Execution, decision: Decision, now_ms: int, grace_ms: int) -> None:
    """The body sees it like a cancel, unless it sees one already."""
    if not has_timeout(execution, decision, TimerKind.ATTEMPT):
        return
    clear_timeout(execution, decision, TimerKind.ATTEMPT)
    if execution.attempt_open and execution.cancel is None:
        news(execution, decision, AttemptTimedOut(execution.attempt))
        set_timeout(execution, decision, TimerKind.GRACE, due_after(now_ms, grace_ms))


def _grace_over(execution: Execution, decision: Decision, now_ms: int, draw: float) -> None:
    """The body did not end in time after a cancel or a timeout: end it without its help."""
    if not has_timeout(execution, decision, TimerKind.GRACE):
        return
    clear_timeout(execution, decision, TimerKind.GRACE)
    if execution.cancel is not None:
        end_cancelled(execution, decision, execution.cancel, now_ms)
    elif execution.timed_out_index >= 0:
        attempt_timed_out(execution, decision, now_ms, draw)
