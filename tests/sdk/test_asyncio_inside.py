"""asyncio's own primitives over durable things (semantics, section 4)."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from typing import Any

from perdure import DurableContext, durable
from tests.sdk.backends import Backend

service = durable.service("asyncio-inside")
SERVICES = [service]


@durable.step
async def double(x: int) -> int:
    return 2 * x


@durable.function
async def child(ctx: DurableContext, x: int) -> int:
    return x + 1


@durable.function
async def groups(ctx: DurableContext) -> list[Any]:
    gathered = await asyncio.gather(double(1), ctx.call(child, 1), child(2), ctx.sleep(0.001))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(double(3)),
            group.create_task(ctx.call(child, 4)),
            group.create_task(ctx.run(abs, -5)),
        ]
    done = [await next_done for next_done in asyncio.as_completed([double(6), double(7)])]
    future = double(8)
    again = [await future, await future, await asyncio.create_task(double(9))]
    return [gathered, [task.result() for task in tasks], sorted(done), again]


@durable.function
async def one_future_many_tasks(ctx: DurableContext) -> list[int]:
    future = ctx.call(child, 1)
    tasks = [asyncio.create_task(future) for _ in range(3)]
    return await asyncio.gather(*tasks)


@durable.function
async def timeouts(ctx: DurableContext) -> list[Any]:
    seen: list[Any] = []
    try:
        async with asyncio.timeout(0.02):
            await ctx.sleep(3600)
    except TimeoutError:
        seen.append("timeout")
    try:
        await asyncio.wait_for(ctx.call(child_forever), 0.02)
    except TimeoutError:
        seen.append("wait_for")
    seen.append(await asyncio.wait_for(double(2), 60))
    shielded = asyncio.shield(ctx.sleep(0.01))
    await shielded
    return seen


@durable.function
async def child_forever(ctx: DurableContext) -> None:
    await ctx.sleep(3600)


@durable.function
async def queues(ctx: DurableContext) -> list[int]:
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Semaphore(2)

    async def produce(x: int) -> None:
        async with lock:
            queue.put_nowait(await ctx.run(abs, -x))

    async with asyncio.TaskGroup() as group:
        for x in (1, 2, 3):
            group.create_task(produce(x))
        return sorted([await queue.get() for _ in range(3)])


@durable.function
async def virtual(ctx: DurableContext) -> list[Any]:
    began = ctx.time()
    before = [began, time.time(), random.random(), str(uuid.uuid4()), str(ctx.uuid4())]
    await ctx.sleep(0.02)
    slept = ctx.time() - began
    moment = ctx.now()
    await ctx.sleep_until(ctx.time() - 5)
    await ctx.sleep(0)
    return [
        before[0] == before[1],
        0.02 <= slept,
        abs(moment.timestamp() - ctx.time()) < 1e-3,
        ctx.random().random() != random.random(),
        await ctx.run("seen", lambda: before) == before,
    ]


@durable.function
async def bad_sleeps(ctx: DurableContext) -> list[str]:
    problems = []
    for seconds in (-1, float("nan"), float("inf"), "1"):
        try:
            await ctx.sleep(seconds)  # type: ignore[arg-type] # what is tested
        except ValueError as error:
            problems.append(type(error).__name__)
    return problems


for function in (
    *(child, groups, one_future_many_tasks, timeouts, child_forever, queues, virtual),
    bad_sleeps,
):
    service.add_function(function)


async def test_gather_task_group_as_completed_and_repeated_await(backend: Backend) -> None:
    expected = [[2, 2, 3, None], [6, 5, 5], [12, 14], [16, 16, 18]]
    assert expected == await backend.run(groups)


async def test_one_future_in_several_tasks(backend: Backend) -> None:
    assert [2, 2, 2] == await backend.run(one_future_many_tasks)


async def test_timeouts_are_durable_timers(backend: Backend) -> None:
    assert ["timeout", "wait_for", 4] == await backend.run(timeouts)


async def test_queues_and_locks(backend: Backend) -> None:
    assert [1, 2, 3] == await backend.run(queues)


async def test_time_and_randomness_are_virtual_and_repeat(backend: Backend) -> None:
    assert [True] * 5 == await backend.run(virtual)


async def test_bad_sleeps_are_value_errors(backend: Backend) -> None:
    assert ["InvalidArgumentError"] * 4 == await backend.run(bad_sleeps)
