"""Cancellation and timeouts of executions (semantics, sections 3 and 8)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import Counter
from uuid import uuid4

import pytest

from perdure import DurableContext, ExecutionCancelledError, ExecutionTimedOut, ctx, durable
from tests.sdk.backends import Backend

service = durable.service("cancelling")
SERVICES = [service]
runs: Counter[str] = Counter()
started: dict[str, asyncio.Event] = {}


def count(tag: str) -> int:
    runs[tag] += 1
    return runs[tag]


@durable.function
async def cleans_up(ctx: DurableContext, tag: str) -> None:
    try:
        await ctx.sleep(3600)
    except asyncio.CancelledError:
        await ctx.state.set("reason", ctx.cancel_reason if ctx.cancelled else "none")
        raise
    finally:
        await ctx.run(count, tag)


@durable.function
async def swallows(ctx: DurableContext) -> str:
    for _ in range(3):
        try:
            await ctx.sleep(3600)
        except Exception:
            return "an ordinary exception"
        except asyncio.CancelledError:
            continue
    return "went on"


@durable.function
async def has_a_child(ctx: DurableContext, id: str) -> None:
    await ctx.call(cleans_up, id, id=id)


async def long_step(tag: str) -> None:
    started[tag].set()
    try:
        await asyncio.Event().wait()
    finally:
        runs[tag] += 1
        runs[tag + "-cancelled"] += ctx.cancelled


@durable.flow
async def waits_for_a_step(ctx: DurableContext, tag: str) -> None:
    await ctx.run(long_step, tag)


@service.handler
async def slow_handler(tag: str) -> None:
    await long_step(tag)


@durable.function(timeout=0.05, max_retries=1, retry_delay=0.001)
async def attempts_time_out(ctx: DurableContext, tag: str) -> None:
    runs[f"{tag}-{ctx.attempt}"] = 1
    try:
        await ctx.sleep(3600)
    finally:
        await ctx.run(count, f"{tag}-{ctx.attempt}-cleaned")


@durable.function(max_retries=0)
async def races(ctx: DurableContext, tag: str) -> list[int]:
    """A step that a race cancels while it is queued never starts, in a replay neither."""
    lost = asyncio.create_task(_later(ctx, tag))
    await ctx.sleep(0.001)
    lost.cancel()
    await asyncio.wait([lost])
    await ctx.sleep(0.001)
    return [runs[tag], await ctx.run(count, tag + "-after")]


async def _later(ctx: DurableContext, tag: str) -> None:
    await ctx.sleep(3600)
    await ctx.run(count, tag)


@durable.function(max_retries=1, retry_delay=0.001)
async def records_cancelled_step(ctx: DurableContext, tag: str) -> int:
    """The result of a step that nobody awaits any more is recorded, for the next attempt."""
    step = ctx.run(functools.partial(quick_in_spite, tag), name="quick")
    if ctx.attempt == 1:
        await ctx.run(count, tag + "-began")
        step.cancel()
        await ctx.sleep(0.05)
        raise ConnectionError("again")
    return await step


async def quick_in_spite(tag: str) -> int:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return count(tag)


for function in (
    *(cleans_up, swallows, has_a_child, waits_for_a_step, attempts_time_out, races),
    records_cancelled_step,
):
    service.add_function(function)


async def test_cancel_runs_finally_blocks(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(cleans_up, tag)
    await backend.until(handle.id, "timer_started")
    assert await handle.cancel("enough")
    with pytest.raises(ExecutionCancelledError, match="enough"):
        await handle.result(20)
    assert 1 == runs[tag]
    assert {"reason": "enough"} == await handle.read_state()
    assert not await handle.cancel()


async def test_a_swallowed_cancel_still_ends_cancelled(backend: Backend) -> None:
    handle = await backend.client.start(swallows)
    await backend.until(handle.id, "timer_started")
    await handle.cancel()
    with pytest.raises(ExecutionCancelledError):
        await handle.result(20)


async def test_children_are_cancelled(backend: Backend) -> None:
    id = uuid4().hex
    handle = await backend.client.start(has_a_child, id)
    await backend.until(handle.id, "call_issued")
    await backend.until(id, "timer_started")
    await handle.cancel("from above")
    for each in (handle, backend.client.get(id)):
        with pytest.raises(ExecutionCancelledError):
            await each.result(20)
    assert 1 == runs[id]


@pytest.mark.parametrize("what", [waits_for_a_step, "slow_handler"])
async def test_running_steps_and_handlers_are_cancelled(backend: Backend, what: object) -> None:
    tag = uuid4().hex
    started[tag] = asyncio.Event()
    arguments = ("cancelling", what, tag) if isinstance(what, str) else (what, tag)
    handle = await backend.client.start(*arguments)
    await asyncio.wait_for(started[tag].wait(), 20)
    await handle.cancel()
    with pytest.raises(ExecutionCancelledError):
        await handle.result(20)
    assert (1, 1) == (runs[tag], runs[tag + "-cancelled"])


async def test_an_attempt_that_times_out_is_retried_and_ends_timed_out(backend: Backend) -> None:
    tag = uuid4().hex
    error = await backend.failure(attempts_time_out, tag)
    assert isinstance(error, ExecutionTimedOut)
    assert [1, 1, 0] == [runs[f"{tag}-{attempt}"] for attempt in (1, 2, 3)]
    assert [1, 1] == [runs[f"{tag}-{attempt}-cleaned"] for attempt in (1, 2)]


async def test_an_execution_times_out(backend: Backend) -> None:
    tag = uuid4().hex
    error = await backend.failure(cleans_up, tag, timeout=0.05)
    assert isinstance(error, ExecutionTimedOut)
    assert 1 == runs[tag]


async def test_a_queued_step_that_a_race_cancelled_never_runs(backend: Backend) -> None:
    assert [0, 1] == await backend.run(races, uuid4().hex)


async def test_the_result_of_a_cancelled_step_is_recorded_for_r2(backend: Backend) -> None:
    tag = uuid4().hex
    assert 1 == await backend.run(records_cancelled_step, tag)
    assert 1 == runs[tag]
