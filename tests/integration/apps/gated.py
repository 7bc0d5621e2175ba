"""Flows whose step waits for the test: it says that it runs, then waits for a file.

The gate of a process is a file named after its id, so that a test can hold one worker and let
another go.
"""

import asyncio
import os
from pathlib import Path

from perdure import DurableContext, DurableObject, durable
from tests.integration.apps.witness import WITNESS, witness

POLL_S = 0.01

gated = durable.service("gated", "1.0.0")


def gate(witness_path: Path, pid: int) -> Path:
    """The file that lets the steps of a process end."""
    return witness_path.with_name(f"gate-{pid}")


async def pass_gate(ticket: str) -> int:
    """Returns the id of the process that ran it, once its gate is open."""
    witness(f"pass_gate {ticket}")
    mine = gate(Path(os.environ[WITNESS]), os.getpid())
    while not mine.exists():
        await asyncio.sleep(POLL_S)
    witness(f"passed {ticket}")
    return os.getpid()


@durable.flow
async def through_the_gate(ctx: DurableContext, ticket: str) -> int:
    """Which process let the ticket through."""
    return await ctx.run(pass_gate, ticket)


@durable.flow
async def quick(ctx: DurableContext, number: int) -> int:
    """Shows that a coordinator still works."""
    return number + 1


@durable.flow
async def digest_of(ctx: DurableContext, text: str) -> int:
    """The length of a large input."""
    return len(text)


def page(number: int, size: int) -> str:
    """A large result."""
    return str(number).rjust(size)


@durable.flow
async def bulky(ctx: DurableContext, pages: int, size: int) -> int:
    """Has a journal of `pages` large entries."""
    return sum([len(await ctx.run(page, number, size)) for number in range(pages)])


@durable.object
class Till(DurableObject):
    """A state that must not be lost or altered."""

    balance: int = 0

    async def pay(self, amount: int) -> int:
        """The balance after it."""
        self.balance += amount
        return self.balance


gated.add_function(through_the_gate)
gated.add_function(bulky)
gated.add_function(quick)
gated.add_function(digest_of)
gated.add_object(Till)
