"""An attempt ends: with an outcome of the execution, or with a failure that is tried again."""

from __future__ import annotations

import msgspec

from perdure_runtime.core.effects import ClearTimer, Decision, SetTimer
from perdure_runtime.core.entries import (
    AttemptEnded,
    CancelRequested,
    ExecutionEnded,
    Paused,
    StateWrite,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Finish
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.requests.append import new_commands
from perdure_runtime.core.requests.wake import (
    cancel_calls,
    clear_timeout,
    end,
    end_lease,
    hold_timeouts,
    move,
)
from perdure_runtime.core.retry import retry_delay_ms
from perdure_runtime.core.rows import TimerKind


def finish(execution: Execution, request: Finish, now_ms: int, draw: float) -> Decision:
    """The body ended. An outcome made before it saw a cancel or a timeout wins over them."""
    new_commands(execution, request.base, ())
    decision = Decision()
    if request.progress is not None:
        decision.changes["progress"] = msgspec.json.encode(request.progress)
    if request.cancelled:
        cancel = execution.cancel or CancelRequested()
        end_cancelled(execution, decision, cancel, now_ms, request.writes)
    elif request.timed_out:
        attempt_failed(
            execution, decision, timeout_failure(execution), now_ms, draw, request.writes
        )
    elif request.failure is not None:
        attempt_failed(execution, decision, request.failure, now_ms, draw, request.writes)
    else:
        ended = ExecutionEnded(Status.COMPLETED, request.result, None, request.writes)
        end(execution, decision, ended, now_ms)
    return decision


def end_cancelled(
    execution: Execution,
    decision: Decision,
    cancel: CancelRequested,
    now_ms: int,
    writes: tuple[StateWrite, ...] = (),
) -> None:
    """The cancellation took effect: `cancelled`, or `timed_out` by the execution's timeout."""
    status = Status.TIMED_OUT if cancel.timed_out else Status.CANCELLED
    failure = cancelled_failure(execution, cancel)
    end(execution, decision, ExecutionEnded(status, None, failure, writes), now_ms)


def cancelled_failure(execution: Execution, cancel: CancelRequested) -> Failure:
    """What callers get of an execution that was cancelled or ran out of time."""
    target = execution.row.target.name()
    if not cancel.timed_out:
        message = f"{target} was cancelled" + (f": {cancel.reason}" if cancel.reason else "")
        return Failure("CallError", message, FailureCode.CANCELLED)
    if execution.attempt:
        return Failure("CallTimeoutError", f"{target} timed out", FailureCode.TIMEOUT)
    message = f"no worker took {target} before the timeout"
    return Failure("ServiceUnavailableError", message, FailureCode.UNAVAILABLE)


def timeout_failure(execution: Execution) -> Failure:
    """The failure of an attempt that ran out of time."""
    timeout_ms = execution.started.timeout_ms if execution.started else None
    seconds = (timeout_ms or 0) / 1000
    return Failure(
        "TimeoutError",
        f"attempt {execution.attempt} of {execution.row.target.name()} "
        f"ran longer than {seconds:g} s",
        FailureCode.TIMEOUT,
        module="builtins",
        qualname="TimeoutError",
    )


def attempt_failed(
    execution: Execution,
    decision: Decision,
    failure: Failure,
    now_ms: int,
    draw: float,
    writes: tuple[StateWrite, ...] = (),
) -> None:
    """R2: the next attempt after its back-off, or the end when the retries are used up."""
    started = execution.started
    assert started is not None
    if execution.cancel is not None and failure.code is FailureCode.TIMEOUT:
        end_cancelled(execution, decision, execution.cancel, now_ms, writes)
        return
    retries = execution.attempt - execution.retries_from
    if failure.retryable and retries <= started.retry.max_retries:
        delay_ms = retry_delay_ms(started.retry, retries, draw, failure.retry_after_ms)
        next_ms = now_ms + delay_ms
        decision.entries.append(AttemptEnded(execution.attempt, failure, next_ms, writes))
        error = f"{failure.type_name}: {failure.message}"[:1000]
        move(execution, decision, Status.SCHEDULED, due_ms=next_ms, error=error)
        cancel_calls(execution, decision, f"attempt {execution.attempt} of the caller failed")
        clear_timeout(execution, decision, TimerKind.ATTEMPT)
        decision.effects.extend(ClearTimer(TimerKind.TIMER, path) for path in execution.timers)
        decision.effects.append(SetTimer(TimerKind.START, "", next_ms))
        end_lease(execution, decision, "ended")
    elif started.on_exhausted == "pause":
        decision.entries.append(AttemptEnded(execution.attempt, failure, now_ms, writes))
        decision.entries.append(Paused(f"retries used up: {failure.type_name}: {failure.message}"))
        move(execution, decision, Status.PAUSED, detail="retries used up")
        cancel_calls(execution, decision, f"attempt {execution.attempt} of the caller failed")
        clear_timeout(execution, decision, TimerKind.ATTEMPT)
        hold_timeouts(execution, decision, now_ms)
        end_lease(execution, decision, "ended")
    else:
        timed_out = failure.code is FailureCode.TIMEOUT and not failure.traceback_text
        status = Status.TIMED_OUT if timed_out else Status.FAILED
        end(execution, decision, ExecutionEnded(status, None, failure, writes), now_ms)
