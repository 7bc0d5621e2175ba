"""A flow whose calls name their child: two of them share one, through the coordinator's outbox."""

import asyncio

from perdure import DurableContext, durable
from tests.integration.apps.witness import witness

shared = durable.service("shared", "1.0.0")


def charge(amount: int) -> int:
    """Must take effect once for both calls."""
    witness("charge")
    return amount + 1


@durable.flow
async def once(ctx: DurableContext, amount: int) -> int:
    """The child."""
    charged: int = await ctx.run(charge, amount)
    return charged


@durable.flow
async def twice(ctx: DurableContext, amount: int) -> list[int]:
    """Both calls get the result of one child, and a late one gets it too."""
    id = f"{ctx.execution_id}/child"
    both = await asyncio.gather(ctx.call(once, amount, id=id), ctx.call(once, amount, id=id))
    return [*both, await ctx.call(once, amount, id=id)]


shared.add_function(once)
shared.add_function(twice)
