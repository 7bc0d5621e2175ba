"""What clients are answered, between core and protobuf: a pair of functions per reply.

`perdure_runtime.wire.v1.client` has the whole messages and the frames of sessions.
"""

from __future__ import annotations

from perdure_proto.v1 import client_pb2
from perdure_runtime.core.client import (
    ControlReply,
    ControlResult,
    Description,
    ListReply,
    Outcome,
    StartReply,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.wire.v1.options import (
    STATUS_NUMBERS,
    fill_progress,
    fill_target,
    read_progress,
    read_status,
    read_target,
)
from perdure_runtime.wire.v1.payload import (
    fill_outcome,
    fill_payload,
    read_outcome,
    read_payload,
    wire_text,
)
from perdure_runtime.wire.v1.task_values import (
    TASK_STATUS_NUMBERS,
    fill_task_state,
    read_task_state,
    read_task_status,
)


def fill_start_reply(message: client_pb2.StartReply, reply: StartReply) -> None:
    """Write the answer to a start."""
    message.id = reply.id
    message.run = reply.run
    message.created = reply.created


def read_start_reply(message: client_pb2.StartReply) -> StartReply:
    """The answer in `message`."""
    return StartReply(message.id, message.run, message.created)


def fill_outcome_reply(message: client_pb2.Outcome, outcome: Outcome) -> None:
    """Write how an execution ended."""
    message.id = outcome.id
    message.status = STATUS_NUMBERS[outcome.status]
    message.reason = wire_text(outcome.reason)
    fill_outcome(message, outcome.result, outcome.failure)


def read_outcome_reply(message: client_pb2.Outcome) -> Outcome:
    """How the execution in `message` ended."""
    result, failure = read_outcome(message)
    return Outcome(message.id, read_status(message.status), result, failure, message.reason)


def fill_description(message: client_pb2.Description, description: Description) -> None:
    """Write a description."""
    message.id = description.id
    message.namespace = description.namespace
    fill_target(message.target, description.target)
    message.kind = description.kind
    message.status = STATUS_NUMBERS[description.status]
    message.run = description.run
    message.attempt = description.attempt
    message.priority = description.priority
    message.created_ms = description.created_ms
    message.started_ms = description.started_ms
    message.ended_ms = description.ended_ms
    message.version = description.version
    message.worker = description.worker
    message.journal_length = description.journal_length
    message.waiting_for.extend(description.waiting_for)
    message.error = wire_text(description.error)
    message.detail = wire_text(description.detail)
    fill_progress(message.progress, description.progress)
    message.parent_id = description.parent_id
    message.labels.update(description.labels)
    fill_task_state(message.task, description.task)
    if description.task_status is not None:
        message.task_status = TASK_STATUS_NUMBERS[description.task_status]


def read_description(message: client_pb2.Description) -> Description:
    """The description in `message`."""
    return Description(
        id=message.id,
        namespace=message.namespace,
        target=read_target(message.target),
        kind=message.kind,
        status=read_status(message.status),
        run=message.run,
        attempt=message.attempt,
        priority=message.priority,
        created_ms=message.created_ms,
        started_ms=message.started_ms,
        ended_ms=message.ended_ms,
        version=message.version,
        worker=message.worker,
        journal_length=message.journal_length,
        waiting_for=tuple(message.waiting_for),
        error=message.error,
        detail=message.detail,
        progress=read_progress(message.progress) if message.HasField("progress") else None,
        parent_id=message.parent_id,
        labels=dict(message.labels),
        task=read_task_state(message.task) if message.HasField("task") else None,
        task_status=read_task_status(message.task_status) if message.task_status else None,
    )


def fill_list_reply(message: client_pb2.ListReply, reply: ListReply) -> None:
    """Write a page of executions."""
    for description in reply.items:
        fill_description(message.items.add(), description)
    message.next_cursor = reply.next_cursor


def read_list_reply(message: client_pb2.ListReply) -> ListReply:
    """The page in `message`."""
    return ListReply(tuple(map(read_description, message.items)), message.next_cursor)


def fill_control_reply(message: client_pb2.ControlReply, reply: ControlReply) -> None:
    """Write what a control request did to each execution."""
    for result in reply.results:
        part = message.results.add()
        part.id = result.id
        part.effect = result.effect
        part.error_code = result.error_code
        part.error_message = wire_text(result.error_message)
    message.next_cursor = reply.next_cursor


def read_control_reply(message: client_pb2.ControlReply) -> ControlReply:
    """What a control request did to each execution."""
    return ControlReply(
        tuple(
            ControlResult(part.id, part.effect, part.error_code, part.error_message)
            for part in message.results
        ),
        message.next_cursor,
    )


def fill_state(message: client_pb2.ReadStateReply, values: dict[str, Payload]) -> None:
    """Write an execution's state."""
    for key, payload in values.items():
        fill_payload(message.values[key], payload)


def read_state(message: client_pb2.ReadStateReply) -> dict[str, Payload]:
    """The execution's state in `message`."""
    return {key: read_payload(payload) for key, payload in message.values.items()}
