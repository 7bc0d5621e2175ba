"""One gRPC stream of a worker: a queue that leaves in few frames, and a blocking reader.

gRPC's blocking API is used because its asyncio API serves one event loop per process well, and that
loop is the client's. gRPC's own thread takes the frames: while it sends one, the next gathers. It
also keeps the heartbeats, and gives up on a coordinator that is silent for longer than a lease.
Does not reconnect.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, cast

import grpc

from perdure.client.endpoint import OPTIONS, REFUSALS, Endpoint, error_of
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    PerdureError,
    ProtocolError,
)
from perdure_runtime.core.messages import (
    CoordinatorMessage,
    DrainCoordinator,
    Heartbeat,
    Refused,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.failpoints import failpoint
from perdure_runtime.wire.v1.rpc import WORKER_SESSION
from perdure_runtime.wire.v1.status import error_from_name
from perdure_runtime.wire.v1.streams import join, read_coordinator_frame, worker_chunks

WELCOME_S: Final = 20.0
EARLY: Final = (Heartbeat, DrainCoordinator)


class _Call(Protocol):
    """What of a gRPC call is used here; the published types lack it."""

    def __next__(self) -> bytes: ...

    def cancel(self) -> bool: ...


class Unwelcome(Exception):
    """The coordinator answers and does not want this worker; connecting again will not help."""

    def __init__(self, error: PerdureError) -> None:
        super().__init__(str(error))
        self.error = error


def welcome_in(
    messages: Sequence[CoordinatorMessage],
) -> tuple[Welcome, Sequence[CoordinatorMessage]] | None:
    """The welcome that a session begins with, and what came with it; None: not yet.

    Heartbeats and the news that the coordinator stops may come first: a welcome waits for the
    disk, they do not.

    Raises:
        Unwelcome: there is none to be had.
        CoordinatorUnavailableError: not from this coordinator now; connect again.
    """
    said = [message for message in messages if not isinstance(message, EARLY)]
    if not said:
        return None
    first, *rest = said
    if isinstance(first, Refused):
        error = error_from_name(first.code, first.message)
        if isinstance(error, CoordinatorUnavailableError):
            raise error
        raise Unwelcome(error)
    if not isinstance(first, Welcome):
        raise Unwelcome(ProtocolError("the coordinator's first message is no Welcome"))
    return first, rest


class WorkerStream:
    """A stream that is being opened. `send`, `finish` and `cancel` may be called on any thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._chunks: deque[bytes] = deque()
        self._wake = threading.Event()
        self._finished = False
        self._silence_s = WELCOME_S
        self._heartbeat_s = WELCOME_S
        self._heard_s = time.monotonic()
        credentials = endpoint.credentials()
        self._channel = (
            grpc.insecure_channel(endpoint.target, OPTIONS)
            if credentials is None
            else grpc.secure_channel(endpoint.target, credentials, OPTIONS)
        )
        open_stream = self._channel.stream_stream(WORKER_SESSION, None, None)  # bytes both ways
        self._call = cast("_Call", open_stream(self._frames(), metadata=endpoint.metadata()))

    def send(self, messages: Sequence[WorkerMessage]) -> None:
        """Queue messages.

        Raises:
            LimitExceededError, SerializationError: nothing of them was queued.
        """
        self._chunks.extend(worker_chunks(messages))
        self._wake.set()

    def keep_alive(self, lease_ms: int) -> None:
        """Send heartbeats from now on, and expect the coordinator's."""
        self._silence_s = lease_ms / 1000
        self._heartbeat_s = lease_ms / 3000
        self._wake.set()

    def receive(self) -> list[CoordinatorMessage]:
        """The next frame; blocks.

        Raises:
            Unwelcome: the coordinator refuses this worker.
            PerdureError: the stream is over.
        """
        try:
            data = next(self._call)
        except StopIteration:
            raise CoordinatorUnavailableError("the coordinator ended the session") from None
        except grpc.RpcError as raised:
            error = error_of(raised)
            if raised.code() in REFUSALS:
                raise Unwelcome(error) from None
            raise error from None
        self._heard_s = time.monotonic()
        return read_coordinator_frame(data)

    def finish(self) -> None:
        """Send what is queued, then end the session."""
        self._finished = True
        self._wake.set()

    def cancel(self) -> None:
        """End the session now."""
        self._call.cancel()
        self.finish()

    def close(self) -> None:
        """Give up the connection."""
        self.cancel()
        self._channel.close()

    def _frames(self) -> Iterator[bytes]:
        """What gRPC's thread sends."""
        chunks = self._chunks
        heartbeat = worker_chunks([Heartbeat()])[0]
        while True:
            while chunks:
                yield join(chunks)
            if self._finished:
                return
            began_s = time.monotonic()
            woken = self._wake.wait(self._heartbeat_s)
            self._wake.clear()
            if woken:
                continue
            now_s = time.monotonic()
            if now_s - began_s > 2 * self._heartbeat_s:
                self._heard_s = now_s  # this process was stopped: what came meanwhile is unread
            if now_s - self._heard_s > self._silence_s:
                self._call.cancel()
                return
            failpoint("before-heartbeat")
            yield heartbeat
