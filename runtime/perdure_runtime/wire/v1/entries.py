"""Journal entries as bytes (store, fixtures) and as protobuf messages (frames).

The same message `Entry` rests in the store and travels. Stored bytes leave `index` and `time_ms`
out: they are columns there. An entry of an unknown kind is a ProtocolError, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import DecodeError

from perdure_proto.v1 import journal_pb2
from perdure_runtime.core import entries as core
from perdure_runtime.core.entries import Command, Entry, Recorded
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.wire.v1 import commands, events, facts, tasks
from perdure_runtime.wire.v1.kinds import Kind, KindTable

_Entries = RepeatedCompositeFieldContainer[journal_pb2.Entry]

ENTRIES: Final = KindTable(
    "journal entry",
    "kind",
    (
        Kind(
            "step_completed",
            core.StepCompleted,
            commands.fill_step_completed,
            commands.read_step_completed,
        ),
        Kind("step_failed", core.StepFailed, commands.fill_step_failed, commands.read_step_failed),
        Kind(
            "step_checkpointed",
            core.StepCheckpointed,
            commands.fill_step_checkpointed,
            commands.read_step_checkpointed,
        ),
        Kind("call_issued", core.CallIssued, commands.fill_call_issued, commands.read_call_issued),
        Kind(
            "timer_started",
            core.TimerStarted,
            commands.fill_timer_started,
            commands.read_timer_started,
        ),
        Kind(
            "branch_completed",
            core.BranchCompleted,
            commands.fill_branch_completed,
            commands.read_branch_completed,
        ),
        Kind(
            "command_reused",
            core.CommandReused,
            commands.fill_command_reused,
            commands.read_command_reused,
        ),
        Kind(
            "state_written",
            core.StateWritten,
            commands.fill_state_written,
            commands.read_state_written,
        ),
        Kind(
            "step_started",
            core.StepStarted,
            commands.fill_step_started,
            commands.read_step_started,
        ),
        Kind(
            "patch_decided",
            core.PatchDecided,
            commands.fill_patch_decided,
            commands.read_patch_decided,
        ),
        Kind("forgotten", core.Forgotten, commands.fill_forgotten, commands.read_forgotten),
        Kind(
            "value_emitted",
            core.ValueEmitted,
            commands.fill_value_emitted,
            commands.read_value_emitted,
        ),
        Kind(
            "call_completed",
            core.CallCompleted,
            facts.fill_call_completed,
            facts.read_call_completed,
        ),
        Kind("timer_fired", core.TimerFired, facts.fill_timer_fired, facts.read_timer_fired),
        Kind(
            "execution_created",
            core.ExecutionCreated,
            facts.fill_execution_created,
            facts.read_execution_created,
        ),
        Kind(
            "execution_continued",
            core.ExecutionContinued,
            facts.fill_execution_continued,
            facts.read_execution_continued,
        ),
        Kind(
            "execution_ended",
            core.ExecutionEnded,
            facts.fill_execution_ended,
            facts.read_execution_ended,
        ),
        Kind(
            "execution_retried",
            core.ExecutionRetried,
            facts.fill_execution_retried,
            facts.read_execution_retried,
        ),
        Kind(
            "attempt_started",
            core.AttemptStarted,
            facts.fill_attempt_started,
            facts.read_attempt_started,
        ),
        Kind(
            "attempt_ended", core.AttemptEnded, facts.fill_attempt_ended, facts.read_attempt_ended
        ),
        Kind(
            "attempt_timed_out",
            core.AttemptTimedOut,
            facts.fill_attempt_timed_out,
            facts.read_attempt_timed_out,
        ),
        Kind(
            "event_awaited", core.EventAwaited, events.fill_event_awaited, events.read_event_awaited
        ),
        Kind(
            "event_received",
            core.EventReceived,
            events.fill_event_received,
            events.read_event_received,
        ),
        Kind("event_sent", core.EventSent, events.fill_event_sent, events.read_event_sent),
        Kind(
            "promise_created",
            core.PromiseCreated,
            events.fill_promise_created,
            events.read_promise_created,
        ),
        Kind(
            "promise_settled",
            core.PromiseSettled,
            events.fill_promise_settled,
            events.read_promise_settled,
        ),
        Kind(
            "cancel_requested",
            core.CancelRequested,
            facts.fill_cancel_requested,
            facts.read_cancel_requested,
        ),
        Kind("paused", core.Paused, facts.fill_paused, facts.read_paused),
        Kind("resumed", core.Resumed, facts.fill_resumed, facts.read_resumed),
        Kind("task_moved", core.TaskMoved, tasks.fill_task_moved, tasks.read_task_moved),
        Kind(
            "task_reported", core.TaskReported, tasks.fill_task_reported, tasks.read_task_reported
        ),
        Kind(
            "dependency_changed",
            core.DependencyChanged,
            tasks.fill_dependency_changed,
            tasks.read_dependency_changed,
        ),
    ),
)


def encode_entry(entry: Entry) -> bytes:
    """The bytes that a store keeps: equal entries give equal bytes.

    Raises:
        ProtocolError: the entry is of no known kind, or has both a result and a failure.
        SerializationError: a field has no form on the wire.
    """
    message = journal_pb2.Entry()
    ENTRIES.fill(message, entry)
    return message.SerializeToString(deterministic=True)


def decode_entry(data: bytes) -> Entry:
    """The entry in stored bytes.

    Raises:
        ProtocolError: the bytes are damaged, or the entry is of a kind not known here.
    """
    try:
        message = journal_pb2.Entry.FromString(data)
    except DecodeError as error:
        raise ProtocolError(f"a stored journal entry cannot be read: {error}") from error
    return cast("Entry", ENTRIES.read(message))


def fill_recorded(message: journal_pb2.Entry, recorded: Recorded) -> None:
    """Write an entry with its index and time."""
    message.index = recorded.index
    message.time_ms = recorded.time_ms
    ENTRIES.fill(message, recorded.entry)


def read_recorded(message: journal_pb2.Entry) -> Recorded:
    """The entry in `message` with its index and time."""
    return Recorded(message.index, message.time_ms, ENTRIES.read(message))


def fill_journal(messages: _Entries, recorded: Iterable[Recorded]) -> None:
    """Append recorded entries in order."""
    for item in recorded:
        fill_recorded(messages.add(), item)


def read_journal(messages: _Entries) -> tuple[Recorded, ...]:
    """The recorded entries in order."""
    return tuple(map(read_recorded, messages))


def fill_commands(messages: _Entries, issued: Iterable[Command]) -> None:
    """Append a worker's commands in order, without index and time."""
    for command in issued:
        ENTRIES.fill(messages.add(), command)


def read_commands(messages: _Entries) -> tuple[Command, ...]:
    """A worker's commands in order.

    Raises:
        ProtocolError: an entry is of a kind that only the coordinator writes.
    """
    read = tuple(map(ENTRIES.read, messages))
    for command in read:
        if not isinstance(command, core.COMMANDS):
            raise ProtocolError(f"a worker may not write {type(command).__name__} entries")
    return read
