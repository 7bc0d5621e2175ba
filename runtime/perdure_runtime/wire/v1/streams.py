"""Frames of sessions as bytes: what stream shells write and read.

Every frame has one repeated field, so the bytes of two frames joined are the frame with the
messages of both. Shells therefore queue encoded chunks, know their exact sizes, and join what piled
up into one frame. Does no I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from msgspec.structs import replace

from perdure_proto.v1 import client_pb2
from perdure_runtime.core.client import Description
from perdure_runtime.core.entries import Recorded
from perdure_runtime.core.errors import LimitExceededError, PerdureError, ProtocolError
from perdure_runtime.core.limits import MAX_FRAME_BYTES
from perdure_runtime.core.messages import (
    Activate,
    Adopt,
    Append,
    CoordinatorMessage,
    Entries,
    Journal,
    WorkerMessage,
)
from perdure_runtime.wire.v1 import client, frames

CHUNK_BYTES: Final = MAX_FRAME_BYTES // 4
"""A chunk is larger than this only when it is a single message that cannot be divided."""

JOINED_BYTES: Final = 1024 * 1024
"""Small things leave together up to here: receivers with gRPC's default limit (4 MiB) take it."""

M = TypeVar("M")
_F = TypeVar("_F", bound=Message)


def join(chunks: deque[bytes], limit_bytes: int = JOINED_BYTES) -> bytes:
    """Take chunks from the left that fit into one frame, at least one; returns the frame."""
    first = chunks.popleft()
    if not chunks:
        return first
    taken, size_bytes = [first], len(first)
    while chunks and size_bytes + len(chunks[0]) <= limit_bytes:
        chunk = chunks.popleft()
        size_bytes += len(chunk)
        taken.append(chunk)
    return b"".join(taken)


def parse(read: Callable[[bytes], _F], data: bytes) -> _F:
    """A protobuf message; `read` is its class' `FromString`.

    Raises:
        ProtocolError: the bytes are no such message.
    """
    try:
        return read(data)
    except DecodeError as error:
        raise ProtocolError(f"a message of {len(data)} bytes cannot be read: {error}") from None


# --- worker sessions ------------------------------------------------------------------------------


def worker_chunks(messages: Sequence[WorkerMessage]) -> list[bytes]:
    """Messages for the coordinator.

    Raises:
        LimitExceededError: one message is larger than a frame and cannot be divided.
        SerializationError: a field has no form on the wire.
    """
    return _chunks(messages, frames.encode_worker_frame, _divided_worker_message)


def coordinator_chunks(messages: Sequence[CoordinatorMessage]) -> list[bytes]:
    """Messages for a worker; raises as `worker_chunks`."""
    return _chunks(messages, frames.encode_coordinator_frame, _divided_coordinator_message)


def read_worker_frame(data: bytes) -> list[WorkerMessage]:
    """The messages of a frame; raises ProtocolError, and then nothing of it may be used."""
    return frames.decode_worker_frame(parse(frames.WorkerFrame.FromString, data))


def read_coordinator_frame(data: bytes) -> list[CoordinatorMessage]:
    """The messages of a frame; raises ProtocolError, and then nothing of it may be used."""
    return frames.decode_coordinator_frame(parse(frames.CoordinatorFrame.FromString, data))


def _chunks(
    messages: Sequence[M],
    encode: Callable[[Sequence[M]], Message],
    divide: Callable[[M], tuple[M, M] | None],
) -> list[bytes]:
    frame = encode(messages)
    size_bytes = frame.ByteSize()
    if size_bytes <= CHUNK_BYTES:
        return [frame.SerializeToString()] if size_bytes else []
    if len(messages) == 1:
        parts = divide(messages[0])
        if parts is None:
            if size_bytes > MAX_FRAME_BYTES:
                raise LimitExceededError(
                    f"a message of kind {type(messages[0]).__name__} has {size_bytes} bytes; "
                    f"the limit of a frame is {MAX_FRAME_BYTES}"
                )
            return [frame.SerializeToString()]
        halves: list[Sequence[M]] = [[parts[0]], [parts[1]]]
    else:
        middle = len(messages) // 2
        halves = [messages[:middle], messages[middle:]]
    return list(chain.from_iterable(_chunks(half, encode, divide) for half in halves))


