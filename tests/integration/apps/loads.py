"""Flows for the load tests: each does little, there are many of them."""

import time
from typing import Any

from perdure import DurableContext, durable
from tests.integration.apps.witness import witness

service = durable.service("loads", "1.0.0")


@durable.function(service="loads")
async def sleeps_until(ctx: DurableContext, due_s: float) -> float:
    """Sleeps until a moment; by how much it woke up after it, on the real clock."""
    await ctx.sleep_until(due_s)
    late: float = await ctx.run(_late, due_s)
    return late


def _late(due_s: float) -> float:
    return time.time() - due_s


@durable.function(service="loads")
async def waits(ctx: DurableContext, _: Any = None) -> Any:
    """Waits for its event."""
    return await ctx.wait_for_event("wake")


def _witnessed(number: int) -> int:
    witness("once")
    return number


@durable.function(service="loads")
async def once(ctx: DurableContext, number: int) -> int:
    """One step, witnessed."""
    result: int = await ctx.run(_witnessed, number)
    return result


def _nothing(number: int) -> int:
    return number


def _clock(number: int) -> float:
    return time.monotonic()


@durable.function(service="loads")
async def many_steps(ctx: DurableContext, sizes: list[int]) -> list[float]:
    """So many steps one after the other; seconds for each part of so many."""
    entries, part = sizes
    times: list[float] = []
    before: float = await ctx.run(_clock, -1)
    for number in range(entries):
        await ctx.run(_nothing, number)
        if number % part == part - 1:
            now: float = await ctx.run(_clock, number)
            times.append(now - before)
            before = now
    return times


@service.handler
async def small(value: str) -> int:
    """Next to nothing."""
    return len(value)


for function in (sleeps_until, waits, once, many_steps):
    service.add_function(function)
