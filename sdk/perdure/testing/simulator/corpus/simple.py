"""A few programs that are easy to read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from perdure import DurableContext, durable
from perdure.client.client import Client
from perdure.context.ambient import current_step
from perdure.service import Service
from perdure.testing.simulator import corpus
from perdure.testing.simulator.program import Run, Witness, World

ORDERS: Final = 5


def _key() -> str:
    step = current_step()
    return "" if step is None else step.idempotency_key


@corpus.add
class Orders:
    """Orders that reserve, charge and ship by steps, with a sleep and a child in between."""

    name = "orders"

    def __init__(self, orders: int = ORDERS) -> None:
        self._orders = orders

    def smaller(self) -> list[Orders]:
        """With fewer orders."""
        return [Orders(count) for count in range(1, self._orders)]

    def services(self, witness: Witness) -> Sequence[Service]:
        """See `Program`."""
        service = Service("shop", "1")

        @durable.step
        async def reserve(item: str) -> str:
            await asyncio.sleep(0.01)
            witness.effect(f"reserve {item}", _key())
            return f"reserved {item}"

        @durable.step
        def charge(item: str) -> int:
            witness.effect(f"charge {item}", _key())
            return len(item)

        @durable.function
        async def ship(ctx: DurableContext, item: str) -> str:
            await ctx.sleep(0.2)
            await ctx.run(lambda: witness.effect(f"ship {item}", _key()), name="ship")
            return f"shipped {item}"

        @durable.flow
        async def order(ctx: DurableContext, item: str) -> list[Any]:
            reserved = await reserve(item)
            charged, shipped = await asyncio.gather(charge(item), ctx.call(ship, item))
            await ctx.sleep(1.0)
            return [reserved, charged, shipped]

        for function in (ship, order):
            service.add_function(function)
        return [service]

    async def drive(self, client: Client, world: World) -> Any:
        """See `Program`."""

        async def one(number: int) -> Any:
            await world.sleep(world.random.uniform(0.0, 2.0))
            handle = await client.start("shop", "order", f"item{number}", id=f"order-{number}")
            return await handle.result()

        return await asyncio.gather(*(one(number) for number in range(self._orders)))

    def check(self, run: Run) -> Sequence[str]:
        """See `Program`."""
        found = []
        if run.error is not None:
            found.append(f"drive failed: {run.error!r}")
        for number in range(self._orders):
            item = f"item{number}"
            expected = [f"reserved {item}", len(item), f"shipped {item}"]
            if run.result is not None and run.result[number] != expected:
                found.append(f"order {number} is {run.result[number]}")
            for name in ("reserve", "charge", "ship"):
                keys = run.witness.distinct(f"{name} {item}")
                if run.error is None and keys != 1:
                    found.append(f"{name} {item} has {keys} keys")
        return found
