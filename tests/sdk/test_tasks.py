"""`@task`, `@workflow` and the ambient context; bodies that are not deterministic; checkpoints."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, RetryPolicy, ctx, durable, task, workflow
from tests.sdk.backends import Backend
from tests.seeds.tasks import advanced_task_processing

service = durable.service("tasks")
complex_service = durable.service("complex_service")
SERVICES = [service, complex_service]
runs: Counter[str] = Counter()


@complex_service.handler
def process(data: dict[str, Any]) -> dict[str, Any]:
    runs[data["tag"]] += 1
    return {"processed": runs[data["tag"]]}


def note(tag: str) -> int:
    runs[tag] += 1
    return runs[tag]


@task
def plain_task(tag: str, times: int = 2) -> int:
    return note(tag) * times


@task(max_retries=1, retry_delay=0.001)
async def retried_task(tag: str) -> list[int]:
    count = await ctx.state.get("count", 0) + 1
    await ctx.state.set("count", count)
    noted = await ctx.run(note, tag)
    if count == 1:
        raise ConnectionError("again")
    return [count, noted, ctx.attempt]


@durable.step
def doubled(x: int) -> int:
    return 2 * x


@workflow
async def enhanced(tag: str) -> list[Any]:
    @task
    async def inner(x: int) -> int:
        await ctx.state.set("inner", x)
        return await doubled(x)

    @task
    def inner_plain(x: int) -> int:
        return x + 1

    one = await plain_task(tag, times=3)
    two = await inner(4)
    (three, four) = await ctx.spawn([(inner, 5), ("labelled", inner_plain, 6)])
    five = await ctx.call(plain_task, f"{tag}-five")
    return [one, two, three, four, five, await ctx.state.get("inner"), ctx.name]


QUICK = RetryPolicy(max_retries=0, delay=0.001)


@durable.function(deterministic=False, retry=QUICK)
async def differs(ctx: DurableContext, tag: str) -> list[int]:
    runs[f"{tag}-bodies"] += 1
    if runs[f"{tag}-bodies"] == 2:
        await ctx.run(note, f"{tag}-other")
    await ctx.run(note, tag)
    await ctx.sleep(0.001)
    return [ctx.attempt, runs[tag]]


@durable.function(deterministic=False, max_retries=0)
async def really_random(ctx: DurableContext) -> list[bool]:
    return [
        abs(time.time() - ctx.now().timestamp()) < 5,
        random.random() != random.Random(0).random(),
        str(ctx.uuid4()) != "",
    ]


@durable.function(checkpoint_interval=3, max_retries=0)
async def checkpointed(ctx: DurableContext, tag: str) -> int:
    for n in range(7):
        await ctx.state.set("n", n)
        await ctx.run(note, tag)
    await ctx.state.set("n", "end")
    return runs[tag]


for function in (
    *(plain_task, retried_task, enhanced, differs, really_random, checkpointed),
    advanced_task_processing,
):
    service.add_function(function)


async def test_advanced_task_processing_twice(backend: Backend) -> None:
    tag = uuid4().hex
    assert {"processed": 1} == await backend.run(advanced_task_processing, {"tag": tag})
    assert {"processed": 2} == await advanced_task_processing({"tag": tag})  # the ambient client
    assert 2 == runs[tag]


async def test_a_plain_task_runs_as_one_step(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(plain_task, tag)
    assert 2 == await handle.result(20)
    assert 1 == (await backend.kinds(handle.id)).count("step_completed")
    assert 4 == await plain_task(tag)


async def test_a_task_is_retried_with_its_state(backend: Backend) -> None:
    tag = uuid4().hex
    assert [2, 1, 2] == await backend.run(retried_task, tag)


async def test_a_workflow_calls_tasks_steps_and_nested_tasks(backend: Backend) -> None:
    tag = uuid4().hex
    assert [3, 8, 10, 7, 2, 5, "enhanced"] == await backend.run(enhanced, tag)
    assert 1 == runs[tag]


async def test_a_body_that_is_not_deterministic_goes_on_in_an_uncounted_attempt(
    backend: Backend, max_cached: int
) -> None:
    tag = uuid4().hex
    attempt, noted = await backend.run(differs, tag)
    assert (1 if max_cached else 2) == attempt  # a replay differs, and there are no retries
    assert 1 == noted


async def test_time_and_randomness_are_real_where_that_is_allowed(backend: Backend) -> None:
    assert [True] * 3 == await backend.run(really_random)


async def test_results_are_durable_at_every_checkpoint_interval(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(checkpointed, tag)
    assert 7 == await handle.result(20)
    assert 7 == (await backend.kinds(handle.id)).count("step_completed")
    assert {"n": "end"} == await handle.read_state()


def test_what_is_no_task_is_told_at_decoration() -> None:
    with pytest.raises(TypeError, match=r"@task: takes\(\) takes a context.*@durable.function"):

        @task
        async def takes(ctx: DurableContext) -> None: ...

    with pytest.raises(TypeError, match="@workflow has no option 'retries'"):
        workflow(retries=3)  # type: ignore[call-overload]
