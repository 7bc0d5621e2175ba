"""Tasks and dependencies, between core and protobuf: a pair of functions per value.

`perdure_runtime.wire.v1.task_values` has what they are made of.
"""

from __future__ import annotations

from typing import Final, cast

from perdure_proto.v1 import client_pb2, journal_pb2
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    TaskOperation,
    TaskReply,
    TaskRequest,
    TaskResult,
)
from perdure_runtime.core.entries import (
    DependencyChange,
    DependencyChanged,
    TaskMoved,
    TaskReported,
)
from perdure_runtime.core.errors import InvalidArgumentError, ProtocolError
from perdure_runtime.core.tasks import TaskStatus
from perdure_runtime.wire.v1.options import (
    DEFAULT_NAMESPACE,
    STATUS_NUMBERS,
    fill_target,
    read_status,
    read_target,
)
from perdure_runtime.wire.v1.payload import (
    fill_failure,
    fill_payload,
    read_failure,
    read_payload,
    wire_text,
)
from perdure_runtime.wire.v1.task_values import (
    TASK_STATUS_NUMBERS,
    fill_dependency,
    fill_worker,
    read_dependency,
    read_task_status,
    read_worker,
)

_CHANGE_NUMBERS: Final = {
    change: cast(
        "journal_pb2.DependencyChange",
        journal_pb2.DependencyChange.Value(f"DEPENDENCY_CHANGE_{change.name}"),
    )
    for change in DependencyChange
}
_CHANGES: Final = {int(number): change for change, number in _CHANGE_NUMBERS.items()}
_OPERATION_NUMBERS: Final = {
    operation: cast(
        "client_pb2.TaskOperation",
        client_pb2.TaskOperation.Value(f"TASK_OPERATION_{operation.name}"),
    )
    for operation in TaskOperation
}
_OPERATIONS: Final = {int(number): operation for operation, number in _OPERATION_NUMBERS.items()}


# --- entries --------------------------------------------------------------------------------------


def fill_task_moved(message: journal_pb2.TaskMoved, entry: TaskMoved) -> None:
    """Write a `TaskMoved`."""
    message.status = TASK_STATUS_NUMBERS[entry.status]
    message.event = entry.event
    fill_worker(message.actor, entry.actor)
    message.claim = entry.claim
    message.message = wire_text(entry.message)
    if entry.failure is not None:
        fill_failure(message.failure, entry.failure)
    message.due_ms = entry.due_ms


def read_task_moved(message: journal_pb2.TaskMoved) -> TaskMoved:
    """The `TaskMoved` in `message`."""
    return TaskMoved(
        read_task_status(message.status),
        message.event,
        read_worker(message.actor) if message.HasField("actor") else None,
        message.claim,
        message.message,
        read_failure(message.failure) if message.HasField("failure") else None,
        message.due_ms,
    )


def fill_task_reported(message: journal_pb2.TaskReported, entry: TaskReported) -> None:
    """Write a `TaskReported`."""
    message.event = entry.event
    fill_worker(message.actor, entry.actor)
    message.message = wire_text(entry.message)
    if entry.percent is not None:
        message.percent = entry.percent
    message.remaining_ms = entry.remaining_ms
    if entry.priority is not None:
        message.priority = entry.priority
    if entry.definition is not None:
        fill_payload(message.definition, entry.definition)


def read_task_reported(message: journal_pb2.TaskReported) -> TaskReported:
    """The `TaskReported` in `message`."""
    has = message.HasField
    return TaskReported(
        message.event,
        read_worker(message.actor) if has("actor") else None,
        message.message,
        message.percent if has("percent") else None,
        message.remaining_ms,
        message.priority if has("priority") else None,
        read_payload(message.definition) if has("definition") else None,
    )


def fill_dependency_changed(
    message: journal_pb2.DependencyChanged, entry: DependencyChanged
) -> None:
    """Write a `DependencyChanged`."""
    message.change = _CHANGE_NUMBERS[entry.change]
    fill_dependency(message.dependency, entry.dependency)
    if entry.status is not None:
        message.status = STATUS_NUMBERS[entry.status]


def read_dependency_changed(message: journal_pb2.DependencyChanged) -> DependencyChanged:
    """The `DependencyChanged` in `message`."""
    change = _CHANGES.get(message.change)
    if change is None:
        raise ProtocolError(f"unknown change {message.change} of a dependency; upgrade Perdure")
    status = read_status(message.status) if message.status else None
    return DependencyChanged(change, read_dependency(message.dependency), status)


# --- requests and replies -------------------------------------------------------------------------


