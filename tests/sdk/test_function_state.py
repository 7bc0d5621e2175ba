"""`state_scope="function"`: one `ctx.state` for all executions of a function (semantics, 5)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from perdure import DurableContext, durable
from perdure.errors import InvalidArgumentError
from tests.sdk.backends import Backend

service = durable.service("function_state")
SERVICES = [service]


@durable.function(state_scope="function")
async def counts(ctx: DurableContext, key: str) -> int:
    count: int = await ctx.state.update(key, lambda value: value + 1, 0)
    return count


@durable.function(state_scope="function", max_retries=2, retry_delay=0.001)
async def tries(ctx: DurableContext, key: str) -> list[int]:
    seen = await ctx.state.get(key, [])
    await ctx.state.set(key, [*seen, ctx.attempt])
    if ctx.attempt < 3:
        raise ConnectionError("again")
    result: list[int] = await ctx.state.get(key)
    return result


@durable.function(state_scope="function")
async def members(ctx: DurableContext, key: str) -> list[Any]:
    state = ctx.state
    await state.set(key, {"a": 1})
    got = await state.get(key)
    got["a"] = 2
    is_there = key in await state.keys()
    values = [await state.get(key), is_there, await state.get("missing", 7)]
    await state.delete(key)
    await state.delete(key)
    return [*values, await state.get(key), key in await state.keys()]


@durable.function
async def within(ctx: DurableContext) -> int:
    await ctx.state.set("n", 1)
    count: int = await ctx.state.update("n", lambda value: value + 1)
    return count


for function in (counts, tries, members, within):
    service.add_function(function)


async def test_concurrent_updates_of_one_key_lose_nothing(backend: Backend) -> None:
    key = uuid4().hex
    results = await asyncio.gather(*[backend.run(counts, key) for _ in range(12)])
    assert list(range(1, 13)) == sorted(results)


async def test_a_later_attempt_does_it_again(backend: Backend) -> None:
    assert [1, 2, 3] == await backend.run(tries, uuid4().hex)


async def test_every_member_of_a_shared_state(backend: Backend) -> None:
    assert [{"a": 1}, True, 7, None, False] == await backend.run(members, uuid4().hex)


async def test_update_of_the_state_of_an_execution(backend: Backend) -> None:
    assert 2 == await backend.run(within)


def test_the_hidden_object_is_not_in_the_configuration() -> None:
    assert [] == service.get_service_config()["objects"]


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="state_scope"):
        durable.function(state_scope="world")  # type: ignore[call-overload]
