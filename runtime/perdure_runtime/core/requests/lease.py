"""Leases: an execution is handed to a worker, comes back, or is lost with it."""

from __future__ import annotations

from typing import Final

from perdure_runtime.core.effects import Decision
from perdure_runtime.core.entries import AttemptStarted, Paused
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import due_after
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.objects import OBJECT, SHARED
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.requests.finish import end_cancelled
from perdure_runtime.core.requests.wake import (
    end_lease,
    enqueue,
    has_timeout,
    hold_timeouts,
    move,
    set_timeout,
)
from perdure_runtime.core.retry import NO_RETRY, Retry, of_attempt
from perdure_runtime.core.rows import TimerKind

DEFAULT_HANDLER_RETRY: Final = Retry()


def grant(
    execution: Execution,
    spec: MethodSpec,
    build_id: str,
    now_ms: int,
    object_state: Payload | None = None,
) -> Decision:
    """Hand the execution to a worker: a new attempt, or a replay of the open one.

    The policies of the attempt are fixed here: what the start said, else the function's own.

    Args:
        object_state: what a new attempt of an object method starts from.
    """
    decision = Decision()
    created = execution.created
    assert created is not None
    move(execution, decision, Status.RUNNING)
    if execution.attempt_open:
        return decision
    options = created.options
    attempt = execution.attempt + 1
    default = NO_RETRY
    if spec.kind == "handler":
        default = options.handler_retry or DEFAULT_HANDLER_RETRY
    retry = options.retry or spec.retry or default
    timeout_ms = options.attempt_timeout_ms
    if timeout_ms is None and spec.attempt_timeouts_ms:
        timeout_ms = of_attempt(spec.attempt_timeouts_ms, attempt - execution.retries_from)
    elif timeout_ms is None:
        timeout_ms = spec.attempt_timeout_ms
    decision.entries.append(
        AttemptStarted(attempt, retry, timeout_ms, build_id, spec.on_exhausted, object_state)
    )
    kind = SHARED if spec.kind == OBJECT and spec.shared else spec.kind
    decision.changes.update(attempt=attempt, kind=kind, build_id=build_id)
    if timeout_ms is not None:
        set_timeout(execution, decision, TimerKind.ATTEMPT, due_after(now_ms, timeout_ms))
    if not execution.row.started_ms:
        decision.changes["started_ms"] = now_ms
    own_ms = spec.execution_timeout_ms
    if own_ms is not None and not has_timeout(execution, decision, TimerKind.EXECUTION):
        set_timeout(execution, decision, TimerKind.EXECUTION, due_after(now_ms, own_ms))
    return decision


def adopt(execution: Execution) -> Decision:
    """A reconnected worker keeps what it holds. A suspended one stays so until there is news."""
    decision = Decision()
    if execution.row.status is Status.QUEUED:
        move(execution, decision, Status.RUNNING)
    return decision


def lease_lost(
    execution: Execution, max_crashes: int, now_ms: int, reason: str = "lost"
) -> Decision:
    """The worker is gone, or cannot be believed. Only an execution with work in progress counts as
    crashed with it; one that keeps crashing at the same place is parked."""
    decision = Decision()
    end_lease(execution, decision, reason)
    if execution.row.status is not Status.RUNNING:
        return decision
    same_place = execution.row.crash_index == execution.length
    crashes = execution.row.crash_count + 1 if same_place else 1
    decision.changes.update(crash_count=crashes, crash_index=execution.length)
    if crashes < max_crashes:
        enqueue(execution, decision)
    elif execution.cancel is not None:
        end_cancelled(execution, decision, execution.cancel, now_ms)
    else:
        text = f"poisonous: its worker died {crashes} times at journal entry {execution.length}"
        decision.entries.append(Paused(text))
        move(execution, decision, Status.PAUSED, detail=text)
        hold_timeouts(execution, decision, now_ms)
    return decision


def release(execution: Execution) -> Decision:
    """A worker gives an execution back: evicted from its cache, or draining."""
    decision = Decision()
    end_lease(execution, decision, "released")
    if execution.row.status is Status.RUNNING:
        enqueue(execution, decision)
    return decision


def mismatch(execution: Execution, diff: str, now_ms: int) -> Decision:
    """The code and the journal disagree: nothing is recorded, the execution is blocked.

    One that is being cancelled ends: a blocked execution ends at once, without running the body.
    """
    decision = Decision()
    if execution.cancel is not None:
        end_cancelled(execution, decision, execution.cancel, now_ms)
        return decision
    text = diff.encode(errors="backslashreplace").decode()  # quotes user values: maybe no UTF-8
    move(execution, decision, Status.BLOCKED, detail=text)
    hold_timeouts(execution, decision, now_ms)
    end_lease(execution, decision, "blocked")
    return decision
