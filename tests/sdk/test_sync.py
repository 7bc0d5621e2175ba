"""`perdure.sync` against a real runtime: all of it, from threads, and inside a running loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import perdure
from perdure import DurableContext, durable, sync

service = durable.service("sync-suite", "1.0.0")


@durable.function
async def double(ctx: DurableContext, number: int) -> int:
    """Twice the number; keeps it, and tells it."""
    await ctx.state.set("number", number)
    ctx.emit(number)
    doubled: int = await ctx.run("double", lambda: number * 2)
    return doubled


@durable.function
async def waits(ctx: DurableContext) -> str:
    """For an event."""
    answer: str = await ctx.wait_for_event("sync-answer")
    return answer


@durable.function(max_retries=0)
async def divides(ctx: DurableContext, by: int) -> float:
    """Fails for 0."""
    return 1 / by


for function in (double, waits, divides):
    service.add_function(function)


@pytest.fixture(params=["embedded", "grpc"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sync.SyncClient]:
    """A blocking client whose functions are served, over either transport."""
    path = tmp_path / "perdure.db"
    if request.param == "embedded":
        with sync.embedded(path, services=[service]) as runtime:
            yield runtime.client
        return
    endpoint: str = request.getfixturevalue("coordinator")
    namespace = tmp_path.name

    async def serve(ready: threading.Event, stop: asyncio.Event) -> None:
        worker = durable.get_worker(service.name, service.version, endpoint, namespace=namespace)
        await worker.start()
        ready.set()
        await stop.wait()
        await worker.stop(1.0)

    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(ready, stop),))
    thread.start()
    assert ready.wait(30)
    with sync.connect(endpoint, namespace=namespace) as connected:
        yield connected
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_start_find_and_read(client: sync.SyncClient) -> None:
    handle = client.start(double, 21, id="sync-1")
    assert handle.created
    assert 42 == handle.result(30)
    assert not client.start(double, 21, id="sync-1").created
    assert 42 == client.get("sync-1", double).result(30)
    assert "completed" == handle.describe().status
    assert [0, 1, 2] == [entry.index for entry in handle.history()][:3]
    assert [21] == list(handle.stream())
    assert {"number": 21} == handle.read_state() == client.read_state("sync-1")
    assert ["sync-1"] == [info.id for info in client.list(id_prefix="sync-")]
    assert "serving" == client.health()["status"]
    assert 1 == len(client.workers())
    assert {"double", "waits", "divides"} <= {info.method for info in client.services()}


def test_steering(client: sync.SyncClient) -> None:
    client.start(waits, id="paused")
    assert client.pause("paused", "for now")
    assert "paused" == client.get("paused").describe().status
    assert client.resume("paused")
    client.send_event("sync-answer", "42")
    assert "42" == client.get("paused", waits).result(30)
    failing = client.start(divides, 0, id="failing")
    with pytest.raises(perdure.ExecutionFailed):
        failing.result(30)
    assert client.retry("failing", input=4)
    assert 0.25 == failing.result(30)
    assert client.delete("failing")
    with pytest.raises(perdure.NotFoundError):
        failing.describe()
    handle = client.start("sync-suite", "nobody-serves-this", id="cancelled")
    assert handle.cancel("no longer wanted")
    with pytest.raises(perdure.ExecutionCancelledError, match="no longer wanted"):
        handle.result(30)
    fork = client.fork("paused", at=next(e.path for e in client.get("paused").history() if e.path))
    assert "42" == fork.result(30)
    assert [] == client.control("cancel", ids=[])


def test_a_timeout_is_the_builtin_one(client: sync.SyncClient) -> None:
    handle = client.start("sync-suite", "nobody-serves-this", id="slow")
    with pytest.raises(TimeoutError, match="it goes on"):
        handle.result(0.05)
    assert handle.cancel()


def test_many_threads_share_one_client(client: sync.SyncClient) -> None:
    with ThreadPoolExecutor(16) as pool:
        results = pool.map(lambda n: client.start(double, n).result(30), range(100))
        assert [2 * number for number in range(100)] == list(results)


async def test_a_cell_of_a_notebook_blocks_its_running_loop(tmp_path: Path) -> None:
    with sync.embedded(tmp_path / "perdure.db", services=[service]) as runtime:
        assert 6 == runtime.client.start(double, 3).result(30)
        assert 8 == sync.run(double, 4)
        runtime.drain()
