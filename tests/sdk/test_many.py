"""A hundred executions at once, with all, one or none of them kept alive between awaits."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

from perdure import DurableContext, durable
from tests.sdk.backends import Backend

service = durable.service("many")
SERVICES = [service]
EXECUTIONS = 100
ran: Counter[str] = Counter()


@durable.step
async def double(tag: str, i: int) -> int:
    ran[f"{tag}-{i}"] += 1
    return 2 * i


@service.handler
def add(numbers: list[int]) -> int:
    return sum(numbers)


@durable.flow
async def mixed(ctx: DurableContext, tag: str, i: int) -> int:
    await ctx.state.set("i", i)
    first = await double(tag, i)
    await ctx.sleep(0.005 * (i % 3))
    both: list[int] = await asyncio.gather(
        ctx.call("many", "add", [first, 1]), ctx.call("many", "add", [i])
    )
    await asyncio.sleep(0.001)
    kept: int = await ctx.state.get("i")
    return sum(both) + kept


service.add_function(mixed)


async def test_a_hundred_executions_at_once(backend: Backend) -> None:
    tag = uuid4().hex
    totals = await asyncio.gather(*(backend.run(mixed, tag, i) for i in range(EXECUTIONS)))
    assert [4 * i + 1 for i in range(EXECUTIONS)] == totals
    assert {f"{tag}-{i}": 1 for i in range(EXECUTIONS)} == {
        name: count for name, count in ran.items() if name.startswith(tag)
    }
