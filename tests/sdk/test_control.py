"""Steering from outside: retry with input, pause, fork, delete, many at once (semantics, 8)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, ExecutionFailed, ctx, durable
from perdure.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    InvalidTransitionError,
    NotFoundError,
)
from tests.sdk.backends import Backend

service = durable.service("steering")
SERVICES = [service]
runs: Counter[str] = Counter()
keys: dict[str, set[str]] = {}


def note(tag: str, what: str) -> str:
    runs[f"{tag}-{what}"] += 1
    keys.setdefault(f"{tag}-{what}", set()).add(ctx.idempotency_key)
    return what


@durable.function(max_retries=0)
async def needs_even(ctx: DurableContext, number: int, tag: str) -> int:
    await ctx.run(note, tag, "before")
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


@durable.function
async def sleeps(ctx: DurableContext, seconds: float) -> str:
    await ctx.sleep(seconds)
    return "slept"


@durable.function
async def callee(ctx: DurableContext, tag: str, id: str) -> str:
    return await ctx.run(note, tag, "called")


@durable.function
async def leaves_a_child(ctx: DurableContext, life: int) -> int:
    await ctx.send(sleeps, 3600.0)
    await ctx.call(callee, "life", str(life))
    return life


@durable.function(max_retries=0)
async def many_things(ctx: DurableContext, tag: str) -> list[Any]:
    """Random numbers, a call, a branch, a sleep and a step that fails the first time."""
    drawn = str(ctx.uuid4())
    await ctx.state.set("drawn", drawn)
    first = await ctx.run(note, tag, "first")
    called = await ctx.call(callee, tag, drawn)

    async def branch(inner: DurableContext, number: int) -> str:
        return await inner.run(note, tag, f"branch{number}")

    branches = await ctx.spawn([(branch, 1), (branch, 2)])
    await ctx.sleep(0.001)
    last = await ctx.run(fails_at_first, tag)
    return [drawn, first, called, *branches, last]


def fails_at_first(tag: str) -> str:
    runs[f"{tag}-last"] += 1
    if runs[f"{tag}-last"] == 1:
        raise ConnectionError("at first")
    return "last"


@durable.function
async def emits_twice(ctx: DurableContext, tag: str) -> None:
    ctx.emit(1)
    await ctx.run(note, tag, "between")
    ctx.emit(2)


for each in (needs_even, sleeps, callee, many_things, emits_twice, leaves_a_child):
    service.add_function(each)


async def path_of(backend: Backend, id: str, name: str) -> str:
    async for entry in backend.client.get(id).history():
        if entry.name == name:
            return entry.path
    raise AssertionError(f"{id} has no {name}")


async def test_retry_with_new_input_keeps_what_succeeded(backend: Backend) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(needs_even, 1, tag, id=tag)
    with pytest.raises(ExecutionFailed, match="1 is odd"):
        await handle.result(30)
    assert await backend.client.retry(tag, input={"number": 2, "tag": tag})
    assert 2 == await backend.client.get(tag).result(30)
    assert 1 == runs[f"{tag}-before"]
    with pytest.raises(InvalidTransitionError, match="completed"):
        await backend.client.retry(tag)


async def test_a_timer_that_fires_while_paused_is_delivered_on_resume(backend: Backend) -> None:
    handle = await backend.client.start(sleeps, 0.15, id="paused", timeout=30.0)
    await backend.until("paused", "timer_started")
    assert await backend.client.pause("paused", "lunch")
    await backend.until("paused", "timer_fired")
    info = await handle.describe()
    assert ("paused", "lunch") == (info.status, info.detail)
    assert await backend.client.resume("paused")
    assert "slept" == await handle.result(30)


async def test_a_fork_repeats_nothing_before_its_command_and_the_rest_anew(
    backend: Backend,
) -> None:
    tag = uuid4().hex
    handle = await backend.client.start(many_things, tag, id=tag)
    with pytest.raises(ExecutionFailed, match="at first"):
        await handle.result(30)
    at = await path_of(backend, tag, "fails_at_first")
    fork = await backend.client.fork(tag, at=at, new_id=f"{tag}-fork")
    drawn, *rest = await fork.result(30)
    assert ["first", "called", "branch1", "branch2", "last"] == rest
    assert drawn == (await backend.client.read_state(tag))["drawn"], "the copy draws the same"
    assert [1] * 4 == [runs[f"{tag}-{what}"] for what in ("first", "called", "branch1", "branch2")]
    assert "failed" == (await handle.describe()).status


async def test_a_fork_at_the_first_command_shares_no_key_with_its_source(backend: Backend) -> None:
    tag = uuid4().hex
    await backend.failure(many_things, tag, id=tag)
    fork = await backend.client.fork(tag, at=await path_of(backend, tag, "note"))
    await fork.result(30)
    for what in ("first", "called", "branch1"):
        assert (2, 2) == (runs[f"{tag}-{what}"], len(keys[f"{tag}-{what}"]))


async def test_a_fork_keeps_the_values_that_were_emitted_before(backend: Backend) -> None:
    tag = uuid4().hex
    await backend.run(emits_twice, tag, id=tag)
    fork = await backend.client.fork(tag, at=await path_of(backend, tag, "note"))
    await fork.result(30)
    assert [1, 2] == [value async for value in fork.stream()]


async def test_forks_that_cannot_be(backend: Backend) -> None:
    tag = uuid4().hex
    await backend.run(emits_twice, tag, id=tag)
    with pytest.raises(NotFoundError, match="no command"):
        await backend.client.fork(tag, at="0.9:9")
    with pytest.raises(AlreadyExistsError):
        await backend.client.fork(tag, at=await path_of(backend, tag, "note"), new_id=tag)
    with pytest.raises(NotFoundError):
        await backend.client.fork("nobody", at="0:1")


async def test_only_what_has_finished_is_deleted(backend: Backend) -> None:
    handle = await backend.client.start(sleeps, 3600.0, id="deleted")
    with pytest.raises(InvalidTransitionError, match="finished"):
        await backend.client.delete("deleted")
    await handle.cancel()
    await backend.until("deleted", "execution_ended")
    assert await backend.client.delete("deleted")
    with pytest.raises(NotFoundError):
        await handle.describe()


async def test_a_deleted_id_may_be_used_again_while_its_children_are_left(
    backend: Backend,
) -> None:
    """The ids of children derive from the caller's id and run: the new one's run is the next."""
    for life in (1, 2, 3):
        handle = await backend.client.start(leaves_a_child, life, id="reused")
        assert await handle.result() == life
        assert await backend.client.delete("reused")
    children = [info async for info in backend.client.list(parent_id="reused")]
    assert len({info.id for info in children}) == 6
    later = await backend.client.start(leaves_a_child, 4, id="reused")
    assert await later.result() == 4
    for child in children:
        await backend.client.cancel(child.id)


async def test_many_are_cancelled_by_filter_and_by_ids(backend: Backend) -> None:
    prefix = f"many-{uuid4().hex}-"
    handles = [
        await backend.client.start(sleeps, 3600.0, id=f"{prefix}{number}") for number in range(7)
    ]
    results = await backend.client.control("cancel", ids=[handles[0].id, "nobody"], reason="one")
    assert [(True, ""), (False, "NotFoundError")] == [(r.effect, r.error_code) for r in results]
    results = await backend.client.control("cancel", id_prefix=prefix, reason="all")
    assert 7 == len(results)
    async with asyncio.timeout(30):
        for handle in handles:
            async for _ in handle.history(follow=True):
                pass
    deleted = await backend.client.control("delete", id_prefix=prefix, status="cancelled")
    assert [True] * 7 == [result.effect for result in deleted]
    assert [] == [info async for info in backend.client.list(id_prefix=prefix)]


async def test_many_need_a_choice(backend: Backend) -> None:
    with pytest.raises(InvalidArgumentError, match="say which"):
        await backend.client.control("cancel")
    with pytest.raises(InvalidArgumentError, match="say which"):
        await backend.client.control("cancel", ids=["a"], status="running")
    with pytest.raises(InvalidArgumentError, match="none of cancel"):
        await backend.client.control("start", ids=["a"])  # type: ignore[arg-type]
