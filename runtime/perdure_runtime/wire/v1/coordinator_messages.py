"""What the coordinator says to workers, between core and protobuf: a pair of functions per kind.

`perdure_runtime.wire.v1.frames` has the table that these pairs stand in.
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from perdure_proto.v1 import worker_pb2
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import (
    Ack,
    Activate,
    Adopt,
    DrainCoordinator,
    Entries,
    Evict,
    Journal,
    Refused,
    Welcome,
)
from perdure_runtime.wire.v1.entries import (
    fill_journal,
    fill_recorded,
    read_journal,
    read_recorded,
)
from perdure_runtime.wire.v1.options import (
    DEFAULT_NAMESPACE,
    fill_progress,
    fill_target,
    read_progress,
    read_target,
)
from perdure_runtime.wire.v1.payload import wire_text

_Deliveries = RepeatedCompositeFieldContainer[worker_pb2.Delivery]


def fill_welcome(message: worker_pb2.Welcome, welcome: Welcome) -> None:
    """Write a `Welcome`."""
    message.session_id = welcome.session_id
    message.protocol = welcome.protocol
    message.coordinator_id = welcome.coordinator_id
    message.lease_ms = welcome.lease_ms
    message.resume_ms = welcome.resume_ms
    message.server_time_ms = welcome.server_time_ms


def read_welcome(message: worker_pb2.Welcome) -> Welcome:
    """The `Welcome` in `message`."""
    return Welcome(
        message.session_id,
        message.protocol,
        message.coordinator_id,
        message.lease_ms,
        message.resume_ms,
        message.server_time_ms,
    )


def fill_activate(message: worker_pb2.Activate, activate: Activate) -> None:
    """Write an `Activate`."""
    message.epoch = activate.epoch
    message.namespace, message.id = activate.key
    message.run = activate.run
    message.attempt = activate.attempt
    fill_target(message.target, activate.target)
    message.kind = activate.kind
    fill_journal(message.entries, activate.entries)
    message.more = activate.more
    message.patches.extend(activate.patches)
    fill_progress(message.progress, activate.progress)


def read_activate(message: worker_pb2.Activate) -> Activate:
    """The `Activate` in `message`."""
    return Activate(
        message.epoch,
        ExecutionKey(message.namespace or DEFAULT_NAMESPACE, message.id),
        message.run,
        message.attempt,
        read_target(message.target),
        message.kind,
        read_journal(message.entries),
        message.more,
        tuple(message.patches),
        read_progress(message.progress) if message.HasField("progress") else None,
    )


def fill_journal_page(message: worker_pb2.Journal, page: Journal) -> None:
    """Write a further page of a journal."""
    message.epoch = page.epoch
    fill_journal(message.entries, page.entries)
    message.more = page.more


def read_journal_page(message: worker_pb2.Journal) -> Journal:
    """The page in `message`."""
    return Journal(message.epoch, read_journal(message.entries), message.more)


def _fill_deliveries(messages: _Deliveries, items: Iterable[Ack | Recorded]) -> None:
    for item in items:
        message = messages.add()
        if isinstance(item, Ack):
            ack = message.ack
            ack.first_index = item.first_index
            ack.count = item.count
            ack.time_ms = item.time_ms
        else:
            fill_recorded(message.entry, item)


def _read_delivery(message: worker_pb2.Delivery) -> Ack | Recorded:
    which = message.WhichOneof("item")
    if which == "ack":
        ack = message.ack
        return Ack(ack.first_index, ack.count, ack.time_ms)
    if which == "entry":
        return read_recorded(message.entry)
    raise ProtocolError("a delivery is neither an acknowledgement nor an entry; upgrade Perdure")


def fill_entries(message: worker_pb2.Entries, entries: Entries) -> None:
    """Write news for a cached execution."""
    message.epoch = entries.epoch
    _fill_deliveries(message.items, entries.items)


def read_entries(message: worker_pb2.Entries) -> Entries:
    """The news in `message`."""
    return Entries(message.epoch, tuple(map(_read_delivery, message.items)))


def fill_adopt(message: worker_pb2.Adopt, adopt: Adopt) -> None:
    """Write an `Adopt`."""
    message.old_epoch = adopt.old_epoch
    message.epoch = adopt.epoch
    _fill_deliveries(message.items, adopt.items)


def read_adopt(message: worker_pb2.Adopt) -> Adopt:
    """The `Adopt` in `message`."""
    return Adopt(message.old_epoch, message.epoch, tuple(map(_read_delivery, message.items)))


def fill_evict(message: worker_pb2.Evict, evict: Evict) -> None:
    """Write an `Evict`."""
    message.epoch = evict.epoch
    message.reason = wire_text(evict.reason)


def read_evict(message: worker_pb2.Evict) -> Evict:
    """The `Evict` in `message`."""
    return Evict(message.epoch, message.reason)


def fill_drain_coordinator(message: worker_pb2.DrainCoordinator, drain: DrainCoordinator) -> None:
    """Write a `DrainCoordinator`: its presence is all."""


def read_drain_coordinator(message: worker_pb2.DrainCoordinator) -> DrainCoordinator:
    """The `DrainCoordinator` in `message`."""
    return DrainCoordinator()


def fill_refused(message: worker_pb2.Refused, refused: Refused) -> None:
    """Write a `Refused`."""
    message.code = refused.code
    message.message = wire_text(refused.message)


def read_refused(message: worker_pb2.Refused) -> Refused:
    """The `Refused` in `message`."""
    return Refused(message.code, message.message)
