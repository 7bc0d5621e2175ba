"""`ctx.continue_as_new`: runs of one execution (semantics, sections 1 and 2)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ExecutionCancelledError, ExecutionFailed, ctx, durable
from tests.sdk.backends import PATIENCE_S, Backend, opened

service = durable.service("continuing")
SERVICES = [service]
keys: defaultdict[str, list[str]] = defaultdict(list)


def note(tag: str, what: str) -> str:
    keys[f"{tag}-{what}"].append(ctx.idempotency_key)
    return what


@durable.function(max_retries=1, retry_delay=0.001)
async def counts_down(ctx: DurableContext, tag: str, left: int, failing: int = -1) -> list[Any]:
    await ctx.run(note, tag, "same")
    total = await ctx.state.get("total", 0) + left
    await ctx.state.set("total", total)
    await ctx.state.set(f"run-{left}", True)
    if left == failing and ctx.attempt == 1:
        raise ConnectionError("once more")
    if left:
        await ctx.state.delete(f"run-{left + 1}")
        try:
            ctx.continue_as_new(tag, left - 1, failing)
        except Exception as error:
            return [repr(error)]
        finally:
            await ctx.run(note, tag, f"end of {left}")
    return [total, sorted(await ctx.state.keys()), ctx.attempt]


@durable.function(max_retries=0)
async def calls(ctx: DurableContext, tag: str) -> Any:
    return await ctx.call(counts_down, tag, 2, id=f"{tag}-callee")


@durable.function(max_retries=0)
async def leaves_calls(ctx: DurableContext, tag: str, run: int) -> str:
    if run == 1:
        forgotten = ctx.call(waits, id=f"{tag}-left")
        await ctx.sleep(0.001)
        assert not forgotten.done()
        ctx.continue_as_new(tag, 2)
    await ctx.call(waits, id=f"{tag}-again", timeout=0.01)
    return "not reached"


@durable.function(max_retries=0)
async def waits(ctx: DurableContext) -> None:
    await ctx.sleep(3600)


@durable.function(max_retries=0)
async def fails_later(ctx: DurableContext, run: int) -> None:
    if run == 1:
        ctx.continue_as_new(2)
    raise ValueError(f"run {run}")


@durable.function(max_retries=0)
async def forever(ctx: DurableContext, run: int) -> None:
    await ctx.sleep(0.001)
    ctx.continue_as_new(run + 1)


@durable.function(max_retries=0)
async def misuses(ctx: DurableContext) -> list[str]:
    async def inner() -> None:
        ctx.continue_as_new()

    async def branch(ctx: DurableContext) -> None:
        ctx.continue_as_new()

    async def bad_input() -> None:
        ctx.continue_as_new(1, 2, 3)

    problems = []
    for attempt in (
        lambda: asyncio.create_task(inner()),
        lambda: ctx.spawn([(branch,)]),
        bad_input,
    ):
        try:
            await attempt()
        except (ValueError, TypeError) as error:
            problems.append(type(error).__name__)
    return problems


for function in (counts_down, calls, leaves_calls, waits, fails_later, forever, misuses):
    service.add_function(function)


async def test_runs_go_on_with_new_input_new_keys_and_the_state(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(counts_down, tag, 3, 1)
    assert [7, ["run-0", "run-1", "total"], 1] == await handle.result(PATIENCE_S)
    assert (4, 4) == (len(keys[f"{tag}-same"]), len({*keys[f"{tag}-same"]}))
    assert [1, 1, 1] == [len(keys[f"{tag}-end of {n}"]) for n in (3, 2, 1)]
    info = await handle.describe()
    assert (4, 1) == (info.run, info.attempt)
    kinds = await backend.kinds(handle.id)
    assert 4 == kinds.count("execution_created")
    assert 3 == kinds.count("execution_continued")
    assert "execution_ended" == kinds[-1]


async def test_whoever_waits_waits_for_the_last_run(backend: Backend) -> None:
    tag = uuid4().hex
    assert [3, ["run-0", "run-1", "total"], 1] == await backend.run(calls, tag)
    again = await backend.client.start(counts_down, tag, 2, id=f"{tag}-callee")  # the first input
    assert [3, ["run-0", "run-1", "total"], 1] == await again.result(PATIENCE_S)


async def test_calls_of_a_run_are_cancelled_with_it(backend: Backend) -> None:
    tag = uuid4().hex
    error = await backend.failure(leaves_calls, tag, 1)
    assert "CallTimeoutError" in repr(error.__cause__) or "timed out" in str(error)
    for id in (f"{tag}-left", f"{tag}-again"):
        with pytest.raises(Exception, match=r"cancelled|timed out"):
            await backend.client.get(id).result(PATIENCE_S)


async def test_a_later_run_can_fail_and_be_retried(backend: Backend) -> None:
    handle = await backend.client.start(fails_later, 1)
    with pytest.raises(ExecutionFailed, match="run 2"):
        await handle.result(PATIENCE_S)
    await backend.client.retry(handle.id)
    with pytest.raises(ExecutionFailed, match="run 2"):
        await handle.result(PATIENCE_S)
    assert 2 == (await handle.describe()).attempt


async def test_an_execution_that_goes_on_for_ever_can_be_cancelled(backend: Backend) -> None:
    handle = await backend.client.start(forever, 1)
    while (await handle.describe()).run < 5:
        await backend.until(handle.id, "execution_continued")
    assert await handle.cancel("enough")
    with pytest.raises(ExecutionCancelledError, match="enough"):
        await handle.result(PATIENCE_S)


async def test_the_timeout_of_the_execution_is_for_all_runs(backend: Backend) -> None:
    handle = await backend.client.start(forever, 1, timeout=0.2)
    with pytest.raises(Exception, match="timed out"):
        await handle.result(PATIENCE_S)
    assert (await handle.describe()).run > 1


async def test_misuse_is_told_where_it_happens(backend: Backend) -> None:
    expected = ["InvalidArgumentError", "InvalidArgumentError", "TypeError"]
    assert expected == await backend.run(misuses)


@durable.function(max_retries=0)
async def sleeps_in_its_second_run(ctx: DurableContext, run: int) -> str:
    if run == 1:
        await ctx.state.set("kept", True)
        ctx.continue_as_new(2)
    await ctx.sleep(0.3)
    return f"run {run}, {await ctx.state.get('kept')}"


service.add_function(sleeps_in_its_second_run)


@pytest.mark.parametrize("endpoint", ["embedded"], indirect=True)
async def test_a_restart_loads_the_current_run(tmp_path: Path, endpoint: None) -> None:
    for _ in range(3):
        async with opened(None, tmp_path, SERVICES, 0) as backend:
            handle = await backend.client.start(sleeps_in_its_second_run, 1, id="one")
            await backend.until(handle.id, "execution_continued")
    async with opened(None, tmp_path, SERVICES, 0) as backend:
        assert "run 2, True" == await backend.client.get("one").result(PATIENCE_S)
        info = await backend.client.get("one").describe()
        assert (2, 1) == (info.run, info.attempt)


@durable.function(max_retries=0)
async def forked(ctx: DurableContext, tag: str, run: int) -> list[Any]:
    if run == 1:
        await ctx.run(note, tag, "first run")
        ctx.continue_as_new(tag, 2)
    one = await ctx.run(note, tag, "one")
    two = await ctx.run(note, tag, "two")
    return [one, two, run]


service.add_function(forked)


async def test_a_fork_copies_of_the_current_run_only(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(forked, tag, 1)
    assert ["one", "two", 2] == await handle.result(PATIENCE_S)
    copy = await backend.client.fork(handle.id, at="0:2")
    assert ["one", "two", 2] == await copy.result(PATIENCE_S)
    counts = [len(keys[f"{tag}-{what}"]) for what in ("first run", "one", "two")]
    assert [1, 1, 2] == counts
