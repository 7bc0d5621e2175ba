"""A full store: refused, nothing lost, and the engine goes on from the disk."""

from __future__ import annotations

import asyncio

import pytest

from perdure_coordinator.config import Config
from perdure_coordinator.engine import Engine
from perdure_runtime.core.client import ControlOperation, IdPolicy
from perdure_runtime.core.errors import (
    CoordinatorUnavailableError,
    OverloadedError,
)
from perdure_runtime.core.lifecycle import Status
from perdure_runtime.core.messages import Adopt, Append, Cached, Entries, Finish, Hello
from perdure_runtime.core.payload import Payload
from perdure_runtime.storage import StoreBroken, StoreFull
from tests.unit.engine_world import (
    FLOW,
    StumblingStore,
    control,
    entries,
    request,
    running,
    step,
    until,
)
from tests.unit.scripted_worker import ScriptedWorker

FULL = StoreFull("the disk is full")


async def test_what_was_not_written_is_refused_and_what_was_goes_on() -> None:
    store = StumblingStore()
    async with running(store, reload_ms=1) as engine:
        await engine.start(request("kept"))
        waiting = asyncio.ensure_future(engine.wait("default", "kept"))
        worker = ScriptedWorker(engine).hello(FLOW)
        activation = await worker.activation()
        store.fails = FULL
        with pytest.raises(OverloadedError, match="disk is full"):
            await engine.start(request("refused"))
        await until(lambda: bool(worker.closed))
        with pytest.raises(CoordinatorUnavailableError):  # no refusal: it connects again
            worker.say(Append(activation.epoch, 0, 1, (step("0:1"),)))
        store.fails = None
        await until(lambda: engine.stats.reloads == 1)
        assert (await engine.start(request("refused"))).created, "nothing of it was written"
        cached = Cached(activation.key, 1, 1, activation.epoch, last_index=1, acknowledged=0)
        back = ScriptedWorker(engine).hello(FLOW, cached=(cached,))
        adopted = await back.hear(Adopt)
        back.say(Append(adopted.epoch, 0, 1, (step("0:1"),)))
        await back.hear(Entries)
        back.say(Finish(adopted.epoch, 1, 2, Payload(b"1")))
        assert (await waiting).status is Status.COMPLETED, "who waits need not know"


async def test_a_follower_goes_on_where_it_was() -> None:
    store = StumblingStore()
    async with running(store, reload_ms=1) as engine:
        await engine.start(request("a"))
        journal = engine.history("default", "a", follow=True)
        seen = [await anext(journal)]
        more = asyncio.ensure_future(anext(journal))
        await engine.flushed()
        store.fails = FULL
        with pytest.raises(OverloadedError):
            await engine.start(request("b"))
        store.fails = None
        await until(lambda: engine.stats.reloads == 1)
        await control(engine, ControlOperation.CANCEL)
        seen += [await more, *[recorded async for recorded in journal]]
        assert [recorded.index for recorded in seen] == [0, 1, 2]


async def test_while_it_is_full_everything_is_refused_with_a_retry_hint() -> None:
    store = StumblingStore()
    async with running(store, reload_ms=1) as engine:
        store.fails = FULL
        for id in ("a", "b", "c"):
            with pytest.raises(OverloadedError) as refused:
                await engine.start(request(id))
            assert refused.value.retry_after > 0
        store.fails = None
        await until(lambda: engine.stats.reloads >= 1)
        assert (await engine.start(request("a"))).created


async def test_who_waited_for_the_store_meanwhile_is_refused_too() -> None:
    """It asked the memory that was dropped, and was never answered."""
    store = StumblingStore()
    async with running(store, reload_ms=1) as engine:
        store.finds.clear()
        slow = asyncio.ensure_future(engine.start(request("a", id_policy=IdPolicy.REJECT)))
        await asyncio.sleep(0)
        store.fails = FULL
        with pytest.raises(OverloadedError):
            await engine.start(request("b"))
        store.fails = None
        await until(lambda: engine.stats.reloads == 1)
        store.finds.set()
        async with asyncio.timeout(20):
            with pytest.raises(OverloadedError, match="nothing was written"):
                await slow
        assert (await engine.start(request("a", id_policy=IdPolicy.REJECT))).created


async def test_no_worker_is_registered_while_it_reloads() -> None:
    store = StumblingStore()
    async with running(store, reload_ms=60_000) as engine:
        store.fails = FULL
        with pytest.raises(OverloadedError):
            await engine.start(request("a"))
        with pytest.raises(CoordinatorUnavailableError, match="connect again"):
            engine.connect(ScriptedWorker(engine), Hello("w1", "default", (FLOW,)))


async def test_it_can_stop_while_the_store_is_full() -> None:
    store = StumblingStore()
    engine = await Engine.open(store, Config(reload_ms=1))
    await engine.start(request("a"))
    waiting = asyncio.ensure_future(engine.wait("default", "a"))
    await engine.flushed()
    store.fails = FULL
    with pytest.raises(OverloadedError):
        await engine.start(request("b"))
    await engine.stop()
    with pytest.raises(CoordinatorUnavailableError):
        await waiting


async def test_a_broken_store_ends_the_engine_and_tells_everybody() -> None:
    store = StumblingStore()
    fatal: list[BaseException] = []
    engine = await Engine.open(store, Config(), on_fatal=fatal.append)
    await engine.start(request("a"))
    waiting = asyncio.ensure_future(engine.wait("default", "a"))
    await engine.flushed()
    store.fails = StoreBroken("sync failed")
    with pytest.raises(CoordinatorUnavailableError, match="sync failed"):
        await engine.start(request("b"))
    with pytest.raises(CoordinatorUnavailableError):
        await waiting
    with pytest.raises(CoordinatorUnavailableError, match="sync failed"):
        await engine.start(request("c"))
    assert fatal == [store.fails]
    store.fails = None
    await engine.stop()
    assert list(store.disk.rows) == [("default", "a")], "nothing is written after a failure"


async def test_after_a_reload_another_fault_still_ends_the_engine() -> None:
    store = StumblingStore()
    fatal: list[BaseException] = []
    engine = await Engine.open(store, Config(reload_ms=1), on_fatal=fatal.append)
    store.fails = FULL
    with pytest.raises(OverloadedError):
        await engine.start(request("a"))
    store.fails = None
    await until(lambda: engine.stats.reloads == 1)
    store.fails = StoreBroken("sync failed")
    with pytest.raises(CoordinatorUnavailableError):
        await engine.start(request("a"))
    assert fatal == [store.fails]
    await engine.stop()


async def test_a_stopped_engine_answers_nothing_but_that() -> None:
    async with running(StumblingStore()) as engine:
        await engine.start(request("a"))
    for asked in (engine.start(request("a")), engine.wait("default", "a"), entries(engine)):
        with pytest.raises(CoordinatorUnavailableError):
            await asked
