"""Garbage at the port: typed errors, and the coordinator goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc import aio

from perdure.client.endpoint import error_of
from perdure.client.grpc_transport import GrpcTransport
from perdure_runtime.core.errors import (
    LimitExceededError,
    OverloadedError,
    PerdureError,
    ProtocolError,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES
from perdure_runtime.core.messages import (
    Activate,
    Append,
    Evict,
    Heartbeat,
    Hello,
    Refused,
    Welcome,
    WorkerMessage,
)
from perdure_runtime.wire.v1 import rpc
from perdure_runtime.wire.v1.streams import worker_chunks
from tests.integration.conftest import MakeRequest
from tests.integration.processes import CoordinatorProcess
from tests.integration.raw_worker import HANDLER, RawWorker, finish, linked_worker, raw_channel

pytestmark = pytest.mark.processes

HELLO = Hello("w1", "default", (HANDLER,))
UNKNOWN_KIND = bytes([0x0A, 0x04, 0xFA, 0x07, 0x01, 0x00])  # messages { field 127: "\0" }


def frame(*messages: WorkerMessage) -> bytes:
    return b"".join(worker_chunks(messages))


@pytest.fixture
async def channel(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> AsyncIterator[aio.Channel]:
    """A bare channel; afterwards the coordinator must serve as if nothing had been."""
    async with raw_channel(coordinator.endpoint) as channel:
        yield channel
    async with linked_worker(coordinator.endpoint, worker_id="w2"):
        await transport.start(request_for("after"))
        outcome = await asyncio.wait_for(transport.wait("default", "after"), 20)
    assert Status.COMPLETED is outcome.status


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff\xff\xff", "cannot be read"),
        (b"", "must be Hello"),
        (frame(Heartbeat()), "must be Hello"),
        (UNKNOWN_KIND, "unknown kind"),
        (frame(Hello("w1", "default", (), protocol_min=2, protocol_max=2)), "2..2"),
        (frame(Hello("w1", "default", (), protocol_min=0, protocol_max=0)), "0..0"),
        (frame(Hello("", "default", ())), "worker id is empty"),
        (frame(Hello("w1", "default", (HANDLER, HANDLER))), "registered twice"),
    ],
    ids=["garbage", "empty", "no Hello", "unknown kind", "max+1", "min-1", "no id", "twice"],
)
async def test_a_bad_first_frame_is_refused(channel: aio.Channel, data: bytes, told: str) -> None:
    worker = RawWorker(channel)
    await worker.say_bytes(data)
    assert told in (await worker.hear(Refused)).message
    error = await worker.ended()
    assert isinstance(error, PerdureError)
    assert told in str(error)
    expected = {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT}
    assert await worker.code() in expected


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"\xff\xff\xff", "cannot be read"),
        (UNKNOWN_KIND, "unknown kind"),
        (frame(HELLO), "second"),
    ],
    ids=["garbage", "unknown kind", "second Hello"],
)
async def test_a_bad_later_frame_ends_the_session_and_loses_nothing(
    channel: aio.Channel,
    transport: GrpcTransport,
    request_for: MakeRequest,
    data: bytes,
    told: str,
) -> None:
    worker = RawWorker(channel)
    await worker.say(HELLO)
    await worker.hear(Welcome)
    await transport.start(request_for("a"))
    await worker.hear(Activate)
    await worker.say_bytes(data)
    error = await worker.ended()
    assert isinstance(error, ProtocolError)
    assert told in str(error)
    again = RawWorker(channel)
    await again.say(HELLO)
    activation = await again.hear(Activate)
    await again.say(finish(activation))
    assert "ended" in (await again.hear(Evict)).reason
    assert Status.COMPLETED is (await transport.wait("default", "a")).status


async def test_a_frame_over_the_limit_ends_the_stream(channel: aio.Channel) -> None:
    worker = RawWorker(channel)
    await worker.say(HELLO)
    await worker.hear(Welcome)
    await worker.say_bytes(b"\0" * (MAX_FRAME_BYTES + 1))
    assert isinstance(await worker.ended(), LimitExceededError)


async def test_a_stale_epoch_is_answered_with_evict_and_counted(
    channel: aio.Channel, transport: GrpcTransport
) -> None:
    worker = RawWorker(channel)
    await worker.say(HELLO)
    await worker.hear(Welcome)
    await worker.say(Append(4711, 0, 0))
    assert 4711 == (await worker.hear(Evict)).epoch
    assert 1 == (await transport.stats())["stale_messages"]


async def test_garbage_in_unary_calls_and_client_sessions(channel: aio.Channel) -> None:
    for path in (rpc.START.path, rpc.STATS.path, rpc.CONTROL.path):
        with pytest.raises(grpc.RpcError) as caught:
            await channel.unary_unary(path, None, None)(b"\xff\xff")
        assert isinstance(error_of(caught.value), ProtocolError)
    stream = channel.stream_stream(rpc.CLIENT_SESSION, None, None)(iter([b"\xff\xff"]))
    with pytest.raises(grpc.RpcError) as caught:
        await stream.read()
    assert isinstance(error_of(caught.value), ProtocolError)


@pytest.mark.usefixtures("channel")
async def test_bytes_that_are_no_http(coordinator: CoordinatorProcess) -> None:
    for garbage in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 4096,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", coordinator.port)
        writer.write(garbage)
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 20)
        writer.close()


async def test_a_worker_that_does_not_read_loses_its_stream_and_nothing_else(
    channel: aio.Channel,
    coordinator: CoordinatorProcess,
    transport: GrpcTransport,
    request_for: MakeRequest,
) -> None:
    deaf = RawWorker(channel)
    await deaf.say(HELLO)
    await deaf.hear(Welcome)
    large = b'"' + b"x" * (MAX_PAYLOAD_BYTES - 2) + b'"'
    ids = [f"large-{number}" for number in range(24)]  # 96 MiB
    for id in ids:
        await transport.start(request_for(id, large))
    async with linked_worker(coordinator.endpoint, worker_id="w3"):
        for id in ids:
            outcome = await asyncio.wait_for(transport.wait("default", id), 30)
            assert Status.COMPLETED is outcome.status
    assert isinstance(await deaf.ended(), OverloadedError)
