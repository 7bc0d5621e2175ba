"""What follows the virtual clock beside sleeps: schedules, delays, and what waits for several."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from perdure import DurableContext, durable
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from perdure_runtime.core.errors import JournalMismatchError


@durable.function(service="virtual_time")
async def nap(ctx: DurableContext, seconds: float) -> str:
    await ctx.sleep(seconds)
    return ctx.now().isoformat()


TURNS: list[int] = []


@durable.function(service="virtual_time")
async def depends_on_a_global(ctx: DurableContext) -> None:
    TURNS.append(1)
    await ctx.run(f"turn {len(TURNS)}", int)
    await ctx.sleep(1)


@durable.function(service="virtual_time")
async def calls_it(ctx: DurableContext) -> None:
    await depends_on_a_global()


@pytest.mark.parametrize("function", [depends_on_a_global, calls_it])
async def test_who_waits_for_a_mismatch_gets_the_diff(function: Any) -> None:
    async with MemoryRuntime(always_suspend=True).opened():
        with pytest.raises(JournalMismatchError, match=r"test_virtual_time\.py:\d+"):
            await function()


@pytest.mark.parametrize("crash", [None, "every-entry"])
async def test_a_cron_schedule_starts_one_execution_a_day(crash: str | None) -> None:
    runtime = MemoryRuntime(auto_advance=False)

    async def run() -> None:
        await runtime.client.schedule(nap, 0, cron="0 6 * * *", id="daily")
        await runtime.clock.advance(days=3)
        started = [info.id async for info in runtime.client.list(id_prefix="daily@")]
        assert sorted(started) == [f"daily@2030-01-0{day}T06:00:00Z" for day in (1, 2, 3)]

    await run_with_crashes(run, runtime, crash)


async def test_timers_fire_in_order_each_at_its_own_time() -> None:
    async with MemoryRuntime(auto_advance=False).opened() as runtime:
        handles = [await nap.start(hours * 3600.0) for hours in (5, 1, 3)]
        await runtime.clock.advance(hours=4)
        assert [(await each.describe()).status for each in handles] == [
            "suspended",
            "completed",
            "completed",
        ]
        await runtime.clock.advance(hours=1)
        woke = [await each.result() for each in handles]
        assert woke == [f"2030-01-01T0{hour}:00:00+00:00" for hour in (5, 1, 3)]


async def test_time_jumps_only_while_the_test_waits_for_an_execution() -> None:
    async with MemoryRuntime().opened() as runtime:
        began = runtime.clock.now()
        handles = await asyncio.gather(*(nap.start(seconds) for seconds in (60.0, 3600.0)))
        await runtime.settle()
        assert runtime.clock.now() == began
        await asyncio.gather(*(handle.result() for handle in handles))
        assert runtime.clock.now() - began == timedelta(hours=1)


async def test_a_start_that_is_put_off_starts_at_its_time() -> None:
    async with MemoryRuntime(auto_advance=False).opened() as runtime:
        handle = await runtime.client.start(nap, 0.0, delay=600.0)
        await runtime.clock.advance(minutes=9)
        assert (await handle.describe()).status == "scheduled"
        await runtime.clock.advance(minutes=1)
        assert await handle.result() == "2030-01-01T00:10:00+00:00"
