"""Watches what the coordinator tells workers and clients, and compares it with the disk.

Looked at when it is sent, so nothing that is not on disk by then may be in it (I2). Epochs are
issued once (I3), and news of an execution leaves no gap (I9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from perdure_runtime.core.client import Outcome, StartReply, StartRequest
from perdure_runtime.core.entries import ExecutionEnded, Recorded
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.messages import Ack, Activate, Adopt, Entries, Journal
from perdure_runtime.memory import NO_ENTRIES, MemoryDisk
from perdure_runtime.wire.v1.client import ClientReply, ClientRequest
from perdure_runtime.wire.v1.client_requests import WaitRequest
from perdure_runtime.wire.v1.entries import decode_entry
from perdure_runtime.wire.v1.rpc import CLIENT_SESSION
from perdure_runtime.wire.v1.streams import (
    read_client_frame,
    read_coordinator_frame,
    read_reply_frame,
)

if TYPE_CHECKING:
    from perdure.testing.simulator.network import Wire


class Observer:
    """See the module.

    Args:
        disk: of the run.
        failures: gets what is wrong.
    """

    def __init__(self, disk: Callable[[], MemoryDisk], failures: list[str]) -> None:
        self._disk = disk
        self._failures = failures
        self._keys: dict[int, ExecutionKey] = {}  # by epoch
        self._next: dict[int, int] = {}  # index of the entry that an epoch is told next
        self._asked: dict[tuple[int, int], ClientRequest] = {}  # by wire and number

    def __call__(self, wire: Wire, by_handler: bool, data: bytes) -> None:
        """A message is sent."""
        if wire.is_session and by_handler:
            for message in read_coordinator_frame(data):
                match message:
                    case Activate():
                        self._granted(message)
                    case Adopt():
                        self._adopted(message)
                    case Journal(epoch=epoch, entries=entries):
                        self._told(epoch, entries)
                    case Entries(epoch=epoch, items=items):
                        self._told(epoch, items)
                    case _:
                        pass
        elif wire.path == CLIENT_SESSION and by_handler:
            for number, reply in read_reply_frame(data):
                self._answered(self._asked.pop((wire.number, number), None), reply)
        elif wire.path == CLIENT_SESSION:
            for number, request in read_client_frame(data):
                if not isinstance(request, PerdureError):
                    self._asked[wire.number, number] = request

    # --- workers -------------------------------------------------------------------------------

    def _granted(self, activate: Activate) -> None:
        self._issued(activate.epoch, activate.key)
        first = activate.entries[0].index if activate.entries else 0
        self._next[activate.epoch] = first
        self._told(activate.epoch, activate.entries)

    def _adopted(self, adopt: Adopt) -> None:
        key = self._keys.get(adopt.old_epoch)
        if key is None:
            self._failures.append(f"I3: epoch {adopt.old_epoch} is adopted and was never issued")
            return
        self._issued(adopt.epoch, key)
        self._told(adopt.epoch, adopt.items)

    def _issued(self, epoch: int, key: ExecutionKey) -> None:
        if epoch in self._keys:
            self._failures.append(f"I3: epoch {epoch} is issued twice, to {key.id} now")
        self._keys[epoch] = key

    def _told(self, epoch: int, items: Iterable[Ack | Recorded]) -> None:
        key = self._keys.get(epoch)
        if key is None:
            return  # of an activation that was taken back before it was told
        disk = self._disk()
        journal, end = disk.journals.get(key, []), disk.ends.get(key, NO_ENTRIES)
        for item in items:
            first = item.index if isinstance(item, Recorded) else item.first_index
            count = 1 if isinstance(item, Recorded) else item.count
            if first + count > end.length:
                self._failures.append(
                    f"I2: {key.id}: entry {first + count - 1} is told and not on disk"
                )
                return
            if first != self._next.get(epoch, first):
                self._failures.append(
                    f"I9: {key.id}: entry {first} is told after {self._next[epoch] - 1}"
                )
            self._next[epoch] = first + count
            if isinstance(item, Recorded) and first >= end.first:
                stored = journal[first - end.first]
                if stored.time_ms != item.time_ms or decode_entry(stored.data) != item.entry:
                    self._failures.append(f"I2: {key.id}: entry {first} is another one on disk")

    # --- clients -------------------------------------------------------------------------------

    def _answered(self, request: ClientRequest | None, reply: ClientReply) -> None:
        disk = self._disk()
        if isinstance(request, StartRequest) and isinstance(reply, StartReply):
            if ExecutionKey(request.namespace, request.id) not in disk.rows:
                self._failures.append(f"I2: the start of {request.id} is told and not on disk")
        elif isinstance(request, WaitRequest) and isinstance(reply, Outcome):
            journal = disk.journals.get(request.key, [])
            if not any(isinstance(decode_entry(e.data), ExecutionEnded) for e in journal[::-1]):
                self._failures.append(f"I2: the end of {request.key.id} is told and not on disk")


__all__ = ["Observer"]
