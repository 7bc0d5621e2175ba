"""Clients and a worker over real gRPC to a real coordinator process."""

from __future__ import annotations

import asyncio
import uuid

import grpc
import msgspec
import pytest

from perdure.client.endpoint import error_of, parse_endpoint
from perdure.client.grpc_transport import GrpcTransport
from perdure_runtime.core.client import ControlOperation, ControlRequest, ListRequest
from perdure_runtime.core.entries import ExecutionCreated, ExecutionEnded, Target
from perdure_runtime.core.errors import (
    AlreadyExistsError,
    CoordinatorUnavailableError,
    InvalidArgumentError,
    LimitExceededError,
    NotFoundError,
    ProtocolError,
)
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.limits import MAX_FRAME_BYTES, MAX_PAYLOAD_BYTES
from perdure_runtime.wire.v1 import rpc
from perdure_runtime.wire.v1.version import PROTOCOL_METADATA
from tests.integration.conftest import MakeRequest
from tests.integration.processes import CoordinatorProcess
from tests.integration.raw_worker import RESULT, linked_worker, raw_channel

pytestmark = pytest.mark.processes


async def test_a_start_comes_to_a_result(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    async with linked_worker(coordinator.endpoint):
        reply = await transport.start(request_for("a"))
        outcome = await transport.wait("default", "a")
    assert (reply.id, reply.created) == ("a", True)
    assert (outcome.status, outcome.result) == (Status.COMPLETED, RESULT)
    description = await transport.describe("default", "a")
    assert (description.status, description.attempt) == (Status.COMPLETED, 1)
    listed = await transport.list(ListRequest("default"))
    assert ["a"] == [item.id for item in listed.items]
    history = [entry async for entry in transport.history("default", "a", 0, follow=True)]
    assert isinstance(history[0].entry, ExecutionCreated)
    assert isinstance(history[-1].entry, ExecutionEnded)
    assert list(range(len(history))) == [entry.index for entry in history]


async def test_a_worker_and_its_methods_are_listed(
    coordinator: CoordinatorProcess, transport: GrpcTransport
) -> None:
    async with linked_worker(coordinator.endpoint):
        workers = await transport.list_workers("default")
        methods = await transport.list_methods("default")
        assert "serving" == (await transport.health())["status"]
    assert [("w1", ("greeter",))] == [(worker.worker_id, worker.services) for worker in workers]
    assert [("greeter", "hello", "handler")] == [(m.service, m.method, m.kind) for m in methods]


async def test_an_outcome_is_pushed_to_1000_waiters_that_ask_nothing_meanwhile(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    await transport.start(request_for("a"))
    waiting = [asyncio.create_task(transport.wait("default", "a")) for _ in range(1_000)]
    await transport.describe("default", "a")  # after the waits, on the same stream
    before = (await transport.stats())["client_requests"]
    assert before >= 1_000
    await asyncio.wait(waiting, timeout=2)  # nothing may happen in this time
    assert before + 1 == (await transport.stats())["client_requests"]
    assert not any(task.done() for task in waiting)
    async with linked_worker(coordinator.endpoint):
        outcomes = await asyncio.wait_for(asyncio.gather(*waiting), 20)
    assert {Status.COMPLETED} == {outcome.status for outcome in outcomes}


async def test_the_coordinator_is_told_of_a_cancelled_wait(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    await transport.start(request_for("a"))
    waiting = asyncio.create_task(transport.wait("default", "a"))
    await transport.describe("default", "a")
    before = (await transport.stats())["client_requests"]
    waiting.cancel()
    await asyncio.wait((waiting,))
    await transport.describe("default", "a")
    assert before + 3 == (await transport.stats())["client_requests"]  # with the Abandon


@pytest.mark.parametrize(
    "id", ["", "~made-by-perdure", "nul\0", "x" * 256], ids=["empty", "reserved", "nul", "long"]
)
async def test_a_bad_id_is_an_argument_error(
    transport: GrpcTransport, request_for: MakeRequest, id: str
) -> None:
    with pytest.raises(InvalidArgumentError):
        await transport.start(msgspec.structs.replace(request_for("a"), id=id))


async def test_unknown_ids_are_not_found_everywhere(transport: GrpcTransport) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await transport.describe("default", "nobody")
    with pytest.raises(NotFoundError, match="nobody"):
        await transport.wait("default", "nobody")
    with pytest.raises(NotFoundError, match="nobody"):
        await transport.read_state("default", "nobody")
    with pytest.raises(NotFoundError, match="nobody"):
        _ = [entry async for entry in transport.history("default", "nobody", 0, follow=True)]
    request = ControlRequest("default", uuid.uuid4().hex, ControlOperation.CANCEL, ("nobody",))
    (result,) = (await transport.control(request)).results
    assert "NotFoundError" == result.error_code


async def test_the_same_id_attaches_or_is_taken(
    transport: GrpcTransport, request_for: MakeRequest
) -> None:
    await transport.start(request_for("a"))
    assert not (await transport.start(request_for("a"))).created
    with pytest.raises(AlreadyExistsError):
        await transport.start(request_for("a", target=Target("greeter", "other")))


async def test_an_input_over_the_limit_is_refused_and_the_session_goes_on(
    transport: GrpcTransport, request_for: MakeRequest
) -> None:
    with pytest.raises(LimitExceededError, match=str(MAX_PAYLOAD_BYTES)):
        await transport.start(request_for("big", b'"' + b"x" * MAX_PAYLOAD_BYTES + b'"'))
    with pytest.raises(LimitExceededError, match=str(MAX_FRAME_BYTES)):
        await transport.start(request_for("huge", b'"' + b"x" * MAX_FRAME_BYTES + b'"'))
    assert (await transport.start(request_for("small"))).created
    with pytest.raises(NotFoundError):
        await transport.describe("default", "big")


async def test_the_largest_input_goes_through(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    data = b'"' + b"x" * (MAX_PAYLOAD_BYTES - 2) + b'"'
    async with linked_worker(coordinator.endpoint) as worker:
        for id in "abcdef":  # more than one frame for the worker
            await transport.start(request_for(id, data))
        for id in "abcdef":
            assert Status.COMPLETED is (await transport.wait("default", id)).status
        entry = worker.activations.get_nowait().entries[0].entry
    assert isinstance(entry, ExecutionCreated)
    assert data == entry.input.data


@pytest.mark.parametrize(
    ("versions", "answer"),
    [
        ((), None),
        (((PROTOCOL_METADATA, "1-1"),), None),
        (((PROTOCOL_METADATA, "1-2"),), None),
        (((PROTOCOL_METADATA, "2-2"),), "2..2"),
        (((PROTOCOL_METADATA, "0-0"),), "0..0"),
        (((PROTOCOL_METADATA, "one"),), "MIN-MAX"),
    ],
)
async def test_versions_of_clients(
    coordinator: CoordinatorProcess, versions: tuple[tuple[str, str], ...], answer: str | None
) -> None:
    async with raw_channel(coordinator.endpoint) as channel:
        call = channel.unary_unary(rpc.DESCRIBE.path, None, None)
        with pytest.raises(grpc.RpcError) as caught:
            await call(
                rpc.DESCRIBE.encode_request(ExecutionKey("default", "nobody")), metadata=versions
            )
    error = error_of(caught.value)
    if answer is None:
        assert isinstance(error, NotFoundError)
    else:
        assert grpc.StatusCode.FAILED_PRECONDITION is caught.value.code()
        assert isinstance(error, ProtocolError)
        assert answer in str(error)


async def test_unary_calls_answer_what_the_session_answers(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    async with raw_channel(coordinator.endpoint) as channel, linked_worker(coordinator.endpoint):

        async def call(path: str, data: bytes) -> bytes:
            answer: bytes = await channel.unary_unary(path, None, None)(data)
            return answer

        start = rpc.START.encode_request(request_for("a"))
        assert rpc.START.decode_reply(await call(rpc.START.path, start)).created
        key = rpc.WAIT.encode_request(ExecutionKey("default", "a"))
        async for data in channel.unary_stream(rpc.WAIT.path, None, None)(key):
            outcome = rpc.WAIT.decode_reply(data)
        assert await transport.wait("default", "a") == outcome
        batch = [request_for("b"), request_for("~bad")]
        created, refused = rpc.START_BATCH.decode_reply(
            await call(rpc.START_BATCH.path, rpc.START_BATCH.encode_request(batch))
        )
        assert not isinstance(created, Exception)
        assert isinstance(refused, InvalidArgumentError)
        key = rpc.READ_STATE.encode_request(ExecutionKey("default", "a"))
        assert {} == rpc.READ_STATE.decode_reply(await call(rpc.READ_STATE.path, key))


async def test_nobody_there_is_told_with_the_way_out(request_for: MakeRequest) -> None:
    transport = GrpcTransport("http://127.0.0.1:9", retry_s=0.2)
    with pytest.raises(CoordinatorUnavailableError, match=r"127\.0\.0\.1:9.*perdure server"):
        await transport.start(request_for("a"))
    with pytest.raises(CoordinatorUnavailableError, match="perdure server"):
        await transport.list_workers("default")
    with pytest.raises(CoordinatorUnavailableError, match="perdure server"):
        _ = [entry async for entry in transport.history("default", "a", 0, follow=False)]
    await transport.close()
    await transport.close()
    with pytest.raises(CoordinatorUnavailableError, match="closed"):
        await transport.start(request_for("a"))


@pytest.mark.parametrize(
    ("text", "target", "secure"),
    [
        ("http://localhost:8080", "localhost:8080", False),
        ("localhost:8080", "localhost:8080", False),
        ("https://perdure.example:443/", "perdure.example:443", True),
        ("http://[::1]:80", "[::1]:80", False),
    ],
)
def test_forms_of_endpoints(text: str, target: str, secure: bool) -> None:
    endpoint = parse_endpoint(text)
    assert (target, secure) == (endpoint.target, endpoint.secure)


@pytest.mark.parametrize(
    "text", ["", "localhost", "http://localhost", "ftp://a:1", "a:x", "http://a:1/path", ":80"]
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_endpoint(text)
