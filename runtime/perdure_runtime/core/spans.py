"""Which spans an entry of the journal ends: those of starts, attempts and calls.

The coordinator's half of tracing: it alone records an entry, once, so that each span is told once
although bodies replay. Spans of steps are the worker's, who knows when a step began. Pure: the
shell emits what is returned here after the commit that covers the entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    CallCompleted,
    CallIssued,
    Entry,
    ExecutionContinued,
    ExecutionEnded,
    ExecutionRetried,
    Recorded,
)
from perdure_runtime.core.execution import Execution, OpenCall
from perdure_runtime.core.payload import Failure
from perdure_runtime.core.trace import (
    SpanAddress,
    attempt_span_id,
    caller_span_id,
    command_span_id,
    parent_of,
    start_span_id,
)


class SpanKind(StrEnum):
    """What a span tells of; the first word of its name."""

    START = "start"
    ATTEMPT = "attempt"
    OBJECT = "object"  # an attempt of an object's method
    STEP = "step"
    CALL = "call"
    SEND = "send"


class SpanEvent(Struct, frozen=True):
    """Something at one moment of a span. `texts` are attributes in people's words; see `Span`."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = {}
    texts: dict[str, str] = {}


class Span(Struct, frozen=True):
    """A span that has ended, as plain data.

    Attributes:
        error: the type of its failure, "" when it went well.
        message: what the failure says. Such texts may hold anything that a user's code knows, so
            they leave the process only where that was asked for.
    """

    kind: SpanKind
    name: str
    address: SpanAddress
    parent_span_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    error: str = ""
    message: str = ""
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanAddress, ...] = ()


def spans_of(execution: Execution, recorded: Sequence[Recorded]) -> list[Span]:
    """The spans that these entries end.

    Args:
        execution: as it was before the entries; it `has_spans`.
    """
    spans: list[Span] = []
    for item in recorded:
        tell = _TELL.get(type(item.entry))
        if tell is not None:
            spans.extend(tell(execution, item))
    return spans


def execution_attributes(execution_id: str, namespace: str, run: int) -> dict[str, Any]:
    """What every span says of its execution."""
    return {
        "perdure.execution.id": execution_id,
        "perdure.namespace": namespace,
        "perdure.run": run,
    }


def failure_event(failure: Failure, time_ns: int) -> SpanEvent:
    """A failure as OpenTelemetry words an exception."""
    return SpanEvent(
        "exception",
        time_ns,
        {"exception.type": failure.type_name},
        {"exception.message": failure.message},
    )


def told_of(failure: Failure | None) -> tuple[str, str]:
    """What a span says of its failure: its `error` and `message`."""
    return (failure.type_name, failure.message) if failure else ("", "")


def _attempt_started(execution: Execution, item: Recorded) -> Iterator[Span]:
    if execution.attempt == 0:
        yield from _start(execution, item, None)


def _start(execution: Execution, item: Recorded, failure: Failure | None) -> Iterator[Span]:
    """The span of the start, unless a call, another run or another execution owns it."""
    parent = _parent(execution)
    row = execution.row
    if parent.span_id != start_span_id(row.key, row.run):
        return
    assert execution.created is not None
    yield Span(
        SpanKind.START,
        f"start {row.target.service}/{row.target.method}",
        parent,
        caller_span_id(execution.created.trace) or "",
        _ns(row.created_ms),
        _ns(item.time_ms),
        _attributes(execution),
        **_failed(failure, item),
    )


def _attempt_ended(execution: Execution, item: Recorded) -> Iterator[Span]:
    assert isinstance(item.entry, AttemptEnded)
    yield from _attempt(execution, item, item.entry.failure, "failed")


def _execution_ended(execution: Execution, item: Recorded) -> Iterator[Span]:
    entry = item.entry
    assert isinstance(entry, ExecutionEnded)
    if execution.attempt == 0:
        yield from _start(execution, item, entry.failure)
    if execution.attempt_open:
        yield from _attempt(execution, item, entry.failure, entry.status.value)
    for (attempt, path), call in execution.calls.items():
        if call.index > execution.end_index:
            failure = Failure("CallError", "the caller ended first")
            yield _call(execution, attempt, path, call, item, failure)


def _execution_continued(execution: Execution, item: Recorded) -> Iterator[Span]:
    yield from _attempt(execution, item, None, "continued as new")


