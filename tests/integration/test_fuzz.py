"""Every RPC and both streams get what nobody means: typed answers, and the coordinator goes on."""

from __future__ import annotations

import asyncio
import os
import queue
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import grpc
import psutil
import pytest
from google.protobuf.message import Message
from grpc import aio
from msgspec.structs import replace

from perdure.client.endpoint import OPTIONS
from perdure.client.grpc_transport import GrpcTransport
from perdure_proto.v1 import admin_pb2, client_pb2, worker_pb2
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Activate, Hello
from perdure_runtime.wire.v1 import rpc
from perdure_runtime.wire.v1.streams import read_coordinator_frame, worker_chunks
from perdure_runtime.wire.v1.version import protocol_metadata
from tests.integration.conftest import MakeRequest
from tests.integration.fuzzing import bent, random_message
from tests.integration.processes import CoordinatorProcess
from tests.integration.raw_worker import HANDLER, linked_worker, raw_channel
from tests.integration.telling import say

pytestmark = pytest.mark.processes

SEED = int(os.environ.get("PERDURE_FUZZ_SEED", "5"))
UNARY_TRIES = int(os.environ.get("PERDURE_FUZZ_TRIES", "60"))
FRAMES = UNARY_TRIES
MIB = 1024 * 1024
TYPED = {  # what an answer to nonsense may be: never INTERNAL or UNKNOWN
    *("OK", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION"),
    *("RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "CANCELLED", "UNIMPLEMENTED", "OUT_OF_RANGE"),
    "ABORTED",
}
METHODS: list[Any] = [
    method
    for file in (client_pb2, admin_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if not method.client_streaming
]


@pytest.fixture
async def channel(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> AsyncIterator[aio.Channel]:
    """A bare channel; what was accepted before must be there afterwards, and new work be done."""
    pid = coordinator.pid
    await transport.start(request_for("before"))
    async with raw_channel(coordinator.endpoint) as channel:
        yield channel
    async with linked_worker(coordinator.endpoint, worker_id="w2"):
        await transport.start(request_for("after"))
        for id in ("before", "after"):
            outcome = await asyncio.wait_for(transport.wait("default", id), 20)
            assert Status.COMPLETED is outcome.status
    assert coordinator.running
    assert pid == coordinator.pid
    assert "Traceback" not in coordinator.told()


async def answer(channel: aio.Channel, method: Any, data: bytes) -> str:
    """The code of one call; its first message counts for a stream."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    make: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(path, None, None)(data, metadata=(protocol_metadata(),), timeout=2)
    try:
        await (call.read() if method.server_streaming else call)
        code = "OK"
    except grpc.RpcError as error:
        code = error.code().name
    call.cancel()
    return code


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
async def test_a_method_answers_everything_with_a_typed_error(
    channel: aio.Channel, method: Any
) -> None:
    draw = random.Random(f"{SEED} {method.name}")
    codes: Counter[str] = Counter()
    for _ in range(UNARY_TRIES):
        data = random_message(method.input_type, draw).SerializeToString()
        data = data if draw.random() < 0.6 else bent(data, draw)
        code = await answer(channel, method, data)
        assert code in TYPED, f"{code} for {data[:400]!r}"
        codes[code] += 1
    say(f"fuzz {method.name}: {dict(codes)}")


@pytest.mark.usefixtures("channel")
async def test_a_worker_stream_survives_everything(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    """Half of the frames are about the epoch that the worker holds."""
    draw = random.Random(SEED)
    kind = worker_pb2.DESCRIPTOR.services_by_name["WorkerService"].methods[0].input_type
    codes: Counter[str] = Counter()
    for turn in range(FRAMES):
        await transport.start(replace(request_for(), namespace="fuzz"))
        greeting = worker_chunks([Hello(f"fuzz-{turn}", "fuzz", (HANDLER,))]) if turn % 4 else []
        frames = [
            (random_message(kind, draw), draw.random() < 0.5, draw.random() < 0.3) for _ in range(3)
        ]
        stream = Stream(coordinator.endpoint, rpc.WORKER_SESSION)
        codes[await asyncio.to_thread(stream.exchange, greeting, frames, draw)] += 1
    say(f"fuzz worker stream: {dict(codes)}")
    assert codes.keys() <= TYPED


@pytest.mark.usefixtures("channel")
async def test_a_client_stream_survives_everything(coordinator: CoordinatorProcess) -> None:
    draw = random.Random(SEED)
    codes: Counter[str] = Counter()
    session = client_pb2.DESCRIPTOR.services_by_name["ClientService"].methods_by_name["Session"]
    for _ in range(FRAMES):
        frames = [
            (random_message(session.input_type, draw), False, draw.random() < 0.4) for _ in range(3)
        ]
        stream = Stream(coordinator.endpoint, rpc.CLIENT_SESSION)
        codes[await asyncio.to_thread(stream.exchange, [], frames, draw)] += 1
    say(f"fuzz client stream: {dict(codes)}")
    assert codes.keys() <= TYPED


class Stream:
    """A session over gRPC's blocking API: its other one hides how a stream ended that it wrote to.

    Args:
        path: of the method.
    """

    def __init__(self, endpoint: str, path: str) -> None:
        self._endpoint = endpoint.removeprefix("http://")
        self._path = path
        self._epochs: queue.Queue[int] = queue.Queue()

    def exchange(
        self,
        greeting: Sequence[bytes],
        frames: Sequence[tuple[Message, bool, bool]],
        draw: random.Random,
    ) -> str:
        """Say everything; the code that the stream ends with.

        Args:
            greeting: said first; the epoch of an activation is awaited after it, if there is one.
            frames: each with whether it is about that epoch, and whether it is bent.
        """

        def said() -> Iterator[bytes]:
            yield from greeting
            epoch = self._epochs.get(timeout=20) if greeting else 0
            for message, is_ours, is_bent in frames:
                if is_ours:
                    _set_epochs(message, epoch)
                data = message.SerializeToString()
                yield bent(data, draw) if is_bent else data

        with grpc.insecure_channel(self._endpoint, OPTIONS) as channel:
            call: Any = channel.stream_stream(self._path, None, None)(
                said(), metadata=(protocol_metadata(),), timeout=3
            )
            try:
                for data in call:
                    for message in read_coordinator_frame(data) if greeting else ():
                        if isinstance(message, Activate):
                            self._epochs.put(message.epoch)
            except grpc.RpcError:
                pass
            name: str = call.code().name
            return name


def _set_epochs(message: Message, epoch: int) -> None:
    """Wherever it has an epoch, at any depth."""
    for field, value in message.ListFields():
        if field.name == "epoch":
            setattr(message, field.name, epoch)
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else (value,):
                _set_epochs(each, epoch)


async def test_a_compressed_bomb_is_refused_at_its_real_size(
    coordinator: CoordinatorProcess, channel: aio.Channel
) -> None:
    process = psutil.Process(coordinator.pid)
    before = process.memory_info().rss
    async with aio.insecure_channel(
        coordinator.endpoint.removeprefix("http://"),
        [option for option in OPTIONS if "max_send" not in option[0]],
        grpc.Compression.Gzip,
    ) as compressing:
        for _ in range(4):
            call: Any = compressing.unary_unary(rpc.START.path, None, None)
            with pytest.raises(grpc.RpcError) as caught:
                await call(b"\x0a" + b"\0" * (128 * MIB), metadata=(protocol_metadata(),))
            refused: Any = caught.value
            assert "RESOURCE_EXHAUSTED" == refused.code().name
    grown = process.memory_info().rss - before
    say(f"bombs of 128 MiB: grew by {grown / MIB:.0f} MiB")
    assert grown < 100 * MIB
