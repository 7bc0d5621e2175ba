"""Leases: an execution is handed to a worker, comes back, or is lost with it."""

from __future__ import annotations

from perdure_runtime.core.effects import Decision, Enqueue
from perdure_runtime.core.entries import AttemptStarted, Paused
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import MethodSpec
from perdure_runtime.core.requests.wake import end_lease, hold_timeouts, move, set_timeout
from perdure_runtime.core.retry import NO_RETRY, Retry
from perdure_runtime.core.rows import TimerKind

DEFAULT_HANDLER_RETRY = Retry()


def grant(execution: Execution, spec: MethodSpec, build_id: str, now_ms: int) -> Decision:
    """Hand the execution to a worker: a new attempt, or a replay of the open one.

    The policies of the attempt are fixed here: what the start said, else the function's own.
    """
    decision = Decision()
    created = execution.created
    assert created is not None
    move(execution, decision, Status.RUNNING)
    if execution.attempt_open:
        return decision
    options = created.options
    attempt = execution.attempt + 1
    own = spec.retry if spec.kind != "handler" else options.handler_retry or DEFAULT_HANDLER_RETRY
    retry = options.retry or own or NO_RETRY
    timeout_ms = options.attempt_timeout_ms or spec.attempt_timeout_ms
    decision.entries.append(AttemptStarted(attempt, retry, timeout_ms, build_id, spec.on_exhausted))
    decision.changes.update(attempt=attempt, kind=spec.kind, build_id=build_id)
    if timeout_ms is not None:
        set_timeout(execution, decision, TimerKind.ATTEMPT, now_ms + timeout_ms)
    if not execution.row.started_ms:
        decision.changes["started_ms"] = now_ms
        if options.execution_timeout_ms is None and spec.execution_timeout_ms is not None:
            due_ms = now_ms + spec.execution_timeout_ms
            set_timeout(execution, decision, TimerKind.EXECUTION, due_ms)
    return decision


def adopt(execution: Execution) -> Decision:
    """A reconnected worker keeps what it holds. A suspended one stays so until there is news."""
    decision = Decision()
    if execution.row.status is Status.QUEUED:
        move(execution, decision, Status.RUNNING)
    return decision


def lease_lost(execution: Execution, max_crashes: int, now_ms: int) -> Decision:
    """The worker is gone. Only an execution with work in progress counts as crashed with it."""
    decision = Decision()
    if execution.row.status is not Status.RUNNING:
        return decision
    same_place = execution.row.crash_index == execution.length
    crashes = execution.row.crash_count + 1 if same_place else 1
    decision.changes.update(crash_count=crashes, crash_index=execution.length)
    if crashes >= max_crashes:
        reason = f"poisonous: its worker died {crashes} times at journal entry {execution.length}"
        decision.entries.append(Paused(reason))
        move(execution, decision, Status.PAUSED, detail=reason)
        hold_timeouts(execution, decision, now_ms)
    else:
        move(execution, decision, Status.QUEUED)
        decision.effects.append(Enqueue())
    return decision


def release(execution: Execution) -> Decision:
    """A worker gives an execution back: evicted from its cache, or draining."""
    decision = Decision()
    end_lease(execution, decision, "released")
    if execution.row.status is Status.RUNNING:
        move(execution, decision, Status.QUEUED)
        decision.effects.append(Enqueue())
    return decision


def mismatch(execution: Execution, diff: str, now_ms: int) -> Decision:
    """The code and the journal disagree: nothing is recorded, the execution is blocked."""
    decision = Decision()
    move(execution, decision, Status.BLOCKED, detail=diff)
    hold_timeouts(execution, decision, now_ms)
    end_lease(execution, decision, "blocked")
    return decision
