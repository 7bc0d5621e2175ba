"""Entries that workers write, between core and protobuf: a pair of functions per kind.

`perdure_runtime.wire.v1.entries` has the table that these pairs stand in.
"""

from __future__ import annotations

from perdure_proto.v1 import journal_pb2
from perdure_runtime.core.entries import (
    BranchCompleted,
    CallIssued,
    CommandReused,
    Forgotten,
    PatchDecided,
    StateWritten,
    StepCheckpointed,
    StepCompleted,
    StepFailed,
    StepStarted,
    TimerStarted,
    ValueEmitted,
)
from perdure_runtime.wire.v1.options import fill_retry, fill_target, read_retry, read_target
from perdure_runtime.wire.v1.payload import (
    fill_failure,
    fill_outcome,
    fill_payload,
    fill_writes,
    read_failure,
    read_payload,
    read_writes,
    require_outcome,
)


def fill_step_started(message: journal_pb2.StepStarted, entry: StepStarted) -> None:
    """Write a `StepStarted`."""
    message.path = entry.path
    message.name = entry.name
    message.digest = entry.digest
    message.key = entry.key
    message.epoch = entry.epoch
    fill_writes(message.writes, entry.writes)


def read_step_started(message: journal_pb2.StepStarted) -> StepStarted:
    """The `StepStarted` in `message`."""
    return StepStarted(
        message.path,
        message.name,
        message.digest,
        message.key,
        message.epoch,
        read_writes(message.writes),
    )


def fill_step_completed(message: journal_pb2.StepCompleted, entry: StepCompleted) -> None:
    """Write a `StepCompleted`; one try, the usual case, takes no bytes."""
    message.path = entry.path
    message.name = entry.name
    message.digest = entry.digest
    message.key = entry.key
    fill_outcome(message, entry.result, entry.failure)
    if entry.tries != 1:
        message.tries = entry.tries
    if entry.writes:
        fill_writes(message.writes, entry.writes)
    if entry.compensates:
        message.compensates = entry.compensates
    if entry.object_state is not None:
        fill_payload(message.object_state, entry.object_state)


def read_step_completed(message: journal_pb2.StepCompleted) -> StepCompleted:
    """The `StepCompleted` in `message`."""
    result, failure = require_outcome(message)
    return StepCompleted(
        message.path,
        message.name,
        message.digest,
        message.key,
        result,
        failure,
        message.tries or 1,
        read_writes(message.writes),
        message.compensates,
        read_payload(message.object_state) if message.HasField("object_state") else None,
    )


def fill_step_failed(message: journal_pb2.StepFailed, entry: StepFailed) -> None:
    """Write a `StepFailed`."""
    message.path = entry.path
    message.name = entry.name
    message.digest = entry.digest
    message.key = entry.key
    fill_failure(message.failure, entry.failure)
    message.tries = entry.tries
    message.delay_ms = entry.delay_ms
    message.due_ms = entry.due_ms
    fill_writes(message.writes, entry.writes)


def read_step_failed(message: journal_pb2.StepFailed) -> StepFailed:
    """The `StepFailed` in `message`."""
    return StepFailed(
        message.path,
        message.name,
        message.digest,
        message.key,
        read_failure(message.failure),
        message.tries,
        message.delay_ms,
        message.due_ms,
        read_writes(message.writes),
    )


def fill_step_checkpointed(message: journal_pb2.StepCheckpointed, entry: StepCheckpointed) -> None:
    """Write a `StepCheckpointed`."""
    message.path = entry.path
    message.key = entry.key
    message.number = entry.number
    message.name = entry.name
    fill_payload(message.value, entry.value)
    fill_writes(message.writes, entry.writes)


def read_step_checkpointed(message: journal_pb2.StepCheckpointed) -> StepCheckpointed:
    """The `StepCheckpointed` in `message`."""
    return StepCheckpointed(
        message.path,
        message.key,
        message.number,
        message.name,
        read_payload(message.value),
        read_writes(message.writes),
    )


def fill_call_issued(message: journal_pb2.CallIssued, entry: CallIssued) -> None:
    """Write a `CallIssued`."""
    message.path = entry.path
    fill_target(message.target, entry.target)
    fill_payload(message.input, entry.input)
    message.key = entry.key
    message.child_id = entry.child_id
    if entry.timeout_ms is not None:
        message.timeout_ms = entry.timeout_ms
    fill_retry(message.retry, entry.retry)
    fill_retry(message.handler_retry, entry.handler_retry)
    if entry.detached:
        message.detached = True
    if entry.delay_ms:
        message.delay_ms = entry.delay_ms
    fill_writes(message.writes, entry.writes)
    if entry.compensates:
        message.compensates = entry.compensates


