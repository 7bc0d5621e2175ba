"""Entries, requests and replies about events and promises, between core and protobuf.

`perdure_runtime.wire.v1.entries` and `.client` have the tables that these pairs stand in.
"""

from __future__ import annotations

from perdure_proto.v1 import client_pb2, journal_pb2
from perdure_runtime.core.client import (
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
)
from perdure_runtime.core.entries import (
    EventAwaited,
    EventReceived,
    EventSent,
    PromiseCreated,
    PromiseSettled,
)
from perdure_runtime.wire.v1.options import DEFAULT_NAMESPACE
from perdure_runtime.wire.v1.payload import (
    fill_outcome,
    fill_payload,
    fill_writes,
    read_outcome,
    read_payload,
    read_writes,
    require_outcome,
)


def fill_event_awaited(message: journal_pb2.EventAwaited, entry: EventAwaited) -> None:
    """Write an `EventAwaited`."""
    message.path = entry.path
    message.event_id = entry.event_id
    message.key = entry.key
    if entry.timeout_ms is not None:
        message.timeout_ms = entry.timeout_ms
    message.since_start = entry.since_start
    message.due_ms = entry.due_ms
    message.source_index = entry.source_index
    fill_writes(message.writes, entry.writes)


def read_event_awaited(message: journal_pb2.EventAwaited) -> EventAwaited:
    """The `EventAwaited` in `message`."""
    return EventAwaited(
        message.path,
        message.event_id,
        message.key,
        message.timeout_ms if message.HasField("timeout_ms") else None,
        message.since_start,
        message.due_ms,
        message.source_index,
        read_writes(message.writes),
    )


def fill_event_received(message: journal_pb2.EventReceived, entry: EventReceived) -> None:
    """Write an `EventReceived`."""
    message.path = entry.path
    message.attempt = entry.attempt
    message.sequence = entry.sequence
    if entry.payload is not None:
        fill_payload(message.payload, entry.payload)


def read_event_received(message: journal_pb2.EventReceived) -> EventReceived:
    """The `EventReceived` in `message`."""
    payload = read_payload(message.payload) if message.HasField("payload") else None
    return EventReceived(message.path, message.attempt, message.sequence, payload)


def fill_event_sent(message: journal_pb2.EventSent, entry: EventSent) -> None:
    """Write an `EventSent`."""
    message.path = entry.path
    message.event_id = entry.event_id
    fill_payload(message.payload, entry.payload)
    message.key = entry.key
    message.execution_id = entry.execution_id
    message.dedupe_id = entry.dedupe_id
    fill_writes(message.writes, entry.writes)


def read_event_sent(message: journal_pb2.EventSent) -> EventSent:
    """The `EventSent` in `message`."""
    return EventSent(
        message.path,
        message.event_id,
        read_payload(message.payload),
        message.key,
        message.execution_id,
        message.dedupe_id,
        read_writes(message.writes),
    )


def fill_promise_created(message: journal_pb2.PromiseCreated, entry: PromiseCreated) -> None:
    """Write a `PromiseCreated`."""
    message.path = entry.path
    message.name = entry.name
    message.key = entry.key
    if entry.timeout_ms is not None:
        message.timeout_ms = entry.timeout_ms
    if entry.heartbeat_timeout_ms is not None:
        message.heartbeat_timeout_ms = entry.heartbeat_timeout_ms
    message.due_ms = entry.due_ms
    fill_writes(message.writes, entry.writes)


def read_promise_created(message: journal_pb2.PromiseCreated) -> PromiseCreated:
    """The `PromiseCreated` in `message`."""
    has = message.HasField
    return PromiseCreated(
        message.path,
        message.name,
        message.key,
        message.timeout_ms if has("timeout_ms") else None,
        message.heartbeat_timeout_ms if has("heartbeat_timeout_ms") else None,
        message.due_ms,
        read_writes(message.writes),
    )


def fill_promise_settled(message: journal_pb2.PromiseSettled, entry: PromiseSettled) -> None:
    """Write a `PromiseSettled`."""
    message.path = entry.path
    message.attempt = entry.attempt
    message.key = entry.key
    fill_outcome(message, entry.result, entry.failure)
    message.timed_out = entry.timed_out


def read_promise_settled(message: journal_pb2.PromiseSettled) -> PromiseSettled:
    """The `PromiseSettled` in `message`."""
    result, failure = require_outcome(message)
    return PromiseSettled(
        message.path, message.attempt, message.key, result, failure, message.timed_out
    )


def fill_send_event_request(
    message: client_pb2.SendEventRequest, request: SendEventRequest
) -> None:
    """Write a `SendEventRequest`."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    message.event_id = request.event_id
    fill_payload(message.payload, request.payload)
    message.execution_id = request.execution_id
    message.dedupe_id = request.dedupe_id


def read_send_event_request(message: client_pb2.SendEventRequest) -> SendEventRequest:
    """The `SendEventRequest` in `message`."""
    return SendEventRequest(
        message.namespace or DEFAULT_NAMESPACE,
        message.request_id,
        message.event_id,
        read_payload(message.payload),
        message.execution_id,
        message.dedupe_id,
    )


def fill_send_event_reply(message: client_pb2.SendEventReply, reply: SendEventReply) -> None:
    """Write a `SendEventReply`: its presence is all."""


def read_send_event_reply(message: client_pb2.SendEventReply) -> SendEventReply:
    """The `SendEventReply` in `message`."""
    return SendEventReply()


def fill_settle_request(
    message: client_pb2.SettlePromiseRequest, request: SettlePromiseRequest
) -> None:
    """Write a `SettlePromiseRequest`."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    message.token = request.token
    fill_outcome(message, request.result, request.failure)
    message.heartbeat = request.heartbeat


def read_settle_request(message: client_pb2.SettlePromiseRequest) -> SettlePromiseRequest:
    """The `SettlePromiseRequest` in `message`."""
    result, failure = read_outcome(message)
    return SettlePromiseRequest(
        message.namespace or DEFAULT_NAMESPACE,
        message.request_id,
        message.token,
        result,
        failure,
        message.heartbeat,
    )


def fill_settle_reply(message: client_pb2.SettlePromiseReply, reply: SettlePromiseReply) -> None:
    """Write a `SettlePromiseReply`."""
    message.effect = reply.effect


def read_settle_reply(message: client_pb2.SettlePromiseReply) -> SettlePromiseReply:
    """The `SettlePromiseReply` in `message`."""
    return SettlePromiseReply(message.effect)
