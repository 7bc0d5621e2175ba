"""The batched session: frames of numbered requests, answered in any order.

One gRPC message costs as much as dozens of requests inside one, so the SDK's clients use this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from perdure_coordinator.access import admitted, check_access
from perdure_coordinator.services.calls import (
    Context,
    Desk,
    MethodHandler,
    as_told,
    check_version,
    errors_as_status,
)
from perdure_coordinator.services.streams import FrameWriter, first_of
from perdure_runtime.core.client import (
    ClaimRequest,
    ControlRequest,
    ListRequest,
    SendEventRequest,
    SettlePromiseRequest,
    StartRequest,
    TaskRequest,
)
from perdure_runtime.core.errors import PerdureError, ProtocolError
from perdure_runtime.core.schedules import ScheduleRequest
from perdure_runtime.wire.v1.client import ClientReply, ClientRequest, ObjectState, StateValues
from perdure_runtime.wire.v1.client_requests import (
    Abandon,
    DescribeRequest,
    ReadObjectStateRequest,
    ReadStateRequest,
    WaitRequest,
)
from perdure_runtime.wire.v1.streams import read_client_frame, reply_chunk

MAX_OPEN_REQUESTS: Final = 10_000
"""Requests of a stream, waits excepted, that may be open before the stream is not read further."""
DRAIN_S: Final = 0.5


def session_handlers(desk: Desk) -> dict[str, MethodHandler]:
    """`Session`."""

    async def session(_: object, context: Context) -> None:
        async with errors_as_status(context):
            check_version(context)
            desk.check_open()
            served = ClientSession(desk)
            with desk.opened(served):
                try:
                    await context.send_initial_metadata(())
                    await served.run(context)
                finally:
                    served.stop()

    return {"Session": grpc.stream_stream_rpc_method_handler(session)}


class ClientSession:
    """The open requests of one stream."""

    def __init__(self, desk: Desk) -> None:
        engine = desk.engine
        self._desk = desk
        self._allowed = admitted()
        self._writer = FrameWriter()
        self._open: dict[int, asyncio.Task[None]] = {}
        self._waits: set[int] = set()
        self._fewer = asyncio.Event()
        self._answers: dict[type, Callable[[Any], Awaitable[ClientReply]]] = {
            StartRequest: engine.start,
            WaitRequest: lambda request: engine.wait(*request.key),
            DescribeRequest: lambda request: engine.describe(*request.key),
            ListRequest: engine.list,
            ControlRequest: engine.control,
            ScheduleRequest: engine.schedule,
            ReadStateRequest: self._read_state,
            ReadObjectStateRequest: self._read_object_state,
            SendEventRequest: engine.send_event,
            SettlePromiseRequest: engine.settle_promise,
            TaskRequest: engine.update_tasks,
            ClaimRequest: engine.claim_task,
        }

    async def run(self, context: Context) -> None:
        """Serve until the client closes its side or the stream breaks."""
        await first_of(
            asyncio.create_task(self._read(context)),
            asyncio.create_task(self._writer.run(context)),
        )

    def stop(self) -> None:
        """Forget what is open; nobody hears the answers."""
        for task in self._open.values():
            task.cancel()

    async def drain(self) -> None:
        """The coordinator stops: answer what the engine has answered, then end."""
        if self._open:
            await asyncio.wait(self._open.values(), timeout=DRAIN_S)
        await self._writer.drain()

    async def _read(self, context: Context) -> None:
        engine = self._desk.engine
        while True:
            while len(self._open) - len(self._waits) > MAX_OPEN_REQUESTS:
                self._fewer.clear()
                await self._fewer.wait()
            if engine.congested:
                await engine.room()
            data = await context.read()
            if not isinstance(data, bytes):
                break
            for number, request in read_client_frame(data):
                self._accept(number, request)
        for number in self._waits:
            self._open[number].cancel()
        await asyncio.gather(*self._open.values(), return_exceptions=True)
        self._writer.close()
        await asyncio.get_running_loop().create_future()  # the writer ends the call

    def _accept(self, number: int, request: ClientRequest | PerdureError) -> None:
        self._desk.requests += 1
        if isinstance(request, PerdureError):
            self._writer.put(reply_chunk(number, request))
        elif isinstance(request, Abandon):
            task = self._open.get(number)
            if task is not None:
                task.cancel()
        elif number in self._open:
            raise ProtocolError(f"request number {number} is still open")
        else:
            if isinstance(request, WaitRequest | ClaimRequest):
                self._waits.add(number)
            task = asyncio.create_task(self._answer(number, request))
            self._open[number] = task
            task.add_done_callback(lambda _: self._forget(number))

    async def _answer(self, number: int, request: ClientRequest) -> None:
        reply: ClientReply | BaseException
        try:
            self._desk.check_open()
            check_access(request, self._allowed)
            reply = await self._answers[type(request)](request)
        except Exception as error:
            reply = as_told(error)
        self._writer.put(reply_chunk(number, reply))

    def _forget(self, number: int) -> None:
        del self._open[number]
        self._waits.discard(number)
        self._fewer.set()

    async def _read_state(self, request: ReadStateRequest) -> StateValues:
        return StateValues(await self._desk.engine.read_state(*request.key))

    async def _read_object_state(self, request: ReadObjectStateRequest) -> ObjectState:
        return ObjectState(await self._desk.engine.read_object_state(*request.key))
