"""Workers of plain handlers that tests script: over the SDK's link, and over bare gRPC frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from grpc import aio

from perdure.client.endpoint import OPTIONS, error_of
from perdure.worker.session import GrpcLink
from perdure_runtime.core.errors import PerdureError
from perdure_runtime.core.messages import (
    Activate,
    CoordinatorMessage,
    Finish,
    Heartbeat,
    Hello,
    MethodSpec,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.core.payload import Payload
from perdure_runtime.wire.v1.rpc import WORKER_SESSION
from perdure_runtime.wire.v1.streams import read_coordinator_frame, worker_chunks

M = TypeVar("M", bound=CoordinatorMessage)

HANDLER = MethodSpec("greeter", "hello", "handler")
RESULT = Payload(b'"done"')


def finish(activation: Activate) -> Finish:
    """A handler's good outcome."""
    return Finish(activation.epoch, 0, activation.entries[-1].index, RESULT)


class LinkedWorker:
    """Handlers behind a `GrpcLink`.

    Args:
        answer: what is sent for an activation; nothing when None.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        answer: Callable[[Activate], WorkerMessage] | None = finish,
        methods: tuple[MethodSpec, ...] = (HANDLER,),
        worker_id: str = "w1",
    ) -> None:
        self.link = GrpcLink(endpoint)
        self.answer = answer
        self.methods = methods
        self.worker_id = worker_id
        self.welcomes: asyncio.Queue[Welcome] = asyncio.Queue()
        self.activations: asyncio.Queue[Activate] = asyncio.Queue()
        self.others: asyncio.Queue[CoordinatorMessage] = asyncio.Queue()
        self.breaks: asyncio.Queue[Exception | None] = asyncio.Queue()
        self.refusal: asyncio.Future[PerdureError] = asyncio.get_running_loop().create_future()

    def hello(self) -> Hello:
        return Hello(self.worker_id, "default", self.methods)

    def connected(self, welcome: Welcome) -> None:
        self.welcomes.put_nowait(welcome)

    def receive(self, messages: Sequence[CoordinatorMessage]) -> None:
        for message in messages:
            if not isinstance(message, Activate):
                self.others.put_nowait(message)
                continue
            self.activations.put_nowait(message)
            if self.answer is not None:
                self.link.send([self.answer(message)])

    def disconnected(self, error: Exception | None) -> None:
        self.breaks.put_nowait(error)

    def refused(self, error: PerdureError) -> None:
        self.refusal.set_result(error)


@asynccontextmanager
async def linked_worker(endpoint: str, **options: Any) -> AsyncIterator[LinkedWorker]:
    """A worker with a session, which ends with the block."""
    worker = LinkedWorker(endpoint, **options)
    worker.link.open(worker)
    try:
        await asyncio.wait_for(worker.welcomes.get(), 20)
        yield worker
    finally:
        await worker.link.close()


class RawWorker:
    """A stream to `WorkerService` on which a test says what it wants, frame by frame."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stream: Any = channel.stream_stream(WORKER_SESSION, None, None)(None)
        self._told: list[CoordinatorMessage] = []

    async def say_bytes(self, frame: bytes) -> None:
        """A frame, whatever it is."""
        await self._stream.write(frame)

    async def say(self, *messages: WorkerMessage) -> None:
        """One frame of messages."""
        await self.say_bytes(b"".join(worker_chunks(messages)))

    async def hear(self, kind: type[M]) -> M:
        """The next message of this kind; others are dropped.

        Raises:
            PerdureError: the stream ended with this error.
        """
        async with asyncio.timeout(20):
            while True:
                while self._told:
                    message = self._told.pop(0)
                    if isinstance(message, kind):
                        return message
                try:
                    data = await self._stream.read()
                except grpc.RpcError as error:
                    raise error_of(error) from None
                assert isinstance(data, bytes), "the stream ended well"
                self._told = read_coordinator_frame(data)

    async def ended(self) -> PerdureError:
        """The error that the stream ends with."""
        try:
            while True:
                await self.hear(Heartbeat)
        except PerdureError as error:
            return error

    async def code(self) -> grpc.StatusCode:
        """The status the stream ended with."""
        code: grpc.StatusCode = await self._stream.code()
        return code


@asynccontextmanager
async def raw_channel(endpoint: str) -> AsyncIterator[aio.Channel]:
    """A channel like the SDK's that sends frames of any size."""
    options = [option for option in OPTIONS if "max_send" not in option[0]]
    async with aio.insecure_channel(endpoint.removeprefix("http://"), options) as channel:
        yield channel
