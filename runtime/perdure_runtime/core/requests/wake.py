"""Rules shared by all requests that end, wake or park an execution."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from perdure_runtime.core.client import Outcome
from perdure_runtime.core.effects import (
    CancelChild,
    ClearTimer,
    ClearTimers,
    CompleteCall,
    Decision,
    Deliver,
    Ended,
    EndLease,
    Enqueue,
    SetTimer,
    Subscribe,
)
from perdure_runtime.core.entries import Entry, ExecutionEnded, TaskMoved
from perdure_runtime.core.errors import InvalidTransitionError
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.ids import ExecutionKey, ParentLink
from perdure_runtime.core.lifecycle import Status, transition
from perdure_runtime.core.messages import Progress
from perdure_runtime.core.progress import encode_progress
from perdure_runtime.core.rows import TimerKind, last_progress
from perdure_runtime.core.tasks import TaskStatus

PARKED: Final = (Status.PAUSED, Status.BLOCKED)


def move(execution: Execution, decision: Decision, status: Status, **changes: Any) -> None:
    """Change the status by the lifecycle table, and other fields of the row with it."""
    before = decision.changes.get("status", execution.row.status)
    decision.changes["status"] = transition(before, status, f"execution {execution.key.id!r}")
    decision.changes.update(changes)


def note_progress(execution: Execution, decision: Decision, progress: Progress) -> None:
    """Keep how far the execution is; it never goes back, whatever an attempt begins anew.

    Raises:
        ProtocolError: a number is none, or endless.
    """
    encoded = encode_progress(progress)
    known = last_progress(execution.row)
    if known is not None and known.done > progress.done:
        return
    decision.changes["progress"] = encoded


def news(execution: Execution, decision: Decision, entry: Entry) -> None:
    """Record an entry that the body has to see: deliver it, or get the execution a worker."""
    decision.entries.append(entry)
    status = decision.changes.get("status", execution.row.status)
    if execution.epoch:
        decision.effects.append(Deliver(len(decision.entries) - 1))
        if status is Status.SUSPENDED:
            move(execution, decision, Status.RUNNING)
    elif status is Status.SUSPENDED:
        enqueue(execution, decision)


def enqueue(execution: Execution, decision: Decision, **changes: Any) -> None:
    """The execution wants a worker; a task, somebody who claims it."""
    move(execution, decision, Status.QUEUED, **changes)
    if execution.row.task is not None:
        decision.entries.append(TaskMoved(TaskStatus.QUEUED, "queued"))
    decision.effects.append(Enqueue())


def end_lease(execution: Execution, decision: Decision, reason: str) -> None:
    """Take the execution away from its worker, if it has one."""
    if execution.epoch:
        decision.effects.append(EndLease(execution.epoch, reason))


def cancel_child(
    execution: Execution, attempt: int, path: str, child: ExecutionKey, reason: str
) -> CancelChild:
    """Cancel the child of one call."""
    address = ParentLink(execution.key, execution.row.run, attempt, path)
    return CancelChild(child, address, reason)


def cancel_calls(execution: Execution, decision: Decision, reason: str) -> None:
    """Cancel every open call. It comes last in a decision: what ends at once answers at once."""
    decision.effects.extend(
        cancel_child(execution, attempt, path, call.child, reason)
        for (attempt, path), call in execution.calls.items()
    )


def next_attempt(
    execution: Execution, decision: Decision, due_ms: int, now_ms: int, **changes: Any
) -> None:
    """Wait for a start time, for the calls of the attempt before to be terminal, or for a worker.

    `call_completed` or the timer, whichever comes last, then makes it `queued`.
    """
    if due_ms > now_ms or execution.calls or execution.dependencies:
        move(execution, decision, Status.SCHEDULED, due_ms=due_ms, **changes)
        if execution.row.task is not None:
            waits = TaskStatus.BLOCKED if execution.dependencies else TaskStatus.SCHEDULED
            decision.entries.append(TaskMoved(waits, waits.value, due_ms=due_ms))
        if due_ms > now_ms:
            decision.effects.append(SetTimer(TimerKind.START, "", due_ms))
    else:
        enqueue(execution, decision, **changes)


def check_not_cancelling(execution: Execution) -> None:
    """Raise InvalidTransitionError while a cancellation is under way."""
    if execution.cancel is not None:
        raise InvalidTransitionError(
            f"execution {execution.key.id!r} is being cancelled: it cannot become paused"
        )


def end(execution: Execution, decision: Decision, entry: ExecutionEnded, now_ms: int) -> None:
    """Record the outcome, tell the parent, wake the waiters, clear timers, cancel open calls."""
    decision.entries.append(entry)
    error = f"{entry.failure.type_name}: {entry.failure.message}" if entry.failure else ""
    move(execution, decision, entry.status, ended_ms=now_ms, error=error[:1000], held=b"")
    decision.changes.update(lane_order=0, held_objects=(), after=())
    task = decision.changes.get("task", execution.row.task)
    if task is not None:
        decision.changes["task"] = msgspec.structs.replace(task, claim=0, lease_due_ms=0)
    decision.effects.append(ClearTimers(tuple(execution.timers)))
    drop_waits(execution, decision)
    end_lease(execution, decision, "ended")
    created = execution.created
    if created is not None and created.parent is not None and not created.parent.detached:
        decision.effects.append(CompleteCall(created.parent, entry.result, entry.failure))
    decision.effects.append(Ended())
    cancel_calls(execution, decision, f"caller {execution.key.id} ended")


def drop_waits(execution: Execution, decision: Decision) -> None:
    """The attempt ends, and its waits with it; its promises can be settled until the next one."""
    for event_id in {wait.event_id for wait in execution.waits.values()}:
        decision.effects.append(Subscribe(event_id))
    decision.effects.extend(
        ClearTimer(TimerKind.HEARTBEAT, promise.path)
        for promise in execution.promises.values()
        if promise.heartbeat_timeout_ms is not None
    )


def outcome_of(execution: Execution, entry: ExecutionEnded) -> Outcome:
    """How the execution ended, for those who wait."""
    reason = execution.cancel.reason if execution.cancel else ""
    return Outcome(execution.key.id, entry.status, entry.result, entry.failure, reason)


def set_timeout(execution: Execution, decision: Decision, kind: TimerKind, due_ms: int) -> None:
    """Set a timeout and remember it in the row, so that parking can stop its clock."""
    timeouts = _timeouts(execution, decision)
    timeouts[kind.value] = due_ms
    decision.changes["held"] = msgspec.json.encode(timeouts)
    decision.effects.append(SetTimer(kind, "", due_ms))


def has_timeout(execution: Execution, decision: Decision, kind: TimerKind) -> bool:
    """Whether a timeout is set, running or held."""
    return kind.value in _timeouts(execution, decision)


def clear_timeout(execution: Execution, decision: Decision, kind: TimerKind) -> None:
    """Forget a timeout."""
    timeouts = _timeouts(execution, decision)
    if timeouts.pop(kind.value, None) is not None:
        decision.changes["held"] = msgspec.json.encode(timeouts) if timeouts else b""
        decision.effects.append(ClearTimer(kind))


def timeout_due_ms(execution: Execution, kind: TimerKind) -> int:
    """When a timeout is due; 0 when none is set."""
    return _timeouts(execution, Decision()).get(kind.value, 0)


def hold_timeouts(execution: Execution, decision: Decision, now_ms: int) -> None:
    """Stop the clocks of timeouts while parked: the row keeps what is left (semantics, 8)."""
    timeouts = _timeouts(execution, decision)
    if timeouts and execution.row.status not in PARKED:
        left = {kind: max(1, due_ms - now_ms) for kind, due_ms in timeouts.items()}
        decision.changes["held"] = msgspec.json.encode(left)
        decision.effects.extend(ClearTimer(TimerKind(kind)) for kind in timeouts)


def release_timeouts(execution: Execution, decision: Decision, now_ms: int) -> None:
    """Start the stopped clocks again with what was left."""
    for kind, left_ms in _timeouts(execution, decision).items():
        set_timeout(execution, decision, TimerKind(kind), now_ms + left_ms)


def _timeouts(execution: Execution, decision: Decision) -> dict[str, int]:
    encoded = decision.changes.get("held", execution.row.held)
    if not encoded:
        return {}
    timeouts: dict[str, int] = msgspec.json.decode(encoded)
    return timeouts
