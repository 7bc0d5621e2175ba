"""Start, stop, death and return of a coordinator process, and what its peers see of it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path

import pytest
from grpc import aio

from perdure.client.grpc_transport import GrpcTransport
from perdure_coordinator.security import check_address
from perdure_runtime.core.errors import InvalidArgumentError, PerdureError, ProtocolError
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import DrainCoordinator, MethodSpec
from tests.integration.conftest import MakeRequest
from tests.integration.processes import (
    READY,
    CoordinatorProcess,
    ProcessEnded,
    PythonProcess,
    started_coordinator,
)
from tests.integration.raw_worker import LinkedWorker, finish, linked_worker

pytestmark = pytest.mark.processes


async def test_a_second_server_on_the_database_is_told_who_has_it(
    coordinator: CoordinatorProcess,
) -> None:
    second = CoordinatorProcess(coordinator.database)
    with pytest.raises(ProcessEnded, match=rf"with 1:.*\b{coordinator.pid}\b"):
        await second.start()
    assert "Traceback" not in second.told()


async def test_a_second_server_on_the_port_is_told_so(
    coordinator: CoordinatorProcess, tmp_path: Path
) -> None:
    second = CoordinatorProcess(tmp_path / "other.db", port=coordinator.port)
    with pytest.raises(ProcessEnded, match=rf"with 1:.*cannot listen on 127.0.0.1:{second.port}"):
        await second.start()
    assert "Traceback" not in second.told()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    async with started_coordinator(tmp_path) as coordinator:
        pass
    with sqlite3.connect(coordinator.database) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(ProcessEnded, match=r"with 1:.*schema 999"):
        await CoordinatorProcess(coordinator.database).start()


async def test_an_open_address_must_be_asked_for(tmp_path: Path) -> None:
    arguments = ["--db", str(tmp_path / "a.db"), "--port", "0", "--host", "0.0.0.0"]
    with pytest.raises(ProcessEnded, match=r"with 2:.*no loopback address"):
        await PythonProcess("perdure_coordinator", arguments, ready=READY).start()
    process = PythonProcess("perdure_coordinator", [*arguments, "--insecure"], ready=READY)
    await process.start()
    assert 0 == await process.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_loopback_addresses(host: str) -> None:
    check_address(host, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.org", "10.0.0.1", ""])
def test_addresses_that_others_reach(host: str) -> None:
    with pytest.raises(InvalidArgumentError):
        check_address(host, insecure=False)
    check_address(host, insecure=True)


async def test_the_port_file_is_written_when_it_serves(tmp_path: Path) -> None:
    file = tmp_path / "port"
    arguments = ["--db", str(tmp_path / "a.db"), "--port", "0", "--port-file", str(file)]
    process = PythonProcess("perdure_coordinator", arguments, ready=READY)
    await process.start()
    assert process.match is not None
    assert process.match[2] == file.read_text().strip()
    assert str(process.pid) == process.match[4]
    transport = GrpcTransport(f"localhost:{process.match[2]}")
    assert "serving" == (await transport.health())["status"]
    await transport.close()
    assert 0 == await process.stop()


async def test_sigterm_tells_the_workers_and_ends_well(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    async with linked_worker(coordinator.endpoint, answer=None) as worker:
        await transport.start(request_for("a"))
        await worker.activations.get()
        waiting = asyncio.create_task(transport.wait("default", "a"))
        await transport.describe("default", "a")
        assert 0 == await coordinator.stop()
        assert isinstance(await worker.others.get(), DrainCoordinator)
        assert await worker.breaks.get() is not None
        assert "Traceback" not in coordinator.told()
        await coordinator.start()
        worker.answer = finish
        await asyncio.wait_for(worker.welcomes.get(), 20)
        assert Status.COMPLETED is (await asyncio.wait_for(waiting, 20)).status


async def test_sigkill_of_the_coordinator_delays_a_call_and_loses_nothing(
    coordinator: CoordinatorProcess, transport: GrpcTransport, request_for: MakeRequest
) -> None:
    async with linked_worker(coordinator.endpoint, answer=None) as worker:
        await transport.start(request_for("a"))
        first = await worker.activations.get()
        waiting = asyncio.create_task(transport.wait("default", "a"))
        following = asyncio.create_task(_journal(transport, "a"))
        await transport.describe("default", "a")
        await coordinator.kill()
        await worker.breaks.get()
        starting = asyncio.create_task(transport.start(request_for("b")))  # nobody is there
        worker.answer = finish
        await coordinator.start()
        await asyncio.wait_for(worker.welcomes.get(), 20)
        assert (await asyncio.wait_for(starting, 20)).created
        assert Status.COMPLETED is (await asyncio.wait_for(waiting, 20)).status
        assert Status.COMPLETED is (await transport.wait("default", "b")).status
        indexes = await asyncio.wait_for(following, 20)
        assert list(range(len(indexes))) == indexes
        assert first.epoch != (await worker.activations.get()).epoch


async def _journal(transport: GrpcTransport, id: str) -> list[int]:
    return [entry.index async for entry in transport.history("default", id, 0, follow=True)]


async def test_a_refused_worker_hears_why_and_does_not_try_again(
    coordinator: CoordinatorProcess,
) -> None:
    twice = MethodSpec("greeter", "hello", "handler")
    worker = LinkedWorker(coordinator.endpoint, methods=(twice, twice))
    worker.link.open(worker)
    error = await asyncio.wait_for(worker.refusal, 20)
    assert isinstance(error, InvalidArgumentError)
    assert re.search("registered twice", str(error))
    await worker.link.close()


async def test_a_worker_that_comes_before_the_coordinator_waits_for_it(
    tmp_path: Path, transport: GrpcTransport, coordinator: CoordinatorProcess
) -> None:
    await coordinator.stop()
    worker = LinkedWorker(coordinator.endpoint)
    worker.link.open(worker)
    await coordinator.start()
    await asyncio.wait_for(worker.welcomes.get(), 20)
    assert ["w1"] == [w.worker_id for w in await transport.list_workers("default")]
    await worker.link.close()
    await worker.link.close()


async def test_a_link_that_never_connected_closes(tmp_path: Path) -> None:
    worker = LinkedWorker("http://127.0.0.1:9")
    worker.link.open(worker)
    await asyncio.wait_for(worker.link.close(), 20)


async def test_another_service_at_the_endpoint_is_a_protocol_error(tmp_path: Path) -> None:
    server = aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    worker = LinkedWorker(f"http://127.0.0.1:{port}")
    worker.link.open(worker)
    error = await asyncio.wait_for(worker.refusal, 20)
    assert isinstance(error, ProtocolError)
    transport = GrpcTransport(f"http://127.0.0.1:{port}")
    with pytest.raises(PerdureError):
        await transport.describe("default", "a")
    await transport.close()
    await worker.link.close()
    await server.stop(0)
