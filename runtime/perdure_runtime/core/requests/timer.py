"""A durable timer is due. Timers fire late rather than early; a late one may find nothing to do."""

from __future__ import annotations

from perdure_runtime.core.effects import ClearTimer, Decision, Enqueue, SetTimer
from perdure_runtime.core.entries import AttemptTimedOut, TimerFired
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status, is_end
from perdure_runtime.core.requests.control import cancel
from perdure_runtime.core.requests.finish import attempt_failed, end_cancelled, timeout_failure
from perdure_runtime.core.requests.wake import move, news, timeout_due_ms
from perdure_runtime.core.rows import Timer, TimerKind

PARKED = (Status.PAUSED, Status.BLOCKED)


def timer_due(
    execution: Execution, timer: Timer, now_ms: int, draw: float, grace_ms: int
) -> Decision:
    """What a due timer does; clears it. A timer that was set anew meanwhile is not due."""
    if _set_anew(execution, timer, now_ms):
        return Decision()
    decision = Decision(effects=[ClearTimer(TimerKind(timer.kind), timer.path)])
    if is_end(execution.row.status):
        return decision
    match timer.kind:
        case TimerKind.TIMER:
            if timer.attempt == execution.attempt and timer.path in execution.timers:
                news(execution, decision, TimerFired(timer.path, timer.attempt))
        case TimerKind.START:
            _start(execution, decision)
        case TimerKind.ATTEMPT:
            if execution.attempt_open and timer.attempt == execution.attempt:
                _attempt_timeout(execution, decision, now_ms, grace_ms)
        case TimerKind.EXECUTION:
            cancelled = cancel(execution, "execution timeout", now_ms, grace_ms, timed_out=True)
            cancelled.effects[:0] = decision.effects
            return cancelled
        case TimerKind.GRACE:
            _grace_over(execution, decision, now_ms, draw)
    return decision


def _set_anew(execution: Execution, timer: Timer, now_ms: int) -> bool:
    match timer.kind:
        case TimerKind.TIMER:
            return execution.timers.get(timer.path, 0) > now_ms
        case TimerKind.START:
            return execution.row.status is Status.SCHEDULED and execution.row.due_ms > now_ms
        case TimerKind.ATTEMPT | TimerKind.EXECUTION:
            return timeout_due_ms(execution, TimerKind(timer.kind)) > now_ms
        case _:
            return False


def _start(execution: Execution, decision: Decision) -> None:
    """The start or the back-off is over; an attempt also waits for the calls of the one before."""
    if execution.row.status is Status.SCHEDULED and not execution.calls:
        move(execution, decision, Status.QUEUED)
        decision.effects.append(Enqueue())


def _attempt_timeout(execution: Execution, decision: Decision, now_ms: int, grace_ms: int) -> None:
    if execution.row.status in PARKED or execution.timed_out_index >= 0:
        return
    news(execution, decision, AttemptTimedOut(execution.attempt))
    decision.effects.append(SetTimer(TimerKind.GRACE, "", now_ms + grace_ms))


def _grace_over(execution: Execution, decision: Decision, now_ms: int, draw: float) -> None:
    """The body did not end in time after a cancel or a timeout: end it without its help."""
    if execution.row.status in PARKED:
        return
    if execution.cancel is not None:
        end_cancelled(execution, decision, execution.cancel, now_ms)
    elif execution.timed_out_index >= 0 and execution.attempt_open:
        attempt_failed(execution, decision, timeout_failure(execution), now_ms, draw)
