"""Schedules, between core and protobuf: a pair of functions per message."""

from __future__ import annotations

from typing import Final, cast

from perdure_proto.v1 import client_pb2
from perdure_runtime.core.errors import InvalidArgumentError, ProtocolError
from perdure_runtime.core.payload import NULL
from perdure_runtime.core.schedules import (
    Backfill,
    Overlap,
    Schedule,
    ScheduleName,
    ScheduleOperation,
    ScheduleReply,
    ScheduleRequest,
    ScheduleSpec,
)
from perdure_runtime.wire.v1.options import (
    DEFAULT_NAMESPACE,
    fill_options,
    fill_target,
    read_options,
    read_target,
)
from perdure_runtime.wire.v1.payload import fill_payload, read_payload, wire_text

_OVERLAP_NUMBERS: Final = {
    overlap: cast("client_pb2.Overlap", client_pb2.Overlap.Value(f"OVERLAP_{overlap.name}"))
    for overlap in Overlap
}
_OVERLAPS: Final = {int(number): overlap for overlap, number in _OVERLAP_NUMBERS.items()} | {
    int(client_pb2.OVERLAP_UNSPECIFIED): Overlap.SKIP
}
_BACKFILL_NUMBERS: Final = {
    backfill: cast("client_pb2.Backfill", client_pb2.Backfill.Value(f"BACKFILL_{backfill.name}"))
    for backfill in Backfill
}
_BACKFILLS: Final = {int(number): backfill for backfill, number in _BACKFILL_NUMBERS.items()} | {
    int(client_pb2.BACKFILL_UNSPECIFIED): Backfill.LATEST
}
_OPERATION_NUMBERS: Final = {
    operation: cast(
        "client_pb2.ScheduleOperation",
        client_pb2.ScheduleOperation.Value(f"SCHEDULE_OPERATION_{operation.name}"),
    )
    for operation in ScheduleOperation
}
_OPERATIONS: Final = {int(number): operation for operation, number in _OPERATION_NUMBERS.items()}


def fill_schedule_request(message: client_pb2.ScheduleRequest, request: ScheduleRequest) -> None:
    """Write a request."""
    message.namespace = request.namespace
    message.request_id = request.request_id
    message.operation = _OPERATION_NUMBERS[request.operation]
    message.id = request.id
    if request.spec is not None:
        _fill_spec(message.spec, request.spec)
    message.replace = request.replace
    message.reason = wire_text(request.reason)


def read_schedule_request(message: client_pb2.ScheduleRequest) -> ScheduleRequest:
    """The request in `message`.

    Raises:
        InvalidArgumentError: it has no operation.
        ProtocolError: it has an operation or a policy that is not known here.
    """
    operation = _OPERATIONS.get(message.operation)
    if operation is None:
        if message.operation == client_pb2.SCHEDULE_OPERATION_UNSPECIFIED:
            raise InvalidArgumentError("a schedule request needs an operation")
        raise ProtocolError(f"unknown operation {message.operation}; upgrade the coordinator")
    return ScheduleRequest(
        namespace=message.namespace or DEFAULT_NAMESPACE,
        request_id=message.request_id,
        operation=operation,
        id=message.id,
        spec=_read_spec(message.spec) if message.HasField("spec") else None,
        replace=message.replace,
        reason=message.reason,
    )


def _fill_spec(message: client_pb2.ScheduleSpec, spec: ScheduleSpec) -> None:
    message.SetInParent()
    fill_target(message.target, spec.target)
    fill_payload(message.input, spec.input)
    fill_options(message.options, spec.options)
    message.cron = spec.cron
    message.every_ms = spec.every_ms
    message.timezone = spec.timezone
    message.overlap = _OVERLAP_NUMBERS[spec.overlap]
    message.jitter_ms = spec.jitter_ms
    message.backfill = _BACKFILL_NUMBERS[spec.backfill]


def _read_spec(message: client_pb2.ScheduleSpec) -> ScheduleSpec:
    overlap, backfill = _OVERLAPS.get(message.overlap), _BACKFILLS.get(message.backfill)
    if overlap is None or backfill is None:
        raise ProtocolError("a schedule has a policy that is not known here; upgrade Perdure")
    return ScheduleSpec(
        target=read_target(message.target),
        input=read_payload(message.input) if message.HasField("input") else NULL,
        options=read_options(message.options),
        cron=message.cron,
        every_ms=message.every_ms,
        timezone=message.timezone or "UTC",
        overlap=overlap,
        jitter_ms=message.jitter_ms,
        backfill=backfill,
    )


def fill_schedule_reply(message: client_pb2.ScheduleReply, reply: ScheduleReply) -> None:
    """Write a reply."""
    for schedule in reply.schedules:
        part = message.schedules.add()
        part.namespace, part.id = schedule.name
        _fill_spec(part.spec, schedule.spec)
        part.created_ms = schedule.created_ms
        part.next_ms = schedule.next_ms
        part.paused = schedule.paused
        part.reason = wire_text(schedule.reason)
        part.queued_ms.extend(schedule.queued)
        part.last_ms = schedule.last_ms
        part.last_id = schedule.last_id
        part.started = schedule.started
        part.skipped = schedule.skipped
        part.problem = wire_text(schedule.problem)
    message.effect = reply.effect
    message.next_cursor = reply.next_cursor


def read_schedule_reply(message: client_pb2.ScheduleReply) -> ScheduleReply:
    """The reply in `message`."""
    return ScheduleReply(
        tuple(
            Schedule(
                name=ScheduleName(part.namespace, part.id),
                spec=_read_spec(part.spec),
                created_ms=part.created_ms,
                next_ms=part.next_ms,
                paused=part.paused,
                reason=part.reason,
                queued=tuple(part.queued_ms),
                last_ms=part.last_ms,
                last_id=part.last_id,
                started=part.started,
                skipped=part.skipped,
                problem=part.problem,
            )
            for part in message.schedules
        ),
        message.effect,
        message.next_cursor,
    )
