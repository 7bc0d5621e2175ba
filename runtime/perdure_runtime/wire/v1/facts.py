"""Entries that the coordinator writes, between core and protobuf: a pair of functions per kind.

`perdure_runtime.wire.v1.entries` has the table that these pairs stand in.
"""

from __future__ import annotations

from perdure_proto.v1 import journal_pb2
from perdure_runtime.core.entries import (
    AttemptEnded,
    AttemptStarted,
    AttemptTimedOut,
    CallCompleted,
    CancelRequested,
    ExecutionContinued,
    ExecutionCreated,
    ExecutionEnded,
    ExecutionRetried,
    Forked,
    Paused,
    Resumed,
    TimerFired,
)
from perdure_runtime.core.events import Consumed
from perdure_runtime.core.retry import NO_RETRY
from perdure_runtime.wire.v1.options import (
    STATUS_NUMBERS,
    fill_options,
    fill_parent,
    fill_retry,
    fill_target,
    read_options,
    read_parent,
    read_retry,
    read_status,
    read_target,
)
from perdure_runtime.wire.v1.payload import (
    fill_failure,
    fill_outcome,
    fill_payload,
    fill_writes,
    read_failure,
    read_outcome,
    read_payload,
    read_writes,
    require_outcome,
    wire_text,
)


def fill_call_completed(message: journal_pb2.CallCompleted, entry: CallCompleted) -> None:
    """Write a `CallCompleted`."""
    message.path = entry.path
    message.attempt = entry.attempt
    fill_outcome(message, entry.result, entry.failure)


def read_call_completed(message: journal_pb2.CallCompleted) -> CallCompleted:
    """The `CallCompleted` in `message`."""
    result, failure = require_outcome(message)
    return CallCompleted(message.path, message.attempt, result, failure)


def fill_timer_fired(message: journal_pb2.TimerFired, entry: TimerFired) -> None:
    """Write a `TimerFired`."""
    message.path = entry.path
    message.attempt = entry.attempt


def read_timer_fired(message: journal_pb2.TimerFired) -> TimerFired:
    """The `TimerFired` in `message`."""
    return TimerFired(message.path, message.attempt)


def fill_execution_created(message: journal_pb2.ExecutionCreated, entry: ExecutionCreated) -> None:
    """Write an `ExecutionCreated`."""
    fill_target(message.target, entry.target)
    fill_payload(message.input, entry.input)
    message.key_base = entry.key_base
    message.run = entry.run
    fill_options(message.options, entry.options)
    if entry.parent is not None:
        fill_parent(message.parent, entry.parent)
    if entry.trace:
        message.trace.update(entry.trace)
    message.journal_version = entry.journal_version
    if entry.held:
        message.held.extend(entry.held)
    message.event_sequence = entry.event_sequence
    for row in entry.consumed:
        message.consumed.add(event_id=row.event_id, after=row.after, upto=row.upto)
    fill_writes(message.writes, entry.writes)
    if entry.forked is not None:
        forked = entry.forked
        message.forked.SetInParent()
        message.forked.id, message.forked.run = forked.id, forked.run
        message.forked.path = forked.path
        message.forked.bases.extend(forked.bases)


def read_execution_created(message: journal_pb2.ExecutionCreated) -> ExecutionCreated:
    """The `ExecutionCreated` in `message`; its version is the reader's to check."""
    return ExecutionCreated(
        target=read_target(message.target),
        input=read_payload(message.input),
        key_base=message.key_base,
        run=message.run,
        options=read_options(message.options),
        parent=read_parent(message.parent) if message.HasField("parent") else None,
        trace=dict(message.trace),
        journal_version=message.journal_version,
        held=tuple(message.held),
        event_sequence=message.event_sequence,
        consumed=tuple(Consumed(row.event_id, row.after, row.upto) for row in message.consumed),
        forked=_read_forked(message.forked) if message.HasField("forked") else None,
        writes=read_writes(message.writes),
    )


def _read_forked(message: journal_pb2.Forked) -> Forked:
    return Forked(message.id, message.run, message.path, tuple(message.bases))


def fill_execution_continued(
    message: journal_pb2.ExecutionContinued, entry: ExecutionContinued
) -> None:
    """Write an `ExecutionContinued`."""
    fill_writes(message.writes, entry.writes)


def read_execution_continued(message: journal_pb2.ExecutionContinued) -> ExecutionContinued:
    """The `ExecutionContinued` in `message`."""
    return ExecutionContinued(read_writes(message.writes))