def read_call_issued(message: journal_pb2.CallIssued) -> CallIssued:
    """The `CallIssued` in `message`."""
    has = message.HasField
    return CallIssued(
        path=message.path,
        target=read_target(message.target),
        input=read_payload(message.input),
        key=message.key,
        child_id=message.child_id,
        timeout_ms=message.timeout_ms if has("timeout_ms") else None,
        retry=read_retry(message.retry) if has("retry") else None,
        handler_retry=read_retry(message.handler_retry) if has("handler_retry") else None,
        detached=message.detached,
        delay_ms=message.delay_ms,
        writes=read_writes(message.writes),
        compensates=message.compensates,
    )


def fill_timer_started(message: journal_pb2.TimerStarted, entry: TimerStarted) -> None:
    """Write a `TimerStarted`."""
    message.path = entry.path
    message.delay_ms = entry.delay_ms
    message.due_ms = entry.due_ms
    fill_writes(message.writes, entry.writes)


def read_timer_started(message: journal_pb2.TimerStarted) -> TimerStarted:
    """The `TimerStarted` in `message`."""
    return TimerStarted(message.path, message.delay_ms, message.due_ms, read_writes(message.writes))


def fill_branch_completed(message: journal_pb2.BranchCompleted, entry: BranchCompleted) -> None:
    """Write a `BranchCompleted`."""
    message.path = entry.path
    message.name = entry.name
    message.digest = entry.digest
    message.key = entry.key
    fill_outcome(message, entry.result, entry.failure)
    fill_writes(message.writes, entry.writes)
    if entry.compensates:
        message.compensates = entry.compensates


def read_branch_completed(message: journal_pb2.BranchCompleted) -> BranchCompleted:
    """The `BranchCompleted` in `message`."""
    result, failure = require_outcome(message)
    return BranchCompleted(
        message.path,
        message.name,
        message.digest,
        message.key,
        result,
        failure,
        read_writes(message.writes),
        message.compensates,
    )


def fill_command_reused(message: journal_pb2.CommandReused, entry: CommandReused) -> None:
    """Write a `CommandReused`."""
    message.path = entry.path
    message.kind = entry.kind
    message.name = entry.name
    message.digest = entry.digest
    message.key = entry.key
    message.source_index = entry.source_index
    fill_writes(message.writes, entry.writes)


def read_command_reused(message: journal_pb2.CommandReused) -> CommandReused:
    """The `CommandReused` in `message`."""
    return CommandReused(
        message.path,
        message.kind,
        message.name,
        message.digest,
        message.key,
        message.source_index,
        read_writes(message.writes),
    )


def fill_state_written(message: journal_pb2.StateWritten, entry: StateWritten) -> None:
    """Write a `StateWritten`."""
    fill_writes(message.writes, entry.writes)


def read_state_written(message: journal_pb2.StateWritten) -> StateWritten:
    """The `StateWritten` in `message`."""
    return StateWritten(read_writes(message.writes))


def fill_value_emitted(message: journal_pb2.ValueEmitted, entry: ValueEmitted) -> None:
    """Write a `ValueEmitted`."""
    message.path = entry.path
    fill_payload(message.value, entry.value)
    message.key = entry.key
    fill_writes(message.writes, entry.writes)


def read_value_emitted(message: journal_pb2.ValueEmitted) -> ValueEmitted:
    """The `ValueEmitted` in `message`."""
    return ValueEmitted(
        message.path, read_payload(message.value), message.key, read_writes(message.writes)
    )


def fill_patch_decided(message: journal_pb2.PatchDecided, entry: PatchDecided) -> None:
    """Write a `PatchDecided`."""
    message.id = entry.id
    message.deprecated = entry.deprecated
    fill_writes(message.writes, entry.writes)


def read_patch_decided(message: journal_pb2.PatchDecided) -> PatchDecided:
    """The `PatchDecided` in `message`."""
    return PatchDecided(message.id, message.deprecated, read_writes(message.writes))


def fill_forgotten(message: journal_pb2.Forgotten, entry: Forgotten) -> None:
    """Write a `Forgotten`."""
    message.path = entry.path
    message.name = entry.name
    message.key = entry.key
    fill_writes(message.writes, entry.writes)


def read_forgotten(message: journal_pb2.Forgotten) -> Forgotten:
    """The `Forgotten` in `message`."""
    return Forgotten(message.path, message.name, message.key, read_writes(message.writes))
