"""All requests of a client over one batched session, which it opens again when it breaks.

Requests that pile up while a frame is written leave in the next one. A request stays until it has
its reply: when the stream breaks it is sent again on the next one, unchanged, so that a mutating
one keeps its `request_id`. While nobody answers, requests wait for `retry_s` and then fail.
Does not know what requests mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import grpc
from grpc import aio

from perdure.client.endpoint import REFUSALS, Endpoint, error_of
from perdure_runtime.core.client import ClaimRequest
from perdure_runtime.core.errors import CoordinatorUnavailableError, PerdureError, ProtocolError
from perdure_runtime.wire.v1.client import ClientReply, ClientRequest
from perdure_runtime.wire.v1.client_requests import Abandon, WaitRequest
from perdure_runtime.wire.v1.rpc import CLIENT_SESSION
from perdure_runtime.wire.v1.streams import join, read_reply_frame, request_chunk

FIRST_DELAY_S: Final = 0.02
FRESH_DELAY_S: Final = 0.1
DELAY_S: Final = 1.0
FRESH_S: Final = 15.0
SHORT_S: Final = 1.0  # a stream that ends sooner counts as another failure

Stream = Any  # aio.StreamStreamCall of bytes; not subscriptable in the published types


@dataclass(slots=True)
class _Open:
    """A request without a reply."""

    chunk: bytes
    reply: asyncio.Future[ClientReply]
    asked_s: float


class Multiplexer:
    """Asks over one stream of a channel. Used from one event loop."""

    def __init__(self, channel: aio.Channel, endpoint: Endpoint, retry_s: float) -> None:
        self._endpoint = endpoint
        self._retry_s = retry_s
        self._connect = channel.stream_stream(CLIENT_SESSION, None, None)
        self._numbers = count(1)
        self._open: dict[int, _Open] = {}
        self._chunks: deque[bytes] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._down_s: float | None = time.monotonic()
        self._reason = ""
        self._closed = False

    async def ask(self, request: ClientRequest) -> ClientReply:
        """The reply to a request; errors in it are returned, not raised.

        Raises:
            LimitExceededError, SerializationError: it cannot be sent.
            CoordinatorUnavailableError: nobody answered for `retry_s`, or the client is closed.
            PerdureError: the coordinator does not want this client (version, token).
        """
        if self._closed:
            raise CoordinatorUnavailableError("this client is closed")
        number = next(self._numbers)
        reply: asyncio.Future[ClientReply] = asyncio.get_running_loop().create_future()
        opened = _Open(request_chunk(number, request), reply, time.monotonic())
        self._open[number] = opened
        self._chunks.append(opened.chunk)
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="perdure-client")
            self._task.add_done_callback(self._ended)
        if self._alarm is None:
            self._set_alarm()
        try:
            return await reply
        finally:
            waits = isinstance(request, WaitRequest | ClaimRequest)
            if self._open.pop(number, None) is not None and waits:
                self._chunks.append(request_chunk(number, Abandon()))
                self._wake.set()

    async def close(self) -> None:
        """End the stream; open requests fail. Calling it again changes nothing."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._fail(CoordinatorUnavailableError("this client was closed"))

    # --- the stream ----------------------------------------------------------------------------

    async def _run(self) -> None:
        attempt = 0
        while True:
            stream = self._connect(None, metadata=self._endpoint.metadata())
            opened_s = time.monotonic()
            try:
                await stream.wait_for_connection()
                await self._serve(stream)
            except grpc.RpcError as raised:
                self._reason = raised.details() or ""
                if raised.code() in REFUSALS:
                    self._fail(error_of(raised))
            except ProtocolError as error:
                self._fail(error)
            finally:
                stream.cancel()
            if self._down_s is None:
                self._down_s = time.monotonic()
                attempt = 0 if self._down_s - opened_s > SHORT_S else attempt
            self._set_alarm()
            fresh = time.monotonic() - self._down_s < FRESH_S
            delay_s = min(FIRST_DELAY_S * 2**attempt, FRESH_DELAY_S if fresh else DELAY_S)
            attempt = min(attempt + 1, 10)
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))

    async def _serve(self, stream: Stream) -> None:
        """Send everything that is open and what comes, read replies; raises when it breaks."""
        self._down_s = None
        self._chunks = deque(opened.chunk for opened in self._open.values())
        self._wake.set()
        writing = asyncio.create_task(self._write(stream))
        try:
            while isinstance(data := await stream.read(), bytes):
                for number, reply in read_reply_frame(data):
                    opened = self._open.pop(number, None)
                    if opened is not None and not opened.reply.done():
                        opened.reply.set_result(reply)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        self._reason = "it ended the session"

    async def _write(self, stream: Stream) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError):  # `read` tells why
                while self._chunks:
                    await stream.write(join(self._chunks))

    # --- failures ------------------------------------------------------------------------------

    def _ended(self, task: asyncio.Task[None]) -> None:
        """The task never ends but by `close`: what else ends it must not leave callers waiting."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(PerdureError(f"the client's session failed: {error!r}"))
            self._task = None

    def _fail(self, error: PerdureError) -> None:
        for opened in self._open.values():
            if not opened.reply.done():
                opened.reply.set_exception(error)
        self._open.clear()

    def _set_alarm(self) -> None:
        """While nobody answers: look again when the oldest request has waited long enough."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._down_s is None or not self._open:
            return
        oldest = next(iter(self._open.values()))
        due_s = max(oldest.asked_s, self._down_s) + self._retry_s
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(max(0.0, due_s - time.monotonic()), self._give_up)

    def _give_up(self) -> None:
        self._alarm = None
        if self._down_s is None or not self._reason:  # no try has failed yet: it is under way
            return
        now_s = time.monotonic()
        for number, opened in list(self._open.items()):
            if now_s - max(opened.asked_s, self._down_s) >= self._retry_s:
                del self._open[number]
                if not opened.reply.done():
                    opened.reply.set_exception(self._endpoint.unavailable(self._reason))
        self._set_alarm()
