"""Promises: created by bodies, settled once from outside, watched by timeouts (semantics, 5)."""

from __future__ import annotations

import msgspec

from perdure_runtime.core.effects import ClearTimer, Decision, SetTimer
from perdure_runtime.core.entries import PromiseCreated, PromiseSettled
from perdure_runtime.core.errors import InvalidArgumentError, NotFoundError, ProtocolError
from perdure_runtime.core.events import OpenPromise
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.limits import check_name, due_after
from perdure_runtime.core.payload import Failure, FailureCode, Payload
from perdure_runtime.core.requests.wake import news
from perdure_runtime.core.rows import TimerKind


def accept_promise(
    execution: Execution, decision: Decision, entry: PromiseCreated, now_ms: int
) -> PromiseCreated:
    """A promise begins, and its clocks."""
    try:
        check_name("promise name", entry.name)
    except InvalidArgumentError as error:
        raise ProtocolError(f"command {entry.path} of {execution.key.id!r}: {error}") from error
    if entry.timeout_ms is not None:
        due_ms = due_after(now_ms, entry.timeout_ms)
        entry = msgspec.structs.replace(entry, due_ms=due_ms)
        decision.effects.append(SetTimer(TimerKind.TIMER, entry.path, due_ms))
    if entry.heartbeat_timeout_ms is not None:
        due_ms = due_after(now_ms, entry.heartbeat_timeout_ms)
        decision.effects.append(SetTimer(TimerKind.HEARTBEAT, entry.path, due_ms))
    return entry


def settle_again(execution: Execution, decision: Decision) -> None:
    """What was settled after the attempt had started, and before it made the promise, is for it."""
    for entry in tuple(decision.entries):
        if isinstance(entry, PromiseCreated):
            settled = execution.settled.get(entry.key)
            if settled is not None:
                again = msgspec.structs.replace(settled, path=entry.path, attempt=execution.attempt)
                news(execution, decision, again)
                _clear_clocks(decision, entry.path)


def settle_promise(
    execution: Execution, run: int, key: bytes, result: Payload | None, failure: Failure | None
) -> Decision:
    """Give a promise its outcome. The reply tells whether this settled it.

    Raises:
        NotFoundError: the run never made this promise.
    """
    promise = _open_promise(execution, run, key)
    if promise is None:
        return Decision(reply=False)
    decision = Decision(reply=True)
    news(execution, decision, PromiseSettled(promise.path, promise.attempt, key, result, failure))
    if promise.attempt == execution.attempt:
        _clear_clocks(decision, promise.path)
    return decision


def heartbeat(execution: Execution, run: int, key: bytes, now_ms: int) -> Decision:
    """Whoever is to settle the promise is alive. The reply tells whether it is still open.

    Raises:
        NotFoundError: the run never made this promise.
    """
    promise = _open_promise(execution, run, key)
    decision = Decision(reply=promise is not None)
    if (
        promise is not None
        and promise.heartbeat_timeout_ms is not None
        and _is_current(execution, promise)
    ):
        due_ms = due_after(now_ms, promise.heartbeat_timeout_ms)
        decision.effects.append(SetTimer(TimerKind.HEARTBEAT, promise.path, due_ms))
    return decision


def promise_timed_out(
    execution: Execution, decision: Decision, path: str, *, silent: bool = False
) -> bool:
    """A clock of the promise at this path is due. Returns whether there is such a promise.

    Args:
        silent: the clock of its heartbeats.
    """
    for key, promise in execution.promises.items():
        if promise.path == path and _is_current(execution, promise):
            what = "has had no heartbeat in time" if silent else "was not settled in time"
            failure = Failure(
                "EventTimeoutError",
                f"promise {promise.name!r} {what}",
                FailureCode.TIMEOUT,
                module="perdure_runtime.core.errors",
                qualname="EventTimeoutError",
            )
            settled = PromiseSettled(path, promise.attempt, key, None, failure, timed_out=True)
            news(execution, decision, settled)
            _clear_clocks(decision, path)
            return True
    return False


def _is_current(execution: Execution, promise: OpenPromise) -> bool:
    return execution.attempt_open and promise.attempt == execution.attempt


def _open_promise(execution: Execution, run: int, key: bytes) -> OpenPromise | None:
    if is_end(execution.row.status) or run != execution.row.run:
        return None
    promise = execution.promises.get(key)
    if promise is None and key not in execution.settled:
        raise NotFoundError(
            f"execution {execution.key.id!r} has made no such promise; the token is not of this "
            "coordinator, or its execution was made anew"
        )
    return promise


def _clear_clocks(decision: Decision, path: str) -> None:
    decision.effects.append(ClearTimer(TimerKind.TIMER, path))
    decision.effects.append(ClearTimer(TimerKind.HEARTBEAT, path))
