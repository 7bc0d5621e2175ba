"""Short flows with every kind of effect, and exact totals, for connections that break."""

import asyncio

from perdure import DurableContext, DurableObject, StepInterrupted, durable
from tests.integration.apps.witness import witness

service = durable.service("turbulence", "1.0.0")


@service.handler
async def book(line: str) -> str:
    """A handler."""
    witness(f"book {line}")
    await asyncio.sleep(0.01)
    return line


def pack(number: int) -> int:
    """A step."""
    witness(f"pack {number}")
    return number * 2


def pay(number: int) -> str:
    """A step that runs at most once."""
    witness(f"pay {number}")
    return "paid"


@durable.object(service="turbulence")
class Purse(DurableObject):
    """Counts what it is given: once for each flow."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.given: list[int] = []

    async def give(self, number: int) -> int:
        """One more."""
        self.given.append(number)
        return len(self.given)


@durable.function(service="turbulence", max_retries=0)
async def trip(ctx: DurableContext, number: int) -> list[object]:
    """All of it."""
    packed = await ctx.run(pack, number)
    booked = await ctx.call("turbulence", "book", f"{number}")
    await ctx.sleep(0.05)
    try:
        paid = await ctx.run(pay, number, at_most_once=True)
    except StepInterrupted:
        paid = "unknown"
    purse = await ctx.get_object(Purse, "one")
    await purse.give(number)
    told = await ctx.wait_for_event(f"event-{number}")
    return [packed, booked, paid in ("paid", "unknown"), told]


service.add_function(trip)
service.add_object(Purse)