def _divided_worker_message(message: WorkerMessage) -> tuple[WorkerMessage, WorkerMessage] | None:
    if not isinstance(message, Append) or len(message.commands) < 2:
        return None
    middle = len(message.commands) // 2
    first = Append(message.epoch, message.base, message.consumed, message.commands[:middle])
    rest = replace(message, base=message.base + middle, commands=message.commands[middle:])
    return first, rest


def _divided_coordinator_message(
    message: CoordinatorMessage,
) -> tuple[CoordinatorMessage, CoordinatorMessage] | None:
    """Two messages that say the same, one after the other."""
    match message:
        case Activate() | Journal() if len(message.entries) > 1:
            first, rest = _halves(message.entries)
            page = Journal(message.epoch, rest, message.more)
            return replace(message, entries=first, more=True), page
        case Entries() | Adopt() if len(message.items) > 1:
            middle = len(message.items) // 2
            first_items = replace(message, items=message.items[:middle])
            return first_items, Entries(message.epoch, message.items[middle:])
        case _:
            return None


def _halves(entries: tuple[Recorded, ...]) -> tuple[tuple[Recorded, ...], tuple[Recorded, ...]]:
    middle = len(entries) // 2
    return entries[:middle], entries[middle:]


# --- client sessions ------------------------------------------------------------------------------


def request_chunk(number: int, request: client.ClientRequest) -> bytes:
    """A numbered request.

    Raises:
        LimitExceededError: it is larger than a frame.
        SerializationError: a field has no form on the wire.
    """
    return _within_a_frame(client.encode_client_frame([(number, request)]).SerializeToString())


def reply_chunk(number: int, reply: client.ClientReply | BaseException) -> bytes:
    """A numbered reply; one that is larger than a frame becomes the error that says so."""
    chunk = client.encode_reply_frame([(number, reply)]).SerializeToString()
    try:
        return _within_a_frame(chunk)
    except LimitExceededError as error:
        return client.encode_reply_frame([(number, error)]).SerializeToString()


def read_client_frame(data: bytes) -> list[tuple[int, client.ClientRequest | PerdureError]]:
    """Numbered requests; one that cannot be read comes as its error.

    Raises:
        ProtocolError: the bytes are no frame.
    """
    return client.decode_client_frame(parse(client_pb2.ClientFrame.FromString, data))


def read_reply_frame(data: bytes) -> list[tuple[int, client.ClientReply]]:
    """Numbered replies; raises ProtocolError."""
    return client.decode_reply_frame(parse(client_pb2.ClientReplyFrame.FromString, data))


def history_chunk(entry: Recorded) -> bytes:
    """A page of a journal with one entry; pages join like frames."""
    return client.encode_history_page([entry]).SerializeToString()


def read_history_page(data: bytes) -> tuple[Recorded, ...]:
    """The entries of a page; raises ProtocolError."""
    return client.decode_history_page(parse(client_pb2.HistoryPage.FromString, data))


def watch_chunk(description: Description) -> bytes:
    """An answer of `Watch` with one state; answers join like frames."""
    return client.encode_watch_reply(description).SerializeToString()


def read_watch_reply(data: bytes) -> Description | None:
    """The newest state of an answer; raises ProtocolError."""
    return client.decode_watch_reply(parse(client_pb2.WatchReply.FromString, data))


def _within_a_frame(chunk: bytes) -> bytes:
    if len(chunk) > MAX_FRAME_BYTES:
        raise LimitExceededError(
            f"the message has {len(chunk)} bytes; the limit is {MAX_FRAME_BYTES}. "
            "Store large values elsewhere and pass references."
        )
    return chunk
