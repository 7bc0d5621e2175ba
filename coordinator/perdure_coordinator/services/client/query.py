"""Calls that read: one execution, lists, state, and the streams `Wait`, `Watch` and `History`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, TypeVar

import grpc

from perdure_coordinator.access import admitted, check_access
from perdure_coordinator.services.calls import (
    Context,
    Desk,
    MethodHandler,
    check_version,
    errors_as_status,
    unary,
)
from perdure_coordinator.services.streams import FrameWriter, first_of
from perdure_runtime.core.client import Description, Outcome
from perdure_runtime.core.ids import ExecutionKey, ObjectKey
from perdure_runtime.core.payload import Payload
from perdure_runtime.wire.v1 import rpc
from perdure_runtime.wire.v1.streams import history_chunk, watch_chunk

T = TypeVar("T")
KEEPALIVE_S: Final = 30.0


def query_handlers(desk: Desk) -> dict[str, MethodHandler]:
    """`Describe`, `List`, `ReadState`, `ReadObjectState`, `Wait`, `History`."""
    engine = desk.engine

    async def describe(key: ExecutionKey) -> Description:
        return await engine.describe(*key)

    async def read_state(key: ExecutionKey) -> dict[str, Payload]:
        return await engine.read_state(*key)

    async def read_object_state(key: ObjectKey) -> Payload:
        return await engine.read_object_state(*key)

    async def wait(data: bytes, context: Context) -> None:
        async with errors_as_status(context):
            check_version(context)
            desk.check_open()
            desk.requests += 1
            key = rpc.WAIT.decode_request(data)
            check_access(key, admitted())
            outcome = asyncio.ensure_future(engine.wait(*key))
            try:
                await _push(outcome, context)
            finally:
                outcome.cancel()

    async def history(data: bytes, context: Context) -> None:
        async with errors_as_status(context):
            check_version(context)
            request = rpc.decode_history_request(data)
            check_access(request, admitted())
            entries = engine.history(
                *request.key, request.from_index, request.follow, request.values_only
            )
            await _stream(desk, context, entries, history_chunk)

    async def watch(data: bytes, context: Context) -> None:
        async with errors_as_status(context):
            check_version(context)
            key = rpc.decode_watch_request(data)
            check_access(key, admitted())
            states = engine.watch(*key)
            await _stream(desk, context, states, watch_chunk)

    return {
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
        "Wait": grpc.unary_stream_rpc_method_handler(wait),
        "History": grpc.unary_stream_rpc_method_handler(history),
    } | dict(
        (
            unary(desk, rpc.DESCRIBE, describe),
            unary(desk, rpc.LIST, engine.list),
            unary(desk, rpc.READ_STATE, read_state),
            unary(desk, rpc.READ_OBJECT_STATE, read_object_state),
        )
    )


async def _stream(
    desk: Desk, context: Context, items: AsyncGenerator[T, None], chunk: Callable[[T], bytes]
) -> None:
    """All items as they come; ends the call after the last one."""
    desk.check_open()
    desk.requests += 1
    writer = FrameWriter()

    async def read() -> None:
        async with aclosing(items):
            async for item in items:
                writer.put(chunk(item))
                await writer.room()
        writer.close()
        await asyncio.get_running_loop().create_future()  # the writer ends the call

    with desk.opened(writer):
        await first_of(asyncio.create_task(read()), asyncio.create_task(writer.run(context)))


async def _push(outcome: asyncio.Future[Outcome], context: Context) -> None:
    """One outcome, with keepalives until it is there."""
    while True:
        done, _ = await asyncio.wait((outcome,), timeout=KEEPALIVE_S)
        await context.write(rpc.WAIT.encode_reply(outcome.result() if done else None))
        if done:
            return