def fill_execution_ended(message: journal_pb2.ExecutionEnded, entry: ExecutionEnded) -> None:
    """Write an `ExecutionEnded`."""
    message.status = STATUS_NUMBERS[entry.status]
    fill_outcome(message, entry.result, entry.failure)
    fill_writes(message.writes, entry.writes)
    if entry.object_state is not None:
        fill_payload(message.object_state, entry.object_state)
    message.unclaimed_events.extend(entry.unclaimed_events)


def read_execution_ended(message: journal_pb2.ExecutionEnded) -> ExecutionEnded:
    """The `ExecutionEnded` in `message`."""
    result, failure = read_outcome(message)
    return ExecutionEnded(
        read_status(message.status),
        result,
        failure,
        read_writes(message.writes),
        read_payload(message.object_state) if message.HasField("object_state") else None,
        tuple(message.unclaimed_events),
    )


def fill_execution_retried(message: journal_pb2.ExecutionRetried, entry: ExecutionRetried) -> None:
    """Write an `ExecutionRetried`."""
    if entry.input is not None:
        fill_payload(message.input, entry.input)


def read_execution_retried(message: journal_pb2.ExecutionRetried) -> ExecutionRetried:
    """The `ExecutionRetried` in `message`."""
    return ExecutionRetried(read_payload(message.input) if message.HasField("input") else None)


def fill_attempt_started(message: journal_pb2.AttemptStarted, entry: AttemptStarted) -> None:
    """Write an `AttemptStarted`."""
    message.attempt = entry.attempt
    if entry.retry != NO_RETRY:
        fill_retry(message.retry, entry.retry)
    if entry.timeout_ms is not None:
        message.timeout_ms = entry.timeout_ms
    message.build_id = entry.build_id
    if entry.on_exhausted != "fail":
        message.on_exhausted = entry.on_exhausted
    if entry.object_state is not None:
        fill_payload(message.object_state, entry.object_state)


def read_attempt_started(message: journal_pb2.AttemptStarted) -> AttemptStarted:
    """The `AttemptStarted` in `message`."""
    return AttemptStarted(
        message.attempt,
        read_retry(message.retry) if message.HasField("retry") else NO_RETRY,
        message.timeout_ms if message.HasField("timeout_ms") else None,
        message.build_id,
        message.on_exhausted or "fail",
        read_payload(message.object_state) if message.HasField("object_state") else None,
    )


def fill_attempt_ended(message: journal_pb2.AttemptEnded, entry: AttemptEnded) -> None:
    """Write an `AttemptEnded`."""
    message.attempt = entry.attempt
    fill_failure(message.failure, entry.failure)
    message.next_ms = entry.next_ms
    fill_writes(message.writes, entry.writes)
    if entry.object_state is not None:
        fill_payload(message.object_state, entry.object_state)
    message.unclaimed_events.extend(entry.unclaimed_events)


def read_attempt_ended(message: journal_pb2.AttemptEnded) -> AttemptEnded:
    """The `AttemptEnded` in `message`."""
    return AttemptEnded(
        message.attempt,
        read_failure(message.failure),
        message.next_ms,
        read_writes(message.writes),
        read_payload(message.object_state) if message.HasField("object_state") else None,
        tuple(message.unclaimed_events),
    )


def fill_attempt_timed_out(message: journal_pb2.AttemptTimedOut, entry: AttemptTimedOut) -> None:
    """Write an `AttemptTimedOut`."""
    message.attempt = entry.attempt


def read_attempt_timed_out(message: journal_pb2.AttemptTimedOut) -> AttemptTimedOut:
    """The `AttemptTimedOut` in `message`."""
    return AttemptTimedOut(message.attempt)


def fill_cancel_requested(message: journal_pb2.CancelRequested, entry: CancelRequested) -> None:
    """Write a `CancelRequested`."""
    message.reason = wire_text(entry.reason)
    if entry.timed_out:
        message.timed_out = True
    if entry.trace:
        message.trace.update(entry.trace)


def read_cancel_requested(message: journal_pb2.CancelRequested) -> CancelRequested:
    """The `CancelRequested` in `message`."""
    return CancelRequested(message.reason, message.timed_out, dict(message.trace))


def fill_paused(message: journal_pb2.Paused, entry: Paused) -> None:
    """Write a `Paused`."""
    message.reason = wire_text(entry.reason)


def read_paused(message: journal_pb2.Paused) -> Paused:
    """The `Paused` in `message`."""
    return Paused(message.reason)


def fill_resumed(message: journal_pb2.Resumed, entry: Resumed) -> None:
    """Write a `Resumed`: its presence is all."""


def read_resumed(message: journal_pb2.Resumed) -> Resumed:
    """The `Resumed` in `message`."""
    return Resumed()
