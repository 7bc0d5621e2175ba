"""A payment that may run at most once, in one process that may be killed and run again."""

import asyncio
import sys

import perdure
from perdure import DurableContext, StepInterrupted, durable
from tests.integration.apps.witness import witness


def pay() -> str:
    """The effect."""
    witness("pay")
    return "paid"


def look() -> str:
    """Asks the provider what has become of it."""
    witness("look")
    return "found"


@durable.function
async def pays(ctx: DurableContext) -> str:
    """Pays, or finds out."""
    try:
        return await ctx.run(pay, at_most_once=True)
    except StepInterrupted:
        return await ctx.run(look)


async def main(database: str) -> None:
    """Run it to its end and print what it gave."""
    async with perdure.embedded(database) as runtime:
        handle = await runtime.client.start(pays, id="once")
        sys.stdout.write(await handle.result())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
