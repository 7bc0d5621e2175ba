"""Objects that call each other along a way, in two services: each has its own worker.

At each station a chain waits to be told to go on, and then calls the next station from inside of
the method that it is in: it holds all stations behind it.
"""

from __future__ import annotations

from typing import Any

from perdure import DurableContext, DurableObject, durable
from tests.integration.apps.witness import witness

west = durable.service("west")
east = durable.service("east")


class Station(DurableObject):
    """What both classes do."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.visits: list[str] = []

    async def visit(self, ctx: DurableContext, chain: str, way: list[str]) -> list[str]:
        """Go on along the way; the stations that were reached, this one first."""
        here = f"{type(self).__name__}/{self.id}"
        await ctx.run(note, f"{chain} at {here}")
        await ctx.wait_for_event(f"{chain} goes on from {here}")
        reached: list[str] = [here]
        if way:
            name, _, id = way[0].partition("/")
            cls: Any = {"West": West, "East": East}[name]
            following = await ctx.get_object(cls, id)
            reached += await following.visit(ctx, chain, way[1:])
        self.visits.append(chain)
        return reached


def note(what: str) -> None:
    """A step that is counted."""
    witness(what)


@durable.object(service="west", retry_delay=0.05)
class West(Station):
    """Served by one worker."""


@durable.object(service="east", retry_delay=0.05)
class East(Station):
    """Served by the other one."""


west.add_object(West)
east.add_object(East)
