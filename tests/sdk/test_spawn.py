"""`ctx.spawn` (semantics, section 5): forms, order, fail-fast, branches with scopes and limits."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

from perdure import DurableContext, durable
from tests.sdk.backends import Backend

service = durable.service("spawning")
SERVICES = [service]
runs: Counter[str] = Counter()


async def fetch(source: str) -> str:
    await asyncio.sleep(0)
    return source.upper()


def add(a: int, b: int) -> int:
    return a + b


async def branch(ctx: DurableContext, name: str) -> list[str]:
    first = await ctx.run(fetch, name)
    await ctx.sleep(0.001)
    return [first, ctx.idempotency_key]


@durable.function
async def child(ctx: DurableContext, x: int) -> int:
    return x * 10


@durable.function
async def forms(ctx: DurableContext) -> list[Any]:
    @durable.function
    async def local(inner: DurableContext, x: int) -> int:
        return x + await inner.run(add, 1, 1)

    results = await ctx.spawn(
        [
            ("label", fetch, "a"),
            (add, 1, 2),
            ("same", fetch, "b"),
            ("same", fetch, "b"),
            ("as a child", child, 4),
            ("spawning", "child", 5),
            (local, 7),
            ("nameless", lambda x: x, 8),
        ]
    )
    return [*results, await ctx.spawn([])]


@durable.function
async def branches(ctx: DurableContext) -> bool:
    (one, key_one), (two, key_two) = await ctx.spawn([(branch, "x"), (branch, "y")])
    return (one, two) == ("X", "Y") and len({key_one, key_two, ctx.idempotency_key}) == 3


@durable.function(max_retries=0)
async def rejects(ctx: DurableContext, tag: str) -> list[str]:
    problems = []
    for tasks in (
        [(count, tag), "not a tuple"],
        [(count, tag), ()],
        [(count, tag), ("label only",)],
        [(count, tag), ("label", 7)],
        [(count, tag), (count, tag, "too many")],
        [(count, tag), (child, 1, 2, 3)],
    ):
        try:
            await ctx.spawn(tasks)  # type: ignore[arg-type] # what is tested
        except TypeError as error:
            problems.append(str(error)[:20])
    return problems


def count(tag: str) -> int:
    runs[tag] += 1
    return runs[tag]


def fail(text: str) -> None:
    raise ValueError(text)


async def cleaning(ctx: DurableContext, tag: str) -> None:
    try:
        await ctx.sleep(3600)
    finally:
        await ctx.run(count, tag)


@durable.function(max_retries=0)
async def fails_fast(ctx: DurableContext, tag: str) -> list[Any]:
    try:
        await ctx.spawn([(cleaning, tag), (fail, "first"), (child_forever, 1)])
    except ValueError as error:
        return [str(error), runs[tag]]
    return []


@durable.function
async def child_forever(ctx: DurableContext, x: int) -> None:
    await ctx.sleep(3600)


@durable.function(max_retries=0)
async def keeps_exceptions(ctx: DurableContext) -> list[str]:
    results = await ctx.spawn([(fail, "bad"), (fetch, "good")], return_exceptions=True)
    return [repr(results[0]), results[1]]


async def overlapping(ctx: DurableContext, tag: str, depth: int) -> None:
    runs[tag] += 1
    runs[tag + "-most"] = max(runs[tag + "-most"], runs[tag])
    await ctx.sleep(0.001)
    if depth:
        await ctx.spawn([(leaf, n) for n in range(3)])
    runs[tag] -= 1


async def leaf(ctx: DurableContext, n: int) -> int:
    await ctx.run(add, n, 1)
    return n


@durable.flow(max_concurrent_steps=2)
async def bounded(ctx: DurableContext, tag: str) -> None:
    await ctx.spawn([(overlapping, tag, 1) for _ in range(5)])


@durable.function(max_retries=0)
async def cancelled_from_inside(ctx: DurableContext, tag: str) -> int:
    task = asyncio.create_task(ctx.spawn([(cleaning, tag), (cleaning, tag)]))
    await ctx.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    return runs[tag] if task.cancelled() else -1


for function in (
    *(child, forms, branches, rejects, fails_fast, child_forever, keeps_exceptions, bounded),
    cancelled_from_inside,
):
    service.add_function(function)


async def test_every_form_of_a_task(backend: Backend) -> None:
    assert ["A", 3, "B", "B", 40, 50, 9, 8, []] == await backend.run(forms)


async def test_branches_have_contexts_and_scopes_of_their_own(backend: Backend) -> None:
    assert await backend.run(branches)


async def test_tasks_are_checked_before_any_starts(backend: Backend) -> None:
    tag = uuid4().hex
    assert ["ctx.spawn(): task 1 "] * 4 + ["ctx.spawn(): task 1:"] * 2 == await backend.run(
        rejects, tag
    )
    assert 0 == runs[tag]


async def test_the_first_failure_ends_the_others_and_waits_for_them(backend: Backend) -> None:
    assert ["first", 1] == await backend.run(fails_fast, uuid4().hex)


async def test_return_exceptions(backend: Backend) -> None:
    assert ["ValueError('bad')", "GOOD"] == await backend.run(keeps_exceptions)


async def test_each_spawn_admits_so_many_branches(backend: Backend, max_cached: int) -> None:
    tag = uuid4().hex
    await backend.run(bounded, tag)
    if max_cached:  # a replay counts its branches again
        assert 2 == runs[tag + "-most"]


async def test_a_cancelled_spawn_cancels_its_branches(backend: Backend) -> None:
    assert 2 == await backend.run(cancelled_from_inside, uuid4().hex)
