"""`ctx.map`, `ctx.race`, `ctx.shield`, `ctx.wait_until`, `ctx.send(delay=)` (semantics, 5)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ExecutionCancelledError, durable
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("several")
SERVICES = [service]
runs: Counter[str] = Counter()


def double(x: int) -> int:
    return x * 2


def odd_only(x: int) -> int:
    if x % 2 == 0:
        raise ValueError(f"{x} is even")
    return x


@durable.function
async def child(ctx: DurableContext, x: int) -> int:
    return x * 10


async def branch(ctx: DurableContext, x: int) -> list[int]:
    await ctx.sleep(0.001 * x)
    return [x, await ctx.run(double, x)]


@service.handler
def negate(x: int) -> int:
    return -x


@durable.function(max_retries=0)
async def maps(ctx: DurableContext) -> list[Any]:
    return [
        *(await ctx.map(double, [1, 2, 3])),
        *(await ctx.map(child, [1, 2])),
        *(await ctx.map(branch, [2, 1])),
        *(await ctx.map(("several", "negate"), [1, 2], max_concurrency=1)),
        await ctx.map(double, []),
    ]


@durable.function(max_retries=0)
async def map_fails_at_the_first(ctx: DurableContext, tag: str) -> str:
    def note(x: int) -> int:
        runs[tag] += 1
        return odd_only(x)

    try:
        await ctx.map(note, [1, 2, 3, 4], max_concurrency=1)
    except ValueError as error:
        return str(error)
    return "no failure"


@durable.function(max_retries=0)
async def map_tolerates(ctx: DurableContext) -> list[Any]:
    results = await ctx.map(odd_only, [1, 2, 3, 4], tolerated_failures=2)
    failed = {number: str(error) for number, error in results.failed.items()}
    try:
        await ctx.map(odd_only, [2, 4, 6], tolerated_failures=1, max_concurrency=1)
    except ValueError as error:
        return [results.succeeded, failed, str(error)]
    return []


async def slow_unless_small(ctx: DurableContext, x: int) -> int:
    if x == 0:
        raise ValueError("zero")
    await ctx.sleep(0.001 if x < 3 else 3600)
    return x


@durable.function(max_retries=0)
async def map_has_enough(ctx: DurableContext) -> list[Any]:
    results = await ctx.map(slow_unless_small, [5, 1, 0, 2, 4], min_successful=2)
    try:
        await ctx.map(slow_unless_small, [0, 0, 1], min_successful=2)
    except ValueError as error:
        return [results.succeeded, [*results.failed], len(results), str(error)]
    return []


@durable.function(max_retries=0)
async def bad_maps(ctx: DurableContext) -> list[str]:
    problems = []
    cases: list[Any] = [
        (double, [1], {"max_concurrency": 0}),
        (double, [1], {"min_successful": 2}),
        (double, [1], {"tolerated_failures": -1}),
        (double, "text", {}),
        (7, [1], {}),
    ]
    for function, items, options in cases:
        try:
            await ctx.map(function, items, **options)
        except (TypeError, ValueError) as error:
            problems.append(type(error).__name__)
    return problems


async def counted_branch(ctx: DurableContext, tag: str) -> None:
    runs[tag] += 1
    runs[tag + "-most"] = max(runs[tag + "-most"], runs[tag])
    await ctx.sleep(0.001)
    runs[tag] -= 1


@durable.function(max_retries=0)
async def map_is_bounded(ctx: DurableContext, tag: str) -> None:
    await ctx.map(counted_branch, [tag] * 7, max_concurrency=3)


async def cleaning(ctx: DurableContext, tag: str) -> None:
    try:
        await ctx.sleep(3600)
    finally:
        await ctx.run(count, tag)


def count(tag: str) -> int:
    runs[tag] += 1
    return runs[tag]


@durable.function(max_retries=0)
async def races(ctx: DurableContext, tag: str) -> list[Any]:
    quick = await ctx.race((cleaning, tag), ctx.run(double, 4))
    timer = await ctx.race(nap(ctx), (forever,))
    try:
        await ctx.race((odd_only, 2), ctx.sleep(3600))
    except ValueError as error:
        return [quick, timer, str(error), runs[tag]]
    return []


async def nap(ctx: DurableContext) -> str:
    await ctx.sleep(0.001)
    return "nap"


@durable.function
async def forever(ctx: DurableContext) -> None:
    await ctx.sleep(3600)


@durable.function(max_retries=0)
async def bad_races(ctx: DurableContext) -> int:
    problems = 0
    cases: list[Any] = [(), (7,), (ctx.sleep(1), (double, 1, 2))]
    for contenders in cases:
        try:
            await ctx.race(*contenders)
        except TypeError:
            problems += 1
    return problems


@durable.function(max_retries=0)
async def shields(ctx: DurableContext, tag: str) -> None:
    try:
        await ctx.shield(section(ctx, tag))
    except asyncio.CancelledError:
        await ctx.state.set("section", runs[tag])
        raise


async def section(ctx: DurableContext, tag: str) -> None:
    await ctx.wait_until(is_open, tag, every=0.01)
    await ctx.run(count, tag)


opened: set[str] = set()


def is_open(tag: str) -> bool:
    return tag in opened


@durable.function(max_retries=0)
async def polls(ctx: DurableContext, tag: str) -> list[Any]:
    def look() -> int:
        runs[tag] += 1
        return runs[tag] if runs[tag] >= 3 else 0

    answer = await ctx.wait_until(look, every=0.001, name="look")
    try:
        await ctx.wait_until(lambda: False, every=0.01, timeout=0.05)
    except TimeoutError:
        return [answer, "timeout"]
    return []


@durable.function(max_retries=1, retry_delay=0.001)
async def polls_in_each_attempt(ctx: DurableContext, tag: str) -> int:
    await ctx.wait_until(count, tag, every=0.001)
    if ctx.attempt == 1:
        raise ConnectionError("again")
    return runs[tag]


@durable.function(max_retries=1, retry_delay=0.001)
async def sends_later(ctx: DurableContext, tag: str) -> list[str]:
    now = await ctx.send(child, 1, id=f"{tag}-now")
    later = await ctx.send(child, 2, id=f"{tag}-later", delay=3600)
    soon = await ctx.send("several", "child", 3, delay=0.01)
    if ctx.attempt == 1:
        raise ConnectionError("sends are taken over")
    return [now, later, soon]


for function in (
    *(child, maps, map_fails_at_the_first, map_tolerates, map_has_enough, bad_maps),
    *(map_is_bounded, races, forever, bad_races, shields, polls, polls_in_each_attempt),
    sends_later,
):
    service.add_function(function)


async def test_map_runs_what_spawn_runs_in_the_order_of_the_items(backend: Backend) -> None:
    expected = [2, 4, 6, 10, 20, [2, 4], [1, 2], -1, -2, []]
    assert expected == await backend.run(maps)


async def test_the_first_failure_ends_a_map(backend: Backend) -> None:
    tag = uuid4().hex
    assert "2 is even" == await backend.run(map_fails_at_the_first, tag)
    assert 2 == runs[tag]


async def test_tolerated_failures_stand_in_the_result(backend: Backend) -> None:
    failed = {1: "2 is even", 3: "4 is even"}
    expected = [[1, 3], {str(key): text for key, text in failed.items()}, "4 is even"]
    assert expected == await backend.run(map_tolerates)


async def test_a_map_with_enough_successes_ends_the_rest(backend: Backend) -> None:
    assert [[1, 2], [2], 5, "zero"] == await backend.run(map_has_enough)


async def test_a_map_is_checked_before_it_starts(backend: Backend) -> None:
    expected = ["InvalidArgumentError"] * 3 + ["TypeError"] * 2
    assert expected == await backend.run(bad_maps)


async def test_max_concurrency_of_a_map(backend: Backend, max_cached: int) -> None:
    tag = uuid4().hex
    await backend.run(map_is_bounded, tag)
    if max_cached:  # a replay counts its branches again
        assert 3 == runs[tag + "-most"]


async def test_a_race_ends_with_its_first_and_ends_the_others(backend: Backend) -> None:
    assert [8, "nap", "2 is even", 1] == await backend.run(races, uuid4().hex)


async def test_a_race_is_checked_before_it_starts(backend: Backend) -> None:
    assert 3 == await backend.run(bad_races)


async def test_a_shielded_section_ends_before_the_cancel_is_seen(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(shields, tag)
    await backend.until(handle.id, "timer_started")
    await handle.cancel()
    await backend.until(handle.id, "cancel_requested")
    opened.add(tag)
    with pytest.raises(ExecutionCancelledError):
        await handle.result(PATIENCE_S)
    assert {"section": 1} == await handle.read_state()


async def test_wait_until_looks_until_it_is_true_or_the_time_is_over(backend: Backend) -> None:
    assert [3, "timeout"] == await backend.run(polls, uuid4().hex)


async def test_looks_are_not_reused_by_a_later_attempt(backend: Backend) -> None:
    assert 2 == await backend.run(polls_in_each_attempt, uuid4().hex)


async def test_a_sent_execution_starts_after_its_delay_and_only_once(backend: Backend) -> None:
    tag = uuid4().hex
    now, later, soon = await backend.run(sends_later, tag)
    assert (f"{tag}-now", f"{tag}-later") == (now, later)
    assert 10 == await backend.client.get(now).result(PATIENCE_S)
    assert 30 == await backend.client.get(soon).result(PATIENCE_S)
    assert "scheduled" == (await backend.client.get(later).describe()).status
    assert await backend.client.cancel(later)
