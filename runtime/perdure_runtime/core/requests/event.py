"""Events for waits: who gets which, when a wait is over, what a run has consumed (semantics, 7).

The mailboxes are the shell's: it finds what may be delivered and asks here. What is asked twice is
delivered once, because the cursor that decides is derived from the journal.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import msgspec

from perdure_runtime.core.effects import (
    ClearTimer,
    Decision,
    Deliver,
    LookForEvents,
    SetTimer,
    StoreEvent,
    Subscribe,
)
from perdure_runtime.core.entries import EventAwaited, EventReceived, EventSent, TimerFired
from perdure_runtime.core.errors import InvalidArgumentError, ProtocolError
from perdure_runtime.core.events import (
    Consumed,
    Event,
    consume,
    first_after,
    give_back,
    is_consumed,
)
from perdure_runtime.core.execution import Execution
from perdure_runtime.core.lifecycle import is_end
from perdure_runtime.core.limits import MAX_PAYLOAD_BYTES, check_name, due_after
from perdure_runtime.core.requests.wake import news
from perdure_runtime.core.rows import TimerKind
from perdure_runtime.core.trace import TRACEPARENT, with_sender, work_parent


def accept_wait(
    execution: Execution, decision: Decision, entry: EventAwaited, now_ms: int
) -> EventAwaited:
    """A wait begins, or takes an event that another wait of the run left."""
    _check(execution, entry.path, "event id", entry.event_id)
    if entry.source_index:
        decision.effects.append(ClearTimer(TimerKind.TIMER, entry.path))
        decision.effects.append(Subscribe(entry.event_id))
        return entry
    if entry.timeout_ms is not None:
        due_ms = due_after(now_ms, entry.timeout_ms)
        entry = msgspec.structs.replace(entry, due_ms=due_ms)
        decision.effects.append(SetTimer(TimerKind.TIMER, entry.path, due_ms))
    decision.effects.append(Subscribe(entry.event_id))
    decision.effects.append(LookForEvents(entry.event_id))
    return entry


def accept_send(execution: Execution, decision: Decision, entry: EventSent) -> EventSent:
    """An event goes into its mailbox, in the commit that records it."""
    _check(execution, entry.path, "event id", entry.event_id)
    if entry.execution_id:
        _check(execution, entry.path, "execution id", entry.execution_id)
    if entry.dedupe_id:
        _check(execution, entry.path, "dedupe id", entry.dedupe_id)
    if len(entry.payload.data) > MAX_PAYLOAD_BYTES:
        raise ProtocolError(
            f"the event of {entry.path} is {len(entry.payload.data)} bytes; the limit is "
            f"{MAX_PAYLOAD_BYTES}, and workers have to keep it"
        )
    payload = entry.payload
    if execution.has_spans:
        assert execution.created is not None
        run, attempt = execution.row.run, execution.attempt
        span = work_parent(execution.created.trace, execution.key, run, attempt)
        assert span is not None
        payload = with_sender(payload, {TRACEPARENT: span.traceparent()})
    decision.effects.append(
        StoreEvent(entry.event_id, payload, entry.execution_id, entry.dedupe_id)
    )
    return entry


def _check(execution: Execution, path: str, what: str, text: str) -> None:
    try:
        check_name(what, text)
    except InvalidArgumentError as error:
        raise ProtocolError(f"command {path} of {execution.key.id!r}: {error}") from error


def withdraw(execution: Execution, decision: Decision, path: str) -> None:
    """The body has cancelled a wait. That is recorded, because what comes is another wait's."""
    wait = execution.waits.get(path)
    event_id = None if wait is None else wait.event_id
    for entry in decision.entries:  # by this very append: after a reconnect both come at once
        if isinstance(entry, EventAwaited) and entry.path == path:
            event_id = None if entry.source_index else entry.event_id
    if event_id is None:
        return
    decision.entries.append(EventReceived(path, execution.attempt, 0))
    if execution.epoch:
        decision.effects.append(Deliver(len(decision.entries) - 1))
    decision.effects.append(Subscribe(event_id))


def deliver_events(
    execution: Execution,
    event_id: str,
    events: Sequence[Event],
    expired: Container[str],
    now_ms: int,
) -> Decision:
    """Give each open wait, in the order of their commands, the earliest event it may take.

    Args:
        events: of the mailbox in ascending sequence; some may be consumed already.
        expired: paths of waits whose time is over; they end without one of these.
    """
    decision = Decision()
    if is_end(execution.row.status):
        return decision
    consumed = execution.consumed.get(event_id, ())
    for path, wait in execution.waits.items():
        if wait.event_id != event_id:
            continue
        bound = execution.bound(wait)
        for event in events:
            if (
                event.sequence > bound
                and event.execution_id in ("", execution.key.id)
                and not is_consumed(consumed, event.sequence)
            ):
                consumed = consume(consumed, bound, event.sequence)
                received = EventReceived(path, execution.attempt, event.sequence, event.payload)
                news(execution, decision, received)
                _end_wait(execution, decision, path)
                break
        else:
            if path in expired and execution.timers.get(path, now_ms + 1) <= now_ms:
                news(execution, decision, TimerFired(path, execution.attempt))
                _end_wait(execution, decision, path)
    if decision.entries:
        decision.effects.append(Subscribe(event_id))
    return decision


def _end_wait(execution: Execution, decision: Decision, path: str) -> None:
    if path in execution.timers:
        decision.effects.append(ClearTimer(TimerKind.TIMER, path))


def subscription(execution: Execution, event_id: str) -> int | None:
    """Events with a higher sequence may be for the execution's waits; None: nothing is awaited."""
    if is_end(execution.row.status):
        return None
    consumed = execution.consumed.get(event_id, ())
    return min(
        (
            first_after(consumed, execution.bound(wait))
            for wait in execution.waits.values()
            if wait.event_id == event_id
        ),
        default=None,
    )


def consumed_events(execution: Execution, unclaimed: Iterable[int] = ()) -> tuple[Consumed, ...]:
    """What a next run or a fork has to know of the mailboxes: for `ExecutionCreated.consumed`.

    Args:
        execution: as it is at the end of the run, or at the point of the fork.
        unclaimed: indexes of the events that no wait of its body got (`Finish.unclaimed_events`,
            or all of `requests.finish.unclaimed_events`); they are given back to the new run.
    """
    left = [execution.received[index] for index in unclaimed if index in execution.received]
    return tuple(
        Consumed(event_id, after, upto)
        for event_id, intervals in execution.consumed.items()
        for after, upto in give_back(intervals, left)
    )
