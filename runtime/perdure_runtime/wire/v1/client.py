"""Client calls: whole messages of the unary and streaming RPCs, and frames of client sessions.

Shells (transports, services) see only values of core, errors, and the messages these functions
return or take. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, cast

from msgspec import Struct

from perdure_proto.v1 import client_pb2
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    TaskReply,
    TaskRequest,
)
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import PerdureError, ProtocolError, SerializationError
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest
from perdure_runtime.wire.v1 import client_replies as replies
from perdure_runtime.wire.v1 import client_requests as requests
from perdure_runtime.wire.v1 import events, schedules, tasks
from perdure_runtime.wire.v1.client_requests import (
    Abandon,
    DescribeRequest,
    HistoryRequest,
    ReadObjectStateRequest,
    ReadStateRequest,
    WaitRequest,
)
from perdure_runtime.wire.v1.entries import fill_journal, read_journal
from perdure_runtime.wire.v1.kinds import Kind, KindTable
from perdure_runtime.wire.v1.payload import fill_payload, read_payload
from perdure_runtime.wire.v1.status import fill_error, read_error

ClientFrame = client_pb2.ClientFrame
ClientReplyFrame = client_pb2.ClientReplyFrame

_Message = TypeVar("_Message")
_Value = TypeVar("_Value")


class StateValues(Struct, frozen=True):
    """Answer to a `ReadStateRequest`."""

    values: dict[str, Payload]


class ObjectState(Struct, frozen=True):
    """Answer to a `ReadObjectStateRequest`."""

    state: Payload


ClientRequest = (
    StartRequest
    | WaitRequest
    | DescribeRequest
    | ListRequest
    | ControlRequest
    | ReadStateRequest
    | ReadObjectStateRequest
    | ScheduleRequest
    | Abandon
    | SendEventRequest
    | SettlePromiseRequest
    | TaskRequest
    | ClaimRequest
)
"""What a client session carries to the coordinator."""

ClientReply = (
    StartReply
    | Outcome
    | Description
    | ListReply
    | ControlReply
    | StateValues
    | ObjectState
    | ScheduleReply
    | SendEventReply
    | SettlePromiseReply
    | TaskReply
    | ClaimReply
    | PerdureError
)
"""What it carries back; an error is an answer like the others."""


def _made(message: _Message, fill: Callable[[_Message, _Value], None], value: _Value) -> _Message:
    try:
        fill(message, value)
    except (ValueError, TypeError) as error:
        raise SerializationError(f"{type(value).__name__} cannot be sent: {error}") from error
    return message


# --- unary and streaming calls --------------------------------------------------------------------
# Every encode_* raises SerializationError where a field has no form on the wire; every decode_*
# raises ProtocolError for an enum value or kind that is not known here.


def encode_start_request(request: StartRequest) -> client_pb2.StartRequest:
    """Request of `Start`."""
    return _made(client_pb2.StartRequest(), requests.fill_start_request, request)


def decode_start_request(message: client_pb2.StartRequest) -> StartRequest:
    """Request of `Start`."""
    return requests.read_start_request(message)


def encode_start_reply(reply: StartReply) -> client_pb2.StartReply:
    """Reply of `Start`."""
    return _made(client_pb2.StartReply(), replies.fill_start_reply, reply)


def decode_start_reply(message: client_pb2.StartReply) -> StartReply:
    """Reply of `Start`."""
    return replies.read_start_reply(message)


def encode_start_batch(batch: Iterable[StartRequest]) -> client_pb2.StartBatchRequest:
    """Request of `StartBatch`."""
    message = client_pb2.StartBatchRequest()
    for request in batch:
        _made(message.requests.add(), requests.fill_start_request, request)
    return message


def decode_start_batch(message: client_pb2.StartBatchRequest) -> list[StartRequest]:
    """Request of `StartBatch`."""
    return [requests.read_start_request(request) for request in message.requests]


def encode_start_batch_reply(
    results: Iterable[StartReply | BaseException],
) -> client_pb2.StartBatchReply:
    """Reply of `StartBatch`: an answer or an error for each start."""
    message = client_pb2.StartBatchReply()
    for result in results:
        part = message.results.add()
        if isinstance(result, StartReply):
            _made(part.reply, replies.fill_start_reply, result)
        else:
            fill_error(part.error, result)
    return message


def decode_start_batch_reply(
    message: client_pb2.StartBatchReply,
) -> list[StartReply | PerdureError]:
    """Reply of `StartBatch`."""
    return [
        read_error(part.error)
        if part.WhichOneof("result") == "error"
        else replies.read_start_reply(part.reply)
        for part in message.results
    ]


def encode_describe_request(key: ExecutionKey) -> client_pb2.DescribeRequest:
    """Request of `Describe`."""
    return _made(client_pb2.DescribeRequest(), requests.fill_key, key)


def decode_describe_request(message: client_pb2.DescribeRequest) -> ExecutionKey:
    """Request of `Describe`."""
    return requests.read_key(message)


def encode_description(description: Description) -> client_pb2.Description:
    """Reply of `Describe`."""
    return _made(client_pb2.Description(), replies.fill_description, description)


def decode_description(message: client_pb2.Description) -> Description:
    """Reply of `Describe`."""
    return replies.read_description(message)


def encode_watch_reply(description: Description) -> client_pb2.WatchReply:
    """Answer of `Watch`, with one state."""
    message = client_pb2.WatchReply()
    _made(message.states.add(), replies.fill_description, description)
    return message


def decode_watch_reply(message: client_pb2.WatchReply) -> Description | None:
    """The newest state of an answer of `Watch`."""
    return replies.read_description(message.states[-1]) if message.states else None


def encode_wait_request(key: ExecutionKey) -> client_pb2.WaitRequest:
    """Request of `Wait`."""
    return _made(client_pb2.WaitRequest(), requests.fill_key, key)


def decode_wait_request(message: client_pb2.WaitRequest) -> ExecutionKey:
    """Request of `Wait`."""
    return requests.read_key(message)


def encode_wait_reply(outcome: Outcome | None) -> client_pb2.WaitReply:
    """A message of `Wait`: the outcome, or a keepalive for None."""
    message = client_pb2.WaitReply()
    if outcome is None:
        message.keepalive.SetInParent()
    else:
        _made(message.outcome, replies.fill_outcome_reply, outcome)
    return message


def decode_wait_reply(message: client_pb2.WaitReply) -> Outcome | None:
    """A message of `Wait`; None for a keepalive."""
    which = message.WhichOneof("reply")
    if which is None:
        raise ProtocolError("a reply of Wait is of an unknown kind; upgrade Perdure")
    return replies.read_outcome_reply(message.outcome) if which == "outcome" else None


def encode_list_request(request: ListRequest) -> client_pb2.ListRequest:
    """Request of `List`."""
    return _made(client_pb2.ListRequest(), requests.fill_list_request, request)


def decode_list_request(message: client_pb2.ListRequest) -> ListRequest:
    """Request of `List`."""
    return requests.read_list_request(message)


def encode_list_reply(reply: ListReply) -> client_pb2.ListReply:
    """Reply of `List`."""
    return _made(client_pb2.ListReply(), replies.fill_list_reply, reply)


def decode_list_reply(message: client_pb2.ListReply) -> ListReply:
    """Reply of `List`."""
    return replies.read_list_reply(message)


def _fill_history_request(message: client_pb2.HistoryRequest, request: HistoryRequest) -> None:
    requests.fill_key(message, request.key)
    message.from_index = request.from_index
    message.follow = request.follow
    message.values_only = request.values_only


def encode_history_request(request: HistoryRequest) -> client_pb2.HistoryRequest:
    """Request of `History`."""
    return _made(client_pb2.HistoryRequest(), _fill_history_request, request)


def decode_history_request(message: client_pb2.HistoryRequest) -> HistoryRequest:
    """Request of `History`."""
    return HistoryRequest(
        requests.read_key(message), message.from_index, message.follow, message.values_only
    )


def encode_history_page(page: Iterable[Recorded]) -> client_pb2.HistoryPage:
    """A message of `History`."""
    message = client_pb2.HistoryPage()
    fill_journal(message.entries, page)
    return message


def decode_history_page(message: client_pb2.HistoryPage) -> tuple[Recorded, ...]:
    """A message of `History`."""
    return read_journal(message.entries)


def encode_send_event(request: SendEventRequest) -> client_pb2.SendEventRequest:
    """Request of `SendEvent`."""
    return _made(client_pb2.SendEventRequest(), events.fill_send_event_request, request)


def encode_send_event_reply(reply: SendEventReply) -> client_pb2.SendEventReply:
    """Reply of `SendEvent`."""
    return _made(client_pb2.SendEventReply(), events.fill_send_event_reply, reply)


def encode_settle_promise(request: SettlePromiseRequest) -> client_pb2.SettlePromiseRequest:
    """Request of `SettlePromise`."""
    return _made(client_pb2.SettlePromiseRequest(), events.fill_settle_request, request)


def encode_settle_reply(reply: SettlePromiseReply) -> client_pb2.SettlePromiseReply:
    """Reply of `SettlePromise`."""
    return _made(client_pb2.SettlePromiseReply(), events.fill_settle_reply, reply)


def encode_control_request(request: ControlRequest) -> client_pb2.ControlRequest:
    """Request of `Control`."""
    return _made(client_pb2.ControlRequest(), requests.fill_control_request, request)


def decode_control_request(message: client_pb2.ControlRequest) -> ControlRequest:
    """Request of `Control`; raises InvalidArgumentError when it has no operation."""
    return requests.read_control_request(message)


def encode_control_reply(reply: ControlReply) -> client_pb2.ControlReply:
    """Reply of `Control`."""
    return _made(client_pb2.ControlReply(), replies.fill_control_reply, reply)


def decode_control_reply(message: client_pb2.ControlReply) -> ControlReply:
    """Reply of `Control`."""
    return replies.read_control_reply(message)


def encode_schedule_request(request: ScheduleRequest) -> client_pb2.ScheduleRequest:
    """Request of `Schedule`."""
    return _made(client_pb2.ScheduleRequest(), schedules.fill_schedule_request, request)


def decode_schedule_request(message: client_pb2.ScheduleRequest) -> ScheduleRequest:
    """Request of `Schedule`; raises InvalidArgumentError when it has no operation."""
    return schedules.read_schedule_request(message)


def encode_schedule_reply(reply: ScheduleReply) -> client_pb2.ScheduleReply:
    """Reply of `Schedule`."""
    return _made(client_pb2.ScheduleReply(), schedules.fill_schedule_reply, reply)


def decode_schedule_reply(message: client_pb2.ScheduleReply) -> ScheduleReply:
    """Reply of `Schedule`."""
    return schedules.read_schedule_reply(message)


def encode_read_state_request(key: ExecutionKey) -> client_pb2.ReadStateRequest:
    """Request of `ReadState`."""
    return _made(client_pb2.ReadStateRequest(), requests.fill_key, key)


def decode_read_state_request(message: client_pb2.ReadStateRequest) -> ExecutionKey:
    """Request of `ReadState`."""
    return requests.read_key(message)


def encode_state(values: dict[str, Payload]) -> client_pb2.ReadStateReply:
    """Reply of `ReadState`."""
    return _made(client_pb2.ReadStateReply(), replies.fill_state, values)


def decode_state(message: client_pb2.ReadStateReply) -> dict[str, Payload]:
    """Reply of `ReadState`."""
    return replies.read_state(message)


def encode_object_request(key: ObjectKey) -> client_pb2.ReadObjectStateRequest:
    """Request of `ReadObjectState`."""
    return _made(client_pb2.ReadObjectStateRequest(), requests.fill_object_key, key)


def decode_object_request(message: client_pb2.ReadObjectStateRequest) -> ObjectKey:
    """Request of `ReadObjectState`."""
    return requests.read_object_key(message)


def encode_object_state(state: Payload) -> client_pb2.ReadObjectStateReply:
    """Reply of `ReadObjectState`."""
    message = client_pb2.ReadObjectStateReply()
    _made(message.state, fill_payload, state)
    return message


def decode_object_state(message: client_pb2.ReadObjectStateReply) -> Payload:
    """Reply of `ReadObjectState`."""
    return read_payload(message.state)


def encode_task_request(request: TaskRequest) -> client_pb2.TaskRequest:
    """Request of `UpdateTasks`."""
    return _made(client_pb2.TaskRequest(), tasks.fill_task_request, request)


def encode_task_reply(reply: TaskReply) -> client_pb2.TaskReply:
    """Reply of `UpdateTasks`."""
    return _made(client_pb2.TaskReply(), tasks.fill_task_reply, reply)


def encode_claim_request(request: ClaimRequest) -> client_pb2.ClaimRequest:
    """Request of `ClaimTask`."""
    return _made(client_pb2.ClaimRequest(), tasks.fill_claim_request, request)


def encode_claim_reply(reply: ClaimReply) -> client_pb2.ClaimReply:
    """Reply of `ClaimTask`."""
    return _made(client_pb2.ClaimReply(), tasks.fill_claim_reply, reply)


# --- sessions -------------------------------------------------------------------------------------


def _fill_keyed(
    message: requests.KeyMessage, request: DescribeRequest | WaitRequest | ReadStateRequest
) -> None:
    requests.fill_key(message, request.key)


def _fill_nothing(message: client_pb2.Abandon, request: Abandon) -> None:
    """Its presence is all."""


REQUESTS: Final = KindTable(
    "client request",
    "request",
    (
        Kind("start", StartRequest, requests.fill_start_request, requests.read_start_request),
        Kind("wait", WaitRequest, _fill_keyed, lambda part: WaitRequest(requests.read_key(part))),
        Kind(
            "describe",
            DescribeRequest,
            _fill_keyed,
            lambda part: DescribeRequest(requests.read_key(part)),
        ),
        Kind("list", ListRequest, requests.fill_list_request, requests.read_list_request),
        Kind(
            "control", ControlRequest, requests.fill_control_request, requests.read_control_request
        ),
        Kind(
            "read_state",
            ReadStateRequest,
            _fill_keyed,
            lambda part: ReadStateRequest(requests.read_key(part)),
        ),
        Kind(
            "read_object_state",
            ReadObjectStateRequest,
            lambda part, request: requests.fill_object_key(part, request.key),
            lambda part: ReadObjectStateRequest(requests.read_object_key(part)),
        ),
        Kind(
            "schedule",
            ScheduleRequest,
            schedules.fill_schedule_request,
            schedules.read_schedule_request,
        ),
        Kind("abandon", Abandon, _fill_nothing, lambda _: Abandon()),
        Kind(
            "send_event",
            SendEventRequest,
            events.fill_send_event_request,
            events.read_send_event_request,
        ),
        Kind(
            "settle_promise",
            SettlePromiseRequest,
            events.fill_settle_request,
            events.read_settle_request,
        ),
        Kind("update_tasks", TaskRequest, tasks.fill_task_request, tasks.read_task_request),
        Kind("claim_task", ClaimRequest, tasks.fill_claim_request, tasks.read_claim_request),
    ),
)

REPLIES: Final = KindTable(
    "client reply",
    "reply",
    (
        Kind("start", StartReply, replies.fill_start_reply, replies.read_start_reply),
        Kind("outcome", Outcome, replies.fill_outcome_reply, replies.read_outcome_reply),
        Kind("description", Description, replies.fill_description, replies.read_description),
        Kind("list", ListReply, replies.fill_list_reply, replies.read_list_reply),
        Kind("control", ControlReply, replies.fill_control_reply, replies.read_control_reply),
        Kind(
            "read_state",
            StateValues,
            lambda part, value: replies.fill_state(part, value.values),
            lambda part: StateValues(replies.read_state(part)),
        ),
        Kind(
            "read_object_state",
            ObjectState,
            lambda part, value: fill_payload(part.state, value.state),
            lambda part: ObjectState(read_payload(part.state)),
        ),
        Kind(
            "send_event",
            SendEventReply,
            events.fill_send_event_reply,
            events.read_send_event_reply,
        ),
        Kind(
            "settle_promise",
            SettlePromiseReply,
            events.fill_settle_reply,
            events.read_settle_reply,
        ),
        Kind(
            "schedule",
            ScheduleReply,
            schedules.fill_schedule_reply,
            schedules.read_schedule_reply,
        ),
        Kind("update_tasks", TaskReply, tasks.fill_task_reply, tasks.read_task_reply),
        Kind("claim_task", ClaimReply, tasks.fill_claim_reply, tasks.read_claim_reply),
        Kind("error", PerdureError, fill_error, read_error),
    ),
)


def encode_client_frame(numbered: Iterable[tuple[int, ClientRequest]]) -> ClientFrame:
    """One frame of numbered requests."""
    frame = ClientFrame()
    for number, request in numbered:
        message = frame.requests.add()
        message.number = number
        REQUESTS.fill(message, request)
    return frame


def decode_client_frame(frame: ClientFrame) -> list[tuple[int, ClientRequest | PerdureError]]:
    """The numbered requests of a frame.

    A request that cannot be read comes as the error to answer it with; the others stay good.
    """
    return [(message.number, _read_request(message)) for message in frame.requests]


def _read_request(message: client_pb2.ClientRequest) -> ClientRequest | PerdureError:
    try:
        return cast("ClientRequest", REQUESTS.read(message))
    except PerdureError as error:
        return error


def encode_reply_frame(
    numbered: Sequence[tuple[int, ClientReply | BaseException]],
) -> ClientReplyFrame:
    """One frame of replies, each with the number of its request; any error is a reply too."""
    frame = ClientReplyFrame()
    for number, reply in numbered:
        message = frame.replies.add()
        message.number = number
        if isinstance(reply, BaseException):
            fill_error(message.error, reply)
        else:
            REPLIES.fill(message, reply)
    return frame


def decode_reply_frame(frame: ClientReplyFrame) -> list[tuple[int, ClientReply]]:
    """The numbered replies of a frame; errors are values here, the caller raises them."""
    return [(message.number, REPLIES.read(message)) for message in frame.replies]
