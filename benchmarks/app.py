"""What the benchmarks run."""

from __future__ import annotations

from typing import Any

from perdure import DurableContext, durable

bench = durable.service("bench", "1.0.0")


@durable.step
async def small(i: int) -> dict[str, Any]:
    """A step that costs nothing."""
    return {"i": i, "ok": True}


@durable.flow
async def sequence(ctx: DurableContext, count: int) -> int:
    """Sequential recorded steps."""
    for i in range(count):
        await small(i)
    return count


@durable.flow
async def sequence_then_wait(ctx: DurableContext, count: int, seconds: float) -> float:
    """Recorded steps, then a sleep: what a replay has to get through."""
    for i in range(count):
        await small(i)
    ctx.progress(count, count)
    await ctx.sleep(seconds)
    await small(count)
    return seconds


bench.add_function(sequence)
bench.add_function(sequence_then_wait)