def _execution_retried(execution: Execution, item: Recorded) -> Iterator[Span]:
    if execution.attempt_open:
        failure = Failure("ExecutionRetried", "an operator asked for a new attempt")
        yield from _attempt(execution, item, failure, "retried")


def _attempt(
    execution: Execution, item: Recorded, failure: Failure | None, status: str
) -> Iterator[Span]:
    row, parent = execution.row, _parent(execution)
    is_object = bool(row.target.key)
    span_id = attempt_span_id(row.key, row.run, execution.attempt)
    name = row.target.method if is_object else f"{row.target.service}/{row.target.method}"
    kind = SpanKind.OBJECT if is_object else SpanKind.ATTEMPT
    events: list[SpanEvent] = []
    cancel = execution.cancel
    if cancel is not None:
        reason = {"perdure.reason": cancel.reason}
        events.append(SpanEvent("cancel requested", _ns(execution.cancel_ms), texts=reason))
    if failure is not None:
        events.append(failure_event(failure, _ns(item.time_ms)))
    yield Span(
        kind,
        f"{kind.value} {name}",
        SpanAddress(parent.trace_id, span_id, parent.flags),
        parent.span_id,
        _ns(execution.attempt_ms),
        _ns(item.time_ms),
        {**_attributes(execution), "perdure.attempt": execution.attempt, "perdure.status": status},
        *told_of(failure),
        tuple(events),
        execution.links,
    )


def _call_issued(execution: Execution, item: Recorded) -> Iterator[Span]:
    """A detached call is over as soon as it is on disk."""
    call = item.entry
    assert isinstance(call, CallIssued)
    if call.detached:
        made = OpenCall(execution.key, call.target.name(), item.index, item.time_ms)
        yield _call(execution, execution.attempt, call.path, made, item, None, SpanKind.SEND)


def _call_completed(execution: Execution, item: Recorded) -> Iterator[Span]:
    entry = item.entry
    assert isinstance(entry, CallCompleted)
    call = execution.calls.get((entry.attempt, entry.path))
    if call is not None and call.index > execution.end_index:  # else the end told of it
        yield _call(execution, entry.attempt, entry.path, call, item, entry.failure)


def _call(
    execution: Execution,
    attempt: int,
    path: str,
    call: OpenCall,
    item: Recorded,
    failure: Failure | None,
    kind: SpanKind = SpanKind.CALL,
) -> Span:
    row, parent = execution.row, _parent(execution)
    return Span(
        kind,
        f"{kind.value} {'/'.join(call.target.split('/')[:2])}",  # without an object's id
        SpanAddress(
            parent.trace_id, command_span_id(row.key, row.run, attempt, path), parent.flags
        ),
        attempt_span_id(row.key, row.run, attempt),
        _ns(call.issued_ms),
        _ns(item.time_ms),
        {
            **execution_attributes(row.key.id, row.key.namespace, row.run),
            "perdure.attempt": attempt,
            "perdure.path": path,
            "perdure.target": call.target,
        },
        **_failed(failure, item),
    )


def _parent(execution: Execution) -> SpanAddress:
    assert execution.created is not None
    parent = parent_of(execution.created.trace)
    assert parent is not None  # `has_spans` says so
    return parent


def _attributes(execution: Execution) -> dict[str, Any]:
    row = execution.row
    attributes = execution_attributes(row.key.id, row.key.namespace, row.run)
    attributes["perdure.service"] = row.target.service
    attributes["perdure.method"] = row.target.method
    if row.target.key:
        attributes["perdure.object.id"] = row.target.key
    return attributes


def _failed(failure: Failure | None, item: Recorded) -> dict[str, Any]:
    if failure is None:
        return {}
    error, message = told_of(failure)
    events = (failure_event(failure, _ns(item.time_ms)),)
    return {"error": error, "message": message, "events": events}


def _ns(time_ms: int) -> int:
    return time_ms * 1_000_000


_TELL: Final[dict[type[Entry], Callable[[Execution, Recorded], Iterator[Span]]]] = {
    AttemptStarted: _attempt_started,
    AttemptEnded: _attempt_ended,
    ExecutionContinued: _execution_continued,
    ExecutionEnded: _execution_ended,
    ExecutionRetried: _execution_retried,
    CallIssued: _call_issued,
    CallCompleted: _call_completed,
}
