"""Retention: what is deleted, what never is, and what becomes of the file (semantics, 8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perdure_coordinator.engine import Engine
from perdure_coordinator.store.sqlite import open_file
from perdure_runtime.core.client import ListRequest
from perdure_runtime.core.entries import TimerStarted
from perdure_runtime.core.errors import NotFoundError
from perdure_runtime.core.ids import ExecutionKey
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Append, Entries, Finish
from perdure_runtime.core.payload import Payload
from perdure_runtime.memory import MemoryDisk, MemoryStore
from perdure_runtime.storage import Store, WriteBatch
from perdure_runtime.testing.store_samples import entries_of, key_of, row_of
from tests.unit.engine_world import FLOW, Reopened, request, running, step
from tests.unit.scripted_worker import ScriptedWorker

SOON = {"retention_ms": 1, "sweep_ms": 5}


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Reopened:
    return Reopened(tmp_path if request.param == "sqlite" else None)


async def finish(engine: Engine, worker: ScriptedWorker, id: str) -> None:
    await engine.start(request(id))
    activation = await worker.activation()
    worker.say(Append(activation.epoch, 0, 1, (step("0:1"),)))
    await worker.hear(Entries)
    worker.say(Finish(activation.epoch, 1, 2, Payload(b"1")))
    await engine.wait("default", id)


async def until_deleted(engine: Engine, number: int) -> None:
    async with asyncio.timeout(20):
        while engine.stats.deleted < number:
            await asyncio.sleep(0.005)


async def left(engine: Engine) -> list[str]:
    return sorted(item.id for item in (await engine.list(ListRequest("default"))).items)


async def test_what_ended_long_ago_is_deleted_and_nothing_else(database: Reopened) -> None:
    async with running(await database.store()) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        for number in range(3):
            await finish(engine, worker, f"old{number}")
        await engine.start(request("open"))
    async with running(await database.store(), **SOON) as engine:
        await until_deleted(engine, 3)
        assert ["open"] == await left(engine)
        with pytest.raises(NotFoundError):
            await engine.describe("default", "old1")
        assert (await engine.start(request("old1"))).created, "its id is free again"


async def test_what_is_in_memory_is_deleted_too(database: Reopened) -> None:
    async with running(await database.store(), **SOON) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("a"))
        activation = await worker.activation()
        worker.say(Finish(activation.epoch, 0, 1, Payload(b"1")))
        await until_deleted(engine, 1)
        assert (0, []) == (engine.resident(), await left(engine))


async def test_a_retention_of_zero_keeps_everything(database: Reopened) -> None:
    async with running(await database.store(), retention_ms=0, sweep_ms=1) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await finish(engine, worker, "a")
        await finish(engine, worker, "b")
        assert (["a", "b"], 0) == (await left(engine), engine.stats.deleted)


async def test_what_is_younger_than_the_retention_stays(database: Reopened) -> None:
    async with running(await database.store(), retention_ms=3_600_000, sweep_ms=1) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await finish(engine, worker, "a")
        await finish(engine, worker, "b")
        assert (["a", "b"], 0) == (await left(engine), engine.stats.deleted)


class StaleStore(MemoryStore):
    """Its answers are as old as can be: all of them may have been retried since."""

    async def ended_before(self, until_ms: int, limit: int) -> list[ExecutionKey]:
        """Everything."""
        return list(self.disk.rows)[:limit]


async def test_what_was_retried_since_the_query_stays() -> None:
    disk = MemoryDisk()
    async with running(MemoryStore(disk)) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await finish(engine, worker, "ended")
        await engine.start(request("suspended"))
        activation = await worker.activation()
        worker.say(Append(activation.epoch, 0, 1, (TimerStarted("0:1", 3_600_000),), idle=True))
        await worker.hear(Entries)
        await engine.start(request("queued"))
    async with running(StaleStore(disk), **SOON) as engine:
        await engine.describe("default", "queued")  # in memory, the other one is not
        await until_deleted(engine, 1)
        assert ["queued", "suspended"] == await left(engine)
        assert Status.SUSPENDED is (await engine.describe("default", "suspended")).status


async def test_the_file_reaches_a_plateau(tmp_path: Path) -> None:
    """Freed pages are used again: the file holds what retention holds, however much has passed."""
    path = tmp_path / "test.db"
    store = await open_file(path)
    epoch = (await store.acquire("test")).epoch
    sizes = []
    for turn in range(12):
        keys = [key_of(f"r{turn}-{number}") for number in range(60)]
        rows = {key: row_of(key, Status.COMPLETED) for key in keys}
        entries = [entry for key in keys for entry in entries_of(key, 40)]
        await store.commit(WriteBatch(epoch, rows=rows, entries=entries))
        await store.delete(await store.ended_before(2**50, 1_000))
        await store.checkpoint()
        sizes.append(path.stat().st_size)
    await store.close()
    assert sizes[2] == sizes[-1] or max(sizes[2:]) <= 1.05 * sizes[2], sizes


async def test_of_an_execution_that_continues_as_new_two_runs_are_kept(
    database: Reopened,
) -> None:
    lasting = {"retention_ms": 3_600_000, "sweep_ms": 5}
    store = await database.store()
    async with running(store, **lasting) as engine:
        worker = ScriptedWorker(engine).hello(FLOW)
        await engine.start(request("forever"))
        begins = []
        for _ in range(4):
            activation = await worker.activation()
            begins.append(activation.entries[0].index)
            started = activation.entries[-1].index
            worker.say(Append(activation.epoch, 0, started, (step("0:1"),)))
            await worker.hear(Entries)
            done = Finish(activation.epoch, 1, started + 1, continue_input=Payload(b"2"))
            worker.say(done)
        activation = await worker.activation()
        begins.append(activation.entries[0].index)
        async with asyncio.timeout(20):
            while (await first_index(store, "forever")) < begins[-2]:
                await asyncio.sleep(0.005)
        assert await first_index(store, "forever") == begins[-2]
        worker.say(Finish(activation.epoch, 0, activation.entries[-1].index, Payload(b"1")))
        await engine.wait("default", "forever")
    async with running(await database.store()) as engine:  # what is left can be loaded
        assert (await engine.wait("default", "forever")).result == Payload(b"1")


async def first_index(store: Store, id: str) -> int:
    stored = await store.load(ExecutionKey("default", id))
    assert stored is not None
    return stored.entries[0].index
