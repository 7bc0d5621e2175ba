"""What clients ask, between core and protobuf: a pair of functions per request.

`perdure_runtime.wire.v1.client` has the whole messages and the frames of sessions.
"""

from __future__ import annotations

from typing import Final, cast

from msgspec import Struct

from perdure_proto.v1 import client_pb2
from perdure_runtime.core.client import (
    ControlOperation,
    ControlRequest,
    IdPolicy,
    ListRequest,
    StartRequest,
)
from perdure_runtime.core.errors import InvalidArgumentError, ProtocolError
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.payload import NULL
from perdure_runtime.wire.v1.options import (
    DEFAULT_NAMESPACE,
    STATUS_NUMBERS,
    fill_options,
    fill_target,
    read_options,
    read_status,
    read_target,
)
from perdure_runtime.wire.v1.payload import fill_payload, read_payload, wire_text
from perdure_runtime.wire.v1.task_values import TASK_STATUS_NUMBERS, read_task_status


class DescribeRequest(Struct, frozen=True):
    """Asks for the description of one execution."""

    key: ExecutionKey


class WaitRequest(Struct, frozen=True):
    """Asks for the outcome of one execution, when it has one."""

    key: ExecutionKey


class ReadStateRequest(Struct, frozen=True):
    """Asks for the committed state of one execution."""

    key: ExecutionKey


class ReadObjectStateRequest(Struct, frozen=True):
    """Asks for the last committed state of one durable object."""

    key: ObjectKey


class Abandon(Struct, frozen=True):
    """Nobody waits any more for the request with this number."""


class HistoryRequest(Struct, frozen=True):
    """Asks for a journal from an index on; with `follow` also for what comes later.

    `values_only` leaves out all entries but emitted values.
    """

    key: ExecutionKey
    from_index: int = 0
    follow: bool = False
    values_only: bool = False


KeyMessage = (
    client_pb2.DescribeRequest
    | client_pb2.WaitRequest
    | client_pb2.ReadStateRequest
    | client_pb2.HistoryRequest
)
"""Requests that name one execution."""

_POLICY_NUMBERS: Final = {
    policy: cast("client_pb2.IdPolicy", client_pb2.IdPolicy.Value(f"ID_POLICY_{policy.name}"))
    for policy in IdPolicy
}
_POLICIES: Final = {int(number): policy for policy, number in _POLICY_NUMBERS.items()} | {
    int(client_pb2.ID_POLICY_UNSPECIFIED): IdPolicy.ATTACH
}
_OPERATION_NUMBERS: Final = {
    operation: cast(
        "client_pb2.ControlOperation",
        client_pb2.ControlOperation.Value(f"CONTROL_OPERATION_{operation.name}"),
    )
    for operation in ControlOperation
}
_OPERATIONS: Final = {int(number): operation for operation, number in _OPERATION_NUMBERS.items()}


def fill_start_request(message: client_pb2.StartRequest, request: StartRequest) -> None:
    """Write a start."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    message.id = request.id
    fill_target(message.target, request.target)
    fill_payload(message.input, request.input)
    fill_options(message.options, request.options)
    message.id_policy = _POLICY_NUMBERS[request.id_policy]
    message.trace.update(request.trace)
    message.held.extend(request.held)


def read_start_request(message: client_pb2.StartRequest) -> StartRequest:
    """The start in `message`; a start without input has the input null."""
    policy = _POLICIES.get(message.id_policy)
    if policy is None:
        raise ProtocolError(f"unknown id policy {message.id_policy}; upgrade the coordinator")
    return StartRequest(
        namespace=message.namespace or DEFAULT_NAMESPACE,
        request_id=message.request_id,
        id=message.id,
        target=read_target(message.target),
        input=read_payload(message.input) if message.HasField("input") else NULL,
        options=read_options(message.options),
        id_policy=policy,
        trace=dict(message.trace),
        held=tuple(message.held),
    )


def fill_list_request(message: client_pb2.ListRequest, request: ListRequest) -> None:
    """Write a list request."""
    message.namespace = request.namespace
    message.statuses.extend(STATUS_NUMBERS[status] for status in request.statuses)
    message.service = request.service
    message.method = request.method
    message.id_prefix = request.id_prefix
    message.parent_id = request.parent_id
    message.labels.update(request.labels)
    message.limit = request.limit
    message.cursor = request.cursor
    message.task_statuses.extend(TASK_STATUS_NUMBERS[status] for status in request.task_statuses)


def read_list_request(message: client_pb2.ListRequest) -> ListRequest:
    """The list request in `message`."""
    return ListRequest(
        namespace=message.namespace or DEFAULT_NAMESPACE,
        statuses=tuple(map(read_status, message.statuses)),
        service=message.service,
        method=message.method,
        id_prefix=message.id_prefix,
        parent_id=message.parent_id,
        labels=dict(message.labels),
        limit=message.limit or 100,
        cursor=message.cursor,
        task_statuses=tuple(map(read_task_status, message.task_statuses)),
    )


def fill_control_request(message: client_pb2.ControlRequest, request: ControlRequest) -> None:
    """Write a control request."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    message.operation = _OPERATION_NUMBERS[request.operation]
    message.ids.extend(request.ids)
    message.reason = wire_text(request.reason)
    if request.input is not None:
        fill_payload(message.input, request.input)
    if request.grace_ms is not None:
        message.grace_ms = request.grace_ms
    if request.filter is not None:
        message.filter.SetInParent()
        fill_list_request(message.filter, request.filter)
    message.at = request.at
    message.new_id = request.new_id
    if request.trace:
        message.trace.update(request.trace)


def read_control_request(message: client_pb2.ControlRequest) -> ControlRequest:
    """The control request in `message`.

    Raises:
        InvalidArgumentError: it has no operation.
        ProtocolError: it has one that is not known here.
    """
    operation = _OPERATIONS.get(message.operation)
    if operation is None:
        if message.operation == client_pb2.CONTROL_OPERATION_UNSPECIFIED:
            raise InvalidArgumentError("a control request needs an operation")
        raise ProtocolError(f"unknown operation {message.operation}; upgrade the coordinator")
    return ControlRequest(
        namespace=message.namespace or DEFAULT_NAMESPACE,
        request_id=message.request_id,
        operation=operation,
        ids=tuple(message.ids),
        reason=message.reason,
        input=read_payload(message.input) if message.HasField("input") else None,
        grace_ms=message.grace_ms if message.HasField("grace_ms") else None,
        filter=read_list_request(message.filter) if message.HasField("filter") else None,
        at=message.at,
        new_id=message.new_id,
        trace=dict(message.trace),
    )


def fill_key(message: KeyMessage, key: ExecutionKey) -> None:
    """Write which execution a request is about."""
    message.namespace, message.id = key


def read_key(message: KeyMessage) -> ExecutionKey:
    """Which execution a request is about."""
    return ExecutionKey(message.namespace or DEFAULT_NAMESPACE, message.id)


def fill_object_key(message: client_pb2.ReadObjectStateRequest, key: ObjectKey) -> None:
    """Write which object a request is about."""
    message.namespace, message.class_name, message.key = key


def read_object_key(message: client_pb2.ReadObjectStateRequest) -> ObjectKey:
    """Which object a request is about."""
    return ObjectKey(message.namespace or DEFAULT_NAMESPACE, message.class_name, message.key)
