"""`max_concurrency` and `rate_limit`: how many executions of a name run, and how many begin."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import DurableContext, RateLimit, durable
from perdure.errors import InvalidArgumentError
from perdure.testing import MemoryRuntime
from tests.sdk.backends import Backend

RUNNING: list[str] = []
MOST: list[int] = []


async def busy(name: str) -> str:
    RUNNING.append(name)
    MOST.append(len(RUNNING))
    for _ in range(20):
        await asyncio.sleep(0)
    RUNNING.remove(name)
    return name


service = durable.service("limits")


@durable.function(service="limits", max_concurrency=3)
async def three(ctx: DurableContext, name: str) -> str:
    return await ctx.run(busy, name)


@durable.step(service="limits", max_concurrency=2)
async def two(name: str) -> str:
    return await busy(name)


@service.handler(max_concurrency=1)
async def one(name: str) -> str:
    return await busy(name)


@durable.flow(service="limits")
async def free(ctx: DurableContext, names: list[str]) -> list[str]:
    return list(await asyncio.gather(*(ctx.call(one, name) for name in names)))


service.add_function(three)
service.add_function(two)
service.add_function(free)
SERVICES = [service]


@pytest.mark.parametrize(("limited", "most"), [(three, 3), (two, 2), ("one", 1)])
async def test_no_more_run_than_max_concurrency(backend: Backend, limited: Any, most: int) -> None:
    RUNNING.clear()
    MOST.clear()
    names = [str(number) for number in range(12)]
    if limited == "one":
        assert names == await backend.run(free, names)
    else:
        handles = [await backend.client.start(limited, name) for name in names]
        assert names == [await handle.result(30) for handle in handles]
    assert 12 == len(MOST)
    assert most >= max(MOST)


STARTED: list[float] = []


@durable.function(service="limits_rate", rate_limit=RateLimit(0.5, burst=2))
async def slowly(ctx: DurableContext) -> None:
    STARTED.append(ctx.time())


async def test_a_rate_holds_in_virtual_time() -> None:
    STARTED.clear()
    rated = durable.service("limits_rate")
    rated.add_function(slowly)
    async with MemoryRuntime(services=[rated]).opened() as runtime:
        begin = runtime.clock.now().timestamp()
        handles = [await slowly.start() for _ in range(6)]
        for handle in handles:
            await handle.result(30)
    assert [0, 0, 2, 4, 6, 8] == [round(at - begin) for at in STARTED]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_concurrency": 0}, "max_concurrency must be 1"),
        ({"max_concurrency": True}, "must be an int"),
        ({"rate_limit": 5}, "must be a RateLimit"),
    ],
)
def test_limits_that_cannot_be(options: Any, problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem):
        durable.function(**options)
    with pytest.raises(InvalidArgumentError, match=problem):
        durable.step(**options)
    with pytest.raises(InvalidArgumentError, match=problem):
        service.handler(**options)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ((0,), "per second"),
        ((float("nan"),), "must be a number"),
        (("1",), "must be a number"),
        ((1, 0), "burst must be 1"),
        ((1, 1.5), "burst must be an int"),
    ],
)
def test_rates_that_cannot_be(values: Any, problem: str) -> None:
    with pytest.raises(InvalidArgumentError, match=problem):
        RateLimit(*values)