def fill_task_request(message: client_pb2.TaskRequest, request: TaskRequest) -> None:
    """Write an operation on tasks."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    message.operation = _OPERATION_NUMBERS[request.operation]
    message.ids.extend(request.ids)
    if request.status is not None:
        message.status = TASK_STATUS_NUMBERS[request.status]
    message.token = request.token
    fill_worker(message.worker, request.worker)
    message.message = wire_text(request.message)
    if request.percent is not None:
        message.percent = request.percent
    if request.failure is not None:
        fill_failure(message.failure, request.failure)
    if request.priority is not None:
        message.priority = request.priority
    if request.at_ms is not None:
        message.at_ms = request.at_ms
    if request.lease_ms is not None:
        message.lease_ms = request.lease_ms
    if request.dependency is not None:
        fill_dependency(message.dependency, request.dependency)
    for field in ("result", "input", "definition"):
        payload = getattr(request, field)
        if payload is not None:
            fill_payload(getattr(message, field), payload)


def read_task_request(message: client_pb2.TaskRequest) -> TaskRequest:
    """The operation in `message`.

    Raises:
        InvalidArgumentError: there is none.
        ProtocolError: it is not known here.
    """
    operation = _OPERATIONS.get(message.operation)
    if operation is None:
        if message.operation == client_pb2.TASK_OPERATION_UNSPECIFIED:
            raise InvalidArgumentError("a request on tasks needs an operation")
        raise ProtocolError(f"unknown operation {message.operation}; upgrade the coordinator")
    has = message.HasField
    return TaskRequest(
        namespace=message.namespace or DEFAULT_NAMESPACE,
        request_id=message.request_id,
        operation=operation,
        ids=tuple(message.ids),
        status=read_task_status(message.status) if message.status else None,
        token=message.token,
        worker=read_worker(message.worker) if has("worker") else None,
        message=message.message,
        percent=message.percent if has("percent") else None,
        result=read_payload(message.result) if has("result") else None,
        failure=read_failure(message.failure) if has("failure") else None,
        input=read_payload(message.input) if has("input") else None,
        priority=message.priority if has("priority") else None,
        definition=read_payload(message.definition) if has("definition") else None,
        at_ms=message.at_ms if has("at_ms") else None,
        lease_ms=message.lease_ms if has("lease_ms") else None,
        dependency=read_dependency(message.dependency) if has("dependency") else None,
    )


def fill_task_reply(message: client_pb2.TaskReply, reply: TaskReply) -> None:
    """Write what a request did to each task."""
    for result in reply.results:
        part = message.results.add()
        part.id = result.id
        if result.before is not None:
            part.before = TASK_STATUS_NUMBERS[result.before]
        if result.after is not None:
            part.after = TASK_STATUS_NUMBERS[result.after]
        part.error_code = result.error_code
        part.error_message = wire_text(result.error_message)


def read_task_reply(message: client_pb2.TaskReply) -> TaskReply:
    """What a request did to each task."""
    return TaskReply(
        tuple(
            TaskResult(
                part.id,
                _status_or_none(part.before),
                _status_or_none(part.after),
                part.error_code,
                part.error_message,
            )
            for part in message.results
        )
    )


def _status_or_none(number: int) -> TaskStatus | None:
    return read_task_status(number) if number else None


def fill_claim_request(message: client_pb2.ClaimRequest, request: ClaimRequest) -> None:
    """Write a claim."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    fill_worker(message.worker, request.worker)
    message.queues.extend(request.queues)
    message.lease_ms = request.lease_ms
    message.begin = request.begin
    if request.wait_ms is not None:
        message.wait_ms = request.wait_ms
    message.id = request.id


def read_claim_request(message: client_pb2.ClaimRequest) -> ClaimRequest:
    """The claim in `message`."""
    return ClaimRequest(
        namespace=message.namespace or DEFAULT_NAMESPACE,
        request_id=message.request_id,
        worker=read_worker(message.worker),
        queues=tuple(message.queues),
        lease_ms=message.lease_ms,
        begin=message.begin,
        wait_ms=message.wait_ms if message.HasField("wait_ms") else None,
        id=message.id,
    )


def fill_claim_reply(message: client_pb2.ClaimReply, reply: ClaimReply) -> None:
    """Write what was claimed."""
    message.id = reply.id
    message.token = reply.token
    if reply.target is not None:
        message.target.SetInParent()
        fill_target(message.target, reply.target)
    if reply.input is not None:
        fill_payload(message.input, reply.input)
    if reply.definition is not None:
        fill_payload(message.definition, reply.definition)
    message.priority = reply.priority
    message.starts = reply.starts
    message.created_ms = reply.created_ms
    message.metadata.update(reply.metadata)


def read_claim_reply(message: client_pb2.ClaimReply) -> ClaimReply:
    """What was claimed."""
    has = message.HasField
    return ClaimReply(
        message.id,
        message.token,
        read_target(message.target) if has("target") else None,
        read_payload(message.input) if has("input") else None,
        read_payload(message.definition) if has("definition") else None,
        message.priority,
        message.starts,
        message.created_ms,
        dict(message.metadata),
    )
