"""Every RPC of `perdure.v1`: its path, and its request and reply between values and bytes.

Both sides register and call methods from this table with bytes on the gRPC level, so that what
cannot be encoded or read becomes an error of ours instead of one of gRPC's. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from google.protobuf.message import Message

from perdure_proto.v1 import admin_pb2, client_pb2
from perdure_runtime.core.client import (
    ClaimReply,
    ClaimRequest,
    ControlReply,
    ControlRequest,
    Description,
    ListReply,
    ListRequest,
    MethodInfo,
    Outcome,
    SendEventReply,
    SendEventRequest,
    SettlePromiseReply,
    SettlePromiseRequest,
    StartReply,
    StartRequest,
    TaskReply,
    TaskRequest,
    WorkerInfo,
)
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.payload import Payload
from perdure_runtime.core.schedules import ScheduleReply, ScheduleRequest
from perdure_runtime.wire.v1 import admin, client, events, tasks
from perdure_runtime.wire.v1.client_requests import HistoryRequest
from perdure_runtime.wire.v1.streams import parse

Request = TypeVar("Request")
Reply = TypeVar("Reply")
_Q = TypeVar("_Q", bound=Message)
_R = TypeVar("_R", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Request, Reply]):
    """One method. The encoders raise SerializationError, the decoders ProtocolError."""

    service: str
    name: str
    encode_request: Callable[[Request], bytes]
    decode_request: Callable[[bytes], Request]
    encode_reply: Callable[[Reply], bytes]
    decode_reply: Callable[[bytes], Reply]

    @property
    def path(self) -> str:
        """Its name on the wire."""
        return f"/{self.service}/{self.name}"


def _rpc(
    service: str,
    name: str,
    request: Callable[[bytes], _Q],
    request_pair: tuple[Callable[[Request], _Q], Callable[[_Q], Request]],
    reply: Callable[[bytes], _R],
    reply_pair: tuple[Callable[[Reply], _R], Callable[[_R], Reply]],
) -> Rpc[Request, Reply]:
    encode_request, decode_request = request_pair
    encode_reply, decode_reply = reply_pair
    return Rpc(
        service,
        name,
        lambda value: encode_request(value).SerializeToString(),
        lambda data: decode_request(parse(request, data)),
        lambda value: encode_reply(value).SerializeToString(),
        lambda data: decode_reply(parse(reply, data)),
    )


WORKER_SERVICE: Final = "perdure.v1.WorkerService"
CLIENT_SERVICE: Final = "perdure.v1.ClientService"
ADMIN_SERVICE: Final = "perdure.v1.AdminService"

# Streams whose frames `perdure_runtime.wire.v1.streams` makes and reads.
WORKER_SESSION: Final = f"/{WORKER_SERVICE}/Session"
CLIENT_SESSION: Final = f"/{CLIENT_SERVICE}/Session"

START: Final[Rpc[StartRequest, StartReply]] = _rpc(
    CLIENT_SERVICE,
    "Start",
    client_pb2.StartRequest.FromString,
    (client.encode_start_request, client.decode_start_request),
    client_pb2.StartReply.FromString,
    (client.encode_start_reply, client.decode_start_reply),
)
START_BATCH: Final[Rpc[list[StartRequest], list[StartReply | PerdureError]]] = _rpc(
    CLIENT_SERVICE,
    "StartBatch",
    client_pb2.StartBatchRequest.FromString,
    (client.encode_start_batch, client.decode_start_batch),
    client_pb2.StartBatchReply.FromString,
    (client.encode_start_batch_reply, client.decode_start_batch_reply),
)
DESCRIBE: Final[Rpc[ExecutionKey, Description]] = _rpc(
    CLIENT_SERVICE,
    "Describe",
    client_pb2.DescribeRequest.FromString,
    (client.encode_describe_request, client.decode_describe_request),
    client_pb2.Description.FromString,
    (client.encode_description, client.decode_description),
)
# A stream of replies; None is a keepalive.
WAIT: Final[Rpc[ExecutionKey, Outcome | None]] = _rpc(
    CLIENT_SERVICE,
    "Wait",
    client_pb2.WaitRequest.FromString,
    (client.encode_wait_request, client.decode_wait_request),
    client_pb2.WaitReply.FromString,
    (client.encode_wait_reply, client.decode_wait_reply),
)
LIST: Final[Rpc[ListRequest, ListReply]] = _rpc(
    CLIENT_SERVICE,
    "List",
    client_pb2.ListRequest.FromString,
    (client.encode_list_request, client.decode_list_request),
    client_pb2.ListReply.FromString,
    (client.encode_list_reply, client.decode_list_reply),
)
CONTROL: Final[Rpc[ControlRequest, ControlReply]] = _rpc(
    CLIENT_SERVICE,
    "Control",
    client_pb2.ControlRequest.FromString,
    (client.encode_control_request, client.decode_control_request),
    client_pb2.ControlReply.FromString,
    (client.encode_control_reply, client.decode_control_reply),
)
SCHEDULE: Final[Rpc[ScheduleRequest, ScheduleReply]] = _rpc(
    CLIENT_SERVICE,
    "Schedule",
    client_pb2.ScheduleRequest.FromString,
    (client.encode_schedule_request, client.decode_schedule_request),
    client_pb2.ScheduleReply.FromString,
    (client.encode_schedule_reply, client.decode_schedule_reply),
)
READ_STATE: Final[Rpc[ExecutionKey, dict[str, Payload]]] = _rpc(
    CLIENT_SERVICE,
    "ReadState",
    client_pb2.ReadStateRequest.FromString,
    (client.encode_read_state_request, client.decode_read_state_request),
    client_pb2.ReadStateReply.FromString,
    (client.encode_state, client.decode_state),
)
READ_OBJECT_STATE: Final[Rpc[ObjectKey, Payload]] = _rpc(
    CLIENT_SERVICE,
    "ReadObjectState",
    client_pb2.ReadObjectStateRequest.FromString,
    (client.encode_object_request, client.decode_object_request),
    client_pb2.ReadObjectStateReply.FromString,
    (client.encode_object_state, client.decode_object_state),
)
SEND_EVENT: Final[Rpc[SendEventRequest, SendEventReply]] = _rpc(
    CLIENT_SERVICE,
    "SendEvent",
    client_pb2.SendEventRequest.FromString,
    (client.encode_send_event, events.read_send_event_request),
    client_pb2.SendEventReply.FromString,
    (client.encode_send_event_reply, events.read_send_event_reply),
)
SETTLE_PROMISE: Final[Rpc[SettlePromiseRequest, SettlePromiseReply]] = _rpc(
    CLIENT_SERVICE,
    "SettlePromise",
    client_pb2.SettlePromiseRequest.FromString,
    (client.encode_settle_promise, events.read_settle_request),
    client_pb2.SettlePromiseReply.FromString,
    (client.encode_settle_reply, events.read_settle_reply),
)
CLAIM_TASK: Final[Rpc[ClaimRequest, ClaimReply]] = _rpc(
    CLIENT_SERVICE,
    "ClaimTask",
    client_pb2.ClaimRequest.FromString,
    (client.encode_claim_request, tasks.read_claim_request),
    client_pb2.ClaimReply.FromString,
    (client.encode_claim_reply, tasks.read_claim_reply),
)
UPDATE_TASKS: Final[Rpc[TaskRequest, TaskReply]] = _rpc(
    CLIENT_SERVICE,
    "UpdateTasks",
    client_pb2.TaskRequest.FromString,
    (client.encode_task_request, tasks.read_task_request),
    client_pb2.TaskReply.FromString,
    (client.encode_task_reply, tasks.read_task_reply),
)

LIST_WORKERS: Final[Rpc[str, list[WorkerInfo]]] = _rpc(
    ADMIN_SERVICE,
    "ListWorkers",
    admin_pb2.ListWorkersRequest.FromString,
    (admin.encode_list_workers_request, admin.decode_namespace),
    admin_pb2.ListWorkersReply.FromString,
    (admin.encode_workers, admin.decode_workers),
)
LIST_SERVICES: Final[Rpc[str, list[MethodInfo]]] = _rpc(
    ADMIN_SERVICE,
    "ListServices",
    admin_pb2.ListServicesRequest.FromString,
    (admin.encode_list_services_request, admin.decode_namespace),
    admin_pb2.ListServicesReply.FromString,
    (admin.encode_methods, admin.decode_methods),
)
STATS: Final[Rpc[None, dict[str, float]]] = _rpc(
    ADMIN_SERVICE,
    "Stats",
    admin_pb2.StatsRequest.FromString,
    (lambda _: admin.encode_stats_request(), lambda _: None),
    admin_pb2.StatsReply.FromString,
    (admin.encode_stats, admin.decode_stats),
)

HISTORY_PATH: Final = f"/{CLIENT_SERVICE}/History"

WATCH_PATH: Final = f"/{CLIENT_SERVICE}/Watch"


def encode_watch_request(key: ExecutionKey) -> bytes:
    """Request of `Watch`; its answers are in `perdure_runtime.wire.v1.streams`."""
    return client.encode_describe_request(key).SerializeToString()


def decode_watch_request(data: bytes) -> ExecutionKey:
    """Request of `Watch`; raises ProtocolError."""
    return client.decode_describe_request(parse(client_pb2.DescribeRequest.FromString, data))


def encode_history_request(request: HistoryRequest) -> bytes:
    """Request of `History`; its pages are in `perdure_runtime.wire.v1.streams`."""
    return client.encode_history_request(request).SerializeToString()


def decode_history_request(data: bytes) -> HistoryRequest:
    """Request of `History`; raises ProtocolError."""
    return client.decode_history_request(parse(client_pb2.HistoryRequest.FromString, data))
