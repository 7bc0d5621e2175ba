"""R2, attempts after a raising body, and state over them (semantics, sections 1 and 2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ExecutionFailed, ctx, durable
from tests.sdk.backends import Backend

service = durable.service("attempts")
SERVICES = [service]
runs: Counter[str] = Counter()
keys: defaultdict[str, list[str]] = defaultdict(list)


def note(tag: str, what: str) -> str:
    runs[f"{tag}-{what}"] += 1
    keys[f"{tag}-{what}"].append(ctx.idempotency_key)
    return what


def fails(tag: str, times: int) -> int:
    runs[f"{tag}-fails"] += 1
    if runs[f"{tag}-fails"] <= times:
        raise ConnectionError("not now")
    return runs[f"{tag}-fails"]


@durable.function(max_retries=3, retry_delay=0.001)
async def counts_in_state(ctx: DurableContext) -> list[int]:
    retry_count = await ctx.state.get("retry_count", 0)
    seen = await ctx.state.get("seen", [])
    try:
        if retry_count < 2:
            raise ConnectionError("not yet")
        return [*seen, retry_count]
    except ConnectionError:
        await ctx.state.set("seen", [*seen, retry_count])
        await ctx.state.set("retry_count", retry_count + 1)
        raise


@durable.function(max_retries=2, retry_delay=0.001)
async def reuses(ctx: DurableContext, tag: str) -> list[Any]:
    first = await ctx.run(note, tag, "step")
    second = await ctx.call(noting, tag)
    (third,) = await ctx.spawn([(branch, tag)])
    fresh = await ctx.run(note, tag, "fresh", reuse_on_retry=False)
    random_id = str(ctx.uuid4())
    await ctx.run(note, tag, random_id)
    await ctx.run(fails, tag, 1)
    return [ctx.attempt, first, second, third, fresh, runs[f"{tag}-{random_id}"]]


@durable.function
async def noting(ctx: DurableContext, tag: str) -> str:
    return await ctx.run(note, tag, "call")


async def branch(ctx: DurableContext, tag: str) -> str:
    return await ctx.run(note, tag, "branch")


@durable.function(max_retries=1, retry_delay=0.001, reuse_on_retry=False)
async def reuses_nothing(ctx: DurableContext, tag: str) -> int:
    await ctx.run(note, tag, "step")
    await ctx.run(fails, tag, 1)
    return ctx.attempt


@durable.function(max_retries=1, retry_delay=0.001)
async def other_branch(ctx: DurableContext, tag: str) -> str:
    if ctx.attempt == 1:
        await ctx.run(note, tag, "one")
        raise ConnectionError("take the other branch")
    return await ctx.run(note, tag, "two")


@durable.function(max_retries=1, retry_delay=0.001)
async def closures(ctx: DurableContext, tag: str) -> list[int]:
    bonus = ctx.attempt

    def seen() -> int:
        runs[tag] += 1
        return bonus

    unencodable = object()

    def opaque() -> str:
        runs[tag + "-opaque"] += 1
        return str(bool(unencodable))

    value = await ctx.run(seen)
    await ctx.run(opaque)
    await ctx.run(fails, tag, 1)
    return [value, runs[tag], runs[tag + "-opaque"]]


@durable.function(max_retries=1, retry_delay=0.001)
async def compensates(ctx: DurableContext, tag: str) -> int:
    reservation = ctx.run(note, tag, "reserve")
    try:
        await reservation
        await ctx.run(fails, tag, 1)
    except ConnectionError:
        undo = ctx.run(note, tag, "release")
        await undo
        ctx.forget(reservation)
        ctx.forget(undo)
        raise
    return ctx.attempt


@durable.function(max_retries=1, retry_delay=0.001)
async def repeated(ctx: DurableContext, tag: str) -> int:
    for _ in range(3):
        await ctx.run(note, tag, "same")
    await ctx.run(fails, tag, 1)
    return ctx.attempt


@durable.function(max_retries=2, retry_delay=0.001)
async def always_fails(ctx: DurableContext, tag: str) -> None:
    runs[f"{tag}-{ctx.attempt}"] = 1
    await ctx.state.set("last", ctx.attempt)
    raise ConnectionError(f"attempt {ctx.attempt}")


@durable.function(max_retries=3, retry_delay=0.001, retry_on=(KeyError,))
async def retried_on_key_error(ctx: DurableContext, tag: str) -> None:
    runs[f"{tag}-{ctx.attempt}"] = 1
    raise KeyError("again") if ctx.attempt == 1 else ValueError("no more")


@durable.flow
async def flow_fails_once(ctx: DurableContext, tag: str) -> None:
    runs[f"{tag}-{ctx.attempt}"] = 1
    raise ConnectionError("the flow is not retried")


for function in (
    *(counts_in_state, reuses, noting, reuses_nothing, other_branch, closures, compensates),
    *(repeated, always_fails, retried_on_key_error, flow_fails_once),
):
    service.add_function(function)


def tag() -> str:
    return uuid4().hex


async def test_state_of_except_blocks_reaches_the_next_attempt(backend: Backend) -> None:
    assert [0, 1, 2] == await backend.run(counts_in_state)


async def test_what_succeeded_is_taken_over(backend: Backend) -> None:
    mark = tag()
    assert [2, "step", "call", "branch", "fresh", 1] == await backend.run(reuses, mark)
    expected = {"step": 1, "call": 1, "branch": 1, "fresh": 2}
    assert expected == {what: runs[f"{mark}-{what}"] for what in expected}


async def test_reuse_on_retry_false_on_the_decorator(backend: Backend) -> None:
    mark = tag()
    assert 2 == await backend.run(reuses_nothing, mark)
    assert 2 == runs[f"{mark}-step"]


async def test_another_branch_shares_no_key(backend: Backend) -> None:
    mark = tag()
    assert "two" == await backend.run(other_branch, mark)
    assert not {*keys[f"{mark}-one"]} & {*keys[f"{mark}-two"]}


@pytest.mark.filterwarnings("ignore")
async def test_a_closure_counts_what_it_captures(backend: Backend) -> None:
    assert [2, 2, 2] == await backend.run(closures, tag())


async def test_a_compensated_step_runs_anew_with_another_key(backend: Backend) -> None:
    mark = tag()
    assert 2 == await backend.run(compensates, mark)
    assert (2, 2) == (runs[f"{mark}-reserve"], len({*keys[f"{mark}-reserve"]}))


async def test_the_nth_occurrence_has_a_key_and_a_result_of_its_own(backend: Backend) -> None:
    mark = tag()
    assert 2 == await backend.run(repeated, mark)
    assert (3, 3) == (runs[f"{mark}-same"], len({*keys[f"{mark}-same"]}))


async def test_retries_are_used_up_after_max_retries(backend: Backend) -> None:
    mark = tag()
    handle = await backend.client.start(always_fails, mark)
    with pytest.raises(ExecutionFailed, match="attempt 3"):
        await handle.result(20)
    assert [1, 1, 1, 0] == [runs[f"{mark}-{attempt}"] for attempt in (1, 2, 3, 4)]
    assert {"last": 3} == await handle.read_state()


async def test_retry_on_of_the_decorator(backend: Backend) -> None:
    mark = tag()
    error = await backend.failure(retried_on_key_error, mark)
    assert "no more" == str(error)
    assert [1, 1, 0] == [runs[f"{mark}-{attempt}"] for attempt in (1, 2, 3)]


async def test_a_flow_has_one_attempt(backend: Backend) -> None:
    mark = tag()
    await backend.failure(flow_fails_once, mark)
    assert [1, 0] == [runs[f"{mark}-{attempt}"] for attempt in (1, 2)]
