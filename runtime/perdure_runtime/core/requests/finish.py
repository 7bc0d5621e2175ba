"""An attempt ends: with an outcome of the execution, or with a failure that is tried again."""

from __future__ import annotations

import msgspec

from perdure_runtime.core.effects import ClearTimer, Decision, SaveObject
from perdure_runtime.core.entries import (
    AttemptEnded,
    CancelRequested,
    Entry,
    ExecutionEnded,
    Paused,
    StateWrite,
)
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.execution import Execution, is_uncounted
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_PAYLOAD_BYTES, due_after
from perdure_runtime.core.messages import Finish
from perdure_runtime.core.objects import OBJECT
from perdure_runtime.core.payload import Failure, FailureCode
from perdure_runtime.core.requests.continuation import continue_as_new
from perdure_runtime.core.requests.wake import (
    cancel_calls,
    clear_timeout,
    drop_waits,
    end,
    end_lease,
    hold_timeouts,
    move,
    next_attempt,
    note_progress,
)
from perdure_runtime.core.retry import retry_delay_ms
from perdure_runtime.core.rows import TimerKind


def _oversize(execution: Execution, request: Finish) -> Failure | None:
    """What is over the limit fails the execution: it is never recorded (semantics, section 9)."""
    for what, value in (("result", request.result), ("object state", request.object_state)):
        if value is not None and len(value.data) > MAX_PAYLOAD_BYTES:
            message = (
                f"the {what} of {execution.row.target.name()} is {len(value.data)} bytes; "
                f"the limit is {MAX_PAYLOAD_BYTES}"
            )
            return Failure(
                "LimitExceededError", message, FailureCode.SERIALIZATION, retryable=False
            )
    return None


def _save_object(execution: Execution, request: Finish, decision: Decision) -> None:
    """The object's new state is part of the entry that ends the attempt, whatever its outcome."""
    state = request.object_state
    if state is None or len(state.data) > MAX_PAYLOAD_BYTES:
        return
    for position, entry in enumerate(decision.entries):
        if isinstance(entry, AttemptEnded | ExecutionEnded):
            decision.entries[position] = msgspec.structs.replace(entry, object_state=state)
    decision.effects.insert(0, SaveObject(state))


def refuse(execution: Execution, failure: Failure, now_ms: int) -> Decision:
    """End an execution that waits for a worker, as failed: its body never ran."""
    decision = Decision()
    end(execution, decision, ExecutionEnded(Status.FAILED, None, failure), now_ms)
    return decision


def finish(
    execution: Execution, request: Finish, now_ms: int, draw: float, event_sequence: int = 0
) -> Decision:
    """The body ended.

    An outcome made before the body saw a cancel or its timeout wins over it; whatever a body makes
    of itself after that, it was cancelled, or ran out of time (semantics, section 8). A run that
    continues as new has made no outcome: any cancel counts.

    Args:
        event_sequence: of the last event that was sent.

    Raises:
        ProtocolError: commands of this attempt are missing, or unknown to the worker; or it sends
            the state of an object that this execution does not hold.
    """
    if request.base != execution.commands:
        raise ProtocolError(
            f"execution {execution.key.id!r}: the worker finishes after {request.base} commands, "
            f"but {execution.commands} are recorded"
        )
    if request.object_state is not None and execution.row.kind != OBJECT:
        raise ProtocolError(
            f"execution {execution.key.id!r} of {execution.row.target.name()} ends with a state, "
            "but only exclusive methods of objects save one"
        )
    decision = Decision()
    if request.progress is not None:
        note_progress(execution, decision, request.progress)
    if execution.row.status is Status.SUSPENDED:
        move(execution, decision, Status.RUNNING)  # the worker was busy after all
    writes = request.writes
    continues = request.continue_input is not None
    if execution.cancel is not None and (continues or request.consumed >= execution.cancel_index):
        end_cancelled(execution, decision, execution.cancel, now_ms, writes)
    elif 0 <= execution.timed_out_index <= request.consumed:
        attempt_timed_out(execution, decision, now_ms, draw, writes)
    elif (failure := _oversize(execution, request) or request.failure) is not None:
        attempt_failed(execution, decision, failure, now_ms, draw, writes)
    elif request.cancelled or request.timed_out:
        end_cancelled(execution, decision, CancelRequested(), now_ms, writes)
    elif request.continue_input is not None:
        unclaimed = unclaimed_events(execution, request)
        continue_as_new(
            execution, decision, request, request.continue_input, unclaimed, event_sequence
        )
    else:
        ended = ExecutionEnded(Status.COMPLETED, request.result, None, writes)
        end(execution, decision, ended, now_ms)
    unclaimed = unclaimed_events(execution, request)
    if unclaimed:
        decision.entries = [_with_unclaimed(entry, unclaimed) for entry in decision.entries]
    _save_object(execution, request, decision)
    return decision


