"""Frames of worker sessions: batches of messages, both ways.

The values are those of `perdure_runtime.core.messages`; shells (the SDK's session, the service of
the coordinator) see only them. Frames are parsed and serialized by gRPC. Does no I/O and keeps no
protobuf message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from perdure_proto.v1 import worker_pb2
from perdure_runtime.core import messages as core
from perdure_runtime.core.messages import CoordinatorMessage, WorkerMessage
from perdure_runtime.wire.v1 import coordinator_messages as coordinator
from perdure_runtime.wire.v1 import worker_messages as worker
from perdure_runtime.wire.v1.kinds import Kind, KindTable

WorkerFrame = worker_pb2.WorkerFrame
CoordinatorFrame = worker_pb2.CoordinatorFrame

WORKER_MESSAGES: Final = KindTable(
    "worker message",
    "message",
    (
        Kind("append", core.Append, worker.fill_append, worker.read_append),
        Kind("finish", core.Finish, worker.fill_finish, worker.read_finish),
        Kind("heartbeat", core.Heartbeat, worker.fill_heartbeat, worker.read_heartbeat),
        Kind("release", core.Release, worker.fill_release, worker.read_release),
        Kind("mismatch", core.Mismatch, worker.fill_mismatch, worker.read_mismatch),
        Kind("hello", core.Hello, worker.fill_hello, worker.read_hello),
        Kind("drain", core.DrainWorker, worker.fill_drain_worker, worker.read_drain_worker),
    ),
)

COORDINATOR_MESSAGES: Final = KindTable(
    "coordinator message",
    "message",
    (
        Kind("entries", core.Entries, coordinator.fill_entries, coordinator.read_entries),
        Kind("activate", core.Activate, coordinator.fill_activate, coordinator.read_activate),
        Kind("heartbeat", core.Heartbeat, worker.fill_heartbeat, worker.read_heartbeat),
        Kind("evict", core.Evict, coordinator.fill_evict, coordinator.read_evict),
        Kind("journal", core.Journal, coordinator.fill_journal_page, coordinator.read_journal_page),
        Kind("welcome", core.Welcome, coordinator.fill_welcome, coordinator.read_welcome),
        Kind("adopt", core.Adopt, coordinator.fill_adopt, coordinator.read_adopt),
        Kind(
            "drain",
            core.DrainCoordinator,
            coordinator.fill_drain_coordinator,
            coordinator.read_drain_coordinator,
        ),
        Kind("refused", core.Refused, coordinator.fill_refused, coordinator.read_refused),
    ),
)


def encode_worker_frame(messages: Iterable[WorkerMessage]) -> WorkerFrame:
    """One frame with the messages in order.

    Raises:
        ProtocolError: a message is of no known kind.
        SerializationError: a field has no form on the wire.
    """
    frame = WorkerFrame()
    for message in messages:
        WORKER_MESSAGES.fill(frame.messages.add(), message)
    return frame


def decode_worker_frame(frame: WorkerFrame) -> list[WorkerMessage]:
    """The messages of a frame in order.

    Raises:
        ProtocolError: a message or an entry is of a kind not known here; nothing of the frame may
            be used then.
    """
    return [WORKER_MESSAGES.read(message) for message in frame.messages]


def encode_coordinator_frame(messages: Iterable[CoordinatorMessage]) -> CoordinatorFrame:
    """One frame with the messages in order; raises as `encode_worker_frame`."""
    frame = CoordinatorFrame()
    for message in messages:
        COORDINATOR_MESSAGES.fill(frame.messages.add(), message)
    return frame


def decode_coordinator_frame(frame: CoordinatorFrame) -> list[CoordinatorMessage]:
    """The messages of a frame in order; raises as `decode_worker_frame`."""
    return [COORDINATOR_MESSAGES.read(message) for message in frame.messages]
