"""Group commit: nothing is told before the commit that covers it is on disk (I2)."""

from __future__ import annotations

import asyncio

from tests.unit.engine_world import StumblingStore, request, running, until


async def test_a_start_is_answered_when_its_commit_is_on_disk() -> None:
    store = StumblingStore()
    async with running(store) as engine:
        store.gate.clear()
        start = asyncio.ensure_future(engine.start(request("a")))
        await until(lambda: store.held)
        for _ in range(100):  # all that could be told by now
            await asyncio.sleep(0)
        told = start.done()
        store.gate.set()
        assert not told
        assert "a" == (await start).id


async def test_what_waits_for_the_disk_is_one_commit_later() -> None:
    store = StumblingStore()
    async with running(store) as engine:
        store.gate.clear()
        first = asyncio.ensure_future(engine.start(request("a")))
        await until(lambda: store.held)
        others = [asyncio.ensure_future(engine.start(request(id))) for id in "bcd"]
        commits = engine.stats.commits
        store.gate.set()
        await asyncio.gather(first, *others)
        assert commits + 2 == engine.stats.commits