def unclaimed_events(execution: Execution, request: Finish) -> tuple[int, ...]:
    """Indexes of the events that no wait of the body got, those on their way to it included."""
    unseen = {index for index in execution.received if index > request.consumed}
    return tuple(sorted(unseen.union(request.unclaimed_events)))


def _with_unclaimed(entry: Entry, unclaimed: tuple[int, ...]) -> Entry:
    if isinstance(entry, AttemptEnded | ExecutionEnded):
        return msgspec.structs.replace(entry, unclaimed_events=unclaimed)
    return entry


def end_cancelled(
    execution: Execution,
    decision: Decision,
    cancel: CancelRequested,
    now_ms: int,
    writes: tuple[StateWrite, ...] = (),
    *,
    waiting_for: str = "",
) -> None:
    """The cancellation took effect: `cancelled`, or `timed_out` by the execution's timeout."""
    status = Status.TIMED_OUT if cancel.timed_out else Status.CANCELLED
    failure = cancelled_failure(execution, cancel, waiting_for)
    end(execution, decision, ExecutionEnded(status, None, failure, writes), now_ms)


def cancelled_failure(
    execution: Execution, cancel: CancelRequested, waiting_for: str = ""
) -> Failure:
    """What callers get of an execution that was cancelled or ran out of time."""
    target = execution.row.target.name()
    if not cancel.timed_out:
        message = f"{target} was cancelled" + (f": {cancel.reason}" if cancel.reason else "")
        return Failure("CallError", message, FailureCode.CANCELLED)
    if execution.attempt or execution.row.run > 1 or execution.row.task is not None:
        return Failure("CallTimeoutError", f"{target} timed out", FailureCode.TIMEOUT)
    if waiting_for:
        message = f"{target} timed out while it waited for {waiting_for}"
        return Failure("CallTimeoutError", message, FailureCode.TIMEOUT)
    message = f"no worker took {target} before the timeout"
    return Failure("ServiceUnavailableError", message, FailureCode.UNAVAILABLE)


def attempt_timed_out(
    execution: Execution,
    decision: Decision,
    now_ms: int,
    draw: float,
    writes: tuple[StateWrite, ...] = (),
) -> None:
    """The attempt's timeout took effect: it counts as a failure."""
    timeout_ms = execution.started.timeout_ms if execution.started else None
    seconds = (timeout_ms or 0) / 1000
    failure = Failure(
        "TimeoutError",
        f"attempt {execution.attempt} of {execution.row.target.name()} "
        f"ran longer than {seconds:g} s",
        FailureCode.TIMEOUT,
        module="builtins",
        qualname="TimeoutError",
    )
    attempt_failed(execution, decision, failure, now_ms, draw, writes, Status.TIMED_OUT)


def attempt_failed(
    execution: Execution,
    decision: Decision,
    failure: Failure,
    now_ms: int,
    draw: float,
    writes: tuple[StateWrite, ...] = (),
    last: Status = Status.FAILED,
) -> None:
    """R2: the next attempt after its back-off, or the end when the retries are used up.

    Args:
        last: the execution's status if this was its last attempt.
    """
    started = execution.started
    assert started is not None
    retries = execution.attempt - execution.retries_from
    again = is_uncounted(failure) or (failure.retryable and retries <= started.retry.max_retries)
    parks = failure.retryable and started.on_exhausted == "pause"
    if not again and not parks:
        end(execution, decision, ExecutionEnded(last, None, failure, writes), now_ms)
        return
    if execution.cancel is not None:  # a backing-off or parked execution ends at once
        end_cancelled(execution, decision, execution.cancel, now_ms, writes)
        return
    end_lease(execution, decision, "ended")
    clear_timeout(execution, decision, TimerKind.ATTEMPT)
    clear_timeout(execution, decision, TimerKind.GRACE)
    decision.effects.extend(ClearTimer(TimerKind.TIMER, path) for path in execution.timers)
    drop_waits(execution, decision)
    error = f"{failure.type_name}: {failure.message}"[:1000]
    due_ms = now_ms
    if again:
        due_ms = due_after(
            now_ms, retry_delay_ms(started.retry, retries, draw, failure.retry_after_ms)
        )
    decision.entries.append(AttemptEnded(execution.attempt, failure, due_ms, writes))
    if again:
        next_attempt(execution, decision, due_ms, now_ms, error=error)
    else:
        decision.entries.append(Paused(f"retries used up: {error}"))
        move(execution, decision, Status.PAUSED, detail="retries used up", error=error)
        hold_timeouts(execution, decision, now_ms)
    cancel_calls(execution, decision, f"attempt {execution.attempt} of the caller failed")
