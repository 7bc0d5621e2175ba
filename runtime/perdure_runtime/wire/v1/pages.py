"""Pages of a journal on their way from a store to a worker, entries unread.

What a store keeps of an entry is what the wire says of it, but for its index and time
(`encode_entry`): a replay of thousands of entries costs the coordinator a copy of their bytes each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

from google.protobuf.message import DecodeError
from msgspec import Struct
from msgspec.structs import replace

from perdure_proto.v1 import worker_pb2
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import ProtocolError
from perdure_runtime.core.messages import Activate, Journal
from perdure_runtime.wire.v1.entries import decode_entry
from perdure_runtime.wire.v1.frames import CoordinatorFrame, encode_coordinator_frame

_Page: TypeAlias = worker_pb2.Activate | worker_pb2.Journal


class Unread(Protocol):
    """An entry as a store keeps it."""

    @property
    def index(self) -> int: ...

    @property
    def time_ms(self) -> int: ...

    @property
    def data(self) -> bytes: ...


class StoredPage(Struct, frozen=True):
    """`head` is the message without its entries; `entries` are as a store keeps them."""

    head: Activate | Journal
    entries: Sequence[Unread]

    def opened(self) -> Activate | Journal:
        """The message with its entries read, for links without a wire.

        Raises:
            ProtocolError: an entry is damaged or of a kind not known here.
        """
        read = (Recorded(e.index, e.time_ms, decode_entry(e.data)) for e in self.entries)
        return replace(self.head, entries=tuple(read))

    def encoded(self) -> bytes:
        """A frame with the message.

        Raises:
            ProtocolError: an entry is damaged.
        """
        frame: CoordinatorFrame = encode_coordinator_frame([self.head])
        message = frame.messages[0]
        page: _Page = message.activate if isinstance(self.head, Activate) else message.journal
        for stored in self.entries:
            entry = page.entries.add()
            try:
                entry.MergeFromString(stored.data)
            except DecodeError as error:
                raise ProtocolError(f"a stored journal entry cannot be read: {error}") from error
            entry.index = stored.index
            entry.time_ms = stored.time_ms
        return frame.SerializeToString()
