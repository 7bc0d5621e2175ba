"""Checkpoints: what a step or handler has recorded of its progress, for its next run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from perdure import DurableContext, RetryPolicy, ctx, durable
from perdure.errors import InvalidArgumentError, NotInExecutionError, SerializationError
from perdure.testing import MemoryRuntime
from perdure.testing.crashes import run_with_crashes
from tests.sdk.backends import Backend

service = durable.service("checkpoints")
RUNS: list[dict[str, Any]] = []
FAILS: list[int] = []
AT_ONCE = RetryPolicy(3, delay=0)


async def sums(numbers: list[int]) -> int:
    RUNS.append(ctx.checkpoints)
    done, total = ctx.checkpoints.get("sum", (0, 0))
    for place in range(done, len(numbers)):
        if place in FAILS:
            FAILS.remove(place)
            raise ValueError(f"not {place} yet")
        total += numbers[place]
        await ctx.checkpoint("sum", [place + 1, total])
    return int(total)


@service.handler
async def handles(numbers: list[int]) -> int:
    return await sums(numbers)


@durable.step(service="checkpoints", max_retries=3, retry_delay=0)
async def steps(numbers: list[int]) -> int:
    return await sums(numbers)


@durable.flow(service="checkpoints")
async def flows(context: DurableContext, numbers: list[int]) -> int:
    await context.run("before", int)
    return await context.run(sums, numbers, retry=AT_ONCE)


@durable.function(service="checkpoints", max_retries=2, retry_delay=0)
async def functions(context: DurableContext, numbers: list[int]) -> int:
    return await context.run(sums, numbers)


for each in (steps, flows, functions):
    service.add_function(each)
SERVICES = [service]
NUMBERS = [3, 4, 5]


@pytest.mark.parametrize("target", [handles, steps, flows, functions])
async def test_a_retry_goes_on_from_the_last_checkpoint(backend: Backend, target: Any) -> None:
    RUNS.clear()
    FAILS[:] = [1, 2]
    assert 12 == await backend.run(target, NUMBERS, retry=AT_ONCE if target is handles else None)
    assert [{}, {"sum": [1, 3]}, {"sum": [2, 7]}] == RUNS


async def test_a_retry_by_an_operator_goes_on_unless_the_input_is_new(backend: Backend) -> None:
    RUNS.clear()
    for id, changed, expected in (("same", None, {"sum": [2, 7]}), ("new", [1, 1, 1], {})):
        FAILS[:] = [2]
        handle = await backend.client.start(handles, NUMBERS, id=id, retry=0)
        with pytest.raises(Exception, match="not 2 yet"):
            await handle.result(30)
        if changed is None:
            await backend.client.retry(id)
        else:
            await backend.client.retry(id, input=changed)
        assert (3 if changed else 12) == await handle.result(30)
        assert expected == RUNS[-1]


async def test_history_shows_checkpoints_and_a_fork_begins_anew(backend: Backend) -> None:
    RUNS.clear()
    FAILS.clear()
    handle = await backend.client.start(flows, NUMBERS, id="f")
    assert 12 == await handle.result(30)
    assert 3 == (await backend.kinds("f")).count("step_checkpointed")
    paths = [entry.path async for entry in handle.history() if entry.name.endswith("sums")]
    fork = await backend.client.fork("f", at=paths[-1], new_id="g")
    assert 12 == await fork.result(30)
    assert [{}, {}] == RUNS


@pytest.mark.parametrize("target", [handles, steps, flows, functions])
async def test_a_crash_at_any_journal_write_goes_on_from_the_last_checkpoint(target: Any) -> None:
    runtime = MemoryRuntime(services=SERVICES)
    places: list[int] = []

    async def run() -> None:
        RUNS.clear()
        FAILS.clear()
        assert 12 == await (await runtime.client.start(target, NUMBERS)).result(30)
        places.extend(run.get("sum", (0, 0))[0] for run in RUNS)
        assert places[-len(RUNS) :] == sorted(places[-len(RUNS) :]), "never back"

    await run_with_crashes(run, runtime, "every-entry")
    assert {0, 1, 2, 3} >= set(places) >= {0, 1, 2}


async def test_several_at_once_and_a_value_that_cannot_be(backend: Backend) -> None:
    assert ["a", "b"] == await backend.run(many)
    assert "sync" == await backend.run(in_a_thread)


@service.handler
async def many() -> list[str]:
    await asyncio.gather(ctx.checkpoint("a", 1), ctx.checkpoint("b", 2), ctx.checkpoint("a", 3))
    assert {"a", "b"} == ctx.checkpoints.keys()
    with pytest.raises(InvalidArgumentError, match="checkpoint"):
        await ctx.checkpoint("")
    with pytest.raises(SerializationError, match="checkpoint 'x'"):
        await ctx.checkpoint("x", object())
    return sorted(ctx.checkpoints)


@service.handler
def in_a_thread() -> str:
    with pytest.raises(NotInExecutionError, match="async def"):
        ctx.checkpoint("a").send(None)
    return "sync"


@pytest.mark.parametrize("target", [handles, flows])
async def test_reconnects_lose_and_double_no_checkpoint(target: Any) -> None:
    """Each stub makes the worker begin a new session, which adopts what runs, or runs it anew."""
    RUNS.clear()
    FAILS.clear()
    async with MemoryRuntime(services=SERVICES).opened() as runtime:
        numbers = list(range(40))
        handle = await runtime.client.start(target, numbers, id="r")
        noted: list[int] = []
        async for entry in handle.history(follow=True):
            if entry.kind == "step_checkpointed":
                noted.append(entry.value[0])
                if len(noted) % 9 == 0:
                    runtime.stub(f"other{len(noted)}", method=1)
        assert list(range(1, 41)) == noted
        assert sum(numbers) == await handle.result(30)
