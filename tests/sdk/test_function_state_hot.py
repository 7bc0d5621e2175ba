"""One hot key of a state that all executions of a function share (semantics, section 5).

Every change that comes too late is made again, so that n at once cost about n * n / 2 calls: 32 of
them are in one test, the others have fewer.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

from perdure import DurableContext, durable
from tests.sdk.backends import PATIENCE_S, Backend

service = durable.service("hot_state")
SERVICES = [service]
EXECUTIONS = 32
FEW = 8


@durable.function(state_scope="function", max_retries=0)
async def count_up(ctx: DurableContext, key: str, who: int) -> int:
    """Two changes of the hot key, with something else in between."""
    first: int = await ctx.state.update(key, lambda value: value + 1, 0)
    await ctx.state.set(f"{key}-{who}", first)
    second: int = await ctx.state.update(key, lambda value: value + 1)
    assert first < second
    assert first == await ctx.state.get(f"{key}-{who}")
    return second


@durable.function(state_scope="function", max_retries=0)
async def append(ctx: DurableContext, key: str, who: int) -> int:
    """A change that depends on all that came before."""
    line: list[int] = await ctx.state.update(key, lambda line: [*line, who], [])
    assert line[-1] == who
    return len(line)


@durable.function(max_retries=0)
async def together(ctx: DurableContext, key: str) -> list[int]:
    """All of them at once, from inside of one execution."""
    results: list[int] = await asyncio.gather(*[append(key, who) for who in range(FEW)])
    return results


for function in (count_up, append, together):
    service.add_function(function)


async def all_of(backend: Backend, function: Any, key: str, count: int) -> list[int]:
    """The results of executions that run at the same time."""
    started = [backend.client.start(function, key, who) for who in range(count)]
    handles = await asyncio.gather(*started)
    outcomes = [handle.result(PATIENCE_S) for handle in handles]
    results: list[int] = await asyncio.gather(*outcomes)
    return results


async def test_a_hot_key_sees_32_executions_one_after_the_other(backend: Backend) -> None:
    results = await all_of(backend, append, uuid4().hex, EXECUTIONS)
    assert [*range(1, EXECUTIONS + 1)] == sorted(results)


async def test_a_hot_key_loses_none_of_several_changes(backend: Backend) -> None:
    results = await all_of(backend, count_up, uuid4().hex, FEW)
    assert FEW == len({*results}), "each change has a result of its own"
    assert 2 * FEW == max(results)


async def test_a_hot_key_of_the_children_of_one_execution(backend: Backend) -> None:
    assert [*range(1, FEW + 1)] == sorted(await backend.run(together, uuid4().hex))
