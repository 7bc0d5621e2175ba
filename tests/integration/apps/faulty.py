"""Everything that can go wrong in user code, one flow or function each."""

import asyncio
from typing import Any

from perdure import DurableContext, NonRetryableError, RetryPolicy, durable

MIB = 1024 * 1024

faulty = durable.service("faulty", "1.0.0")


@faulty.handler
async def never(payload: Any) -> None:
    """Waits until it is cancelled."""
    await asyncio.Event().wait()


@durable.flow
async def sleepy(ctx: DurableContext) -> None:
    """Sleeps for an hour."""
    await ctx.sleep(3600)


@durable.flow
async def impatient(ctx: DurableContext) -> None:
    """Calls what never answers, for a moment."""
    await ctx.call("faulty", "never", timeout=0.2)


@durable.flow
async def misdirected(ctx: DurableContext) -> None:
    """Calls a service that nobody offers."""
    await ctx.call("nowhere", "method", timeout=0.2)


@durable.flow
async def mistaken(ctx: DurableContext) -> None:
    """Calls a method that the service does not have."""
    await ctx.call("faulty", "nevr")


@durable.function(retry=RetryPolicy(max_retries=2, delay=0.1, factor=3.0))
async def stubborn(ctx: DurableContext) -> None:
    """Fails in every attempt."""
    raise ConnectionError(f"attempt {ctx.attempt}")


@durable.function(retry_delay=0.05, timeout=0.2, max_retries=1)
async def slow(ctx: DurableContext) -> None:
    """Does not make it within the timeout of an attempt."""
    await ctx.sleep(3600)


@durable.function
async def decided(ctx: DurableContext) -> None:
    """Fails for good."""
    raise NonRetryableError("no use")


@durable.function(max_retries=0)
async def huge(ctx: DurableContext) -> None:
    """Has a step whose result is too large."""
    await ctx.run("huge", lambda: "x" * (5 * MIB))


@durable.function(max_retries=0)
async def opaque(ctx: DurableContext) -> None:
    """Has a step whose result cannot be encoded."""
    await ctx.run("opaque", object)


@durable.flow
async def sound(ctx: DurableContext, number: int) -> int:
    """Shows that the coordinator and its worker still work."""
    doubled: int = await ctx.run("double", lambda: 2 * number)
    return doubled


for function in (
    sleepy,
    impatient,
    misdirected,
    mistaken,
    stubborn,
    slow,
    decided,
    huge,
    opaque,
    sound,
):
    faulty.add_function(function)
